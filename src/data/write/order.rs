//! Rows in the order of their partitions, so that each file is closed before the next one begins. Kind: pure. Spec: DAT.

use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::exec::{Runtime, sorted};
use crate::features::TableState;
use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use futures::stream::{BoxStream, StreamExt};
use std::sync::Arc;

/// The rows sorted by the partition columns that they have, those of one partition as they came; all as they come when they have none. Memory and errors as of `sorted`.
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
    // The engine's sort does not keep the order of equal rows, and rows that arrived together are wanted together.
    let mut position = "position".to_owned();
    while schema.field_with_name(&position).is_ok() {
        position.push('_');
    }
    let numbered = Field::new(&position, DataType::UInt64, false);
    let numbered = Arc::new(Schema::new(schema.fields().iter().cloned().chain([Arc::new(numbered)]).collect::<Vec<_>>()));
    let (declared, with_position, mut next) = (Arc::clone(schema), Arc::clone(&numbered), 0u64);
    let number = move |batch: Result<RecordBatch>| {
        let batch = batch?;
        if !batch.schema_ref().fields().iter().map(|f| f.data_type()).eq(declared.fields().iter().map(|f| f.data_type())) {
            return Err(Error::new(Code::SCHEMA, "a batch has other columns than its stream says")
                .with("found", batch.schema_ref())
                .with("declared", &declared));
        }
        let from = next;
        next += batch.num_rows() as u64;
        let columns = batch.columns().iter().cloned().chain([Arc::new(UInt64Array::from_iter_values(from..next)) as ArrayRef]);
        Ok(RecordBatch::try_new(Arc::clone(&with_position), columns.collect())?)
    };
    let by: Vec<&str> = keys.into_iter().chain([position.as_str()]).collect();
    let rows = sorted(env, &Runtime::new(env)?, &numbered, batches.map(number).boxed(), &by)?;
    let own: Vec<usize> = (0..schema.fields().len()).collect();
    Ok(rows.map(move |batch| Ok(batch?.project(&own)?)).boxed())
}
