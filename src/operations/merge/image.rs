//! The rows that a clause makes: assignments bound to the table's columns. Kind: pure. Spec: MRG.
//!
//! Invariant: an image has the columns that the clause decides or keeps and no other; what it leaves out (columns that are not
//! named, generated ones) is for the writer to fill.

use crate::env::Timestamp;
use crate::error::{Code, Error, Result};
use crate::expr::{Assignments, BoundExpr, Expr, Sides, Sight};
use crate::features::{TableState, WritePlan};
use crate::schema::metadata_key::GENERATION_EXPRESSION;
use crate::schema::{DataType, Field, FieldPath, Struct};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StructArray, new_null_array};
use arrow::buffer::NullBuffer;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType as ArrowType, Field as ArrowField, Schema};
use std::sync::Arc;

/// How to make rows of the table out of joint rows.
#[derive(Debug)]
pub(super) struct Image {
    columns: Vec<(Field, Value)>,
    /// Columns that come along as they are: which row it is.
    carried: Vec<String>,
}

/// Where the value of a column comes from.
#[derive(Debug)]
enum Value {
    /// From the target row.
    Keep,
    /// In the type of the column already, or fit for the writer to convert.
    Of(BoundExpr),
    /// A struct, taken over field by field; with `keep`, fields that it lacks stay those of the target row.
    Over { value: BoundExpr, keep: bool },
    /// The target row's struct with other values in some fields.
    Within(Vec<(String, Value)>),
}

/// What binding images needs to know.
pub(super) struct Binding<'a> {
    pub sides: &'a Sides,
    pub joint: &'a Struct,
    /// The table as it will be.
    pub state: &'a TableState,
    pub writes: &'a WritePlan,
    /// Whether the table's schema follows the source's.
    pub evolves: bool,
    /// Hidden columns that rows which stay in the table carry along.
    pub carried: &'a [String],
    /// The time of the whole merge.
    pub now: Timestamp,
}

