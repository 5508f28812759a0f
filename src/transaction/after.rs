//! What follows a commit: a checkpoint when one is due. Kind: edge. Spec: CKP.

use super::Committed;
use crate::error::Result;
use crate::snapshot::{At, Snapshot};
use crate::table::Table;
use std::sync::Arc;

/// Does what is due after `committed`, whose transaction stood on `base`: a checkpoint at every multiple of the table's interval.
/// A failure here never undoes the commit. No request when nothing is due. (CKP-14)
pub(crate) async fn run(table: &Table, base: Option<&Arc<Snapshot>>, committed: &Committed) -> Result<Vec<String>> {
    let Some(base) = base else { return Ok(Vec::new()) };
    if !is_due(committed.version.0, base.state().checkpoint_interval()?) {
        return Ok(Vec::new());
    }
    let newest = base.refresh().await?;
    let snapshot = if newest.version() == committed.version { newest } else { table.snapshot_at(At::Version(committed.version)).await? };
    Ok(snapshot.write_checkpoint().await?.warnings)
}

fn is_due(version: u64, interval: u64) -> bool {
    version > 0 && version.is_multiple_of(interval.max(1))
}

#[cfg(test)]
#[path = "after_tests.rs"]
mod tests;
