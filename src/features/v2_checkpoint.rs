//! Checkpoints with a manifest and sidecars. Kind: pure. Spec: FEA.

use super::spec::{Active, FeatureSpec, Hooks, Scope, Support};
use super::{Downgrade, TableFeature};
use crate::log::Action;

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
    hooks: Hooks { downgrade: Some(DOWNGRADE), ..Hooks::NONE },
};

const DOWNGRADE: Downgrade = Downgrade {
    set: &[("delta.checkpointPolicy", "classic")],
    is_trace: Some(|action| match action {
        Action::Metadata(metadata) => metadata.configuration.get("delta.checkpointPolicy").is_some_and(|policy| policy == "v2"),
        Action::CheckpointMetadata(_) | Action::Sidecar(_) => true,
        _ => false,
    }),
    ..Downgrade::NONE
};
