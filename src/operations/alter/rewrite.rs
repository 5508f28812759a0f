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

/// The live files that `select` wants, with their count of rows.
async fn selected(base: &Arc<Snapshot>, select: &(dyn Fn(&Add) -> bool + Sync)) -> Result<Vec<(Add, Option<i64>)>> {
    let mut out = Vec::new();
    let mut files = base.files(FileQuery::default().full());
    while let Some(batch) = files.try_next().await? {
        let all = (0..batch.len()).map(|row| (batch.add(row), batch.num_records(row)));
        out.extend(all.filter(|(add, _)| select(add)));
    }
    Ok(out)
}

/// Writes the rows of the selected files into new ones in the table's present form and commits that; `None` when no file is selected.
pub(super) async fn rewrite(
    base: &Arc<Snapshot>,
    select: &(dyn Fn(&Add) -> bool + Sync),
    metrics: &mut Map<String, Value>,
) -> Result<Option<Committed>> {
    let done = execute(base, every(base, selected(base, select).await?), &Settings::default()).await?;
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
