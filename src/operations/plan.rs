//! What an operation will do, and afterwards did: objects, bytes, requests. Kind: shape. Spec: PLN.
//!
//! Each maintenance operation has a plan type of its own, which `run` executes; this is the summary inside it that people read.

use crate::log::Version;
use crate::storage::{Requests, Spent};
use crate::transaction::OperationInfo;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many objects a plan names one by one.
const ITEMS_MAX: usize = 1_000;

/// Objects by kind, bytes and requests of one operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Spark's operation name.
    pub operation: String,
    /// The version that it stands on.
    pub read_version: Option<Version>,
    /// What happens to how many objects, such as `add`, `remove`, `delete_orphan`.
    pub actions: BTreeMap<String, Amount>,
    pub requests: Requests,
    pub bytes_read: u64,
    pub bytes_written: u64,
    /// The first 1,000 objects.
    pub items: Vec<PlanItem>,
}

/// Objects of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    pub count: u64,
    pub bytes: u64,
}

/// One object of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanItem {
    /// Relative to the table and decoded, where it lies inside.
    pub path: String,
    pub bytes: u64,
    pub reason: String,
}

impl Plan {
    /// An empty plan.
    pub(super) fn new(operation: &str, read_version: Option<Version>) -> Plan {
        Plan { operation: operation.to_owned(), read_version, ..Plan::default() }
    }
    /// Counts one object of a kind.
    pub(super) fn act(&mut self, kind: &str, bytes: u64) {
        let amount = self.actions.entry(kind.to_owned()).or_default();
        amount.count += 1;
        amount.bytes = amount.bytes.saturating_add(bytes);
    }
    /// Names one object, unless 1,000 are named.
    pub(super) fn item(&mut self, path: &str, bytes: u64, reason: &str) {
        if self.items.len() < ITEMS_MAX {
            self.items.push(PlanItem { path: path.to_owned(), bytes, reason: reason.to_owned() });
        }
    }
    /// Counts and names one file of the log.
    pub(super) fn file(&mut self, kind: &str, path: &str, bytes: i64) {
        let bytes = u64::try_from(bytes).unwrap_or(0);
        self.act(kind, bytes);
        self.item(&percent_decode_str(path).decode_utf8_lossy(), bytes, kind);
    }
    /// The objects of a kind.
    pub fn amount(&self, kind: &str) -> Amount {
        self.actions.get(kind).copied().unwrap_or_default()
    }
    /// The same operation as it was done: `actions` and `items` by whoever did it, requests and bytes as they were counted.
    pub(super) fn metered(mut self, spent: Spent) -> Plan {
        let Spent { requests, bytes_read, bytes_written } = spent;
        (self.requests, self.bytes_read, self.bytes_written) = (requests, bytes_read, bytes_written);
        self
    }
}

/// Bytes of the `commitInfo` of an operation, about.
pub(super) fn info_bytes(info: &OperationInfo) -> u64 {
    // Times, versions, identities and the names of all keys.
    const REST: u64 = 300;
    // Values become text.
    let values = 2 * (info.parameters.len() + info.metrics.len()) as u64;
    REST + values + action_bytes(&info.parameters) + action_bytes(&info.metrics)
}

/// Bytes of an action in a commit.
pub(super) fn action_bytes<T: Serialize>(action: &T) -> u64 {
    // The kind, its braces and the end of the line.
    const AROUND: u64 = 12;
    serde_json::to_string(action).map_or(0, |text| text.len() as u64 + AROUND)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
