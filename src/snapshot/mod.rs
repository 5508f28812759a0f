//! One version of a table: small facts at once, the file list as a lazy stream. Spec: REC.

mod checkpoint;
mod cleanup;
mod counts;
mod difference;
mod files;
mod history;
mod layout;
mod load;
mod refresh;
mod stand_in;
mod stats;

pub(crate) use cleanup::{ExpiredLog, StoreClock};
pub(crate) use difference::{FileKeys, Known};
pub use files::{FileBatch, FileQuery};
pub use history::HistoryEntry;
pub(crate) use history::{adjusted, own_time, read_commit_info, version_at};
pub(crate) use layout::expected;
pub use layout::{FileLayout, Skipping};
pub(crate) use load::load_unbroken;
pub(crate) use stats::{bounds_of, may_hold};

use crate::env::Timestamp;
use crate::error::{Code, Result};
use crate::features::TableState;
use crate::log::checkpoint::{FirstFile, read_small};
use crate::log::checksum::Checksum;
use crate::log::segment::LogSegment;
use crate::log::{Action, LogTail, SmallFacts, Txn, Version};
use crate::table::Table;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// Which version of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    Latest,
    Version(Version),
    /// The newest version that is not younger.
    Timestamp(Timestamp),
}

/// One version of a table.
#[derive(Debug)]
pub struct Snapshot {
    version: Version,
    /// When it was the newest one; `None` when nobody asked.
    newest_at: Option<Timestamp>,
    table: Table,
    state: Arc<TableState>,
    segment: LogSegment,
    /// The checkpoint's first file, once something has opened it.
    first_file: FirstFile,
    tail: LogTail,
    facts: SmallFacts,
    /// A valid checksum that was read while loading, with its version.
    checksum: Option<(Version, Arc<Checksum>)>,
    /// Bytes of the checkpoint and its sidecars, when loading has seen them.
    checkpoint_bytes: Option<u64>,
    /// Application versions of the checkpoint, read when they are first asked for.
    older_txns: OnceCell<BTreeMap<String, Txn>>,
    /// The same version without its checkpoint, once that has turned out to be broken.
    stand_in: OnceCell<Arc<Snapshot>>,
    /// What was skipped or replaced to load this version (a broken checkpoint, a torn hint); for the user.
    warnings: Vec<String>,
}

/// How much a version holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub files: u64,
    pub bytes: u64,
    /// Rows that are not deleted; unknown when a file lacks statistics.
    pub records: Option<u64>,
    pub deleted_records: Option<u64>,
}

/// How hard to try for counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountEffort {
    /// From a valid checksum advanced over later commits, else counted when checkpoint and tail are under 32 MiB, else unknown.
    Cheap,
    /// Always counted.
    Exact,
}

impl Table {
    /// The newest version. `LB-TABLE` when there is no table.
    pub async fn snapshot(&self) -> Result<Arc<Snapshot>> {
        self.snapshot_at(At::Latest).await
    }
    /// A chosen version. `LB-VERSION` when it does not exist, naming those that do.
    ///
    /// Commits after the chosen version are not looked at, so it stays readable when they are damaged. Memory: the decoded commits
    /// after its checkpoint (`LB-LIMIT` when they outgrow the budget). Requests: one list and one get of the hint, then in parallel
    /// one get for each commit after the checkpoint and one for the checksum or the checkpoint.
    pub async fn snapshot_at(&self, at: At) -> Result<Arc<Snapshot>> {
        match at {
            At::Latest => load::load(self, None).await,
            At::Version(version) => load::load(self, Some(version)).await,
            At::Timestamp(time) => load::load(self, Some(history::version_at(self, time).await?)).await,
        }
    }
}

impl Table {
    /// The newest version, for who lists its files next: the same, in a request less where the checkpoint is small.
    pub(crate) async fn snapshot_for_files(&self) -> Result<Arc<Snapshot>> {
        load::load_for_files(self).await
    }
}

impl Snapshot {
    pub fn version(&self) -> Version {
        self.version
    }
    pub(crate) fn newest_at(&self) -> Option<Timestamp> {
        self.newest_at
    }
    pub fn table(&self) -> &Table {
        &self.table
    }
    pub fn state(&self) -> &Arc<TableState> {
        &self.state
    }
    pub(crate) fn segment(&self) -> &LogSegment {
        &self.segment
    }
    /// The decoded commits after the checkpoint (or from version 0), read once when the snapshot was loaded.
    pub(crate) fn tail(&self) -> &LogTail {
        &self.tail
    }
    /// What was skipped or replaced to load this version; for the user.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
    /// Protocol, metadata, domains and the newest `commitInfo`; application versions as far as they are known without a request.
    pub(crate) fn facts(&self) -> &SmallFacts {
        &self.facts
    }
    /// Every application's newest version that is still remembered (`delta.setTransactionRetentionDuration`). At most the small
    /// actions of the checkpoint are read, once.
    pub async fn app_versions(&self) -> Result<Vec<Txn>> {
        let older = self.older_txns().await?.values().filter(|t| !self.facts.txns.contains_key(&t.app_id));
        let forgotten = self.forgotten()?;
        let mut all: Vec<Txn> = self.facts.txns.values().chain(older).filter(|t| !forgotten(t)).cloned().collect();
        all.sort_by(|a, b| a.app_id.cmp(&b.app_id));
        Ok(all)
    }
    /// The newest version that an application has recorded, while it is remembered.
    pub async fn app_version(&self, app_id: &str) -> Result<Option<i64>> {
        let forgotten = self.forgotten()?;
        let txn = match self.facts.txns.get(app_id) {
            Some(txn) => Some(txn),
            None => self.older_txns().await?.get(app_id),
        };
        Ok(txn.filter(|t| !forgotten(t)).map(|t| t.version))
    }
    /// The local time, but never later than the newest file of the log: a clock that is ahead forgets nothing that is young by the store's. (CKP-18)
    fn now_by_log(&self) -> i64 {
        let now = self.table.env().now().millis();
        self.segment.newest_modified().map_or(now, |newest| newest.min(now))
    }
    /// When a table forgets applications, it forgets those without a date as well.
    fn forgotten(&self) -> Result<impl Fn(&Txn) -> bool> {
        let oldest = self.state.app_version_retention_ms()?.map(|ms| self.now_by_log().saturating_sub(ms));
        Ok(move |txn: &Txn| oldest.is_some_and(|oldest| txn.last_updated.is_none_or(|t| t <= oldest)))
    }
    async fn older_txns(&self) -> Result<&BTreeMap<String, Txn>> {
        let read = || async {
            let Some(checkpoint) = self.segment.checkpoint.as_ref().filter(|_| !self.facts.txns_known) else { return Ok(BTreeMap::new()) };
            let actions = match read_small(self.table.root(), self.table.env(), checkpoint, &self.first_file).await {
                Err(e) if e.code() == Code::CKPT => {
                    let other = self.without_checkpoint(e).await?;
                    let mut txns = Box::pin(other.older_txns()).await?.clone();
                    txns.extend(other.facts.txns.clone());
                    return Ok(txns);
                }
                read => read?,
            };
            let txns = actions.into_iter().filter_map(|a| if let Action::Txn(t) = a { Some((t.app_id.clone(), t)) } else { None });
            Ok(txns.collect())
        };
        self.older_txns.get_or_try_init(read).await
    }
}
