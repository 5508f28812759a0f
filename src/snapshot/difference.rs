//! The files that one version has and another lacks. Kind: edge. Spec: REC.
//!
//! A file is the same when its path and its deletion vector are; what the log says about it may differ all the same. Invariant: memory is the
//! keys of one version and a few numbers for each, never its actions.

use super::{FileBatch, FileQuery, Snapshot};
use crate::error::Result;
use crate::log::seen::{SeenFiles, hash};
use arrow::array::Array;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use serde_json::Value;
use std::sync::Arc;

/// Which files a version has.
pub(crate) struct FileKeys {
    keys: SeenFiles,
    /// What the log says about each, in the order of the keys, when that was asked for.
    facts: Vec<Facts>,
    pub files: u64,
    pub bytes: u64,
}

/// What a version knows about a file of another one.
pub(crate) enum Known {
    Not,
    /// The log says something else about its size, its partition, its rows or their ids: these.
    Otherwise {
        base_row_id: Option<i64>,
        default_row_commit_version: Option<i64>,
    },
    Same,
}

/// What counts of an `add` besides its key. What one version does not say is no difference, because a checkpoint may leave it out.
struct Facts {
    size: i64,
    partition: u64,
    /// What the statistics count, and whether they have bounds. Bounds may be the same in other words: so say them checkpoints that have them
    /// parsed.
    counts: Option<u64>,
    numbers: [Option<i64>; 3],
}

impl Facts {
    fn of(batch: &FileBatch, row: usize) -> Facts {
        let add = batch.add(row);
        let text = batch.rows().stats().filter(|texts| texts.is_valid(row)).map(|texts| texts.value(row));
        let mut partition = 0u64;
        for (name, value) in &add.partition_values {
            // The empty text is null.
            let value = value.as_deref().unwrap_or_default();
            partition = u64::wrapping_add(partition, hash(hash(0, name.as_bytes()), value.as_bytes()));
        }
        let numbers = [batch.num_records(row), add.base_row_id, add.default_row_commit_version];
        Facts { size: add.size, partition, counts: text.and_then(counts_in), numbers }
    }
    fn is_as(&self, other: &Facts) -> bool {
        let may_be = |(a, b): (&Option<i64>, &Option<i64>)| a.is_none() || b.is_none() || a == b;
        let same_counts = self.counts.is_none() || other.counts.is_none() || self.counts == other.counts;
        let same_numbers = self.numbers.iter().zip(&other.numbers).all(may_be);
        self.size == other.size && self.partition == other.partition && same_counts && same_numbers
    }
}

/// A hash of the null counts of statistics, of whether they have bounds, and of whether these are exact.
fn counts_in(stats: &str) -> Option<u64> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Counts {
        tight_bounds: Option<bool>,
        #[serde(default)]
        null_count: Value,
        #[serde(default)]
        min_values: Value,
        #[serde(default)]
        max_values: Value,
    }
    fn sum(of: &Value, path: u64) -> u64 {
        match of {
            Value::Object(fields) => fields.iter().fold(0, |all, (name, count)| all.wrapping_add(sum(count, hash(path, name.as_bytes())))),
            count => hash(path, b"").wrapping_mul(count.as_u64().unwrap_or(0)),
        }
    }
    let counts: Counts = serde_json::from_str(stats).ok()?;
    let has = |values: &Value| values.as_object().is_some_and(|fields| !fields.is_empty());
    let told = [has(&counts.null_count), has(&counts.min_values), has(&counts.max_values), counts.tight_bounds.unwrap_or(true)];
    Some(hash(sum(&counts.null_count, 1), &told.map(u8::from)))
}

impl FileKeys {
    /// What this version knows about a file of another one; both must have been read whole.
    pub(crate) fn look(&self, batch: &FileBatch, row: usize) -> Known {
        let Some(place) = self.keys.place(batch.rows().key(row)) else { return Known::Not };
        match self.facts.get(place) {
            Some(facts) if !facts.is_as(&Facts::of(batch, row)) => {
                let [_, base_row_id, default_row_commit_version] = facts.numbers;
                Known::Otherwise { base_row_id, default_row_commit_version }
            }
            _ => Known::Same,
        }
    }
}

impl Snapshot {
    /// The keys of all active files.
    pub(crate) async fn file_keys(self: &Arc<Self>) -> Result<FileKeys> {
        self.keys(FileQuery::default(), false).await
    }
    /// The same with what the log says about each.
    pub(crate) async fn file_facts(self: &Arc<Self>) -> Result<FileKeys> {
        self.keys(FileQuery::default().full(), true).await
    }
    async fn keys(self: &Arc<Self>, query: FileQuery, facts: bool) -> Result<FileKeys> {
        let mut out = FileKeys { keys: SeenFiles::new(self.table().root().url()), facts: Vec::new(), files: 0, bytes: 0 };
        let mut batches = self.files(query);
        while let Some(batch) = batches.try_next().await? {
            for row in 0..batch.len() {
                if out.keys.insert(batch.rows().key(row)) && facts {
                    out.facts.push(Facts::of(&batch, row));
                }
                out.files += 1;
                out.bytes = out.bytes.saturating_add(u64::try_from(batch.size(row)).unwrap_or(0));
            }
        }
        Ok(out)
    }
    /// Active files, whole actions, that are not among `known`, the files of another version of this table.
    pub(crate) fn files_besides(self: &Arc<Self>, known: FileKeys) -> BoxStream<'static, Result<FileBatch>> {
        let rest = self.files(FileQuery::default().full()).map(move |batch| batch?.without(&known.keys));
        rest.try_filter(|batch| std::future::ready(!batch.is_empty())).boxed()
    }
}

#[cfg(test)]
#[path = "difference_tests.rs"]
mod tests;
