//! Batches of one schema on disk, until they are read again. Kind: edge. Spec: EXE.
//!
//! Invariant: a file lives as long as the handle on it, and no longer.

use super::runtime::{Runtime, failed};
use crate::error::Result;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::StreamWriter;
use datafusion_execution::SpillFile;
use datafusion_physical_plan::SpillManager;
use datafusion_physical_plan::metrics::{ExecutionPlanMetricsSet, SpillMetrics};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use std::sync::Arc;

/// Writes batches of one schema to files on disk.
pub(super) struct Spill {
    runtime: Runtime,
    schema: SchemaRef,
}

/// A file that is being written; nothing is on disk before the first batch.
pub(super) struct SpillWriter {
    runtime: Runtime,
    schema: SchemaRef,
    open: Option<(Arc<dyn SpillFile>, StreamWriter<Box<dyn datafusion_execution::SpillWriter>>)>,
}

/// A file of batches. Dropping it deletes the file.
pub(crate) struct Spilled {
    manager: SpillManager,
    file: Arc<dyn SpillFile>,
}

impl Spill {
    pub fn new(runtime: &Runtime, schema: SchemaRef) -> Spill {
        Spill { runtime: runtime.clone(), schema }
    }
    pub fn start(&self) -> SpillWriter {
        SpillWriter { runtime: self.runtime.clone(), schema: Arc::clone(&self.schema), open: None }
    }
}

impl SpillWriter {
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if self.open.is_none() {
            let file = self.runtime.0.disk_manager.create_tmp_file("rows of a join").map_err(failed)?;
            let writer = StreamWriter::try_new(file.open_writer().map_err(failed)?, &self.schema).map_err(|e| failed(e.into()))?;
            self.open = Some((file, writer));
        }
        match &mut self.open {
            Some((_, writer)) => writer.write(batch).map_err(|e| failed(e.into())),
            None => Ok(()),
        }
    }
    /// `None` when nothing was written.
    pub fn finish(self) -> Result<Option<Spilled>> {
        let Some((file, mut writer)) = self.open else { return Ok(None) };
        writer.finish().map_err(|e| failed(e.into()))?;
        writer.into_inner().map_err(|e| failed(e.into()))?.finish().map_err(failed)?;
        let metrics = SpillMetrics::new(&ExecutionPlanMetricsSet::new(), 0);
        Ok(Some(Spilled { manager: SpillManager::new(self.runtime.0, metrics, self.schema), file }))
    }
}

impl Spilled {
    /// The batches, in the order in which they were written. May be called again.
    pub fn read(&self) -> Result<BoxStream<'static, Result<RecordBatch>>> {
        let stream = self.manager.read_spill_as_stream_unbuffered(Arc::clone(&self.file), None).map_err(failed)?;
        Ok(stream.map_err(failed).boxed())
    }
}
