//! Writes one file that stands for all commits after the checkpoint. Kind: edge. Spec: LCF.
//!
//! Nothing is committed: readers that know compactions read one file instead of many. Invariant: it is published only when its bytes, read
//! again, say what the commits said.

use super::{Plan, Report};
use crate::env::Timestamp;
use crate::error::{Code, Error, Result};
use crate::log::checksum::Checksum;
use crate::log::compaction::{compaction_name, is_reconciled, reconciled};
use crate::log::{Action, Version, decode_commit, encode_commit};
use crate::snapshot::{At, Snapshot};
use crate::storage::{Meter, PutOutcome, create};
use crate::table::Table;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;

const OPERATION: &str = "LOG COMPACT";
const REASON: &str = "stands for the commits that it covers";

/// Writes a log compaction file.
pub struct LogCompaction {
    table: Table,
    meter: Meter,
}

/// Which file a compaction of the log will write, under `compaction`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogCompactionPlan {
    summary: Plan,
    from: Version,
    to: Version,
}

impl LogCompactionPlan {
    /// The file, its bytes and the requests; those that planning itself has made are among them.
    pub fn summary(&self) -> &Plan {
        &self.summary
    }
}

impl Table {
    /// Starts writing a log compaction file of the commits after the newest checkpoint.
    pub fn compact_log(&self) -> LogCompaction {
        let (table, meter) = self.metered();
        LogCompaction { table, meter }
    }
}

impl LogCompaction {
    /// What it would write, without writing it. Errors and memory as `run`.
    pub async fn plan(&self) -> Result<LogCompactionPlan> {
        let snapshot = self.table.snapshot().await?;
        self.planned(&snapshot).map(|(plan, _)| plan)
    }
    /// Writes what a plan says; where a checkpoint has come between meanwhile, only what is after it.
    pub async fn execute(self, plan: LogCompactionPlan) -> Result<Report> {
        let started = self.table.env().now();
        let snapshot = self.table.snapshot_at(At::Version(plan.to)).await?;
        let (now, encoded) = self.planned(&snapshot)?;
        self.write(&snapshot, if now.from == plan.from { plan } else { now }, encoded, started).await
    }
    /// Writes `x.y.compacted.json` for the commits from the first after the checkpoint to the newest, and the checksum of the newest
    /// when it is known. The report's metrics name both versions and say what the file holds, its details whether it was written now (`written`); nothing is
    /// written for less than two commits, or when there is such a file.
    ///
    /// Memory: the decoded commits and their compaction. Requests besides loading the table: one PUT, and one for the checksum.
    pub async fn run(self) -> Result<Report> {
        let started = self.table.env().now();
        let snapshot = self.table.snapshot().await?;
        let (plan, encoded) = self.planned(&snapshot)?;
        self.write(&snapshot, plan, encoded, started).await
    }
    /// The plan for one version, and what it writes when there is anything to write.
    fn planned(&self, snapshot: &Snapshot) -> Result<(LogCompactionPlan, Option<Encoded>)> {
        snapshot.state().check_readable()?;
        snapshot.state().check_writable()?;
        let (from, to) = (snapshot.segment().tail_from(), snapshot.version());
        let mut summary = Plan::new(OPERATION, Some(to));
        let seen = self.meter.spent();
        (summary.requests, summary.bytes_read) = (seen.requests, seen.bytes_read);
        // A tail of one piece is one commit, or compacted already.
        let encoded = if snapshot.tail().pieces().len() > 1 { Some(encode(snapshot, &compaction_name(from, to))?) } else { None };
        if let Some((body, _)) = &encoded {
            let bytes = body.len() as u64;
            summary.act("compaction", bytes);
            summary.item(&format!("_delta_log/{}", compaction_name(from, to)), bytes, REASON);
            summary.requests.put += 1 + u64::from(!has_checksum(snapshot));
            summary.bytes_written += bytes;
        }
        Ok((LogCompactionPlan { summary, from, to }, encoded))
    }
    async fn write(
        self,
        snapshot: &Arc<Snapshot>,
        plan: LogCompactionPlan,
        encoded: Option<Encoded>,
        started: Timestamp,
    ) -> Result<Report> {
        let LogCompactionPlan { summary, from, to } = plan;
        let mut warnings = snapshot.warnings().to_vec();
        let mut actual = Plan::new(OPERATION, Some(to));
        let (mut metrics, mut is_written) = (Map::new(), false);
        if let Some((body, actions)) = encoded {
            // Only commits that everybody sees may be replaced.
            self.table.log().publish(to).await?;
            let (name, bytes) = (compaction_name(from, to), body.len() as u64);
            is_written = publish(&self.table, &name, body).await?;
            if is_written {
                actual.act("compaction", bytes);
                actual.item(&format!("_delta_log/{name}"), bytes, REASON);
                if let Err(e) = write_checksum(snapshot).await {
                    warnings.push(format!("the checksum of version {to} was not written: {e}"));
                }
            }
            let count = |of: fn(&Action) -> bool| Value::from(actions.iter().filter(|a| of(a)).count());
            let facts = [
                ("fromVersion", Value::from(from.0)),
                ("toVersion", Value::from(to.0)),
                ("numFiles", count(|a| matches!(a, Action::Add(_)))),
                ("numRemovedFiles", count(|a| matches!(a, Action::Remove(_)))),
                ("sizeInBytes", Value::from(bytes)),
            ];
            metrics.extend(facts.map(|(key, value)| (key.to_owned(), value)));
        }
        Ok(Report {
            attempts: 1,
            metrics,
            details: Map::from_iter([("written".to_owned(), is_written.into())]),
            warnings,
            planned: Some(summary),
            actual: Some(actual.metered(self.meter.spent())),
            ..Report::nothing(OPERATION, self.table.env(), started)
        })
    }
}

/// The body of a compaction, and the actions in it.
type Encoded = (Bytes, Vec<Action>);

/// The body, after it was read again. (LCF-2)
fn encode(snapshot: &Snapshot, name: &str) -> Result<Encoded> {
    let actions = reconciled(snapshot.tail().pieces(), snapshot.table().root().url());
    let body = encode_commit(&actions)?;
    if decode_commit(name, &body)? != actions || !is_reconciled(&actions) {
        return Err(Error::new(Code::INTERNAL, "a compaction does not say what its commits say; it was not published").with("file", name));
    }
    Ok((body, actions))
}

/// False when there is one already.
async fn publish(table: &Table, name: &str, body: Bytes) -> Result<bool> {
    let root = table.root();
    root.check_writable().await?;
    match create(root.store_once().as_ref(), &root.log_key(name), body).await {
        PutOutcome::Created => Ok(true),
        PutOutcome::Exists => Ok(false),
        PutOutcome::Unknown(e) | PutOutcome::Failed(e) => Err(e),
    }
}

/// So that counts are known to those who read the compaction, which does not say what each commit removed. (LCF-3)
async fn write_checksum(snapshot: &Arc<Snapshot>) -> Result<()> {
    let version: Version = snapshot.version();
    if has_checksum(snapshot) {
        return Ok(());
    }
    match snapshot.advanced_checksum().await {
        Some(checksum) => publish(snapshot.table(), &Checksum::file_name(version), checksum.encode()?).await.map(|_| ()),
        None => Ok(()),
    }
}

fn has_checksum(snapshot: &Snapshot) -> bool {
    snapshot.segment().checksums.first().is_some_and(|c| c.version == snapshot.version())
}
