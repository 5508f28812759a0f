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

/// The log was cut above our base: the files fit the newest version when it is the table that they were written for.
pub(super) async fn above_the_cut(
    table: &Table,
    base: Option<&Snapshot>,
    plan: &Plan,
    info: OperationInfo,
    choices: &Choices,
    adds: &[Add],
    conflict: Conflicted,
) -> Result<CommitOutcome> {
    let newest = table.snapshot().await?;
    let same = base.is_some_and(|base| {
        let (read, now) = (base.state(), newest.state());
        read.metadata() == now.metadata() && read.protocol() == now.protocol()
    });
    if !same || choices.is_recorded_in(&newest).await? {
        return Ok(CommitOutcome::Conflicted(conflict));
    }
    stage(table, Some(&newest), plan, info, choices, (Removal::default(), ReadScope::Table), adds).commit().await
}

/// Another writer has made the table meanwhile: the files fit it when it stores rows in the same way and refuses none.
pub(super) async fn after_losing_creation(
    table: &Table,
    plan: &Plan,
    info: OperationInfo,
    choices: &Choices,
    adds: &[Add],
    conflict: Conflicted,
) -> Result<CommitOutcome> {
    let base = table.snapshot().await?;
    let (ours, theirs) = (&plan.state, base.state());
    let same = ours.physical_schema() == theirs.physical_schema() && ours.partition_columns() == theirs.partition_columns();
    // Our rows were asked the rules of the table that we would have made, not those of theirs.
    let refuses = !theirs.write_plan()?.checks.is_empty();
    if !same || refuses || choices.is_recorded_in(&base).await? {
        return Ok(CommitOutcome::Conflicted(conflict));
    }
    let plan = Plan::unchanged(Arc::clone(theirs));
    stage(table, Some(&base), &plan, info, choices, (Removal::default(), ReadScope::Table), adds).commit().await
}
