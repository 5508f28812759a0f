//! Checkpoints with a manifest and sidecars. Kind: pure. Spec: FEA.

use super::TableFeature;
use super::spec::{Active, FeatureSpec, Hooks, Scope, Support};

pub(super) const SPEC: FeatureSpec = FeatureSpec {
    feature: TableFeature::V2Checkpoint,
    name: "v2Checkpoint",
    aliases: &[],
    scope: Scope::ReaderWriter,
    legacy: None,
    requires: &[],
    active: Active::When(|state| state.property("delta.checkpointPolicy").is_some_and(|policy| policy.trim().eq_ignore_ascii_case("v2"))),
    support: Support::Full,
    joins_quietly: true,
    hooks: Hooks::NONE,
};
