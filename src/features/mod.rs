//! Table features: one file each, a static record and pure hooks. Kind: pure. Spec: FEA.
//!
//! Outside this folder no feature's name appears. "Supported" is what the protocol lists or implies; "active" is supported and
//! switched on by property, schema or domain. A feature that is not in the list below is unknown: it stops readers when they must
//! understand it, else writers, by its name.

mod append_only;
mod catalog_managed;
mod change_data_feed;
mod check_constraints;
mod checkpoint_protection;
mod cloned;
mod clustering;
mod column_defaults;
mod column_mapping;
mod commit;
mod deletion_vectors;
mod dependents;
mod diagnose;
mod domain_metadata;
mod downgrade;
mod drafts;
mod generated_columns;
mod iceberg_compat;
mod identity_columns;
mod in_commit_timestamp;
mod invariants;
mod materialize_partition_columns;
mod new_table;
mod properties;
mod resolve;
mod restored;
mod row_tracking;
mod sequence;
mod settings;
mod spec;
mod state;
mod timestamp_ntz;
mod type_widening;
mod unbuilt;
mod v2_checkpoint;
mod vacuum_protocol_check;
mod variant_shredding;
mod variant_type;
mod versions;

pub(crate) use change_data_feed::{CHANGE_TYPE, COMMIT_TIMESTAMP, COMMIT_VERSION};
pub(crate) use commit::CommitDraft;
pub(crate) use dependents::ColumnRule;
pub(crate) use diagnose::{Nonsense, diagnose};
pub(crate) use downgrade::{Downgrade, Dropping, PROTECTED_BEFORE};
pub use drafts::HiddenColumn;
pub(crate) use drafts::{Fill, FillValue, MovedColumn, RowCheck, WritePlan};
pub(crate) use new_table::{ChangedTable, NewTable, TableChange, check_properties, new_table, replaced_table};
pub(crate) use properties::{canonical_key, feature_to_add, is_internal};
pub(crate) use sequence::{Numbers, Sequence};
pub(crate) use settings::{CheckpointPolicy, StatsColumns};
pub use state::TableState;

use drafts::TableDraft;
use spec::FeatureSpec;

macro_rules! features {
    ($($feature:ident = $spec:path,)*) => {
        /// Every feature that this build knows, in the order in which their hooks run.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) enum TableFeature {
            $($feature),*
        }
        static ALL: &[FeatureSpec] = &[$($spec),*];
    };
}

features! {
    ColumnMapping = column_mapping::SPEC,
    AppendOnly = append_only::SPEC,
    Invariants = invariants::SPEC,
    CheckConstraints = check_constraints::SPEC,
    ChangeDataFeed = change_data_feed::SPEC,
    GeneratedColumns = generated_columns::SPEC,
    IdentityColumns = identity_columns::SPEC,
    AllowColumnDefaults = column_defaults::SPEC,
    DeletionVectors = deletion_vectors::SPEC,
    DomainMetadata = domain_metadata::SPEC,
    RowTracking = row_tracking::SPEC,
    TimestampNtz = timestamp_ntz::SPEC,
    V2Checkpoint = v2_checkpoint::SPEC,
    VacuumProtocolCheck = vacuum_protocol_check::SPEC,
    InCommitTimestamp = in_commit_timestamp::SPEC,
    TypeWidening = type_widening::SPEC,
    VariantType = variant_type::SPEC,
    VariantShredding = variant_shredding::SPEC,
    CatalogManaged = catalog_managed::SPEC,
    Clustering = clustering::SPEC,
    CheckpointProtection = checkpoint_protection::SPEC,
    MaterializePartitionColumns = materialize_partition_columns::SPEC,
    Collations = unbuilt::COLLATIONS,
    ColumnMappingUsageTracking = unbuilt::COLUMN_MAPPING_USAGE,
    IcebergCompatV1 = iceberg_compat::SPEC_V1,
    IcebergCompatV2 = iceberg_compat::SPEC_V2,
    IcebergCompatV3 = iceberg_compat::SPEC_V3,
    IcebergWriterCompatV1 = unbuilt::ICEBERG_WRITER_COMPAT_V1,
    IcebergWriterCompatV3 = unbuilt::ICEBERG_WRITER_COMPAT_V3,
    CoordinatedCommits = unbuilt::COORDINATED_COMMITS,
    RedirectReaderWriter = unbuilt::REDIRECT_READER_WRITER,
    RedirectWriterOnly = unbuilt::REDIRECT_WRITER,
    TimestampNanos = unbuilt::TIMESTAMP_NANOS,
    Geospatial = unbuilt::GEOSPATIAL,
    AdaptiveMetadata = unbuilt::ADAPTIVE_METADATA,
}

impl TableFeature {
    /// The record of this feature.
    fn spec(self) -> &'static FeatureSpec {
        &ALL[self as usize]
    }
    /// The feature of this name or alias, compared exactly.
    fn named(name: &str) -> Option<TableFeature> {
        ALL.iter().find(|spec| spec.is_named(name)).map(|spec| spec.feature)
    }
    /// The feature that a user names, in any case.
    fn named_in_any_case(name: &str) -> Option<TableFeature> {
        let is_named = |spec: &&FeatureSpec| std::iter::once(&spec.name).chain(spec.aliases).any(|other| other.eq_ignore_ascii_case(name));
        ALL.iter().find(is_named).map(|spec| spec.feature)
    }
}

#[cfg(test)]
#[path = "features_tests.rs"]
mod tests;
