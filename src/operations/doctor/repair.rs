//! Mends what can be mended without a guess: by commits, and by moving files to the quarantine. Kind: edge. Spec: DOC.
//!
//! Invariant: nothing is deleted, nothing is written over, no commit is changed; what a repair did is undone by `Doctor::undo` and, for
//! its commit, by restoring the version before it, as far as the files are there.

use super::finding::{Finding, Mend};
use super::layout::in_log;
use super::ledger::{Place, place};
use super::{Doctor, checkpoints, quarantine};
use crate::data::scan::FileTask;
use crate::error::{Code, Error, Result};
use crate::features::TableState;
use crate::log::hint::LAST_CHECKPOINT;
use crate::log::{Add, Version};
use crate::operations::overwrite::remove_of;
use crate::operations::plan::{action_bytes, info_bytes};
use crate::operations::vacuum::UNNAMED_LEAST_MS;
use crate::operations::vacuum::clock::store_now;
use crate::operations::{Plan, Report, refused};
use crate::snapshot::{FileQuery, Snapshot};
use crate::storage::{Meter, Requests, Spent, failure};
use crate::table::Table;
use crate::transaction::{CommitOutcome, Committed, OperationInfo, ReadScope};
use futures::TryStreamExt;
use object_store::{ObjectMeta, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const OPERATION: &str = "REPAIR";

/// What a repair will do. Serialise it, look at it, hand it to `Doctor::execute`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RepairPlan {
    summary: Plan,
    /// Paths inside the table that go to the quarantine.
    moves: Vec<String>,
    /// Live files that a commit names again or takes out, by path inside the table.
    files: BTreeMap<String, Change>,
    row_mark: Option<i64>,
    /// Findings that nothing here mends.
    left: u64,
}

/// What a commit does about one live file.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Change {
    Drop,
    Resize(i64),
    Recount(i64),
}

impl RepairPlan {
    /// What it does, counted. Requests and bytes are those of carrying it out, which begins by loading the table again; they are exact unless
    /// files of the log move that this load reads. What a checkpoint takes that is due after the commit is left out; the bytes of the commit are
    /// about right.
    pub fn summary(&self) -> &Plan {
        &self.summary
    }
    /// How many findings it leaves: what is to be done about them, they say.
    pub fn left(&self) -> u64 {
        self.left
    }
    fn is_empty(&self) -> bool {
        self.moves.is_empty() && self.files.is_empty() && self.row_mark.is_none()
    }
}

impl Doctor {
    /// What a repair would do about what `run` finds. Changes nothing. At most `each_max` findings of one code are mended at a time.
    pub async fn plan(&self) -> Result<RepairPlan> {
        let (table, meter) = self.table.metered();
        let looking = Doctor { table, deep: self.deep, each_max: self.each_max };
        let (findings, snapshot) = looking.examine().await?;
        let found = findings.finish();
        let mut plan = RepairPlan {
            summary: Plan::new(OPERATION, snapshot.as_ref().map(|s| s.version())),
            moves: Vec::new(),
            files: BTreeMap::new(),
            row_mark: None,
            left: 0,
        };
        let orphans_before = orphans_before(snapshot.as_ref(), &found).await?;
        let checkpoints_stay = !reads_without_its_checkpoints(snapshot.as_ref(), &found).await?;
        for finding in &found {
            let stays = checkpoints_stay && moves_checkpoint(finding);
            if stays || !plan.take(&looking.table, snapshot.as_ref(), finding, orphans_before).await? {
                plan.left += 1;
            }
        }
        plan.let_hint_go(&looking.table).await?;
        plan.price(&looking.table, snapshot.as_ref(), &meter).await?;
        tracing::debug!(requests = ?meter.spent().requests, findings = found.len(), "a repair was planned");
        Ok(plan)
    }

