//! Whether a compaction may stand in for the commits that it covers. Kind: pure. Spec: REC.

use super::Action;
use std::collections::HashSet;

/// Why a compaction is not what the protocol says it is, or `None` when it is. Some engines write them unreconciled; then the
/// commits are read instead.
pub(crate) fn distrust(actions: &[Action]) -> Option<&'static str> {
    let mut keys = HashSet::new();
    for action in actions {
        let key = match action {
            Action::CommitInfo(_) | Action::Cdc(_) => return Some("it holds actions that a compaction never holds"),
            Action::Sidecar(_) | Action::CheckpointMetadata(_) => return Some("it holds actions of a checkpoint"),
            Action::Add(a) => (a.path.as_str(), a.deletion_vector.as_ref()),
            Action::Remove(r) => (r.path.as_str(), r.deletion_vector.as_ref()),
            _ => continue,
        };
        if !keys.insert((key.0, key.1.map(|v| v.unique_id()))) {
            return Some("it names a file twice");
        }
    }
    None
}

#[cfg(test)]
#[path = "compaction_tests.rs"]
mod tests;
