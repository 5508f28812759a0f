//! What of the log of a table is too old to be kept, and the proof that the rest can be read without it. Kind: edge. Spec: CLN.
//!
//! Invariant: the log is cut only at a checkpoint that was read to its end and holds what the log says elsewhere.

use super::history::CommitTimes;
use super::load::read_checksum;
use super::{At, CountEffort, FileQuery, Snapshot};
use crate::env::Timestamp;
use crate::error::{Code, Error, Result};
use crate::log::checkpoint::read_small;
use crate::log::cleanup::{OldFile, OldKind, below, cuts, keeps_all, midnight_before, named_sidecars, sidecar_cutoff};
use crate::log::listing::list;
use crate::log::segment::explain;
use crate::log::{Action, LogFile, LogFileKind, Version};
use crate::storage::failure;
use futures::TryStreamExt;
use std::sync::Arc;

const SIDECARS: &str = "_sidecars";
const STAGED: &str = "_staged_commits";

/// What may go of a log.
#[derive(Debug, Default)]
pub(crate) struct ExpiredLog {
    /// The first version that can be read afterwards; `None` when the log is not cut.
    pub first_kept: Option<Version>,
    /// In the order in which they go.
    pub files: Vec<OldFile>,
    /// Why something stays that is old enough.
    pub warnings: Vec<String>,
}

impl Snapshot {
    /// What may go of the log, by the newest version's properties: nothing while `delta.enableExpiredLogCleanup` is false.
    /// `LB-FEATURE-WRITE` where this build or the table's catalog forbids it, `LB-LOG-GAP` when the log has a hole already.
    ///
    /// Requests: a whole listing of the log and of its sidecars, a refresh, a small read of each checkpoint that stays when there are
    /// sidecars, and the whole checkpoint at which the log is cut. Nothing is deleted.
    pub(crate) async fn expired_log(self: &Arc<Self>, clock: StoreClock) -> Result<ExpiredLog> {
        let files = list(self.table().log(), Version(0)).await?.files;
        // Looked for after the listing, so that no newer property or protection is missed. (CLN-6)
        self.refresh().await?.expired_of(&files, clock).await
    }

    async fn expired_of(self: &Arc<Self>, files: &[LogFile], clock: StoreClock) -> Result<ExpiredLog> {
        self.state().check_readable()?;
        self.state().check_writable()?;
        self.check_cleanup_permitted()?;
        let table = self.table();
        let mut expired = ExpiredLog::default();
        if !self.state().cleans_up_log()? {
            expired.warnings.push("`delta.enableExpiredLogCleanup` is false: nothing of the log is deleted".to_owned());
            return Ok(expired);
        }
        let newest = files.iter().map(|file| file.modified).max().unwrap_or(i64::MAX);
        let now = table.env().now().millis();
        let now = if clock == StoreClock::NewestFile { now.min(newest) } else { now };
        expired.first_kept = self.cut(files, now, &mut expired.warnings).await?;
        if let Some(first_kept) = expired.first_kept {
            expired.files = below(files, first_kept);
            let latest = files.iter().filter(|file| file.kind == LogFileKind::Commit).map(|file| file.version).max().unwrap_or(first_kept);
            keeps_all(files, &expired.files, first_kept, latest).map_err(|why| explain(files, Some(latest), why))?;
            if table.log().is_ratified_by_catalog() {
                expired.files.extend(self.staged_up_to(first_kept).await?);
            }
        }
        // Sidecars become nobody's when checkpoints go, or when a writer has died.
        if expired.first_kept.is_some() || clock == StoreClock::Local {
            expired.files.extend(self.lost_sidecars(files, &expired.files, now, &mut expired.warnings).await?);
        }
        expired.files.sort();
        expired.files.dedup();
        Ok(expired)
    }