    /// Carries a plan out: files of the log first, then one commit, then what nobody names. `LB-CONFLICT` when the table has moved on
    /// since: plan anew. What was done before an error stays done.
    pub async fn execute(&self, plan: RepairPlan) -> Result<Report> {
        let env = self.table.env();
        let started = env.now();
        let (table, meter) = self.table.metered();
        let folder = quarantine::folder_name(env);
        let mut actual = Plan::new(OPERATION, plan.summary.read_version);
        let (log, data): (Vec<&String>, Vec<&String>) = plan.moves.iter().partition(|path| path.starts_with("_delta_log/"));
        if !plan.is_empty() {
            still_stands(&table, plan.summary.read_version).await?;
        }
        for path in plan.files.iter().filter(|(_, change)| **change == Change::Drop).map(|(path, _)| path) {
            if !is_gone(&table, path).await? {
                return Err(Error::new(Code::CONFLICT, "a file that the repair takes out of the table is there by now")
                    .with("path", path)
                    .help("plan the repair anew"));
            }
        }
        for path in log {
            quarantine::put(&table, &folder, path, &mut actual).await?;
        }
        let committed = match plan.commits() {
            false => None,
            true => Some(commit(&table, &plan, &folder, &mut actual).await?),
        };
        for path in data {
            quarantine::put(&table, &folder, path, &mut actual).await?;
        }
        let mut metrics: Map<String, Value> =
            actual.actions.iter().map(|(kind, amount)| (format!("num_{kind}"), amount.count.into())).collect();
        metrics.insert("findingsLeft".to_owned(), plan.left.into());
        let quarantine = actual.actions.contains_key("quarantine").then(|| ("quarantine".to_owned(), folder.into()));
        let (version, attempts, warnings) =
            committed.map_or((None, 0, Vec::new()), |done| (Some(done.version), done.attempts, done.warnings));
        Ok(Report {
            version,
            attempts,
            metrics,
            details: quarantine.into_iter().collect(),
            warnings,
            planned: Some(plan.summary),
            actual: Some(actual.metered(meter.spent())),
            ..Report::nothing(OPERATION, env, started)
        })
    }

    /// Plans and carries out.
    pub async fn repair(&self) -> Result<Report> {
        let plan = self.plan().await?;
        self.execute(plan).await
    }

    /// Moves everything of one quarantine folder back to where it was. What is there again meanwhile is left, and the report's warnings
    /// say so. The commit of a repair is undone by restoring the version before it: `LB-FILE` while files are missing that
    /// it took out of the table; the highest row id on record never goes back. `LB-INPUT` when there is no such folder.
    pub async fn undo(&self, folder: &str) -> Result<Report> {
        let env = self.table.env();
        let started = env.now();
        let (table, meter) = self.table.metered();
        let mut actual = Plan::new("UNDO REPAIR", None);
        let warnings = quarantine::take_back(&table, folder, &mut actual).await?;
        let metrics = actual.actions.iter().map(|(kind, amount)| (format!("num_{kind}"), amount.count.into())).collect();
        let actual = Some(actual.metered(meter.spent()));
        Ok(Report { metrics, warnings, actual, ..Report::nothing("UNDO REPAIR", env, started) })
    }
}

