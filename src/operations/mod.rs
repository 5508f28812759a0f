//! Operations: one file a verb. Each stages a transaction; `run` commits it. Spec: OPS.

mod alter;
mod append;
mod assign;
mod changes;
mod checkpoint;
mod clone;
mod convert;
mod create;
mod delete;
mod diff;
mod doctor;
mod log_cleanup;
mod log_compact;
mod manifest;
mod merge;
mod numbers;
mod optimize;
mod overwrite;
mod partitions;
mod plan;
mod positions;
mod present;
mod prices;
mod replace;
mod restore;
mod row_changes;
mod row_ids;
mod run;
mod tail;
mod truncate;
mod update;
mod vacuum;

pub use alter::{Alter, Alteration};
pub use append::{Append, SaveMode};
pub use changes::{ChangeFeed, Changes};
pub use checkpoint::Checkpoint;
pub use clone::{ClonePlan, CloneTable};
pub use convert::{Convert, ConvertPlan, ConvertSource};
pub use create::Create;
pub use delete::Delete;
pub use diff::{Diff, Difference, PropertyChange, SchemaChange};
pub use doctor::{Doctor, Finding, RepairPlan, Severity};
pub use log_cleanup::{LogCleanup, LogCleanupPlan};
pub use log_compact::{LogCompaction, LogCompactionPlan};
pub use manifest::GenerateManifest;
pub use merge::Merge;
pub use optimize::{Gain, Group, Optimize, OptimizePlan, RewrittenPlan};
pub use plan::{Amount, Plan, PlanItem};
pub use prices::{Cost, Prices};
pub use restore::{Restore, RestorePlan};
pub use tail::{Tail, TailOffset, TailReader, TailStep};
pub use truncate::Truncate;
pub use update::Update;
pub use vacuum::{Dead, DeadFile, INVENTORY_COLUMNS, Vacuum, VacuumMode, VacuumPlan};

use crate::env::{Env, Timestamp};
use crate::error::{Code, Error, Result};
use crate::log::Version;
use crate::snapshot::Snapshot;
use crate::table::Table;
use crate::transaction::{Committed, Conflicted};
use serde_json::{Map, Value};
use std::sync::Arc;

/// What an operation did.
#[derive(Clone, Debug)]
pub struct Report {
    /// The version it made; `None` when nothing was committed.
    pub version: Option<Version>,
    /// Spark's operation name.
    pub operation: String,
    pub attempts: u32,
    pub duration_ms: u64,
    /// Spark's `operationMetrics` keys, values as numbers.
    pub metrics: Map<String, Value>,
    /// What only this operation tells: what a vacuum `kept`, by reason, whether a checkpoint or compaction was `written` now, to which folder of the
    /// `quarantine` a repair moved files.
    pub details: Map<String, Value>,
    /// What went wrong without undoing the commit.
    pub warnings: Vec<String>,
    /// What a maintenance operation meant to do.
    pub planned: Option<Plan>,
    /// What it did, requests and bytes as they were counted.
    pub actual: Option<Plan>,
}

impl Report {
    fn committed(operation: &str, done: Committed, metrics: Map<String, Value>, env: &Env, started: Timestamp) -> Report {
        Report {
            version: Some(done.version),
            attempts: done.attempts,
            metrics,
            warnings: done.warnings,
            ..Report::nothing(operation, env, started)
        }
    }
    /// The operation found nothing to do.
    fn nothing(operation: &str, env: &Env, started: Timestamp) -> Report {
        Report {
            version: None,
            operation: operation.to_owned(),
            attempts: 0,
            duration_ms: since(env, started),
            metrics: Map::new(),
            details: Map::new(),
            warnings: Vec::new(),
            planned: None,
            actual: None,
        }
    }
}

fn since(env: &Env, started: Timestamp) -> u64 {
    u64::try_from(env.now().millis().saturating_sub(started.millis())).unwrap_or(0)
}

/// The newest version, or `None` when there is no table yet.
async fn newest(table: &Table) -> Result<Option<Arc<Snapshot>>> {
    match table.snapshot().await {
        Ok(snapshot) => Ok(Some(snapshot)),
        Err(e) if e.code() == Code::TABLE => Ok(None),
        Err(e) => Err(e),
    }
}

/// The conflict as the error that a caller sees.
fn refused(conflict: &Conflicted) -> Error {
    Error::new(Code::CONFLICT, "another writer's commit excludes this one; nothing was committed")
        .with("rule", conflict.rule)
        .with("version", conflict.winner)
        .with("evidence", &conflict.evidence)
        .help("look at that version and run the operation again if it is still wanted")
}

/// Refuses to make a table inside of another one: vacuum and readers of folders would take its files for those of the outer one.
async fn check_outside(table: &Table) -> Result<()> {
    let Some(outer) = table.root().enclosing().await? else { return Ok(()) };
    Err(Error::new(Code::INPUT, "a table cannot be made inside of another one")
        .with("location", table.root().url())
        .with("table", &outer)
        .help(format!("name the table itself, {outer}, or choose a place outside of it")))
}

fn already_exists(table: &Table) -> Error {
    Error::new(Code::TABLE_EXISTS, "there is a table already")
        .with("table", table.root().url())
        .help("write to it with `append`, or choose another place; `create --if-not-exists` leaves it alone")
}

/// Names as the JSON text that Spark puts into `operationParameters`.
fn json_text(names: &[String]) -> Value {
    Value::String(Value::from(names.to_vec()).to_string())
}
