//! Writing rows: batches in, `Add`s out. Kind: edge. Spec: DAT, STA.

use crate::error::Result;
use crate::features::TableState;
use crate::log::Add;
use crate::table::Table;
use arrow::array::RecordBatch;
use std::sync::Arc;

/// Sizes and encodings of the files that a writer makes.
#[derive(Clone, Debug)]
pub struct WriteOptions {
    /// A file is closed when it has reached this many bytes.
    pub target_file_size: u64,
}

impl Default for WriteOptions {
    fn default() -> Self {
        WriteOptions { target_file_size: 128 << 20 }
    }
}

/// Writes batches of the table's logical schema into partitioned, rolling Parquet files with statistics.
pub struct DataWriter {}

impl DataWriter {
    /// A writer for tables of this state. `LB-FEATURE-WRITE` when a stage is not built.
    pub fn new(table: &Table, state: Arc<TableState>, options: WriteOptions) -> Result<Self> {
        let _ = (table, state, options);
        todo!("write room")
    }
    /// Takes a batch. `LB-SCHEMA` names the column that does not fit, `LB-CONSTRAINT` the rule that refused a row.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        let _ = batch;
        todo!("write room")
    }
    /// Closes and syncs all files. Nothing is part of the table before a commit names it.
    pub async fn finish(self) -> Result<Vec<Add>> {
        todo!("write room")
    }
}
