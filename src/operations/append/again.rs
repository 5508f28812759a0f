//! Files of an append that lost, on a version on which there is no conflict. Kind: edge. Spec: OPS, COM.
//!
//! Invariant: rows are committed only to a table that is the one that they were written for, as far as rows can tell.

use super::{Choices, Plan, Removal, stage};
use crate::error::Result;
use crate::log::Add;
use crate::snapshot::Snapshot;
use crate::table::Table;
use crate::transaction::{CommitOutcome, Conflicted, OperationInfo, ReadScope};
use std::sync::Arc;

/// Commits the files to the newest version, when the log was cut above our base, or when another writer has made the table of which we had
/// none, and that version is what the files were written for.
pub(super) async fn on_the_newest(
    table: &Table,
    base: Option<&Snapshot>,
    plan: &Plan,
    info: OperationInfo,
    choices: &Choices,
    adds: &[Add],
    conflict: Conflicted,
) -> Result<CommitOutcome> {
    let newest = table.snapshot().await?;
    let theirs = Plan::unchanged(Arc::clone(newest.state()));
    let plan = match base {
        Some(base) => is_unchanged(base, &newest).then_some(plan),
        None => fits(plan, &newest)?.then_some(&theirs),
    };
    match plan {
        Some(plan) if !choices.is_recorded_in(&newest).await? => {
            stage(table, Some(&newest), plan, info, choices, (Removal::default(), ReadScope::Table), adds).commit().await
        }
        _ => Ok(CommitOutcome::Conflicted(conflict)),
    }
}

/// Whether it is the table still that was read.
fn is_unchanged(base: &Snapshot, newest: &Snapshot) -> bool {
    let (read, now) = (base.state(), newest.state());
    read.metadata() == now.metadata() && read.protocol() == now.protocol()
}

/// Whether a table that another writer has made stores rows in the same way and refuses none: our rows were asked the rules of the table that
/// we would have made, not those of theirs.
fn fits(plan: &Plan, newest: &Snapshot) -> Result<bool> {
    let (ours, theirs) = (&plan.state, newest.state());
    let same = ours.physical_schema() == theirs.physical_schema() && ours.partition_columns() == theirs.partition_columns();
    Ok(same && theirs.write_plan()?.checks.is_empty())
}
