//! Active files as columns. Kind: edge. Spec: REC, SKIP.
//!
//! Newest to oldest: the files that the tail has added and not removed again, then those of the checkpoint that the tail has said
//! nothing about. Of a checkpoint only the columns that the filter needs are read first, and the rest only where it may match.
//! Invariant: nothing is remembered but the keys of the tail.

use super::Snapshot;
use super::stand_in::{HandedOut, continued};
use super::stats::{Facts, FilePruner, records_of};
use crate::env::guarded;
use crate::error::{Code, Error, Result};
use crate::expr::BoundExpr;
use crate::log::batch::{FileRows, removes_of};
use crate::log::checkpoint::{
    FirstFile, ParquetFile, ReadPlan, actions_in, is_json, open, open_sidecar, read_json, read_small_of, struct_column,
};
use crate::log::seen::SeenFiles;
use crate::log::{Action, Add, LogFile, LogTail, Remove, Sidecar, VectorDescriptor};
use crate::storage::TableRoot;
use arrow::array::{Array, BooleanArray, Int64Array, RecordBatch};
use arrow::error::ArrowError;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowPredicate, ArrowPredicateFn, RowFilter};
use std::sync::Arc;

/// Rows of one batch.
const BATCH_ROWS: usize = 8192;
/// Files of a checkpoint that are read at once.
const FILES_AT_ONCE: usize = 8;

/// Which files, and how much of each.
#[derive(Clone, Debug, Default)]
pub struct FileQuery {
    pub(crate) filter: Option<BoundExpr>,
    pub(crate) full: bool,
    pub(crate) records: bool,
    pub(crate) row_ids: bool,
}

impl FileQuery {
    /// Only files that may hold rows for which this is TRUE.
    pub fn filter(mut self, filter: BoundExpr) -> Self {
        self.filter = Some(filter);
        self
    }
    /// Whole `add` actions (statistics text, tags, row ids), not only what a scan needs.
    pub fn full(mut self) -> Self {
        self.full = true;
        self
    }
    /// The number of rows of each file too. Where a checkpoint keeps it only inside statistics text, that text is read.
    pub fn records(mut self) -> Self {
        self.records = true;
        self
    }
    /// The ids of rows too.
    pub(crate) fn row_ids(mut self) -> Self {
        self.row_ids = true;
        self
    }
}

/// Some active files.
#[derive(Clone, Debug)]
pub struct FileBatch {
    rows: FileRows,
    records: Option<Int64Array>,
}

impl FileBatch {
    pub(crate) fn new(rows: FileRows) -> FileBatch {
        FileBatch { records: records_of(&rows), rows }
    }
    pub(crate) fn rows(&self) -> &FileRows {
        &self.rows
    }
    /// The files that have not been seen.
    pub(super) fn without(self, seen: &SeenFiles) -> Result<FileBatch> {
        if seen.is_empty() {
            return Ok(self);
        }
        let unseen: BooleanArray = (0..self.len()).map(|row| Some(!seen.contains(self.rows.key(row)))).collect();
        Ok(FileBatch::new(self.rows.filter(&unseen)?))
    }
    pub fn len(&self) -> usize {
        self.rows.len()
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The path as it stands in the log.
    pub fn path(&self, row: usize) -> &str {
        self.rows.path(row)
    }
    pub fn size(&self, row: usize) -> i64 {
        self.rows.size(row)
    }
    pub fn modification_time(&self, row: usize) -> i64 {
        self.rows.modification_time(row)
    }
    /// The text of a partition value by physical name; `None` is null.
    pub fn partition_value(&self, row: usize, physical: &str) -> Option<&str> {
        self.rows.partition_value(row, physical)
    }
    /// Where the ids of the file's rows begin, and the version that gave them their values, as far as the query asked for them.
    pub(crate) fn row_ids(&self, row: usize) -> (Option<i64>, Option<i64>) {
        (self.rows.number("baseRowId", row), self.rows.number("defaultRowCommitVersion", row))
    }
    pub fn vector(&self, row: usize) -> Option<VectorDescriptor> {
        self.rows.vector(row)
    }
    /// Physical rows, deleted ones included. `None` when the log does not say, or when reading it was not asked for and not free.
    pub fn num_records(&self, row: usize) -> Option<i64> {
        self.records.as_ref().filter(|r| r.is_valid(row)).map(|r| r.value(row))
    }
    /// The whole action; what the query did not ask for is absent.
    pub fn add(&self, row: usize) -> Add {
        self.rows.add(row)
    }
}

impl Snapshot {
    /// Active files that the query's filter cannot rule out, as columnar batches, newest log entries first. Memory: the keys of
    /// the JSON tail and one window of checkpoint batches.
    pub fn files(self: &Arc<Self>, query: FileQuery) -> BoxStream<'static, Result<FileBatch>> {
        let snapshot = Arc::clone(self);
        let start = async move {
            let (seen, live) = replay_tail(snapshot.tail(), snapshot.table().root());
            let pruner = query.filter.clone().map(|f| FilePruner::new(f, snapshot.state())).transpose()?;
            let read = Arc::new(Reading { seen: Arc::new(seen), query, pruner });
            let tail = tail_files(Arc::clone(&snapshot), live, Arc::clone(&read));
            let handed_out = HandedOut::default();
            let (reading, counter) = (Arc::clone(&read), handed_out.clone());
            let checkpoint = parts(&snapshot, read.pruner.is_some())
                .enumerate()
                .map(move |(i, part)| part.map(|part| counter.count(i, part.files(Arc::clone(&reading)))))
                .try_flatten_unordered(FILES_AT_ONCE)
                .boxed();
            let query = read.query.clone();
            Ok::<_, Error>(tail.chain(continued(snapshot, query, read, handed_out, checkpoint)))
        };
        let files = stream::once(start).try_flatten();
        files.try_filter(|batch| std::future::ready(!batch.is_empty())).boxed()
    }

