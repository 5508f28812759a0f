//! What a table's properties say, in types that other layers can use. Kind: pure. Spec: PRP.
//!
//! Every value comes from the property, else from its default in the list. A value that does not parse is `LB-PROPERTY`, never the
//! default: a retention that is misread deletes data.

use super::properties::{self, boolean, interval_ms, size_bytes};
use super::{TableFeature, TableState};
use crate::error::{Code, Error, Result};
use crate::schema::FieldPath;
use crate::schema::paths::column_list;

/// Which kind of checkpoint a table wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CheckpointPolicy {
    Classic,
    V2,
}

/// Which columns have statistics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StatsColumns {
    All,
    /// The first leaf columns of the schema, in order.
    First(usize),
    /// These columns and everything inside them, by logical path.
    Named(Vec<FieldPath>),
}

impl TableState {
    /// Which kind of checkpoint the table wants; V2 only where it is supported.
    pub(crate) fn checkpoint_policy(&self) -> Result<CheckpointPolicy> {
        let asked = self.setting("delta.checkpointPolicy", |text| text.eq_ignore_ascii_case("v2").into())?.unwrap_or(false);
        let supported = self.is_supported(TableFeature::V2Checkpoint);
        Ok(if asked && supported { CheckpointPolicy::V2 } else { CheckpointPolicy::Classic })
    }
    /// A checkpoint is due after this many commits.
    pub(crate) fn checkpoint_interval(&self) -> Result<u64> {
        Ok(self.setting("delta.checkpointInterval", |text| text.parse::<u64>().ok())?.unwrap_or(10))
    }
    /// Whether checkpoints hold statistics as JSON text.
    pub(crate) fn checkpoint_stats_as_json(&self) -> Result<bool> {
        Ok(self.setting("delta.checkpoint.writeStatsAsJson", boolean)?.unwrap_or(true))
    }
    /// Whether checkpoints hold statistics as columns.
    pub(crate) fn checkpoint_stats_as_struct(&self) -> Result<bool> {
        Ok(self.setting("delta.checkpoint.writeStatsAsStruct", boolean)?.unwrap_or(true))
    }
    /// How long removed files are remembered and kept, in milliseconds.
    pub(crate) fn deleted_file_retention_ms(&self) -> Result<i64> {
        Ok(self.setting("delta.deletedFileRetentionDuration", interval_ms)?.unwrap_or(604_800_000))
    }
    /// How long commits are kept, in milliseconds.
    pub(crate) fn log_retention_ms(&self) -> Result<i64> {
        Ok(self.setting("delta.logRetentionDuration", interval_ms)?.unwrap_or(30 * 86_400_000))
    }
    /// Whether commits that are older than that may be deleted.
    pub(crate) fn cleans_up_log(&self) -> Result<bool> {
        Ok(self.setting("delta.enableExpiredLogCleanup", boolean)?.unwrap_or(true))
    }
    /// How old history must be before it is removed because a feature was dropped, in milliseconds.
    pub(crate) fn truncation_retention_ms(&self) -> Result<i64> {
        Ok(self.setting("delta.dropFeatureTruncateHistory.retentionDuration", interval_ms)?.unwrap_or(86_400_000))
    }
    /// How long application versions are remembered, in milliseconds; `None` for ever.
    pub(crate) fn app_version_retention_ms(&self) -> Result<Option<i64>> {
        self.setting("delta.setTransactionRetentionDuration", interval_ms)
    }
    /// Which columns new files have statistics for.
    pub(crate) fn stats_columns(&self) -> Result<StatsColumns> {
        if let Some(columns) = self.setting("delta.dataSkippingStatsColumns", column_list)? {
            return Ok(StatsColumns::Named(columns));
        }
        let first = self.setting("delta.dataSkippingNumIndexedCols", |text| text.parse::<i64>().ok())?.unwrap_or(32);
        Ok(usize::try_from(first).map_or(StatsColumns::All, StatsColumns::First))
    }
    /// To how many characters minimum and maximum strings are cut.
    pub(crate) fn stats_string_prefix(&self) -> Result<usize> {
        Ok(self.setting("delta.dataSkippingStringPrefixLength", |text| text.parse().ok())?.unwrap_or(32))
    }
    /// The codec that new data files should use, in lower case; `None` when the table does not say.
    pub(crate) fn compression_codec(&self) -> Result<Option<String>> {
        self.setting("delta.parquet.compression.codec", |text| Some(text.to_ascii_lowercase()))
    }
    /// The version of the Parquet format that new data files should have.
    pub(crate) fn parquet_version(&self) -> Result<Option<String>> {
        self.setting("delta.parquet.format.version", |text| Some(text.to_owned()))
    }
    /// The size at which a data file should be closed; `None` when the table does not say.
    pub(crate) fn target_file_size(&self) -> Result<Option<u64>> {
        self.setting("delta.targetFileSize", size_bytes)
    }
    /// Whether small files are joined after a commit that left many.
    pub(crate) fn joins_after_commits(&self) -> Result<bool> {
        let words = |text: &str| Some(!text.eq_ignore_ascii_case("false"));
        match self.setting("delta.autoOptimize.autoCompact", words)? {
            Some(asked) => Ok(asked),
            None => Ok(self.setting("delta.autoOptimize", boolean)?.unwrap_or(false)),
        }
    }
    /// Whether symlink manifests are renewed after every commit.
    pub(crate) fn renews_manifests(&self) -> Result<bool> {
        Ok(self.setting("delta.compatibility.symlinkFormatManifest.enabled", boolean)?.unwrap_or(false))
    }
    /// Whether rows are brought together by partition before they are written, so that few files come of them.
    pub(crate) fn optimizes_writes(&self) -> Result<bool> {
        match self.setting("delta.autoOptimize.optimizeWrite", boolean)? {
            Some(asked) => Ok(asked),
            None => Ok(self.setting("delta.autoOptimize", boolean)?.unwrap_or(false)),
        }
    }
    /// Whether data files also hold the partition columns, as far as no feature demands it.
    pub(super) fn writes_partition_columns(&self) -> Result<bool> {
        Ok(self.setting("delta.writePartitionColumnsToParquet", boolean)?.unwrap_or(true))
    }
    /// How long the random name of a folder is that data files stand in instead of a partition folder.
    pub(crate) fn random_prefix_length(&self) -> Result<usize> {
        Ok(self.setting("delta.randomPrefixLength", |text| text.parse().ok())?.unwrap_or(2))
    }

    /// A property, else its default, read by `parse`.
    fn setting<T>(&self, key: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>> {
        let known = properties::find(key);
        if let (Some(known), Some(text)) = (known, self.property(key)) {
            properties::check(known, text)?;
        }
        let text = self.property(key).or_else(|| known.and_then(|property| property.default));
        let Some(text) = text.map(str::trim) else { return Ok(None) };
        parse(text).map(Some).ok_or_else(|| Error::new(Code::PROPERTY, format!("`{key}` has a value that cannot be used: `{text}`")))
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
