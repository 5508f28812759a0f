//! Log compaction files: whether one may stand in for the commits that it covers, and what one says. Kind: pure. Spec: REC, LCF.
//!
//! Invariant: commits that are replaced by their compaction leave the same state, whatever lies before them.

use super::seen::SeenFiles;
use super::{Action, SmallFacts, TailPiece, Version};
use std::collections::HashSet;
use std::sync::Arc;
use url::Url;

/// The name of the compaction of `from..=to`.
pub(crate) fn compaction_name(from: Version, to: Version) -> String {
    format!("{:020}.{:020}.compacted.json", from.0, to.0)
}

/// What commits without a gap say together, oldest first: the newest word on every file, removed ones included since they hide what lies
/// before, and on every small fact, removed domains included for the same reason. (LCF-1)
pub(crate) fn reconciled(pieces: &[Arc<TailPiece>], root: &Url) -> Vec<Action> {
    let mut facts = SmallFacts::empty();
    pieces.iter().for_each(|piece| facts.apply_piece(piece));
    let mut actions: Vec<Action> = Vec::new();
    actions.extend(facts.protocol.map(Action::Protocol));
    actions.extend(facts.metadata.map(Action::Metadata));
    actions.extend(facts.txns.into_values().map(Action::Txn));
    actions.extend(facts.domains.into_values().map(Action::DomainMetadata));
    let mut seen = SeenFiles::new(root);
    let mut files: Vec<Action> = Vec::new();
    // Newest first, as files are replayed; inside one commit the later line counts.
    for action in pieces.iter().rev().flat_map(|piece| piece.actions.iter().rev()) {
        match action {
            Action::Add(add) if seen.insert(add.into()) => files.push(action.clone()),
            Action::Remove(remove) if seen.insert(remove.into()) => files.push(action.clone()),
            _ => {}
        }
    }
    actions.extend(files.into_iter().rev());
    actions
}

/// Whether a compaction is what the protocol says it is. Some engines write them unreconciled; then the commits are read instead.
pub(crate) fn is_reconciled(actions: &[Action]) -> bool {
    let mut keys = HashSet::new();
    actions.iter().all(|action| match action {
        Action::Add(a) => keys.insert((a.path.as_str(), a.deletion_vector.as_ref().map(|v| v.unique_id()))),
        Action::Remove(r) => keys.insert((r.path.as_str(), r.deletion_vector.as_ref().map(|v| v.unique_id()))),
        Action::Protocol(_) | Action::Metadata(_) | Action::Txn(_) | Action::DomainMetadata(_) => true,
        Action::CommitInfo(_) | Action::Cdc(_) | Action::Sidecar(_) | Action::CheckpointMetadata(_) => false,
    })
}

#[cfg(test)]
#[path = "compaction_tests.rs"]
mod tests;
