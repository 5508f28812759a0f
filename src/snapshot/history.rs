//! Commit times, time travel, the history of a table. Kind: edge. Spec: TT.

use super::{Snapshot, load_unbroken};
use crate::env::Timestamp;
use crate::error::{Code, Error, ErrorKind, Result};
use crate::log::listing::list;
use crate::log::read::parallel_reads;
use crate::log::segment::{available, gap, no_table, readable_text};
use crate::log::{CommitInfo, LogFile, LogFileKind, Version, decode_commit_info};
use crate::table::Table;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};

/// One commit, as `history` shows it.
#[derive(Clone, Debug)]
pub struct HistoryEntry {
    pub version: Version,
    /// The in-commit timestamp, else the adjusted time of the commit file.
    pub timestamp: Timestamp,
    /// Missing when the writer left none, and when the commit cannot be read.
    pub commit_info: Option<CommitInfo>,
    /// What is wrong with this commit, or with the one that must lie before it; for the user.
    pub warning: Option<String>,
}

impl Table {
    /// The commits that are still there, newest first; at most `limit`. `LB-TABLE` when there is no table.
    ///
    /// Requests: a whole listing of the log, one get for each entry; a bounded number at once.
    pub fn history(&self, limit: Option<usize>) -> BoxStream<'static, Result<HistoryEntry>> {
        let table = self.clone();
        let width = parallel_reads(self.env());
        let entries = async move {
            let listing = list(table.log(), Version(0)).await?;
            let Some((first, _)) = available(&listing.files) else { return Err(no_table().with("location", table.root().url())) };
            let commits = adjusted(&listing.files);
            let before: Vec<Option<Version>> = std::iter::once(None).chain(commits.iter().map(|(v, _)| Some(*v))).collect();
            let newest = commits.into_iter().zip(before).rev().take(limit.unwrap_or(usize::MAX));
            let read = move |((version, time), before): ((Version, Timestamp), Option<Version>)| {
                let table = table.clone();
                async move {
                    // What a clean-up has left below the first version is not missed.
                    let missing = version.0.checked_sub(1).map(Version).filter(|v| *v > first && before != Some(*v));
                    let mut warning = missing.map(|missing| told(&gap(missing)));
                    let commit_info = match read_commit_info(&table, version).await {
                        Err(e) if e.kind() == ErrorKind::Corrupt => {
                            warning = Some(format!("commit {version} cannot be read: {}", told(&e)));
                            None
                        }
                        read => read?,
                    };
                    let own_time = commit_info.as_ref().and_then(CommitInfo::in_commit_timestamp).map(Timestamp);
                    Ok(HistoryEntry { version, timestamp: own_time.unwrap_or(time), commit_info, warning })
                }
            };
            Ok(stream::iter(newest).map(read).buffered(width))
        };
        stream::once(entries).try_flatten().boxed()
    }
}

fn told(e: &Error) -> String {
    format!("{}: {}", e.code().as_str(), e.message())
}

/// Commits with the times of their files, made strictly rising: a time that does not rise becomes the one before plus 1 ms.
pub(crate) fn adjusted(files: &[LogFile]) -> Vec<(Version, Timestamp)> {
    let mut commits: Vec<(Version, Timestamp)> = Vec::new();
    for file in files.iter().filter(|f| f.kind == LogFileKind::Commit) {
        let floor = commits.last().map_or(i64::MIN, |(_, t)| t.millis().saturating_add(1));
        commits.push((file.version, Timestamp(file.modified.max(floor))));
    }
    commits
}

pub(crate) async fn read_commit_info(table: &Table, version: Version) -> Result<Option<CommitInfo>> {
    let body = table.log().read_commit(version).await?.ok_or_else(|| gap(version))?;
    decode_commit_info(&LogFile::commit_name(version), &body)
}

/// The newest version that is not younger than `time`. `LB-VERSION` before the first and after the last one. A commit that is damaged or
/// missing does not matter to times before it; its failure is that of later ones.
pub(crate) async fn version_at(table: &Table, time: Timestamp) -> Result<Version> {
    let (latest, broken) = load_unbroken(table).await?;
    let mut listing = list(table.log(), Version(0)).await?;
    let last_time = latest.timestamp().await?;
    if let Some(cause) = broken {
        let next = adjusted(&listing.files).into_iter().find(|(version, _)| *version > latest.version());
        // The time of its file says when the broken one was made, unless it is missing or commits carry their own times.
        let begin = next.filter(|(version, _)| *version == latest.version().next() && !latest.state().keeps_commit_times());
        let begin = begin.map_or(last_time, |(_, begin)| Timestamp(begin.millis().saturating_sub(1)));
        if time > begin {
            return Err(cause);
        }
        listing.files.retain(|file| file.version <= latest.version());
    } else if time > last_time {
        return Err(Error::new(
            Code::VERSION,
            format!("{time} is after the newest version, {}, which is of {last_time}", latest.version()),
        )
        .with("version", latest.version())
        .with("latest", last_time)
        .help("leave the timestamp out to read the newest version"));
    }
    let times = CommitTimes::of(&latest, &listing.files).await?;
    if let Some(version) = times.newest_not_after(table, time).await? {
        return Ok(version);
    }
    let earliest = times.earliest().unwrap_or((latest.version(), last_time));
    Err(Error::new(
        Code::VERSION,
        format!("{time} is before the earliest version that can be read, {}, which is of {}", earliest.0, earliest.1),
    )
    .with("version", earliest.0)
    .with("earliest", earliest.1)
    .help(match readable_text(&listing.files) {
        Some(readable) => format!("choose a later time, or with --version one that can be read: {readable}"),
        None => "choose a later time".to_owned(),
    }))
}

