//! Joins small files after a commit that left many of them, where the table asks for it. Kind: edge. Spec: OPT.
//!
//! Invariant: whatever happens here, the commit stands and is reported as what it is.

use super::TARGET_BYTES;
use super::execute::execute;
use super::plan::{after_commit, is_small};
use crate::error::Result;
use crate::log::Add;
use crate::operations::run::Settings;
use crate::snapshot::Snapshot;
use std::sync::Arc;

/// Joins the small files of partitions in which a commit after `base` has left small ones, if these are among them; what went wrong, for
/// the report. No request when the table does not ask for it, or when no file is small; else what is new of the log is read, and of the
/// file list what the filter by these partitions leaves.
pub(in crate::operations) async fn join_after(base: Option<&Arc<Snapshot>>, added: &[Add]) -> Vec<String> {
    match joined(base, added).await {
        Ok(notes) => notes,
        Err(e) => vec![format!("the commit stands, but small files were not joined after it: {e}")],
    }
}

async fn joined(base: Option<&Arc<Snapshot>>, added: &[Add]) -> Result<Vec<String>> {
    // A commit that makes the table leaves few files of a partition.
    let Some(base) = base.filter(|_| !added.is_empty()) else { return Ok(Vec::new()) };
    if !base.state().joins_after_commits()? {
        return Ok(Vec::new());
    }
    let target = base.state().target_file_size()?.unwrap_or(TARGET_BYTES);
    let left: Vec<&Add> = added.iter().filter(|add| is_small(add.size, target)).collect();
    if left.is_empty() {
        return Ok(Vec::new());
    }
    let newest = base.refresh().await?;
    if !newest.state().joins_after_commits()? {
        return Ok(Vec::new());
    }
    let plan = after_commit(&newest, &left).await?;
    if plan.groups().is_empty() {
        return Ok(Vec::new());
    }
    let done = execute(&newest, plan, &Settings::default()).await?;
    Ok(done.committed.into_iter().flat_map(|committed| committed.warnings).collect())
}
