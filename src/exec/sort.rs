//! Sorting a stream of batches, on disk when memory does not hold them. Kind: edge. Spec: EXE.

use super::runtime::{Runtime, failed};
use crate::env::Env;
use crate::error::{Code, Error, Result};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion_common::DataFusionError;
use datafusion_execution::config::SessionConfig;
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_expr::expressions::col;
use datafusion_physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion_physical_plan::ExecutionPlan;
use datafusion_physical_plan::sorts::sort::SortExec;
use datafusion_physical_plan::stream::RecordBatchStreamAdapter;
use datafusion_physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

/// The rows of `input` ascending by these columns, nulls first. Nothing is read before the first batch is asked for, which needs all
/// of the input. Memory: at most half of the budget; what does not fit goes to disk. `LB-SPILL` when it cannot, `LB-LIMIT` when the
/// budget is too small to sort anything, else the input's own errors.
pub(crate) fn sorted(
    env: &Env,
    runtime: &Runtime,
    schema: &SchemaRef,
    input: BoxStream<'static, Result<RecordBatch>>,
    by: &[&str],
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let keys = by.iter().map(|name| Ok(PhysicalSortExpr::new_default(col(name, schema)?)));
    let keys = keys.collect::<Result<Vec<_>, DataFusionError>>().map_err(failed)?;
    let keys = LexOrdering::new(keys).ok_or_else(|| Error::new(Code::INTERNAL, "rows are sorted by nothing"))?;
    let once = Once { schema: Arc::clone(schema), input: Mutex::new(Some(input)) };
    let source = StreamingTableExec::try_new(Arc::clone(schema), vec![Arc::new(once)], None, [], false, None).map_err(failed)?;
    // What is kept back for the merging of sorted parts.
    let kept_back = usize::try_from(env.memory().limit() / 16).unwrap_or(usize::MAX).clamp(256 << 10, 16 << 20);
    let config = SessionConfig::new().with_sort_spill_reservation_bytes(kept_back);
    let functions = (HashMap::new(), HashMap::new(), HashMap::new(), HashMap::new());
    let context =
        TaskContext::new(None, "sort".to_owned(), config, functions.0, functions.1, functions.2, functions.3, Arc::clone(&runtime.0));
    let sorted = SortExec::new(keys, Arc::new(source)).execute(0, Arc::new(context)).map_err(failed)?;
    Ok(sorted.map_err(failed).boxed())
}

/// A stream as a plan that can be run once.
struct Once {
    schema: SchemaRef,
    input: Mutex<Option<BoxStream<'static, Result<RecordBatch>>>>,
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").finish_non_exhaustive()
    }
}

impl PartitionStream for Once {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }
    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let input = self.input.lock().unwrap_or_else(|e| e.into_inner()).take();
        let input = input.unwrap_or_else(|| futures::stream::empty().boxed());
        let input = input.map_err(|e| DataFusionError::External(Box::new(e)));
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), input))
    }
}

#[cfg(test)]
#[path = "sort_tests.rs"]
mod tests;
