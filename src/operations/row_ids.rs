//! Gives ids to the rows of a table that had none, so that they can be told apart from then on. Kind: edge. Spec: RID.
//!
//! Files are named again with ids, some at a time, while others go on writing. Invariant: when it ends well, every live file has ids;
//! no row is touched.

use super::refused;
use crate::error::{Code, Error, Result};
use crate::log::Add;
use crate::snapshot::{FileQuery, Snapshot};
use crate::transaction::{CommitOutcome, OperationInfo, ReadScope};
use futures::TryStreamExt;
use serde_json::{Map, Value};
use std::sync::Arc;

const OPERATION: &str = "ROW TRACKING BACKFILL";
/// Files of one commit.
const FILES_AT_ONCE: usize = 100_000;
/// How often in a row a commit may lose against others before this gives up.
const LOSSES_MAX: usize = 20;

/// Gives ids to every file that has none; the table must support them already, so that files which others add meanwhile have theirs.
/// Gives back the newest version. Memory: the actions of one commit. `LB-CONFLICT` when others keep changing the same files,
/// `LB-INPUT` names a file that does not say how many rows it has.
pub(crate) async fn give_row_ids(snapshot: Arc<Snapshot>) -> Result<Arc<Snapshot>> {
    give_some_at_a_time(snapshot, FILES_AT_ONCE).await
}

async fn give_some_at_a_time(mut snapshot: Arc<Snapshot>, files_max: usize) -> Result<Arc<Snapshot>> {
    let (mut batch, mut losses) = (0u64, 0);
    loop {
        let files = without_ids(&snapshot, files_max).await?;
        if files.is_empty() {
            return Ok(snapshot);
        }
        let parameters = Map::from_iter([("batchId".to_owned(), Value::String(batch.to_string()))]);
        let mut transaction = snapshot.begin(OperationInfo { operation: OPERATION.to_owned(), parameters, ..OperationInfo::default() });
        transaction.read(ReadScope::Files(files.iter().map(|file| file.path.clone()).collect()));
        for file in files {
            transaction.add(Add { data_change: false, ..file });
        }
        match transaction.commit().await? {
            CommitOutcome::Committed(_) => (batch, losses) = (batch + 1, 0),
            // Somebody has removed or changed one of the files: the others still need ids.
            CommitOutcome::Conflicted(_) if losses < LOSSES_MAX => losses += 1,
            CommitOutcome::Conflicted(conflict) => return Err(refused(&conflict)),
        }
        snapshot = snapshot.refresh().await?;
        if !snapshot.state().gives_row_ids() {
            return Err(Error::new(Code::CONFLICT, "row ids were turned off while the files of the table got theirs"));
        }
    }
}

/// Some of the files whose rows have no ids.
async fn without_ids(snapshot: &Arc<Snapshot>, files_max: usize) -> Result<Vec<Add>> {
    let mut found = Vec::new();
    let mut files = snapshot.files(FileQuery::default().full());
    while let Some(batch) = files.try_next().await? {
        for row in 0..batch.len() {
            let add = batch.add(row);
            if add.base_row_id.is_none() && found.len() < files_max {
                found.push(add);
            }
        }
        if found.len() == files_max {
            break;
        }
    }
    Ok(found)
}

#[cfg(test)]
#[path = "row_ids_tests.rs"]
mod tests;
