//! Writing rows: batches in, `Add`s out. Kind: edge. Spec: DAT, STA.
//!
//! Invariant: no file is part of the table before a commit names it; a writer that fails deletes what it had finished, and one that is
//! dropped leaves none in view that it had not finished.

mod changes;
mod checks;
mod file;
mod fills;
mod moved;
mod open;
mod options;
mod order;
mod partition;
mod rule;
mod schema;
mod shred;
mod stages;
mod stats;
mod stats_text;
mod upload;

pub(crate) use changes::ChangeKind;
pub use options::WriteOptions;
pub(crate) use partition::{directory as partition_folder, log_path};
pub(crate) use rule::RowRule;
pub(crate) use stats::footer_stats;

use crate::env::Reservation;
use crate::error::{Code, Error, Result};
use crate::features::{Numbers, TableState, WritePlan};
use crate::log::seen::hash;
use crate::log::{Add, NullableMap};
use crate::schema::{Field, Struct};
use crate::storage::failure;
use crate::table::Table;
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::take;
use arrow::datatypes::{Field as ArrowField, SchemaRef};
use arrow::row::OwnedRow;
use checks::Checks;
use file::{DataFile, FilePlan};
use fills::Fills;
use futures::stream::{self, BoxStream, StreamExt};
use moved::Moved;
use object_store::ObjectStoreExt;
use open::Open;
use options::Encoding;
use order::by_partition;
use partition::Splitter;
use stages::Conform;
use stats::StatsPlan;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use tokio::sync::Semaphore;
pub(crate) use upload::Upload;

/// The size of files when neither the caller nor the table names one.
const FILE_BYTES: u64 = 128 << 20;
/// What a writer asks of the memory budget, and the least it gets along with.
const MEMORY_WANTED: u64 = 192 << 20;
const MEMORY_LEAST: u64 = 8 << 20;

/// Writes batches into partitioned, rolling Parquet files with statistics. Memory: what open files hold (rows that wait, row groups,
/// bytes on their way to the store), bounded by a share of `Env::memory`; a file up to 8 MiB costs one request.
pub struct DataWriter {
    table: Table,
    state: Arc<TableState>,
    layout: Layout,
    options: WriteOptions,
    file_bytes: u64,
    fills: Fills,
    conform: Option<Conform>,
    open: BTreeMap<FileKey, Open>,
    done: Vec<Add>,
    rows: u64,
    files: u64,
    /// Which batch it is, to find the partition that was written least recently.
    turn: u64,
    /// Hashes of the partitions whose file was closed because too many were open, and whether one of them came again.
    pushed_out: HashSet<u64>,
    crowded: bool,
    job: uuid::Uuid,
    threads: Arc<Semaphore>,
    memory: Option<Reservation>,
}

/// Which open file rows go to: whether it says who its rows are, and the partition; that of an unpartitioned table is `None`.
type FileKey = (bool, Option<OwnedRow>);

fn hash_of(key: &FileKey) -> u64 {
    hash(u64::from(key.0), key.1.as_ref().map_or(&[], |partition| partition.as_ref()))
}

/// Deletes files that no commit names. What cannot be deleted is left to vacuum.
pub(crate) async fn discard(table: &Table, adds: &[Add]) {
    discard_paths(table, adds.iter().map(|add| add.path.as_str())).await;
}

/// `discard` for the paths of any files that were written.
pub(crate) async fn discard_paths(table: &Table, paths: impl Iterator<Item = &str>) {
    for path in paths {
        let deleted = match table.root().resolve(path) {
            Ok((store, key)) => store.delete(&key).await.map_err(|e| failure(e, "deleting", key.as_ref()).to_string()),
            Err(e) => Err(e.to_string()),
        };
        if let Err(error) = deleted {
            tracing::warn!(%path, %error, "a data file that no commit names could not be deleted");
        }
    }
}

/// Where rows come from: a user, or this table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowOrigin {
    New,
    Table,
}

/// How the columns of a table are spread over folders and files.
struct Layout {
    /// Stored columns in table order, partition columns included, as the writer prepares them.
    stored: Vec<ArrowField>,
    /// Which of them are partition columns (in partition order) and which go into files.
    partition: Vec<usize>,
    in_files: Vec<usize>,
    checks: Checks,
    /// The partition columns under their physical names.
    partition_fields: Vec<Field>,
    splitter: Option<Splitter>,
    /// The length of random folder names, when files do not lie in folders of their partition.
    random_folder: Option<usize>,
    extension: String,
    /// Where all files lie, and how their names begin.
    folder: &'static str,
    prefix: &'static str,
    plan: FilePlan,
    /// What files of rows that were here before hold besides.
    moved: Moved,
}

