//! Reading rows: a list of file tasks and a stream of batches. Kind: edge. Spec: DAT.

mod changes;
mod flow;
mod hidden;
mod read;
mod row_groups;
mod source;
mod task;

pub(crate) use changes::{ChangeScan, Changed};
pub use flow::ScanMetrics;
pub(crate) use read::Rows;
pub(crate) use source::footer;
pub use task::FileTask;

use crate::data::columns::{schema_of, wanted};
use crate::error::{Code, Error, Result};
use crate::expr::{BoundExpr, Expr, Pruner};
use crate::features::HiddenColumn;
use crate::log::Add;
use crate::snapshot::{FileBatch, FileQuery, Snapshot};
use arrow::array::RecordBatch;
use arrow::datatypes::{Fields, Schema as ArrowSchema, SchemaRef};
use flow::Flow;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use read::Reading;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What to read of a snapshot.
pub struct ScanBuilder {
    snapshot: Arc<Snapshot>,
    columns: Option<Vec<String>>,
    filter: Option<Expr>,
    limit: Option<u64>,
    hidden: Vec<HiddenColumn>,
    whole: u64,
    counted: bool,
}

impl Snapshot {
    /// Starts a scan of this version.
    pub fn scan(self: &Arc<Self>) -> ScanBuilder {
        ScanBuilder { snapshot: Arc::clone(self), columns: None, filter: None, limit: None, hidden: Vec::new(), whole: 0, counted: false }
    }
}

impl ScanBuilder {
    /// Only these columns, in this order.
    pub fn columns<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.columns = Some(names.into_iter().map(Into::into).collect());
        self
    }
    /// Only rows for which this is TRUE.
    pub fn filter(mut self, predicate: Expr) -> Self {
        self.filter = Some(predicate);
        self
    }
    /// At most this many rows.
    pub fn limit(mut self, rows: u64) -> Self {
        self.limit = Some(rows);
        self
    }
    /// These columns too, after those of the table.
    pub fn hidden(mut self, columns: impl IntoIterator<Item = HiddenColumn>) -> Self {
        self.hidden.extend(columns);
        self
    }
    /// Files of at most so many bytes are fetched whole, in one request each: for who reads all of them anyway.
    pub(crate) fn whole_files(mut self, bytes: u64) -> Self {
        self.whole = bytes;
        self
    }
    /// A file that has another number of rows than the log says is `LB-LOG-STATE`: for who decides about rows by their number.
    pub(crate) fn counted(mut self) -> Self {
        self.counted = true;
        self
    }
    /// Binds names and types. `LB-FEATURE-READ`, `LB-SCHEMA`, `LB-EXPR`.
    pub fn build(self) -> Result<Scan> {
        let state = self.snapshot.state();
        state.check_readable()?;
        let schema = state.schema();
        let filter = self.filter.map(|f| f.bind(schema)).transpose()?;
        let columns = |names: Option<&[String]>| {
            wanted(schema, state.physical_schema(), state.partition_columns(), &|field| state.field_id(field), names)
        };
        let mut wanted = columns(self.columns.as_deref())?;
        let shown = wanted.len();
        if let Some(filter) = &filter {
            let hidden: Vec<String> = filter.columns().iter().filter(|name| wanted.iter().all(|w| w.logical != **name)).cloned().collect();
            wanted.extend(columns(Some(&hidden))?);
        }
        wanted.extend(hidden::stored(&self.hidden, state)?);
        let by_partition = filter.as_ref().is_some_and(|f| f.reads_only(state.partition_columns()));
        let pruner = filter.as_ref().filter(|_| !by_partition).map(|f| Pruner::new(f, schema)).transpose()?;
        let table = self.snapshot.table();
        let reading = Reading {
            root: table.root().clone(),
            env: table.env().clone(),
            schema: with_hidden(schema_of(&wanted[..shown]), &self.hidden),
            hidden: self.hidden,
            wanted,
            shown,
            filter,
            pruner,
            by_partition,
            limit: self.limit,
            whole: self.whole,
            counted: self.counted,
            bytes_read: Arc::new(AtomicU64::new(0)),
        };
        Ok(Scan { snapshot: self.snapshot, flow: Flow::new(Arc::new(reading)) })
    }
}

/// A scan that is ready to run. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Scan {
    snapshot: Arc<Snapshot>,
    flow: Flow,
}

