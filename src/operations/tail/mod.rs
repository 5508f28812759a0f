//! Follows a table: first its files at one version, then those that commits bring. Kind: edge. Spec: TAI.
//!
//! Offsets mean what Spark's mean. Invariant: whoever goes on after an offset gets every file behind it once, and none before it.

mod commit;
mod offset;

pub use offset::TailOffset;

use super::changes::range::Commits;
use crate::data::scan::{FileTask, Scan};
use crate::error::{Code, Error, Result};
use crate::features::TableState;
use crate::log::listing::list;
use crate::log::read::read_commit;
use crate::log::segment::gap;
use crate::log::{LogFileKind, Version};
use crate::snapshot::{At, FileQuery, Snapshot};
use crate::table::Table;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use commit::Forgiving;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use offset::BASE;
use std::sync::Arc;

/// Files of one step, when nothing else is said; Spark's number.
const FILES_MAX: u64 = 1_000;

/// How a table is followed.
pub struct Tail {
    table: Table,
    from: Option<At>,
    after: Option<TailOffset>,
    files_max: u64,
    bytes_max: u64,
    forgiving: Forgiving,
}

impl Table {
    /// Starts following the table: all rows of the newest version first, then new ones.
    pub fn tail(&self) -> Tail {
        Tail { table: self.clone(), from: None, after: None, files_max: FILES_MAX, bytes_max: u64::MAX, forgiving: Forgiving::default() }
    }
}

impl Tail {
    /// Only what commits bring: from this version on, itself included; of a time, the first commit that is not older; `At::Latest` for
    /// commits that come later.
    pub fn from(mut self, at: At) -> Self {
        self.from = Some(at);
        self
    }
    /// Goes on after an offset.
    pub fn after(mut self, offset: TailOffset) -> Self {
        self.after = Some(offset);
        self
    }
    /// At most this many files in one step, and at least one (`maxFilesPerTrigger`).
    pub fn max_files(mut self, files: u64) -> Self {
        self.files_max = files.max(1);
        self
    }
    /// No further file once a step has this many bytes (`maxBytesPerTrigger`).
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.bytes_max = bytes.max(1);
        self
    }
    /// Passes over commits that only remove files.
    pub fn ignore_deletes(mut self) -> Self {
        self.forgiving.deletes = true;
        self
    }
    /// Takes the files that commits add in place of others; rows that were copied come again.
    pub fn ignore_changes(mut self) -> Self {
        self.forgiving.changes = true;
        self
    }
    /// Passes over commits that remove files, whatever they add.
    pub fn skip_change_commits(mut self) -> Self {
        self.forgiving.skip_changes = true;
        self
    }
    /// Looks at the table. `LB-TABLE`, `LB-FEATURE-READ`, `LB-VERSION` for a start that is not there, `LB-INPUT` for an offset of another
    /// table.
    pub async fn open(self) -> Result<TailReader> {
        let latest = self.table.snapshot().await?;
        let scan = latest.scan().build()?;
        let id = latest.state().metadata().id.clone();
        let at = |version: Version, is_starting_version| TailOffset { table_id: id.clone(), version, index: BASE, is_starting_version };
        let position = match (self.after, self.from) {
            (Some(offset), _) if offset.table_id != id => {
                return Err(Error::new(Code::INPUT, "the offset is of another table").with("offset", offset.to_json()).with("table", id));
            }
            (Some(offset), _) => offset,
            (None, None) => at(latest.version(), true),
            (None, Some(At::Latest)) => at(latest.version().next(), false),
            (None, Some(from)) => match Commits::list(&latest).await?.between(&latest, from, At::Latest).await? {
                Some((first, _)) => at(first, false),
                None => at(latest.version().next(), false),
            },
        };
        let shown = Arc::clone(latest.state());
        let (files_max, bytes_max) = (self.files_max, self.bytes_max);
        Ok(TailReader {
            table: self.table,
            scan,
            shown,
            position,
            starting: None,
            state: None,
            files_max,
            bytes_max,
            forgiving: self.forgiving,
        })
    }
}

/// Follows a table, step by step.
pub struct TailReader {
    table: Table,
    scan: Scan,
    /// The table whose columns rows are shown in.
    shown: Arc<TableState>,
    position: TailOffset,
    /// The files of the starting version, once they were listed.
    starting: Option<Vec<FileTask>>,
    /// The table before the commit that comes next.
    state: Option<Arc<TableState>>,
    files_max: u64,
    bytes_max: u64,
    forgiving: Forgiving,
}

/// What one step brought.
#[derive(Clone, Debug)]
pub struct TailStep {
    /// Where the reader stands after it; keep it once the rows are safe.
    pub offset: TailOffset,
    pub files: Vec<FileTask>,
    scan: Scan,
}

impl TailStep {
    /// The rows, file by file in order. Errors as of a scan; a file that was vacuumed is `LB-FILE`.
    pub fn rows(&self) -> BoxStream<'static, Result<RecordBatch>> {
        let scan = self.scan.clone();
        stream::iter(self.files.clone()).map(move |task| scan.read(task)).flatten().boxed()
    }
}

