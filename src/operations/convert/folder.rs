//! Which files of a folder belong to a table, and what their folders say. Kind: pure. Spec: CVT.

use crate::data::write::log_path;
use crate::error::{Code, Error, Result};
use crate::log::{Add, NullableMap};
use crate::schema::{Scalar, Struct};
use percent_encoding::percent_decode_str;

/// How a folder is named that stands for null.
const NULL_FOLDER: &str = "__HIVE_DEFAULT_PARTITION__";

/// A file that is to be in the table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    /// As the log will name it.
    pub path: String,
    pub size: u64,
    modified: i64,
    partition_values: NullableMap,
}

impl Found {
    pub(super) fn new(path: String, size: u64, modified: i64, partition_values: NullableMap) -> Found {
        Found { path, size, modified, partition_values }
    }
    /// The action that adds it.
    pub(super) fn add(self, stats: Option<String>) -> Add {
        Add {
            path: self.path,
            partition_values: self.partition_values,
            size: i64::try_from(self.size).unwrap_or(i64::MAX),
            modification_time: self.modified,
            data_change: true,
            stats,
            tags: None,
            deletion_vector: None,
            base_row_id: None,
            default_row_commit_version: None,
            clustering_provider: None,
        }
    }
}

/// The file of this name; `None` when it is hidden: a part of its path begins with `_` or `.` and is no partition folder. `LB-SCHEMA` for
/// folders that are not those of the partition columns, or hold what is no value of theirs.
pub(super) fn found(name: &str, size: u64, modified: i64, partitions: &Struct) -> Result<Option<Found>> {
    let mut parts: Vec<&str> = name.split('/').collect();
    let Some(file) = parts.pop() else { return Ok(None) };
    let is_column = |part: &str| {
        let named = part.split_once('=').map(|(column, _)| unescaped(column).to_lowercase());
        named.is_some_and(|named| partitions.fields.iter().any(|field| field.name.to_lowercase() == named))
    };
    let is_hidden = |part: &str| part.starts_with(['_', '.']) && !is_column(part);
    if is_hidden(file) || parts.iter().any(|part| is_hidden(part)) {
        return Ok(None);
    }
    let folders: Vec<(String, String)> =
        parts.iter().filter_map(|part| part.split_once('=')).map(|(column, value)| (unescaped(column), unescaped(value))).collect();
    let refused = |what: String| Error::new(Code::SCHEMA, what).with("path", name);
    if folders.len() != parts.len() && !partitions.fields.is_empty() || folders.len() != partitions.fields.len() {
        let (names, help) = (
            folders.iter().map(|(column, _)| column.as_str()).collect::<Vec<_>>().join(", "),
            "name the partition columns with their types, in the order of the folders: --partition-schema 'day DATE, kind STRING'",
        );
        let wanted = partitions.fields.len();
        return Err(refused(format!("the folders of a file name {} partition columns, {wanted} were given", folders.len()))
            .with("columns", names)
            .help(help));
    }
    let mut partition_values = NullableMap::new();
    for ((column, text), field) in folders.iter().zip(&partitions.fields) {
        if column.to_lowercase() != field.name.to_lowercase() {
            return Err(refused(format!("a folder names the partition column {column}, not {}", field.name)));
        }
        let text = Some(text.as_str()).filter(|text| !text.is_empty() && *text != NULL_FOLDER);
        let value = Scalar::from_partition_text(text, &field.data_type).and_then(|value| value.to_partition_text());
        let value = value.map_err(|e| {
            refused(format!("a folder holds no value of the type {}", field.data_type)).with("column", &field.name).caused_by(e)
        })?;
        if value.is_none() && !field.nullable {
            return Err(Error::new(Code::CONSTRAINT, "a partition without a value, in a column that forbids null")
                .with("column", &field.name)
                .with("path", name));
        }
        partition_values.insert(field.name.clone(), value);
    }
    Ok(Some(Found::new(log_path(name), size, modified, partition_values)))
}

/// A name or value of a folder without Hive's escapes.
fn unescaped(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
