//! File names of the log <-> what they are. Kind: pure. Spec: LOG.

use std::fmt;

/// A table version. Never negative in a valid log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u64);

impl Version {
    /// The version after this one.
    pub fn next(self) -> Version {
        Version(self.0 + 1)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a file of the log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogFileKind {
    Commit,
    /// `N.checkpoint.parquet`, V1 or V2 content.
    Checkpoint,
    /// One part (1-based) of `parts`.
    CheckpointPart {
        part: u32,
        parts: u32,
    },
    /// `N.checkpoint.<uuid>.(json|parquet)`.
    UuidCheckpoint {
        uuid: String,
        json: bool,
    },
    /// Covers commits from the file's version to `to`, both included.
    Compaction {
        to: Version,
    },
    Checksum,
}

/// One file of the log, as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    pub version: Version,
    pub kind: LogFileKind,
    /// The name inside `_delta_log`.
    pub name: String,
    pub size: u64,
    /// Milliseconds since 1970, by the store's clock.
    pub modified: i64,
}

impl LogFile {
    /// Reads a name inside `_delta_log`; `None` for anything that is not a log file.
    pub fn parse(name: &str, size: u64, modified: i64) -> Option<LogFile> {
        let _ = (name, size, modified);
        todo!("log room")
    }
    /// The name of a commit.
    pub fn commit_name(version: Version) -> String {
        format!("{:020}.json", version.0)
    }
}
