//! Operations: one file a verb. Each stages a transaction; `run` commits it. Spec: OPS.

mod append;
mod checkpoint;
mod create;

pub use append::{Append, SaveMode};
pub use checkpoint::Checkpoint;
pub use create::Create;

use crate::log::Version;
use serde_json::{Map, Value};

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
    /// What went wrong without undoing the commit.
    pub warnings: Vec<String>,
}
