//! Where rows that go and rows that come become files: shared by delete, update and merge. Kind: edge. Spec: ROW.
//!
//! An operation says, file by file, which positions go (`remove_rows`, `remove_file`) and hands over new versions of rows
//! (`update_rows`) and new rows (`insert_rows`), in any order and from many tasks at once. Here it is decided, per file, whether the rows
//! that go are marked in a vector or the others are copied (`cost`), and whether the feed needs change files. `finish` gives all actions
//! for the commit and proves that they add up. Memory: the positions of touched files as bitmaps (8 KiB for 65,536 rows at most), one file
//! of vectors, and the share of the budget that writers take.
//!
//! Invariant: a row that a vector has deleted is never read, so it never comes back.

mod cost;
mod effects;
mod writers;

pub(crate) use effects::{RowCounts, RowEffects};

use super::overwrite::remove_of;
use crate::data::scan::{FileTask, Rows, Scan};
use crate::data::vector::{VectorWriter, load};
use crate::data::write::{ChangeKind, RowOrigin, WriteOptions};
use crate::error::{Code, Error, Result};
use crate::features::{HiddenColumn, TableState};
use crate::log::Add;
use crate::snapshot::Snapshot;
use crate::transaction::RowDelete;
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::Schema;
use futures::TryStreamExt;
use roaring::RoaringTreemap;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use writers::{Files, Writers};

/// What an operation may do to rows. It decides whether the change feed needs files: a commit either says everything in change files or
/// nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    /// Whole files go, or rows are only added: the feed is found from the files themselves.
    Files,
    /// Rows go, and nothing else. With vectors the feed is found from those.
    Deletes,
    /// Rows get new versions, go and come.
    Changes,
}

/// Collects a change of rows on one version of a table. After an error it must be aborted.
pub(crate) struct RowChanges {
    base: Arc<Snapshot>,
    /// The table as it will be.
    state: Arc<TableState>,
    rows: Scan,
    vectors: Option<tokio::sync::Mutex<VectorWriter>>,
    /// Whether files may be written again although they could get vectors.
    may_rewrite: bool,
    data: Writers,
    changes: Option<Writers>,
    effects: Mutex<RowEffects>,
}

