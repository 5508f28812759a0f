//! Rows spread over files on disk by the hash of their key, so that rows with equal keys meet. Kind: edge. Spec: EXE.

use super::index::Keys;
use super::runtime::Runtime;
use super::spill::{Spill, SpillWriter, Spilled};
use crate::error::{Code, Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array, UInt64Array};
use arrow::compute::{BatchCoalescer, take_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt64Type};
use futures::StreamExt;
use futures::stream::BoxStream;
use std::sync::Arc;

/// How many files the rows of one side are spread over.
const PARTITIONS: usize = 32;
/// Rows of a batch on disk.
const BATCH_ROWS: usize = 1024;
const HASH: &str = "\u{1}hash";

/// How many partitions a join has: rows without a key all meet in one.
pub(crate) fn partition_count(keys: usize) -> usize {
    if keys == 0 { 1 } else { PARTITIONS }
}

/// Rows of one side on their way to disk.
pub(crate) struct Partitions {
    schema: SchemaRef,
    parts: Vec<(BatchCoalescer, SpillWriter)>,
}

/// The rows of one partition.
pub(crate) struct Partition(Option<Spilled>);

impl Partitions {
    pub fn new(runtime: &Runtime, schema: &SchemaRef, count: usize) -> Result<Partitions> {
        let mut fields: Vec<_> = schema.fields().iter().map(|f| Arc::new(f.as_ref().clone().with_nullable(true))).collect();
        fields.push(Arc::new(Field::new(HASH, DataType::UInt64, true)));
        let schema = Arc::new(Schema::new(fields));
        let spill = Spill::new(runtime, Arc::clone(&schema));
        let parts = (0..count).map(|_| (BatchCoalescer::new(Arc::clone(&schema), BATCH_ROWS), spill.start())).collect();
        Ok(Partitions { schema, parts })
    }

    pub fn push(&mut self, batch: &RecordBatch, keys: &Keys) -> Result<()> {
        let mut columns = batch.columns().to_vec();
        columns.push(Arc::new(keys.0.clone()) as ArrayRef);
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        let count = self.parts.len();
        let mut rows = vec![Vec::new(); count];
        for row in 0..batch.num_rows() {
            // The upper bits: the lower ones find rows within a partition.
            let part = if keys.0.is_valid(row) { (keys.0.value(row) >> 32) as usize % count } else { 0 };
            rows[part].push(row as u32);
        }
        for (rows, (waiting, file)) in rows.into_iter().zip(&mut self.parts).filter(|(rows, _)| !rows.is_empty()) {
            let rows = if rows.len() == batch.num_rows() { batch.clone() } else { take_record_batch(&batch, &UInt32Array::from(rows))? };
            waiting.push_batch(rows)?;
            while let Some(ready) = waiting.next_completed_batch() {
                file.write(&ready)?;
            }
        }
        Ok(())
    }

    pub fn finish(self) -> Result<Vec<Partition>> {
        let finish = |(mut waiting, mut file): (BatchCoalescer, SpillWriter)| {
            waiting.finish_buffered_batch()?;
            while let Some(ready) = waiting.next_completed_batch() {
                file.write(&ready)?;
            }
            Ok(Partition(file.finish()?))
        };
        self.parts.into_iter().map(finish).collect()
    }
}

impl Partition {
    /// The rows with their keys, in the order in which they came. May be called again.
    pub fn read(&self) -> Result<BoxStream<'static, Result<(RecordBatch, Keys)>>> {
        let Some(spilled) = &self.0 else { return Ok(futures::stream::empty().boxed()) };
        let split = |batch: Result<RecordBatch>| {
            let mut batch = batch?;
            let lost = || Error::new(Code::INTERNAL, "a row on disk has lost its key");
            let at = batch.num_columns().checked_sub(1).ok_or_else(lost)?;
            let keys = batch.remove_column(at);
            let keys: UInt64Array = keys.as_primitive_opt::<UInt64Type>().cloned().ok_or_else(lost)?;
            Ok((batch, Keys(keys)))
        };
        Ok(spilled.read()?.map(split).boxed())
    }
}

#[cfg(test)]
#[path = "partition_tests.rs"]
mod tests;
