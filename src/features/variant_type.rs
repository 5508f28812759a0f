//! Semi-structured values. Kind: pure. Spec: FEA.

use super::TableFeature;
use super::spec::{Active, FeatureSpec, Hooks, Scope, Support};
use crate::schema::{DataType, any_type};

pub(super) const SPEC: FeatureSpec = FeatureSpec {
    feature: TableFeature::VariantType,
    name: "variantType",
    aliases: &["variantType-preview"],
    scope: Scope::ReaderWriter,
    legacy: None,
    requires: &[],
    active: Active::When(|state| any_type(state.schema(), |t| *t == DataType::Variant)),
    support: Support::Full,
    joins_quietly: false,
    hooks: Hooks::NONE,
};