    fn check_cleanup_permitted(&self) -> Result<()> {
        match self.table().log().permits_cleanup() {
            true => Ok(()),
            false => Err(Error::new(Code::FEATURE_WRITE, "the catalog of this table does not permit others to delete its log files")
                .with("table", self.table().root().url())
                .help("let the catalog clean up the log")),
        }
    }

    /// What lies below a version, however young: its checkpoint is proven first, as for any other cut. `LB-CKPT` when it cannot stand alone,
    /// `LB-LOG-GAP` when a newer version could not be read, `LB-FEATURE-WRITE` where the history is protected or the catalog forbids it.
    pub(crate) async fn log_below(self: &Arc<Self>, version: Version) -> Result<Vec<OldFile>> {
        self.check_cleanup_permitted()?;
        self.state().check_history_removal(version)?;
        let files = list(self.table().log(), Version(0)).await?.files;
        let old = below(&files, version);
        let latest = files.iter().filter(|file| file.kind == LogFileKind::Commit).map(|file| file.version).max().unwrap_or(version);
        keeps_all(&files, &old, version, latest).map_err(|why| explain(&files, Some(latest), why))?;
        self.table().snapshot_at(At::Version(version)).await?.prove_checkpoint().await?;
        Ok(old)
    }

    /// The checkpoint at which the log is cut: the newest that is old enough, is not protected, and is proven. (CLN-1, CLN-5)
    async fn cut(&self, files: &[LogFile], now: i64, warnings: &mut Vec<String>) -> Result<Option<Version>> {
        let cutoff = Timestamp(midnight_before(now, self.state().log_retention_ms()?));
        let Some(expired) = CommitTimes::of(self, files).await?.newest_not_after(self.table(), cutoff).await? else { return Ok(None) };
        for checkpoint in cuts(files, expired).map_err(|why| explain(files, Some(expired), why))? {
            let version = checkpoint.version;
            if below(files, version).is_empty() {
                return Ok(None);
            }
            if let Err(e) = self.state().check_history_removal(version) {
                warnings.push(format!("versions below {version} stay: {}", e.message()));
                return Ok(None);
            }
            let snapshot = self.table().snapshot_at(At::Version(version)).await?;
            match snapshot.prove_checkpoint().await {
                Ok(()) => return Ok(Some(version)),
                // A host with more memory may compare it. (CLN-12)
                Err(e) if matches!(e.code(), Code::CKPT | Code::LIMIT) => {
                    warnings.push(format!("the log is not cut at version {version}: {}", e.message()));
                }
                Err(e) => return Err(e),
            }
        }
        Ok(None)
    }

    /// Reads the checkpoint at this version to its end and compares it with the checksum, else with what older files say.
    /// `LB-CKPT` when it cannot stand alone.
    async fn prove_checkpoint(self: &Arc<Self>) -> Result<()> {
        let unfit = |why: &str| Error::new(Code::CKPT, why.to_owned()).with("version", self.version());
        let Some(checkpoint) = self.segment().checkpoint.as_ref().filter(|c| c.version == self.version()) else {
            return Err(self.warnings().first().map_or_else(|| unfit("its checkpoint does not read"), |why| unfit(why)));
        };
        let small = read_small(self.table().root(), self.table().env(), checkpoint, &self.first_file).await?;
        let has = |f: fn(&Action) -> bool| small.iter().any(f);
        if !has(|a| matches!(a, Action::Protocol(_))) || !has(|a| matches!(a, Action::Metadata(_))) {
            return Err(unfit("its checkpoint lacks protocol or metadata"));
        }
        let mut found = (0u64, 0u64);
        let mut batches = self.checkpoint_files(FileQuery::default());
        while let Some(batch) = batches.try_next().await? {
            found.0 += batch.len() as u64;
            found.1 = (0..batch.len()).fold(found.1, |sum, row| sum.saturating_add(batch.size(row).unsigned_abs()));
        }
        let checksum = match self.segment().checksums.first().filter(|file| file.version == self.version()) {
            Some(file) => {
                read_checksum(self.table(), file).await.ok().map(|c| (c.num_files.unsigned_abs(), c.table_size_bytes.unsigned_abs()))
            }
            None => None,
        };
        if checksum == Some(found) {
            return Ok(());
        }
        let replayed = match self.without_checkpoint(unfit("set aside")).await {
            Ok(other) => other.counts(CountEffort::Exact).await?.map(|counts| (counts.files, counts.bytes)),
            Err(e) if e.code() == Code::CKPT => None,
            Err(e) => return Err(e),
        };
        match replayed.or(checksum) {
            Some(expected) if expected != found => {
                Err(unfit(&format!("its checkpoint holds {} files, {} are expected", found.0, expected.0)))
            }
            _ => Ok(()),
        }
    }

