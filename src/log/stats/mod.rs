//! Statistics of files, from their JSON text or from parsed columns, as Arrow arrays. Kind: pure. Spec: SKIP.
//!
//! Values come out as they were written; what they allow to conclude is decided by the reader of the snapshot. Invariant: absent,
//! malformed and ill-typed statistics are null, never an error and never a guess.

mod partition;
mod render;
mod scan;
mod text;

pub(crate) use partition::{PartitionColumn, partition_column};
pub(crate) use render::stats_text;

use crate::error::Result;
use crate::schema::{DataType, Struct};
use arrow::array::{
    Array, ArrayRef, BooleanArray, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder, Float64Builder, Int8Builder,
    Int16Builder, Int32Builder, Int64Array, Int64Builder, StringBuilder, StringViewArray, StructArray, TimestampMicrosecondBuilder,
    cast::AsArray, new_null_array,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType as ArrowType, Int64Type};
use scan::{Token, Wanted, scan};
use std::sync::Arc;
use text::Bound;

/// A leaf column whose statistics are wanted.
#[derive(Clone, Debug)]
pub(crate) struct StatsLeaf {
    /// Physical names from the top.
    pub path: Vec<String>,
    pub data_type: DataType,
    arrow: ArrowType,
}

impl StatsLeaf {
    pub fn new(path: Vec<String>, data_type: DataType) -> Result<StatsLeaf> {
        let arrow = if has_bounds(&data_type) { data_type.to_arrow()? } else { ArrowType::Null };
        Ok(StatsLeaf { path, data_type, arrow })
    }
    /// Whether such a column has least and greatest values.
    pub fn has_bounds(&self) -> bool {
        has_bounds(&self.data_type)
    }
}

fn has_bounds(data_type: &DataType) -> bool {
    !matches!(
        data_type,
        DataType::Binary
            | DataType::Void
            | DataType::Variant
            | DataType::Struct(_)
            | DataType::Array { .. }
            | DataType::Map { .. }
            | DataType::Unknown(_)
    )
}

/// Every leaf column of a physical schema: arrays and maps count as one.
pub(crate) fn leaves_of(schema: &Struct) -> Vec<(Vec<String>, DataType)> {
    let mut leaves = Vec::new();
    let mut path = Vec::new();
    collect(schema, &mut path, &mut leaves);
    leaves
}

fn collect(schema: &Struct, path: &mut Vec<String>, leaves: &mut Vec<(Vec<String>, DataType)>) {
    for field in &schema.fields {
        path.push(field.name.clone());
        match &field.data_type {
            DataType::Struct(inner) => collect(inner, path, leaves),
            other => leaves.push((path.clone(), other.clone())),
        }
        path.pop();
    }
}

/// Statistics of many files, one row each.
#[derive(Clone, Debug)]
pub(crate) struct FileStats {
    pub records: Int64Array,
    /// Null when the writer said nothing.
    pub tight: BooleanArray,
    /// As many as the reader has leaves.
    pub leaves: Vec<LeafStats>,
}

/// Statistics of one column in many files.
#[derive(Clone, Debug)]
pub(crate) struct LeafStats {
    /// In the Arrow form of the column's type; `None` for types without bounds.
    pub bounds: Option<(ArrayRef, ArrayRef)>,
    pub nulls: Int64Array,
}

/// Reads the statistics of some leaf columns. Make it once for many batches.
#[derive(Clone, Debug)]
pub(crate) struct StatsReader {
    leaves: Vec<StatsLeaf>,
    wanted: Wanted,
}

const RECORDS: usize = 0;
const TIGHT: usize = 1;
const FIRST_LEAF: usize = 2;

impl StatsReader {
    pub fn new(leaves: Vec<StatsLeaf>) -> StatsReader {
        let mut wanted = Wanted::default();
        wanted.add(&["numRecords"], RECORDS);
        wanted.add(&["tightBounds"], TIGHT);
        for (i, leaf) in leaves.iter().enumerate() {
            let path = |top| std::iter::once(top).chain(leaf.path.iter().map(String::as_str)).collect::<Vec<_>>();
            if leaf.has_bounds() {
                wanted.add(&path("minValues"), FIRST_LEAF + 3 * i);
                wanted.add(&path("maxValues"), FIRST_LEAF + 3 * i + 1);
            }
            wanted.add(&path("nullCount"), FIRST_LEAF + 3 * i + 2);
        }
        StatsReader { leaves, wanted }
    }
    pub fn leaves(&self) -> &[StatsLeaf] {
        &self.leaves
    }

