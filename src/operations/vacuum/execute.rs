//! Deleting what a plan names. Kind: edge. Spec: VAC.
//!
//! Invariant: before each round of deletes the newest version, which holds VACUUM START, has been asked whether it needs any of it. So
//! whoever brings a file back commits before START (and is seen here), or finds START without END in the log (and leaves it: `running`).

use super::decide::is_of_log;
use super::known::{Known, Role};
use super::plan::{DeadFile, VacuumPlan, check};
use super::running::DELETES_MAX_MS;
use super::{lite, references};
use crate::env::Timestamp;
use crate::error::{Code, Error, Result};
use crate::log::Version;
use crate::operations::plan::{Plan, info_bytes};
use crate::operations::{Report, refused, since};
use crate::snapshot::Snapshot;
use crate::storage::{Meter, failure};
use crate::table::Table;
use crate::transaction::{CommitOutcome, Committed, OperationInfo, Transaction};
use futures::FutureExt;
use futures::stream::{self, StreamExt};
use object_store::ObjectStoreExt;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// How many objects are deleted before the table is looked at again.
pub(super) const ROUND: usize = 10_000;
/// How many deleted objects are looked for once more.
pub(super) const SAMPLES: usize = 16;

/// What deleting came to.
#[derive(Default)]
struct Deleted {
    done: Plan,
    files: u64,
    failed: u64,
    error: Option<Error>,
}

/// Carries a plan out on a table whose requests `meter` counts. `planned` is the version of the plan, when it is at hand.
pub(super) async fn execute(table: &Table, meter: &Meter, planned: Option<Arc<Snapshot>>, mut plan: VacuumPlan) -> Result<Report> {
    let env = table.env().clone();
    plan.dead.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let started = env.now();
    let mut report = Report::nothing("VACUUM", &env, started);
    report.warnings = plan.warnings.clone();
    let mut deleted = Deleted { done: Plan::new("VACUUM", plan.summary.read_version), ..Deleted::default() };
    if !plan.dead.is_empty() {
        let base = match planned {
            Some(planned) => planned.refresh().await?,
            None => table.snapshot().await?,
        };
        check_plan(&base, &plan).await?;
        let began = env.now();
        let mut begins = base.begin(start(&plan));
        // A lite vacuum that dies before it has deleted must find these commits again.
        begins.keep_log();
        let begun = commit(begins).await?;
        report.attempts += begun.attempts;
        report.warnings.extend(begun.warnings);
        let mut head = Arc::clone(&base);
        // Nobody came between the version that was asked and START.
        let mut asked = (begun.version == base.version().next()).then_some(begun.version);
        for round in plan.dead.chunks(ROUND) {
            if let Err(e) = look_again(&mut head, &mut asked, &plan, began).await {
                deleted.error = Some(e);
                break;
            }
            delete(table, round, &mut deleted).await;
        }
        if deleted.error.is_none() {
            deleted.error = still_there(table, &plan.dead).await.err();
        }
        // Before the last commit, after which a clean-up of the log may be due.
        if deleted.error.is_none() {
            report.warnings.extend(note_covered(table, &plan).await);
        }
        head = head.refresh().await.unwrap_or(head);
        match commit(head.begin(end(&plan, &deleted))).await {
            Ok(ended) => {
                report.version = Some(ended.version);
                report.attempts += ended.attempts;
                report.warnings.extend(ended.warnings);
            }
            Err(e) => {
                report.version = Some(begun.version);
                report.warnings.push(format!("the files are deleted, but VACUUM END could not be committed: {e}"));
            }
        }
        if let Some(e) = deleted.error {
            return Err(e.with("deleted", deleted.files).with("failed", deleted.failed));
        }
    } else {
        report.warnings.extend(note_covered(table, &plan).await);
    }
    report.metrics = Map::from_iter([
        ("numFilesToDelete".to_owned(), plan.dead.len().into()),
        ("sizeOfDataToDelete".to_owned(), bytes(&plan.dead).into()),
        ("numDeletedFiles".to_owned(), deleted.files.into()),
        ("numVacuumedDirectories".to_owned(), plan.directories.into()),
    ]);
    report.details.insert("kept".to_owned(), json!(plan.kept));
    report.duration_ms = since(&env, started);
    report.actual = Some(deleted.done.metered(meter.spent()));
    report.planned = Some(plan.summary);
    Ok(report)
}

fn bytes(dead: &[DeadFile]) -> u64 {
    dead.iter().map(|file| file.bytes).sum()
}

/// Bytes of both commits, about.
pub(super) fn commit_bytes(plan: &VacuumPlan) -> [u64; 2] {
    let deleted = Deleted { files: plan.dead.len() as u64, ..Deleted::default() };
    [info_bytes(&start(plan)), info_bytes(&end(plan, &deleted))]
}

/// Spark's keys, values as Spark writes them.
fn start(plan: &VacuumPlan) -> OperationInfo {
    let mut parameters = Map::from_iter([
        ("retentionCheckEnabled".to_owned(), plan.retention_check.into()),
        ("defaultRetentionMillis".to_owned(), plan.default_retention_ms.into()),
    ]);
    parameters.extend(plan.specified_retention_ms.map(|ms| ("specifiedRetentionMillis".to_owned(), ms.into())));
    let metrics =
        [("numFilesToDelete".to_owned(), Value::from(plan.dead.len())), ("sizeOfDataToDelete".to_owned(), bytes(&plan.dead).into())];
    OperationInfo { operation: "VACUUM START".to_owned(), parameters, metrics: Map::from_iter(metrics), user_metadata: None }
}

