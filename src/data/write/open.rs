//! An open file and the rows that wait to be encoded into it. Kind: edge. Spec: DAT.
//!
//! An encoder costs memory before its first row (a dictionary for each column), so rows of many partitions wait as they are until
//! there are enough of them, or until the writer needs their memory. Invariant: rows keep the order in which they came.

use super::file::{DataFile, FilePlan};
use crate::error::Result;
use crate::log::Add;
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;

/// Rows that are encoded at once when they come together.
const ENOUGH_ROWS: usize = 4096;
/// Rows and bytes that wait at most.
const WAITING_ROWS: usize = 1 << 15;
const WAITING_BYTES: u64 = 4 << 20;
/// Small batches are put together when there are so many: an Arrow array of a few rows is mostly overhead.
const SMALL_BATCHES: usize = 64;

/// A file of one partition that takes rows.
pub(super) struct Open {
    file: DataFile,
    waiting: Vec<RecordBatch>,
    /// How many of the last batches that wait are small.
    small: usize,
    rows: usize,
    bytes: u64,
    bytes_max: u64,
    /// When it was written last, in batches of the writer.
    pub(super) used: u64,
}

impl Open {
    /// Of a file that will be closed at `file_bytes`.
    pub(super) fn new(file: DataFile, file_bytes: u64) -> Open {
        Open { file, waiting: Vec::new(), small: 0, rows: 0, bytes: 0, bytes_max: WAITING_BYTES.min(file_bytes), used: 0 }
    }
    /// Takes rows of exactly the file's schema.
    pub(super) async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        let alone = batch.num_rows();
        self.rows += alone;
        self.bytes += batch.get_array_memory_size() as u64;
        self.waiting.push(batch);
        self.small += 1;
        if alone >= ENOUGH_ROWS || self.rows >= WAITING_ROWS || self.bytes >= self.bytes_max {
            return self.encode().await;
        }
        if self.small == SMALL_BATCHES {
            let tail = self.waiting.split_off(self.waiting.len() - self.small);
            self.bytes -= tail.iter().map(|b| b.get_array_memory_size() as u64).sum::<u64>().min(self.bytes);
            let one = concat_batches(&tail[0].schema(), &tail)?;
            self.bytes += one.get_array_memory_size() as u64;
            self.waiting.push(one);
            self.small = 0;
        }
        Ok(())
    }
    /// Bytes of the file so far.
    pub(super) fn size(&self) -> u64 {
        self.file.size()
    }
    /// Bytes in memory.
    pub(super) fn held(&self) -> u64 {
        self.bytes + self.file.held()
    }
    /// Encodes and ends the row group, so that only encoded bytes are held which the store has not taken yet; false when there was
    /// nothing to encode: then only closing the file frees memory.
    pub(super) async fn shrink(&mut self) -> Result<bool> {
        let rows = self.rows > 0 || self.file.has_rows();
        if rows {
            self.encode().await?;
            self.file.flush().await?;
        }
        Ok(rows)
    }
    /// Ends the file.
    pub(super) async fn finish(mut self, plan: &FilePlan) -> Result<Add> {
        match self.encode().await {
            Ok(()) => self.file.finish(plan).await,
            Err(e) => {
                self.file.abort().await;
                Err(e)
            }
        }
    }
    /// Takes back what was sent.
    pub(super) async fn abort(self) {
        self.file.abort().await;
    }
    async fn encode(&mut self) -> Result<()> {
        let mut waiting = std::mem::take(&mut self.waiting);
        (self.rows, self.bytes, self.small) = (0, 0, 0);
        let batch = match waiting.len() {
            0 => return Ok(()),
            1 => waiting.remove(0),
            _ => concat_batches(&waiting[0].schema(), &waiting)?,
        };
        drop(waiting);
        self.file.write(batch).await
    }
}
