//! The part of the log that needs a feature: finding and removing it. Kind: edge. Spec: DRF.

use crate::error::Result;
use crate::features::Dropping;
use crate::log::{LogFile, LogFileKind, Version, decode_commit};
use crate::snapshot::Snapshot;
use crate::storage::failure;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
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

/// Deletes everything of the log below `version`, which has a checkpoint: commits first, oldest first, so that whatever is left when it
/// ends early can still be read from a checkpoint. Gives how many files went.
pub(super) async fn remove_before(base: &Arc<Snapshot>, version: Version) -> Result<u64> {
    base.state().check_history_removal(version)?;
    let root = base.table().root();
    let mut old: Vec<LogFile> =
        base.table().log().list(Version(0)).try_filter(|file| std::future::ready(file.version < version)).try_collect().await?;
    old.sort_by_key(|file| (!matches!(file.kind, LogFileKind::Commit), file.version));
    for file in &old {
        let key = root.log_key(&file.name);
        match root.store().delete(&key).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(e) => return Err(failure(e, "removing old history", key.as_ref())),
        }
    }
    Ok(old.len() as u64)
}