fn end(plan: &VacuumPlan, deleted: &Deleted) -> OperationInfo {
    let status = if deleted.error.is_some() { "FAILED" } else { "COMPLETED" };
    let metrics =
        [("numDeletedFiles".to_owned(), Value::from(deleted.files)), ("numVacuumedDirectories".to_owned(), plan.directories.into())];
    OperationInfo {
        operation: "VACUUM END".to_owned(),
        parameters: Map::from_iter([("status".to_owned(), status.into())]),
        metrics: Map::from_iter(metrics),
        user_metadata: None,
    }
}

/// Notes how far a lite vacuum came; a warning when that fails.
async fn note_covered(table: &Table, plan: &VacuumPlan) -> Option<String> {
    let noted = lite::write_info(table, plan.covers?).await;
    noted.err().map(|e| format!("the next lite vacuum begins where this one did: {e}"))
}

async fn commit(transaction: Transaction) -> Result<Committed> {
    match transaction.commit().await? {
        CommitOutcome::Committed(done) => Ok(done),
        CommitOutcome::Conflicted(conflict) => Err(refused(&conflict)),
    }
}

/// Whether the plan was made for this table and still holds.
async fn check_plan(base: &Arc<Snapshot>, plan: &VacuumPlan) -> Result<()> {
    check(base)?;
    let id = &base.state().metadata().id;
    if *id != plan.table_id {
        return Err(Error::new(Code::INPUT, "the plan was made for another table").with("table", id).with("plan", &plan.table_id));
    }
    if let Some(file) = plan.dead.iter().find(|file| is_of_log(&file.path)) {
        return Err(Error::new(Code::VACUUM_UNSAFE, "the plan names a file of a log; nothing was deleted").with("path", &file.path));
    }
    if plan.summary.read_version == Some(base.version()) { Ok(()) } else { needs_none(base, plan).await }
}

/// `LB-VACUUM-UNSAFE` when the version needs an object that the plan names.
async fn needs_none(snapshot: &Arc<Snapshot>, plan: &VacuumPlan) -> Result<()> {
    let mut known = Known::default();
    references::of_version(snapshot, plan.before_ms, &mut known).await?;
    known.seal();
    let needed = |file: &&DeadFile| matches!(known.role(&file.path), Some(Role::Live | Role::Retained));
    match plan.dead.iter().find(needed) {
        None => Ok(()),
        Some(file) => Err(Error::new(Code::VACUUM_UNSAFE, "the table needs a file that the plan would delete; it was not deleted")
            .with("path", &file.path)
            .with("version", snapshot.version())
            .help("another writer brought it back since the plan was made; make a new plan")),
    }
}

/// Whether the newest version still needs none of it, and others still count on this run. `asked` is the version that was asked last.
async fn look_again(head: &mut Arc<Snapshot>, asked: &mut Option<Version>, plan: &VacuumPlan, began: Timestamp) -> Result<()> {
    let spent = since(head.table().env(), began);
    if spent >= DELETES_MAX_MS {
        return Err(Error::new(Code::LIMIT, "the vacuum took too long: others take it for dead soon")
            .with("limit_ms", DELETES_MAX_MS)
            .help("run it again: it goes on where this one ended"));
    }
    *head = head.refresh().await?;
    if *asked != Some(head.version()) {
        needs_none(head, plan).await?;
        *asked = Some(head.version());
    }
    Ok(())
}

async fn delete(table: &Table, dead: &[DeadFile], deleted: &mut Deleted) {
    let keys: Vec<_> = dead.iter().map(|file| Ok(table.root().key(&file.path))).collect();
    let mut answers = table.root().store().delete_stream(stream::iter(keys).boxed());
    let (before, mut gone) = (deleted.files, 0);
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(key) => {
                deleted.files += 1;
                let name = table.root().name_of(&key).unwrap_or_default();
                if let Ok(at) = dead.binary_search_by(|file| file.path.as_str().cmp(name)) {
                    let file = &dead[at];
                    deleted.done.act(file.why.action(), file.bytes);
                    deleted.done.item(&file.path, file.bytes, file.why.reason());
                }
            }
            // Somebody else was faster.
            Err(object_store::Error::NotFound { .. }) => gone += 1,
            Err(e) => _ = deleted.error.get_or_insert_with(|| failure(e, "deleting", table.root().url().as_str())),
        }
    }
    // One failure may be that of a request for many objects.
    deleted.failed += (dead.len() as u64).saturating_sub(deleted.files - before + gone);
}

/// Looks for some of the deleted objects: a store that says it deleted a name and deleted another must not go unnoticed.
async fn still_there(table: &Table, dead: &[DeadFile]) -> Result<()> {
    let every = dead.len().div_ceil(SAMPLES).max(1);
    let look = |file: &DeadFile| {
        let (root, path) = (table.root().clone(), file.path.clone());
        async move { (root.store().head(&root.key(&path)).await, path) }.boxed()
    };
    let mut looks = stream::iter(dead.iter().step_by(every)).map(look).buffered(SAMPLES);
    while let Some((found, path)) = looks.next().await {
        if found.is_ok() {
            return Err(Error::new(Code::STORE, "the store said that it deleted an object, and it is still there")
                .with("path", path)
                .help("look at the bucket's versioning and locks, then run vacuum again"));
        }
    }
    Ok(())
}
