//! One version of a table: small facts at once, the file list as a lazy stream. Spec: REC.

mod files;
mod history;
mod stats;

pub use files::{FileBatch, FileQuery};
pub use history::HistoryEntry;

use crate::env::Timestamp;
use crate::error::Result;
use crate::features::TableState;
use crate::log::segment::LogSegment;
use crate::log::{LogTail, Txn, Version};
use crate::table::Table;
use std::sync::Arc;

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
    table: Table,
    state: Arc<TableState>,
    segment: LogSegment,
    tail: LogTail,
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
    pub async fn snapshot_at(&self, at: At) -> Result<Arc<Snapshot>> {
        let _ = at;
        todo!("snapshot room")
    }
}

impl Snapshot {
    pub fn version(&self) -> Version {
        self.version
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
    /// Files, bytes and rows of this version.
    pub async fn counts(self: &Arc<Self>, effort: CountEffort) -> Result<Option<Counts>> {
        let _ = effort;
        todo!("snapshot room")
    }
    /// Every application's newest version.
    pub async fn app_versions(&self) -> Result<Vec<Txn>> {
        todo!("snapshot room")
    }
    /// The in-commit timestamp, else the adjusted time of the commit file.
    pub async fn timestamp(&self) -> Result<Timestamp> {
        todo!("snapshot room")
    }
    /// The newest version, built from this one and the commits after it. Reads only what is new.
    pub async fn refresh(self: &Arc<Self>) -> Result<Arc<Snapshot>> {
        todo!("snapshot room")
    }
    /// The newest version that an application has recorded.
    pub async fn app_version(&self, app_id: &str) -> Result<Option<i64>> {
        let _ = app_id;
        todo!("snapshot room")
    }
}
