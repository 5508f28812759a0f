//! Replaces the rows for which a predicate is TRUE by new ones, all of which must fulfil it. Kind: edge. Spec: OPS.
//!
//! The rows that go are found and removed as a delete does it, so that the table and its change feed are the same as after a delete and
//! an append, in one commit.

use super::Report;
use super::append::{Choices, OPERATION, Plan, stage};
use super::delete::delete_matching;
use super::manifest::renew_after;
use super::optimize::join_after;
use super::overwrite::Removal;
use super::positions::Matcher;
use super::row_changes::{Does, RowChanges, RowEffects};
use crate::data::write::{RowRule, WriteOptions};
use crate::env::Timestamp;
use crate::error::Result;
use crate::expr::Expr;
use crate::features::{RowCheck, TableState};
use crate::snapshot::Snapshot;
use crate::transaction::{CommitOutcome, ReadScope};
use arrow::array::RecordBatch;
use futures::StreamExt;
use futures::stream::BoxStream;
use serde_json::{Map, Value};
use std::sync::Arc;

/// What the commit must say.
pub(super) struct Replaced {
    pub effects: RowEffects,
    pub reads: ReadScope,
    /// The predicate as text.
    pub predicate: String,
}

/// Removes what matches and writes `batches`. When it fails it leaves no file. `LB-CONSTRAINT` names the first new rows that do not
/// fulfil the predicate, or the table that forbids removing rows; `LB-EXPR`.
pub(super) async fn replace(
    base: &Arc<Snapshot>,
    predicate: &Expr,
    mut batches: BoxStream<'static, Result<RecordBatch>>,
    options: WriteOptions,
) -> Result<Replaced> {
    let matcher = Matcher::new(base, Some(predicate))?;
    let mut rule = rule(base.state(), predicate)?;
    let does = if matcher.decides_files() { Does::Files } else { Does::Deletes };
    let changes = RowChanges::new(base, does, options)?;
    let written = async {
        delete_matching(&matcher, &changes, base.table().env().threads()).await?;
        while let Some(batch) = batches.next().await {
            rule.check(&changes.insert_rows_as_written(batch?).await?)?;
        }
        Ok(())
    };
    if let Err(e) = written.await {
        changes.abort().await;
        return Err(e);
    }
    let effects = changes.finish().await?;
    Ok(Replaced { effects, reads: matcher.reads(), predicate: matcher.text().unwrap_or_default() })
}

/// The predicate as a condition on new rows.
pub(super) fn rule(state: &Arc<TableState>, predicate: &Expr) -> Result<RowRule> {
    let text = predicate.bind(state.schema())?.to_sql();
    RowRule::new(state, RowCheck { name: format!("condition of the overwrite, {text}"), condition: predicate.clone(), given: None })
}

impl Choices {
    /// Commits what replaces the rows of a condition.
    pub(super) async fn commit_replaced(
        self,
        base: &Arc<Snapshot>,
        plan: &Plan,
        replaced: Replaced,
        (warning, started): (Option<String>, Timestamp),
    ) -> Result<Report> {
        let (table, env) = (base.table(), base.table().env());
        let Replaced { effects, reads, predicate } = replaced;
        let metrics = metrics(&effects);
        let mut info = self.operation(metrics.clone());
        info.parameters.insert("predicate".to_owned(), predicate.into());
        let mut transaction = stage(table, Some(base), plan, info, &self, (Removal::default(), reads), &[]);
        effects.stage(&mut transaction);
        match transaction.commit().await {
            Ok(CommitOutcome::Committed(mut done)) => {
                done.warnings.extend(join_after(Some(base), &effects.adds).await);
                done.warnings.extend(renew_after(table, base.state(), done.version).await);
                let mut report = Report::committed(OPERATION, done, metrics, env, started);
                report.warnings.extend(warning);
                Ok(report)
            }
            Ok(CommitOutcome::Conflicted(conflict)) => {
                effects.discard(table).await;
                self.lost(table, conflict, started).await
            }
            Err(e) => {
                if !e.may_have_landed() {
                    effects.discard(table).await;
                }
                Err(self.out_of_tries(e))
            }
        }
    }
}

/// Spark's keys for an overwrite by predicate.
fn metrics(effects: &RowEffects) -> Map<String, Value> {
    let counts = &effects.counts;
    let mut out = Map::new();
    let mut put = |key: &str, value: u64| _ = out.insert(key.to_owned(), value.into());
    put("numFiles", counts.files_added);
    put("numOutputRows", counts.written + counts.copied);
    put("numOutputBytes", counts.bytes_added);
    put("numRemovedFiles", counts.files_removed);
    put("numRemovedBytes", counts.bytes_removed);
    put("numCopiedRows", counts.copied);
    put("numAddedChangeFiles", counts.change_files);
    if let Some(gone) = counts.gone {
        put("numDeletedRows", gone);
    }
    out
}