/// How much one step may take.
struct Room {
    files: u64,
    bytes: u64,
}

impl Room {
    fn admits(&mut self, file: &FileTask) -> bool {
        if self.files == 0 || self.bytes == 0 {
            return false;
        }
        self.files -= 1;
        self.bytes = self.bytes.saturating_sub(file.size);
        true
    }
}

impl TailReader {
    /// The Arrow schema of the rows: the columns that the table had when the tail was opened.
    pub fn schema(&self) -> SchemaRef {
        self.scan.schema()
    }
    /// Where the reader stands.
    pub fn offset(&self) -> &TailOffset {
        &self.position
    }
    /// The next files; `None` when there is nothing new yet.
    ///
    /// `LB-CDF-GONE` when the log no longer has the next commit, `LB-INPUT` for a commit that takes rows away when that is not forgiven,
    /// `LB-SCHEMA` for one that changes the columns: what lies before it comes first, and the position stays before it. Memory: the tasks
    /// of one step, at the beginning those of the starting version. Requests: one listing, and one get for each commit.
    pub async fn next(&mut self) -> Result<Option<TailStep>> {
        let mut room = Room { files: self.files_max, bytes: self.bytes_max };
        let mut files = Vec::new();
        if self.position.is_starting_version {
            let starting = match self.starting.take() {
                Some(starting) => starting,
                None => self.starting_files().await?,
            };
            self.take(&starting, &mut room, &mut files);
            if self.position.is_starting_version {
                self.starting = Some(starting);
            }
        }
        if !self.position.is_starting_version
            && let Err(e) = self.take_commits(&mut room, &mut files).await
            && files.is_empty()
        {
            return Err(e);
        }
        let step = TailStep { offset: self.position.clone(), files, scan: self.scan.clone() };
        Ok((!step.files.is_empty()).then_some(step))
    }
    /// Takes what there is room for of the files at the position, and moves on.
    fn take(&mut self, all: &[FileTask], room: &mut Room, files: &mut Vec<FileTask>) {
        let done = usize::try_from(self.position.index + 1).unwrap_or(0);
        for file in all.iter().skip(done) {
            if !room.admits(file) {
                return;
            }
            files.push(file.clone());
            self.position.index += 1;
        }
        self.position = TailOffset {
            version: self.position.version.next(),
            index: BASE,
            is_starting_version: false,
            table_id: self.position.table_id.clone(),
        };
    }
    /// All files of the starting version, in the order of their times and paths.
    async fn starting_files(&self) -> Result<Vec<FileTask>> {
        let snapshot = self.snapshot(self.position.version).await?;
        let mut files = Vec::new();
        let mut batches = snapshot.files(FileQuery::default().full());
        while let Some(batch) = batches.try_next().await? {
            for row in 0..batch.len() {
                files.push((batch.modification_time(row), FileTask::of_add(&batch.add(row))?));
            }
        }
        files.sort_by(|(a, x), (b, y)| a.cmp(b).then_with(|| x.path.cmp(&y.path)));
        Ok(files.into_iter().map(|(_, task)| task).collect())
    }
    async fn snapshot(&self, version: Version) -> Result<Arc<Snapshot>> {
        self.table.snapshot_at(At::Version(version)).await
    }
    async fn take_commits(&mut self, room: &mut Room, files: &mut Vec<FileTask>) -> Result<()> {
        let listing = list(self.table.log(), self.position.version).await?;
        let there: Vec<Version> = listing
            .files
            .iter()
            .filter(|f| f.kind == LogFileKind::Commit && f.version >= self.position.version)
            .map(|f| f.version)
            .collect();
        if let Some(first) = there.first().filter(|first| **first > self.position.version) {
            return Err(Error::new(Code::CDF_GONE, format!("the log no longer has version {}", self.position.version))
                .with("version", self.position.version)
                .with("earliest", first)
                .help("read the table as it is now, and go on from there"));
        }
        for version in there {
            if room.files == 0 || room.bytes == 0 {
                return Ok(());
            }
            if version != self.position.version {
                return Err(gap(self.position.version));
            }
            let mut state = match &self.state {
                Some(state) => Arc::clone(state),
                None => self.state_before(version).await?,
            };
            let piece = read_commit(self.table.log(), self.table.env(), version).await?;
            let all = commit::files(&piece, &mut state, &self.shown, self.forgiving)?;
            let before = self.position.version;
            self.take(&all, room, files);
            if self.position.version > before {
                self.state = Some(state);
            }
        }
        Ok(())
    }
    /// The table before a commit; where the log does not go back so far, as it was with it.
    async fn state_before(&self, version: Version) -> Result<Arc<TableState>> {
        let before = match version.0.checked_sub(1) {
            Some(before) => self.snapshot(Version(before)).await,
            None => self.snapshot(version).await,
        };
        match before {
            Err(e) if e.code() == Code::VERSION => Ok(Arc::clone(self.snapshot(version).await?.state())),
            before => Ok(Arc::clone(before?.state())),
        }
    }
}
