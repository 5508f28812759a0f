//! Writes a checkpoint of a version. Kind: edge. Spec: CKP.
//!
//! Files are sorted by partition, then by the first column with statistics, so that Parquet's own statistics prune the list; a V2
//! checkpoint names unchanged sidecars of the one before again. Invariant: nothing is published unless every read succeeded, the
//! encoded bytes were read again, and their counts agree with what the log says elsewhere.

mod carry;
mod columns;
mod encode;

use super::Snapshot;
use crate::error::{Code, Error, Result};
use crate::features::CheckpointPolicy;
use crate::log::checkpoint::{Content, Encoder, FileColumns, Tally};
use crate::log::checksum::Checksum;
use crate::log::hint::{LAST_CHECKPOINT, LastCheckpoint, V2Checkpoint};
use crate::log::seen::PathForm;
use crate::log::{Action, CheckpointMetadata, NullableMap, Sidecar, Version};
use crate::storage::{PutOutcome, create, failure};
use bytes::Bytes;
use columns::file_columns;
use encode::{EncodedFiles, Shape};
use object_store::{ObjectStoreExt, PutPayload};
use std::sync::Arc;

/// With more of them than this the hint names neither actions nor sidecars.
const HINT_ACTIONS: usize = 30;

/// A checkpoint that is there now.
#[derive(Clone, Debug, Default)]
pub(crate) struct CheckpointWritten {
    pub version: Version,
    /// False when the version had one already, or another writer was faster.
    pub ours: bool,
    pub files: u64,
    pub removed: u64,
    /// Bytes of all its files.
    pub bytes: u64,
    /// Bytes of those that were written now.
    pub bytes_written: u64,
    /// Sidecars of the checkpoint before that it names again.
    pub sidecars_reused: u64,
    /// What is missing beside it (the checksum, the hint).
    pub warnings: Vec<String>,
}

impl Snapshot {
    /// Writes a checkpoint of this version in the kind that the table wants, then `N.crc` and `_last_checkpoint`.
    ///
    /// Every file appears by one create-only PUT, so that two writers cannot mix; the loser's work is dropped. Memory: one run of
    /// files (a sixteenth to a quarter of the budget) and the encoded file; for V2 the encoded sidecars of a run. Requests besides
    /// reading the file list: one PUT each for the checkpoint, the checksum, the hint, and for V2 each new sidecar; a sidecar that is named
    /// again costs one small read.
    pub(crate) async fn write_checkpoint(self: &Arc<Self>) -> Result<CheckpointWritten> {
        self.state().check_readable()?;
        self.state().check_writable()?;
        let mut written = CheckpointWritten { version: self.version(), ..CheckpointWritten::default() };
        if self.segment().checkpoint.as_ref().is_some_and(|c| c.version == self.version()) {
            return Ok(written);
        }
        self.table().root().check_writable().await?;
        // A checkpoint may stand only on commits that everybody sees.
        self.table().log().publish(self.version()).await?;
        match self.encode().await {
            // It cannot be built from what is broken, but perhaps from what lies before it.
            Err(e) if e.code() == Code::CKPT && self.segment().checkpoint.is_some() => {
                Box::pin(self.without_checkpoint(e).await?.write_checkpoint()).await
            }
            Err(e) => Err(e),
            Ok(encoded) => self.publish_all(encoded, &mut written).await.map(|()| written),
        }
    }

    /// Reads what must be read and encodes the files; the sidecars of a V2 checkpoint are published as they fill.
    async fn encode(self: &Arc<Self>) -> Result<Encoded> {
        let policy = self.state().checkpoint_policy()?;
        let columns = file_columns(self.state())?;
        let fingerprint = columns.fingerprint()?;
        let shape = Shape { columns: columns.clone(), fingerprint, form: PathForm::new(self.table().root().url()) };
        let others = self.small_actions().await?;
        if policy == CheckpointPolicy::V2 {
            let mut files = EncodedFiles::default();
            match self.carry(&shape, &mut files).await {
                Ok(Some(checksum)) => return Ok(Encoded { policy, columns, checksum, others, files }),
                Ok(None) => {}
                // Whatever was wrong with what is there, all can still be written from what can be read.
                Err(e) => {
                    tracing::info!(version = %self.version(), "the whole checkpoint is written anew: {e}");
                    self.take_back(&files.fresh).await;
                }
            }
        }
        let mut checksum = Checksum::of(self.facts(), self.state().protocol().clone(), self.state().metadata().clone());
        if self.state().keeps_commit_times() && checksum.in_commit_timestamp_opt.is_none() {
            // The tail may end in a compaction, which does not say when its last commit was made.
            checksum.in_commit_timestamp_opt = Some(self.timestamp().await?.millis());
        }
        let mut files = EncodedFiles::default();
        if let Err(e) = self.encode_all(policy, &shape, &mut checksum, &mut files).await {
            self.take_back(&files.fresh).await;
            return Err(e);
        }
        Ok(Encoded { policy, columns, checksum, others, files })
    }

