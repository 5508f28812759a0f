//! Variants stored partly in typed columns. Kind: pure. Spec: FEA.

use super::TableFeature;
use super::spec::{Active, FeatureSpec, Hooks, Scope, Support};

pub(super) const SPEC: FeatureSpec = FeatureSpec {
    feature: TableFeature::VariantShredding,
    name: "variantShredding",
    aliases: &["variantShredding-preview"],
    scope: Scope::ReaderWriter,
    legacy: None,
    requires: &[TableFeature::VariantType],
    active: Active::WhenProperty("delta.enableVariantShredding"),
    support: Support::Read,
    joins_quietly: false,
    hooks: Hooks::NONE,
};
