//! One file to read, as plain data. Kind: shape.

use crate::log::{NullableMap, VectorDescriptor};
use serde::{Deserialize, Serialize};

/// One file to read. Serialise it and run it on any machine that can reach the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileTask {
    /// As it stands in the log.
    pub path: String,
    pub size: u64,
    /// Keys are physical names.
    pub partition_values: NullableMap,
    pub vector: Option<VectorDescriptor>,
    /// Physical rows, when the log says so.
    pub num_records: Option<u64>,
}
