//! A checkpoint that costs what has changed: sidecars of the one before are named again. Kind: edge. Spec: CKP.
//!
//! Invariant: it holds the files that replay gives: their number and bytes equal those of the checksum that was advanced over every commit.

use super::encode::{EncodedFiles, Order, REMOVED_ROWS, Shape, run_bytes};
use crate::error::{Code, Error, Result};
use crate::log::batch::FileRows;
use crate::log::checkpoint::{Fate, Fresh, Held, SidecarFacts, Tally, fates, is_json, open_sidecar, read_small_of, touched};
use crate::log::checksum::Checksum;
use crate::log::seen::SeenFiles;
use crate::log::{Action, Remove, Sidecar};
use crate::snapshot::Snapshot;
use crate::snapshot::files::{Reading, part_files, part_removes, replay_tail};
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use std::sync::Arc;

/// Sidecars that are looked into at once.
const LOOKUPS: usize = 16;

impl Snapshot {
    /// Encodes what is new and names the rest again; false when all is to be written anew: the checkpoint before has no sidecars of ours with
    /// these columns, the counts of this version are not known, or `fates` says so. `LB-CKPT` when a sidecar is not what it should be.
    ///
    /// Costs one small read of every sidecar's end, a whole read of those that are written anew, and the writing of those.
    pub(super) async fn carry(self: &Arc<Self>, shape: &Shape, done: &mut EncodedFiles) -> Result<Option<Checksum>> {
        let Some(checksum) = self.advanced_checksum().await else { return Ok(None) };
        let Some(sidecars) = self.own_sidecars(&shape.fingerprint).await? else { return Ok(None) };
        let (seen, live) = replay_tail(self.tail(), self.table().root());
        let seen = Arc::new(seen);
        let oldest = self.oldest_removed()?;
        let mut removed = self.tail_removes(oldest);
        let lookups: Vec<_> =
            sidecars.into_iter().map(|(sidecar, facts)| self.look_into(sidecar, facts, Arc::clone(&seen)).boxed()).collect();
        let looked: Vec<(Sidecar, Held)> = stream::iter(lookups).buffered(LOOKUPS).try_collect().await?;
        let held: Vec<Held> = looked.iter().map(|(_, held)| held.clone()).collect();
        let fresh = Fresh { files: live.len() as u64, removed: removed.len() as u64 };
        let Some(fates) = fates(&held, fresh, oldest) else { return Ok(None) };
        let read = Arc::new(Reading::all(seen));
        let (run_bytes, _held) = run_bytes(self.table().env());
        let mut new = self.tail_rows(&live)?;
        let mut bytes: u64 = new.iter().map(FileRows::bytes).sum();
        let expected = checksum.num_files.unsigned_abs();
        for ((sidecar, held), fate) in looked.into_iter().zip(fates) {
            match fate {
                Fate::Drop => {}
                Fate::Keep => {
                    done.tally = done.tally.plus(held.facts.tally);
                    done.sidecars.push(sidecar);
                }
                Fate::Rewrite => {
                    let rows = self.rest_of(&sidecar, &held, &read).await?;
                    done.tally = done.tally.plus(tally_of(&rows));
                    self.encode_files(done, rows, shape, Order::Kept, u64::MAX).await?;
                }
                Fate::Absorb if held.facts.tally.files > 0 => {
                    let rows = self.rest_of(&sidecar, &held, &read).await?;
                    bytes += rows.iter().map(FileRows::bytes).sum::<u64>();
                    new.extend(rows);
                    if bytes >= run_bytes {
                        self.encode_new(done, std::mem::take(&mut new), shape, expected).await?;
                        bytes = 0;
                    }
                }
                Fate::Absorb => {
                    let file = open_sidecar(self.table().root(), &sidecar, false).await?;
                    let mut rest = part_removes(file, &read).await?;
                    while let Some(batch) = rest.try_next().await? {
                        removed.extend(batch.into_iter().filter(|r| is_kept(r, oldest)));
                        if removed.len() >= REMOVED_ROWS {
                            done.tally.removed += removed.len() as u64;
                            self.encode_removed(done, std::mem::take(&mut removed), shape).await?;
                        }
                    }
                }
            }
        }
        self.encode_new(done, new, shape, expected).await?;
        done.tally.removed += removed.len() as u64;
        self.encode_removed(done, removed, shape).await?;
        if (done.tally.files, done.tally.file_bytes) != (expected, checksum.table_size_bytes) {
            return Err(Error::new(Code::CKPT, "the sidecars of the checkpoint before do not add up to the files of this version")
                .with("version", self.version())
                .with("files", done.tally.files)
                .with("expected", expected));
        }
        Ok(Some(checksum))
    }

