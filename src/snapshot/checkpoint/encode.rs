//! File actions -> encoded files of a checkpoint, run by run. Kind: edge. Spec: CKP.
//!
//! Invariant: rows of one run are sorted; a sidecar is published before anything names it.

use super::columns::order_of;
use crate::env::{Env, Reservation};
use crate::error::Result;
use crate::features::CheckpointPolicy;
use crate::log::batch::FileRows;
use crate::log::checkpoint::{Content, Encoder, FileColumns, GROUP_ROWS, SidecarFacts, Tally, index_bytes, sidecar_rows};
use crate::log::checksum::Checksum;
use crate::log::seen::PathForm;
use crate::log::{Remove, Sidecar};
use crate::snapshot::{FileQuery, Snapshot};
use crate::storage::failure;
use arrow::array::UInt32Array;
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use std::borrow::Cow;
use std::sync::Arc;

/// What one run of files may take in memory.
const RUN_BYTES: std::ops::RangeInclusive<u64> = (8 << 20)..=(128 << 20);
/// Removed files of one sidecar.
pub(super) const REMOVED_ROWS: usize = 65_536;

/// Where encoding has come to.
#[derive(Default)]
pub(super) struct EncodedFiles {
    /// The one file of a classic checkpoint.
    pub open: Option<Encoder>,
    /// All sidecars of a V2 checkpoint.
    pub sidecars: Vec<Sidecar>,
    /// Those of them that were written now.
    pub fresh: Vec<Sidecar>,
    pub tally: Tally,
}

/// How sidecars are made.
#[derive(Clone)]
pub(super) struct Shape {
    pub columns: FileColumns,
    /// The fingerprint of the columns.
    pub fingerprint: String,
    /// What paths are compared as.
    pub form: PathForm,
}

/// In which order files are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Sorted, as a part of all files.
    All,
    /// Sorted among themselves.
    New,
    /// As they come, out of a part of all files.
    Kept,
}

/// How large a run may grow here, and what holds the memory for it.
pub(super) fn run_bytes(env: &Env) -> (u64, Option<Reservation>) {
    let wanted = (env.memory().limit() / 8).clamp(*RUN_BYTES.start(), *RUN_BYTES.end());
    let held = env.memory().try_reserve(2 * wanted);
    (if held.is_some() { wanted } else { *RUN_BYTES.start() }, held)
}

impl Snapshot {
    /// Streams the whole file list into encoded files: one that stays open for a classic checkpoint, published sidecars for V2.
    pub(super) async fn encode_all(
        self: &Arc<Self>,
        policy: CheckpointPolicy,
        shape: &Shape,
        checksum: &mut Checksum,
        done: &mut EncodedFiles,
    ) -> Result<()> {
        let (run_bytes, _held) = run_bytes(self.table().env());
        if policy == CheckpointPolicy::Classic {
            done.open = Some(Encoder::new(Content::Classic, shape.columns.clone())?);
        }
        let mut expected = self.advanced_checksum().await.map_or(0, |c| c.num_files.unsigned_abs());
        let mut run: Vec<FileRows> = Vec::new();
        let mut bytes = 0;
        let mut batches = self.files(FileQuery::default().full());
        let mut files = Tally::default();
        while let Some(batch) = batches.try_next().await? {
            for row in 0..batch.len() {
                let deleted = batch.vector(row).map(|v| v.cardinality);
                checksum.add(batch.size(row), deleted);
                files.files += 1;
                files.file_bytes = files.file_bytes.wrapping_add(batch.size(row));
            }
            let rows = batch.rows().standard()?;
            bytes += rows.bytes();
            run.push(rows);
            if bytes >= run_bytes {
                expected = expected.max(files.files);
                self.encode_run(done, std::mem::take(&mut run), shape, expected).await?;
                bytes = 0;
            }
        }
        self.encode_run(done, run, shape, expected.max(files.files)).await?;
        done.tally = done.tally.plus(Tally { removed: 0, ..files });
        let oldest = self.oldest_removed()?;
        let mut removed = self.tombstones();
        let mut run = Vec::new();
        while let Some(mut batch) = removed.try_next().await? {
            batch.retain(|r: &Remove| r.deletion_timestamp.unwrap_or(0) > oldest);
            done.tally.removed += batch.len() as u64;
            match &mut done.open {
                Some(encoder) if !batch.is_empty() => encoder.removed(batch)?,
                Some(_) => {}
                None => {
                    run.append(&mut batch);
                    if run.len() >= REMOVED_ROWS {
                        self.encode_removed(done, std::mem::take(&mut run), shape).await?;
                    }
                }
            }
        }
        if done.open.is_none() {
            self.encode_removed(done, run, shape).await?;
            if done.sidecars.is_empty() {
                let (body, facts) = shape.sidecar(&FileRows::from_adds([])?, Vec::new(), true)?;
                self.publish_sidecar(done, body, &facts).await?;
            }
        }
        Ok(())
    }

