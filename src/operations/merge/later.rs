//! New versions that need the rest of their row: what is known of them waits, sorted by place, until whole rows are read. Kind: edge.
//! Spec: MRG, EXE.

use super::chunk::lost;
use crate::env::{Env, Task};
use crate::error::{Code, Error, Result};
use crate::exec::{Runtime, sorted};
use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, UInt32Type};
use futures::{StreamExt, stream};
use std::sync::Arc;
use tokio::sync::mpsc::{Receiver, Sender, channel};

const FILE: &str = "\u{1}file";
const POSITION: &str = "\u{1}position";
const CLAUSE: &str = "\u{1}clause";
/// How many rows of one file are fetched together.
const ROWS: usize = 64 * 1024;
/// Batches on their way to the sort and from it.
const AHEAD: usize = 2;

/// Rows that wait.
pub(super) struct Later {
    schema: SchemaRef,
    rows: Sender<RecordBatch>,
    sorted: Receiver<Result<RecordBatch>>,
    task: Task<()>,
}

/// Rows of one file, ascending by position.
pub(super) struct Run {
    pub file: u32,
    pub positions: Int64Array,
    /// Which update each gets.
    pub clauses: UInt32Array,
    /// Source columns.
    pub source: RecordBatch,
}

impl Later {
    /// `source` are the fields of the source columns that updates read.
    pub fn start(env: &Env, source: &[Field]) -> Result<Later> {
        let mut fields = vec![
            Field::new(FILE, DataType::UInt32, false),
            Field::new(POSITION, DataType::Int64, false),
            Field::new(CLAUSE, DataType::UInt32, false),
        ];
        fields.extend(source.iter().cloned());
        let schema = Arc::new(Schema::new(fields));
        let (rows, waiting) = channel(AHEAD);
        let (give, sorted_rows) = channel(AHEAD);
        let input =
            stream::unfold(waiting, |mut waiting: Receiver<RecordBatch>| async move { waiting.recv().await.map(|b| (Ok(b), waiting)) });
        let mut output = sorted(env, &Runtime::new(env)?, &schema, input.boxed(), &[FILE, POSITION])?;
        let task = env.spawn(async move {
            while let Some(batch) = output.next().await {
                if give.send(batch).await.is_err() {
                    return;
                }
            }
        });
        Ok(Later { schema, rows, sorted: sorted_rows, task })
    }
    /// Rows that wait for the update `clause`; `source` gives their source columns, none stands for nulls.
    pub async fn push(&mut self, places: &[(u32, u64)], clause: u32, source: Option<&RecordBatch>) -> Result<()> {
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from_iter_values(places.iter().map(|p| p.0))),
            Arc::new(Int64Array::from_iter_values(places.iter().map(|p| p.1 as i64))),
            Arc::new(UInt32Array::from_value(clause, places.len())),
        ];
        for field in self.schema.fields().iter().skip(columns.len()) {
            columns.push(match source {
                Some(rows) => rows.column_by_name(field.name()).cloned().ok_or_else(|| lost(field.name()))?,
                None => arrow::array::new_null_array(field.data_type(), places.len()),
            });
        }
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        if self.rows.send(batch).await.is_ok() {
            return Ok(());
        }
        // The sort has ended before its input: it says why.
        match self.sorted.recv().await {
            Some(Err(e)) => Err(e),
            _ => Err(Error::new(Code::INTERNAL, "a sort has ended early")),
        }
    }
    /// No more rows wait: those that do, file by file.
    pub fn finish(self) -> Runs {
        Runs { sorted: self.sorted, _task: self.task, next: None, ended: false }
    }
}

/// Sorted rows, cut into runs.
pub(super) struct Runs {
    sorted: Receiver<Result<RecordBatch>>,
    _task: Task<()>,
    next: Option<RecordBatch>,
    ended: bool,
}

impl Runs {
    /// The next rows, all of one file.
    pub async fn next(&mut self) -> Result<Option<Run>> {
        let mut parts: Vec<RecordBatch> = Vec::new();
        let mut rows = 0;
        let mut of: Option<u32> = None;
        while rows < ROWS {
            let Some(batch) = self.take().await? else { break };
            let files = column::<UInt32Type>(&batch, FILE)?;
            let file = *of.get_or_insert_with(|| files.value(0));
            let here = files.values().partition_point(|f| *f <= file).min(ROWS - rows);
            if here < batch.num_rows() {
                self.next = Some(batch.slice(here, batch.num_rows() - here));
            }
            if here > 0 {
                parts.push(batch.slice(0, here));
                rows += here;
            }
            if self.next.is_some() {
                break;
            }
        }
        let (Some(file), Some(first)) = (of, parts.first()) else { return Ok(None) };
        let source = concat_batches(first.schema_ref(), &parts)?;
        let (positions, clauses) = (column::<Int64Type>(&source, POSITION)?.clone(), column::<UInt32Type>(&source, CLAUSE)?.clone());
        Ok(Some(Run { file, positions, clauses, source }))
    }
    async fn take(&mut self) -> Result<Option<RecordBatch>> {
        if let Some(batch) = self.next.take() {
            return Ok(Some(batch));
        }
        while !self.ended {
            match self.sorted.recv().await.transpose()? {
                Some(batch) if batch.num_rows() > 0 => return Ok(Some(batch)),
                Some(_) => {}
                None => self.ended = true,
            }
        }
        Ok(None)
    }
}

fn column<'a, T: arrow::datatypes::ArrowPrimitiveType>(batch: &'a RecordBatch, name: &str) -> Result<&'a arrow::array::PrimitiveArray<T>> {
    batch.column_by_name(name).and_then(|c| c.as_primitive_opt::<T>()).ok_or_else(|| lost(name))
}
