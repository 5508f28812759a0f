//! Reading rows: a list of file tasks and a stream of batches. Kind: edge. Spec: DAT.

mod task;

pub use task::FileTask;

use crate::error::Result;
use crate::expr::Expr;
use crate::snapshot::Snapshot;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::stream::BoxStream;
use std::sync::Arc;

/// What to read of a snapshot.
pub struct ScanBuilder {
    #[allow(dead_code)]
    snapshot: Arc<Snapshot>,
}

impl Snapshot {
    /// Starts a scan of this version.
    pub fn scan(self: &Arc<Self>) -> ScanBuilder {
        ScanBuilder { snapshot: Arc::clone(self) }
    }
}

impl ScanBuilder {
    /// Only these columns, in this order.
    pub fn columns<S: Into<String>>(self, names: impl IntoIterator<Item = S>) -> Self {
        let _: Vec<String> = names.into_iter().map(Into::into).collect();
        todo!("scan room")
    }
    /// Only rows for which this is TRUE.
    pub fn filter(self, predicate: Expr) -> Self {
        let _ = predicate;
        todo!("scan room")
    }
    /// At most this many rows.
    pub fn limit(self, rows: u64) -> Self {
        let _ = rows;
        todo!("scan room")
    }
    /// Binds names and types. `LB-FEATURE-READ`, `LB-SCHEMA`, `LB-EXPR`.
    pub fn build(self) -> Result<Scan> {
        todo!("scan room")
    }
}

/// A scan that is ready to run. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Scan {}

impl Scan {
    /// The Arrow schema of the batches.
    pub fn schema(&self) -> SchemaRef {
        todo!("scan room")
    }
    /// Files left after pruning; each task can be serialised and run elsewhere.
    pub fn tasks(&self) -> BoxStream<'static, Result<FileTask>> {
        todo!("scan room")
    }
    /// The rows of one file.
    pub fn read(&self, task: FileTask) -> BoxStream<'static, Result<RecordBatch>> {
        let _ = task;
        todo!("scan room")
    }
    /// All rows, files in no promised order, at most `Env::threads` files in flight, within the memory budget.
    pub fn stream(self) -> BoxStream<'static, Result<RecordBatch>> {
        todo!("scan room")
    }
    /// How many rows match, from statistics where they decide, else by reading.
    pub async fn count(self) -> Result<u64> {
        todo!("scan room")
    }
}
