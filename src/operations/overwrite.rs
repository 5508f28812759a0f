//! What it takes to replace all rows: every live file as a `remove`. Kind: edge. Spec: OPS.

use crate::error::Result;
use crate::log::{Add, Remove};
use crate::snapshot::{FileQuery, Snapshot};
use futures::TryStreamExt;
use std::sync::Arc;

/// The files that an overwrite removes.
#[derive(Default)]
pub(super) struct Removal {
    pub(super) removes: Vec<Remove>,
    pub(super) bytes: u64,
}

/// Every file of this version as the action that removes it. `LB-CONSTRAINT` when the table forbids removing rows, before anything is
/// written. Memory: one action a file.
pub(super) async fn remove_all(base: &Arc<Snapshot>) -> Result<Removal> {
    let now = base.table().env().now().millis();
    let mut out = Removal::default();
    let mut files = base.files(FileQuery::default().full());
    while let Some(batch) = files.try_next().await? {
        for row in 0..batch.len() {
            let records = batch.num_records(row);
            let add = batch.add(row);
            out.bytes += u64::try_from(add.size).unwrap_or(0);
            let remove = remove_of(add, records, now);
            base.state().check_remove(&remove)?;
            out.removes.push(remove);
        }
    }
    Ok(out)
}

/// The action that removes a file: the whole identity of the logical file, its statistics cut to the count, as Spark writes it.
pub(super) fn remove_of(add: Add, records: Option<i64>, now: i64) -> Remove {
    Remove {
        path: add.path,
        deletion_timestamp: Some(now),
        data_change: true,
        extended_file_metadata: Some(true),
        partition_values: Some(add.partition_values),
        size: Some(add.size),
        stats: records.map(|n| format!("{{\"numRecords\":{n}}}")),
        tags: add.tags,
        deletion_vector: add.deletion_vector,
        base_row_id: add.base_row_id,
        default_row_commit_version: add.default_row_commit_version,
    }
}
