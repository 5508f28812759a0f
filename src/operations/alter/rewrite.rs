//! Files written anew with the same rows, and files listed anew. Kind: edge. Spec: DRF.
//!
//! Invariant: the rows of the table do not change, and the rows that are written are counted against those that were read.

use crate::data::write::{DataWriter, RowOrigin, WriteOptions, discard};
use crate::error::{Code, Error, Result};
use crate::log::Add;
use crate::operations::overwrite::remove_of;
use crate::operations::refused;
use crate::snapshot::{FileQuery, Snapshot};
use crate::transaction::{CommitOutcome, Committed, OperationInfo, ReadScope};
use futures::TryStreamExt;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
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
    let old: HashMap<String, (Add, Option<i64>)> =
        selected(base, select).await?.into_iter().map(|file| (file.0.path.clone(), file)).collect();
    if old.is_empty() {
        return Ok(None);
    }
    let table = base.table();
    let mut writer = DataWriter::new(table, Arc::clone(base.state()), WriteOptions::default())?;
    let mut adds = match copy(base, &old, &mut writer).await {
        Ok(rows) if rows == writer.rows() => writer.finish().await?,
        Ok(rows) => {
            let written = writer.rows();
            writer.abort().await;
            return Err(Error::new(Code::INTERNAL, "rewriting lost rows; nothing was committed")
                .with("read", rows)
                .with("written", written));
        }
        Err(e) => {
            writer.abort().await;
            return Err(e);
        }
    };
    adds.iter_mut().for_each(|add| add.data_change = false);
    let now = table.env().now().millis();
    let parameters = Map::from_iter([("predicate".to_owned(), json!("[]")), ("applyPurge".to_owned(), json!(true))]);
    let mut transaction = base.begin(OperationInfo { operation: "REORG".to_owned(), parameters, ..OperationInfo::default() });
    let bytes = |files: &mut dyn Iterator<Item = i64>| files.sum::<i64>();
    let counts = Map::from_iter([
        ("numRemovedFiles".to_owned(), old.len().into()),
        ("numAddedFiles".to_owned(), adds.len().into()),
        ("numRemovedBytes".to_owned(), bytes(&mut old.values().map(|(add, _)| add.size)).into()),
        ("numAddedBytes".to_owned(), bytes(&mut adds.iter().map(|add| add.size)).into()),
        ("numDeletionVectorsRemoved".to_owned(), old.values().filter(|(add, _)| add.deletion_vector.is_some()).count().into()),
    ]);
    transaction.operation().metrics = counts.clone();
    metrics.extend(counts);
    transaction.read(ReadScope::Files(old.keys().cloned().collect()));
    for (add, records) in old.into_values() {
        let mut remove = remove_of(add, records, now);
        remove.data_change = false;
        transaction.remove(remove);
    }
    for add in &adds {
        transaction.add(add.clone());
    }
    match transaction.commit().await {
        Ok(CommitOutcome::Committed(done)) => Ok(Some(done)),
        Ok(CommitOutcome::Conflicted(conflict)) => {
            discard(table, &adds).await;
            Err(refused(&conflict))
        }
        Err(e) => {
            if !e.may_have_landed() {
                discard(table, &adds).await;
            }
            Err(e)
        }
    }
}

/// Feeds the live rows of the files to the writer; gives how many there were.
async fn copy(base: &Arc<Snapshot>, old: &HashMap<String, (Add, Option<i64>)>, writer: &mut DataWriter) -> Result<u64> {
    // The rows stay those they were: their ids and numbers travel with them.
    let scan = base.scan().hidden(base.state().moved_columns()).build()?;
    let mut tasks = scan.tasks();
    let mut rows = 0;
    while let Some(task) = tasks.try_next().await? {
        if !old.contains_key(&task.path) {
            continue;
        }
        let mut batches = scan.read(task);
        while let Some(batch) = batches.try_next().await? {
            rows += batch.num_rows() as u64;
            writer.write_from(batch, RowOrigin::Table).await?;
        }
    }
    Ok(rows)
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
