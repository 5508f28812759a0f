//! Rows deleted without rewriting their file. Appends and whole overwrites never make a vector. Kind: pure. Spec: FEA.

use super::TableFeature;
use super::spec::{Active, FeatureSpec, Hooks, Scope, Support};

pub(super) const SPEC: FeatureSpec = FeatureSpec {
    feature: TableFeature::DeletionVectors,
    name: "deletionVectors",
    aliases: &[],
    scope: Scope::ReaderWriter,
    legacy: None,
    requires: &[],
    active: Active::WhenProperty("delta.enableDeletionVectors"),
    support: Support::Full,
    joins_quietly: true,
    hooks: Hooks::NONE,
};
