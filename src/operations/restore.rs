//! Takes a table back to one of its older versions by a new commit. Kind: edge. Spec: RST.
//!
//! Invariant: every file that comes back was seen in the store while nobody deleted, before the commit names it. What the table still has
//! and says something else about, needs no such look: it is named again as it was.

use super::overwrite::remove_of;
use super::plan::info_bytes;
use super::present::{check_present, needed};
use super::row_changes::RowEffects;
use super::run::{Operation, Settings, Staged, chosen_by_settings, run};
use super::vacuum::cost_of_check;
use super::{Plan, Report};
use crate::data::write::WriteOptions;
use crate::env::Timestamp;
use crate::error::{Code, Error, Result};
use crate::log::{Add, DomainMetadata, Metadata, Protocol, Version};
use crate::snapshot::{At, FileKeys, FileQuery, Known, Snapshot};
use crate::storage::{Meter, Spent};
use crate::table::Table;
use crate::transaction::{CommitPolicy, OperationInfo, ReadScope};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Takes a table back to an older version.
pub struct Restore {
    table: Table,
    to: At,
    settings: Settings,
}

chosen_by_settings!(Restore);

/// What a restore will do: files that come back under `restore`, those that stay and are named again as they were under `amend`, those that
/// go under `remove`, and rows under `restore_rows` and `remove_rows`. Carried out by `Restore::execute`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RestorePlan {
    summary: Plan,
    /// The version whose rows come back.
    pub version: Version,
    /// The time that was asked for.
    time: Option<String>,
    table_id: String,
    /// With their physical rows.
    restored: Vec<(Add, Option<i64>)>,
    removed: Vec<(Add, Option<i64>)>,
    /// The table has them, and its log says something else about them by now.
    amended: Vec<Add>,
    protocol: Option<Protocol>,
    metadata: Option<Metadata>,
    domains: Vec<DomainMetadata>,
    files_after: u64,
    bytes_after: u64,
}

impl Table {
    /// Starts taking the table back to this version, or to the newest that is not younger than a time.
    pub fn restore(&self, to: At) -> Restore {
        Restore { table: self.clone(), to, settings: Settings::default() }
    }
}

impl Restore {
    /// What it would do, without doing it. Errors as `run`. Memory: an action for each file that differs.
    pub async fn plan(&self) -> Result<RestorePlan> {
        let (table, meter) = self.table.metered();
        let plan = RestorePlan::make(&table.snapshot().await?, self.to, &meter).await?;
        plan.prove(&table).await?;
        Ok(plan)
    }
    /// Carries a plan out, perhaps one that was kept; to where it goes the plan says. `LB-CONFLICT` when the table is not at the version
    /// that it was made for: plan anew. Otherwise errors and requests as of `run`, without those of planning.
    pub async fn execute(&self, plan: RestorePlan) -> Result<Report> {
        let settings = Settings { if_version: plan.summary.read_version, ..self.settings.clone() };
        self.carry_out(Some(plan), &settings).await
    }
    /// Adds the files of that version that the table has no more, removes those that it did not have, names those again of which the log
    /// said something else then, brings back its columns, properties and clustering, and commits that. Protocol, row ids, numbers,
    /// applications and other domains stay. The report's version is `None` when the table is as it was then.
    ///
    /// `LB-VERSION` for a version that is not there, `LB-FILE` when files that it needs are not, `LB-CONSTRAINT` for an append-only table,
    /// `LB-CONFLICT`, also while a vacuum runs that may delete what comes back; then nothing was committed. Memory: the keys of the files of one version, and an action for each file that differs.
    /// Requests: both versions, one for each file that comes back and for each commit of the last six hours, the commit.
    pub async fn run(self) -> Result<Report> {
        self.carry_out(None, &self.settings).await
    }
    async fn carry_out(&self, given: Option<RestorePlan>, settings: &Settings) -> Result<Report> {
        let (table, meter) = self.table.metered();
        let restoring = Restoring { to: self.to, given, meter: meter.clone(), planned: Mutex::default() };
        let mut report = run(&table, &restoring, settings).await?;
        let planned = restoring.planned.into_inner().unwrap_or_else(PoisonError::into_inner);
        report.actual = planned.clone().map(|plan| plan.metered(meter.spent()));
        report.planned = planned;
        Ok(report)
    }
}

