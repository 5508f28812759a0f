//! Reads what changed from version to version. Kind: edge. Spec: CDF.
//!
//! Commit by commit, oldest first; of every commit the files in no promised order. Whether the whole range can be read is known before
//! the first row comes.

pub(super) mod fit;
mod plan;
pub(super) mod range;

use crate::data::scan::{ChangeScan, Changed, FileTask};
use crate::env::Timestamp;
use crate::error::{Code, Error, Result};
use crate::expr::Expr;
use crate::features::TableState;
use crate::log::read::{parallel_reads, read_commit};
use crate::log::seen::PathForm;
use crate::log::{Action, CommitInfo, NullableMap, TailPiece, Version};
use crate::snapshot::{At, FileQuery, Snapshot, load_unbroken, version_at};
use crate::storage::is_missing;
use crate::table::Table;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use range::Commits;
use std::collections::HashMap;
use std::sync::Arc;

/// Which changes to read.
pub struct Changes {
    table: Table,
    from: At,
    to: At,
    columns: Option<Vec<String>>,
    filter: Option<Expr>,
}

impl Table {
    /// Starts reading what changed, from this version on, itself included; of a time, the first commit that is not older.
    pub fn changes(&self, from: At) -> Changes {
        Changes { table: self.clone(), from, to: At::Latest, columns: None, filter: None }
    }
}

impl Changes {
    /// Up to this version, itself included, or the newest when that is older; of a time, the last commit that is not younger.
    pub fn to(mut self, to: At) -> Self {
        self.to = to;
        self
    }
    /// Only these columns, in this order; those of the feed are `_change_type`, `_commit_version` and `_commit_timestamp`.
    pub fn columns<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.columns = Some(names.into_iter().map(Into::into).collect());
        self
    }
    /// Only rows for which this is TRUE; it may name columns of the feed.
    pub fn filter(mut self, predicate: Expr) -> Self {
        self.filter = Some(predicate);
        self
    }
    /// Looks at every commit of the range. `LB-VERSION` for a start that does not exist, `LB-CDF-GONE` when the log no longer has it,
    /// `LB-CDF-OFF` naming the version at which changes were not recorded, `LB-SCHEMA` naming the version whose rows do not fit the
    /// columns of the last one, `LB-FEATURE-READ`, `LB-EXPR`.
    ///
    /// Requests: as for the snapshots at both ends, a whole listing, and one get for each commit between them.
    pub async fn build(self) -> Result<ChangeFeed> {
        let (latest, broken) = load_unbroken(&self.table).await?;
        if let Some(cause) = broken {
            match self.to {
                At::Version(end) if end <= latest.version() => {}
                // Fails when the damage lies before that time.
                At::Timestamp(time) => match version_at(&self.table, time).await {
                    Err(e) if e.code() != Code::VERSION => return Err(e),
                    _ => {}
                },
                _ => return Err(cause),
            }
        }
        let commits = Commits::list(&latest).await?;
        let range = commits.between(&latest, self.from, self.to).await?;
        let end = match range {
            Some((_, end)) if end < latest.version() => self.table.snapshot_at(At::Version(end)).await?,
            _ => latest,
        };
        end.state().check_readable()?;
        let scan = ChangeScan::new(&self.table, end.state(), self.columns.as_deref(), self.filter)?;
        let commits = match range {
            Some((first, last)) => checked(&end, &commits, first, last).await?,
            None => Vec::new(),
        };
        Ok(ChangeFeed { table: self.table, state: Arc::clone(end.state()), scan, commits })
    }
}

/// Changes that are ready to be read.
pub struct ChangeFeed {
    table: Table,
    state: Arc<TableState>,
    scan: ChangeScan,
    commits: Vec<Commit>,
}

/// One commit of the range.
#[derive(Clone)]
struct Commit {
    version: Version,
    time: Timestamp,
    /// Its actions, when they are few.
    piece: Option<Arc<TailPiece>>,
}

