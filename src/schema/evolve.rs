//! Which rows fit a table, and how a table grows to fit rows. Kind: pure. Spec: SCH.
//!
//! Invariant: growing keeps every field that was there, with its place, type, nullability and metadata.

use super::{DataType, Field, Struct, widens_by_itself};
use crate::error::{Code, Error, Result};

/// Whether rows of the schema `rows` can be written into a table without losing a value. Columns match by name without regard to
/// case; nullable columns may be missing.
/// `LB-SCHEMA` names every column that does not fit, `LB-CONSTRAINT` a missing column that is NOT NULL.
pub(crate) fn check_fits(table: &Struct, rows: &Struct) -> Result<()> {
    check_fits_without(table, rows, &[])
}

/// `check_fits` of rows that may lack the columns `made`, which the writer makes.
pub(crate) fn check_fits_without(table: &Struct, rows: &Struct, made: &[String]) -> Result<()> {
    let mut difference = Difference { problems: Vec::new(), extra: false, missing: Vec::new() };
    difference.fields(table, rows, "");
    difference.missing.retain(|column| !made.contains(column));
    difference.into_result()
}

/// Whether a table may take up wider types of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Widening {
    Off,
    On,
}

/// The table's schema with the columns that it lacks appended at the end of their struct, nullable and without metadata. A void
/// column takes the type of the rows, and with widening on a column of numbers a wider one. `LB-SCHEMA` when a type does not fit.
pub(crate) fn merge(table: &Struct, rows: &Struct, widening: Widening) -> Result<Struct> {
    merge_without(table, rows, &[], widening)
}

/// `merge` with rows that may lack the columns `made`, which the writer makes.
pub(crate) fn merge_without(table: &Struct, rows: &Struct, made: &[String], widening: Widening) -> Result<Struct> {
    let merged = merge_fields(table, rows, widening);
    check_fits_without(&merged, rows, made)?;
    Ok(merged)
}

/// The same without a look at whether the types of columns that are there fit.
pub(crate) fn grown(table: &Struct, rows: &Struct, widening: Widening) -> Struct {
    merge_fields(table, rows, widening)
}

fn merge_fields(table: &Struct, rows: &Struct, widening: Widening) -> Struct {
    let mut out = table.clone();
    for row in &rows.fields {
        match out.index_of(&row.name) {
            Some(i) => out.fields[i].data_type = merge_types(&out.fields[i].data_type, &row.data_type, widening),
            None => out.fields.push(Field::new(&row.name, nullable_within(&row.data_type), true)),
        }
    }
    out
}

fn merge_types(table: &DataType, rows: &DataType, widening: Widening) -> DataType {
    match (table, rows) {
        (DataType::Void, other) => nullable_within(other),
        (DataType::Struct(t), DataType::Struct(r)) => DataType::Struct(merge_fields(t, r, widening)),
        (DataType::Array { element: t, contains_null }, DataType::Array { element: r, .. }) => {
            DataType::Array { element: Box::new(merge_types(t, r, widening)), contains_null: *contains_null }
        }
        (DataType::Map { key: tk, value: tv, value_contains_null }, DataType::Map { key: rk, value: rv, .. }) => DataType::Map {
            key: Box::new(merge_types(tk, rk, widening)),
            value: Box::new(merge_types(tv, rv, widening)),
            value_contains_null: *value_contains_null,
        },
        (t, r) if widening == Widening::On && widens_by_itself(t, r) => r.clone(),
        _ => table.clone(),
    }
}

/// The same type with everything inside nullable, as columns that rows bring along become.
pub(crate) fn nullable_within(t: &DataType) -> DataType {
    match t {
        DataType::Struct(s) => DataType::Struct(nullable(s)),
        DataType::Array { element, .. } => DataType::Array { element: Box::new(nullable_within(element)), contains_null: true },
        DataType::Map { key, value, .. } => {
            DataType::Map { key: Box::new(nullable_within(key)), value: Box::new(nullable_within(value)), value_contains_null: true }
        }
        other => other.clone(),
    }
}

