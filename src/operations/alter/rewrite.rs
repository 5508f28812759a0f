//! Files written anew with the same rows, and files listed anew. Kind: edge. Spec: DRF.
//!
//! Invariant: the rows of the table do not change.

use crate::error::Result;
use crate::log::Add;
use crate::operations::optimize::{every, execute};
use crate::operations::run::Settings;
use crate::snapshot::{FileQuery, Snapshot};
use crate::transaction::{Committed, OperationInfo, ReadScope};
use futures::TryStreamExt;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Live files with their count of rows.
pub(super) type Files = Vec<(Add, Option<i64>)>;

/// The live files that `select` wants.
pub(super) async fn selected(base: &Arc<Snapshot>, select: &(dyn Fn(&Add) -> bool + Sync)) -> Result<Files> {
    let mut out = Vec::new();
    let mut files = base.files(FileQuery::default().full());
    while let Some(batch) = files.try_next().await? {
        let all = (0..batch.len()).map(|row| (batch.add(row), batch.num_records(row)));
        out.extend(all.filter(|(add, _)| select(add)));
    }
    Ok(out)
}

/// The live files in which a column is stored in a type from which the table's was widened.
pub(super) async fn narrower(base: &Arc<Snapshot>) -> Result<Files> {
    let files = base.scan().build()?.files_of_narrower_types();
    files.map_ok(|(add, records)| (add, records.and_then(|n| i64::try_from(n).ok()))).try_collect().await
}

/// Writes the rows of these files into new ones in the table's present form and commits that; `None` when there are none.
pub(super) async fn rewrite(base: &Arc<Snapshot>, files: Files, metrics: &mut Map<String, Value>) -> Result<Option<Committed>> {
    if files.is_empty() {
        return Ok(None);
    }
    let done = execute(base, every(base, files), &Settings::default()).await?;
    match done.given_up {
        Some(e) => Err(e),
        None => {
            metrics.extend(done.committed.is_some().then(|| done.sizes.metrics()).into_iter().flatten());
            Ok(done.committed)
        }
    }
}

/// Lists every live file anew after `strip`; `None` when that changes none.
pub(super) async fn strip(base: &Arc<Snapshot>, strip: fn(&mut Add)) -> Result<Option<Committed>> {
    let stripped = |add: &Add| {
        let mut bare = add.clone();
        strip(&mut bare);
        bare
    };
    let files = selected(base, &|add| stripped(add) != *add).await?;
    if files.is_empty() {
        return Ok(None);
    }
    let parameters = Map::from_iter([("batchId".to_owned(), json!("0"))]);
    let mut transaction =
        base.begin(OperationInfo { operation: "ROW TRACKING UNBACKFILL".to_owned(), parameters, ..OperationInfo::default() });
    transaction.read(ReadScope::Files(files.iter().map(|(add, _)| add.path.clone()).collect()));
    for (add, _) in &files {
        let mut bare = stripped(add);
        bare.data_change = false;
        transaction.add(bare);
    }
    super::finish(transaction).await.map(Some)
}
