//! File names of the log <-> what they are. Kind: pure. Spec: LOG.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A table version. Never negative in a valid log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
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

impl LogFileKind {
    /// Whether it is a checkpoint, or a part of one.
    pub(crate) fn is_checkpoint(&self) -> bool {
        matches!(self, LogFileKind::Checkpoint | LogFileKind::CheckpointPart { .. } | LogFileKind::UuidCheckpoint { .. })
    }
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
        let (digits, rest) = name.split_once('.')?;
        let version = version(digits)?;
        let kind = match rest {
            "json" => LogFileKind::Commit,
            "crc" => LogFileKind::Checksum,
            "checkpoint.parquet" => LogFileKind::Checkpoint,
            _ => match rest.strip_prefix("checkpoint.") {
                Some(rest) => checkpoint(rest)?,
                None => LogFileKind::Compaction { to: version_after(rest.strip_suffix(".compacted.json")?, version)? },
            },
        };
        Some(LogFile { version, kind, name: name.to_owned(), size, modified })
    }
    /// The name of a commit.
    pub fn commit_name(version: Version) -> String {
        format!("{:020}.json", version.0)
    }
}

/// Twenty digits that are a version: the protocol's versions are signed 64-bit numbers.
fn version(digits: &str) -> Option<Version> {
    let version = number(digits, 20)?;
    i64::try_from(version).ok().map(|_| Version(version))
}

fn version_after(digits: &str, first: Version) -> Option<Version> {
    version(digits).filter(|to| *to > first)
}

fn number(digits: &str, width: usize) -> Option<u64> {
    (digits.len() == width && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok()).flatten()
}

/// What follows `N.checkpoint.`: `<part>.<parts>.parquet` or `<uuid>.(json|parquet)`.
fn checkpoint(rest: &str) -> Option<LogFileKind> {
    let (stem, json) = match (rest.strip_suffix(".parquet"), rest.strip_suffix(".json")) {
        (Some(stem), _) => (stem, false),
        (_, Some(stem)) => (stem, true),
        _ => return None,
    };
    if let Some((part, parts)) = stem.split_once('.') {
        let part = u32::try_from(number(part, 10)?).ok()?;
        let parts = u32::try_from(number(parts, 10)?).ok()?;
        return (!json && 1 <= part && part <= parts).then_some(LogFileKind::CheckpointPart { part, parts });
    }
    let is_uuid = stem.len() == 36 && stem.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    is_uuid.then(|| LogFileKind::UuidCheckpoint { uuid: stem.to_owned(), json })
}

#[cfg(test)]
#[path = "path_tests.rs"]
mod tests;
