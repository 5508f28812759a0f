//! Deletes rows. Kind: edge. Spec: ROW.

use super::positions::Matcher;
use super::row_changes::{Does, RowChanges};
use super::run::{Operation, Settings, Staged, chosen_by_settings, put_times, run};
use super::{Report, json_text};
use crate::data::scan::FileTask;
use crate::data::write::WriteOptions;
use crate::error::Result;
use crate::expr::Expr;
use crate::log::{Add, Version};
use crate::snapshot::Snapshot;
use crate::table::Table;
use crate::transaction::CommitPolicy;
use futures::TryStreamExt;
use serde_json::Map;
use std::sync::Arc;

/// Deletes the rows for which a predicate is TRUE, or all rows.
pub struct Delete {
    table: Table,
    predicate: Option<Expr>,
    settings: Settings,
}

chosen_by_settings!(Delete);

impl Table {
    /// Starts deleting rows: all of them, unless a filter is set.
    pub fn delete(&self) -> Delete {
        Delete { table: self.clone(), predicate: None, settings: Settings::default() }
    }
}

impl Delete {
    /// Only rows for which this is TRUE; those for which it is NULL stay.
    pub fn filter(mut self, predicate: Expr) -> Self {
        self.predicate = Some(predicate);
        self
    }
    /// Deletes the rows and commits. The report counts them (`numDeletedRows`); its version is `None` when there were none.
    ///
    /// Files that match as a whole by their partition are not read. Of others the predicate's columns are; where
    /// the table allows deletion vectors nothing else is read, and nothing but vectors is written. `LB-CONSTRAINT` for an append-only
    /// table, `LB-EXPR`, `LB-CONFLICT`; then nothing was committed, and files that were written are deleted.
    pub async fn run(self) -> Result<Report> {
        run(&self.table, &self, &self.settings).await
    }
}

impl Operation for Delete {
    const NAME: &'static str = "DELETE";

    async fn stage(&self, base: &Arc<Snapshot>) -> Result<Staged> {
        let env = base.table().env();
        let started = env.now();
        let matcher = Matcher::new(base, self.predicate.as_ref())?;
        let does = if matcher.decides_files() { Does::Files } else { Does::Deletes };
        let changes = RowChanges::new(base, does, self.settings.options.clone())?;
        if let Err(e) = delete_matching(&matcher, &changes, env.threads()).await {
            changes.abort().await;
            return Err(e);
        }
        let scanned = env.now();
        let effects = changes.finish().await?;
        let mut metrics = effects.counts.metrics("numDeletedRows");
        put_times(&mut metrics, started, scanned, env.now());
        let predicate = matcher.text().unwrap_or_else(|| "true".to_owned());
        let parameters = Map::from_iter([("predicate".to_owned(), json_text(&[predicate]))]);
        Ok(Staged { metadata: None, protocol: None, effects, reads: matcher.reads(), parameters, metrics })
    }
}

/// Deletes all that matches, several files at once.
pub(super) async fn delete_matching(matcher: &Matcher, changes: &RowChanges, threads: usize) -> Result<()> {
    matcher.files().try_for_each_concurrent(threads, |(task, file)| delete((matcher, changes), task, file)).await
}

/// Deletes what matches of one file.
async fn delete((matcher, changes): (&Matcher, &RowChanges), task: FileTask, file: Add) -> Result<()> {
    let Some(going) = matcher.take_away(changes, &task, file).await? else { return Ok(()) };
    if !changes.wants_deleted_rows() {
        return Ok(());
    }
    changes.rows().read_rows(task, going).try_for_each(|rows| async move { changes.deleted_rows(&rows).await }).await
}
