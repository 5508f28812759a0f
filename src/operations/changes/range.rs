//! From what is asked for to the commits that are read. Kind: edge. Spec: CDF.

use crate::env::Timestamp;
use crate::error::{Code, Error, Result};
use crate::log::listing::list;
use crate::log::segment::available;
use crate::log::{LogFileKind, Version};
use crate::snapshot::{At, Snapshot, adjusted, own_time, version_at};
use std::collections::BTreeMap;

/// The commits that the log still has, with the times and sizes of their files.
pub(in crate::operations) struct Commits {
    /// Times made strictly rising.
    files: BTreeMap<Version, (Timestamp, u64)>,
    /// From here on versions can be rebuilt and no commit is missing.
    first: Version,
}

impl Commits {
    /// One whole listing of the log, as far as `latest`.
    pub(in crate::operations) async fn list(latest: &Snapshot) -> Result<Commits> {
        let mut listing = list(latest.table().log(), Version(0)).await?;
        listing.files.retain(|file| file.version <= latest.version());
        let sizes: BTreeMap<Version, u64> =
            listing.files.iter().filter(|f| f.kind == LogFileKind::Commit).map(|f| (f.version, f.size)).collect();
        let times = adjusted(&listing.files).into_iter();
        let files: BTreeMap<Version, (Timestamp, u64)> = times.map(|(v, time)| (v, (time, sizes.get(&v).copied().unwrap_or(0)))).collect();
        let rebuilt = available(&listing.files).map_or(latest.version(), |(first, _)| first);
        // Of a version that is only a checkpoint nothing says what it changed.
        let first = files.keys().copied().find(|version| *version >= rebuilt).unwrap_or(latest.version().next());
        Ok(Commits { files, first })
    }
    /// The time of a commit's file.
    pub(super) fn time(&self, version: Version) -> Timestamp {
        self.files.get(&version).map_or(Timestamp(0), |(time, _)| *time)
    }
    /// Bytes of a commit's file.
    pub(super) fn size(&self, version: Version) -> u64 {
        self.files.get(&version).map_or(0, |(_, size)| *size)
    }

    /// The versions asked for; `None` when no commit lies between two times.
    pub(in crate::operations) async fn between(&self, latest: &Snapshot, from: At, to: At) -> Result<Option<(Version, Version)>> {
        let newest = latest.version();
        let end = match to {
            At::Latest => newest,
            At::Version(version) => version.min(newest),
            At::Timestamp(time) => self.last_until(latest, time).await?.ok_or_else(|| {
                let error =
                    Error::new(Code::VERSION, format!("{time} is before the first change that can be read, of {}", self.time(self.first)));
                error.with("earliest", self.first).help("choose a later end")
            })?,
        };
        let start = match from {
            At::Latest => newest,
            At::Version(version) => version,
            At::Timestamp(time) => self.first_since(latest, time).await?,
        };
        if start > newest {
            let error =
                Error::new(Code::VERSION, format!("changes from version {start} on are not there yet: the newest version is {newest}"));
            return Err(error.with("version", start).with("latest", newest).help("begin at an existing version"));
        }
        if start < self.first {
            return Err(self.gone(start));
        }
        match start <= end {
            true => Ok(Some((start, end))),
            false if matches!((from, to), (At::Timestamp(_), At::Timestamp(_))) => Ok(None),
            false => Err(Error::new(
                Code::VERSION,
                format!("changes from version {start} to version {end} were asked for: the end lies before the start"),
            )
            .with("from", start)
            .with("to", end)),
        }
    }
    fn gone(&self, start: Version) -> Error {
        let error = Error::new(
            Code::CDF_GONE,
            format!("the log no longer has version {start}: its cleanup has removed what lies before version {}", self.first),
        );
        error
            .with("version", start)
            .with("earliest", self.first)
            .help("begin at the earliest version that is left, after reading the table at that version")
    }
    /// The newest commit that is not younger than `time`.
    async fn last_until(&self, latest: &Snapshot, time: Timestamp) -> Result<Option<Version>> {
        if time >= latest.timestamp().await? {
            return Ok(Some(latest.version()));
        }
        match version_at(latest.table(), time).await {
            Ok(version) => Ok(Some(version)),
            Err(e) if e.code() == Code::VERSION => Ok(None),
            Err(e) => Err(e),
        }
    }
    /// The oldest commit that is not older than `time`.
    async fn first_since(&self, latest: &Snapshot, time: Timestamp) -> Result<Version> {
        let Some(version) = self.last_until(latest, time).await? else {
            // The commits before the first that is left may have been younger than that.
            return if self.first == Version(0) {
                Ok(self.first)
            } else {
                Err(self.gone(Version(self.first.0 - 1)).with("timestamp", time))
            };
        };
        let at = match own_time(latest.table(), version).await {
            Ok(own) => own,
            Err(_) => self.time(version),
        };
        if at >= time {
            return Ok(version);
        }
        if version == latest.version() {
            let error = Error::new(Code::VERSION, format!("{time} is after the newest version, {version}, which is of {at}"));
            return Err(error.with("version", version).with("latest", at).help("begin at an earlier time"));
        }
        Ok(version.next())
    }
}
