//! Joins small files after a commit that left many of them, where the table asks for it. Kind: edge. Spec: OPT.
//!
//! Invariant: whatever happens here, the commit stands and is reported as what it is.

use super::execute::execute;
use super::plan::after_commit;
use crate::error::Result;
use crate::log::Add;
use crate::operations::run::Settings;
use crate::snapshot::Snapshot;
use crate::table::Table;
use std::sync::Arc;

/// Joins the small files of partitions to which a commit has added these; what went wrong, for the report. No request when the table
/// does not ask for it; else its newest version is looked at.
pub(in crate::operations) async fn join_after(table: &Table, base: Option<&Arc<Snapshot>>, added: &[Add]) -> Vec<String> {
    match joined(table, base, added).await {
        Ok(notes) => notes,
        Err(e) => vec![format!("the commit stands, but small files were not joined after it: {e}")],
    }
}

async fn joined(table: &Table, base: Option<&Arc<Snapshot>>, added: &[Add]) -> Result<Vec<String>> {
    // A commit that makes the table leaves few files of a partition.
    let Some(base) = base.filter(|_| !added.is_empty()) else { return Ok(Vec::new()) };
    if !base.state().joins_after_commits()? {
        return Ok(Vec::new());
    }
    let newest = match table.snapshot_for_files().await {
        Ok(newest) if newest.state().joins_after_commits()? => newest,
        Ok(_) => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let plan = after_commit(&newest, added).await?;
    if plan.groups().is_empty() {
        return Ok(Vec::new());
    }
    let done = execute(&newest, plan, &Settings::default()).await?;
    Ok(done.committed.into_iter().flat_map(|committed| committed.warnings).collect())
}