impl Layout {
    fn new(state: &TableState, stages: &WritePlan) -> Result<Layout> {
        let (logical, physical) = (state.schema(), state.physical_schema());
        let stored = stages::file_fields(physical, &|field| stages.field_id.and_then(|id| id(field)))?;
        // Void columns are not stored: positions in the table and among stored columns differ.
        let positions: Vec<usize> =
            (0..logical.fields.len()).filter(|i| logical.fields[*i].data_type != crate::schema::DataType::Void).collect();
        let mut partition = Vec::new();
        for name in state.partition_columns() {
            let stored_at = logical.index_of(name).and_then(|i| positions.iter().position(|p| *p == i));
            partition.push(stored_at.ok_or_else(|| {
                Error::new(Code::SCHEMA, "a partition column is not in the table's schema, or can hold no value").with("column", name)
            })?);
        }
        let mut in_files: Vec<usize> = (0..stored.len()).filter(|i| !partition.contains(i)).collect();
        if in_files.is_empty() {
            return Err(Error::new(Code::SCHEMA, "no column is left to store in data files")
                .help("a table needs a column that is neither a partition column nor void"));
        }
        let of = |s: &Struct, at: &[usize]| Struct { fields: at.iter().map(|i| s.fields[positions[*i]].clone()).collect() };
        let stats =
            StatsPlan::new(&of(logical, &in_files), &of(physical, &in_files), &state.stats_columns()?, state.stats_string_prefix()?);
        if stages.partition_columns {
            in_files.extend(&partition);
        }
        let encoding = Encoding::from_properties(state.compression_codec()?.as_deref(), state.parquet_version()?.as_deref())?;
        let plan = FilePlan {
            schema: stages::schema_of(in_files.iter().map(|i| stored[*i].clone()).collect()),
            properties: encoding.writer_properties(),
            stats,
            shreds: stages.shreds_variants,
        };
        let types: Vec<_> = partition.iter().map(|i| stored[*i].data_type().clone()).collect();
        Ok(Layout {
            checks: Checks::new(&stages.checks, state)?,
            partition_fields: of(physical, &partition).fields,
            splitter: if types.is_empty() { None } else { Some(Splitter::new(types)?) },
            moved: Moved::new(stages.moved.clone(), &plan),
            plan,
            random_folder: if stages.random_folders { Some(state.random_prefix_length()?) } else { None },
            extension: format!("{}.parquet", encoding.name_part()),
            folder: "",
            prefix: "part",
            stored,
            partition,
            in_files,
        })
    }
}

