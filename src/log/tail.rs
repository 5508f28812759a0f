//! The decoded JSON tail of a version: every commit after its checkpoint, read once and shared. Kind: shape. Spec: LOG, REC.
//!
//! Invariant: pieces are in version order, without gaps and without overlap.

use super::{Action, Version};
use std::sync::Arc;

/// The actions of one commit, or of one compaction that stands for the commits `from..=to`.
#[derive(Debug, PartialEq)]
pub(crate) struct TailPiece {
    pub from: Version,
    /// Equals `from` for a commit.
    pub to: Version,
    pub actions: Vec<Action>,
    /// Bytes of the file that it came from.
    pub size: u64,
}

/// What the log says after the checkpoint, oldest first. Cheap to clone: pieces are shared between snapshots.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogTail {
    pieces: Vec<Arc<TailPiece>>,
}

impl LogTail {
    /// Pieces in version order.
    pub fn new(pieces: Vec<Arc<TailPiece>>) -> Self {
        LogTail { pieces }
    }
    /// Oldest first; replay newest first with `.iter().rev()`. Inside a piece the order of actions means nothing.
    pub fn pieces(&self) -> &[Arc<TailPiece>] {
        &self.pieces
    }
    /// Bytes of the files that the tail came from.
    pub fn size(&self) -> u64 {
        self.pieces.iter().map(|p| p.size).sum()
    }
}
