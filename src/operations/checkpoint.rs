//! Writes a checkpoint of a version. Kind: edge. Spec: CKP.

use super::Report;
use crate::error::Result;
use crate::table::Table;

/// Writes a checkpoint of the newest version.
pub struct Checkpoint {
    #[allow(dead_code)]
    table: Table,
}

impl Table {
    /// Starts writing a checkpoint.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint { table: self.clone() }
    }
}

impl Checkpoint {
    pub async fn run(self) -> Result<Report> {
        todo!("checkpoint room")
    }
}
