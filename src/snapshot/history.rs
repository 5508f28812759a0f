//! Commit times, time travel, the history of a table. Kind: edge. Spec: TT.

use crate::env::Timestamp;
use crate::error::Result;
use crate::log::{CommitInfo, Version};
use crate::table::Table;
use futures::stream::BoxStream;

/// One commit, as `history` shows it.
#[derive(Clone, Debug)]
pub struct HistoryEntry {
    pub version: Version,
    /// The in-commit timestamp, else the adjusted time of the commit file.
    pub timestamp: Timestamp,
    /// Missing when the writer left none.
    pub commit_info: Option<CommitInfo>,
}

impl Table {
    /// The commits that are still there, newest first; at most `limit`.
    pub fn history(&self, limit: Option<usize>) -> BoxStream<'static, Result<HistoryEntry>> {
        let _ = limit;
        todo!("snapshot room")
    }
}
