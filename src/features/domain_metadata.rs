//! Named configuration outside the metadata; what we do not know is kept. Kind: pure. Spec: FEA.

use super::TableFeature;
use super::spec::{Active, FeatureSpec, Hooks, Scope, Support};

pub(super) const SPEC: FeatureSpec = FeatureSpec {
    feature: TableFeature::DomainMetadata,
    name: "domainMetadata",
    aliases: &[],
    scope: Scope::Writer,
    legacy: None,
    requires: &[],
    active: Active::WhenSupported,
    support: Support::Full,
    joins_quietly: true,
    hooks: Hooks::NONE,
};