impl ChangeFeed {
    /// The Arrow schema of the batches: the columns of the last version, then those of the feed. All are nullable.
    pub fn schema(&self) -> SchemaRef {
        self.scan.schema()
    }
    /// The first and the last version; `None` when there is none between the times asked for.
    pub fn versions(&self) -> Option<(Version, Version)> {
        Some((self.commits.first()?.version, self.commits.last()?.version))
    }
    /// The changed rows, commit by commit. `LB-CDF-GONE` when a file was removed by retention, other errors as of a scan. Memory: as of a
    /// scan, and the actions of one commit.
    pub fn stream(self) -> BoxStream<'static, Result<RecordBatch>> {
        let feed = Arc::new(self);
        let commits = feed.commits.clone();
        let rows = stream::iter(commits).then(move |commit| {
            let feed = Arc::clone(&feed);
            async move {
                let changed = feed.changed(&commit).await?;
                let state = Arc::clone(&feed.state);
                let (version, time) = (commit.version, commit.time);
                let rows = feed
                    .scan
                    .read(version, time, changed)
                    .map_err(move |e| if is_missing(&e) { gone(e, version, time, &state) } else { e });
                Ok::<_, Error>(rows)
            }
        });
        rows.try_flatten().boxed()
    }
    async fn changed(&self, commit: &Commit) -> Result<Changed> {
        let piece = match &commit.piece {
            Some(piece) => Arc::clone(piece),
            None => read_commit(self.table.log(), self.table.env(), commit.version).await?,
        };
        let mut changed = plan::changed(&piece, &PathForm::new(self.table.root().url()))?;
        if let Changed::Files(tasks) = &mut changed
            && !self.state.partition_columns().is_empty()
            && plan::lacks_values(&piece)
        {
            self.fill_partition_values(commit.version, tasks).await?;
        }
        Ok(changed)
    }
    /// Takes the partition values of removed files from the version before, where the commit does not say them.
    async fn fill_partition_values(&self, version: Version, tasks: &mut [(bool, FileTask)]) -> Result<()> {
        let paths = PathForm::new(self.table.root().url());
        let mut wanted: HashMap<Vec<u8>, &mut NullableMap> = tasks
            .iter_mut()
            .filter(|(came, task)| !came && task.partition_values.is_empty())
            .map(|(_, task)| (paths.normalise(&task.path).into_owned(), &mut task.partition_values))
            .collect();
        let Some(before) = version.0.checked_sub(1) else { return Ok(()) };
        let before = self.table.snapshot_at(At::Version(Version(before))).await?;
        let mut files = before.files(FileQuery::default().full());
        while let Some(batch) = files.try_next().await? {
            for row in 0..batch.len() {
                if let Some(values) = wanted.remove(paths.normalise(batch.path(row)).as_ref()) {
                    *values = batch.add(row).partition_values;
                }
            }
        }
        match wanted.keys().next() {
            None => Ok(()),
            Some(path) => Err(Error::new(Code::LOG_STATE, "a commit removes a file that the version before does not have")
                .with("path", String::from_utf8_lossy(path))
                .with("version", version)),
        }
    }
}

/// A file of the change is not there any more.
fn gone(e: Error, version: Version, time: Timestamp, state: &TableState) -> Error {
    let help = "read from a later version on; keep removed files longer with `delta.deletedFileRetentionDuration`";
    let retention = state.deleted_file_retention_ms().ok().map(|ms| Timestamp(time.millis().saturating_add(ms)));
    let when = retention.map_or(String::new(), |at| format!(", which may do so from {at} on"));
    let message = format!("what version {version} changed was removed by retention{when}");
    let path = e.context().iter().find(|(key, _)| *key == "path").map(|(_, path)| path.clone()).unwrap_or_default();
    Error::new(Code::CDF_GONE, message).with("version", version).with("path", path).help(help).caused_by(e)
}

/// The commits of the range; keeps what it decodes of them while that is little.
async fn checked(end: &Snapshot, commits: &Commits, first: Version, last: Version) -> Result<Vec<Commit>> {
    let (table, env) = (end.table(), end.table().env());
    let limit = env.memory().limit();
    let largest = (first.0..=last.0).map(|v| commits.size(Version(v))).max().unwrap_or(0);
    if largest > limit {
        return Err(Error::new(Code::LIMIT, format!("a commit holds {largest} bytes, the memory limit is {limit}"))
            .help("raise the memory limit (--memory-limit)"));
    }
    let at_once = usize::try_from(limit / 4 / largest.max(1)).unwrap_or(usize::MAX).clamp(1, parallel_reads(env));
    let start = table.snapshot_at(At::Version(first)).await?;
    check(start.state(), end.state(), first)?;
    let mut state = Arc::clone(start.state());
    let mut reads = stream::iter(first.0..=last.0).map(|v| read_commit(table.log(), env, Version(v))).buffered(at_once);
    let (mut out, mut kept) = (Vec::new(), 0);
    while let Some(piece) = reads.try_next().await? {
        let (mut protocol, mut metadata, mut own) = (None, None, None);
        for action in &piece.actions {
            match action {
                Action::Protocol(p) => protocol = Some(p),
                Action::Metadata(m) => metadata = Some(m),
                Action::CommitInfo(info) => own = CommitInfo::in_commit_timestamp(info).map(Timestamp),
                _ => {}
            }
        }
        if piece.to > first && (protocol.is_some() || metadata.is_some()) {
            let protocol = protocol.unwrap_or(state.protocol()).clone();
            let metadata = metadata.unwrap_or(state.metadata()).clone();
            state = Arc::new(state.with(protocol, metadata, Vec::new())?);
            check(&state, end.state(), piece.to)?;
        }
        kept += piece.size;
        let time = own.unwrap_or_else(|| commits.time(piece.to));
        out.push(Commit { version: piece.to, time, piece: (kept <= limit / 16).then(|| Arc::clone(&piece)) });
    }
    Ok(out)
}

/// Whether changes were recorded under `state`, and can be shown in the columns of `end`.
fn check(state: &TableState, end: &TableState, version: Version) -> Result<()> {
    state.check_readable()?;
    if !state.wants_change_files() {
        return Err(Error::new(Code::CDF_OFF, format!("changes were not recorded at version {version}"))
            .with("version", version)
            .help("set the table property `delta.enableChangeDataFeed` to true; changes can be read from that version on"));
    }
    match fit::misfit(state, end) {
        None => Ok(()),
        Some(why) => Err(Error::new(Code::SCHEMA, format!("rows of version {version} do not fit the columns of the last version: {why}"))
            .with("version", version)
            .help("read the versions before and after that change apart from each other")),
    }
}
