//! Copies of tables: shallow ones name the source's files, deep ones have files of their own. Kind: edge. Spec: CPY.
//!
//! Invariant: the source is never written.

mod deep;
mod files;
mod plan;

pub use plan::ClonePlan;

use super::{Report, already_exists, since};
use crate::error::{Code, Error, Result};
use crate::features::{TableChange, TableState};
use crate::log::{Add, StringMap};
use crate::snapshot::{FileQuery, Snapshot};
use crate::storage::Meter;
use crate::table::Table;
use crate::transaction::{CommitOutcome, OperationInfo};
use futures::TryStreamExt;
use serde_json::{Map, Value};
use std::sync::Arc;

const NAME: &str = "CLONE";

/// Makes a copy of one version of a table.
pub struct CloneTable {
    source: Arc<Snapshot>,
    target: Table,
    meter: Meter,
    deep: bool,
    properties: StringMap,
}

impl Snapshot {
    /// Starts making a copy of this version at a place that has no table yet: a shallow one, unless `deep` is asked for.
    pub fn clone_to(self: &Arc<Self>, target: &Table) -> CloneTable {
        let (target, meter) = target.metered();
        CloneTable { source: Arc::clone(self), target, meter, deep: false, properties: StringMap::new() }
    }
}

impl CloneTable {
    /// The copy has files of its own. Where one was made before, it is brought to this version: only what is new is copied.
    pub fn deep(mut self) -> Self {
        self.deep = true;
        self
    }
    /// Sets a property of the copy.
    pub fn property(mut self, key: &str, value: &str) -> Self {
        self.properties.insert(key.to_owned(), value.to_owned());
        self
    }
    /// What it would do, without doing it: for a deep copy each object is looked for in the source and at its place. Errors as `run`.
    pub async fn plan(&self) -> Result<ClonePlan> {
        plan::plan(self).await
    }
    /// Carries out a plan that was made for this copy. Where a copy that is brought up to date has changed since, it is planned anew.
    /// `LB-INPUT` for the plan of another source or version; else errors as `run`.
    pub async fn execute(self, plan: ClonePlan) -> Result<Report> {
        if plan.source != self.source.state().metadata().id || plan.source_version != self.source.version() {
            return Err(Error::new(Code::INPUT, "the plan is one for another source, or another version of it")
                .with("version", plan.source_version)
                .help("make a plan of this copy"));
        }
        let started = self.target.env().now();
        let (report, plan) = if plan.is_new_table() { self.create(plan).await? } else { deep::again(&self, plan).await? };
        let planned = plan.into_summary();
        let actual = planned.clone().metered(self.meter.spent());
        Ok(Report { duration_ms: since(self.target.env(), started), planned: Some(planned), actual: Some(actual), ..report })
    }
    /// Commits the copy, in one commit. `LB-TABLE-EXISTS` when there is a table that is no deep copy of this source, `LB-FEATURE-READ`,
    /// `LB-FEATURE-WRITE`; `LB-FILE` when a file of the source is missing or has another size than its log says. Then nothing was
    /// committed, and files that a deep copy has are found again when it is made once more.
    ///
    /// A shallow copy costs the source's file list and a commit; whoever reads it must permit the source's place
    /// (`StorageOptions::allow_root`), and it lasts as long as the source keeps the files. A deep copy is made by the store itself where
    /// both lie in one, else the bytes pass through here, at most a few parts of each of `Env::threads` files at once. Memory: an action
    /// for each file.
    pub async fn run(self) -> Result<Report> {
        let started = self.target.env().now();
        let env = self.target.env().clone();
        let plan = self.plan().await?;
        let report = self.execute(plan).await?;
        Ok(Report { duration_ms: since(&env, started), ..report })
    }
    /// The source, its requests counted.
    fn source_table(&self) -> Table {
        self.source.table().metered_by(&self.meter)
    }
    /// The state of the copy.
    fn state(&self, copy: Option<&TableState>) -> Result<Arc<TableState>> {
        let env = self.target.env();
        let state = self.source.state().cloned(copy, env)?;
        let set = TableChange { set: self.properties.clone(), ..TableChange::default() };
        Ok(set.apply(&state, env)?.state)
    }
    fn parameters(&self) -> Map<String, Value> {
        let source = self.source.table().root().url().as_str().trim_end_matches('/');
        Map::from_iter([
            ("source".to_owned(), format!("delta.`{source}`").into()),
            ("sourceVersion".to_owned(), self.source.version().0.into()),
        ])
    }
    /// Spark's keys. Of a deep copy every file that it did not name yet counts as copied.
    fn metrics(&self, plan: &ClonePlan) -> Map<String, Value> {
        let added = plan.summary().amount("add");
        let copied = if self.deep { added } else { super::Amount::default() };
        let removed = plan.summary().amount("remove");
        Map::from_iter([
            ("sourceNumOfFiles".to_owned(), plan.source_files.into()),
            ("sourceTableSize".to_owned(), plan.source_bytes.into()),
            ("numRemovedFiles".to_owned(), removed.count.into()),
            ("removedFilesSize".to_owned(), removed.bytes.into()),
            ("numCopiedFiles".to_owned(), copied.count.into()),
            ("copiedFilesSize".to_owned(), copied.bytes.into()),
        ])
    }
    /// Makes the table. A deep copy records which version of the source it is.
    async fn create(&self, mut plan: ClonePlan) -> Result<(Report, ClonePlan)> {
        let started = self.target.env().now();
        let state = self.state(None)?;
        deep::copy_all(self, &plan.copies).await?;
        let metrics = self.metrics(&plan);
        let info = OperationInfo {
            operation: NAME.to_owned(),
            parameters: self.parameters(),
            metrics: metrics.clone(),
            ..OperationInfo::default()
        };
        let mut transaction = self.target.begin_create(state, info);
        if self.deep {
            transaction.set_app_version(&app(&self.source), i64::try_from(self.source.version().0).unwrap_or(i64::MAX));
        }
        for add in std::mem::take(&mut plan.added) {
            transaction.add(add);
        }
        match transaction.commit().await? {
            CommitOutcome::Committed(done) => Ok((Report::committed(NAME, done, metrics, self.target.env(), started), plan)),
            CommitOutcome::Conflicted(_) => Err(already_exists(&self.target)),
        }
    }
}

/// Under which name a deep copy records the version of its source.
fn app(source: &Snapshot) -> String {
    format!("lakebed.clone/{}", source.state().metadata().id)
}

/// What `of` makes of every active file. The rows of a copy are new rows: they get ids of their own.
async fn each_file<T>(source: &Arc<Snapshot>, of: impl Fn(Add) -> Result<T>) -> Result<Vec<T>> {
    let mut out = Vec::new();
    let mut batches = source.files(FileQuery::default().full());
    while let Some(batch) = batches.try_next().await? {
        for row in 0..batch.len() {
            out.push(of(Add { data_change: true, base_row_id: None, default_row_commit_version: None, ..batch.add(row) })?);
        }
    }
    Ok(out)
}