    /// From statistics texts.
    pub fn read_json(&self, texts: &StringViewArray) -> FileStats {
        let rows = texts.len();
        let mut records = Int64Builder::with_capacity(rows);
        let mut tight = BooleanBuilder::with_capacity(rows);
        let mut builders: Vec<_> =
            self.leaves.iter().map(|leaf| (Values::new(leaf, rows), Values::new(leaf, rows), Int64Builder::with_capacity(rows))).collect();
        let mut slots = vec![Token::Nothing; FIRST_LEAF + 3 * self.leaves.len()];
        for row in 0..rows {
            slots.fill(Token::Nothing);
            if texts.is_valid(row) && !scan(texts.value(row).as_bytes(), &self.wanted, &mut slots) {
                slots.fill(Token::Nothing);
            }
            records.append_option(plain(slots[RECORDS]).and_then(text::integer).filter(|n| *n >= 0));
            tight.append_option(plain(slots[TIGHT]).and_then(text::boolean));
            for ((min, max, nulls), slots) in builders.iter_mut().zip(slots[FIRST_LEAF..].chunks(3)) {
                min.push(slots[0], Bound::Min);
                max.push(slots[1], Bound::Max);
                nulls.append_option(plain(slots[2]).and_then(text::integer).filter(|n| *n >= 0));
            }
        }
        let leaves = self.leaves.iter().zip(&mut builders).map(|(leaf, (min, max, nulls))| LeafStats {
            bounds: leaf.has_bounds().then(|| (min.finish(leaf, rows), max.finish(leaf, rows))),
            nulls: nulls.finish(),
        });
        FileStats { leaves: leaves.collect(), records: records.finish(), tight: tight.finish() }
    }

    /// From a `stats_parsed` column, whose types may be narrower than today's.
    pub fn read_parsed(&self, parsed: &StructArray) -> FileStats {
        let rows = parsed.len();
        let long = |path: &[&str]| typed(find(parsed, path), &ArrowType::Int64, rows).as_primitive::<Int64Type>().clone();
        let leaves = self.leaves.iter().map(|leaf| {
            let path = |top| std::iter::once(top).chain(leaf.path.iter().map(String::as_str)).collect::<Vec<_>>();
            let bound = |top| typed(find(parsed, &path(top)), &leaf.arrow, rows);
            LeafStats { bounds: leaf.has_bounds().then(|| (bound("minValues"), bound("maxValues"))), nulls: long(&path("nullCount")) }
        });
        FileStats {
            leaves: leaves.collect(),
            records: long(&["numRecords"]),
            tight: typed(find(parsed, &["tightBounds"]), &ArrowType::Boolean, rows).as_boolean().clone(),
        }
    }

    /// Nothing is known of any file.
    pub fn unknown(&self, rows: usize) -> FileStats {
        self.read_json(&StringViewArray::new_null(rows))
    }
}

fn find<'a>(parsed: &'a StructArray, path: &[&str]) -> Option<&'a ArrayRef> {
    let (name, rest) = path.split_first()?;
    let lower = name.to_lowercase();
    let at = parsed.fields().iter().position(|f| f.name() == name);
    let child = parsed.column(at.or_else(|| parsed.fields().iter().position(|f| f.name().to_lowercase() == lower))?);
    if rest.is_empty() { Some(child) } else { find(child.as_struct_opt()?, rest) }
}

/// In the wanted type; what does not convert is null.
fn typed(array: Option<&ArrayRef>, wanted: &ArrowType, rows: usize) -> ArrayRef {
    let Some(array) = array else { return new_null_array(wanted, rows) };
    if array.data_type() == wanted {
        return Arc::clone(array);
    }
    let safe = CastOptions { safe: true, ..CastOptions::default() };
    // A time without a zone in the file is the same instant in UTC.
    cast_with_options(array, wanted, &safe).unwrap_or_else(|_| new_null_array(wanted, rows))
}

