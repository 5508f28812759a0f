//! Rows in the order of their partitions, so that each file is closed before the next one begins. Kind: pure. Spec: DAT.

use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::exec::{Runtime, sorted};
use crate::features::TableState;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::stream::{BoxStream, StreamExt};
use std::sync::Arc;

/// The rows sorted by the partition columns that they have; as they come when they have none. Memory and errors as of `sorted`.
pub(super) fn by_partition(
    env: &Env,
    state: &TableState,
    schema: &SchemaRef,
    batches: BoxStream<'static, Result<RecordBatch>>,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let given = |name: &String| schema.fields().iter().map(|f| f.name().as_str()).find(|given| given.to_lowercase() == name.to_lowercase());
    let keys: Vec<&str> = state.partition_columns().iter().filter_map(given).collect();
    if keys.is_empty() {
        return Ok(batches);
    }
    let declared = Arc::clone(schema);
    let alike = move |batch: Result<RecordBatch>| match batch {
        Ok(batch) if !batch.schema_ref().fields().iter().map(|f| f.data_type()).eq(declared.fields().iter().map(|f| f.data_type())) => {
            Err(Error::new(Code::SCHEMA, "a batch has other columns than its stream says")
                .with("found", batch.schema_ref())
                .with("declared", &declared))
        }
        batch => batch,
    };
    sorted(env, &Runtime::new(env)?, schema, batches.map(alike).boxed(), &keys)
}