impl RepairPlan {
    /// Whether it mends this finding.
    async fn take(
        &mut self,
        table: &Table,
        snapshot: Option<&Arc<Snapshot>>,
        finding: &Finding,
        orphans_before: Option<i64>,
    ) -> Result<bool> {
        let Some(mend) = &finding.mend else { return Ok(false) };
        let object = &finding.object;
        let file = || match place(table.root(), object) {
            Ok(Place::Inside(path)) => Some(path),
            _ => None,
        };
        match (mend, snapshot) {
            (Mend::Quarantine | Mend::QuarantineOrphan, _) => {
                if self.moves.contains(object) {
                    return Ok(true);
                }
                let bytes = match table.root().store().head(&table.root().key(object)).await {
                    Ok(meta) if *mend == Mend::QuarantineOrphan && !is_older(&meta, orphans_before) => return Ok(false),
                    Ok(meta) => meta.size,
                    Err(object_store::Error::NotFound { .. }) => return Ok(false),
                    Err(e) => return Err(failure(e, "looking at an object", object)),
                };
                self.put_away(object.clone(), bytes, finding.code);
            }
            (Mend::RaiseRowMark(mark), Some(_)) => {
                self.row_mark = self.row_mark.max(Some(*mark));
                self.summary.act("domain", 0);
                self.summary.item(object, 0, finding.code);
            }
            (Mend::Drop, Some(_)) => {
                if !is_gone(table, object).await? {
                    return Ok(false);
                }
                self.change(object.clone(), Change::Drop, finding);
            }
            (Mend::Resize(bytes), Some(snapshot)) => {
                if !reads_as_parquet(snapshot, object, *bytes).await {
                    return Ok(false);
                }
                self.change(object.clone(), Change::Resize(*bytes), finding);
            }
            (Mend::Recount(rows), Some(_)) => {
                let Some(path) = file() else { return Ok(false) };
                self.change(path, Change::Recount(*rows), finding);
            }
            (_, None) => return Ok(false),
        }
        Ok(true)
    }
    /// A hint must not lead to a checkpoint that goes.
    async fn let_hint_go(&mut self, table: &Table) -> Result<()> {
        let hint = in_log(LAST_CHECKPOINT);
        if self.moves.contains(&hint) || !self.moves.iter().any(|path| is_checkpoint(path)) {
            return Ok(());
        }
        match table.root().store().head(&table.root().key(&hint)).await {
            Ok(meta) => {
                self.put_away(hint, meta.size, "it may lead to a checkpoint that goes");
                Ok(())
            }
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(failure(e, "looking at an object", &hint)),
        }
    }
    fn put_away(&mut self, path: String, bytes: u64, why: &str) {
        self.summary.act("quarantine", bytes);
        self.summary.item(&path, bytes, why);
        // As `quarantine::put` does it: what lies in the log is read and written, the rest is copied.
        let in_log = path.starts_with("_delta_log/");
        let (read, copied) = (u64::from(in_log), u64::from(!in_log));
        let more = Requests { head: 1, get: read, put: read, copy: copied, delete: 1, list: 0 };
        self.summary.requests = self.summary.requests.with(more);
        self.summary.bytes_read += read * bytes;
        self.summary.bytes_written += read * bytes;
        self.moves.push(path);
    }
    fn change(&mut self, path: String, change: Change, finding: &Finding) {
        // A file that goes needs nothing else.
        if matches!(self.files.get(&path), Some(Change::Drop)) || self.files.get(&path) == Some(&change) {
            return;
        }
        self.summary.act(if change == Change::Drop { "remove" } else { "add" }, 0);
        self.summary.item(&path, 0, finding.code);
        self.files.insert(path, change);
    }
    /// Adds what loading the table and committing takes, and how large the files are that go.
    async fn price(&mut self, table: &Table, examined: Option<&Arc<Snapshot>>, meter: &Meter) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let spent = |before: Spent| meter.spent().since(before);
        let before = meter.spent();
        let newest = table.snapshot().await.ok();
        let loaded = spent(before);
        let mut ahead = loaded;
        if let Some(snapshot) = newest.as_ref().or(examined).filter(|_| self.commits()) {
            let before = meter.spent();
            let changes = matching(snapshot, &self.files).await?;
            ahead = ahead.with(loaded).with(spent(before));
            ahead.requests.put += 1;
            let bytes = |(add, records, change): &(Add, Option<i64>, Change)| match change {
                Change::Drop => action_bytes(&remove_of(add.clone(), *records, 0)),
                Change::Resize(_) | Change::Recount(_) => action_bytes(add),
            };
            ahead.bytes_written += info_bytes(&self.told(&"0".repeat(28), &changes)) + changes.iter().map(bytes).sum::<u64>();
            for (add, _, change) in &changes {
                let Ok(Place::Inside(path)) = place(table.root(), &add.path) else { continue };
                if *change == Change::Drop {
                    ahead.requests.head += 1;
                    let bytes = add.size.unsigned_abs();
                    self.summary.actions.entry("remove".to_owned()).or_default().bytes += bytes;
                    self.summary.items.iter_mut().filter(|item| item.path == path).for_each(|item| item.bytes = bytes);
                }
            }
        }
        let summary = &mut self.summary;
        summary.requests = summary.requests.with(ahead.requests);
        summary.bytes_read += ahead.bytes_read;
        summary.bytes_written += ahead.bytes_written;
        Ok(())
    }
    fn commits(&self) -> bool {
        !self.files.is_empty() || self.row_mark.is_some()
    }
    /// What the history says of it.
    fn told(&self, folder: &str, changes: &[(Add, Option<i64>, Change)]) -> OperationInfo {
        let quarantine = if self.moves.is_empty() { Value::Null } else { folder.into() };
        let parameters = [("quarantine", quarantine), ("rowIdHighWaterMark", self.row_mark.map_or(Value::Null, Value::from))];
        let count = |of: fn(&Change) -> bool| Value::from(changes.iter().filter(|(.., change)| of(change)).count());
        let gone = changes.iter().filter(|(.., change)| *change == Change::Drop);
        let metrics = [
            ("numRemovedFiles", count(|change| *change == Change::Drop)),
            ("numRemovedBytes", gone.map(|(add, ..)| add.size).sum::<i64>().into()),
            ("numResizedFiles", count(|change| matches!(change, Change::Resize(_)))),
            ("numRecountedFiles", count(|change| matches!(change, Change::Recount(_)))),
            ("numQuarantinedFiles", self.moves.len().into()),
        ];
        let named = |(key, value): (&str, Value)| (key.to_owned(), value);
        OperationInfo {
            operation: OPERATION.to_owned(),
            parameters: parameters.into_iter().map(named).collect(),
            metrics: metrics.into_iter().map(named).collect(),
            user_metadata: None,
        }
    }
}

