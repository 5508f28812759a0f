//! How many files, bytes and rows a version has. Kind: edge. Spec: CRC.

use super::load::read_checksum;
use super::{CountEffort, Counts, FileQuery, Snapshot};
use crate::error::Result;
use crate::log::checksum::Checksum;
use futures::TryStreamExt;
use std::sync::Arc;

/// Up to this many bytes of checkpoint and tail, counting is cheap.
const CHEAP_BYTES: u64 = 32 << 20;
/// What a file takes in a checkpoint, about; used where only their number is known.
const BYTES_PER_FILE: u64 = 1 << 10;

impl Snapshot {
    /// Files, bytes and rows of this version.
    ///
    /// `Exact` reads the whole file list. `Cheap` does so only when that is small, else takes the newest checksum and advances it
    /// over the commits after it; `None` when there is none or a commit does not say enough.
    pub async fn counts(self: &Arc<Self>, effort: CountEffort) -> Result<Option<Counts>> {
        let cheap = |bytes: u64| bytes.saturating_add(self.tail.size()) <= CHEAP_BYTES;
        if effort == CountEffort::Exact || self.checkpoint_bytes.is_some_and(cheap) {
            return self.count().await.map(Some);
        }
        let Some(checksum) = self.advanced_checksum().await else { return Ok(None) };
        if cheap(checksum.num_files.unsigned_abs().saturating_mul(BYTES_PER_FILE)) {
            return self.count().await.map(Some);
        }
        Ok(Some(Counts {
            files: checksum.num_files.unsigned_abs(),
            bytes: checksum.table_size_bytes.unsigned_abs(),
            records: None,
            deleted_records: checksum.num_deleted_records_opt.map(i64::unsigned_abs),
        }))
    }

    /// The checksum of this version, when one at or before it can be advanced to it. One get at most.
    pub(crate) async fn advanced_checksum(&self) -> Option<Checksum> {
        let (version, mut checksum) = match &self.checksum {
            Some((version, checksum)) => (*version, Checksum::clone(checksum)),
            None => {
                let file = self.segment.checksums.first()?;
                (file.version, read_checksum(&self.table, file).await.ok()?)
            }
        };
        for piece in self.tail.pieces().iter().filter(|p| p.to > version) {
            // A compaction removes files that it does not add, among them some that were never counted.
            if piece.from <= version || piece.from != piece.to {
                return None;
            }
            checksum = checksum.advance(&piece.actions)?;
        }
        Some(checksum)
    }

    async fn count(self: &Arc<Self>) -> Result<Counts> {
        let mut counts = Counts { records: Some(0), deleted_records: Some(0), ..Counts::default() };
        let mut batches = self.files(FileQuery::default());
        while let Some(batch) = batches.try_next().await? {
            for row in 0..batch.len() {
                let deleted = batch.vector(row).map_or(0, |v| v.cardinality.unsigned_abs());
                let records = batch.num_records(row).map(|n| n.unsigned_abs().saturating_sub(deleted));
                counts.files += 1;
                counts.bytes = counts.bytes.saturating_add(batch.size(row).unsigned_abs());
                counts.records = counts.records.zip(records).map(|(all, n)| all.saturating_add(n));
                counts.deleted_records = counts.deleted_records.map(|all| all.saturating_add(deleted));
            }
        }
        Ok(counts)
    }
}