/// The same schema with every field nullable.
pub(crate) fn nullable(s: &Struct) -> Struct {
    let field = |f: &Field| Field { data_type: nullable_within(&f.data_type), nullable: true, ..f.clone() };
    Struct { fields: s.fields.iter().map(field).collect() }
}

struct Difference {
    /// What does not fit, with the column it concerns.
    problems: Vec<(String, String)>,
    /// Whether merging would settle a problem.
    extra: bool,
    missing: Vec<String>,
}

impl Difference {
    fn fields(&mut self, table: &Struct, rows: &Struct, prefix: &str) {
        for (i, row) in rows.fields.iter().enumerate() {
            let path = format!("{prefix}{}", row.name);
            if rows.fields[..i].iter().any(|f| f.name.to_lowercase() == row.name.to_lowercase()) {
                self.problems.push((path.clone(), "comes twice in the rows (letter case does not count)".to_owned()));
            }
            match table.field(&row.name) {
                Some(field) => self.types(&field.data_type, &row.data_type, &path),
                // A column of nulls carries nothing that could be lost.
                None if row.data_type == DataType::Void => {}
                None => {
                    self.extra = true;
                    self.problems.push((path, format!("the table has no such column ({} in the rows)", row.data_type)));
                }
            }
        }
        for field in table.fields.iter().filter(|f| !f.nullable && rows.field(&f.name).is_none()) {
            self.missing.push(format!("{prefix}{}", field.name));
        }
    }
    fn types(&mut self, table: &DataType, rows: &DataType, path: &str) {
        match (table, rows) {
            (DataType::Struct(t), DataType::Struct(r)) => self.fields(t, r, &format!("{path}.")),
            (DataType::Array { element: t, .. }, DataType::Array { element: r, .. }) => self.types(t, r, &format!("{path}.element")),
            (DataType::Map { key: tk, value: tv, .. }, DataType::Map { key: rk, value: rv, .. }) => {
                self.types(tk, rk, &format!("{path}.key"));
                self.types(tv, rv, &format!("{path}.value"));
            }
            (t, r) if fits(t, r) => {}
            (t, r) => self.problems.push((path.to_owned(), format!("the table has {t}, the rows have {r}"))),
        }
    }
    fn into_result(self) -> Result<()> {
        if !self.problems.is_empty() {
            let lines: Vec<String> = self.problems.iter().map(|(path, text)| format!("column {path:?}: {text}")).collect();
            let columns: Vec<&str> = self.problems.iter().map(|(path, _)| path.as_str()).collect();
            let error = Error::new(Code::SCHEMA, format!("the rows do not fit the table: {}", lines.join("; ")));
            return Err(error.with("columns", columns.join(", ")).help(if self.extra {
                "leave out the columns that the table lacks, or add them with merge-schema"
            } else {
                "cast these columns to the table's types before writing"
            }));
        }
        if self.missing.is_empty() {
            return Ok(());
        }
        Err(Error::new(Code::CONSTRAINT, format!("the rows lack columns that are NOT NULL: {}", self.missing.join(", ")))
            .with("columns", self.missing.join(", "))
            .help("give every row a value for these columns"))
    }
}

/// Whether every value of `rows` is a value of `table`.
fn fits(table: &DataType, rows: &DataType) -> bool {
    use DataType::*;
    match (table, rows) {
        (_, Void) => true,
        (Void, _) => false,
        (t, r) if t == r => true,
        (Long, Integer | Short | Byte) | (Integer, Short | Byte) | (Short, Byte) => true,
        (Double, Float | Integer | Short | Byte) | (Float, Short | Byte) => true,
        (Decimal { precision, scale }, r) => match r {
            Decimal { precision: p, scale: s } => s <= scale && p - s <= precision - scale,
            Byte => precision - scale >= 3,
            Short => precision - scale >= 5,
            Integer => precision - scale >= 10,
            Long => precision - scale >= 19,
            _ => false,
        },
        (TimestampNtz, Date) => true,
        _ => false,
    }
}

#[cfg(test)]
#[path = "evolve_tests.rs"]
mod tests;