impl Scan {
    /// The Arrow schema of the batches. All columns are nullable, for data files may hold nulls whatever the table says.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.flow.reading().schema)
    }
    /// Files left after pruning; each task can be serialised and run elsewhere.
    pub fn tasks(&self) -> BoxStream<'static, Result<FileTask>> {
        self.tasks_of(FileQuery::default())
    }
    /// Files left after pruning, with as much of each as the query asks for.
    pub(crate) fn tasks_of(&self, query: FileQuery) -> BoxStream<'static, Result<FileTask>> {
        self.picked(query, |_, _| ()).map_ok(|(task, ())| task).boxed()
    }
    /// The same, each with its whole action: what an operation needs that replaces files.
    pub(crate) fn files(&self) -> BoxStream<'static, Result<(FileTask, Add)>> {
        self.picked(FileQuery::default().full(), FileBatch::add)
    }
    /// The tasks of the files that the filter admits, each with what `pick` takes of it.
    fn picked<T: Send + 'static>(&self, query: FileQuery, pick: fn(&FileBatch, usize) -> T) -> BoxStream<'static, Result<(FileTask, T)>> {
        let query = match &self.flow.reading().filter {
            Some(filter) => query.filter(BoundExpr::clone(filter)),
            None => query,
        };
        let query = if hidden::needs_ids(&self.flow.reading().hidden) { query.row_ids() } else { query };
        let state = Arc::clone(self.snapshot.state());
        let keys: Vec<String> = state.partition_columns().iter().filter_map(|name| state.physical_name(name)).map(str::to_owned).collect();
        let reading = Arc::clone(self.flow.reading());
        let tasks = self.snapshot.files(query).map_ok(move |batch| {
            let task = |row| FileTask::of(&batch, row, &keys).map(|task| (task, pick(&batch, row)));
            stream::iter((0..batch.len()).map(task).collect::<Vec<_>>())
        });
        tasks
            .try_flatten()
            .try_filter_map(move |(task, picked)| {
                let admitted = reading.admits(&task).map(|admitted| admitted.then_some((task, picked)));
                futures::future::ready(admitted)
            })
            .boxed()
    }
    /// The rows of one file. Errors name the file: `LB-FILE`, `LB-DV`, `LB-SCHEMA`. Memory: the compressed columns of one row group and a
    /// few batches, held in the budget.
    pub fn read(&self, task: FileTask) -> BoxStream<'static, Result<RecordBatch>> {
        self.read_rows(task, Rows::All)
    }
    /// Some rows of one file, as `read`. Those that its vector deletes are never among them.
    pub(crate) fn read_rows(&self, task: FileTask, rows: Rows) -> BoxStream<'static, Result<RecordBatch>> {
        self.flow.run(stream::iter([Ok((task, rows))]).boxed())
    }
    /// All rows of these files, one file after the other in this order, each batch with the place of its file. `ahead` files are opened
    /// before their turn. Memory: what these hold of small files (`whole_files`), and that of one file that is read.
    pub(crate) fn read_in_order(&self, tasks: Vec<FileTask>, ahead: usize) -> BoxStream<'static, Result<(usize, RecordBatch)>> {
        self.flow.run_in_order(tasks, ahead)
    }
    /// How many rows the file has, deleted ones included: from the log, else from its footer.
    pub(crate) async fn physical_rows(&self, task: &FileTask) -> Result<u64> {
        match task.num_records {
            Some(rows) => Ok(rows),
            None => self.flow.reading().physical_rows(task).await,
        }
    }
    /// The files that store a column in a type from which the table's was widened, in the log's order, each with its whole action and count
    /// of rows. One request a file, for its footer.
    pub(crate) fn files_of_narrower_types(&self) -> BoxStream<'static, Result<(Add, Option<u64>)>> {
        let reading = Arc::clone(self.flow.reading());
        let threads = reading.env.threads();
        let looked_at = self.picked(FileQuery::default().full(), FileBatch::add).map_ok(move |(task, add)| {
            let reading = Arc::clone(&reading);
            async move { Ok(reading.holds_narrower_types(&task).await?.then_some((add, task.num_records))) }
        });
        looked_at.try_buffered(threads).try_filter_map(futures::future::ok).boxed()
    }
    /// All rows, files in no promised order, at most `Env::threads` files in flight, within half of the memory budget.
    pub fn stream(self) -> BoxStream<'static, Result<RecordBatch>> {
        let tasks = self.tasks().map_ok(|task| (task, Rows::All));
        self.flow.run(tasks.boxed())
    }
    /// How many rows match, from statistics where they decide, else by reading.
    pub async fn count(self) -> Result<u64> {
        let limit = self.flow.reading().limit.unwrap_or(u64::MAX);
        let decided = self.flow.reading().filter.is_none() || self.flow.reading().by_partition;
        if !decided {
            let mut rows = 0u64;
            let mut batches = Scan { flow: self.flow.without_columns(), ..self }.stream();
            while let Some(batch) = batches.try_next().await? {
                rows += batch.num_rows() as u64;
            }
            return Ok(rows);
        }
        let reading = Arc::clone(self.flow.reading());
        let threads = reading.env.threads();
        let counts = self.tasks_of(FileQuery::default().records()).map_ok(move |task| {
            let reading = Arc::clone(&reading);
            async move {
                match task.num_records {
                    Some(rows) => read::alive(rows, &task),
                    None => read::alive(reading.physical_rows(&task).await?, &task),
                }
            }
        });
        let total = counts.try_buffer_unordered(threads).try_fold(0u64, |sum, rows| async move {
            sum.checked_add(rows).ok_or_else(|| Error::new(Code::LIMIT, "the table has more rows than 64 bits can count"))
        });
        Ok(total.await?.min(limit))
    }
    /// Whether rows of the files may be left out.
    pub(crate) fn is_filtered(&self) -> bool {
        self.flow.reading().filter.is_some()
    }
    /// What this scan has read so far.
    pub fn metrics(&self) -> ScanMetrics {
        let files = &self.flow.files_read;
        ScanMetrics { files_read: files.load(Ordering::Relaxed), bytes_read: self.flow.reading().bytes_read.load(Ordering::Relaxed) }
    }
}

fn with_hidden(schema: SchemaRef, hidden: &[HiddenColumn]) -> SchemaRef {
    let fields: Fields = schema.fields().iter().cloned().chain(hidden.iter().map(|c| hidden::field(*c))).collect();
    if hidden.is_empty() { schema } else { Arc::new(ArrowSchema::new(fields)) }
}
