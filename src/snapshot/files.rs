//! Active files as columns. Kind: edge. Spec: REC, SKIP.

use crate::expr::BoundExpr;
use crate::log::{Add, VectorDescriptor};
use arrow::array::RecordBatch;

/// Which files, and how much of each.
#[derive(Clone, Debug, Default)]
pub struct FileQuery {
    pub(crate) filter: Option<BoundExpr>,
    pub(crate) full: bool,
}

impl FileQuery {
    /// Only files that may hold rows for which this is TRUE.
    pub fn filter(mut self, filter: BoundExpr) -> Self {
        self.filter = Some(filter);
        self
    }
    /// Whole `add` actions (statistics text, tags, row ids), not only what a scan needs.
    pub fn full(mut self) -> Self {
        self.full = true;
        self
    }
}

/// Some active files.
#[derive(Clone, Debug)]
pub struct FileBatch {
    #[allow(dead_code)]
    batch: RecordBatch,
}

impl FileBatch {
    pub fn len(&self) -> usize {
        todo!("snapshot room")
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The path as it stands in the log.
    pub fn path(&self, row: usize) -> &str {
        let _ = row;
        todo!("snapshot room")
    }
    pub fn size(&self, row: usize) -> i64 {
        let _ = row;
        todo!("snapshot room")
    }
    pub fn modification_time(&self, row: usize) -> i64 {
        let _ = row;
        todo!("snapshot room")
    }
    /// The text of a partition value by physical name; `None` is null.
    pub fn partition_value(&self, row: usize, physical: &str) -> Option<&str> {
        let _ = (row, physical);
        todo!("snapshot room")
    }
    pub fn vector(&self, row: usize) -> Option<VectorDescriptor> {
        let _ = row;
        todo!("snapshot room")
    }
    /// Physical rows, deleted ones included.
    pub fn num_records(&self, row: usize) -> Option<i64> {
        let _ = row;
        todo!("snapshot room")
    }
    /// The whole action; what the query did not ask for is absent.
    pub fn add(&self, row: usize) -> Add {
        let _ = row;
        todo!("snapshot room")
    }
}
