//! From one version to the newest: only what is new is read. Kind: edge. Spec: LOG, REC.

use super::Snapshot;
use super::load::load;
use crate::error::Result;
use crate::log::checkpoint::FirstFile;
use crate::log::listing::list;
use crate::log::read::read_tail;
use crate::log::segment::{LogSegment, choose};
use crate::log::{Action, LogFile, LogTail, TailPiece};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::OnceCell;

impl Snapshot {
    /// The newest version, built from this one and the commits after it. Reads only what is new: one list from this version on and
    /// one get for each new commit, whatever the size of the table. A log that was replaced meanwhile is loaded afresh.
    pub async fn refresh(self: &Arc<Self>) -> Result<Arc<Snapshot>> {
        let (log, env) = (self.table.log(), self.table.env());
        let newest_at = env.now();
        let listing = list(log, self.version).await?;
        if !self.is_continued_by(&listing.files) {
            return load(&self.table, None).await;
        }
        let mut files = self.segment_files();
        files.extend(listing.files);
        let Ok(segment) = choose(&files, None, &BTreeSet::new()) else { return load(&self.table, None).await };
        if segment.version <= self.version {
            return Ok(Arc::clone(self));
        }
        let new = |file: &LogFile| file.version > self.version;
        let fresh = LogSegment {
            version: segment.version,
            compactions: segment.compactions.iter().filter(|f| new(f)).cloned().collect(),
            commits: segment.commits.iter().filter(|f| new(f)).cloned().collect(),
            ..LogSegment::default()
        };
        if fresh.commits.first().is_none_or(|f| f.version != self.version.next()) {
            // A newer checkpoint covers commits that were not read; some of them may be gone.
            return load(&self.table, None).await;
        }
        let mut warnings = self.warnings.clone();
        let tail = read_tail(log, env, &fresh, &mut warnings).await?;
        Ok(Arc::new(Snapshot { newest_at: Some(newest_at), ..self.advance(segment, tail.pieces(), warnings)? }))
    }

    fn advance(&self, segment: LogSegment, new: &[Arc<TailPiece>], warnings: Vec<String>) -> Result<Snapshot> {
        let mut facts = self.facts.clone();
        let stateful = |a: &Action| matches!(a, Action::Protocol(_) | Action::Metadata(_) | Action::DomainMetadata(_));
        let changed = new.iter().flat_map(|p| &p.actions).any(stateful);
        new.iter().for_each(|piece| facts.apply_piece(piece));
        let state = if changed {
            let (protocol, metadata) = facts.state(segment.version)?;
            Arc::new(self.state.with(protocol, metadata, facts.live_domains())?)
        } else {
            Arc::clone(&self.state)
        };
        let same_checkpoint = segment.checkpoint == self.segment.checkpoint;
        let first = segment.tail_from();
        let pieces = self.tail.pieces().iter().chain(new).filter(|p| p.to >= first).cloned().collect();
        Ok(Snapshot {
            version: segment.version,
            newest_at: None,
            table: self.table.clone(),
            state,
            tail: LogTail::new(pieces),
            facts,
            checksum: self.checksum.clone().filter(|(version, _)| version.next() >= first),
            checkpoint_bytes: self.checkpoint_bytes.filter(|_| same_checkpoint),
            older_txns: OnceCell::new_with(self.older_txns.get().filter(|_| same_checkpoint).cloned()),
            stand_in: OnceCell::new(),
            first_file: if same_checkpoint { self.first_file.clone() } else { FirstFile::default() },
            segment,
            warnings,
        })
    }

    /// Whether a listing from this version on shows the log that this snapshot was made of.
    fn is_continued_by(&self, files: &[LogFile]) -> bool {
        let ours = match (self.segment.commits.last(), &self.segment.checkpoint) {
            (Some(commit), _) => commit,
            (None, Some(checkpoint)) => match checkpoint.files.first() {
                Some(file) => file,
                None => return false,
            },
            (None, None) => return false,
        };
        files.iter().any(|theirs| theirs.name == ours.name && theirs.size == ours.size && theirs.modified == ours.modified)
    }

    fn segment_files(&self) -> Vec<LogFile> {
        let s = &self.segment;
        let checkpoints = s.checkpoint.iter().chain(&s.older_checkpoints).flat_map(|c| &c.files);
        s.commits.iter().chain(&s.compactions).chain(&s.checksums).chain(checkpoints).cloned().collect()
    }
}

#[cfg(test)]
#[path = "refresh_tests.rs"]
mod tests;
