//! Gives rows new values. Kind: edge. Spec: ROW.

use super::assign::Assignments;
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

/// Gives new values to columns of the rows for which a predicate is TRUE, or of all rows.
pub struct Update {
    table: Table,
    sets: Vec<(String, Expr)>,
    predicate: Option<Expr>,
    settings: Settings,
}

chosen_by_settings!(Update);

impl Table {
    /// Starts giving rows new values: all of them, unless a filter is set.
    pub fn update(&self) -> Update {
        Update { table: self.clone(), sets: Vec::new(), predicate: None, settings: Settings::default() }
    }
}

impl Update {
    /// Gives a column, or a field inside one (`a.b`), the value of an expression over the row as it was, or with `DEFAULT` its default.
    /// The value is converted to the column's type as by CAST; the current time is that of the update.
    pub fn set(mut self, column: &str, value: Expr) -> Self {
        self.sets.push((column.to_owned(), value));
        self
    }
    /// Only rows for which this is TRUE; those for which it is NULL stay as they are.
    pub fn filter(mut self, predicate: Expr) -> Self {
        self.predicate = Some(predicate);
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
        let assignments = Assignments::new(base.state(), &self.sets, started)?;
        let matcher = Matcher::new(base, self.predicate.as_ref())?;
        let changes = RowChanges::new(base, Does::Changes, self.settings.options.clone())?;
        let one = (&matcher, &assignments, &changes);
        if let Err(e) = matcher.files().try_for_each_concurrent(env.threads(), |(task, file)| update(one, task, file)).await {
            changes.abort().await;
            return Err(e);
        }
        let scanned = env.now();
        let effects = changes.finish().await?;
        if let Err(e) = effects.counts.check_replaced() {
            effects.discard(base.table()).await;
            return Err(e);
        }
        let mut metrics = effects.counts.metrics("numUpdatedRows");
        put_times(&mut metrics, started, scanned, env.now());
        let predicate: Vec<String> = matcher.text().into_iter().collect();
        let parameters = Map::from_iter([("predicate".to_owned(), json_text(&predicate))]);
        Ok(Staged { metadata: None, protocol: None, effects, reads: matcher.reads(), parameters, metrics })
    }
}

/// Changes what matches of one file.
async fn update(one: (&Matcher, &Assignments, &RowChanges), task: FileTask, file: Add) -> Result<()> {
    let (matcher, assignments, changes) = one;
    let Some(old) = matcher.take_away(changes, &task, file).await? else { return Ok(()) };
    let rows = changes.rows().read_rows(task, old);
    rows.try_for_each(|before| async move { changes.update_rows(&before, assignments.apply(&before)?).await }).await
}
