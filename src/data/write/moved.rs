//! Who rows are that were in this table before: columns of files that no schema names. Kind: pure. Spec: RID.
//!
//! Invariant: a row that was read with its id is written with it; a row without one gets its id from the file that it lands in.

use super::file::FilePlan;
use super::stages;
use crate::error::{Code, Error, Result};
use crate::features::MovedColumn;
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{DataType as ArrowType, Field, SchemaRef};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use std::sync::Arc;

/// The columns that say who rows are, and the schema of files that hold them.
pub(super) struct Moved {
    columns: Vec<MovedColumn>,
    pub(super) schema: SchemaRef,
}

impl Moved {
    /// For files of this plan; `columns` is empty when rows have no ids of their own.
    pub(super) fn new(columns: Vec<MovedColumn>, plan: &FilePlan) -> Moved {
        let field = |column: &MovedColumn| {
            let id = column.field_id.map(|id| (PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string()));
            Field::new(&column.name, ArrowType::Int64, true).with_metadata(id.into_iter().collect())
        };
        let fields = plan.schema.fields().iter().map(|f| f.as_ref().clone()).chain(columns.iter().map(field));
        Moved { schema: stages::schema_of(fields.collect()), columns }
    }
    /// The batch without its hidden columns, and those as files store them; `None` when it has none, so that its rows are new.
    pub(super) fn take(&self, batch: RecordBatch) -> Result<(RecordBatch, Option<Vec<ArrayRef>>)> {
        let schema = batch.schema();
        let position = |column: &MovedColumn| schema.index_of(column.column.name()).ok();
        let positions: Vec<Option<usize>> = self.columns.iter().map(position).collect();
        if positions.iter().all(Option::is_none) {
            return Ok((batch, None));
        }
        let array = |at: &Option<usize>| match at {
            None => Ok(new_null_array(&ArrowType::Int64, batch.num_rows())),
            Some(at) if *batch.column(*at).data_type() == ArrowType::Int64 => Ok(Arc::clone(batch.column(*at))),
            Some(at) => Err(Error::new(Code::INTERNAL, "a hidden column came in another type").with("column", schema.field(*at).name())),
        };
        let moved = positions.iter().map(array).collect::<Result<Vec<_>>>()?;
        let rest: Vec<usize> = (0..batch.num_columns()).filter(|i| !positions.contains(&Some(*i))).collect();
        Ok((batch.project(&rest)?, Some(moved)))
    }
    /// New rows in the schema of a file that holds ids.
    pub(super) fn widen(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let nulls = self.columns.iter().map(|_| new_null_array(&ArrowType::Int64, rows));
        let columns = batch.columns().iter().cloned().chain(nulls).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }
}

#[cfg(test)]
#[path = "moved_tests.rs"]
mod tests;
