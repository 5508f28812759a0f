//! Intent + base + version -> the body of a commit. Kind: pure. Spec: COM.
//!
//! The only place that makes the bytes of a commit; it runs again whenever the base has moved. Invariant: everything that depends
//! on the version, on the commit before or on the clock is set here.

use super::rebase::{Base, changed_state};
use super::rules::Isolation;
use super::{RowDelete, Work};
use crate::env::Timestamp;
use crate::error::Result;
use crate::features::CommitDraft;
use crate::log::{Action, CommitInfo, encode_commit};
use bytes::Bytes;
use serde_json::{Map, Value};

/// How many files that were written in vain a commit names.
const LEFT_BEHIND_MAX: usize = 100;

/// The body of the commit that follows `base`.
pub(crate) fn draft(work: &Work, base: &Base, txn_id: &str, now: Timestamp) -> Result<Bytes> {
    let intent = &work.intent;
    let after = changed_state(&base.state, intent.protocol.as_ref(), intent.metadata.as_ref(), &intent.domains)?;
    super::check::check(work, base, &after)?;
    let mut draft = CommitDraft {
        version: base.target(),
        now,
        previous_timestamp: base.timestamp,
        metadata: intent.metadata.clone(),
        domains: intent.domains.clone(),
        adds: intent.row_deletes.iter().filter_map(RowDelete::add).chain(intent.adds.iter().cloned()).collect(),
        removes: intent.removes_anything(),
        prepared_on: work.prepared_on.clone(),
        ..CommitDraft::default()
    };
    after.stamp_commit(&base.state, &mut draft)?;

    let mut actions = Vec::with_capacity(4 + intent.removes.len() + intent.row_deletes.len() + draft.adds.len());
    actions.push(Action::CommitInfo(commit_info(work, base, txn_id, &draft)));
    actions.extend(draft.metadata.map(Action::Metadata));
    actions.extend(intent.protocol.clone().map(Action::Protocol));
    actions.extend(intent.apps.iter().cloned().map(Action::Txn));
    actions.extend(draft.domains.into_iter().map(Action::DomainMetadata));
    actions.extend(intent.removes.iter().cloned().map(Action::Remove));
    actions.extend(intent.row_deletes.iter().map(|r| Action::Remove(r.remove(now))));
    actions.extend(draft.adds.into_iter().map(Action::Add));
    actions.extend(intent.cdcs.iter().cloned().map(Action::Cdc));
    encode_commit(&actions)
}

/// Spark's keys in Spark's order.
fn commit_info(work: &Work, base: &Base, txn_id: &str, draft: &CommitDraft) -> CommitInfo {
    let operation = &work.intent.operation;
    let mut info = Map::new();
    if let Some(time) = draft.in_commit_timestamp {
        info.insert("inCommitTimestamp".into(), time.millis().into());
    }
    info.insert("timestamp".into(), draft.now.millis().into());
    info.insert("operation".into(), operation.operation.clone().into());
    info.insert("operationParameters".into(), operation.parameters.clone().into());
    if let Some(version) = work.read_version {
        info.insert("readVersion".into(), version.0.into());
    }
    info.insert("isolationLevel".into(), Isolation::of(&work.intent, &base.state).as_str().into());
    info.insert("isBlindAppend".into(), (!work.intent.removes_anything() && !work.reads.reads_rows()).into());
    let metrics: Map<String, Value> = operation.metrics.iter().map(|(key, value)| (key.clone(), as_text(value))).collect();
    info.insert("operationMetrics".into(), metrics.into());
    if !draft.tags.is_empty() {
        let tags: Map<String, Value> = draft.tags.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
        info.insert("tags".into(), tags.into());
    }
    if let Some(text) = &operation.user_metadata {
        info.insert("userMetadata".into(), text.clone().into());
    }
    info.insert("engineInfo".into(), concat!("lakebed/", env!("CARGO_PKG_VERSION")).into());
    let left: Vec<_> = work.left_behind().into_iter().take(LEFT_BEHIND_MAX).map(Value::from).collect();
    if !left.is_empty() {
        info.insert("leftBehind".into(), left.into());
    }
    info.insert("txnId".into(), txn_id.into());
    CommitInfo(info)
}

/// Metrics are strings in the log, also when the caller counts in numbers.
fn as_text(value: &Value) -> Value {
    match value {
        Value::String(_) => value.clone(),
        other => Value::String(other.to_string()),
    }
}

#[cfg(test)]
#[path = "draft_tests.rs"]
mod tests;
