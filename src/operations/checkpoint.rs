//! Writes a checkpoint of a version. Kind: edge. Spec: CKP.

use super::Report;
use crate::error::Result;
use crate::table::Table;
use serde_json::{Map, Value};

/// Writes a checkpoint of the newest version.
pub struct Checkpoint {
    table: Table,
}

impl Table {
    /// Starts writing a checkpoint.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint { table: self.clone() }
    }
}

impl Checkpoint {
    /// Writes it, then the checksum of the version and `_last_checkpoint`. Nothing is committed; the report's metrics name the
    /// version (`version`), what it holds (`numFiles`, `numRemovedFiles`, `sizeInBytes`), and
    /// what of it is new (`sizeInBytesWritten`, `numSidecarsReused`); its details, whether it was written now (`written`). `LB-CKPT` when what was encoded does not verify: then nothing was published.
    pub async fn run(self) -> Result<Report> {
        let started = self.table.env().now();
        let snapshot = self.table.snapshot().await?;
        let written = snapshot.write_checkpoint().await?;
        let metrics = [
            ("version", Value::from(written.version.0)),
            ("numFiles", Value::from(written.files)),
            ("numRemovedFiles", Value::from(written.removed)),
            ("sizeInBytes", Value::from(written.bytes)),
            ("sizeInBytesWritten", Value::from(written.bytes_written)),
            ("numSidecarsReused", Value::from(written.sidecars_reused)),
        ];
        Ok(Report {
            attempts: 1,
            details: Map::from_iter([("written".to_owned(), written.ours.into())]),
            metrics: metrics.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>(),
            warnings: snapshot.warnings().iter().cloned().chain(written.warnings).collect(),
            ..Report::nothing("CHECKPOINT", self.table.env(), started)
        })
    }
}