impl Binding<'_> {
    /// The new version of a target row.
    pub fn update(&self, assignments: &Assignments, sight: Sight) -> Result<Image> {
        let mut columns = Vec::new();
        let mut left = self.assigned(assignments, sight)?;
        for field in &self.state.schema().fields {
            let was_there = self.sides.target.schema.index_of(&field.name).is_some();
            let keep = matches!(assignments, Assignments::All);
            match take_under(&mut left, &field.name) {
                own if !own.is_empty() => {
                    self.writes.check_given(&field.name, false)?;
                    columns.push((field.clone(), self.value(field, own, keep)?));
                }
                // Computed anew from the other columns.
                _ if field.metadata.contains_key(GENERATION_EXPRESSION) => {}
                _ if was_there => columns.push((field.clone(), Value::Keep)),
                _ => {}
            }
        }
        self.nothing_left(&left)?;
        Ok(Image { columns, carried: self.carried.to_vec() })
    }
    /// A new row.
    pub fn insert(&self, assignments: &Assignments) -> Result<Image> {
        let mut columns = Vec::new();
        let mut left = self.assigned(assignments, Sight::Source)?;
        if let Some((path, _)) = left.iter().find(|(path, _)| path.len() > 1) {
            return Err(Error::new(Code::EXPR, "INSERT gives values to whole columns").with("column", path.join(".")));
        }
        for field in &self.state.schema().fields {
            let own = take_under(&mut left, &field.name);
            if !own.is_empty() {
                self.writes.check_given(&field.name, true)?;
                columns.push((field.clone(), self.value(field, own, false)?));
            }
        }
        self.nothing_left(&left)?;
        Ok(Image { columns, carried: Vec::new() })
    }

    /// Paths with the resolved expressions that they get.
    fn assigned(&self, assignments: &Assignments, sight: Sight) -> Result<Vec<(FieldPath, Expr)>> {
        match assignments {
            Assignments::List(list) => list
                .iter()
                .filter_map(|(path, value)| {
                    let path = self.sides.assigned(path);
                    let value = match self.is_default(value) {
                        // What a new row lacks the writer fills.
                        true if sight == Sight::Source => return None,
                        true => self.state.default_value(&path),
                        false => self.sides.resolve(value, sight),
                    };
                    Some(value.map(|value| (path, value)))
                })
                .collect(),
            Assignments::All => {
                let source = &self.sides.source.schema;
                let mut out = Vec::new();
                let mut missing = Vec::new();
                for field in &self.state.schema().fields {
                    match source.field(&field.name) {
                        Some(found) => out.push((vec![field.name.clone()], self.sides.source_value(&found.name))),
                        None if self.evolves => {}
                        None => missing.push(field.name.as_str()),
                    }
                }
                if missing.is_empty() {
                    return Ok(out);
                }
                Err(Error::new(
                    Code::SCHEMA,
                    format!("the source lacks columns of the table, so `*` does not say what they get: {}", missing.join(", ")),
                )
                .with("columns", missing.join(", "))
                .help("name the columns (SET a = s.a, INSERT (a) VALUES (s.a)), or merge with schema evolution"))
            }
        }
    }
    /// DEFAULT, unless a column of either side is called so.
    fn is_default(&self, value: &Expr) -> bool {
        let is_column = |schema: &Struct| schema.index_of("default").is_some();
        value.is_default() && !is_column(&self.sides.target.schema) && !is_column(&self.sides.source.schema)
    }
    fn nothing_left(&self, left: &[(FieldPath, Expr)]) -> Result<()> {
        let Some((path, _)) = left.first() else { return Ok(()) };
        let names: Vec<&str> = self.state.schema().fields.iter().map(|f| f.name.as_str()).collect();
        Err(Error::new(Code::EXPR, format!("the table has no column `{}`", path.join(".")))
            .with("column", path.join("."))
            .help(format!("it has {}", names.join(", "))))
    }

    /// The value of a field from the assignments to it and to what is in it; `keep`: a struct's missing fields stay.
    fn value(&self, field: &Field, own: Vec<(FieldPath, Expr)>, keep: bool) -> Result<Value> {
        let named = |e: Error| e.with("column", &field.name);
        if own.iter().any(|(path, _)| path.is_empty()) {
            let mut own = own.into_iter();
            let (Some((_, value)), None) = (own.next(), own.next()) else {
                return Err(named(Error::new(Code::EXPR, "a column is assigned twice")));
            };
            return self.whole(field, &value, keep).map_err(named);
        }
        let DataType::Struct(inner) = &field.data_type else {
            return Err(named(Error::new(Code::EXPR, format!("it is a {} and has no fields to assign to", field.data_type))));
        };
        let mut left = own;
        let mut values = Vec::new();
        for child in &inner.fields {
            let own = take_under(&mut left, &child.name);
            if !own.is_empty() {
                values.push((child.name.clone(), self.value(child, own, keep)?));
            }
        }
        match left.first() {
            Some((path, _)) => Err(named(Error::new(Code::EXPR, format!("it has no field `{}`", path.join("."))))),
            None => Ok(Value::Within(values)),
        }
    }

    fn whole(&self, field: &Field, value: &Expr, keep: bool) -> Result<Value> {
        let bound = value.bind_at(self.joint, self.now)?;
        match (&field.data_type, bound.data_type()) {
            (DataType::Struct(to), DataType::Struct(from)) => {
                if !self.evolves {
                    same_fields(to, from, &field.name)?;
                }
                Ok(Value::Over { value: bound, keep })
            }
            (to, from) if from == to || *from == DataType::Void || !is_plain(to) || !is_plain(from) => Ok(Value::Of(bound)),
            (to, _) => Ok(Value::Of(value.cast(to).bind_at(self.joint, self.now)?)),
        }
    }
}

