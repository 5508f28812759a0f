//! Splitting rows by partition, and where the files of a partition lie. Kind: pure. Spec: PV.
//!
//! Invariant: a path of the log, percent-decoded once, is the object's name under the table root.

use crate::env::Env;
use crate::error::Result;
use crate::log::NullableMap;
use crate::schema::{Field, Scalar};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array};
use arrow::compute::kernels::nullif::nullif;
use arrow::datatypes::DataType as ArrowType;
use arrow::row::{OwnedRow, RowConverter, SortField};
use std::collections::HashMap;
use std::fmt::Write;

const NULL_DIRECTORY: &str = "__HIVE_DEFAULT_PARTITION__";

/// Splits batches into the rows of each partition. One per writer: keys of different batches compare.
pub(super) struct Splitter {
    converter: RowConverter,
}

/// Which rows of a batch belong to one partition; `None`: all of them.
pub(super) struct Share {
    pub(super) key: OwnedRow,
    pub(super) rows: Option<UInt32Array>,
    /// A row of this share, to read the partition values from.
    pub(super) sample: usize,
}

impl Splitter {
    /// For partition columns of these types.
    pub(super) fn new(types: Vec<ArrowType>) -> Result<Splitter> {
        Ok(Splitter { converter: RowConverter::new(types.into_iter().map(SortField::new).collect())? })
    }
    /// The shares of a batch that has these partition columns, in the order of their first rows.
    pub(super) fn split(&mut self, columns: &[ArrayRef]) -> Result<Vec<Share>> {
        let rows = self.converter.convert_columns(columns)?;
        let mut order: HashMap<_, usize> = HashMap::new();
        let mut groups: Vec<Vec<u32>> = Vec::new();
        for row in 0..rows.num_rows() {
            let group = *order.entry(rows.row(row)).or_insert(groups.len());
            if group == groups.len() {
                groups.push(Vec::new());
            }
            groups[group].push(row as u32);
        }
        let whole = groups.len() == 1;
        Ok(groups
            .into_iter()
            .map(|g| {
                let sample = g[0] as usize;
                Share { key: rows.row(sample).owned(), rows: (!whole).then(|| UInt32Array::from(g)), sample }
            })
            .collect())
    }
}

/// Empty text and empty binary become null: a partition value cannot say them apart.
pub(super) fn empty_to_null(column: &ArrayRef) -> Result<ArrayRef> {
    let empty: Vec<bool> = match column.data_type() {
        ArrowType::Utf8 => column.as_string::<i32>().offsets().lengths().map(|n| n == 0).collect(),
        ArrowType::Binary => column.as_binary::<i32>().offsets().lengths().map(|n| n == 0).collect(),
        _ => return Ok(column.clone()),
    };
    if !empty.contains(&true) {
        return Ok(column.clone());
    }
    Ok(nullif(column, &BooleanArray::from(empty))?)
}

/// The `partitionValues` of a row, keyed by physical names.
pub(super) fn values(physical: &[Field], columns: &[ArrayRef], row: usize) -> Result<NullableMap> {
    physical
        .iter()
        .zip(columns)
        .map(|(field, column)| Ok((field.name.clone(), Scalar::from_array(column, row)?.to_partition_text()?)))
        .collect()
}

/// The folder of a partition, `a=1/b=x%3Ay/`, as it is named in the store; empty when the table has no partition columns.
pub(crate) fn directory(names: &[Field], values: &NullableMap) -> String {
    let mut out = String::new();
    for field in names {
        escape(&field.name, &mut out);
        out.push('=');
        match values.get(&field.name) {
            Some(Some(value)) if !value.is_empty() => escape(value, &mut out),
            _ => out.push_str(NULL_DIRECTORY),
        }
        out.push('/');
    }
    out
}

/// A folder of a random name of letters and digits, which spreads files over the keys of a store.
pub(super) fn random_directory(env: &Env, length: usize) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut out: String = (0..length).map(|_| char::from(ALPHABET[(env.random_u64() % ALPHABET.len() as u64) as usize])).collect();
    out.push('/');
    out
}

/// Hive's escape of one name or value of a folder.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        if c < ' ' || "\"#%'*/:=?\\{[]^\u{7f}".contains(c) {
            let _ = write!(out, "%{:02X}", u32::from(c));
        } else {
            out.push(c);
        }
    }
}

/// The path of the log for a name in the store: characters that may not stand in a URI are percent-encoded, letters beyond ASCII
/// stay as they are.
pub(crate) fn log_path(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 8);
    for c in name.chars() {
        if c.is_control() || c.is_whitespace() || "\"%<>[\\]^`{|}#?".contains(c) {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(out, "%{byte:02X}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
#[path = "partition_tests.rs"]
mod tests;
