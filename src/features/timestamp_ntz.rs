//! Timestamps without a zone. Kind: pure. Spec: FEA.

use super::TableFeature;
use super::spec::{Active, FeatureSpec, Hooks, Scope, Support};
use crate::schema::{DataType, any_type};

pub(super) const SPEC: FeatureSpec = FeatureSpec {
    feature: TableFeature::TimestampNtz,
    name: "timestampNtz",
    aliases: &["timestampWithoutTimezone"],
    scope: Scope::ReaderWriter,
    legacy: None,
    requires: &[],
    active: Active::When(|state| any_type(state.schema(), |t| *t == DataType::TimestampNtz)),
    support: Support::Full,
    joins_quietly: true,
    hooks: Hooks::NONE,
};