/// Takes those out of `left` that begin with `name`, without it.
fn take_under(left: &mut Vec<(FieldPath, Expr)>, name: &str) -> Vec<(FieldPath, Expr)> {
    let is_here = |path: &FieldPath| path.first().is_some_and(|first| first.to_lowercase() == name.to_lowercase());
    let (here, others) = std::mem::take(left).into_iter().partition(|(path, _)| is_here(path));
    *left = others;
    let here: Vec<(FieldPath, Expr)> = here;
    here.into_iter().map(|(path, value)| (path[1..].to_vec(), value)).collect()
}

fn is_plain(t: &DataType) -> bool {
    !matches!(t, DataType::Struct(_) | DataType::Array { .. } | DataType::Map { .. } | DataType::Variant | DataType::Unknown(_))
}

/// Refuses a struct that lacks fields or has others.
fn same_fields(to: &Struct, from: &Struct, path: &str) -> Result<()> {
    let lacking = to.fields.iter().find(|f| from.field(&f.name).is_none());
    if let Some(other) = lacking.or_else(|| from.fields.iter().find(|f| to.field(&f.name).is_none())) {
        return Err(Error::new(Code::SCHEMA, format!("the fields of `{path}` and of its new value differ: {}", other.name))
            .help("merge with schema evolution, or assign single fields"));
    }
    for (a, b) in to.fields.iter().filter_map(|f| Some((f, from.field(&f.name)?))) {
        if let (DataType::Struct(x), DataType::Struct(y)) = (&a.data_type, &b.data_type) {
            same_fields(x, y, &format!("{path}.{}", a.name))?;
        }
    }
    Ok(())
}

impl Image {
    /// Adds the joint columns that it reads.
    pub fn read(&self, add: &mut impl FnMut(&str)) {
        fn of(name: &str, value: &Value, add: &mut impl FnMut(&str)) {
            match value {
                Value::Keep => add(name),
                Value::Of(value) => value.columns().iter().for_each(|c| add(c)),
                Value::Over { value, keep } => {
                    value.columns().iter().for_each(|c| add(c));
                    if *keep {
                        add(name);
                    }
                }
                Value::Within(values) => {
                    add(name);
                    values.iter().for_each(|(_, v)| of(name, v, add));
                }
            }
        }
        self.columns.iter().for_each(|(field, value)| of(&field.name, value, add));
        self.carried.iter().for_each(|name| add(name));
    }
    /// The rows. `LB-EXPR` when a value cannot be computed or does not fit its column.
    pub fn of(&self, joint: &RecordBatch) -> Result<RecordBatch> {
        let mut fields = Vec::with_capacity(self.columns.len() + self.carried.len());
        let mut arrays = Vec::with_capacity(fields.capacity());
        for (field, value) in &self.columns {
            let target = joint.column_by_name(&field.name);
            let array = evaluate(value, field, target, joint).map_err(|e| e.with("column", &field.name))?;
            fields.push(ArrowField::new(&field.name, array.data_type().clone(), true).with_metadata(metadata_of(field)?));
            arrays.push(array);
        }
        for name in &self.carried {
            let array = joint.column_by_name(name).ok_or_else(|| lost(name))?;
            fields.push(ArrowField::new(name, array.data_type().clone(), true));
            arrays.push(Arc::clone(array));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(joint.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)?)
    }
}

/// What tells Arrow's readers that a column is a variant.
fn metadata_of(field: &Field) -> Result<std::collections::HashMap<String, String>> {
    if field.data_type == DataType::Variant { Ok(field.to_arrow()?.metadata().clone()) } else { Ok(Default::default()) }
}

fn lost(name: &str) -> Error {
    Error::new(Code::INTERNAL, "a column of the target was not read").with("column", name)
}

fn evaluate(value: &Value, field: &Field, target: Option<&ArrayRef>, joint: &RecordBatch) -> Result<ArrayRef> {
    match value {
        Value::Keep => target.cloned().ok_or_else(|| lost(&field.name)),
        Value::Of(value) => value.evaluate(joint),
        Value::Over { value, keep } => over(&value.evaluate(joint)?, target.filter(|_| *keep), &field.data_type),
        Value::Within(values) => within(values, field, target, joint),
    }
}

