//! Deletes rows. Kind: edge. Spec: ROW.

use super::positions::{Found, Matcher};
use super::row_changes::{Does, RowChanges};
use super::run::{Operation, Settings, Staged, run};
use super::{Report, json_text};
use crate::data::scan::{FileTask, Rows};
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
    options: WriteOptions,
    settings: Settings,
}

impl Table {
    /// Starts deleting rows: all of them, unless a filter is set.
    pub fn delete(&self) -> Delete {
        Delete { table: self.clone(), predicate: None, options: WriteOptions::default(), settings: Settings::default() }
    }
}

impl Delete {
    /// Only rows for which this is TRUE; those for which it is NULL stay.
    pub fn filter(mut self, predicate: Expr) -> Self {
        self.predicate = Some(predicate);
        self
    }
    /// Free text that the history shows.
    pub fn user_metadata(mut self, text: &str) -> Self {
        self.settings.user_metadata = Some(text.to_owned());
        self
    }
    /// Refuses with `LB-CONFLICT` when the table is not at this version.
    pub fn if_version(mut self, version: Version) -> Self {
        self.settings.if_version = Some(version);
        self
    }
    /// How long the commit tries, and how often the work is planned anew.
    pub fn policy(mut self, policy: CommitPolicy) -> Self {
        self.settings.policy = policy;
        self
    }
    /// Sizes of files that are written again.
    pub fn write_options(mut self, options: WriteOptions) -> Self {
        self.options = options;
        self
    }
    /// Deletes the rows and commits. The report counts them (`numDeletedRows`); its version is `None` when there were none.
    ///
    /// Files that match as a whole, by their partition or their statistics, are not read. Of others the predicate's columns are; where
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
        let changes = RowChanges::new(base, does, self.options.clone())?;
        if let Err(e) = delete_matching(&matcher, &changes, env.threads()).await {
            changes.abort().await;
            return Err(e);
        }
        let scanned = env.now();
        let effects = changes.finish().await?;
        let mut metrics = effects.counts.metrics("numDeletedRows");
        metrics.insert("scanTimeMs".to_owned(), scanned.millis().saturating_sub(started.millis()).into());
        metrics.insert("rewriteTimeMs".to_owned(), env.now().millis().saturating_sub(scanned.millis()).into());
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
    let going = match matcher.find(&task, &file).await? {
        Found::Some(none) if none.is_empty() => return Ok(()),
        Found::All => {
            changes.remove_file(file)?;
            Rows::All
        }
        Found::Some(going) => {
            changes.remove_rows(&task, file, Arc::clone(&going)).await?;
            Rows::Only(going)
        }
    };
    if !changes.wants_deleted_rows() {
        return Ok(());
    }
    changes.rows().read_rows(task, going).try_for_each(|rows| async move { changes.deleted_rows(&rows).await }).await
}