/// A restore that may be planned several times, unless its plan is given.
struct Restoring {
    to: At,
    given: Option<RestorePlan>,
    meter: Meter,
    planned: Mutex<Option<Plan>>,
}

impl Operation for Restoring {
    const NAME: &'static str = "RESTORE";

    async fn stage(&self, base: &Arc<Snapshot>) -> Result<Staged> {
        let looked = base.table().env().now();
        let plan = match &self.given {
            Some(plan) => plan.clone().for_table(&base.state().metadata().id)?,
            None => RestorePlan::make(base, self.to, &self.meter).await?,
        };
        *self.planned.lock().unwrap_or_else(PoisonError::into_inner) = Some(plan.summary.clone());
        plan.prove(base.table()).await?;
        Ok(plan.staged(looked))
    }
}

impl RestorePlan {
    /// Files, rows and requests; those that planning itself makes are among them. What a checkpoint takes that is due after the commit is not.
    pub fn summary(&self) -> &Plan {
        &self.summary
    }
    async fn make(base: &Arc<Snapshot>, to: At, meter: &Meter) -> Result<RestorePlan> {
        let target = base.table().snapshot_at(to).await?;
        target.state().check_readable()?;
        let then = target.file_keys().await?;
        let (files_after, bytes_after) = (then.files, then.bytes);
        let removed = besides(base, then).await?;
        let now = base.file_facts().await?;
        let (mut restored, mut amended) = (Vec::new(), Vec::new());
        let mut batches = target.files(FileQuery::default().full());
        while let Some(batch) = batches.try_next().await? {
            for row in 0..batch.len() {
                match now.look(&batch, row) {
                    Known::Same => {}
                    // Rows that stay keep the ids that they were given since.
                    Known::Otherwise { base_row_id, default_row_commit_version } => {
                        let mut add = batch.add(row);
                        add.base_row_id = add.base_row_id.or(base_row_id);
                        add.default_row_commit_version = add.default_row_commit_version.or(default_row_commit_version);
                        amended.push(add);
                    }
                    Known::Not => restored.push((batch.add(row), batch.num_records(row))),
                }
            }
        }
        let changed = base.state().restored_to(target.state())?;
        let mut plan = RestorePlan {
            summary: Plan::new(Restoring::NAME, Some(base.version())),
            version: target.version(),
            time: if let At::Timestamp(time) = to { Some(time.to_string()) } else { None },
            table_id: base.state().metadata().id.clone(),
            restored,
            removed,
            amended,
            protocol: changed.protocol,
            metadata: changed.metadata,
            domains: changed.domains,
            files_after,
            bytes_after,
        };
        plan.count();
        plan.price(base, meter).await?;
        Ok(plan)
    }
    fn count(&mut self) {
        for (kind, files) in [("restore", &self.restored), ("remove", &self.removed)] {
            for (add, _) in files {
                self.summary.file(kind, &add.path, add.size);
            }
            if let Some(rows) = live_rows(files) {
                self.summary.actions.entry(format!("{kind}_rows")).or_default().count = rows;
            }
        }
        for add in &self.amended {
            self.summary.file("amend", &add.path, add.size);
        }
    }
    /// What the commit and the looks before it take.
    async fn price(&mut self, base: &Arc<Snapshot>, meter: &Meter) -> Result<()> {
        let effects = self.effects(base.table().env().now());
        let mut ahead = Spent::default();
        if !effects.listed.is_empty() {
            ahead = cost_of_check(base, meter).await?;
        }
        ahead.requests.head = self.needed().len() as u64;
        if !effects.is_empty() || self.metadata.is_some() {
            ahead.requests.put = 1;
            let actions = effects.commit_bytes(self.metadata.as_ref(), self.protocol.as_ref());
            ahead.bytes_written = actions + info_bytes(&self.info());
        }
        self.summary = std::mem::take(&mut self.summary).metered(meter.spent().with(ahead));
        Ok(())
    }
    /// What must be there in the store. What the table has already is as much there as before.
    fn needed(&self) -> BTreeMap<String, Option<u64>> {
        needed(self.restored.iter().map(|(add, _)| add))
    }
    fn for_table(self, id: &str) -> Result<RestorePlan> {
        match self.table_id == id {
            true => Ok(self),
            false => Err(Error::new(Code::INPUT, "the plan was made for another table").with("table", id).with("plan", &self.table_id)),
        }
    }
    /// Proves that what comes back is there.
    async fn prove(&self, table: &Table) -> Result<()> {
        check_present(table, self.needed()).await.map_err(|e| {
            let vacuumed = e.code() == Code::FILE;
            let e: Error = e.with("version", self.version);
            if vacuumed { e.help("nothing was committed; restore a younger version, or bring the files back first") } else { e }
        })
    }
    fn effects(&self, looked: Timestamp) -> RowEffects {
        let restored = self.restored.iter().map(|(add, _)| Add { data_change: true, ..add.clone() });
        // The rows of a file that stays are neither new nor gone.
        let amended = self.amended.iter().map(|add| Add { data_change: false, ..add.clone() });
        RowEffects {
            removes: self.removed.iter().map(|(add, records)| remove_of(add.clone(), *records, looked.millis())).collect(),
            listed: restored.chain(amended).collect(),
            looked,
            domains: self.domains.clone(),
            ..RowEffects::default()
        }
    }
    fn staged(self, looked: Timestamp) -> Staged {
        let (effects, info) = (self.effects(looked), self.info());
        let (parameters, metrics) = (info.parameters, info.metrics);
        Staged { effects, metadata: self.metadata, protocol: self.protocol, reads: ReadScope::Table, parameters, metrics }
    }
    /// What the history says of it.
    fn info(&self) -> OperationInfo {
        let (version, timestamp) = match &self.time {
            Some(time) => (Value::Null, Value::from(time.as_str())),
            None => (Value::from(self.version.0), Value::Null),
        };
        let parameters = Map::from_iter([("version".to_owned(), version), ("timestamp".to_owned(), timestamp)]);
        OperationInfo { operation: Restoring::NAME.to_owned(), parameters, metrics: self.metrics(), user_metadata: None }
    }
    /// Spark's keys.
    fn metrics(&self) -> Map<String, Value> {
        let removed: i64 = self.removed.iter().map(|(add, _)| add.size).sum();
        let restored = || self.restored.iter().map(|(add, _)| add).chain(&self.amended);
        Map::from_iter([
            ("tableSizeAfterRestore".to_owned(), self.bytes_after.into()),
            ("numOfFilesAfterRestore".to_owned(), self.files_after.into()),
            ("numRemovedFiles".to_owned(), self.removed.len().into()),
            ("numRestoredFiles".to_owned(), restored().count().into()),
            ("removedFilesSize".to_owned(), removed.into()),
            ("restoredFilesSize".to_owned(), restored().map(|add| add.size).sum::<i64>().into()),
        ])
    }
}

/// Files of `here` that are not among `known`, each with its physical rows.
pub(super) async fn besides(here: &Arc<Snapshot>, known: FileKeys) -> Result<Vec<(Add, Option<i64>)>> {
    let mut out = Vec::new();
    let mut batches = here.files_besides(known);
    while let Some(batch) = batches.try_next().await? {
        out.extend((0..batch.len()).map(|row| (batch.add(row), batch.num_records(row))));
    }
    Ok(out)
}

/// Rows of the files that are not deleted; `None` when a file does not say how many it has.
pub(super) fn live_rows(files: &[(Add, Option<i64>)]) -> Option<u64> {
    let alive = |(add, records): &(Add, Option<i64>)| {
        let deleted = add.deletion_vector.as_ref().map_or(0, |v| v.cardinality);
        u64::try_from((*records)?.saturating_sub(deleted)).ok()
    };
    files.iter().map(alive).sum()
}
