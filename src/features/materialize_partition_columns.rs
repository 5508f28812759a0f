//! Data files that hold the partition columns too, for readers that know no log. Kind: pure. Spec: DAT.
//!
//! Readers of the log go on taking partition values from the log.

use super::drafts::WritePlan;
use super::spec::{Active, FeatureSpec, Hooks, Scope, Support};
use super::{TableFeature, TableState};
use crate::error::Result;

pub(super) const SPEC: FeatureSpec = FeatureSpec {
    feature: TableFeature::MaterializePartitionColumns,
    name: "materializePartitionColumns",
    aliases: &[],
    scope: Scope::Writer,
    legacy: None,
    requires: &[],
    active: Active::When(|state| {
        state.is_true("delta.enableMaterializePartitionColumnsFeature") || state.is_supported(TableFeature::MaterializePartitionColumns)
    }),
    support: Support::Full,
    joins_quietly: false,
    hooks: Hooks { write_stages: Some(write_stages), ..Hooks::NONE },
};

fn write_stages(_: &TableState, plan: &mut WritePlan) -> Result<()> {
    plan.partition_columns = true;
    Ok(())
}
