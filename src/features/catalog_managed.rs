//! Tables whose commits a catalog ratifies. Read by path, such a table may show commits that never happened, or miss some. Kind: pure.
//! Spec: FEA.

use super::TableFeature;
use super::spec::{Active, FeatureSpec, Hooks, Scope, Support};

pub(super) const SPEC: FeatureSpec = FeatureSpec {
    feature: TableFeature::CatalogManaged,
    name: "catalogManaged",
    aliases: &["catalogOwned", "catalogOwned-preview"],
    scope: Scope::ReaderWriter,
    legacy: None,
    requires: &[TableFeature::InCommitTimestamp, TableFeature::VacuumProtocolCheck],
    active: Active::WhenSupported,
    support: Support::Refused("the catalog decides which commits count: publish and read the table through the catalog that manages it"),
    joins_quietly: false,
    hooks: Hooks::NONE,
};
