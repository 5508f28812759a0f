//! Writes one file that stands for all commits after the checkpoint. Kind: edge. Spec: LCF.
//!
//! Nothing is committed: readers that know compactions read one file instead of many. Invariant: it is published only when its bytes, read
//! again, say what the commits said.

use super::{Plan, Report, since};
use crate::error::{Code, Error, Result};
use crate::log::checksum::Checksum;
use crate::log::compaction::{compaction_name, is_reconciled, reconciled};
use crate::log::{Action, Version, decode_commit, encode_commit};
use crate::snapshot::Snapshot;
use crate::storage::{Meter, PutOutcome, create};
use crate::table::Table;
use bytes::Bytes;
use serde_json::{Map, Value};
use std::sync::Arc;

const OPERATION: &str = "LOG COMPACT";

/// Writes a log compaction file.
pub struct LogCompaction {
    table: Table,
    meter: Meter,
}

impl Table {
    /// Starts writing a log compaction file of the commits after the newest checkpoint.
    pub fn compact_log(&self) -> LogCompaction {
        let (table, meter) = self.metered();
        LogCompaction { table, meter }
    }
}

impl LogCompaction {
    /// Writes `x.y.compacted.json` for the commits from the first after the checkpoint to the newest, and the checksum of the newest
    /// when it is known. The report's metrics name both versions and say whether a file was written (`written`) and what it holds; nothing is
    /// written for less than two commits, or when there is such a file.
    ///
    /// Memory: the decoded commits and their compaction. Requests besides loading the table: one PUT, and one for the checksum.
    pub async fn run(self) -> Result<Report> {
        let env = self.table.env().clone();
        let started = env.now();
        let snapshot = self.table.snapshot().await?;
        snapshot.state().check_readable()?;
        snapshot.state().check_writable()?;
        let (from, to) = (snapshot.segment().tail_from(), snapshot.version());
        let mut warnings = snapshot.warnings().to_vec();
        let mut actual = Plan::new(OPERATION, Some(to));
        let mut metrics = Map::from_iter([("written".to_owned(), Value::from(false))]);
        // A tail of one piece is one commit, or compacted already.
        if snapshot.tail().pieces().len() > 1 {
            // Only commits that everybody sees may be replaced.
            self.table.log().publish(to).await?;
            let name = compaction_name(from, to);
            let (body, actions) = encode(&snapshot, &name)?;
            let bytes = body.len() as u64;
            let written = publish(&self.table, &name, body).await?;
            if written {
                actual.act("compaction", bytes);
                actual.item(&format!("_delta_log/{name}"), bytes, "stands for the commits that it covers");
                if let Err(e) = write_checksum(&snapshot).await {
                    warnings.push(format!("the checksum of version {to} was not written: {e}"));
                }
            }
            let count = |of: fn(&Action) -> bool| Value::from(actions.iter().filter(|a| of(a)).count());
            let facts = [
                ("written", Value::from(written)),
                ("fromVersion", Value::from(from.0)),
                ("toVersion", Value::from(to.0)),
                ("numFiles", count(|a| matches!(a, Action::Add(_)))),
                ("numRemovedFiles", count(|a| matches!(a, Action::Remove(_)))),
                ("sizeInBytes", Value::from(bytes)),
            ];
            metrics.extend(facts.map(|(key, value)| (key.to_owned(), value)));
        }
        Ok(Report {
            version: None,
            operation: OPERATION.to_owned(),
            attempts: 1,
            duration_ms: since(&env, started),
            metrics,
            warnings,
            planned: None,
            actual: Some(actual.metered(self.meter.spent())),
        })
    }
}

/// The body, after it was read again. (LCF-2)
fn encode(snapshot: &Snapshot, name: &str) -> Result<(Bytes, Vec<Action>)> {
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
    if snapshot.segment().checksums.first().is_some_and(|c| c.version == version) {
        return Ok(());
    }
    match snapshot.advanced_checksum().await {
        Some(checksum) => publish(snapshot.table(), &Checksum::file_name(version), checksum.encode()?).await.map(|_| ()),
        None => Ok(()),
    }
}
