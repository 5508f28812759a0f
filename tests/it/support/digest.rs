//! A digest of rows that engines can agree on: every row as text, sorted, hashed.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::*;
use futures::TryStreamExt;
use lakebed::{Table, variants_as_text};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Encoded rows of many batches.
#[derive(Default)]
pub struct Rows(Vec<String>);

impl Rows {
    /// Encodes the rows of a batch; columns that hold variants count as their JSON text.
    pub fn push(&mut self, batch: &RecordBatch) {
        let batch = variants_as_text(batch).expect("variants have a text");
        for row in 0..batch.num_rows() {
            let mut text = String::from("[");
            for (i, column) in batch.columns().iter().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                encode(column, row, &mut text);
            }
            text.push(']');
            self.0.push(text);
        }
    }
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// The first rows in sorted order, for messages.
    pub fn sample(&mut self, rows: usize) -> &[String] {
        self.0.sort_unstable();
        &self.0[..rows.min(self.0.len())]
    }
    /// SHA-256 over the sorted rows, each followed by a line feed.
    pub fn sha256(&mut self) -> String {
        self.0.sort_unstable();
        hex_sha256(self.0.iter().flat_map(|row| [row.as_bytes(), b"\n"]))
    }
}

/// How many rows, their digest, and a sample of at most 20 in sorted order.
pub fn digest_of(batches: &[RecordBatch]) -> (u64, String, Vec<String>) {
    let mut rows = Rows::default();
    batches.iter().for_each(|batch| rows.push(batch));
    summary(rows)
}

/// The same of all rows of the newest version of a table.
pub async fn digest_of_table(table: &Table) -> (u64, String, Vec<String>) {
    let scan = table.snapshot().await.unwrap().scan().build().unwrap();
    let mut rows = Rows::default();
    let mut batches = scan.stream();
    while let Some(batch) = batches.try_next().await.unwrap() {
        rows.push(&batch);
    }
    summary(rows)
}

fn summary(mut rows: Rows) -> (u64, String, Vec<String>) {
    let sample = rows.sample(20).to_vec();
    (rows.len() as u64, rows.sha256(), sample)
}

/// SHA-256 of these bytes one after the other, in hex.
pub fn hex_sha256<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    parts.into_iter().for_each(|part| hash.update(part));
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn encode(array: &ArrayRef, row: usize, out: &mut String) {
    if array.is_null(row) || *array.data_type() == DataType::Null {
        out.push_str("null");
        return;
    }
    match array.data_type() {
        DataType::Boolean => write!(out, "{}", array.as_boolean().value(row)),
        DataType::Int8 => write!(out, "{}", array.as_primitive::<Int8Type>().value(row)),
        DataType::Int16 => write!(out, "{}", array.as_primitive::<Int16Type>().value(row)),
        DataType::Int32 => write!(out, "{}", array.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => write!(out, "{}", array.as_primitive::<Int64Type>().value(row)),
        DataType::Float32 => {
            let value = array.as_primitive::<Float32Type>().value(row);
            let bits = if value.is_nan() { 0x7fc0_0000 } else { value.to_bits() };
            write!(out, "\"f:{bits:08x}\"")
        }
        DataType::Float64 => {
            let value = array.as_primitive::<Float64Type>().value(row);
            let bits = if value.is_nan() { 0x7ff8_0000_0000_0000 } else { value.to_bits() };
            write!(out, "\"d:{bits:016x}\"")
        }
        DataType::Decimal128(_, scale) => {
            let value = array.as_primitive::<Decimal128Type>().value(row);
            let digits = format!("{:0>width$}", value.unsigned_abs(), width = *scale as usize + 1);
            let (whole, fraction) = digits.split_at(digits.len() - *scale as usize);
            let dot = if fraction.is_empty() { "" } else { "." };
            write!(out, "\"{}{whole}{dot}{fraction}\"", if value < 0 { "-" } else { "" })
        }
        DataType::Utf8 => return quote(array.as_string::<i32>().value(row), out),
        DataType::Binary => {
            out.push_str("\"x:");
            for byte in array.as_binary::<i32>().value(row) {
                write!(out, "{byte:02x}").unwrap();
            }
            write!(out, "\"")
        }
        DataType::Date32 => write!(out, "\"D:{}\"", array.as_primitive::<Date32Type>().value(row)),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
            write!(out, "\"{}:{micros}\"", if zone.is_some() { 'T' } else { 'N' })
        }
        DataType::Struct(_) => {
            out.push('[');
            for (i, child) in array.as_struct().columns().iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                encode(child, row, out);
            }
            write!(out, "]")
        }
        DataType::List(_) => {
            let values = array.as_list::<i32>().value(row);
            out.push('[');
            for i in 0..values.len() {
                if i > 0 {
                    out.push(',');
                }
                encode(&values, i, out);
            }
            write!(out, "]")
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let text = |column: usize, i: usize| {
                let mut text = String::new();
                encode(entries.column(column), i, &mut text);
                text
            };
            let mut pairs: Vec<(String, String)> = (0..entries.len()).map(|i| (text(0, i), text(1, i))).collect();
            pairs.sort();
            let pairs: Vec<String> = pairs.into_iter().map(|(k, v)| format!("{k}:{v}")).collect();
            write!(out, "{{{}}}", pairs.join(","))
        }
        other => panic!("rows of a table have no {other}"),
    }
    .unwrap();
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c < ' ' => write!(out, "\\u{:04x}", c as u32).unwrap(),
            c => out.push(c),
        }
    }
    out.push('"');
}
