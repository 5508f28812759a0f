//! What a reader of the tail takes of one commit. Kind: pure. Spec: TAI.

use crate::data::scan::FileTask;
use crate::error::{Code, Error, Result};
use crate::features::TableState;
use crate::log::{Action, TailPiece};
use crate::operations::changes::fit::misfit;
use std::sync::Arc;

/// What to do with commits that take rows away; the meanings are Spark's.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Forgiving {
    /// Commits that only remove files are passed over.
    pub deletes: bool,
    /// Also those that add files in their place; rows of these may come twice.
    pub changes: bool,
    /// Commits that remove files bring nothing at all.
    pub skip_changes: bool,
}

/// The files that the commit brings, in their order. `LB-INPUT` for rows that go when that is not forgiven, `LB-SCHEMA` for a change of
/// columns that the reader cannot show, `LB-LOG-STATE` when the table is another one from there on.
pub(super) fn files(commit: &TailPiece, state: &mut Arc<TableState>, shown: &TableState, forgiving: Forgiving) -> Result<Vec<FileTask>> {
    let (mut protocol, mut metadata, mut removed) = (None, None, None);
    let mut adds = Vec::new();
    for action in &commit.actions {
        match action {
            Action::Protocol(p) => protocol = Some(p),
            Action::Metadata(m) => metadata = Some(m),
            Action::Remove(r) if r.data_change => _ = removed.get_or_insert(&r.path),
            Action::Add(a) if a.data_change => adds.push(a),
            _ => {}
        }
    }
    if protocol.is_some() || metadata.is_some() {
        let protocol = protocol.unwrap_or(state.protocol()).clone();
        let metadata = metadata.unwrap_or(state.metadata()).clone();
        *state = Arc::new(state.with(protocol, metadata, Vec::new())?);
        state.check_readable()?;
        check_columns(commit, state, shown)?;
    }
    if let Some(path) = removed {
        let changes = forgiving.changes || forgiving.skip_changes;
        let refused = |what: &str, help: &str| {
            Error::new(Code::INPUT, format!("version {} {what}", commit.to)).with("version", commit.to).with("path", path).help(help)
        };
        if !adds.is_empty() && !changes {
            return Err(refused(
                "changes rows that were there, and a reader of new rows cannot tell them apart",
                "read the change data feed, or pass over such commits (skip_change_commits), or take their files (ignore_changes)",
            ));
        }
        if adds.is_empty() && !changes && !forgiving.deletes {
            return Err(refused("deletes rows", "pass over such commits (ignore_deletes, skip_change_commits)"));
        }
        if forgiving.skip_changes {
            adds.clear();
        }
    }
    adds.into_iter().map(FileTask::of_add).collect()
}

fn check_columns(commit: &TailPiece, state: &TableState, shown: &TableState) -> Result<()> {
    if state.metadata().id != shown.metadata().id {
        return Err(Error::new(Code::LOG_STATE, "the table was replaced by another one").with("version", commit.to));
    }
    let added = state.schema().fields.iter().find(|field| shown.schema().field(&field.name).is_none());
    let why = added.map(|field| format!("column {} is not among those of the reader", field.name)).or_else(|| misfit(state, shown));
    match why {
        None => Ok(()),
        Some(why) => {
            Err(Error::new(Code::SCHEMA, format!("version {} changes the columns: {why}", commit.to)).with("version", commit.to).help(
                "open the tail again after the last offset: it has the new columns then; begin anew where a column was dropped or renamed",
            ))
        }
    }
}