/// `value` in the fields of type `to`, by name.
fn over(value: &ArrayRef, keep: Option<&ArrayRef>, to: &DataType) -> Result<ArrayRef> {
    let (DataType::Struct(to), Some(given)) = (to, value.as_struct_opt()) else { return leaf(value, to) };
    let kept = keep.and_then(|k| k.as_struct_opt());
    let rows = value.len();
    let mut fields = Vec::with_capacity(to.fields.len());
    let mut arrays = Vec::with_capacity(to.fields.len());
    let mut keeps = false;
    for field in to.fields.iter().filter(|f| f.data_type != DataType::Void) {
        let array = match (child(given, &field.name), kept.and_then(|k| child(k, &field.name))) {
            (Some(new), old) => over(&new, old.as_ref(), &field.data_type)?,
            (None, Some(old)) => {
                keeps = true;
                old
            }
            (None, None) => new_null_array(&field.data_type.to_arrow()?, rows),
        };
        fields.push(ArrowField::new(&field.name, array.data_type().clone(), true));
        arrays.push(array);
    }
    // Where fields of the target row stay, so does the struct.
    let nulls = match (given.nulls(), kept.filter(|_| keeps).map(|k| k.nulls())) {
        (nulls, None) => nulls.cloned(),
        (None, Some(_)) | (Some(_), Some(None)) => None,
        (Some(a), Some(Some(b))) => Some(NullBuffer::new(a.inner() | b.inner())),
    };
    Ok(Arc::new(StructArray::try_new(fields.into(), arrays, nulls)?))
}

/// A child of a struct, null where the struct is.
fn child(parent: &StructArray, name: &str) -> Option<ArrayRef> {
    let at = parent.fields().iter().position(|f| f.name() == name);
    let at = at.or_else(|| parent.fields().iter().position(|f| f.name().to_lowercase() == name.to_lowercase()))?;
    let array = parent.column(at);
    if parent.null_count() == 0 || *array.data_type() == ArrowType::Null {
        return Some(Arc::clone(array));
    }
    let nulls = NullBuffer::union(parent.nulls(), array.nulls());
    Some(arrow::array::make_array(array.to_data().into_builder().nulls(nulls).build().ok()?))
}

fn leaf(value: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let wanted = if is_plain(to) { to.to_arrow()? } else { value.data_type().clone() };
    if *value.data_type() == wanted {
        return Ok(Arc::clone(value));
    }
    cast_with_options(value, &wanted, &CastOptions { safe: false, ..CastOptions::default() })
        .map_err(|e| Error::new(Code::EXPR, format!("a value does not fit the type {to}: {e}")))
}

fn within(values: &[(String, Value)], field: &Field, target: Option<&ArrayRef>, joint: &RecordBatch) -> Result<ArrayRef> {
    let DataType::Struct(inner) = &field.data_type else { return Err(lost(&field.name)) };
    let target = target.and_then(|t| t.as_struct_opt());
    let mut fields = Vec::with_capacity(inner.fields.len());
    let mut arrays = Vec::with_capacity(inner.fields.len());
    for field in inner.fields.iter().filter(|f| f.data_type != DataType::Void) {
        let old = target.and_then(|t| child(t, &field.name));
        let array = match (values.iter().find(|(name, _)| *name == field.name), old) {
            (Some((_, value)), old) => evaluate(value, field, old.as_ref(), joint)?,
            (None, Some(old)) => old,
            (None, None) => new_null_array(&field.data_type.to_arrow()?, joint.num_rows()),
        };
        fields.push(ArrowField::new(&field.name, array.data_type().clone(), true));
        arrays.push(array);
    }
    Ok(Arc::new(StructArray::try_new(fields.into(), arrays, None)?))
}
