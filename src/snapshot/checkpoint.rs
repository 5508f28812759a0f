//! Writes a checkpoint of a version. Kind: edge. Spec: CKP.
//!
//! The file list is streamed in runs that fit the memory budget; each run is sorted by partition, then by the first column with
//! statistics, so that Parquet's own statistics prune the list. Invariant: nothing is published unless every read succeeded, the
//! encoded bytes were read again, and their counts agree with what the log says elsewhere.

use super::{FileQuery, Snapshot};
use crate::error::{Code, Error, Result};
use crate::features::{CheckpointPolicy, StatsColumns, TableState};
use crate::log::batch::FileRows;
use crate::log::checkpoint::{Content, Encoder, FileColumns, GROUP_ROWS, Tally};
use crate::log::checksum::Checksum;
use crate::log::hint::{LAST_CHECKPOINT, LastCheckpoint, V2Checkpoint};
use crate::log::stats::{StatsLeaf, StatsReader, leaves_of, partition_column};
use crate::log::{Action, CheckpointMetadata, NullableMap, Remove, Sidecar, Version};
use crate::schema::{DataType, Field, Struct};
use crate::storage::{PutOutcome, create, failure};
use arrow::array::{ArrayRef, UInt32Array};
use arrow::row::{RowConverter, SortField};
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{ObjectStoreExt, PutPayload};
use std::sync::Arc;

/// What one run of files may take in memory.
const RUN_BYTES: std::ops::RangeInclusive<u64> = (8 << 20)..=(128 << 20);
/// With more of them than this the hint names neither actions nor sidecars.
const HINT_ACTIONS: usize = 30;

/// A checkpoint that is there now.
#[derive(Clone, Debug)]
pub(crate) struct CheckpointWritten {
    pub version: Version,
    /// False when the version had one already, or another writer was faster.
    pub ours: bool,
    pub files: u64,
    pub removed: u64,
    pub bytes: u64,
    /// What is missing beside it (the checksum, the hint).
    pub warnings: Vec<String>,
}

