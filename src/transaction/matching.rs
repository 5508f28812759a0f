//! Whether a file that another commit added or removed may hold rows that we read. Kind: pure. Spec: CON.
//!
//! Invariant: what cannot be decided matches.

use crate::error::Result;
use crate::expr::BoundExpr;
use crate::features::TableState;
use crate::log::batch::FileRows;
use crate::log::{Add, Remove};
use crate::snapshot::may_hold;

/// The first of `adds` that may hold rows for which `predicate` is TRUE.
pub(super) fn matching_add<'a>(predicate: &BoundExpr, state: &TableState, adds: &[&'a Add]) -> Option<&'a Add> {
    first_match(predicate, state, FileRows::from_adds(adds.iter().copied()), adds.len()).map(|i| adds[i])
}

/// The first of `removes` that may hold such rows; one that does not carry its partition values may.
pub(super) fn matching_remove<'a>(predicate: &BoundExpr, state: &TableState, removes: &[&'a Remove]) -> Option<&'a Remove> {
    let telling = |r: &&&Remove| r.partition_values.is_some() || state.partition_columns().is_empty();
    if let Some(silent) = removes.iter().find(|r| !telling(r)) {
        return Some(silent);
    }
    let files: Vec<Add> = removes.iter().map(|r| as_add(r)).collect();
    first_match(predicate, state, FileRows::from_adds(&files), files.len()).map(|i| removes[i])
}

fn first_match(predicate: &BoundExpr, state: &TableState, files: Result<FileRows>, count: usize) -> Option<usize> {
    match files.and_then(|files| may_hold(predicate, state, &files)) {
        Ok(kept) => (0..count).find(|&i| kept.value(i)),
        Err(_) => (count > 0).then_some(0),
    }
}

/// The file as it stood in the table, as far as its removal says.
fn as_add(remove: &Remove) -> Add {
    Add {
        path: remove.path.clone(),
        partition_values: remove.partition_values.clone().unwrap_or_default(),
        size: remove.size.unwrap_or(0),
        modification_time: 0,
        data_change: remove.data_change,
        stats: remove.stats.clone(),
        tags: None,
        deletion_vector: remove.deletion_vector.clone(),
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    }
}
