//! Copies of tables: shallow ones name the source's files, deep ones have files of their own. Kind: edge. Spec: CPY.
//!
//! Invariant: the source is never written.

mod deep;
mod files;

use super::{Report, already_exists, newest};
use crate::env::Timestamp;
use crate::error::Result;
use crate::features::{TableChange, TableState};
use crate::log::{Add, StringMap};
use crate::snapshot::{FileQuery, Snapshot};
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
    deep: bool,
    properties: StringMap,
}

impl Snapshot {
    /// Starts making a copy of this version at a place that has no table yet: a shallow one, unless `deep` is asked for.
    pub fn clone_to(self: &Arc<Self>, target: &Table) -> CloneTable {
        CloneTable { source: Arc::clone(self), target: target.clone(), deep: false, properties: StringMap::new() }
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
    /// Commits the copy, in one commit. `LB-TABLE-EXISTS` when there is a table that is no deep copy of this source, `LB-FEATURE-READ`,
    /// `LB-FEATURE-WRITE`; `LB-FILE` when a file of the source is missing or has another size than its log says. Then nothing was
    /// committed, and files that a deep copy has are found again when it is made once more.
    ///
    /// A shallow copy costs the source's file list and a commit; whoever reads it must permit the source's place
    /// (`StorageOptions::allow_root`), and it lasts as long as the source keeps the files. A deep copy is made by the store itself where
    /// both lie in one, else the bytes pass through here, at most a few parts of each of `Env::threads` files at once. Memory: an action
    /// for each file.
    pub async fn run(self) -> Result<Report> {
        self.source.state().check_readable()?;
        let started = self.target.env().now();
        match (newest(&self.target).await?, self.deep) {
            (None, false) => self.shallow(started).await,
            (None, true) => deep::first(self, started).await,
            (Some(base), true) => deep::again(self, base, started).await,
            (Some(_), false) => Err(already_exists(&self.target).help("a shallow copy is made where there is no table yet")),
        }
    }
    async fn shallow(self, started: Timestamp) -> Result<Report> {
        let state = self.state(None)?;
        let root = self.source.table().root();
        let adds = each_file(&self.source, |add| files::referenced(root, add)).await?;
        self.create(state, adds, self.metrics(0, 0), None, started).await
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
    /// Spark's keys; of files that were copied.
    fn metrics(&self, files: u64, bytes: u64) -> Map<String, Value> {
        Map::from_iter([
            ("numRemovedFiles".to_owned(), 0.into()),
            ("removedFilesSize".to_owned(), 0.into()),
            ("numCopiedFiles".to_owned(), files.into()),
            ("copiedFilesSize".to_owned(), bytes.into()),
        ])
    }
    /// Makes the table. `app` records which version of the source it is.
    async fn create(
        &self,
        state: Arc<TableState>,
        adds: Vec<Add>,
        mut metrics: Map<String, Value>,
        app: Option<&str>,
        started: Timestamp,
    ) -> Result<Report> {
        put_source(&mut metrics, &adds);
        let info = OperationInfo {
            operation: NAME.to_owned(),
            parameters: self.parameters(),
            metrics: metrics.clone(),
            ..OperationInfo::default()
        };
        let mut transaction = self.target.begin_create(state, info);
        if let Some(app) = app {
            transaction.set_app_version(app, i64::try_from(self.source.version().0).unwrap_or(i64::MAX));
        }
        for add in adds {
            transaction.add(add);
        }
        match transaction.commit().await? {
            CommitOutcome::Committed(done) => Ok(Report::committed(NAME, done, metrics, self.target.env(), started)),
            CommitOutcome::Conflicted(_) => Err(already_exists(&self.target)),
        }
    }
}

/// How many files and bytes the source has.
fn put_source(metrics: &mut Map<String, Value>, files: &[Add]) {
    metrics.insert("sourceNumOfFiles".to_owned(), files.len().into());
    metrics.insert("sourceTableSize".to_owned(), files.iter().map(|add| add.size).sum::<i64>().into());
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
