//! One file -> batches of the rows asked for. Kind: edge. Spec: DAT, DV.
//!
//! Deleted rows and rows of pages that cannot match are not decoded; the filter is applied again to what is left.

use super::hidden;
use super::row_groups::FilePruner;
use super::source::{Source, from_parquet};
use super::task::FileTask;
use crate::data::batching;
use crate::data::columns::{FilePlan, Wanted, schema_of};
use crate::data::vector;
use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::expr::{BoundExpr, Pruner};
use crate::features::HiddenColumn;
use crate::log::VectorDescriptor;
use crate::schema::Scalar;
use crate::storage::TableRoot;
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Schema, SchemaRef};
use futures::{Stream, StreamExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection};
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet::file::metadata::RowGroupMetaData;
use roaring::RoaringTreemap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Batches of a file that exist at once: as they are decoded, as rows of the table, ready, and taken.
const BATCHES_HELD: u64 = 4;

/// What is read of every file of a scan.
#[derive(Debug)]
pub(super) struct Reading {
    pub root: TableRoot,
    pub env: Env,
    /// The columns asked for, then those that only the filter reads, then those in which moved rows carry their ids.
    pub wanted: Vec<Wanted>,
    /// How many of them are asked for.
    pub shown: usize,
    /// Columns that follow them.
    pub hidden: Vec<HiddenColumn>,
    pub schema: SchemaRef,
    pub filter: Option<BoundExpr>,
    pub pruner: Option<Pruner>,
    /// Partition values alone decide the filter.
    pub by_partition: bool,
    pub limit: Option<u64>,
    /// Files of at most so many bytes are fetched whole.
    pub whole: u64,
    /// Files must have as many rows as the log says.
    pub counted: bool,
    pub bytes_read: Arc<AtomicU64>,
}

/// Which rows of a file are read, by their positions in it.
#[derive(Clone, Debug, Default)]
pub(crate) enum Rows {
    #[default]
    All,
    Only(Arc<RoaringTreemap>),
    Except(Arc<RoaringTreemap>),
}

/// Of how many rows one must be wanted for the page index to be worth a request.
const WORTH_PAGE_INDEX: u64 = 1_000;

/// A file that is ready to be decoded.
pub(super) struct Opened {
    reading: Arc<Reading>,
    /// Which file it is: what hidden columns say.
    task: FileTask,
    plan: FilePlan,
    source: Source,
    groups: Vec<usize>,
    selection: Option<RowSelection>,
    batch_rows: usize,
    /// An estimate of what decoding holds at once.
    pub bytes: u64,
}

impl Reading {
    /// The same rows without their columns: only what the filter reads is decoded. (DAT-14)
    pub(super) fn without_columns(&self) -> Reading {
        let read = self.filter.as_ref().map(|filter| filter.columns()).unwrap_or_default();
        Reading {
            root: self.root.clone(),
            env: self.env.clone(),
            wanted: self.wanted.iter().filter(|wanted| read.contains(&wanted.logical)).cloned().collect(),
            shown: 0,
            hidden: Vec::new(),
            schema: Arc::new(Schema::empty()),
            filter: self.filter.clone(),
            pruner: self.pruner.clone(),
            by_partition: self.by_partition,
            limit: self.limit,
            whole: self.whole,
            counted: self.counted,
            bytes_read: Arc::clone(&self.bytes_read),
        }
    }

    /// The value of a partition column in this file, as an array of one row.
    fn constant(&self, task: &FileTask, column: &Wanted) -> Result<ArrayRef> {
        let text = task.partition_values.get(column.physical()).and_then(|value| value.as_deref());
        let value = Scalar::from_partition_text(text, &column.data_type);
        value.and_then(|v| v.to_array(&column.data_type, 1)).map_err(|e| e.with("column", &column.logical))
    }