impl DataWriter {
    /// A writer for tables of this state. `LB-FEATURE-WRITE` when a stage is not built, `LB-PROPERTY` for a property of files that
    /// means nothing, `LB-SCHEMA` when the table has nothing to store.
    pub fn new(table: &Table, state: Arc<TableState>, options: WriteOptions) -> Result<Self> {
        let file_bytes = options.target_file_size.or(state.target_file_size()?).unwrap_or(FILE_BYTES);
        let stages = state.write_plan()?;
        Ok(DataWriter {
            layout: Layout::new(&state, &stages)?,
            fills: Fills::new(stages.fills, &state, table.env().now())?,
            state,
            options,
            file_bytes,
            conform: None,
            open: BTreeMap::new(),
            done: Vec::new(),
            rows: 0,
            files: 0,
            turn: 0,
            pushed_out: HashSet::new(),
            crowded: false,
            job: table.env().new_uuid(),
            threads: Arc::new(Semaphore::new(table.env().threads())),
            memory: None,
            table: table.clone(),
        })
    }
    /// Rows taken so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }
    /// The numbers that this writer gives; what was given last must be recorded by the commit (`TableState::record_numbers`).
    pub(crate) fn numbers(&self) -> Numbers {
        self.fills.numbers.clone()
    }
    /// The same writer, drawing its numbers from where others of the same commit draw theirs.
    pub(crate) fn sharing(mut self, numbers: &Numbers) -> Self {
        self.fills.numbers = numbers.clone();
        self
    }
    /// Takes a batch of new rows, whose columns match the table's by name; values are cast when nothing is lost, and columns that the
    /// table can make may be missing. `LB-SCHEMA` names the column that does not fit, `LB-CONSTRAINT` the rule that refused a row,
    /// `LB-STORE-NOCAS` and `LB-STORE-LOCK` the store before the first file. After an error the writer is of no use: `abort` it.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        self.write_from(batch, RowOrigin::New).await.map(|_| ())
    }
    /// Takes all of these batches of new rows and shows each, as it was written, to `seen`. Rows are sorted by partition when the table
    /// asks for optimized writes, else as soon as more files would have to be open than may be: when rows come for a partition whose file
    /// was closed for others. After an error what was written is taken back.
    pub(crate) async fn write_all(
        mut self,
        schema: &SchemaRef,
        batches: BoxStream<'static, Result<RecordBatch>>,
        seen: impl FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<Self> {
        match self.write_each(schema, batches, seen).await {
            Ok(()) => Ok(self),
            Err(e) => {
                self.abort().await;
                Err(e)
            }
        }
    }
    async fn write_each(
        &mut self,
        schema: &SchemaRef,
        mut batches: BoxStream<'static, Result<RecordBatch>>,
        mut seen: impl FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let (mut wanted, mut sorted) = (self.state.optimizes_writes()?, false);
        loop {
            if wanted && !sorted {
                self.cut().await?;
                batches = by_partition(self.table.env(), &self.state, schema, batches)?;
                sorted = true;
            }
            let Some(batch) = batches.next().await else { return Ok(()) };
            seen(&self.write_from(batch?, RowOrigin::New).await?)?;
            wanted |= self.crowded;
        }
    }
    /// `write` of rows from anywhere; gives them as they were written, with the columns that were made. Rows that were read from the
    /// table get no defaults and no numbers; a computed column that they lack is computed. They bring along who they are, if they are
    /// to stay that.
    pub(crate) async fn write_from(&mut self, batch: RecordBatch, origin: RowOrigin) -> Result<RecordBatch> {
        let (batch, moved) = match origin {
            RowOrigin::New => (batch, None),
            RowOrigin::Table => self.layout.moved.take(batch)?,
        };
        let (batch, made) = self.fills.complete(batch, origin, self.rows)?;
        if !self.conform.as_ref().is_some_and(|c| c.fits(batch.schema_ref())) {
            self.conform = Some(Conform::new(batch.schema(), self.state.schema())?);
        }
        if batch.num_rows() == 0 {
            return Ok(batch);
        }
        let Some(conform) = &self.conform else { return Ok(batch) };
        let columns = self.layout.prepare(conform, &batch, &made, &self.state, self.rows)?;
        self.rows += batch.num_rows() as u64;
        for part in self.layout.split(columns, moved, batch.num_rows())? {
            self.write_part(part).await?;
        }
        self.keep_within_memory().await?;
        Ok(batch)
    }
    /// Closes all files that are open: what comes next goes into others.
    pub(crate) async fn cut(&mut self) -> Result<()> {
        let open: Vec<FileKey> = self.open.keys().cloned().collect();
        for key in open {
            self.close(key).await?;
        }
        Ok(())
    }
    /// Closes and syncs all files. Nothing is part of the table before a commit names it.
    pub async fn finish(mut self) -> Result<Vec<Add>> {
        let (layout, threads) = (&self.layout, self.table.env().threads());
        let closing = std::mem::take(&mut self.open).into_values().map(|open| open.finish(&layout.plan));
        let mut closing = stream::iter(closing).buffer_unordered(threads);
        let mut failure = None;
        while let Some(add) = closing.next().await {
            match add {
                Ok(add) => self.done.push(add),
                Err(e) => failure = failure.or(Some(e)),
            }
        }
        drop(closing);
        self.done.sort_by(|a, b| a.path.cmp(&b.path));
        if let Some(e) = failure {
            discard(&self.table, &self.done).await;
            return Err(e);
        }
        Ok(self.done)
    }
    /// Gives up: unfinished uploads are taken back, finished files deleted.
    pub async fn abort(self) {
        for open in self.open.into_values() {
            open.abort().await;
        }
        discard(&self.table, &self.done).await;
    }
    async fn write_part(&mut self, mut part: Part) -> Result<()> {
        self.turn += 1;
        let with_ids = (true, part.key.1.clone());
        if !part.key.0 && self.open.contains_key(&with_ids) {
            part = Part { key: with_ids, batch: self.layout.moved.widen(part.batch)?, ..part };
        }
        if !self.open.contains_key(&part.key) {
            if self.open.len() >= self.options.open_files_max.max(1) {
                let oldest = self.open.iter().min_by_key(|(_, o)| o.used).map(|(key, _)| key.clone());
                if let Some(oldest) = oldest {
                    self.pushed_out.insert(hash_of(&oldest));
                    self.close(oldest).await?;
                }
            }
            self.crowded |= self.pushed_out.contains(&hash_of(&part.key));
            self.table.root().check_writable().await?;
            let file = self.start(part.key.0, part.values);
            self.open.insert(part.key.clone(), Open::new(file, self.file_bytes));
        }
        let Some(open) = self.open.get_mut(&part.key) else { return Ok(()) };
        open.used = self.turn;
        open.write(part.batch).await?;
        if open.size() >= self.file_bytes {
            self.close(part.key).await?;
        }
        Ok(())
    }
    fn start(&mut self, moved: bool, values: NullableMap) -> DataFile {
        let env = self.table.env();
        let folder = match self.layout.random_folder {
            Some(length) => partition::random_directory(env, length),
            None => partition::directory(&self.layout.partition_fields, &values),
        };
        let (top, prefix) = (self.layout.folder, self.layout.prefix);
        let name = format!("{top}{folder}{prefix}-{:05}-{}.c000{}", self.files, self.job, self.layout.extension);
        self.files += 1;
        let root = self.table.root();
        let upload = Upload::new(Arc::clone(root.store()), root.key(&name), env.clone());
        let schema = if moved { &self.layout.moved.schema } else { &self.layout.plan.schema };
        DataFile::start(&self.layout.plan, schema, partition::log_path(&name), values, upload, env.clone(), Arc::clone(&self.threads))
    }
    async fn close(&mut self, key: FileKey) -> Result<()> {
        if let Some(open) = self.open.remove(&key) {
            self.done.push(open.finish(&self.layout.plan).await?);
        }
        Ok(())
    }
    /// Until open files hold no more than the writer's share: ends the row group of the fullest one, or closes it.
    async fn keep_within_memory(&mut self) -> Result<()> {
        let share = self.share();
        let mut held: u64 = self.open.values().map(Open::held).sum();
        while held > share {
            let Some((key, fullest)) = self.open.iter_mut().max_by_key(|(_, o)| o.held()) else { break };
            let before = fullest.held();
            if fullest.shrink().await? {
                held = (held + fullest.held()).saturating_sub(before);
            } else {
                let key = key.clone();
                self.close(key).await?;
                held = held.saturating_sub(before);
            }
        }
        Ok(())
    }
    /// How much open files may hold.
    fn share(&mut self) -> u64 {
        if self.memory.is_none() && self.open.values().map(Open::held).sum::<u64>() > MEMORY_LEAST {
            // What is free now, never waiting: whoever feeds the rows may hold the rest and wait for this writer.
            let budget = self.table.env().memory();
            let mut wanted = MEMORY_WANTED.min(budget.limit() / 2);
            while self.memory.is_none() && wanted > MEMORY_LEAST {
                self.memory = budget.try_reserve(wanted);
                wanted /= 2;
            }
        }
        self.memory.as_ref().map_or(MEMORY_LEAST, Reservation::bytes).max(MEMORY_LEAST)
    }
}