impl RowChanges {
    /// Starts a change of the rows of `base`. `LB-FEATURE-WRITE` when the table cannot be written. Asks the store for nothing.
    pub(crate) fn new(base: &Arc<Snapshot>, does: Does, options: WriteOptions) -> Result<RowChanges> {
        RowChanges::into_table(base, base.state(), does, options)
    }
    /// The same for a commit that also makes the table one of `state`, which has all of its columns.
    pub(crate) fn into_table(base: &Arc<Snapshot>, state: &Arc<TableState>, does: Does, options: WriteOptions) -> Result<RowChanges> {
        let table = base.table();
        state.check_writable()?;
        let marks = state.writes_vectors();
        let wants_changes = state.wants_change_files()
            && match does {
                Does::Files => false,
                Does::Deletes => !marks,
                Does::Changes => true,
            };
        // Rows of a file that a vector marks stay where they are; those that come are few, so one writer packs them. One writer also
        // makes the fewest files.
        let writers = if marks || state.optimizes_writes()? { 1 } else { table.env().threads() };
        Ok(RowChanges {
            rows: base.scan().hidden(base.state().moved_columns()).counted().build()?,
            vectors: marks.then(|| tokio::sync::Mutex::new(VectorWriter::new(table.root(), table.env()))),
            may_rewrite: !(marks && does == Does::Deletes && state.wants_change_files()),
            data: Writers::new(table, state, options.clone(), Files::Data, writers),
            changes: wants_changes.then(|| Writers::new(table, state, options, Files::Changes, 1)),
            effects: Mutex::new(RowEffects { counts: RowCounts { gone: Some(0), ..RowCounts::default() }, ..RowEffects::default() }),
            state: Arc::clone(state),
            base: Arc::clone(base),
        })
    }
    /// Whole rows of the table with the hidden columns that must travel with them: what `update_rows` and `deleted_rows` want.
    pub(crate) fn rows(&self) -> &Scan {
        &self.rows
    }
    /// Whether `deleted_rows` must be told of rows that go for good.
    pub(crate) fn wants_deleted_rows(&self) -> bool {
        self.changes.is_some()
    }
    /// A whole file goes, because none of its rows stays what it was. No request. `LB-CONSTRAINT` when the table is append-only.
    pub(crate) fn remove_file(&self, file: Add) -> Result<()> {
        let dead = file.deletion_vector.as_ref().map_or(0, |v| v.cardinality);
        let alive = file.num_records().and_then(|rows| rows.checked_sub(dead)).and_then(|rows| u64::try_from(rows).ok());
        self.remove(file, alive)
    }
    /// Rows of a file go: those at these physical positions, which are alive. At most once for each file; other rows stay what they
    /// are. Costs a request for the vector that the file has, or reads the rows that stay. `LB-CONSTRAINT` when the table is append-only.
    pub(crate) async fn remove_rows(&self, task: &FileTask, file: Add, going: Arc<RoaringTreemap>) -> Result<()> {
        let path = file.path.clone();
        self.remove_rows_unnamed(task, file, going).await.map_err(|e| e.with("path", path))
    }
    async fn remove_rows_unnamed(&self, task: &FileTask, file: Add, going: Arc<RoaringTreemap>) -> Result<()> {
        if going.is_empty() {
            return Ok(());
        }
        let rows = self.rows.physical_rows(task).await?;
        let dead = task.vector.as_ref().map_or(0, |v| u64::try_from(v.cardinality).unwrap_or(0));
        let alive = rows.checked_sub(dead).filter(|alive| going.len() <= *alive && going.max().is_none_or(|last| last < rows));
        let Some(alive) = alive else {
            return Err(Error::new(Code::LOG_STATE, "the log counts fewer rows in a file than the file has")
                .with("rows", rows)
                .with("deleted", dead)
                .help("the statistics of the file are wrong; rewrite the file with the engine that made it"));
        };
        if going.len() == alive {
            return self.remove(file, Some(alive));
        }
        let facts = cost::Facts { bytes: task.size, rows, dead, going: going.len() };
        match &self.vectors {
            Some(vectors) if !(self.may_rewrite && cost::rewriting_is_cheaper(facts)) => self.mark(vectors, file, rows, going).await,
            _ => self.copy_others(task, file, alive, going).await,
        }
    }
    /// Rows of the table get new versions. `before` has the columns of `rows()`; `after` the table's columns, without those that the
    /// writer computes from them, and the same hidden ones. Their positions go by `remove_rows` or `remove_file`.
    pub(crate) async fn update_rows(&self, before: &RecordBatch, after: RecordBatch) -> Result<()> {
        if before.num_rows() != after.num_rows() {
            return Err(Error::new(Code::INTERNAL, "rows were lost while they were changed"));
        }
        let written = self.write(as_changed(after)?, RowOrigin::Table).await?;
        self.tell(ChangeKind::UpdatePreimage, before).await?;
        self.tell(ChangeKind::UpdatePostimage, &written).await
    }
    /// New rows come, in the table's columns; those that the table can make may be missing.
    pub(crate) async fn insert_rows(&self, rows: RecordBatch) -> Result<()> {
        self.insert_rows_as_written(rows).await.map(drop)
    }
    /// The same; gives the rows with all that the writer has made.
    pub(crate) async fn insert_rows_as_written(&self, rows: RecordBatch) -> Result<RecordBatch> {
        let written = self.write(rows, RowOrigin::New).await?;
        self.tell(ChangeKind::Insert, &written).await?;
        Ok(written)
    }
    /// Tells of rows that go for good (in the columns of `rows()`), when `wants_deleted_rows`. Their positions go by `remove_rows` or
    /// `remove_file`.
    pub(crate) async fn deleted_rows(&self, rows: &RecordBatch) -> Result<()> {
        self.tell(ChangeKind::Delete, rows).await
    }
    /// Ends all files; what the commit must say. Nothing of it is part of the table before. Nothing is left after a failure.
    pub(crate) async fn finish(self) -> Result<RowEffects> {
        let table = self.base.table().clone();
        let mut effects = std::mem::take(&mut *self.effects());
        match self.close(&mut effects).await.and_then(|()| effects.check()) {
            Ok(()) => Ok(effects),
            Err(e) => {
                effects.discard(&table).await;
                self.abort().await;
                Err(e)
            }
        }
    }
    /// Gives up: deletes what was written.
    pub(crate) async fn abort(self) {
        self.data.abort().await;
        if let Some(changes) = &self.changes {
            changes.abort().await;
        }
        if let Some(vectors) = self.vectors {
            vectors.into_inner().abort().await;
        }
    }