    /// Removed files that are not younger than this are forgotten.
    pub(super) fn oldest_removed(&self) -> Result<i64> {
        Ok(self.now_by_log().saturating_sub(self.state().deleted_file_retention_ms()?))
    }

    /// Sorts and encodes one run of all files, on a thread of its own.
    async fn encode_run(&self, done: &mut EncodedFiles, run: Vec<FileRows>, shape: &Shape, expected: u64) -> Result<()> {
        let Some(mut encoder) = done.open.take() else { return self.encode_files(done, run, shape, Order::All, expected).await };
        let columns = shape.columns.clone();
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

    /// Encodes files into sidecars of about one size, and publishes them. Their tally is the caller's.
    pub(super) async fn encode_files(
        &self,
        done: &mut EncodedFiles,
        run: Vec<FileRows>,
        shape: &Shape,
        order: Order,
        expected: u64,
    ) -> Result<()> {
        let shape = shape.clone();
        let work = self.table().env().spawn_blocking(move || -> Result<Vec<(Bytes, SidecarFacts)>> {
            let rows = FileRows::concat(&run)?;
            drop(run);
            let by_order = match order {
                Order::Kept => (0..rows.len() as u32).collect(),
                Order::All | Order::New => order_of(&rows, &shape.columns)?,
            };
            let most = usize::try_from(sidecar_rows(expected)).unwrap_or(usize::MAX);
            // Of about one size, lest a last one is tiny.
            let share = by_order.len().div_ceil(by_order.len().div_ceil(most).max(1)).max(1);
            by_order.chunks(share).map(|part| shape.sidecar(&rows, part.to_vec(), order != Order::New)).collect()
        });
        for (body, facts) in work.await?? {
            self.publish_sidecar(done, body, &facts).await?;
        }
        Ok(())
    }

    /// Encodes removed files into a sidecar, if there are any. Their tally is the caller's.
    pub(super) async fn encode_removed(&self, done: &mut EncodedFiles, removed: Vec<Remove>, shape: &Shape) -> Result<()> {
        if removed.is_empty() {
            return Ok(());
        }
        let (body, facts) = shape.removed(removed)?;
        self.publish_sidecar(done, body, &facts).await
    }

    async fn publish_sidecar(&self, done: &mut EncodedFiles, body: Bytes, facts: &SidecarFacts) -> Result<()> {
        let env = self.table().env();
        let name = format!("{}.parquet", env.new_uuid());
        let size = body.len();
        self.publish(&format!("_sidecars/{name}"), body).await?;
        let sidecar = Sidecar {
            path: name,
            size_in_bytes: i64::try_from(size).unwrap_or(i64::MAX),
            modification_time: env.now().millis(),
            tags: Some(facts.tags()),
        };
        done.fresh.push(sidecar.clone());
        done.sidecars.push(sidecar);
        Ok(())
    }

    /// Deletes sidecars that no checkpoint will name. What cannot be deleted is left to the clean-up of the log.
    pub(super) async fn take_back(&self, sidecars: &[Sidecar]) {
        let root = self.table().root();
        for sidecar in sidecars {
            if let Err(e) = root.store().delete(&root.log_key(&format!("_sidecars/{}", sidecar.path))).await {
                tracing::debug!("a sidecar that no checkpoint names stays: {}", failure(e, "deleting", &sidecar.path));
            }
        }
    }
}

impl Shape {
    /// One sidecar of these rows, in this order.
    fn sidecar(&self, rows: &FileRows, order: Vec<u32>, sorted: bool) -> Result<(Bytes, SidecarFacts)> {
        let mut encoder = Encoder::new(Content::Sidecar, self.columns.clone())?;
        let mut plain = true;
        for group in order.chunks(GROUP_ROWS) {
            let part = rows.take(&UInt32Array::from(group.to_vec()))?;
            plain &= (0..part.len()).all(|row| self.is_plain(part.path(row)));
            encoder.files(&part)?;
            encoder.end_group()?;
        }
        self.finished(encoder, sorted, plain, i64::MIN)
    }

    /// One sidecar of removed files.
    fn removed(&self, removed: Vec<Remove>) -> Result<(Bytes, SidecarFacts)> {
        let mut encoder = Encoder::new(Content::Sidecar, self.columns.clone())?;
        let plain = removed.iter().all(|remove| self.is_plain(&remove.path));
        let newest = removed.iter().filter_map(|remove| remove.deletion_timestamp).max().unwrap_or(0);
        encoder.removed(removed)?;
        self.finished(encoder, false, plain, newest)
    }

    fn finished(&self, encoder: Encoder, sorted: bool, plain: bool, newest_removed: i64) -> Result<(Bytes, SidecarFacts)> {
        let (body, tally) = encoder.finish()?;
        let index_bytes = index_bytes(&body)?;
        Ok((body, SidecarFacts { tally, newest_removed, sorted, plain, index_bytes, columns: self.fingerprint.clone() }))
    }

    fn is_plain(&self, path: &str) -> bool {
        matches!(self.form.normalise(path), Cow::Borrowed(_))
    }
}
