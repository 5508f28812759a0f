//! Takes a table back to one of its older versions by a new commit. Kind: edge. Spec: RST.
//!
//! Invariant: every file that comes back was seen in the store while nobody deleted, before the commit names it.

use super::overwrite::remove_of;
use super::present::{check_present, needed};
use super::row_changes::RowEffects;
use super::run::{Operation, Settings, Staged, chosen_by_settings, run};
use super::{Plan, Report};
use crate::data::write::WriteOptions;
use crate::error::{Code, Error, Result};
use crate::log::{Add, Version};
use crate::snapshot::{At, FileKeys, Snapshot};
use crate::table::Table;
use crate::transaction::{CommitPolicy, ReadScope};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::{Arc, Mutex, PoisonError};

/// Takes a table back to an older version.
pub struct Restore {
    table: Table,
    to: At,
    settings: Settings,
}

chosen_by_settings!(Restore);

/// What a restore will do: files under `restore` and `remove`, their rows under `restore_rows` and `remove_rows`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestorePlan {
    summary: Plan,
    /// The version whose rows come back.
    pub version: Version,
}

impl RestorePlan {
    /// Files, rows and requests.
    pub fn summary(&self) -> &Plan {
        &self.summary
    }
}

impl Table {
    /// Starts taking the table back to this version, or to the newest that is not younger than a time.
    pub fn restore(&self, to: At) -> Restore {
        Restore { table: self.clone(), to, settings: Settings::default() }
    }
}

impl Restore {
    /// What it would do, without doing it. Errors as `run`.
    pub async fn plan(&self) -> Result<RestorePlan> {
        let base = self.table.snapshot().await?;
        let going = Going::new(&base, self.to).await?;
        going.prove(&self.table).await?;
        Ok(RestorePlan { version: going.version, summary: going.plan(&base) })
    }
    /// Adds the files of that version that the table has no more, removes those that it did not have, brings back its columns,
    /// properties and clustering, and commits that. Protocol, row ids, numbers, applications and other domains stay. The report's
    /// version is `None` when the table is as it was then.
    ///
    /// `LB-VERSION` for a version that is not there, `LB-FILE` when files that it needs are not, `LB-CONSTRAINT` for an append-only table,
    /// `LB-CONFLICT`, also while a vacuum runs that may delete what comes back; then nothing was committed. Memory: the keys of the files of one version, and an action for each file that differs.
    /// Requests: both versions, one for each file that comes back and for each commit of the last six hours, the commit.
    pub async fn run(self) -> Result<Report> {
        let (table, meter) = self.table.metered();
        let restoring = Restoring { to: self.to, planned: Mutex::default() };
        let mut report = run(&table, &restoring, &self.settings).await?;
        let planned = restoring.planned.into_inner().unwrap_or_else(PoisonError::into_inner);
        report.actual = planned.clone().map(|plan| plan.metered(meter.spent()));
        report.planned = planned;
        Ok(report)
    }
}

/// A restore that may be planned several times.
struct Restoring {
    to: At,
    planned: Mutex<Option<Plan>>,
}

impl Operation for Restoring {
    const NAME: &'static str = "RESTORE";

    async fn stage(&self, base: &Arc<Snapshot>) -> Result<Staged> {
        let looked = base.table().env().now();
        let going = Going::new(base, self.to).await?;
        going.prove(base.table()).await?;
        *self.planned.lock().unwrap_or_else(PoisonError::into_inner) = Some(going.plan(base));
        let now = base.table().env().now().millis();
        let changed = base.state().restored_to(going.target.state())?;
        let (version, timestamp) = match self.to {
            At::Timestamp(time) => (Value::Null, Value::from(time.to_string())),
            At::Version(_) | At::Latest => (Value::from(going.version.0), Value::Null),
        };
        let parameters = Map::from_iter([("version".to_owned(), version), ("timestamp".to_owned(), timestamp)]);
        let metrics = going.metrics();
        let effects = RowEffects {
            removes: going.removed.into_iter().map(|(add, records)| remove_of(add, records, now)).collect(),
            listed: going.restored.into_iter().map(|(add, _)| Add { data_change: true, ..add }).collect(),
            looked,
            domains: changed.domains,
            ..RowEffects::default()
        };
        Ok(Staged { effects, metadata: changed.metadata, protocol: changed.protocol, reads: ReadScope::Table, parameters, metrics })
    }
}

/// The way from the newest version to an older one.
struct Going {
    version: Version,
    target: Arc<Snapshot>,
    /// Files that come back and files that go, with their physical rows.
    restored: Vec<(Add, Option<i64>)>,
    removed: Vec<(Add, Option<i64>)>,
    files_after: u64,
    bytes_after: u64,
}

impl Going {
    async fn new(base: &Arc<Snapshot>, to: At) -> Result<Going> {
        let target = base.table().snapshot_at(to).await?;
        target.state().check_readable()?;
        let then = target.file_keys().await?;
        let (files_after, bytes_after) = (then.files, then.bytes);
        let removed = besides(base, then).await?;
        let restored = besides(&target, base.file_keys().await?).await?;
        Ok(Going { version: target.version(), target, restored, removed, files_after, bytes_after })
    }
    /// Proves that what comes back is there.
    async fn prove(&self, table: &Table) -> Result<()> {
        let adds: Vec<Add> = self.restored.iter().map(|(add, _)| add.clone()).collect();
        check_present(table, needed(&adds)).await.map_err(|e| {
            let vacuumed = e.code() == Code::FILE;
            let e: Error = e.with("version", self.version);
            if vacuumed { e.help("nothing was committed; restore a younger version, or bring the files back first") } else { e }
        })
    }
    fn plan(&self, base: &Snapshot) -> Plan {
        let mut plan = Plan::new(Restoring::NAME, Some(base.version()));
        for (kind, files) in [("restore", &self.restored), ("remove", &self.removed)] {
            for (add, _) in files {
                plan.file(kind, &add.path, add.size);
            }
            if let Some(rows) = live_rows(files) {
                plan.actions.entry(format!("{kind}_rows")).or_default().count = rows;
            }
        }
        let adds: Vec<Add> = self.restored.iter().map(|(add, _)| add.clone()).collect();
        plan.requests.head = needed(&adds).len() as u64;
        let unchanged = |base: &Snapshot| {
            let other = base.state().restored_to(self.target.state());
            other.is_ok_and(|other| other.metadata.is_none() && other.protocol.is_none() && other.domains.is_empty())
        };
        let nothing = self.restored.is_empty() && self.removed.is_empty() && unchanged(base);
        plan.requests.put = u64::from(!nothing);
        plan
    }
    /// Spark's keys.
    fn metrics(&self) -> Map<String, Value> {
        let bytes = |files: &[(Add, Option<i64>)]| files.iter().map(|(add, _)| add.size).sum::<i64>();
        Map::from_iter([
            ("tableSizeAfterRestore".to_owned(), self.bytes_after.into()),
            ("numOfFilesAfterRestore".to_owned(), self.files_after.into()),
            ("numRemovedFiles".to_owned(), self.removed.len().into()),
            ("numRestoredFiles".to_owned(), self.restored.len().into()),
            ("removedFilesSize".to_owned(), bytes(&self.removed).into()),
            ("restoredFilesSize".to_owned(), bytes(&self.restored).into()),
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