    /// Every file that the snapshot's own checkpoint names, whatever the tail says of it. Nothing stands in for what is broken.
    pub(crate) fn checkpoint_files(self: &Arc<Self>, query: FileQuery) -> BoxStream<'static, Result<FileBatch>> {
        let seen = Arc::new(SeenFiles::new(self.table().root().url()));
        let read = Arc::new(Reading { seen, query, pruner: None });
        parts(self, false).map_ok(move |part| part.files(Arc::clone(&read))).try_flatten_unordered(FILES_AT_ONCE).boxed()
    }

    /// Removed files that the log still remembers, newest first. Memory as of `files`.
    pub(crate) fn tombstones(self: &Arc<Self>) -> BoxStream<'static, Result<Vec<Remove>>> {
        let snapshot = Arc::clone(self);
        let start = async move {
            let (seen, removed) = tail_removed(&snapshot);
            let seen = Arc::new(seen);
            let checkpoint = parts(&snapshot, false).and_then(move |part| part.removes(Arc::clone(&seen))).try_flatten();
            let chunks: Vec<Live> = removed.chunks(BATCH_ROWS).map(<[_]>::to_vec).collect();
            let tail = stream::iter(chunks).map(move |chunk| Ok(removes_at(&snapshot, &chunk).cloned().collect()));
            Ok::<_, Error>(tail.chain(checkpoint))
        };
        stream::once(start).try_flatten().boxed()
    }
}

/// What the tail has spoken about, and where its newest words stand that remove a file.
fn tail_removed(snapshot: &Snapshot) -> (SeenFiles, Live) {
    let mut seen = SeenFiles::new(snapshot.table().root().url());
    let mut removed = Live::new();
    for (p, piece) in snapshot.tail().pieces().iter().enumerate().rev() {
        for (a, action) in piece.actions.iter().enumerate().rev() {
            match action {
                Action::Remove(r) if seen.insert(r.into()) => removed.push((p as u32, a as u32)),
                Action::Add(a) => _ = seen.insert(a.into()),
                _ => {}
            }
        }
    }
    (seen, removed)
}

fn removes_at<'a>(snapshot: &'a Snapshot, places: &'a [(u32, u32)]) -> impl Iterator<Item = &'a Remove> {
    let pieces = snapshot.tail().pieces();
    places.iter().filter_map(|(p, a)| match pieces[*p as usize].actions.get(*a as usize) {
        Some(Action::Remove(remove)) => Some(remove),
        _ => None,
    })
}

impl Snapshot {
    /// The files that the tail has removed after this time.
    pub(super) fn tail_removes(&self, oldest: i64) -> Vec<Remove> {
        let (_, removed) = tail_removed(self);
        removes_at(self, &removed).filter(|r| r.deletion_timestamp.unwrap_or(0) > oldest).cloned().collect()
    }
    /// The tail's live files, as columns.
    pub(super) fn tail_rows(&self, live: &Live) -> Result<Vec<FileRows>> {
        live.chunks(BATCH_ROWS).map(|chunk| rows_of(self, chunk)).collect()
    }
}