    /// Whether the file's partition values let rows through. True when they do not decide.
    pub fn admits(&self, task: &FileTask) -> Result<bool> {
        let Some(filter) = self.filter.as_ref().filter(|_| self.by_partition) else { return Ok(true) };
        let partition: Vec<Wanted> = self.wanted.iter().filter(|w| w.partition).cloned().collect();
        let values = partition.iter().map(|w| self.constant(task, w)).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(1));
        let row = RecordBatch::try_new_with_options(schema_of(&partition), values, &options)?;
        Ok(filter.matches(&row)?.value(0))
    }

    /// How many rows the file has, from its footer.
    pub async fn physical_rows(&self, task: &FileTask) -> Result<u64> {
        let named = |e: Error| e.with("path", &task.path);
        let source = Source::open(&self.root, &task.path, task.size, 0, Arc::clone(&self.bytes_read)).await.map_err(named)?;
        Ok(source.metadata().row_groups().iter().map(|g| g.num_rows() as u64).sum())
    }

    /// Whether the file stores a column in a type from which the table's was widened, from its footer.
    pub async fn holds_narrower_types(&self, task: &FileTask) -> Result<bool> {
        let named = |e: Error| e.with("path", &task.path);
        let source = Source::open(&self.root, &task.path, task.size, 0, Arc::clone(&self.bytes_read)).await.map_err(named)?;
        let plan = FilePlan::new(&self.wanted, source.metadata().file_metadata(), &|column| self.constant(task, column));
        Ok(plan.map_err(named)?.widens)
    }

    /// Opens a file and decides what of it is decoded. `None` when nothing is.
    pub async fn open(self: Arc<Self>, task: FileTask, rows: Rows) -> Result<Option<Opened>> {
        let path = task.path.clone();
        self.open_unnamed(task, rows).await.map_err(|e| e.with("path", path))
    }

    async fn open_unnamed(self: Arc<Self>, task: FileTask, rows: Rows) -> Result<Option<Opened>> {
        if !self.admits(&task)? {
            return Ok(None);
        }
        let open = Source::open(&self.root, &task.path, task.size, self.whole, Arc::clone(&self.bytes_read));
        let load = async |descriptor: &Option<VectorDescriptor>| match descriptor {
            Some(descriptor) => vector::load(&self.root, descriptor).await.map(Some),
            None => Ok(None),
        };
        let (mut source, deleted, only) = futures::try_join!(open, load(&task.vector), load(&task.only))?;
        let metadata = Arc::clone(source.metadata());
        let plan = FilePlan::new(&self.wanted, metadata.file_metadata(), &|column| self.constant(&task, column))?;

        let row_counts: Vec<u64> = metadata.row_groups().iter().map(|g| g.num_rows() as u64).collect();
        let total: u64 = row_counts.iter().sum();
        if let Some(records) = task.num_records.filter(|records| self.counted && *records != total) {
            return Err(Error::new(Code::LOG_STATE, "a file has another number of rows than the log says")
                .with("rows", total)
                .with("log", records)
                .help("`doctor` finds such files, and `doctor --repair` counts them again"));
        }
        let marked = [&deleted, &only].into_iter().flatten().filter_map(|rows| rows.max()).max();
        if let Some(last) = marked.filter(|last| *last >= total) {
            return Err(Error::new(Code::DV, format!("a deletion vector names row {last} of a file that has {total}")));
        }
        let deleted = match &rows {
            Rows::Except(more) => Some(deleted.map_or_else(|| more.as_ref().clone(), |rows| rows | more.as_ref())),
            _ => deleted,
        };
        let pruner = self.pruner.as_ref().and_then(|p| FilePruner::new(p, &self.wanted, &metadata));
        let mut groups: Vec<usize> = (0..row_counts.len()).filter(|g| row_counts[*g] > 0).collect();
        let mut selection = None;
        if let Rows::Only(chosen) = &rows {
            if let Some(last) = chosen.max().filter(|last| *last >= total) {
                return Err(Error::new(Code::INTERNAL, format!("row {last} is wanted of a file that has {total}")));
            }
            groups = vector::groups_with(chosen, &row_counts);
            if chosen.len() < total / WORTH_PAGE_INDEX {
                source.load_page_index().await?;
            }
        }
        if let Some(pruner) = &pruner {
            let kept = pruner.row_groups(&metadata)?;
            groups.retain(|g| kept.contains(g));
            let ranges = pruner.filter_ranges(&metadata, &groups);
            if !ranges.is_empty() {
                let filters = source.bloom_filters(ranges).await?;
                groups = pruner.look_up(&metadata, &groups, filters)?;
            }
            if !groups.is_empty() {
                source.load_page_index().await?;
                selection = pruner.pages(source.metadata(), &groups)?;
            }
        }
        let live = match (only, deleted) {
            (Some(only), deleted) => Some(vector::marked_rows(&(only - deleted.unwrap_or_default()), &row_counts, &groups)),
            (None, deleted) => deleted.and_then(|rows| vector::live_rows(&rows, &row_counts, &groups)),
        };
        let chosen = match &rows {
            Rows::Only(chosen) => Some(vector::marked_rows(chosen, &row_counts, &groups)),
            _ => None,
        };
        let selection = [selection, live, chosen].into_iter().flatten().reduce(|a, b| a.intersection(&b));
        if groups.is_empty() || selection.as_ref().is_some_and(|s| !s.selects_any()) {
            return Ok(None);
        }
        let (batch_rows, bytes) = held(&source, &plan, &groups);
        let bytes = bytes.saturating_add(source.held());
        Ok(Some(Opened { reading: self, task, plan, source, groups, selection, batch_rows, bytes }))
    }
}

