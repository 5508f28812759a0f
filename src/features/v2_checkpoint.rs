//! Checkpoints with a manifest and sidecars. Kind: pure. Spec: FEA.

use super::TableFeature;
use super::properties::CheckpointPolicy;
use super::spec::{Active, FeatureSpec, Hooks, Scope, Support};

pub(super) const SPEC: FeatureSpec = FeatureSpec {
    feature: TableFeature::V2Checkpoint,
    name: "v2Checkpoint",
    aliases: &[],
    scope: Scope::ReaderWriter,
    legacy: None,
    requires: &[],
    active: Active::When(|state| matches!(state.checkpoint_policy(), Ok(CheckpointPolicy::V2))),
    support: Support::Full,
    joins_quietly: true,
    hooks: Hooks::NONE,
};