fn rows_of(snapshot: &Snapshot, live: &[(u32, u32)]) -> Result<FileRows> {
    let pieces = snapshot.tail().pieces();
    FileRows::from_adds(live.iter().filter_map(|(p, a)| match pieces[*p as usize].actions.get(*a as usize) {
        Some(Action::Add(add)) => Some(add),
        _ => None,
    }))
}

/// What stays the same while one stream is read.
pub(super) struct Reading {
    seen: Arc<SeenFiles>,
    query: FileQuery,
    pruner: Option<FilePruner>,
}

impl Reading {
    /// Whole actions of all files that have not been seen.
    pub(super) fn all(seen: Arc<SeenFiles>) -> Reading {
        Reading { seen, query: FileQuery::default().full(), pruner: None }
    }
}

/// The files of one part of a checkpoint that have not been seen.
pub(super) fn part_files(file: ParquetFile, read: &Arc<Reading>) -> BoxStream<'static, Result<FileBatch>> {
    Part::Columns(file).files(Arc::clone(read))
}

/// The removed files of one part of a checkpoint that have not been seen.
pub(super) async fn part_removes(file: ParquetFile, read: &Arc<Reading>) -> Result<BoxStream<'static, Result<Vec<Remove>>>> {
    Part::Columns(file).removes(Arc::clone(&read.seen)).await
}

/// Where the tail's live files, or its removals, stand: piece and action.
pub(super) type Live = Vec<(u32, u32)>;

/// Newest first. Inside one commit the later line wins, as it would in forward order. (REC-21, REC-22)
pub(super) fn replay_tail(tail: &LogTail, root: &TableRoot) -> (SeenFiles, Live) {
    let mut seen = SeenFiles::new(root.url());
    let mut live = Live::new();
    for (p, piece) in tail.pieces().iter().enumerate().rev() {
        for (a, action) in piece.actions.iter().enumerate().rev() {
            match action {
                Action::Add(add) if seen.insert(add.into()) => live.push((p as u32, a as u32)),
                Action::Remove(remove) => _ = seen.insert(remove.into()),
                _ => {}
            }
        }
    }
    (seen, live)
}

fn tail_files(snapshot: Arc<Snapshot>, live: Live, read: Arc<Reading>) -> BoxStream<'static, Result<FileBatch>> {
    let chunks: Vec<Live> = live.chunks(BATCH_ROWS).map(<[_]>::to_vec).collect();
    stream::iter(chunks)
        .map(move |chunk| {
            let rows = rows_of(&snapshot, &chunk)?;
            Ok(FileBatch::new(match &read.pruner {
                Some(pruner) => rows.filter(&pruner.keep(&rows, Facts::All)?)?,
                None => rows,
            }))
        })
        .boxed()
}

/// A file of a checkpoint that holds file actions.
pub(super) enum Part {
    Columns(ParquetFile),
    Actions(Vec<Action>),
}

/// The parts of the snapshot's checkpoint, opened as they are asked for; sidecars after the file that names them. (CKP-6) A lean reader hopes
/// to need little of most.
pub(super) fn parts(snapshot: &Arc<Snapshot>, lean: bool) -> BoxStream<'static, Result<Part>> {
    let root = snapshot.table().root().clone();
    let files: Vec<LogFile> = snapshot.segment().checkpoint.iter().flat_map(|c| c.files.clone()).collect();
    let first = snapshot.first_file.clone();
    let opened = stream::iter(files.into_iter().enumerate())
        .map(move |(i, file)| open_part(root.clone(), file, (i == 0).then(|| first.clone()), lean))
        .buffered(FILES_AT_ONCE);
    opened.try_flatten().boxed()
}

