//! Variants stored partly in typed columns; those within arrays and maps stay whole, as Spark writes them. Kind: pure. Spec: VAR.

use super::spec::{Active, FeatureSpec, Hooks, Scope, Support};
use super::{TableFeature, TableState, WritePlan};
use crate::error::Result;

pub(super) const SPEC: FeatureSpec = FeatureSpec {
    feature: TableFeature::VariantShredding,
    name: "variantShredding",
    aliases: &["variantShredding-preview"],
    scope: Scope::ReaderWriter,
    legacy: None,
    requires: &[TableFeature::VariantType],
    active: Active::WhenProperty("delta.enableVariantShredding"),
    support: Support::Full,
    joins_quietly: true,
    hooks: Hooks { write_stages: Some(write_stages), ..Hooks::NONE },
};

/// Files that are there may hold variants whole: both are read side by side.
fn write_stages(_: &TableState, plan: &mut WritePlan) -> Result<()> {
    plan.shreds_variants = true;
    Ok(())
}
