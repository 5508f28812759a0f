//! Whether a compaction may stand in for the commits that it covers. Kind: pure. Spec: REC.

use super::Action;
use std::collections::HashSet;

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