fn open_part(
    root: TableRoot,
    file: LogFile,
    first: Option<FirstFile>,
    lean: bool,
) -> BoxFuture<'static, Result<BoxStream<'static, Result<Part>>>> {
    Box::pin(async move {
        let (part, sidecars): (Part, Vec<Sidecar>) = if is_json(&file) {
            let actions = read_json(&root, &file).await?;
            let sidecars = sidecars_in(&actions);
            (Part::Actions(actions), sidecars)
        } else {
            let parquet = match first {
                Some(first) => first.open(&root, &file).await?.clone(),
                None => open(&root, &file).await?,
            };
            let small = if parquet.leaf(&["sidecar", "path"]).is_some() { read_small_of(&parquet).await? } else { Vec::new() };
            (Part::Columns(parquet), sidecars_in(&small))
        };
        let sidecars = stream::iter(sidecars)
            .map(move |s| {
                let root = root.clone();
                async move { open_sidecar(&root, &s, lean).await.map(Part::Columns) }
            })
            .buffered(FILES_AT_ONCE);
        Ok(stream::iter([Ok(part)]).chain(sidecars).boxed())
    })
}

fn sidecars_in(actions: &[Action]) -> Vec<Sidecar> {
    actions.iter().filter_map(|a| if let Action::Sidecar(s) = a { Some(s.clone()) } else { None }).collect()
}

impl Part {
    pub(super) fn files(self, read: Arc<Reading>) -> BoxStream<'static, Result<FileBatch>> {
        match self {
            Part::Columns(file) => match column_files(&file, read) {
                Ok(files) => files,
                Err(e) => stream::iter([Err(e)]).boxed(),
            },
            Part::Actions(actions) => {
                let adds = actions.iter().filter_map(|a| if let Action::Add(add) = a { Some(add) } else { None });
                let live: Vec<&Add> = adds.filter(|add| !read.seen.contains((*add).into())).collect();
                let batches: Vec<Result<FileBatch>> = live
                    .chunks(BATCH_ROWS)
                    .map(|adds| {
                        let rows = FileRows::from_adds(adds.iter().copied())?;
                        Ok(FileBatch::new(match &read.pruner {
                            Some(pruner) => rows.filter(&pruner.keep(&rows, Facts::All)?)?,
                            None => rows,
                        }))
                    })
                    .collect();
                stream::iter(batches).boxed()
            }
        }
    }

    async fn removes(self, seen: Arc<SeenFiles>) -> Result<BoxStream<'static, Result<Vec<Remove>>>> {
        match self {
            Part::Columns(file) => {
                let Some(key) = file.leaf(&["remove", "path"]) else { return Ok(stream::empty().boxed()) };
                let plan = ReadPlan {
                    columns: file.mask(file.leaves(|parts| parts[0] == "remove")),
                    row_groups: Some(groups_with(&file, key)),
                    filter: None,
                    batch_rows: BATCH_ROWS,
                };
                let batches = file.read(plan).map(move |batch| {
                    let batch = batch?;
                    let column = struct_column(&file, &batch, "remove")?;
                    let removes = removes_of(&actions_in(&file, column)?)?;
                    Ok(removes.into_iter().filter(|r| !seen.contains(r.into())).collect())
                });
                Ok(batches.boxed())
            }
            Part::Actions(actions) => {
                let removes = actions.into_iter().filter_map(|a| if let Action::Remove(r) = a { Some(r) } else { None });
                Ok(stream::iter([Ok(removes.filter(|r| !seen.contains(r.into())).collect())]).boxed())
            }
        }
    }
}

/// Row groups in which the leaf is not null everywhere.
fn groups_with(file: &ParquetFile, leaf: usize) -> Vec<usize> {
    let all_null = |g: &usize| {
        let rows = u64::try_from(file.metadata().row_group(*g).num_rows()).ok();
        rows.is_some() && file.null_count(*g, leaf) == rows
    };
    (0..file.metadata().num_row_groups()).filter(|g| !all_null(g)).collect()
}

fn column_files(file: &ParquetFile, read: Arc<Reading>) -> Result<BoxStream<'static, Result<FileBatch>>> {
    let Some(key) = file.leaf(&["add", "path"]) else { return Ok(stream::empty().boxed()) };
    let mut groups = groups_with(file, key);
    if let Some(pruner) = &read.pruner {
        let keep = guarded(|| pruner.keep_row_groups(file)).map_err(|why| file.broken(why))??;
        groups.retain(|g| keep.value(*g));
    }
    let plan = ReadPlan {
        columns: output_columns(file, &read.query, key),
        row_groups: Some(groups),
        filter: row_filter(file, &read),
        batch_rows: BATCH_ROWS,
    };
    let (source, file) = (file.read(plan), file.clone());
    Ok(source
        .map(move |batch| {
            let batch = batch?;
            let rows = FileRows::from_column(&actions_in(&file, struct_column(&file, &batch, "add")?)?)?;
            FileBatch::new(rows).without(&read.seen)
        })
        .boxed())
}

