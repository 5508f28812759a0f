//! Rows of one file that go while the file stays: a longer deletion vector for the same path. Kind: pure. Spec: COM.
//!
//! In the log it is a `remove` with the old vector and an `add` with the new one. Invariant: the new vector holds the rows of the old
//! one and the newly deleted ones, nothing else.

use crate::env::Timestamp;
use crate::log::{Add, Remove, VectorDescriptor};
use roaring::RoaringTreemap;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rows of one file that are deleted by a vector, which is written already.
#[derive(Clone, Debug)]
pub(crate) struct RowDelete {
    /// As it stands in the base, its vector included; its statistics must say how many rows the file has.
    pub file: Add,
    /// The newly deleted physical positions: none of them is in the file's vector.
    pub rows: Arc<RoaringTreemap>,
    /// All deleted rows of the file.
    pub vector: VectorDescriptor,
}

impl RowDelete {
    /// The physical rows of the file, as its statistics say.
    pub(crate) fn records(&self) -> Option<i64> {
        records(self.file.stats.as_deref()?)
    }
    /// How many rows the file's own vector holds.
    pub(crate) fn deleted_before(&self) -> i64 {
        self.file.deletion_vector.as_ref().map_or(0, |v| v.cardinality)
    }
    /// The file with its old vector goes.
    pub(crate) fn remove(&self, now: Timestamp) -> Remove {
        let file = self.file.clone();
        Remove {
            path: file.path,
            deletion_timestamp: Some(now.millis()),
            data_change: true,
            extended_file_metadata: Some(true),
            partition_values: Some(file.partition_values),
            size: Some(file.size),
            stats: self.records().map(|n| format!("{{\"numRecords\":{n}}}")),
            tags: file.tags,
            deletion_vector: file.deletion_vector,
            base_row_id: file.base_row_id,
            default_row_commit_version: file.default_row_commit_version,
        }
    }
    /// The file with its new vector comes; `None` when no row of it is left.
    pub(crate) fn add(&self) -> Option<Add> {
        if self.records() == Some(self.vector.cardinality) {
            return None;
        }
        let stats = self.file.stats.as_deref().and_then(loosened);
        Some(Add { data_change: true, stats, deletion_vector: Some(self.vector.clone()), ..self.file.clone() })
    }
}

fn records(stats: &str) -> Option<i64> {
    let stats: BTreeMap<String, &RawValue> = serde_json::from_str(stats).ok()?;
    stats.get("numRecords")?.get().parse().ok()
}

/// The statistics of a file some of whose rows are gone: bounds that hold, but that no row may reach. Numbers keep their digits.
fn loosened(stats: &str) -> Option<String> {
    let mut stats: BTreeMap<String, Box<RawValue>> = serde_json::from_str(stats).ok()?;
    stats.insert("tightBounds".to_owned(), RawValue::from_string("false".to_owned()).ok()?);
    serde_json::to_string(&stats).ok()
}

#[cfg(test)]
#[path = "row_delete_tests.rs"]
mod tests;
