//! How a commit ended. Kind: shape.

use super::Transaction;
use crate::log::Version;
use serde_json::{Map, Value};

/// What `commitInfo` says about the work: Spark's operation name, parameters, metrics.
#[derive(Clone, Debug, Default)]
pub struct OperationInfo {
    /// `WRITE`, `CREATE TABLE`, …
    pub operation: String,
    /// Spark's keys; values as Spark writes them (JSON inside strings).
    pub parameters: Map<String, Value>,
    /// Spark's keys; written as strings.
    pub metrics: Map<String, Value>,
    pub user_metadata: Option<String>,
}

/// How a commit ended.
#[derive(Debug)]
#[must_use = "a conflict is an outcome, not an error"]
pub enum CommitOutcome {
    Committed(Committed),
    Conflicted(Conflicted),
}

/// The commit is in the log, once.
#[derive(Debug)]
pub struct Committed {
    pub version: Version,
    /// How often the commit was sent.
    pub attempts: u32,
    /// What went wrong after the commit (a checkpoint that could not be written).
    pub warnings: Vec<String>,
}

/// The rule that stands for a log that was cut above the version that was read.
pub(super) const CUT: &str = "CUT";

/// Another writer's commit excludes ours; nothing of ours is in the log.
#[derive(Debug)]
pub struct Conflicted {
    /// The id of the rule, as in `spec/conflicts.md`.
    pub rule: &'static str,
    pub winner: Version,
    /// What decided: a path, a domain, an application id.
    pub evidence: String,
    pub transaction: Box<Transaction>,
}

impl Conflicted {
    /// Whether the log was cut above our base: no winner was judged, and on the newest version there may be no conflict.
    pub(crate) fn is_cut(&self) -> bool {
        self.rule == CUT
    }
    /// The vector files that were written for the transaction, on its way too, by name; no commit names them.
    pub(crate) fn wrote(&self) -> &[String] {
        &self.transaction.work.wrote
    }
}
