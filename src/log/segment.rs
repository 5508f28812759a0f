//! From a listing, the files that make one version. Kind: pure. Spec: LOG, REC.
//!
//! Invariant: a segment's checkpoint and commits cover every version up to its own exactly once; a hole is never bridged.

use super::{LogFile, LogFileKind, Version};
use crate::error::{Code, Error};
use std::collections::{BTreeMap, BTreeSet};

/// So many runs of readable versions are named, the newest ones.
const RUNS_SHOWN: usize = 4;

/// A complete checkpoint: one file (classic or uuid-named), or all parts in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointFiles {
    pub version: Version,
    pub files: Vec<LogFile>,
}

impl CheckpointFiles {
    /// What it is called in warnings and errors: its first file.
    pub fn name(&self) -> &str {
        self.files.first().map_or("", |f| f.name.as_str())
    }
    /// Bytes of its files (sidecars not counted).
    pub fn size(&self) -> u64 {
        self.files.iter().map(|f| f.size).sum()
    }
    /// Among checkpoints of one version: uuid-named before classic before parts (racing writers can mix parts).
    fn rank(&self) -> (Version, u8, &str) {
        let kind = match self.files.first().map(|f| &f.kind) {
            Some(LogFileKind::UuidCheckpoint { .. }) => 2,
            Some(LogFileKind::Checkpoint) => 1,
            _ => 0,
        };
        (self.version, kind, self.name())
    }
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
    /// Checksum files from the checkpoint up to `version`, newest first.
    pub checksums: Vec<LogFile>,
    /// Older complete checkpoints that can stand in when `checkpoint` turns out to be broken, newest first.
    pub older_checkpoints: Vec<CheckpointFiles>,
}

impl LogSegment {
    /// The first version of the tail.
    pub fn tail_from(&self) -> Version {
        self.checkpoint.as_ref().map_or(Version(0), |c| c.version.next())
    }
    /// When the store wrote the newest of its files, which is never later than the store's present.
    pub fn newest_modified(&self) -> Option<i64> {
        let files = self.commits.iter().chain(self.checkpoint.iter().flat_map(|c| &c.files)).chain(&self.checksums);
        files.map(|file| file.modified).max()
    }
    /// Bytes of the commits of the tail.
    pub fn tail_size(&self) -> u64 {
        self.commits.iter().map(|f| f.size).sum()
    }
}

/// Why a listing does not make a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSegment {
    /// No commit and no complete checkpoint at all.
    Nothing,
    /// The version asked for is newer than everything.
    TooNew { latest: Version },
    /// A commit that must be there is not.
    Missing(Version),
}

/// The files of `target`, or of the newest version. `broken` names checkpoints that turned out to be unusable.
pub(crate) fn choose(files: &[LogFile], target: Option<Version>, broken: &BTreeSet<String>) -> Result<LogSegment, NoSegment> {
    let log = Log::sort(files, broken);
    let latest = log.latest().ok_or(NoSegment::Nothing)?;
    let version = match target {
        Some(target) if target > latest => return Err(NoSegment::TooNew { latest }),
        Some(target) => target,
        None => latest,
    };
    let mut checkpoints: Vec<_> = log.checkpoints.into_iter().rev().skip_while(|c| c.version > version).collect();
    let checkpoint = (!checkpoints.is_empty()).then(|| checkpoints.remove(0));
    let from = checkpoint.as_ref().map_or(Version(0), |c| c.version.next());
    let mut commits = Vec::new();
    if from <= version {
        let mut expected = from;
        for (at, file) in log.commits.range(from..=version) {
            if *at != expected {
                break;
            }
            commits.push((*file).clone());
            expected = expected.next();
        }
        if expected <= version {
            return Err(NoSegment::Missing(expected));
        }
    }
    let base = checkpoint.as_ref().map(|c| c.version);
    Ok(LogSegment {
        version,
        compactions: compactions(&log.compactions, from, version),
        commits,
        checksums: log
            .checksums
            .into_iter()
            .rev()
            .filter(|f| f.version <= version && base.is_none_or(|c| c <= f.version))
            .cloned()
            .collect(),
        older_checkpoints: checkpoints,
        checkpoint,
    })
}

