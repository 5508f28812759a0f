//! Source rows in memory: found by key, gathered by number, marked when they match. Kind: pure. Spec: MRG.

use crate::env::Reservation;
use crate::error::{Code, Error, Result};
use crate::exec::{KeyIndex, Keys, Progress};
use crate::expr::BoundExpr;
use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{interleave, take};
use arrow::datatypes::{Field, Schema};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How many pairs are looked at together.
const PAIRS: usize = 16 * 1024;

/// Source rows.
pub(super) struct Chunk {
    batches: Vec<RecordBatch>,
    /// The number of the first row of each batch.
    starts: Vec<usize>,
    index: KeyIndex,
    matched: Vec<bool>,
    _memory: Vec<Reservation>,
}

/// Pairs of a target row of a batch and a source row of a chunk, in ascending order.
pub(super) struct Pairs {
    pub target: Vec<u32>,
    pub source: Vec<u32>,
}

/// Which columns of joint rows are wanted.
#[derive(Debug, Default)]
pub(super) struct Joint {
    pub target: Vec<String>,
    pub source: Vec<String>,
}

impl Joint {
    /// Of all `names`, those that `source` knows are the source's.
    pub fn new(names: &BTreeSet<String>, is_source: impl Fn(&str) -> bool) -> Joint {
        let (source, target) = names.iter().cloned().partition(|name| is_source(name));
        Joint { target, source }
    }
    /// Joint rows of rows that stand side by side.
    pub fn of(&self, target: &RecordBatch, source: &RecordBatch) -> Result<RecordBatch> {
        let columns = self.target.iter().map(|name| (target, name)).chain(self.source.iter().map(|name| (source, name)));
        let (mut fields, mut arrays) = (Vec::new(), Vec::new());
        for (rows, name) in columns {
            let array = rows.column_by_name(name).ok_or_else(|| lost(name))?;
            fields.push(Field::new(name, array.data_type().clone(), true));
            arrays.push(Arc::clone(array));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(target.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)?)
    }
}

impl Chunk {
    pub fn new(rows: Vec<(RecordBatch, Keys)>, memory: Vec<Reservation>) -> Result<Chunk> {
        let (batches, keys): (Vec<RecordBatch>, Vec<Keys>) = rows.into_iter().unzip();
        let index = KeyIndex::new(&keys)?;
        let mut starts = Vec::with_capacity(batches.len());
        let mut rows = 0;
        for batch in &batches {
            starts.push(rows);
            rows += batch.num_rows();
        }
        Ok(Chunk { batches, starts, index, matched: vec![false; rows], _memory: memory })
    }
    /// Joint rows of these pairs.
    pub fn joint(&self, columns: &Joint, target: &RecordBatch, pairs: &Pairs) -> Result<RecordBatch> {
        let mut fields = Vec::with_capacity(columns.target.len() + columns.source.len());
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(fields.capacity());
        let rows = UInt32Array::from(pairs.target.clone());
        for name in &columns.target {
            let array = target.column_by_name(name).ok_or_else(|| lost(name))?;
            let array = take(array, &rows, None)?;
            fields.push(Field::new(name, array.data_type().clone(), true));
            arrays.push(array);
        }
        self.gather(&columns.source, &pairs.source, &mut fields, &mut arrays)?;
        let options = RecordBatchOptions::new().with_row_count(Some(pairs.source.len()));
        Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)?)
    }
    fn gather(&self, names: &[String], rows: &[u32], fields: &mut Vec<Field>, arrays: &mut Vec<ArrayRef>) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        let places: Vec<(usize, usize)> = rows
            .iter()
            .map(|row| {
                let batch = self.starts.partition_point(|start| *start <= *row as usize) - 1;
                (batch, *row as usize - self.starts[batch])
            })
            .collect();
        for name in names {
            let parts = self.batches.iter().map(|b| b.column_by_name(name).map(AsRef::as_ref).ok_or_else(|| lost(name)));
            let parts: Vec<&dyn Array> = parts.collect::<Result<_>>()?;
            let field = self.batches.first().and_then(|b| b.schema_ref().field_with_name(name).ok().cloned()).ok_or_else(|| lost(name))?;
            arrays.push(interleave(&parts, &places)?);
            fields.push(field);
        }
        Ok(())
    }
    /// The next pairs of which `on` is TRUE, with their source rows marked; `None` at the end, perhaps none before it.
    pub fn next_pairs(
        &mut self,
        on: &BoundExpr,
        reads: &Joint,
        target: &RecordBatch,
        keys: &Keys,
        progress: &mut Progress,
    ) -> Result<Option<Pairs>> {
        let (probing, found) = self.index.candidates(keys, progress, PAIRS);
        if probing.is_empty() {
            return Ok(None);
        }
        let mut pairs = Pairs { target: probing, source: found };
        let holds = on.matches(&self.joint(reads, target, &pairs)?)?;
        if holds.true_count() < holds.len() {
            let mut at = holds.values().iter();
            pairs.target.retain(|_| at.next().unwrap_or(false));
            let mut at = holds.values().iter();
            pairs.source.retain(|_| at.next().unwrap_or(false));
        }
        for row in &pairs.source {
            self.matched[*row as usize] = true;
        }
        Ok(Some(pairs))
    }
    /// The rows that have matched nothing.
    pub fn unmatched(&self) -> impl Iterator<Item = Result<RecordBatch>> {
        self.batches.iter().zip(&self.starts).filter_map(|(batch, start)| {
            let matched = &self.matched[*start..start + batch.num_rows()];
            let rows: Vec<u32> = (0..batch.num_rows()).filter(|row| !matched[*row]).map(|row| row as u32).collect();
            match rows.len() {
                0 => None,
                all if all == batch.num_rows() => Some(Ok(batch.clone())),
                _ => Some(arrow::compute::take_record_batch(batch, &UInt32Array::from(rows)).map_err(Into::into)),
            }
        })
    }
}

pub(super) fn lost(name: &str) -> Error {
    Error::new(Code::INTERNAL, "a column of the merge was not read").with("column", name)
}
