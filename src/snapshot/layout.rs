//! How well files are laid out for skipping: how many of them a look-up must read, small files, deleted rows. Kind: edge around a pure
//! judgement. Spec: ZOR.
//!
//! Judged by the log alone. The rows of a file are taken to be spread evenly between its least and its greatest value. Invariant: a file
//! whose bounds are unknown, or make no sense, counts as read by every look-up.

use super::stats::{bounds_of, physical_path};
use super::{FileQuery, Snapshot};
use crate::error::Result;
use crate::log::stats::{LeafStats, StatsLeaf, StatsReader, leaves_of};
use crate::schema::FieldPath;
use crate::schema::paths::quoted_path;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The size of files when neither the caller nor the table names one.
const TARGET_BYTES: u64 = 128 << 20;
/// Columns that are judged when nobody names any: as many as have statistics unless the table says otherwise.
const COLUMNS_MAX: usize = 32;
/// Values of a column that stand for its rows, of all files together; at least one of each file.
const VALUES: usize = 20_000;
/// Look-ups that are tried, at equal distances in the rows.
const LOOK_UPS: usize = 100;

/// How files of one version lie.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FileLayout {
    pub files: u64,
    pub bytes: u64,
    /// Files below the size that the table wants.
    pub small_files: u64,
    /// Deleted rows among all that lie in files; `None` when a file does not say how many it has.
    pub deleted_row_share: Option<f64>,
    pub columns: Vec<Skipping>,
}

/// How far files can be skipped by one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Skipping {
    pub column: String,
    /// Files that a look-up of one value reads, on average over the rows: the clustering depth. 1 is perfect.
    pub depth: f64,
    /// Files that a range of values reads that holds one row in a hundred, on average.
    pub files_of_one_percent: f64,
}

impl Snapshot {
    /// How the files of this query lie: by the columns named, else by those that the table is clustered by, else by its first ones with
    /// statistics. Reads the statistics of all these files. `LB-SCHEMA` for a column that is not there. Memory: 16 bytes for each file
    /// and column, texts in their length.
    pub async fn layout(self: &Arc<Self>, query: FileQuery, columns: Option<&[FieldPath]>) -> Result<FileLayout> {
        let state = self.state();
        let columns = match (columns, state.clustering_columns()?) {
            (Some(named), _) => named.iter().map(|path| Ok(state.schema().locate(path)?.path)).collect::<Result<Vec<_>>>()?,
            (None, Some(declared)) if !declared.is_empty() => declared,
            _ => leaves_of(state.schema()).into_iter().map(|(path, _)| path).collect(),
        };
        let mut leaves = Vec::new();
        let mut names = Vec::new();
        for path in columns {
            let Some((physical, data_type)) = physical_path(state, &path) else { continue };
            let leaf = StatsLeaf::new(physical, data_type)?;
            if leaf.has_bounds() && !(path.len() == 1 && state.partition_columns().contains(&path[0])) && leaves.len() < COLUMNS_MAX {
                names.push(quoted_path(&path));
                leaves.push(leaf);
            }
        }
        let reader = StatsReader::new(leaves);
        let mut spans: Vec<Spans> = names.iter().map(|_| Spans::default()).collect();
        let target = state.target_file_size()?.unwrap_or(TARGET_BYTES);
        let mut layout = FileLayout::default();
        let (mut rows, mut deleted) = (Some(0u64), 0u64);
        let mut batches = self.files(query.full());
        while let Some(batch) = batches.try_next().await? {
            for row in 0..batch.len() {
                let bytes = batch.size(row).unsigned_abs();
                layout.files += 1;
                layout.bytes = layout.bytes.saturating_add(bytes);
                layout.small_files += u64::from(bytes < target);
                deleted = deleted.saturating_add(batch.vector(row).map_or(0, |v| v.cardinality.unsigned_abs()));
                rows = rows.zip(batch.num_records(row)).map(|(all, n)| all.saturating_add(n.unsigned_abs()));
            }
            let stats = bounds_of(&reader, batch.rows());
            for (spans, leaf) in spans.iter_mut().zip(&stats.leaves) {
                let records: Vec<Option<i64>> = (0..batch.len()).map(|row| batch.num_records(row)).collect();
                spans.push(leaf, &records)?;
            }
        }
        layout.deleted_row_share = rows.filter(|rows| *rows > 0).map(|rows| deleted as f64 / rows as f64);
        layout.columns = names.into_iter().zip(spans).map(|(column, spans)| spans.judge(column)).collect();
        Ok(layout)
    }
}

/// The bounds of one column in many files.
#[derive(Default)]
struct Spans {
    /// Files without bounds.
    unknown: u64,
    numbers: Vec<(f64, f64)>,
    texts: Vec<(String, String)>,
    /// The rows of each file that has bounds.
    weights: Vec<f64>,
}