    /// Staged commits that were published long ago, or never ratified.
    async fn staged_up_to(&self, first_kept: Version) -> Result<Vec<OldFile>> {
        let mut old = Vec::new();
        for (name, bytes, _) in self.folder(STAGED).await? {
            let version = name.split_once('.').and_then(|(digits, _)| digits.parse::<u64>().ok()).filter(|_| name.ends_with(".json"));
            if version.is_some_and(|version| version <= first_kept.0) {
                old.push(OldFile { kind: OldKind::StagedCommit, name: format!("{STAGED}/{name}"), bytes });
            }
        }
        Ok(old)
    }

    /// Sidecars that no checkpoint that stays names, and that are not so young that one may be on its way. (CLN-8)
    async fn lost_sidecars(&self, files: &[LogFile], gone: &[OldFile], now: i64, warnings: &mut Vec<String>) -> Result<Vec<OldFile>> {
        let cutoff = sidecar_cutoff(now);
        let mut old = self.folder(SIDECARS).await?;
        old.retain(|(name, _, modified)| *modified < cutoff && name.ends_with(".parquet"));
        if old.is_empty() {
            return Ok(Vec::new());
        }
        let stays = |file: &&LogFile| !gone.iter().any(|g| g.kind == OldKind::Checkpoint && g.name == file.name);
        let left: Vec<LogFile> = files.iter().filter(stays).cloned().collect();
        let root = self.table().root();
        match named_sidecars(root, self.table().env(), &left).await {
            Ok(named) => {
                old.retain(|(name, _, _)| !named.contains(&root.log_key(&format!("{SIDECARS}/{name}"))));
                let file = |(name, bytes, _)| OldFile { kind: OldKind::Sidecar, name: format!("{SIDECARS}/{name}"), bytes };
                Ok(old.into_iter().map(file).collect())
            }
            Err(e) if matches!(e.code(), Code::CKPT | Code::PATH) => {
                warnings.push(format!("sidecars stay, for a checkpoint does not say which it needs: {}", e.message()));
                Ok(Vec::new())
            }
            Err(e) => Err(e),
        }
    }

    /// What lies directly in a folder of the log: name, bytes, and when the store says it was written.
    async fn folder(&self, name: &str) -> Result<Vec<(String, u64, i64)>> {
        let root = self.table().root();
        let folder = root.log_key(name);
        let objects: Vec<_> = root.store().list(Some(&folder)).try_collect().await.map_err(|e| failure(e, "listing the log", name))?;
        let inside = |object: object_store::ObjectMeta| {
            let name = object.location.as_ref().strip_prefix(folder.as_ref())?.strip_prefix('/')?;
            (!name.contains('/')).then(|| (name.to_owned(), object.size, object.last_modified.timestamp_millis()))
        };
        Ok(objects.into_iter().filter_map(inside).collect())
    }
}

/// What "now" is when ages are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreClock {
    /// The local clock: somebody has asked for a clean-up.
    Local,
    /// The local clock, but never later than the newest file of the log, which this process has just written: a wrong local clock deletes
    /// nothing that the store thinks is young.
    NewestFile,
}
