//! The rows of a group in new files: the one place where rows of a table are written anew without being changed. Kind: edge. Spec: OPT.
//!
//! Invariant: as many rows are written as were read, and as many are read of each file as the log says are alive.

use super::pack::settle;
use super::plan::Group;
use crate::data::scan::{FileTask, Scan};
use crate::data::write::{DataWriter, RowOrigin, WriteOptions, discard};
use crate::error::{Code, Error, Result};
use crate::log::Add;
use crate::snapshot::Snapshot;
use crate::table::Table;
use arrow::array::RecordBatch;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Files of at most so many bytes are fetched in one request, and several before their turn.
pub(super) const WHOLE_BYTES: u64 = 1 << 20;
const FILES_AHEAD: usize = 16;

/// A group whose rows are in new files, which no commit names yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Rewritten {
    /// Its files as they were read.
    pub(super) group: Group,
    pub(super) adds: Vec<Add>,
    /// How many rows each file of the group gave, when the new files hold them one after the other in that order.
    pub(super) order: Option<Vec<u64>>,
}

impl Rewritten {
    /// Deletes the new files.
    pub(super) async fn discard(&self, table: &Table) {
        discard(table, &self.adds).await;
    }
}

/// What reads whole rows of a version with all that must travel with them.
pub(super) fn whole_rows(base: &Arc<Snapshot>) -> Result<Scan> {
    base.scan().hidden(base.state().moved_columns()).whole_files(WHOLE_BYTES).build()
}

/// The group with its rows joined as they are; `settles` when the new files are as large as they are to become.
pub(super) async fn copied(base: &Arc<Snapshot>, scan: &Scan, group: Group, target: u64, settles: bool) -> Result<Rewritten> {
    let tasks = group.files.iter().map(task).collect::<Result<Vec<_>>>()?;
    let counts = Counts::new(&group);
    let rows = counts.watch(scan.read_in_order(tasks, FILES_AHEAD)).map_ok(|(_, batch)| (0, batch));
    // One file of what fits into one, even when it grows a little.
    let mut adds = written(base, &group, rows.boxed(), &counts, target.saturating_mul(2)).await?;
    if settles {
        adds.iter_mut().for_each(|add| settle(add, target));
    }
    Ok(Rewritten { adds, order: Some(counts.read()), group })
}

/// How many rows of each file of a group have been read.
#[derive(Clone)]
pub(super) struct Counts(Arc<[AtomicU64]>);

impl Counts {
    pub(super) fn new(group: &Group) -> Counts {
        Counts(group.files.iter().map(|_| AtomicU64::new(0)).collect())
    }
    /// The same rows, each batch with the place of its file, counted as they pass.
    pub(super) fn watch(
        &self,
        rows: BoxStream<'static, Result<(usize, RecordBatch)>>,
    ) -> impl Stream<Item = Result<(usize, RecordBatch)>> + Send + use<> {
        let counts = self.clone();
        rows.inspect_ok(move |(at, batch)| {
            if let Some(count) = counts.0.get(*at) {
                count.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
            }
        })
    }
    fn read(&self) -> Vec<u64> {
        self.0.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }
}

/// The task that reads a file of a group.
pub(super) fn task(file: &Add) -> Result<FileTask> {
    Ok(FileTask { num_records: file.num_records().and_then(|n| u64::try_from(n).ok()), ..FileTask::of_add(file)? })
}

/// Writes rows of the files of a group in the order in which they come, which `counts` has watched; the new files in that order. Rows
/// with different numbers go into different files. Nothing is left after a failure.
pub(super) async fn written(
    base: &Arc<Snapshot>,
    group: &Group,
    rows: BoxStream<'static, Result<(u32, RecordBatch)>>,
    counts: &Counts,
    file_bytes: u64,
) -> Result<Vec<Add>> {
    let options = WriteOptions { target_file_size: Some(file_bytes), ..WriteOptions::default() };
    let mut writer = DataWriter::new(base.table(), Arc::clone(base.state()), options)?;
    if let Err(e) = copy(group, rows, counts, &mut writer).await {
        writer.abort().await;
        return Err(e);
    }
    let read = counts.read().iter().sum::<u64>();
    let mut adds = writer.finish().await?;
    let found = adds.iter().map(|add| add.num_records().unwrap_or(-1)).sum::<i64>();
    if i64::try_from(read) != Ok(found) {
        discard(base.table(), &adds).await;
        return Err(lost(read, found));
    }
    // By the names of files alone: folders may be random.
    adds.sort_by(|a, b| name(a).cmp(name(b)));
    adds.iter_mut().for_each(|add| add.data_change = false);
    Ok(adds)
}

async fn copy(
    group: &Group,
    mut rows: BoxStream<'static, Result<(u32, RecordBatch)>>,
    counts: &Counts,
    writer: &mut DataWriter,
) -> Result<()> {
    let mut last = None;
    while let Some((cell, batch)) = rows.try_next().await? {
        if last.replace(cell).is_some_and(|last| last != cell) {
            writer.cut().await?;
        }
        writer.write_from(batch, RowOrigin::Table).await?;
    }
    let counts = counts.read();
    for (file, read) in group.files.iter().zip(&counts) {
        let Some(rows) = file.num_records() else { continue };
        let alive = rows.saturating_sub(file.deletion_vector.as_ref().map_or(0, |v| v.cardinality));
        if i64::try_from(*read) != Ok(alive) {
            return Err(Error::new(Code::LOG_STATE, "a file has another number of rows than the log says")
                .with("path", &file.path)
                .with("read", read)
                .with("alive", alive)
                .help("nothing of its group was committed; find out which is right before the file is rewritten"));
        }
    }
    let read = counts.iter().sum::<u64>();
    if read != writer.rows() {
        return Err(lost(read, i64::try_from(writer.rows()).unwrap_or(i64::MAX)));
    }
    Ok(())
}

fn lost(read: u64, written: i64) -> Error {
    Error::new(Code::INTERNAL, "rewriting lost rows; nothing of them was committed").with("read", read).with("written", written)
}

fn name(add: &Add) -> &str {
    add.path.rsplit('/').next().unwrap_or(&add.path)
}
