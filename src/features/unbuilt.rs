//! Records of features that this build recognises but does not carry out yet. Kind: shape. Spec: FEA.
//!
//! A table that supports one of these for writers only is read; it is written while the feature is not active. None is ever added to a table. A record moves into a
//! file of its own when its rules are built.

use super::TableFeature;
use super::spec::{Active, FeatureSpec, Hooks, Scope, Support};
use crate::schema::{any_field, metadata_key};

const fn writer(feature: TableFeature, name: &'static str, active: Active) -> FeatureSpec {
    let scope = Scope::Writer;
    FeatureSpec {
        feature,
        name,
        aliases: &[],
        scope,
        legacy: None,
        requires: &[],
        active,
        support: Support::Recognised,
        joins_quietly: false,
        hooks: Hooks::NONE,
    }
}

const fn reader_writer(feature: TableFeature, name: &'static str) -> FeatureSpec {
    FeatureSpec { scope: Scope::ReaderWriter, ..writer(feature, name, Active::WhenSupported) }
}

pub(super) const ICEBERG_WRITER_COMPAT_V1: FeatureSpec = FeatureSpec {
    requires: &[TableFeature::IcebergCompatV2],
    ..writer(TableFeature::IcebergWriterCompatV1, "icebergWriterCompatV1", Active::WhenProperty("delta.enableIcebergWriterCompatV1"))
};
pub(super) const ICEBERG_WRITER_COMPAT_V3: FeatureSpec = FeatureSpec {
    requires: &[TableFeature::IcebergCompatV3],
    ..writer(TableFeature::IcebergWriterCompatV3, "icebergWriterCompatV3", Active::WhenProperty("delta.enableIcebergWriterCompatV3"))
};
pub(super) const COLLATIONS: FeatureSpec = FeatureSpec {
    aliases: &["collations-preview"],
    requires: &[TableFeature::DomainMetadata],
    ..writer(
        TableFeature::Collations,
        "collations",
        Active::When(|state| any_field(state.schema(), |field| field.metadata.contains_key(metadata_key::COLLATIONS))),
    )
};
pub(super) const COLUMN_MAPPING_USAGE: FeatureSpec = FeatureSpec {
    requires: &[TableFeature::ColumnMapping],
    ..writer(TableFeature::ColumnMappingUsageTracking, "columnMappingUsageTracking", Active::WhenSupported)
};
pub(super) const COORDINATED_COMMITS: FeatureSpec = FeatureSpec {
    requires: &[TableFeature::InCommitTimestamp, TableFeature::VacuumProtocolCheck],
    ..writer(
        TableFeature::CoordinatedCommits,
        "coordinatedCommits-preview",
        Active::When(|state| state.property("delta.coordinatedCommits.commitCoordinator-preview").is_some()),
    )
};
pub(super) const REDIRECT_WRITER: FeatureSpec = writer(
    TableFeature::RedirectWriterOnly,
    "redirectWriterOnly-preview",
    Active::When(|state| state.property("delta.redirectWriterOnly-preview").is_some()),
);
pub(super) const REDIRECT_READER_WRITER: FeatureSpec = reader_writer(TableFeature::RedirectReaderWriter, "redirectReaderWriter-preview");
pub(super) const TIMESTAMP_NANOS: FeatureSpec =
    FeatureSpec { requires: &[TableFeature::TimestampNtz], ..reader_writer(TableFeature::TimestampNanos, "timestampNanos") };
pub(super) const GEOSPATIAL: FeatureSpec =
    FeatureSpec { aliases: &["geospatial-dev", "geo-type-in-dev"], ..reader_writer(TableFeature::Geospatial, "geospatial") };
pub(super) const ADAPTIVE_METADATA: FeatureSpec =
    FeatureSpec { aliases: &["adaptiveMetadata-preview"], ..reader_writer(TableFeature::AdaptiveMetadata, "adaptiveMetadata") };