    async fn publish_all(self: &Arc<Self>, encoded: Encoded, written: &mut CheckpointWritten) -> Result<()> {
        let Encoded { policy, columns, mut checksum, mut others, mut files } = encoded;
        if let Err(e) = self.check_counts(files.tally).await {
            self.take_back(&files.fresh).await;
            return Err(e);
        }
        checksum.set_transactions =
            Some(others.iter().filter_map(|a| if let Action::Txn(t) = a { Some(t.clone()) } else { None }).collect());
        let (name, body, tally) = match files.open.take() {
            Some(mut encoder) => {
                encoder.others(&others)?;
                let (body, tally) = encoder.finish()?;
                (format!("{:020}.checkpoint.parquet", self.version().0), body, tally)
            }
            None => {
                others.push(mark(self.version(), &files)?);
                others.extend(files.sidecars.iter().cloned().map(Action::Sidecar));
                let mut encoder = Encoder::new(Content::Manifest, columns)?;
                encoder.others(&others)?;
                let (body, tally) = encoder.finish()?;
                let uuid = self.table().env().new_uuid();
                (format!("{:020}.checkpoint.{uuid}.parquet", self.version().0), body, tally.plus(files.tally))
            }
        };
        written.ours = self.publish(&name, body.clone()).await?;
        let bytes_of = |sidecars: &[Sidecar]| sidecars.iter().map(|s| s.size_in_bytes).sum::<i64>().unsigned_abs();
        written.files = tally.files;
        written.removed = tally.removed;
        written.bytes = body.len() as u64 + bytes_of(&files.sidecars);
        written.bytes_written = body.len() as u64 + bytes_of(&files.fresh);
        written.sidecars_reused = (files.sidecars.len() - files.fresh.len()) as u64;
        if !written.ours {
            return Ok(());
        }
        if self.segment().checksums.first().is_none_or(|c| c.version != self.version())
            && let Err(e) = self.publish(&Checksum::file_name(self.version()), checksum.encode()?).await
        {
            written.warnings.push(format!("the checksum of version {} was not written: {e}", self.version()));
        }
        let hint = LastCheckpoint {
            version: i64::try_from(self.version().0).unwrap_or(i64::MAX),
            size: i64::try_from(tally.actions()).unwrap_or(-1),
            size_in_bytes: i64::try_from(written.bytes).ok(),
            num_of_add_files: i64::try_from(tally.files).ok(),
            v2_checkpoint: (policy == CheckpointPolicy::V2).then(|| self.hint_of(&name, body.len(), others, files.sidecars)),
            ..LastCheckpoint::default()
        };
        let key = self.table().root().log_key(LAST_CHECKPOINT);
        if let Err(e) = self.table().root().store().put(&key, PutPayload::from(hint.encode()?)).await {
            written.warnings.push(format!("`{LAST_CHECKPOINT}` was not written: {}", failure(e, "writing", LAST_CHECKPOINT)));
        }
        Ok(())
    }

    /// Protocol, metadata, application versions and domains, expired ones left out. (CKP-10)
    async fn small_actions(&self) -> Result<Vec<Action>> {
        let mut actions = vec![Action::Protocol(self.state().protocol().clone()), Action::Metadata(self.state().metadata().clone())];
        actions.extend(self.app_versions().await?.into_iter().map(Action::Txn));
        actions.extend(self.state().domains().iter().filter(|d| !d.removed).cloned().map(Action::DomainMetadata));
        Ok(actions)
    }

    /// Compares with the checksum that leads to this version, when there is one. (CKP-11)
    async fn check_counts(&self, found: Tally) -> Result<()> {
        let Some(expected) = self.advanced_checksum().await else { return Ok(()) };
        if expected.num_files.unsigned_abs() == found.files && expected.table_size_bytes == found.file_bytes {
            return Ok(());
        }
        Err(Error::new(Code::CKPT, "the file list disagrees with the table's checksum; no checkpoint was published")
            .with("version", self.version())
            .with("files", found.files)
            .with("expected", expected.num_files)
            .help("compare the checksum file with the log; delete it when it is wrong"))
    }

    /// Writes a file of the log that must not be there yet; false when it is there.
    async fn publish(&self, name: &str, body: Bytes) -> Result<bool> {
        let root = self.table().root();
        let key = root.log_key(name);
        match create(root.store_once().as_ref(), &key, body).await {
            PutOutcome::Created => Ok(true),
            PutOutcome::Exists => Ok(false),
            PutOutcome::Failed(e) => Err(e),
            // Whoever wrote it, a file that is there is whole.
            PutOutcome::Unknown(e) => root.store().head(&key).await.map(|_| true).map_err(|_| e),
        }
    }

    fn hint_of(&self, name: &str, size: usize, others: Vec<Action>, sidecars: Vec<Sidecar>) -> V2Checkpoint {
        let actions: Vec<Action> = others.into_iter().filter(|a| !matches!(a, Action::Sidecar(_))).collect();
        V2Checkpoint {
            path: name.to_owned(),
            size_in_bytes: i64::try_from(size).unwrap_or(i64::MAX),
            modification_time: self.table().env().now().millis(),
            non_file_actions: (actions.len() <= HINT_ACTIONS).then_some(actions),
            sidecar_files: (sidecars.len() <= HINT_ACTIONS).then_some(sidecars),
        }
    }
}

/// All that a checkpoint will say.
struct Encoded {
    policy: CheckpointPolicy,
    columns: FileColumns,
    checksum: Checksum,
    others: Vec<Action>,
    files: EncodedFiles,
}

/// The mark of a V2 checkpoint, with the tags that Spark writes. (CKP-7)
fn mark(version: Version, files: &EncodedFiles) -> Result<Action> {
    let bytes: i64 = files.sidecars.iter().map(|s| s.size_in_bytes).sum();
    let tags = [
        ("sidecarNumActions", files.tally.actions().to_string()),
        ("sidecarSizeInBytes", bytes.to_string()),
        ("numOfAddFiles", files.tally.files.to_string()),
    ];
    let tags: NullableMap = tags.into_iter().map(|(key, value)| (key.to_owned(), Some(value))).collect();
    let version = i64::try_from(version.0).map_err(|e| Error::new(Code::LIMIT, "the version does not fit a checkpoint").caused_by(e))?;
    Ok(Action::CheckpointMetadata(CheckpointMetadata { version, tags: Some(tags) }))
}

#[cfg(test)]
#[path = "checkpoint_tests.rs"]
mod tests;
