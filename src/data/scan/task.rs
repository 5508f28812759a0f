//! One file to read, as plain data. Kind: shape.

use crate::error::{Code, Error, Result};
use crate::log::{Add, NullableMap, VectorDescriptor};
use crate::snapshot::FileBatch;
use serde::{Deserialize, Serialize};

/// One file to read. Serialise it and run it on any machine that can reach the table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FileTask {
    /// As it stands in the log.
    pub path: String,
    pub size: u64,
    /// Keys are physical names.
    pub partition_values: NullableMap,
    pub vector: Option<VectorDescriptor>,
    /// Only rows that this vector marks, less those that `vector` marks; what a commit deleted or brought back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<VectorDescriptor>,
    /// Physical rows, when the log says so.
    pub num_records: Option<u64>,
    /// Where the ids of its rows begin, and the version that gave them their values; only when the scan asks for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_row_id: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_row_commit_version: Option<i64>,
}

impl FileTask {
    /// The task of a file that a writer has just made.
    pub(crate) fn of_add(add: &Add) -> Result<FileTask> {
        let refused = || Error::new(Code::LOG_STATE, format!("a file has size {}", add.size)).with("path", &add.path);
        Ok(FileTask {
            path: add.path.clone(),
            size: u64::try_from(add.size).map_err(|_| refused())?,
            partition_values: add.partition_values.clone(),
            vector: add.deletion_vector.clone(),
            base_row_id: add.base_row_id,
            default_row_commit_version: add.default_row_commit_version,
            ..FileTask::default()
        })
    }
    /// The task of an active file; `keys` are the physical names of the partition columns.
    pub(super) fn of(batch: &FileBatch, row: usize, keys: &[String]) -> Result<FileTask> {
        let path = batch.path(row).to_owned();
        let size = u64::try_from(batch.size(row))
            .map_err(|_| Error::new(Code::LOG_STATE, format!("a file of the log has size {}", batch.size(row))).with("path", &path))?;
        let (base_row_id, default_row_commit_version) = batch.row_ids(row);
        Ok(FileTask {
            base_row_id,
            default_row_commit_version,
            partition_values: keys.iter().map(|key| (key.clone(), batch.partition_value(row, key).map(str::to_owned))).collect(),
            vector: batch.vector(row),
            only: None,
            // A negative count is no count.
            num_records: batch.num_records(row).and_then(|n| u64::try_from(n).ok()),
            path,
            size,
        })
    }
}
