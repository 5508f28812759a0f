//! New values for columns and for fields inside them. Kind: pure. Spec: ROW.
//!
//! Invariant: every value is computed from the row as it was; columns that the table computes from a changed one are left out, so that
//! the writer computes them anew.

use crate::env::Timestamp;
use crate::error::{Code, Error, Result};
use crate::expr::{BoundExpr, Expr, col};
use crate::features::TableState;
use crate::schema::{DataType, Field, Struct};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, StructArray, new_null_array};
use arrow::compute::nullif;
use arrow::datatypes::{DataType as ArrowType, Field as ArrowField, FieldRef, Fields, Schema};
use std::sync::Arc;

/// What is assigned, bound to a table.
pub(super) struct Assignments {
    /// By column of the table.
    columns: Vec<Value>,
}

enum Value {
    Keep,
    /// The writer computes it.
    LeftOut,
    Of(BoundExpr),
    /// The struct with other values in some of its fields, by field.
    Within(Vec<Value>),
}

impl Assignments {
    /// Binds assignments to paths; `now` is the time of the whole update, DEFAULT the column's default. `LB-EXPR` names a column that does not exist, is assigned twice, or whose type does not take the
    /// value; `LB-INPUT` when nothing is assigned; `LB-CONSTRAINT` for a column whose numbers the table gives.
    pub(super) fn new(state: &TableState, sets: &[(String, Expr)], now: Timestamp) -> Result<Assignments> {
        let schema = state.schema();
        if sets.is_empty() {
            return Err(Error::new(Code::INPUT, "an update gives no column a value"));
        }
        let mut columns: Vec<Value> = schema.fields.iter().map(|_| Value::Keep).collect();
        for (name, value) in sets {
            let named = |e: Error| e.with("column", name);
            let path = col(name).into_path().ok_or_else(|| named(Error::new(Code::EXPR, format!("`{name}` is no column"))))?;
            let default = if value.is_default() && schema.index_of("default").is_none() { Some(state.default_value(&path)?) } else { None };
            let value = |field: &Field| stored(default.as_ref().unwrap_or(value), field, schema, now);
            assign(&mut columns, schema, &path, &value).map_err(named)?;
        }
        let is_set = |i: usize| !matches!(columns[i], Value::Keep);
        let set: Vec<&str> = (0..columns.len()).filter(|i| is_set(*i)).map(|i| schema.fields[i].name.as_str()).collect();
        let plan = state.write_plan()?;
        set.iter().try_for_each(|column| plan.check_given(column, false))?;
        let computed = plan.depending_on(&set, schema)?;
        for (field, value) in schema.fields.iter().zip(&mut columns) {
            if matches!(value, Value::Keep) && computed.contains(&field.name) {
                *value = Value::LeftOut;
            }
        }
        Ok(Assignments { columns })
    }
    /// The new versions of rows whose first columns are those of the table; whatever follows comes along.
    pub(super) fn apply(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let mut fields: Vec<FieldRef> = Vec::with_capacity(rows.num_columns());
        let mut arrays = Vec::with_capacity(rows.num_columns());
        for (i, (field, array)) in rows.schema_ref().fields().iter().zip(rows.columns()).enumerate() {
            let array = match self.columns.get(i).unwrap_or(&Value::Keep) {
                Value::LeftOut => continue,
                value => value.apply(array, rows).map_err(|e| e.with("column", field.name()))?,
            };
            fields.push(Arc::new(field.as_ref().clone().with_data_type(array.data_type().clone())));
            arrays.push(array);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)?)
    }
}

/// Puts a value at a path below these fields.
fn assign(values: &mut [Value], fields: &Struct, path: &[String], value: &dyn Fn(&Field) -> Result<BoundExpr>) -> Result<()> {
    let Some((first, rest)) = path.split_first() else { return Err(Error::new(Code::EXPR, "a column has no name")) };
    let at = fields.index_of(first).ok_or_else(|| {
        let known: Vec<&str> = fields.fields.iter().map(|f| f.name.as_str()).collect();
        Error::new(Code::EXPR, format!("there is no column `{first}`")).help(format!("there are: {}", known.join(", ")))
    })?;
    let field = &fields.fields[at];
    let twice = || Error::new(Code::EXPR, "the column, or a part of it, is assigned twice");
    if rest.is_empty() {
        if !matches!(values[at], Value::Keep) {
            return Err(twice());
        }
        values[at] = Value::Of(value(field)?);
        return Ok(());
    }
    let DataType::Struct(inner) = &field.data_type else {
        return Err(Error::new(Code::EXPR, format!("`{first}` is a {} and has no fields to assign to", field.data_type)));
    };
    if matches!(values[at], Value::Keep) {
        values[at] = Value::Within(inner.fields.iter().map(|_| Value::Keep).collect());
    }
    match &mut values[at] {
        Value::Within(values) => assign(values, inner, rest, value),
        _ => Err(twice()),
    }
}

/// A value in the type of the field that stores it, converted as by CAST. Of nested types the writer takes the fields over by name.
fn stored(value: &Expr, field: &Field, table: &Struct, now: Timestamp) -> Result<BoundExpr> {
    let bound = value.bind_at(table, now)?;
    let (to, from) = (&field.data_type, bound.data_type());
    if to == from || *from == DataType::Void || is_nested(to) && is_nested(from) {
        return Ok(bound);
    }
    value.cast(to).bind_at(table, now)
}

fn is_nested(t: &DataType) -> bool {
    matches!(t, DataType::Struct(_) | DataType::Array { .. } | DataType::Map { .. } | DataType::Variant)
}

impl Value {
    fn apply(&self, old: &ArrayRef, rows: &RecordBatch) -> Result<ArrayRef> {
        match self {
            Value::Keep | Value::LeftOut => Ok(Arc::clone(old)),
            Value::Of(value) => value.evaluate(rows),
            Value::Within(values) => within(values, old, rows),
        }
    }
}

/// A struct with other values in some fields. Where there was no struct there is one now, whose other fields are null.
fn within(values: &[Value], old: &ArrayRef, rows: &RecordBatch) -> Result<ArrayRef> {
    let lost = || Error::new(Code::INTERNAL, "a struct was read as something else");
    let old = old.as_struct_opt().filter(|s| s.num_columns() == values.len()).ok_or_else(lost)?;
    let absent = old.nulls().map(|nulls| BooleanArray::new(!nulls.inner(), None));
    let mut fields: Vec<FieldRef> = Vec::with_capacity(values.len());
    let mut arrays = Vec::with_capacity(values.len());
    for ((field, array), value) in old.fields().iter().zip(old.columns()).zip(values) {
        let array = match &absent {
            Some(absent) => hidden_where(array, absent)?,
            None => Arc::clone(array),
        };
        let array = value.apply(&array, rows).map_err(|e| e.with("field", field.name()))?;
        fields.push(Arc::new(ArrowField::new(field.name(), array.data_type().clone(), true).with_metadata(field.metadata().clone())));
        arrays.push(array);
    }
    Ok(Arc::new(StructArray::try_new_with_length(Fields::from(fields), arrays, None, rows.num_rows())?))
}

/// The array, null where `absent`.
fn hidden_where(array: &ArrayRef, absent: &BooleanArray) -> Result<ArrayRef> {
    match array.data_type() {
        ArrowType::Null => Ok(new_null_array(&ArrowType::Null, array.len())),
        _ => Ok(nullif(array, absent)?),
    }
}