/// Why newer checkpoints than that of `segment` do not make its version although they are there: without bytes, or without all their parts.
pub(crate) fn passed_over(files: &[LogFile], segment: &LogSegment) -> Vec<String> {
    let newer = |file: &&LogFile| file.version <= segment.version && segment.checkpoint.as_ref().is_none_or(|c| c.version < file.version);
    let mut why: BTreeMap<(Version, u32), (&str, u32)> = BTreeMap::new();
    let mut notes = Vec::new();
    for file in files.iter().filter(newer) {
        match file.kind {
            LogFileKind::Checkpoint | LogFileKind::UuidCheckpoint { .. } if file.size == 0 => {
                notes.push(format!("the checkpoint {} was skipped: it has no bytes", file.name));
            }
            LogFileKind::CheckpointPart { parts, .. } => {
                why.entry((file.version, parts)).or_insert((&file.name, 0)).1 += u32::from(file.size > 0);
            }
            _ => {}
        }
    }
    let torn = why.into_iter().filter(|((_, parts), (_, whole))| whole < parts);
    notes.extend(
        torn.map(|((_, parts), (name, whole))| format!("the checkpoint {name} was skipped: {whole} of its {parts} parts are whole")),
    );
    notes
}

/// Every complete checkpoint of a listing, oldest first; of one version the one that is read comes last.
pub(crate) fn complete_checkpoints(files: &[LogFile]) -> Vec<CheckpointFiles> {
    Log::sort(files, &BTreeSet::new()).checkpoints
}

/// The first and the last version of a whole listing, between which every version can be rebuilt; what a clean-up that was cut short has
/// left below is passed over.
pub(crate) fn available(files: &[LogFile]) -> Option<(Version, Version)> {
    let log = Log::sort(files, &BTreeSet::new());
    let latest = log.latest()?;
    // From here on no commit is missing.
    let unbroken = log.commits.keys().rev().zip((0..=latest.0).rev()).take_while(|(found, wanted)| found.0 == *wanted);
    let from = unbroken.last().map_or(latest.next(), |(version, _)| *version);
    if from == Version(0) {
        return Some((from, latest));
    }
    if let Some(checkpoint) = log.checkpoints.iter().find(|c| c.version.next() >= from) {
        return Some((checkpoint.version, latest));
    }
    // The newest version is broken itself.
    let first = log.commits.first_key_value().map(|(version, _)| *version).filter(|version| *version == Version(0));
    first.or(log.checkpoints.first().map(|c| c.version)).map(|first| (first, latest))
}

/// The versions that can be read, as runs of them, oldest first.
fn readable(files: &[LogFile]) -> Vec<(Version, Version)> {
    let log = Log::sort(files, &BTreeSet::new());
    let starts: BTreeSet<Version> = log.checkpoints.iter().map(|c| c.version).collect();
    let mut runs: Vec<(Version, Version)> = Vec::new();
    for at in log.commits.keys().copied().chain(starts.iter().copied()).collect::<BTreeSet<_>>() {
        match runs.last_mut() {
            Some((_, last)) if last.next() == at => *last = at,
            _ if at == Version(0) || starts.contains(&at) => runs.push((at, at)),
            _ => {}
        }
    }
    runs
}

