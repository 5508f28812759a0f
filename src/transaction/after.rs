//! What follows a commit: a checkpoint when one is due, and then a look at what of the log is too old. Kind: edge. Spec: CKP, CLN.

use super::Committed;
use crate::error::Result;
use crate::log::cleanup::delete;
use crate::snapshot::{At, Snapshot, StoreClock};
use crate::table::Table;
use std::sync::Arc;

/// Does what is due after `committed`, whose transaction stood on `base`: a checkpoint at every multiple of the table's interval, and when one
/// was written a clean-up of the log, unless the log is to be kept. A failure here never undoes the commit. No request when nothing is due. (CKP-14, CLN-9)
pub(crate) async fn run(table: &Table, base: Option<&Arc<Snapshot>>, committed: &Committed, keeps_log: bool) -> Result<Vec<String>> {
    let Some(base) = base else { return Ok(Vec::new()) };
    if !is_due(committed.version.0, base.state().checkpoint_interval()?) {
        return Ok(Vec::new());
    }
    let newest = base.refresh().await?;
    let snapshot = if newest.version() == committed.version { newest } else { table.snapshot_at(At::Version(committed.version)).await? };
    let written = snapshot.write_checkpoint().await?;
    let mut warnings = written.warnings;
    if written.ours
        && !keeps_log
        && let Err(e) = clean_up(&snapshot).await
    {
        warnings.push(format!("the log was not cleaned up: {e}"));
    }
    Ok(warnings)
}

/// Deletes what is older than the table keeps of its log. Only whoever has just written the newest version looks.
async fn clean_up(snapshot: &Arc<Snapshot>) -> Result<()> {
    if !snapshot.state().cleans_up_log()? || !snapshot.table().log().permits_cleanup() {
        return Ok(());
    }
    let expired = snapshot.expired_log(StoreClock::NewestFile).await?;
    for warning in &expired.warnings {
        tracing::info!("{warning}");
    }
    delete(snapshot.table().root(), &expired.files).await.map(|_| ())
}

fn is_due(version: u64, interval: u64) -> bool {
    version > 0 && version.is_multiple_of(interval.max(1))
}

#[cfg(test)]
#[path = "after_tests.rs"]
mod tests;