impl Snapshot {
    /// Writes a checkpoint of this version in the kind that the table wants, then `N.crc` and `_last_checkpoint`.
    ///
    /// Every file appears by one create-only PUT, so that two writers cannot mix; the loser's work is dropped. Memory: one run of
    /// files (a sixteenth to a quarter of the budget) and the encoded file; for V2 the encoded sidecar. Requests besides reading
    /// the file list: one PUT each for the checkpoint, the checksum, the hint, and for V2 each sidecar.
    pub(crate) async fn write_checkpoint(self: &Arc<Self>) -> Result<CheckpointWritten> {
        self.state().check_readable()?;
        self.state().check_writable()?;
        let mut written = CheckpointWritten { version: self.version(), ours: false, files: 0, removed: 0, bytes: 0, warnings: Vec::new() };
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

    /// Reads everything and encodes the files; the sidecars of a V2 checkpoint are published as they fill.
    async fn encode(self: &Arc<Self>) -> Result<Encoded> {
        let policy = self.state().checkpoint_policy()?;
        let columns = file_columns(self.state())?;
        let mut checksum = Checksum::of(self.facts(), self.state().protocol().clone(), self.state().metadata().clone());
        if self.state().keeps_commit_times() && checksum.in_commit_timestamp_opt.is_none() {
            // The tail may end in a compaction, which does not say when its last commit was made.
            checksum.in_commit_timestamp_opt = Some(self.timestamp().await?.millis());
        }
        let others = self.small_actions().await?;
        let files = self.encode_files(policy, &columns, &mut checksum).await?;
        Ok(Encoded { policy, columns, checksum, others, files })
    }

    async fn publish_all(self: &Arc<Self>, encoded: Encoded, written: &mut CheckpointWritten) -> Result<()> {
        let Encoded { policy, columns, mut checksum, mut others, mut files } = encoded;
        if let Err(e) = self.check_counts(files.tally).await {
            self.take_back(&files.sidecars).await;
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
        let sidecar_bytes: i64 = files.sidecars.iter().map(|s| s.size_in_bytes).sum();
        written.files = tally.files;
        written.removed = tally.removed;
        written.bytes = body.len() as u64 + sidecar_bytes.unsigned_abs();
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

    /// Streams the file list into encoded files: one that stays open for a classic checkpoint, published sidecars for V2.
    async fn encode_files(
        self: &Arc<Self>,
        policy: CheckpointPolicy,
        columns: &FileColumns,
        checksum: &mut Checksum,
    ) -> Result<EncodedFiles> {
        let env = self.table().env();
        let wanted = (env.memory().limit() / 8).clamp(*RUN_BYTES.start(), *RUN_BYTES.end());
        let held = env.memory().try_reserve(2 * wanted);
        let run_bytes = if held.is_some() { wanted } else { *RUN_BYTES.start() };
        let content = if policy == CheckpointPolicy::V2 { Content::Sidecar } else { Content::Classic };
        let mut done = EncodedFiles { open: Some(Encoder::new(content, columns.clone())?), ..EncodedFiles::default() };
        let mut run: Vec<FileRows> = Vec::new();
        let mut bytes = 0;
        let mut batches = self.files(FileQuery::default().full());
        while let Some(batch) = batches.try_next().await? {
            for row in 0..batch.len() {
                let deleted = batch.vector(row).map(|v| v.cardinality);
                checksum.add(batch.size(row), deleted);
                done.tally.files += 1;
                done.tally.file_bytes = done.tally.file_bytes.wrapping_add(batch.size(row));
            }
            let rows = batch.rows().standard()?;
            bytes += rows.bytes();
            run.push(rows);
            if bytes >= run_bytes {
                self.encode_run(&mut done, std::mem::take(&mut run), columns).await?;
                bytes = 0;
                if policy == CheckpointPolicy::V2 {
                    self.publish_sidecar(&mut done).await?;
                    done.open = Some(Encoder::new(content, columns.clone())?);
                }
            }
        }
        self.encode_run(&mut done, run, columns).await?;
        let oldest = env.now().millis().saturating_sub(self.state().deleted_file_retention_ms()?);
        let mut removed = self.tombstones();
        while let Some(mut batch) = removed.try_next().await? {
            batch.retain(|r: &Remove| r.deletion_timestamp.unwrap_or(0) > oldest);
            done.tally.removed += batch.len() as u64;
            if let (Some(encoder), false) = (&mut done.open, batch.is_empty()) {
                encoder.removed(batch)?;
            }
        }
        if policy == CheckpointPolicy::V2 {
            self.publish_sidecar(&mut done).await?;
        }
        Ok(done)
    }

    /// Sorts and encodes one run, on a thread of its own.
    async fn encode_run(&self, done: &mut EncodedFiles, run: Vec<FileRows>, columns: &FileColumns) -> Result<()> {
        let Some(mut encoder) = done.open.take() else { return Ok(()) };
        let columns = columns.clone();
        let work = self.table().env().spawn_blocking(move || -> Result<Encoder> {
            let rows = FileRows::concat(&run)?;
            drop(run);
            let order = order_of(&rows, &columns)?;
            for group in order.chunks(GROUP_ROWS) {
                encoder.files(&rows.take(&UInt32Array::from(group.to_vec()))?)?;
                encoder.end_group()?;
            }
            Ok(encoder)
        });
        done.open = Some(work.await??);
        Ok(())
    }

    async fn publish_sidecar(&self, done: &mut EncodedFiles) -> Result<()> {
        let Some(encoder) = done.open.take() else { return Ok(()) };
        let (body, tally) = encoder.finish()?;
        if tally.actions() == 0 && !done.sidecars.is_empty() {
            return Ok(());
        }
        let env = self.table().env();
        let name = format!("{}.parquet", env.new_uuid());
        let size = body.len();
        self.publish(&format!("_sidecars/{name}"), body).await?;
        done.sidecars.push(Sidecar {
            path: name,
            size_in_bytes: i64::try_from(size).unwrap_or(i64::MAX),
            modification_time: env.now().millis(),
            tags: None,
        });
        Ok(())
    }

    /// Deletes sidecars that no checkpoint will name. What cannot be deleted is left to the clean-up of the log.
    async fn take_back(&self, sidecars: &[Sidecar]) {
        let root = self.table().root();
        for sidecar in sidecars {
            if let Err(e) = root.store().delete(&root.log_key(&format!("_sidecars/{}", sidecar.path))).await {
                tracing::debug!("a sidecar that no checkpoint names stays: {}", failure(e, "deleting", &sidecar.path));
            }
        }
    }

    /// Protocol, metadata, application versions and domains, expired ones left out. (CKP-10)
    async fn small_actions(&self) -> Result<Vec<Action>> {
        let mut actions = vec![Action::Protocol(self.state().protocol().clone()), Action::Metadata(self.state().metadata().clone())];
        let now = self.table().env().now().millis();
        let oldest = self.state().app_version_retention_ms()?.map(|ms| now.saturating_sub(ms));
        let txns = self.app_versions().await?;
        let fresh = txns.into_iter().filter(|t| oldest.is_none_or(|oldest| t.last_updated.is_some_and(|at| at > oldest)));
        actions.extend(fresh.map(Action::Txn));
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

/// Where encoding has come to.
#[derive(Default)]
struct EncodedFiles {
    open: Option<Encoder>,
    sidecars: Vec<Sidecar>,
    tally: Tally,
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

/// Which parsed columns the table's checkpoints get. (CKP-9)
fn file_columns(state: &TableState) -> Result<FileColumns> {
    let physical = state.physical_schema();
    let is_partition = |name: &str| state.partition_columns().iter().any(|p| state.physical_name(p) == Some(name));
    let partitions: Vec<Field> =
        state.partition_columns().iter().filter_map(|logical| physical.fields.get(state.schema().index_of(logical)?).cloned()).collect();
    let data = Struct { fields: physical.fields.iter().filter(|f| !is_partition(&f.name)).cloned().collect() };
    let known = |(_, data_type): &(Vec<String>, DataType)| !matches!(data_type, DataType::Void | DataType::Unknown(_));
    let all = leaves_of(&data).into_iter().filter(known);
    let leaves: Vec<(Vec<String>, DataType)> = match state.stats_columns()? {
        StatsColumns::All => all.collect(),
        StatsColumns::First(n) => all.take(n).collect(),
        StatsColumns::Named(paths) => {
            let named: Vec<Vec<String>> = paths.iter().filter_map(|p| physical_prefix(state, p)).collect();
            all.filter(|(path, _)| named.iter().any(|n| path.starts_with(n))).collect()
        }
    };
    let leaves = leaves.into_iter().map(|(path, data_type)| StatsLeaf::new(path, data_type)).collect::<Result<_>>()?;
    Ok(FileColumns {
        partitions,
        stats: StatsReader::new(leaves),
        text: state.checkpoint_stats_as_json()?,
        parsed: state.checkpoint_stats_as_struct()?,
    })
}

fn physical_prefix(state: &TableState, path: &[String]) -> Option<Vec<String>> {
    let (mut logical, mut physical) = (state.schema(), state.physical_schema());
    let mut names = Vec::new();
    for (i, name) in path.iter().enumerate() {
        let at = logical.index_of(name)?;
        names.push(physical.fields.get(at)?.name.clone());
        match (&logical.fields[at].data_type, &physical.fields[at].data_type) {
            (DataType::Struct(l), DataType::Struct(p)) => (logical, physical) = (l, p),
            _ => return (i + 1 == path.len()).then_some(names),
        }
    }
    Some(names)
}

/// The order of files in a checkpoint: by partition values, then by the least value of the first column that has one. (CKP-12)
fn order_of(rows: &FileRows, columns: &FileColumns) -> Result<Vec<u32>> {
    let mut keys: Vec<ArrayRef> = Vec::new();
    for p in &columns.partitions {
        keys.push(partition_column(rows, &p.name, &p.data_type)?.values);
    }
    let first = columns.stats.leaves().iter().find(|leaf| leaf.has_bounds());
    if let (Some(leaf), Some(texts)) = (first, rows.stats()) {
        let stats = StatsReader::new(vec![leaf.clone()]).read_json(texts);
        keys.extend(stats.leaves.into_iter().filter_map(|l| l.bounds).map(|(least, _)| least));
    }
    let mut order: Vec<u32> = (0..rows.len() as u32).collect();
    if keys.is_empty() {
        return Ok(order);
    }
    let sorting = |e: arrow::error::ArrowError| Error::new(Code::INTERNAL, "files of a checkpoint do not sort").caused_by(e);
    let fields = keys.iter().map(|k| SortField::new(k.data_type().clone())).collect();
    let keys = RowConverter::new(fields).and_then(|c| c.convert_columns(&keys)).map_err(sorting)?;
    order.sort_by_key(|row| keys.row(*row as usize));
    Ok(order)
}

#[cfg(test)]
#[path = "checkpoint_tests.rs"]
mod tests;
