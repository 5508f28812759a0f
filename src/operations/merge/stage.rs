//! One run of a merge on one version: what to read, what to write, whether it adds up. Kind: edge. Spec: MRG.

use super::files::Files;
use super::later::Later;
use super::matching::{Counts, Matching};
use super::plan::Plan;
use super::reads::Reads;
use super::source::Source;
use crate::data::scan::Scan;
use crate::data::write::WriteOptions;
use crate::error::{Code, Error, Result};
use crate::expr::Expr;
use crate::features::HiddenColumn;
use crate::operations::row_changes::{Does, RowChanges, RowCounts, RowEffects};
use crate::operations::run::Staged;
use crate::operations::run::put_times;
use crate::snapshot::Snapshot;
use crate::transaction::ReadScope;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Runs the merge on `base`. Nothing is left after an error.
pub(super) async fn stage(base: &Arc<Snapshot>, plan: &Plan, source: &Source, options: &WriteOptions) -> Result<Staged> {
    let env = base.table().env();
    let started = env.now();
    let reads = Reads::new(plan);
    let filter = plan.filter(source.filter.clone());
    let bound = filter.as_ref().map(|f| f.bind(base.state().schema())).transpose()?;
    let does = match (plan.only_inserts(), plan.only_deletes()) {
        (true, _) => Does::Files,
        (_, true) => Does::Deletes,
        _ => Does::Changes,
    };
    let changes = RowChanges::into_table(base, &plan.state, does, options.clone())?;
    let later = reads.need_whole_rows(plan) || changes.wants_deleted_rows();
    let first = scan(base, Some(reads.first.clone()), &[], filter)?;
    let whole = if changes.wants_deleted_rows() { None } else { Some(reads.of_images.clone()) };
    let whole = scan(base, whole, &plan.moved, None)?;
    let mut matching = Matching {
        plan,
        reads: &reads,
        env,
        changes: &changes,
        files: Files::default(),
        counts: Counts::default(),
        later: if later { Some(Later::start(env, &reads.fields_of_updates(&source.schema))?) } else { None },
        whole,
    };
    let nothing_to_match = source.rows == 0 && plan.not_matched_by_source.is_empty();
    let target = Some(&first).filter(|_| !nothing_to_match);
    let outcome = matching.run(source, target).await;
    let (counts, files) = (matching.counts, std::mem::take(&mut matching.files));
    let scanned = env.now();
    let gone = match outcome {
        Ok(()) => files.gone(target).await,
        Err(e) => Err(e),
    };
    let outcome = match gone {
        Ok(gone) => {
            let changes = &changes;
            let removals = gone.into_iter().map(|(task, add, going)| async move { changes.remove_rows(&task, add, Arc::new(going)).await });
            stream::iter(removals).buffer_unordered(env.threads()).try_collect::<Vec<()>>().await
        }
        Err(e) => Err(e),
    };
    if let Err(e) = outcome {
        changes.abort().await;
        return Err(e);
    }
    let effects = changes.finish().await?;
    if let Err(e) = adds_up(&counts, &effects) {
        effects.discard(base.table()).await;
        return Err(e);
    }
    let mut metrics = metrics(source.rows, &counts, &effects.counts);
    put_times(&mut metrics, started, scanned, env.now());
    Ok(Staged {
        effects,
        metadata: plan.metadata.clone(),
        protocol: plan.protocol.clone(),
        reads: bound.map_or(ReadScope::Table, ReadScope::Predicate),
        parameters: Map::new(),
        metrics,
    })
}

/// Rows with their positions.
fn scan(base: &Arc<Snapshot>, columns: Option<Vec<String>>, moved: &[HiddenColumn], filter: Option<Expr>) -> Result<Scan> {
    let mut scan = base.scan().hidden([HiddenColumn::RowIndex]).hidden(moved.iter().copied()).counted();
    if let Some(mut columns) = columns {
        columns.sort();
        columns.dedup();
        scan = scan.columns(columns);
    }
    filter.into_iter().fold(scan, |scan, filter| scan.filter(filter)).build()
}

/// Rows before + inserted − deleted = rows after, and what was changed has left its file.
fn adds_up(counts: &Counts, effects: &RowEffects) -> Result<()> {
    let (updated, deleted) = (counts.updated(), counts.deleted());
    let gone = effects.counts.gone == Some(updated + deleted);
    let written = effects.counts.written == updated + counts.inserted;
    let left = updated + deleted == 0 || !(effects.removes.is_empty() && effects.row_deletes.is_empty());
    if gone && written && left {
        return Ok(());
    }
    Err(Error::new(Code::INTERNAL, "the rows of a merge do not add up")
        .with("updated", updated)
        .with("deleted", deleted)
        .with("inserted", counts.inserted)
        .with("gone", effects.counts.gone.map_or("unknown".to_owned(), |n| n.to_string()))
        .with("written", effects.counts.written)
        .help("nothing was committed; please report this"))
}

fn metrics(source_rows: u64, rows: &Counts, files: &RowCounts) -> Map<String, Value> {
    let mut out = Map::new();
    let mut put = |key: &str, value: u64| _ = out.insert(key.to_owned(), value.into());
    put("numSourceRows", source_rows);
    put("numTargetRowsInserted", rows.inserted);
    put("numTargetRowsUpdated", rows.updated());
    put("numTargetRowsMatchedUpdated", rows.matched_updated);
    put("numTargetRowsNotMatchedBySourceUpdated", rows.by_source_updated);
    put("numTargetRowsDeleted", rows.deleted());
    put("numTargetRowsMatchedDeleted", rows.matched_deleted);
    put("numTargetRowsNotMatchedBySourceDeleted", rows.by_source_deleted);
    put("numTargetRowsCopied", files.copied);
    put("numOutputRows", files.copied + files.written);
    put("numTargetFilesAdded", files.files_added);
    put("numTargetFilesRemoved", files.files_removed);
    put("numTargetBytesAdded", files.bytes_added);
    put("numTargetBytesRemoved", files.bytes_removed);
    put("numTargetChangeFilesAdded", files.change_files);
    put("numTargetDeletionVectorsAdded", files.vectors_added);
    put("numTargetDeletionVectorsRemoved", files.vectors_removed);
    put("numTargetDeletionVectorsUpdated", files.vectors_updated);
    out
}

#[cfg(test)]
#[path = "stage_tests.rs"]
mod tests;