/// For how long at least an object that nobody names may belong to a writer that still runs, in milliseconds.
pub(super) fn orphan_age(snapshot: &Snapshot) -> i64 {
    snapshot.state().deleted_file_retention_ms().unwrap_or(i64::MAX).max(UNNAMED_LEAST_MS)
}

/// Before when, by the store's clock, an orphan must have been written to be moved. The store is asked only when there is one.
async fn orphans_before(snapshot: Option<&Arc<Snapshot>>, found: &[Finding]) -> Result<Option<i64>> {
    let Some(snapshot) = snapshot.filter(|_| found.iter().any(|f| f.mend == Some(Mend::QuarantineOrphan))) else { return Ok(None) };
    let now = store_now(snapshot, &mut Vec::new()).await?;
    Ok(Some(now.millis().saturating_sub(orphan_age(snapshot))))
}

fn is_older(meta: &ObjectMeta, before: Option<i64>) -> bool {
    before.is_some_and(|before| meta.last_modified.timestamp_millis() < before)
}

/// Whether the file is not there; that a listing lacks it, proves nothing: it may lie behind a link, or the listing may not be whole.
async fn is_gone(table: &Table, path: &str) -> Result<bool> {
    match table.root().store().head(&table.root().key(path)).await {
        Ok(_) => Ok(false),
        Err(object_store::Error::NotFound { .. }) => Ok(true),
        Err(e) => Err(failure(e, "looking at a data file", path)),
    }
}

fn is_checkpoint(path: &str) -> bool {
    path.starts_with("_delta_log/") && path.contains(".checkpoint.")
}

fn moves_checkpoint(finding: &Finding) -> bool {
    finding.mend == Some(Mend::Quarantine) && is_checkpoint(&finding.object)
}

/// Whether the version can be read to its end when all checkpoints are gone that the findings would move: that each has something which
/// stands in for it by name, does not say that it reads.
async fn reads_without_its_checkpoints(snapshot: Option<&Arc<Snapshot>>, found: &[Finding]) -> Result<bool> {
    let moved = found.iter().filter(|f| moves_checkpoint(f)).filter_map(|f| f.object.strip_prefix("_delta_log/"));
    let moved: BTreeSet<String> = moved.map(str::to_owned).collect();
    if moved.is_empty() {
        return Ok(true);
    }
    let Some(snapshot) = snapshot else { return Ok(false) };
    match snapshot.reads_without(moved).await {
        Ok(()) => Ok(true),
        // Or it is not known, for want of memory.
        Err(e) if checkpoints::is_damage(&e) || e.code() == Code::LIMIT => Ok(false),
        Err(e) => Err(e),
    }
}

