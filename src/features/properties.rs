//! Every table property: key, default, allowed values; typed access. Kind: pure. Spec: FEA.

use super::TableState;
use crate::error::{Code, Error, Result};
use crate::schema::FieldPath;

/// Which kind of checkpoint a table wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointPolicy {
    Classic,
    V2,
}

/// Which columns have statistics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatsColumns {
    All,
    /// The first leaf columns of the schema, in order.
    First(usize),
    /// These columns and everything inside them, by logical path.
    Named(Vec<FieldPath>),
}

impl TableState {
    /// Which kind of checkpoint the table wants.
    pub fn checkpoint_policy(&self) -> Result<CheckpointPolicy> {
        match self.property("delta.checkpointPolicy").map(str::to_ascii_lowercase).as_deref() {
            None | Some("classic") => Ok(CheckpointPolicy::Classic),
            Some("v2") => Ok(CheckpointPolicy::V2),
            Some(other) => Err(Error::new(Code::PROPERTY, format!("`delta.checkpointPolicy` must be classic or v2, found `{other}`"))),
        }
    }
}