/// Physical rows less deleted ones.
pub(super) fn alive(rows: u64, task: &FileTask) -> Result<u64> {
    let deleted = task.vector.as_ref().map_or(0, |v| v.cardinality);
    u64::try_from(deleted).ok().and_then(|deleted| rows.checked_sub(deleted)).ok_or_else(|| {
        Error::new(Code::DV, format!("a deletion vector says that {deleted} rows of a file are deleted, which has {rows}"))
            .with("path", &task.path)
    })
}

/// Rows of a batch, and what decoding holds: the compressed columns of the largest row group, and a few batches.
fn held(source: &Source, plan: &FilePlan, groups: &[usize]) -> (usize, u64) {
    let groups = || groups.iter().map(|group| source.metadata().row_group(*group));
    let row_bytes = batching::row_bytes(groups(), &plan.leaves);
    let batch_rows = batching::rows(row_bytes);
    let of_group = |group: &RowGroupMetaData| {
        let columns = plan.leaves.iter().filter_map(|leaf| group.columns().get(*leaf));
        let stored = columns.map(|c| c.compressed_size().max(0) as u64).fold(0, u64::saturating_add);
        let rows = (batch_rows as u64 * BATCHES_HELD).min(group.num_rows().max(0) as u64 * BATCHES_HELD);
        stored.saturating_add(rows.saturating_mul(row_bytes.saturating_add(8)))
    };
    (batch_rows, groups().map(of_group).max().unwrap_or(0))
}

impl Opened {
    /// The rows. Nothing is read before the first is asked for.
    pub fn batches(self) -> Result<impl Stream<Item = Result<RecordBatch>> + Send> {
        let Opened { reading, task, plan, source, groups, selection, batch_rows, .. } = self;
        let options = ArrowReaderOptions::new().with_schema(Arc::clone(&plan.hinted));
        let options = options.with_virtual_columns(hidden::decoded(&reading.hidden)).map_err(from_parquet)?;
        let metadata = Arc::clone(source.metadata());
        let mask = ProjectionMask::leaves(metadata.file_metadata().schema_descr(), plan.leaves.iter().copied());
        let metadata = ArrowReaderMetadata::try_new(metadata, options).map_err(from_parquet)?;
        let mut builder = ParquetRecordBatchStreamBuilder::new_with_metadata(source, metadata)
            .with_projection(mask)
            .with_row_groups(groups)
            .with_batch_size(batch_rows);
        if let Some(selection) = selection {
            builder = builder.with_row_selection(selection);
        }
        if let Some(limit) = reading.limit.filter(|_| reading.filter.is_none() || reading.by_partition) {
            builder = builder.with_limit(usize::try_from(limit).unwrap_or(usize::MAX));
        }
        let decoded = builder.build().map_err(from_parquet)?;
        Ok(decoded.map(move |batch| reading.finish(&plan, &task, &batch.map_err(from_parquet)?)))
    }
}

impl Reading {
    /// Table columns and hidden ones, matching rows, shown columns.
    fn finish(&self, plan: &FilePlan, task: &FileTask, decoded: &RecordBatch) -> Result<RecordBatch> {
        let batch = plan.apply(decoded)?;
        let positions = decoded.columns().last().filter(|_| !self.hidden.is_empty());
        let hidden = hidden::arrays(&self.hidden, task, positions, &batch)?;
        let columns = batch.columns()[..self.shown].iter().cloned().chain(hidden).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let shown = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        match self.filter.as_ref().filter(|_| !self.by_partition) {
            Some(filter) => Ok(filter_record_batch(&shown, &filter.matches(&batch)?)?),
            None => Ok(shown),
        }
    }
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