/// Whether statistics are read parsed, as text, or not at all.
#[derive(Clone, Copy, PartialEq, Eq)]
enum StatsForm {
    Parsed,
    Text,
    Absent,
}

fn stats_form(file: &ParquetFile, pruner: &FilePruner) -> StatsForm {
    let counts = |leaf: &crate::log::stats::StatsLeaf| {
        let path: Vec<&str> = ["add", "stats_parsed", "nullCount"].into_iter().chain(leaf.path.iter().map(String::as_str)).collect();
        file.leaf(&path).is_some()
    };
    if !pruner.reads_stats() {
        StatsForm::Absent
    } else if pruner.stats_leaves().iter().all(counts) {
        StatsForm::Parsed
    } else if file.leaf(&["add", "stats"]).is_some() {
        StatsForm::Text
    } else {
        StatsForm::Absent
    }
}

/// Partition values first, then statistics; each reads only its own columns of the rows that are left. (SKIP-6)
fn row_filter(file: &ParquetFile, read: &Arc<Reading>) -> Option<RowFilter> {
    let pruner = read.pruner.as_ref()?;
    let mut steps: Vec<Box<dyn ArrowPredicate>> = Vec::new();
    let partition_leaves = || file.leaves(|parts| parts.len() > 1 && parts[0] == "add" && parts[1] == "partitionValues");
    if pruner.reads_partitions() {
        steps.push(step(file, read, file.mask(partition_leaves()), Facts::Partitions));
    }
    let form = stats_form(file, pruner);
    if form != StatsForm::Absent {
        let stats = file.leaves(|parts| match form {
            StatsForm::Parsed => parts.len() > 2 && parts[0] == "add" && parts[1] == "stats_parsed" && pruner.wants(&parts[2..]),
            _ => parts == ["add", "stats"],
        });
        let partitions = pruner.reads_partitions().then(|| partition_leaves()).into_iter().flatten();
        steps.push(step(file, read, file.mask(stats.chain(partitions)), Facts::All));
    }
    (!steps.is_empty()).then(|| RowFilter::new(steps))
}

fn step(file: &ParquetFile, read: &Arc<Reading>, columns: ProjectionMask, facts: Facts) -> Box<dyn ArrowPredicate> {
    let (file, read) = (file.clone(), Arc::clone(read));
    Box::new(ArrowPredicateFn::new(columns, move |batch: RecordBatch| {
        let keep = || -> Result<BooleanArray> {
            let column = struct_column(&file, &batch, "add")?;
            let pruner = read.pruner.as_ref().ok_or_else(|| Error::new(Code::INTERNAL, "a filter without a pruner"))?;
            let keep = pruner.keep(&FileRows::facts(column)?, facts)?;
            // Rows of other actions are null here.
            match column.nulls() {
                Some(nulls) => arrow::compute::and(&keep, &BooleanArray::new(nulls.inner().clone(), None)).map_err(|e| file.broken(e)),
                None => Ok(keep),
            }
        };
        keep().map_err(|e| ArrowError::ExternalError(Box::new(e)))
    }))
}

fn output_columns(file: &ParquetFile, query: &FileQuery, path: usize) -> ProjectionMask {
    let rows = |g: usize| file.metadata().row_group(g).num_rows();
    let has_parsed = file.leaf(&["add", "stats_parsed", "numRecords"]).is_some();
    // Parsed statistics are needed where a file has no text.
    let text_everywhere = file.leaf(&["add", "stats"]).is_some_and(|stats| {
        (0..file.metadata().num_row_groups())
            .all(|g| rows(g) == 0 || (file.null_count(g, stats).is_some() && file.null_count(g, stats) == file.null_count(g, path)))
    });
    file.mask(file.leaves(|parts| {
        if parts.len() < 2 || parts[0] != "add" {
            return false;
        }
        match parts[1].as_str() {
            "path" | "partitionValues" | "size" | "modificationTime" | "deletionVector" => true,
            "stats" => query.full || (query.records && !has_parsed),
            "stats_parsed" if query.full => !text_everywhere || parts.get(2).is_some_and(|p| p == "numRecords"),
            "stats_parsed" => parts.get(2).is_some_and(|p| p == "numRecords"),
            "partitionValues_parsed" => false,
            "baseRowId" | "defaultRowCommitVersion" => query.full || query.row_ids,
            _ => query.full,
        }
    }))
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