    async fn close(&self, effects: &mut RowEffects) -> Result<()> {
        effects.adds = self.data.finish().await?;
        effects.metadata = self.state.record_numbers(&self.data.numbers())?;
        if let Some(changes) = &self.changes {
            effects.cdcs = changes.finish().await?.into_iter().map(effects::change_file).collect();
        }
        if let Some(vectors) = &self.vectors {
            effects.vector_files = vectors.lock().await.finish().await?;
        }
        let counts = &mut effects.counts;
        counts.files_added = effects.adds.len() as u64;
        counts.bytes_added = effects.adds.iter().map(|a| u64::try_from(a.size).unwrap_or(0)).sum();
        counts.change_files = effects.cdcs.len() as u64;
        Ok(())
    }
    fn effects(&self) -> MutexGuard<'_, RowEffects> {
        self.effects.lock().unwrap_or_else(|e| e.into_inner())
    }
    /// A file goes of which `alive` rows are alive.
    fn remove(&self, file: Add, alive: Option<u64>) -> Result<()> {
        let bytes = u64::try_from(file.size).unwrap_or(0);
        let records = file.num_records();
        let had_vector = file.deletion_vector.is_some();
        let remove = remove_of(file, records, self.base.table().env().now().millis());
        self.base.state().check_remove(&remove)?;
        let mut effects = self.effects();
        effects.removes.push(remove);
        let counts = &mut effects.counts;
        counts.files_removed += 1;
        counts.bytes_removed += bytes;
        counts.vectors_removed += u64::from(had_vector);
        counts.gone = counts.gone.zip(alive).map(|(a, b)| a + b);
        Ok(())
    }
    /// The rows are marked in a longer vector.
    async fn mark(&self, vectors: &tokio::sync::Mutex<VectorWriter>, file: Add, rows: u64, going: Arc<RoaringTreemap>) -> Result<()> {
        self.base.state().check_remove(&remove_of(file.clone(), None, 0))?;
        let before = match &file.deletion_vector {
            Some(vector) => load(self.base.table().root(), vector).await?,
            None => RoaringTreemap::new(),
        };
        let all = &before | going.as_ref();
        if all.len() != before.len() + going.len() {
            return Err(Error::new(Code::INTERNAL, "rows were to be deleted that are deleted already"));
        }
        let vector = vectors.lock().await.write(&all).await?;
        let mut effects = self.effects();
        let counts = &mut effects.counts;
        counts.gone = counts.gone.map(|gone| gone + going.len());
        counts.vectors_added += 1;
        counts.vectors_removed += u64::from(!before.is_empty());
        counts.vectors_updated += u64::from(!before.is_empty());
        effects.row_deletes.push(RowDelete { file: counted(file, rows), rows: going, vector });
        Ok(())
    }
    /// The file goes, and the rows that stay are copied.
    async fn copy_others(&self, task: &FileTask, file: Add, alive: u64, going: Arc<RoaringTreemap>) -> Result<()> {
        let staying = alive - going.len();
        self.remove(file, Some(going.len()))?;
        let mut copied = 0;
        let mut rows = self.rows.read_rows(task.clone(), Rows::Except(going));
        while let Some(batch) = rows.try_next().await? {
            copied += batch.num_rows() as u64;
            // Taken for one batch only: whoever waits for a file to be read must not keep a writer from others.
            self.data.take().await?.writer()?.write_from(batch, RowOrigin::Table).await?;
        }
        if copied != staying {
            return Err(Error::new(Code::INTERNAL, "a file was copied with another number of rows than it has")
                .with("copied", copied)
                .with("alive", staying)
                .help("nothing was committed; please report this"));
        }
        self.effects().counts.copied += copied;
        Ok(())
    }
    /// Rows on their way into data files; as they were written, with what the writer has made.
    async fn write(&self, rows: RecordBatch, origin: RowOrigin) -> Result<RecordBatch> {
        let count = rows.num_rows() as u64;
        let written = self.data.take().await?.writer()?.write_from(rows, origin).await?;
        self.effects().counts.written += count;
        Ok(written)
    }
    /// Rows on their way into change files, when there are any.
    async fn tell(&self, kind: ChangeKind, rows: &RecordBatch) -> Result<()> {
        match &self.changes {
            Some(changes) => changes.take().await?.writer()?.write_change(kind, rows.clone()).await,
            None => Ok(()),
        }
    }
}

/// A row that changes has no commit version of its own any more: it gets that of the commit.
fn as_changed(rows: RecordBatch) -> Result<RecordBatch> {
    let name = HiddenColumn::RowCommitVersion.name();
    if rows.column_by_name(name).is_none() {
        return Ok(rows);
    }
    let column = |(field, array): (&Arc<arrow::datatypes::Field>, &ArrayRef)| match field.name() == name {
        true => new_null_array(array.data_type(), array.len()),
        false => Arc::clone(array),
    };
    let columns = rows.schema_ref().fields().iter().zip(rows.columns()).map(column).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(rows.schema_ref().fields().clone())), columns, &options)?)
}

/// The file with the number of its rows among its statistics: a file with a vector must have it.
fn counted(mut file: Add, rows: u64) -> Add {
    if file.num_records().and_then(|n| u64::try_from(n).ok()) == Some(rows) {
        return file;
    }
    let text = file.stats.as_deref().unwrap_or("{}");
    let mut stats: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).unwrap_or_default();
    if let Ok(rows) = RawValue::from_string(rows.to_string()) {
        stats.insert("numRecords".to_owned(), rows);
    }
    file.stats = serde_json::to_string(&stats).ok();
    file
}

#[cfg(test)]
#[path = "row_changes_tests.rs"]
mod tests;
