//! Append-only tables: rows may be added and rearranged, never removed. Kind: pure. Spec: FEA.

use super::spec::{Active, FeatureSpec, Hooks, LegacyVersions, Scope, Support};
use super::{TableFeature, TableState};
use crate::error::{Code, Error, Result};
use crate::log::Remove;

const PROPERTY: &str = "delta.appendOnly";

pub(super) const SPEC: FeatureSpec = FeatureSpec {
    feature: TableFeature::AppendOnly,
    name: "appendOnly",
    aliases: &[],
    scope: Scope::Writer,
    legacy: Some(LegacyVersions { reader: None, writer: 2 }),
    requires: &[],
    active: Active::WhenProperty(PROPERTY),
    support: Support::Full,
    joins_quietly: true,
    hooks: Hooks { check_remove: Some(check_remove), ..Hooks::NONE },
};

fn check_remove(_: &TableState, remove: &Remove) -> Result<()> {
    if !remove.data_change {
        return Ok(());
    }
    Err(Error::new(Code::CONSTRAINT, "the table is append-only, so no rows can be removed")
        .with("path", &remove.path)
        .help(format!("append instead, or set the table property {PROPERTY} to false")))
}