/// The rows of one partition.
struct Part {
    key: FileKey,
    values: NullableMap,
    batch: RecordBatch,
}

impl Layout {
    /// The stored columns of a batch whose columns `made` come from the writer, checked; partition columns with empty text as null.
    fn prepare(
        &self,
        conform: &Conform,
        batch: &RecordBatch,
        made: &[String],
        state: &TableState,
        first_row: u64,
    ) -> Result<Vec<ArrayRef>> {
        let columns = conform.apply(batch, state.schema(), &self.stored, &self.partition, first_row)?;
        self.checks.check(conform, batch, made, state, &self.partition, first_row)?;
        Ok(columns)
    }
    /// The rows by partition; `moved` are the columns that say who they are.
    fn split(&mut self, columns: Vec<ArrayRef>, moved: Option<Vec<ArrayRef>>, rows: usize) -> Result<Vec<Part>> {
        let has_ids = moved.is_some();
        let in_files: Vec<ArrayRef> = self.in_files.iter().map(|i| columns[*i].clone()).chain(moved.into_iter().flatten()).collect();
        let schema = if has_ids { &self.moved.schema } else { &self.plan.schema };
        let batch =
            |columns| RecordBatch::try_new_with_options(schema.clone(), columns, &RecordBatchOptions::new().with_row_count(Some(rows)));
        let Some(splitter) = &mut self.splitter else {
            return Ok(vec![Part { key: (has_ids, None), values: NullableMap::new(), batch: batch(in_files)? }]);
        };
        let keys: Vec<ArrayRef> = self.partition.iter().map(|i| columns[*i].clone()).collect();
        let mut parts = Vec::new();
        for share in splitter.split(&keys)? {
            let values = partition::values(&self.partition_fields, &keys, share.sample)?;
            let batch = match &share.rows {
                None => batch(in_files.clone())?,
                Some(rows) => {
                    let columns = in_files.iter().map(|c| take(c, rows, None)).collect::<Result<Vec<_>, _>>()?;
                    RecordBatch::try_new(schema.clone(), columns)?
                }
            };
            parts.push(Part { key: (has_ids, Some(share.key)), values, batch });
        }
        Ok(parts)
    }
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
