//! Vacuum must look at the writer's protocol before it deletes. Kind: pure. Spec: FEA.

use super::spec::{Active, FeatureSpec, Hooks, Scope, Support};
use super::{Downgrade, TableFeature};

pub(super) const SPEC: FeatureSpec = FeatureSpec {
    feature: TableFeature::VacuumProtocolCheck,
    name: "vacuumProtocolCheck",
    aliases: &[],
    scope: Scope::ReaderWriter,
    legacy: None,
    requires: &[],
    active: Active::WhenSupported,
    support: Support::Full,
    joins_quietly: true,
    hooks: Hooks { downgrade: Some(Downgrade::NONE), ..Hooks::NONE },
};
