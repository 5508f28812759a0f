//! Tables that record how rows changed, so that changes can be read version by version. Kind: pure. Spec: CDF.
//!
//! What a commit only adds or removes as whole files, or marks in vectors, is found from those; everything else needs change files.

use super::drafts::TableDraft;
use super::spec::{Active, FeatureSpec, Hooks, LegacyVersions, Scope, Support};
use super::{TableFeature, TableState};
use crate::error::{Code, Error, Result};

/// The column of the feed that says what happened to a row; change files hold it, data files do not.
pub(crate) const CHANGE_TYPE: &str = "_change_type";
/// The columns of the feed that say when.
pub(crate) const COMMIT_VERSION: &str = "_commit_version";
pub(crate) const COMMIT_TIMESTAMP: &str = "_commit_timestamp";

const PROPERTY: &str = "delta.enableChangeDataFeed";
/// The property's name before it was published; tables still have it.
const OLD_PROPERTY: &str = "delta.enableChangeDataCapture";

pub(super) const SPEC: FeatureSpec = FeatureSpec {
    feature: TableFeature::ChangeDataFeed,
    name: "changeDataFeed",
    aliases: &[],
    scope: Scope::Writer,
    legacy: Some(LegacyVersions { reader: None, writer: 4 }),
    requires: &[],
    active: Active::When(|state| is_on(|key| state.property(key))),
    support: Support::Full,
    joins_quietly: true,
    hooks: Hooks { shape_table: Some(shape_table), ..Hooks::NONE },
};

fn is_on<'a>(property: impl Fn(&str) -> Option<&'a str>) -> bool {
    property(PROPERTY).or_else(|| property(OLD_PROPERTY)).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
}

/// Refuses columns under the names that the feed itself adds.
fn shape_table(draft: &mut TableDraft<'_>) -> Result<()> {
    if !is_on(|key| draft.property(key)) {
        return Ok(());
    }
    let is_reserved =
        |name: &str| [CHANGE_TYPE, COMMIT_VERSION, COMMIT_TIMESTAMP].iter().any(|reserved| reserved.eq_ignore_ascii_case(name));
    match draft.schema.fields.iter().find(|field| is_reserved(&field.name)) {
        Some(field) => Err(Error::new(Code::SCHEMA, "a column has a name that the change data feed uses itself")
            .with("column", &field.name)
            .help(format!("rename the column, or leave `{PROPERTY}` off"))),
        None => Ok(()),
    }
}

impl TableState {
    /// Whether a commit that changes rows inside files must say so in change files.
    pub(crate) fn wants_change_files(&self) -> bool {
        self.is_active(TableFeature::ChangeDataFeed)
    }
}

#[cfg(test)]
#[path = "change_data_feed_tests.rs"]
mod tests;