impl Spans {
    fn push(&mut self, leaf: &LeafStats, records: &[Option<i64>]) -> Result<()> {
        let Some((min, max)) = &leaf.bounds else { return Ok(()) };
        let texts = *min.data_type() == DataType::Utf8;
        let numbers = if texts { None } else { Some((numbers(min)?, numbers(max)?)) };
        for (row, records) in records.iter().enumerate() {
            if min.is_null(row) || max.is_null(row) {
                // Null everywhere: no value is found here, and the file is skipped.
                let nothing = leaf.nulls.is_valid(row) && Some(leaf.nulls.value(row)) == *records;
                self.unknown += u64::from(!nothing);
                continue;
            }
            match &numbers {
                Some((min, max)) => {
                    let (min, max) = (min.as_primitive::<Float64Type>().value(row), max.as_primitive::<Float64Type>().value(row));
                    // No range: one of them is no number, or the least is above the greatest.
                    if min.partial_cmp(&max).is_none_or(|order| order.is_gt()) {
                        self.unknown += 1;
                        continue;
                    }
                    self.numbers.push((min, max));
                }
                None => {
                    let (min, max) = (min.as_string::<i32>().value(row), max.as_string::<i32>().value(row));
                    if min > max {
                        self.unknown += 1;
                        continue;
                    }
                    self.texts.push((min.to_owned(), max.to_owned()));
                }
            }
            self.weights.push(records.map_or(1.0, |n| n.max(1) as f64));
        }
        Ok(())
    }
    fn judge(self, column: String) -> Skipping {
        let spans = if self.texts.is_empty() { self.numbers } else { places(&self.texts) };
        let (depth, percent) = look_ups(&spans, &self.weights);
        let unknown = self.unknown as f64;
        Skipping { column, depth: rounded(depth + unknown), files_of_one_percent: rounded(percent + unknown) }
    }
}

fn rounded(files: f64) -> f64 {
    (files * 100.0).round() / 100.0
}

/// Values on a line. Only their order and, about, their distances count.
fn numbers(values: &ArrayRef) -> Result<ArrayRef> {
    let plain = match values.data_type() {
        DataType::Date32 => cast(values, &DataType::Int32)?,
        DataType::Timestamp(..) => cast(values, &DataType::Int64)?,
        DataType::Boolean => cast(values, &DataType::UInt8)?,
        _ => Arc::clone(values),
    };
    Ok(cast(&plain, &DataType::Float64)?)
}

/// Texts on a line: the bytes after what all have in common are the digits of a number.
fn places(texts: &[(String, String)]) -> Vec<(f64, f64)> {
    let Some((first, _)) = texts.first() else { return Vec::new() };
    let common = |text: &String| first.bytes().zip(text.bytes()).take_while(|(a, b)| a == b).count();
    let shared = texts.iter().flat_map(|(min, max)| [common(min), common(max)]).min().unwrap_or(0);
    let place = |text: &String| {
        let digits = text.as_bytes()[shared.min(text.len())..].iter().take(6);
        digits.fold((0.0, 1.0), |(place, unit), byte| (place + f64::from(*byte) * unit / 256.0, unit / 256.0)).0
    };
    texts.iter().map(|(min, max)| (place(min), place(max))).collect()
}

/// Files that a look-up reads, and those that a range of one row in a hundred reads.
fn look_ups(spans: &[(f64, f64)], weights: &[f64]) -> (f64, f64) {
    if spans.is_empty() {
        return (0.0, 0.0);
    }
    let of_each = (VALUES / spans.len()).max(1);
    let spread = |((min, max), weight): (&(f64, f64), &f64)| {
        let (min, step, weight) = (*min, (max - min) / of_each as f64, weight / of_each as f64);
        (0..of_each).map(move |i| (min + step * (i as f64 + 0.5), weight))
    };
    let mut values: Vec<(f64, f64)> = spans.iter().zip(weights).flat_map(spread).collect();
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let all: f64 = weights.iter().sum();
    // The value below which lie so many of 200 equal shares of the rows.
    let mut marks = Vec::with_capacity(2 * LOOK_UPS + 1);
    let mut before = 0.0;
    for (value, weight) in &values {
        before += weight;
        while marks.len() <= 2 * LOOK_UPS && before >= all * marks.len() as f64 / (2 * LOOK_UPS) as f64 {
            marks.push(*value);
        }
    }
    let last = values.last().map_or(0.0, |v| v.0);
    marks.resize(2 * LOOK_UPS + 1, last);
    let sorted = |mut bounds: Vec<f64>| {
        bounds.sort_by(f64::total_cmp);
        bounds
    };
    let (mins, maxes) = (sorted(spans.iter().map(|s| s.0).collect()), sorted(spans.iter().map(|s| s.1).collect()));
    let read = |from: f64, to: f64| (mins.partition_point(|min| *min <= to) - maxes.partition_point(|max| *max < from)) as f64;
    let points = (0..LOOK_UPS).map(|i| read(marks[2 * i + 1], marks[2 * i + 1])).sum::<f64>();
    let ranges = (0..LOOK_UPS).map(|i| read(marks[2 * i], marks[2 * i + 2])).sum::<f64>();
    (points / LOOK_UPS as f64, ranges / LOOK_UPS as f64)
}

/// What a range of one row in a hundred would read, on average, of so many files that are laid out by so many columns.
pub(crate) fn expected(files: u64, columns: usize) -> f64 {
    let (files, columns) = (files.max(1) as f64, columns.max(1) as f64);
    // As if each column were cut into so many slices; a range touches a slice and the share of the next that it covers.
    let slices = files.powf(1.0 / columns);
    rounded((files / slices * (1.0 + slices / 100.0)).min(files))
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
