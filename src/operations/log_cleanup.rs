//! Deletes what of the log is older than the table keeps. Kind: edge. Spec: CLN.
//!
//! Invariant: nothing is deleted that a fresh look at the table does not permit, whatever a plan says.

use super::{Plan, Report};
use crate::error::Result;
use crate::log::Version;
use crate::log::cleanup::{OldFile, OldKind, delete};
use crate::snapshot::{ExpiredLog, StoreClock};
use crate::storage::{LIST_PAGE, Meter};
use crate::table::Table;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::HashSet;

const OPERATION: &str = "LOG CLEANUP";

/// Deletes commits, checksums, compactions and checkpoints that are older than `delta.logRetentionDuration`, and sidecars that no
/// checkpoint names.
pub struct LogCleanup {
    table: Table,
    meter: Meter,
}

/// What a clean-up of the log will delete.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogCleanupPlan {
    summary: Plan,
    first_kept: Option<Version>,
    files: Vec<OldFile>,
    warnings: Vec<String>,
}

impl LogCleanupPlan {
    pub fn summary(&self) -> &Plan {
        &self.summary
    }
    /// The oldest version that can be read afterwards, when the log gets shorter.
    pub fn first_kept(&self) -> Option<Version> {
        self.first_kept
    }
    /// Why something stays that is old enough.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

impl Table {
    /// Starts a clean-up of the log.
    pub fn cleanup_log(&self) -> LogCleanup {
        let (table, meter) = self.metered();
        LogCleanup { table, meter }
    }
}

impl LogCleanup {
    /// What may go, and the proof that every version from `first_kept` on reads without it. Nothing is deleted.
    ///
    /// `LB-FEATURE-WRITE` where this build or the table's catalog forbids it, `LB-LOG-GAP` when the log has a hole already. Requests:
    /// a listing of the log and of its sidecars, the whole checkpoint at which the log is cut, and a small read of each checkpoint that
    /// stays when there are sidecars.
    pub async fn plan(&self) -> Result<LogCleanupPlan> {
        let snapshot = self.table.snapshot().await?;
        let ExpiredLog { first_kept, files, warnings } = snapshot.expired_log(StoreClock::Local).await?;
        let mut summary = counted(Some(snapshot.version()), &files, first_kept);
        summary.requests.delete = files.len() as u64;
        // It looks again before it deletes.
        let seen = self.meter.spent();
        summary.requests.list = seen.requests.list.max((files.len() as u64).div_ceil(LIST_PAGE));
        (summary.requests.get, summary.requests.head, summary.bytes_read) = (seen.requests.get, seen.requests.head, seen.bytes_read);
        let warnings = snapshot.warnings().iter().cloned().chain(warnings).collect();
        Ok(LogCleanupPlan { summary, first_kept, files, warnings })
    }

    /// Plans and deletes.
    pub async fn run(self) -> Result<Report> {
        let plan = self.plan().await?;
        self.delete(plan, None).await
    }

    /// Deletes what a plan names, as far as a fresh look at the table still permits it. The report's metrics are `numFiles`,
    /// `sizeInBytes` and, when the log gets shorter, `firstVersion`.
    pub async fn execute(self, plan: LogCleanupPlan) -> Result<Report> {
        let permitted = self.plan().await?;
        self.delete(plan, Some(permitted)).await
    }

    async fn delete(self, plan: LogCleanupPlan, permitted: Option<LogCleanupPlan>) -> Result<Report> {
        let env = self.table.env().clone();
        let started = env.now();
        let LogCleanupPlan { summary, mut first_kept, mut files, mut warnings } = plan;
        if let Some(permitted) = permitted {
            let wanted = files.len();
            let known: HashSet<OldFile> = permitted.files.into_iter().collect();
            files.retain(|file| known.contains(file));
            if files.len() < wanted {
                warnings.push(format!("{} files of the plan stay, for the table has changed since", wanted - files.len()));
            }
            first_kept = first_kept.min(permitted.first_kept);
        }
        if !files.is_empty() {
            self.table.root().check_writable().await?;
            delete(self.table.root(), &files).await?;
        }
        let actual = counted(summary.read_version, &files, first_kept);
        let bytes: u64 = files.iter().map(|file| file.bytes).sum();
        let mut metrics = Map::new();
        metrics.insert("numFiles".to_owned(), Value::from(files.len()));
        metrics.insert("sizeInBytes".to_owned(), Value::from(bytes));
        if let Some(first_kept) = first_kept {
            metrics.insert("firstVersion".to_owned(), Value::from(first_kept.0));
        }
        Ok(Report {
            attempts: 1,
            metrics,
            warnings,
            planned: Some(summary),
            actual: Some(actual.metered(self.meter.spent())),
            ..Report::nothing(OPERATION, &env, started)
        })
    }
}

/// The files by kind and by name.
fn counted(read_version: Option<Version>, files: &[OldFile], first_kept: Option<Version>) -> Plan {
    let mut plan = Plan::new(OPERATION, read_version);
    for file in files {
        plan.act(file.kind.deletion(), file.bytes);
        plan.item(&format!("_delta_log/{}", file.name), file.bytes, &reason(file.kind, first_kept));
    }
    plan
}

fn reason(kind: OldKind, first_kept: Option<Version>) -> String {
    match (kind, first_kept) {
        (OldKind::Sidecar, _) => "no checkpoint that stays names it".to_owned(),
        (_, Some(first_kept)) => format!("older than the retention; readers begin at the checkpoint of version {first_kept}"),
        (_, None) => "older than the retention".to_owned(),
    }
}