/// When the versions that can be rebuilt were made.
///
/// From the version on that carries its own times only these count, before it only the adjusted times of files.
pub(super) struct CommitTimes {
    latest: Version,
    by_file: Vec<(Version, Timestamp)>,
    /// Where commits begin to carry their own times, and the first of them.
    own: Option<(Version, Timestamp)>,
}

impl CommitTimes {
    /// From a whole listing, which shows the version of `latest`. One get at most.
    pub(super) async fn of(latest: &Snapshot, files: &[LogFile]) -> Result<CommitTimes> {
        let first = available(files).map_or(latest.version(), |(first, _)| first);
        let own = match latest.state().commit_times_since()? {
            Some((since, recorded)) => {
                let since = since.max(first);
                let begin = match recorded.filter(|_| since > first) {
                    Some(begin) => begin,
                    None => own_time(latest.table(), since).await?,
                };
                Some((since, begin))
            }
            None => None,
        };
        let known = |v: Version| first <= v && v <= latest.version() && own.is_none_or(|(since, _)| v < since);
        let by_file = adjusted(files).into_iter().filter(|(v, _)| known(*v)).collect();
        Ok(CommitTimes { latest: latest.version(), by_file, own })
    }
    /// The newest version that is not younger than `time`. One get for each step of a binary search, where commits carry their times.
    pub(super) async fn newest_not_after(&self, table: &Table, time: Timestamp) -> Result<Option<Version>> {
        if let Some((since, _)) = self.own.filter(|(_, begin)| time >= *begin) {
            let (mut low, mut high) = (since, self.latest);
            while low < high {
                let middle = Version(low.0 + (high.0 - low.0).div_ceil(2));
                if own_time(table, middle).await? <= time { low = middle } else { high = Version(middle.0 - 1) }
            }
            return Ok(Some(low));
        }
        Ok(self.by_file.iter().take_while(|(_, t)| *t <= time).last().map(|(v, _)| *v))
    }
    fn earliest(&self) -> Option<(Version, Timestamp)> {
        self.by_file.first().copied().or(self.own)
    }
}

/// The time that a commit carries itself.
pub(crate) async fn own_time(table: &Table, version: Version) -> Result<Timestamp> {
    let info = read_commit_info(table, version).await?;
    info.and_then(|i| i.in_commit_timestamp()).map(Timestamp).ok_or_else(|| {
        Error::new(Code::LOG_STATE, format!("commit {version} must carry its own time and does not")).with("version", version)
    })
}

impl Snapshot {
    /// The in-commit timestamp, else the adjusted time of the commit file. No request in most cases, one otherwise.
    pub async fn timestamp(&self) -> Result<Timestamp> {
        if let Some(time) = self.facts.commit_info.as_ref().and_then(CommitInfo::in_commit_timestamp) {
            return Ok(Timestamp(time));
        }
        let from_checksum = self.checksum.as_ref().filter(|(v, _)| *v == self.version).and_then(|(_, c)| c.in_commit_timestamp_opt);
        if let Some(time) = from_checksum {
            return Ok(Timestamp(time));
        }
        if self.state.keeps_commit_times() {
            // Only the checkpoint may be left of this version.
            if let Some(body) = self.table.log().read_commit(self.version).await? {
                let info = decode_commit_info(&LogFile::commit_name(self.version), &body)?;
                if let Some(time) = info.and_then(|i| i.in_commit_timestamp()) {
                    return Ok(Timestamp(time));
                }
            }
        }
        let known = |files: &[LogFile]| adjusted(files).last().filter(|(v, _)| *v == self.version).map(|(_, t)| *t);
        if let Some(time) = known(&self.segment.commits) {
            return Ok(time);
        }
        let mut listing = list(self.table.log(), self.segment.commits.first().map_or(self.version, |f| f.version)).await?;
        listing.files.retain(|f| f.version <= self.version);
        let checkpoint = self.segment.checkpoint.iter().flat_map(|c| &c.files).map(|f| Timestamp(f.modified)).max();
        known(&listing.files).or(checkpoint).ok_or_else(|| gap(self.version))
    }
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