/// Whether a file of another size than the log says is a Parquet file with as many rows as the log says, if it says so.
async fn reads_as_parquet(snapshot: &Arc<Snapshot>, path: &str, bytes: i64) -> bool {
    let Ok(changes) = matching(snapshot, &BTreeMap::from([(path.to_owned(), Change::Resize(bytes))])).await else { return false };
    let [(add, records, _)] = changes.as_slice() else { return false };
    let Ok(mut task) = FileTask::of_add(&Add { size: bytes, ..add.clone() }) else { return false };
    task.num_records = None;
    let Ok(scan) = snapshot.scan().build() else { return false };
    let rows = scan.physical_rows(&task).await.ok().and_then(|rows| i64::try_from(rows).ok());
    rows.is_some() && records.is_none_or(|records| rows == Some(records))
}

/// The live files of these paths.
async fn matching(snapshot: &Arc<Snapshot>, wanted: &BTreeMap<String, Change>) -> Result<Vec<(Add, Option<i64>, Change)>> {
    let root = snapshot.table().root();
    let mut found = Vec::new();
    let mut files = snapshot.files(FileQuery::default().full());
    while let Some(batch) = files.try_next().await? {
        for row in 0..batch.len() {
            let Ok(Place::Inside(path)) = place(root, batch.path(row)) else { continue };
            if let Some(change) = wanted.get(&path) {
                found.push((batch.add(row), batch.num_records(row), *change));
            }
        }
    }
    Ok(found)
}

/// A plan is carried out on the version that it was made for: an object that nobody named may be named by now.
async fn still_stands(table: &Table, version: Option<Version>) -> Result<()> {
    let newest = match table.snapshot().await {
        Ok(snapshot) => Some(snapshot.version()),
        Err(e) if checkpoints::is_damage(&e) => version,
        Err(e) => return Err(e),
    };
    match newest == version {
        true => Ok(()),
        false => Err(Error::new(Code::CONFLICT, "the table has moved on since the repair was planned")
            .with("planned", version.map_or("none".to_owned(), |v| v.to_string()))
            .with("found", newest.map_or("none".to_owned(), |v| v.to_string()))
            .help("plan the repair anew")),
    }
}

/// One commit for everything that files and row ids need.
async fn commit(table: &Table, plan: &RepairPlan, folder: &str, actual: &mut Plan) -> Result<Committed> {
    let snapshot = table.snapshot().await?;
    let now = table.env().now().millis();
    let changes = matching(&snapshot, &plan.files).await?;
    let mut transaction = snapshot.begin(plan.told(folder, &changes));
    transaction.read(ReadScope::Files(changes.iter().map(|(add, ..)| add.path.clone()).collect()));
    for (add, records, change) in changes {
        match change {
            Change::Drop => {
                actual.act("remove", add.size.unsigned_abs());
                transaction.remove(remove_of(add, records, now));
                continue;
            }
            Change::Resize(bytes) => transaction.add(Add { size: bytes, data_change: false, ..add }),
            Change::Recount(rows) => {
                let bounds = if add.deletion_vector.is_some() { ",\"tightBounds\":false" } else { "" };
                let stats = Some(format!("{{\"numRecords\":{rows}{bounds}}}"));
                transaction.add(Add { stats, data_change: false, ..add })
            }
        };
        actual.act("add", 0);
    }
    if let Some(mark) = plan.row_mark {
        actual.act("domain", 0);
        transaction.set_domain(TableState::row_id_domain(mark));
    }
    match transaction.commit().await? {
        CommitOutcome::Committed(done) => Ok(done),
        CommitOutcome::Conflicted(conflict) => Err(refused(&conflict)),
    }
}
