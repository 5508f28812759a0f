//! From a listing, the files that make one version. Kind: pure. Spec: LOG, REC.

use super::{LogFile, Version};

/// A complete checkpoint: one file (classic or uuid-named), or all parts in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointFiles {
    pub version: Version,
    pub files: Vec<LogFile>,
}

/// The log files that make one version of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogSegment {
    pub version: Version,
    /// The newest usable checkpoint not above `version`.
    pub checkpoint: Option<CheckpointFiles>,
    /// Compaction files that replace commits of the tail, oldest first; disjoint, inside the tail.
    pub compactions: Vec<LogFile>,
    /// Every commit after the checkpoint up to `version`, oldest first, without gaps.
    pub commits: Vec<LogFile>,
    /// Checksum files not above `version`, newest first.
    pub checksums: Vec<LogFile>,
    /// Older complete checkpoints that can stand in when `checkpoint` turns out to be broken, newest first.
    pub older_checkpoints: Vec<CheckpointFiles>,
}