/// The same in words: `0 to 419, 449`. Of many runs the newest.
pub(crate) fn readable_text(files: &[LogFile]) -> Option<String> {
    let runs = readable(files);
    let shown = |(first, last): &(Version, Version)| if first == last { first.to_string() } else { format!("{first} to {last}") };
    let texts: Vec<String> = runs.iter().rev().take(RUNS_SHOWN).rev().map(shown).collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

/// The error for a whole listing that does not make `target`.
pub(crate) fn explain(files: &[LogFile], target: Option<Version>, why: NoSegment) -> Error {
    let range = available(files);
    let readable = readable_text(files);
    let no_version = |version: Version| {
        let error = Error::new(Code::VERSION, format!("version {version} does not exist")).with("version", version);
        match (range, &readable) {
            (Some((first, last)), Some(readable)) => {
                error.with("earliest", first).with("latest", last).help(format!("choose a version that can be read: {readable}"))
            }
            _ => error,
        }
    };
    // A commit that was cleaned up is missed by nobody; one between others that are there is.
    let is_there = |version: Version| files.iter().any(|f| f.kind == LogFileKind::Commit && f.version == version);
    let is_cleaned_up = |missing: Version, target: Version| {
        !((is_there(target) || missing == target) && missing.0.checked_sub(1).is_some_and(|v| is_there(Version(v))))
    };
    match (why, target) {
        (NoSegment::Nothing, _) => no_table(),
        (NoSegment::TooNew { latest }, target) => no_version(target.unwrap_or(latest)),
        (NoSegment::Missing(missing), Some(target)) if range.is_some_and(|(first, _)| target < first) && is_cleaned_up(missing, target) => {
            no_version(target)
        }
        (NoSegment::Missing(version), _) => {
            let gap = gap(version);
            match readable {
                Some(readable) => gap.help(format!("restore the file from a copy; with --version these can be read: {readable}")),
                None => gap,
            }
        }
    }
}

/// The error for a log that holds nothing to begin with.
pub(crate) fn no_table() -> Error {
    Error::new(Code::TABLE, "there is no Delta table: its log holds no commit and no complete checkpoint")
        .help("check the path; `create` and `append` make a table, `convert` makes one of a folder of Parquet files")
}

pub(crate) fn gap(version: Version) -> Error {
    let readable = if version == Version(0) { "" } else { "; versions before it stay readable with --version" };
    Error::new(Code::LOG_GAP, format!("version {version} is missing from the log"))
        .with("version", version)
        .with("file", LogFile::commit_name(version))
        .help(format!("restore the file from a copy{readable}"))
}

/// Largest first from the left: each begins where the tail is not covered yet and ends inside it.
fn compactions(all: &[&LogFile], from: Version, version: Version) -> Vec<LogFile> {
    let mut spans: Vec<_> =
        all.iter().filter_map(|f| Some((f.version, compaction_end(f)?, *f))).filter(|(x, y, _)| *x >= from && *y <= version).collect();
    spans.sort_by_key(|(x, y, _)| (*x, std::cmp::Reverse(*y)));
    let mut chosen = Vec::new();
    let mut next = from;
    for (x, y, file) in spans {
        if x >= next {
            chosen.push(file.clone());
            next = y.next();
        }
    }
    chosen
}

/// The last version that a compaction covers.
pub(crate) fn compaction_end(file: &LogFile) -> Option<Version> {
    match file.kind {
        LogFileKind::Compaction { to } => Some(to),
        _ => None,
    }
}

/// A listing by kind. Files without bytes count only as commits (where they are an error of their own).
struct Log<'a> {
    commits: BTreeMap<Version, &'a LogFile>,
    /// Complete ones, worst first.
    checkpoints: Vec<CheckpointFiles>,
    compactions: Vec<&'a LogFile>,
    checksums: Vec<&'a LogFile>,
}

impl<'a> Log<'a> {
    fn sort(files: &'a [LogFile], broken: &BTreeSet<String>) -> Log<'a> {
        let mut log = Log { commits: BTreeMap::new(), checkpoints: Vec::new(), compactions: Vec::new(), checksums: Vec::new() };
        let mut parts: BTreeMap<(Version, u32), BTreeMap<u32, &LogFile>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for file in files {
            if file.kind != LogFileKind::Commit && (file.size == 0 || !seen.insert(file.name.as_str())) {
                continue;
            }
            match file.kind {
                LogFileKind::Commit => drop(log.commits.insert(file.version, file)),
                LogFileKind::Checkpoint | LogFileKind::UuidCheckpoint { .. } => {
                    log.checkpoints.push(CheckpointFiles { version: file.version, files: vec![file.clone()] });
                }
                LogFileKind::CheckpointPart { part, parts: count } => {
                    parts.entry((file.version, count)).or_default().insert(part, file);
                }
                LogFileKind::Compaction { .. } => log.compactions.push(file),
                LogFileKind::Checksum => log.checksums.push(file),
            }
        }
        let whole = parts.into_iter().filter(|((_, count), found)| found.len() == *count as usize);
        log.checkpoints
            .extend(whole.map(|((version, _), found)| CheckpointFiles { version, files: found.into_values().cloned().collect() }));
        log.checkpoints.retain(|c| !broken.contains(c.name()));
        log.checkpoints.sort_by(|a, b| a.rank().cmp(&b.rank()));
        log.checksums.sort_by_key(|f| f.version);
        log
    }
    fn latest(&self) -> Option<Version> {
        let commit = self.commits.last_key_value().map(|(v, _)| *v);
        commit.max(self.checkpoints.last().map(|c| c.version))
    }
}

#[cfg(test)]
#[path = "segment_tests.rs"]
mod tests;
