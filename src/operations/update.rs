//! Gives rows new values. Kind: edge. Spec: ROW.

use super::assign::Assignments;
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

/// Gives new values to columns of the rows for which a predicate is TRUE, or of all rows.
pub struct Update {
    table: Table,
    sets: Vec<(String, Expr)>,
    predicate: Option<Expr>,
    options: WriteOptions,
    settings: Settings,
}

impl Table {
    /// Starts giving rows new values: all of them, unless a filter is set.
    pub fn update(&self) -> Update {
        let (options, settings) = (WriteOptions::default(), Settings::default());
        Update { table: self.clone(), sets: Vec::new(), predicate: None, options, settings }
    }
}

impl Update {
    /// Gives a column, or a field inside one (`a.b`), the value of an expression over the row as it was. The value is converted to the
    /// column's type as by CAST.
    pub fn set(mut self, column: &str, value: Expr) -> Self {
        self.sets.push((column.to_owned(), value));
        self
    }
    /// Only rows for which this is TRUE; those for which it is NULL stay as they are.
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
    /// Sizes of files that are written.
    pub fn write_options(mut self, options: WriteOptions) -> Self {
        self.options = options;
        self
    }
    /// Changes the rows and commits. The report counts them (`numUpdatedRows`); its version is `None` when there were none.
    ///
    /// Where the table allows deletion vectors, only the new versions of rows are written, and vectors that mark the old ones; else files
    /// with such rows are written again. `LB-EXPR` when a column does not exist, is named twice, or a value does not fit its type;
    /// `LB-CONSTRAINT` for an append-only table and for new versions of rows that a rule of the table refuses; `LB-CONFLICT`. Then
    /// nothing was committed, and files that were written are deleted.
    pub async fn run(self) -> Result<Report> {
        run(&self.table, &self, &self.settings).await
    }
}

impl Operation for Update {
    const NAME: &'static str = "UPDATE";

    async fn stage(&self, base: &Arc<Snapshot>) -> Result<Staged> {
        let env = base.table().env();
        let started = env.now();
        let assignments = Assignments::new(base.state(), &self.sets)?;
        let matcher = Matcher::new(base, self.predicate.as_ref())?;
        let changes = RowChanges::new(base, Does::Changes, self.options.clone())?;
        let one = (&matcher, &assignments, &changes);
        if let Err(e) = matcher.files().try_for_each_concurrent(env.threads(), |(task, file)| update(one, task, file)).await {
            changes.abort().await;
            return Err(e);
        }
        let scanned = env.now();
        let effects = changes.finish().await?;
        let mut metrics = effects.counts.metrics("numUpdatedRows");
        metrics.insert("scanTimeMs".to_owned(), scanned.millis().saturating_sub(started.millis()).into());
        metrics.insert("rewriteTimeMs".to_owned(), env.now().millis().saturating_sub(scanned.millis()).into());
        let predicate: Vec<String> = matcher.text().into_iter().collect();
        let parameters = Map::from_iter([("predicate".to_owned(), json_text(&predicate))]);
        Ok(Staged { metadata: None, protocol: None, effects, reads: matcher.reads(), parameters, metrics })
    }
}

/// Changes what matches of one file.
async fn update(one: (&Matcher, &Assignments, &RowChanges), task: FileTask, file: Add) -> Result<()> {
    let (matcher, assignments, changes) = one;
    let old = match matcher.find(&task, &file).await? {
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
    let rows = changes.rows().read_rows(task, old);
    rows.try_for_each(|before| async move { changes.update_rows(&before, assignments.apply(&before)?).await }).await
}