    /// Encodes a run of files that stand in no order yet, if there are any.
    async fn encode_new(&self, done: &mut EncodedFiles, new: Vec<FileRows>, shape: &Shape, expected: u64) -> Result<()> {
        done.tally = done.tally.plus(tally_of(&new));
        if new.iter().all(|rows| rows.len() == 0) {
            return Ok(());
        }
        self.encode_files(done, new, shape, Order::New, expected).await
    }

    /// The sidecars of the checkpoint before, when all are ours and have the columns that new ones get.
    async fn own_sidecars(&self, fingerprint: &str) -> Result<Option<Vec<(Sidecar, SidecarFacts)>>> {
        let files = self.segment().checkpoint.as_ref().map_or(&[][..], |c| &c.files);
        let [file] = files else { return Ok(None) };
        if is_json(file) {
            return Ok(None);
        }
        let small = read_small_of(self.first_file.open(self.table().root(), file).await?).await?;
        let sidecars = small.into_iter().filter_map(|a| if let Action::Sidecar(s) = a { Some(s) } else { None });
        let own = |sidecar: Sidecar| {
            // A path that leads elsewhere is not ours either.
            let facts = SidecarFacts::of(&sidecar).filter(|f| f.columns == fingerprint && !sidecar.path.contains('/'))?;
            Some((sidecar, facts))
        };
        let own: Option<Vec<_>> = sidecars.map(own).collect();
        Ok(own.filter(|own| !own.is_empty()))
    }

    async fn look_into(&self, sidecar: Sidecar, facts: SidecarFacts, seen: Arc<SeenFiles>) -> Result<(Sidecar, Held)> {
        let touched = touched(self.table().root(), &sidecar, &facts, &seen).await?;
        Ok((sidecar, Held { facts, touched }))
    }

    /// What is left of a sidecar, in its order.
    async fn rest_of(&self, sidecar: &Sidecar, held: &Held, read: &Arc<Reading>) -> Result<Vec<FileRows>> {
        let file = open_sidecar(self.table().root(), sidecar, false).await?;
        let batches: Vec<_> = part_files(file, read).try_collect().await?;
        let rows = batches.iter().map(|batch| batch.rows().standard()).collect::<Result<Vec<_>>>()?;
        let found: u64 = rows.iter().map(|r| r.len() as u64).sum();
        if found + held.touched != held.facts.tally.files {
            return Err(Error::new(Code::CKPT, "a sidecar does not hold the files that its tags name").with("path", &sidecar.path));
        }
        Ok(rows)
    }
}

fn is_kept(remove: &Remove, oldest: i64) -> bool {
    remove.deletion_timestamp.unwrap_or(0) > oldest
}

fn tally_of(rows: &[FileRows]) -> Tally {
    let sizes = rows.iter().flat_map(|rows| (0..rows.len()).map(|row| rows.size(row)));
    let (files, file_bytes) = sizes.fold((0, 0i64), |(n, sum), size| (n + 1, sum.wrapping_add(size)));
    Tally { files, file_bytes, ..Tally::default() }
}

#[cfg(test)]
#[path = "carry_tests.rs"]
mod tests;
