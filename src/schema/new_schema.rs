//! What the schema of a table that is written must fulfil. Kind: pure. Spec: SCH.
//!
//! Only for schemas that are made here: a foreign table is read as it is.

use super::{DataType, Field, Struct};
use crate::error::{Code, Error, Result};
use std::collections::HashSet;

/// Which characters column names may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ColumnNames {
    /// All; files use other names.
    Free,
    /// Not those that Parquet files of old engines cannot carry.
    Plain,
}

const BAD_CHARACTERS: &[char] = &[' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '='];

/// Checks names, types and partitioning; gives the partition columns in the spelling of the schema. `LB-SCHEMA` names the column.
pub(crate) fn check_new_schema(schema: &Struct, partition_columns: &[String], names: ColumnNames) -> Result<Vec<String>> {
    if schema.fields.is_empty() {
        return Err(Error::new(Code::SCHEMA, "a table needs at least one column"));
    }
    check_struct(schema, names, &mut Vec::new())?;
    let mut columns: Vec<String> = Vec::with_capacity(partition_columns.len());
    for name in partition_columns {
        let refused = |what: &str| Err(Error::new(Code::SCHEMA, format!("the partition column {what}")).with("column", name));
        let Some(field) = schema.field(name) else { return refused("is not in the schema") };
        if columns.contains(&field.name) {
            return refused("is named twice");
        }
        match field.data_type {
            DataType::Struct(_) | DataType::Array { .. } | DataType::Map { .. } | DataType::Variant | DataType::Void => {
                return refused(&format!("has the type {}, which has no text form", field.data_type));
            }
            _ => columns.push(field.name.clone()),
        }
    }
    if columns.len() == schema.fields.len() {
        return Err(Error::new(Code::SCHEMA, "at least one column must not be a partition column"));
    }
    Ok(columns)
}

fn check_struct(fields: &Struct, names: ColumnNames, path: &mut Vec<String>) -> Result<()> {
    let mut seen = HashSet::new();
    for field in &fields.fields {
        path.push(field.name.clone());
        check_name(field, names, path)?;
        if !seen.insert(field.name.to_lowercase()) {
            return Err(refused("two columns have this name, apart from upper and lower case", path));
        }
        check_type(&field.data_type, names, path)?;
        path.pop();
    }
    if !fields.fields.is_empty() && fields.fields.iter().all(|field| field.data_type == DataType::Void) {
        return Err(refused("at least one column must have a type other than void", path));
    }
    Ok(())
}

fn check_name(field: &Field, names: ColumnNames, path: &[String]) -> Result<()> {
    if field.name.is_empty() {
        return Err(refused("a column has no name", path));
    }
    if names == ColumnNames::Plain && field.name.contains(BAD_CHARACTERS) {
        return Err(refused("a column name must not contain any of ` ,;{}()=`, a tab or a line break", path)
            .help("rename the column, or map columns by name: set `delta.columnMapping.mode` to `name`"));
    }
    Ok(())
}

fn check_type(data_type: &DataType, names: ColumnNames, path: &mut Vec<String>) -> Result<()> {
    let mut inner = |step: &str, inner: &DataType| {
        path.push(step.to_owned());
        if *inner == DataType::Void {
            return Err(refused("void cannot stand inside an array or a map", path));
        }
        check_type(inner, names, path)?;
        path.pop();
        Ok(())
    };
    match data_type {
        DataType::Struct(fields) => {
            if fields.fields.is_empty() {
                return Err(refused("a struct needs at least one field", path));
            }
            check_struct(fields, names, path)
        }
        DataType::Array { element, .. } => inner("element", element),
        DataType::Map { key, value, .. } => {
            inner("key", key)?;
            inner("value", value)
        }
        DataType::Unknown(_) => Err(refused(&format!("this build does not know the type {data_type}"), path)),
        _ => Ok(()),
    }
}

fn refused(what: &str, path: &[String]) -> Error {
    let error = Error::new(Code::SCHEMA, what);
    if path.is_empty() { error } else { error.with("column", path.join(".")) }
}

#[cfg(test)]
#[path = "new_schema_tests.rs"]
mod tests;
