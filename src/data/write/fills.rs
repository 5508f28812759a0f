//! Columns that rows lack: defaults, computed values, numbers. Kind: pure. Spec: VAL.
//!
//! Invariant: rows that were read from the table get nothing but computed values; what they lack otherwise is null.

use super::RowOrigin;
use super::stages::{Conform, file_fields, rows_named, schema_of};
use crate::env::Timestamp;
use crate::error::{Code, Error, Result};
use crate::expr::BoundExpr;
use crate::features::{Fill, FillValue, Numbers, TableState};
use crate::schema::{DataType, Struct};
use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field as ArrowField, Schema, SchemaRef};
use std::sync::Arc;

/// Makes the columns that batches lack.
pub(super) struct Fills {
    /// May be shared by the writers of one commit.
    pub(super) numbers: Numbers,
    fills: Vec<(ArrowField, Value)>,
    /// The table's columns by logical names, and the same with every column nullable.
    columns: Vec<ArrowField>,
    schema: SchemaRef,
    lenient: Struct,
}

enum Value {
    Constant(BoundExpr),
    Computed(BoundExpr),
    /// The next numbers, and whether rows may bring their own.
    Number(bool),
}

impl Fills {
    /// `LB-FEATURE-WRITE` names a column whose values cannot be made. `now` is the time of the whole write.
    pub(super) fn new(fills: Vec<Fill>, state: &TableState, now: Timestamp) -> Result<Fills> {
        let columns = file_fields(state.schema(), &|_| None)?;
        let mut bound = Vec::with_capacity(fills.len());
        let numbers = Numbers::default();
        for Fill { column, value } in fills {
            let refused = |why: Error| {
                Error::new(Code::FEATURE_WRITE, format!("the values of a column cannot be made: {}", why.message()))
                    .with("column", &column)
                    .caused_by(why)
            };
            let field = state.schema().field(&column).filter(|field| field.data_type != DataType::Void);
            let (Some(field), Some(stored)) = (field, columns.iter().find(|f| *f.name() == column)) else {
                return Err(Error::new(Code::INTERNAL, "a column that is to be filled is not stored").with("column", column));
            };
            let value = match value {
                FillValue::Constant(e) => Value::Constant(e.bind_as(&Struct::default(), &field.data_type, Some(now)).map_err(refused)?),
                FillValue::Computed(e) => Value::Computed(e.bind_as(state.schema(), &field.data_type, None).map_err(refused)?),
                FillValue::Number(sequence) => {
                    let accepts_given = sequence.accepts_given;
                    numbers.start(&column, sequence);
                    Value::Number(accepts_given)
                }
            };
            bound.push((stored.clone(), value));
        }
        let mut lenient = state.schema().clone();
        lenient.fields.iter_mut().for_each(|field| field.nullable = true);
        Ok(Fills { numbers, fills: bound, schema: schema_of(columns.clone()), columns, lenient })
    }

    /// The batch with the columns that it lacks, and their names. `LB-CONSTRAINT` when rows bring what only the table may give.
    pub(super) fn complete(&self, batch: RecordBatch, origin: RowOrigin, first_row: u64) -> Result<(RecordBatch, Vec<String>)> {
        let had = batch.num_columns();
        let batch = self.completed(batch, origin, first_row)?;
        let made = batch.schema_ref().fields()[had..].iter().map(|field| field.name().clone()).collect();
        Ok((batch, made))
    }
    fn completed(&self, batch: RecordBatch, origin: RowOrigin, first_row: u64) -> Result<RecordBatch> {
        if self.fills.is_empty() {
            return Ok(batch);
        }
        let rows = batch.num_rows();
        let mut made: Vec<(ArrowField, ArrayRef)> = Vec::new();
        let mut computed = false;
        for (field, value) in &self.fills {
            let given = find(batch.schema_ref(), field.name());
            match (value, given) {
                (Value::Number(false), Some(at)) if origin == RowOrigin::New => {
                    return Err(numbers_given(field.name(), batch.column(at), first_row));
                }
                (_, Some(_)) => {}
                (Value::Computed(_), None) => computed = true,
                (_, None) if origin == RowOrigin::Table => {}
                (Value::Constant(e), None) => made.push((field.clone(), e.evaluate(&rows_of(rows)?)?)),
                (Value::Number(_), None) => {
                    let numbers = self.numbers.take(field.name(), rows)?;
                    made.push((field.clone(), Arc::new(Int64Array::from(numbers))));
                }
            }
        }
        let batch = with(batch, made)?;
        if !computed {
            return Ok(batch);
        }
        // Expressions see rows as the table's types have them, by logical names at every level.
        let conform = Conform::new(batch.schema(), &self.lenient)?;
        let columns = conform.apply(&batch, &self.lenient, &self.columns, &[], first_row)?;
        let typed = RecordBatch::try_new(self.schema.clone(), columns)?;
        let mut made = Vec::new();
        for (field, value) in &self.fills {
            let Value::Computed(e) = value else { continue };
            if find(batch.schema_ref(), field.name()).is_none() {
                made.push((field.clone(), e.evaluate(&typed).map_err(|e| e.with("column", field.name()))?));
            }
        }
        with(batch, made)
    }
}

fn numbers_given(column: &str, values: &ArrayRef, first_row: u64) -> Error {
    let error = Error::new(Code::CONSTRAINT, "the table itself gives the values of the column, but the rows bring some")
        .with("column", column)
        .help("leave the column out");
    match rows_named((0..values.len()).filter(|row| values.is_valid(*row)), first_row) {
        Some(rows) => error.with("rows", rows),
        None => error,
    }
}

/// The column of exactly this name, else the one that differs only in case.
fn find(schema: &Schema, name: &str) -> Option<usize> {
    super::stages::position(schema.fields(), name)
}

/// So many rows without columns.
fn rows_of(rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options)?)
}

fn with(batch: RecordBatch, made: Vec<(ArrowField, ArrayRef)>) -> Result<RecordBatch> {
    if made.is_empty() {
        return Ok(batch);
    }
    let rows = batch.num_rows();
    let mut fields: Vec<_> = batch.schema_ref().fields().iter().cloned().collect();
    let mut columns = batch.columns().to_vec();
    for (field, column) in made {
        // The value's own type: what an expression gives differs from the stored one in the names of inner fields only.
        fields.push(Arc::new(field.with_data_type(column.data_type().clone())));
        columns.push(column);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?)
}

#[cfg(test)]
#[path = "fills_tests.rs"]
mod tests;
