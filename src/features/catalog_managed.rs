//! Tables whose commits a catalog ratifies. Read by path, such a table may show commits that never happened, or miss some. Kind: pure.
//! Spec: FEA, CAT.

use super::spec::{Active, FeatureSpec, Hooks, Scope, Support};
use super::{TableFeature, TableState};
use crate::error::{Code, Error, Result};

const NAME: &str = "catalogManaged";

pub(super) const SPEC: FeatureSpec = FeatureSpec {
    feature: TableFeature::CatalogManaged,
    name: NAME,
    aliases: &["catalogOwned", "catalogOwned-preview"],
    scope: Scope::ReaderWriter,
    legacy: None,
    requires: &[TableFeature::InCommitTimestamp, TableFeature::VacuumProtocolCheck],
    active: Active::WhenSupported,
    support: Support::Full,
    joins_quietly: false,
    hooks: Hooks { check_read: Some(check_read), check_write: Some(check_write), ..Hooks::NONE },
};

fn by_path(code: Code) -> Error {
    Error::new(code, "a catalog decides which commits of the table count, and the table was opened by its path")
        .with("features", NAME)
        .help("publish to the table and read it through the catalog that manages it")
}

fn check_read(state: &TableState) -> Result<()> {
    if state.is_reached_by_catalog() { Ok(()) } else { Err(by_path(Code::FEATURE_READ)) }
}

fn check_write(state: &TableState) -> Result<()> {
    match (state.is_supported(TableFeature::CatalogManaged), state.is_reached_by_catalog()) {
        (true, false) => Err(by_path(Code::FEATURE_WRITE)),
        (false, true) => Err(Error::new(Code::FEATURE_WRITE, "the table was opened through a catalog, which does not manage it")
            .with("features", NAME)
            .help("open the table by its path")),
        (true, true) if !state.keeps_commit_times() || !state.is_supported(TableFeature::VacuumProtocolCheck) => Err(Error::new(
            Code::LOG_STATE,
            "a table that a catalog manages must keep commit times in the log and check the protocol before vacuum",
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "catalog_managed_tests.rs"]
mod tests;