/// The text of a value that has no escapes.
fn plain(token: Token<'_>) -> Option<&[u8]> {
    match token {
        Token::Bare(raw) | Token::Text { raw, escaped: false } => Some(raw),
        _ => None,
    }
}

enum Values {
    Long(Int64Builder),
    Integer(Int32Builder),
    Short(Int16Builder),
    Byte(Int8Builder),
    Float(Float32Builder),
    Double(Float64Builder),
    Decimal(Decimal128Builder, u8),
    Text(StringBuilder),
    Boolean(BooleanBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
    Unbounded,
}

impl Values {
    fn new(leaf: &StatsLeaf, rows: usize) -> Values {
        match &leaf.data_type {
            DataType::Long => Values::Long(Int64Builder::with_capacity(rows)),
            DataType::Integer => Values::Integer(Int32Builder::with_capacity(rows)),
            DataType::Short => Values::Short(Int16Builder::with_capacity(rows)),
            DataType::Byte => Values::Byte(Int8Builder::with_capacity(rows)),
            DataType::Float => Values::Float(Float32Builder::with_capacity(rows)),
            DataType::Double => Values::Double(Float64Builder::with_capacity(rows)),
            DataType::Decimal { scale, .. } => {
                Values::Decimal(Decimal128Builder::with_capacity(rows).with_data_type(leaf.arrow.clone()), *scale)
            }
            DataType::String => Values::Text(StringBuilder::with_capacity(rows, rows * 16)),
            DataType::Boolean => Values::Boolean(BooleanBuilder::with_capacity(rows)),
            DataType::Date => Values::Date(Date32Builder::with_capacity(rows)),
            DataType::Timestamp | DataType::TimestampNtz => {
                Values::Timestamp(TimestampMicrosecondBuilder::with_capacity(rows).with_data_type(leaf.arrow.clone()))
            }
            _ => Values::Unbounded,
        }
    }
    fn push(&mut self, token: Token<'_>, bound: Bound) {
        let raw = plain(token);
        match self {
            Values::Long(b) => b.append_option(raw.and_then(text::integer)),
            Values::Integer(b) => b.append_option(raw.and_then(text::integer).and_then(|v| v.try_into().ok())),
            Values::Short(b) => b.append_option(raw.and_then(text::integer).and_then(|v| v.try_into().ok())),
            Values::Byte(b) => b.append_option(raw.and_then(text::integer).and_then(|v| v.try_into().ok())),
            Values::Float(b) => b.append_option(raw.and_then(text::float).map(|v| v as f32)),
            Values::Double(b) => b.append_option(raw.and_then(text::float)),
            Values::Decimal(b, scale) => b.append_option(raw.and_then(|raw| text::decimal(raw, i32::from(*scale), bound))),
            Values::Boolean(b) => b.append_option(raw.and_then(text::boolean)),
            Values::Date(b) => b.append_option(raw.and_then(text::date)),
            Values::Timestamp(b) => b.append_option(raw.and_then(text::timestamp)),
            Values::Text(b) => match token {
                Token::Text { raw, escaped: false } => b.append_option(std::str::from_utf8(raw).ok()),
                Token::Text { raw, escaped: true } => b.append_option(scan::unescape(raw)),
                _ => b.append_null(),
            },
            Values::Unbounded => {}
        }
    }
    fn finish(&mut self, leaf: &StatsLeaf, rows: usize) -> ArrayRef {
        match self {
            Values::Long(b) => Arc::new(b.finish()),
            Values::Integer(b) => Arc::new(b.finish()),
            Values::Short(b) => Arc::new(b.finish()),
            Values::Byte(b) => Arc::new(b.finish()),
            Values::Float(b) => Arc::new(b.finish()),
            Values::Double(b) => Arc::new(b.finish()),
            Values::Decimal(b, _) => Arc::new(b.finish()),
            Values::Text(b) => Arc::new(b.finish()),
            Values::Boolean(b) => Arc::new(b.finish()),
            Values::Date(b) => Arc::new(b.finish()),
            Values::Timestamp(b) => Arc::new(b.finish()),
            Values::Unbounded => new_null_array(&leaf.arrow, rows),
        }
    }
}

#[cfg(test)]
#[path = "stats_tests.rs"]
mod tests;
