//! Which files of a log may go, and their deletion. Kind: pure, but for `delete`. Spec: CLN.
//!
//! A log is cut at a checkpoint: everything below it goes, it and everything above stay. Invariant: whenever deleting ends, each version
//! from the cut on is made of the same files as before.

use super::checkpoint::{FirstFile, read_small, sidecar_key};
use super::segment::{CheckpointFiles, LogSegment, NoSegment, choose, complete_checkpoints};
use super::{Action, LogFile, LogFileKind, Version};
use crate::env::Env;
use crate::error::Result;
use crate::storage::{TableRoot, failure};
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashSet};

/// What an old file is, in the order in which they go: whatever is left when deleting ends early can be read from a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OldKind {
    Commit,
    StagedCommit,
    Checksum,
    Compaction,
    Checkpoint,
    /// Of no checkpoint that stays.
    Sidecar,
}

impl OldKind {
    /// What plans call its deletion.
    pub fn deletion(self) -> &'static str {
        match self {
            OldKind::Commit => "delete_commit",
            OldKind::StagedCommit => "delete_staged_commit",
            OldKind::Checksum => "delete_checksum",
            OldKind::Compaction => "delete_compaction",
            OldKind::Checkpoint => "delete_checkpoint",
            OldKind::Sidecar => "delete_sidecar",
        }
    }
}

/// A file that may go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct OldFile {
    pub kind: OldKind,
    /// The name inside `_delta_log`; versions have their twenty digits, so names of one kind sort by version.
    pub name: String,
    pub bytes: u64,
}

/// A day, and what is rounded down to one: Spark cuts at midnight UTC, so that a table is cleaned once a day.
pub(crate) const DAY_MS: i64 = 86_400_000;
/// Sidecars that no checkpoint names are kept for so long: a checkpoint that names them may be on its way.
const SIDECAR_GRACE_MS: i64 = DAY_MS;

/// Midnight (UTC) before what is `age` milliseconds before `now`. (CLN-2)
pub(crate) fn midnight_before(now: i64, age: i64) -> i64 {
    let then = now.saturating_sub(age);
    then.saturating_sub(then.rem_euclid(DAY_MS))
}

/// Sidecars that are older than this and that nobody names may go. (CLN-8)
pub(crate) fn sidecar_cutoff(now: i64) -> i64 {
    midnight_before(now, SIDECAR_GRACE_MS)
}

/// The checkpoints at which the log may be cut when every version up to `expired` is old enough, newest first. (CLN-1)
pub(crate) fn cuts(files: &[LogFile], expired: Version) -> Result<Vec<CheckpointFiles>, NoSegment> {
    let LogSegment { checkpoint, older_checkpoints, .. } = choose(files, Some(expired), &BTreeSet::new())?;
    Ok(checkpoint.into_iter().chain(older_checkpoints).collect())
}

/// What goes when the log is cut at `first_kept`, in the order in which it goes. (CLN-4)
pub(crate) fn below(files: &[LogFile], first_kept: Version) -> Vec<OldFile> {
    let goes = |file: &&LogFile| match file.kind {
        // Nobody who begins at the cut reads it.
        LogFileKind::Compaction { .. } => file.version <= first_kept,
        _ => file.version < first_kept,
    };
    let mut old: Vec<OldFile> = files.iter().filter(goes).map(as_old).collect();
    old.sort();
    old.dedup();
    old
}

fn as_old(file: &LogFile) -> OldFile {
    let kind = match file.kind {
        LogFileKind::Commit if file.name.contains('/') => OldKind::StagedCommit,
        LogFileKind::Commit => OldKind::Commit,
        LogFileKind::Checksum => OldKind::Checksum,
        LogFileKind::Compaction { .. } => OldKind::Compaction,
        LogFileKind::Checkpoint | LogFileKind::CheckpointPart { .. } | LogFileKind::UuidCheckpoint { .. } => OldKind::Checkpoint,
    };
    OldFile { kind, name: file.name.clone(), bytes: file.size }
}

/// Whether every version from `first_kept` to `latest` is still made of files when `gone` are deleted. (CLN-3)
pub(crate) fn keeps_all(files: &[LogFile], gone: &[OldFile], first_kept: Version, latest: Version) -> Result<(), NoSegment> {
    let gone: HashSet<&str> = gone.iter().map(|file| file.name.as_str()).collect();
    let left: Vec<LogFile> = files.iter().filter(|file| !gone.contains(file.name.as_str())).cloned().collect();
    let first = choose(&left, Some(first_kept), &BTreeSet::new())?;
    if first.checkpoint.is_none_or(|c| c.version != first_kept) {
        return Err(NoSegment::Missing(first_kept));
    }
    let commits: BTreeSet<Version> = left.iter().filter(|f| f.kind == LogFileKind::Commit).map(|f| f.version).collect();
    match (first_kept.next().0..=latest.0).map(Version).find(|version| !commits.contains(version)) {
        Some(missing) => Err(NoSegment::Missing(missing)),
        None => Ok(()),
    }
}

/// The keys of all sidecars that these files of a log name. `LB-CKPT` when a checkpoint does not say. Costs one request a checkpoint.
pub(crate) async fn named_sidecars(root: &TableRoot, env: &Env, files: &[LogFile]) -> Result<HashSet<Path>> {
    let reads = complete_checkpoints(files)
        .into_iter()
        .map(|checkpoint| async move { read_small(root, env, &checkpoint, &FirstFile::default()).await }.boxed());
    let reads: Vec<_> = reads.collect();
    let mut reads = stream::iter(reads).buffer_unordered(env.threads().max(4));
    let mut named = HashSet::new();
    while let Some(actions) = reads.try_next().await? {
        for action in &actions {
            if let Action::Sidecar(sidecar) = action {
                named.insert(sidecar_key(root, &sidecar.path)?.1);
            }
        }
    }
    Ok(named)
}

/// How many files go at once: as many as one request of S3 takes, since a store deletes those of several requests in any order.
const ROUND: usize = 1_000;

/// Deletes old files, one kind after the other and the oldest of a kind first; what is gone already is no failure. Gives how many it was
/// asked for. Within a round the store chooses the order.
pub(crate) async fn delete(root: &TableRoot, files: &[OldFile]) -> Result<u64> {
    for group in files.chunk_by(|a, b| a.kind == b.kind).flat_map(|kind| kind.chunks(ROUND)) {
        let keys: Vec<Path> = group.iter().map(|file| root.log_key(&file.name)).collect();
        let mut gone = root.store().delete_stream(stream::iter(keys).map(Ok).boxed());
        while let Some(answer) = gone.next().await {
            match answer {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(e) => return Err(failure(e, "cleaning up the log", "_delta_log")),
            }
        }
    }
    Ok(files.len() as u64)
}

#[cfg(test)]
#[path = "cleanup_tests.rs"]
mod tests;
