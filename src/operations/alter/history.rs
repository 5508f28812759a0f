//! The part of the log that needs a feature: finding and removing it. Kind: edge. Spec: DRF.

use crate::error::Result;
use crate::features::Dropping;
use crate::log::cleanup::delete;
use crate::log::{LogFileKind, Version, decode_commit};
use crate::snapshot::Snapshot;
use futures::TryStreamExt;
use std::sync::Arc;

/// The newest file of the log that needs a feature.
pub(super) struct Trace {
    pub(super) version: Version,
    /// When it was written, in milliseconds.
    pub(super) modified: i64,
}

/// The newest commit that holds a trace of the feature. Costs one request a commit of the log; memory: one commit.
pub(super) async fn last_trace(base: &Arc<Snapshot>, dropping: Dropping) -> Result<Option<Trace>> {
    let Some(is_trace) = dropping.downgrade.is_trace else { return Ok(None) };
    let log = base.table().log();
    let mut files = log.list(Version(0));
    let mut last = None;
    while let Some(file) = files.try_next().await? {
        if !matches!(file.kind, LogFileKind::Commit) || file.version > base.version() {
            continue;
        }
        let body = log.read(&file).await?;
        if decode_commit(&file.name, &body)?.iter().any(is_trace) {
            last = Some(Trace { version: file.version, modified: file.modified });
        }
    }
    Ok(last)
}

/// Deletes everything of the log below `version`, whose checkpoint is proven first: commits first, oldest first, so that whatever is left
/// when it ends early can still be read from a checkpoint. Gives how many files went.
pub(super) async fn remove_before(base: &Arc<Snapshot>, version: Version) -> Result<u64> {
    delete(base.table().root(), &base.log_below(version).await?).await
}
