//! What statistics and partition values of files allow to conclude. Kind: pure. Spec: SKIP.
//!
//! Invariant: a file is ruled out only when no row of it can make the filter TRUE; whatever is absent, odd or unknown keeps it.

use crate::error::Result;
use crate::expr::{BoundExpr, ColumnStats, Pruner};
use crate::features::TableState;
use crate::log::batch::FileRows;
use crate::log::checkpoint::ParquetFile;
use crate::log::stats::{FileStats, PartitionColumn, StatsLeaf, StatsReader, partition_column};
use crate::schema::{DataType, FieldPath};
use arrow::array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, Float32Array, Float64Array, Int64Array, RecordBatch, TimestampMicrosecondArray,
    UInt64Array, cast::AsArray,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType as ArrowType, Decimal128Type, Field, Float32Type, Float64Type, Schema, SchemaRef, TimestampMicrosecondType,
};
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use std::sync::Arc;

/// A filter made ready to rule out files of one table.
#[derive(Debug)]
pub(super) struct FilePruner {
    filter: BoundExpr,
    pruner: Pruner,
    partitions: Vec<Partition>,
    /// Logical paths, in the order of the reader's leaves.
    leaves: Vec<FieldPath>,
    reader: StatsReader,
    /// The Arrow schema of the partition columns, when the filter reads nothing else.
    exact: Option<SchemaRef>,
}

#[derive(Debug)]
struct Partition {
    path: FieldPath,
    physical: String,
    data_type: DataType,
}

/// How much of a file's facts has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Facts {
    Partitions,
    All,
}

impl FilePruner {
    pub fn new(filter: BoundExpr, state: &TableState) -> Result<FilePruner> {
        let exact = !filter.columns().is_empty() && filter.reads_only(state.partition_columns());
        let filter = if exact { filter } else { state.with_implied(filter) };
        let pruner = Pruner::new(&filter, state.schema())?;
        let columns: Vec<FieldPath> =
            if exact { filter.columns().iter().map(|c| vec![c.clone()]).collect() } else { pruner.columns().to_vec() };
        let mut partitions = Vec::new();
        let mut leaves = Vec::new();
        let mut readers = Vec::new();
        for path in columns {
            let Some((physical, data_type)) = physical_path(state, &path) else { continue };
            if state.partition_columns().iter().any(|p| state.physical_name(p) == Some(physical[0].as_str())) {
                partitions.push(Partition { physical: physical.concat(), data_type, path });
            } else {
                readers.push(StatsLeaf::new(physical, data_type)?);
                leaves.push(path);
            }
        }
        let schema = |p: &Partition| Ok(Field::new(&p.path[0], p.data_type.to_arrow()?, true));
        let exact = exact.then(|| partitions.iter().map(schema).collect::<Result<Vec<_>>>()).transpose()?;
        Ok(FilePruner {
            filter,
            pruner,
            partitions,
            leaves,
            reader: StatsReader::new(readers),
            exact: exact.map(|fields| Arc::new(Schema::new(fields))),
        })
    }
    /// Whether partition values alone can rule out a file.
    pub fn reads_partitions(&self) -> bool {
        !self.partitions.is_empty()
    }
    /// Whether statistics can rule out a file.
    pub fn reads_stats(&self) -> bool {
        !self.leaves.is_empty()
    }
    /// Whether a parsed statistics leaf (`minValues`, `a`, `b`) is needed.
    pub fn wants(&self, parsed: &[String]) -> bool {
        match parsed.split_first() {
            Some((top, rest)) if matches!(top.as_str(), "minValues" | "maxValues" | "nullCount") => {
                self.reader.leaves().iter().any(|leaf| leaf.path == rest)
            }
            Some((top, rest)) => rest.is_empty() && matches!(top.as_str(), "numRecords" | "tightBounds"),
            None => false,
        }
    }
    /// The physical paths of the columns whose statistics are needed.
    pub fn stats_leaves(&self) -> &[StatsLeaf] {
        self.reader.leaves()
    }

    /// Which files may hold a row for which the filter is TRUE. (SKIP-1)
    pub fn keep(&self, rows: &FileRows, facts: Facts) -> Result<BooleanArray> {
        let partitions = self.partitions.iter().map(|p| partition_column(rows, &p.physical, &p.data_type)).collect::<Result<Vec<_>>>()?;
        if let Some(schema) = &self.exact {
            return Ok(self.keep_exact(schema, &partitions, rows.len()));
        }
        let stats = match (facts, rows.stats_parsed(), rows.stats()) {
            (Facts::All, Some(parsed), _) => Some(self.reader.read_parsed(parsed)),
            (Facts::All, None, Some(texts)) => Some(self.reader.read_json(texts)),
            _ => None,
        };
        let stats = OfFiles { pruner: self, rows: rows.len(), partitions, stats: stats.map(|s| widen(s, self.reader.leaves())) };
        self.pruner.keep(&stats)
    }

    /// The filter itself over the partition values. A value that does not parse, or an expression that fails, rules out nothing.
    fn keep_exact(&self, schema: &SchemaRef, partitions: &[PartitionColumn], rows: usize) -> BooleanArray {
        let columns = partitions.iter().map(|p| Arc::clone(&p.values)).collect();
        let matches = RecordBatch::try_new(Arc::clone(schema), columns).ok().and_then(|batch| self.filter.matches(&batch).ok());
        let Some(matches) = matches else { return BooleanArray::from(vec![true; rows]) };
        let keep = |row: usize| matches.value(row) || partitions.iter().any(|p| !p.known.value(row));
        (0..rows).map(|row| Some(keep(row))).collect()
    }

    /// Which row groups of a checkpoint may hold such a file, from the statistics that Parquet keeps of `partitionValues_parsed` and
    /// `stats_parsed`. A column with a null anywhere in the row group says nothing, since null may mean unknown. (SKIP-7)
    pub fn keep_row_groups(&self, file: &ParquetFile) -> Result<BooleanArray> {
        self.pruner.keep(&OfRowGroups { pruner: self, file })
    }
}

/// Which of these files may hold a row for which the filter is TRUE.
pub(crate) fn may_hold(filter: &BoundExpr, state: &TableState, files: &FileRows) -> Result<BooleanArray> {
    FilePruner::new(filter.clone(), state)?.keep(files, Facts::All)
}

/// What the statistics of files say of these columns, made into bounds that hold for every row.
pub(crate) fn bounds_of(reader: &StatsReader, files: &FileRows) -> FileStats {
    let stats = match (files.stats_parsed(), files.stats()) {
        (_, Some(texts)) => reader.read_json(texts),
        (Some(parsed), None) => reader.read_parsed(parsed),
        (None, None) => reader.unknown(files.len()),
    };
    widen(stats, reader.leaves())
}

/// The physical names and type of a leaf column.
pub(super) fn physical_path(state: &TableState, path: &FieldPath) -> Option<(Vec<String>, DataType)> {
    let (mut logical, mut physical) = (state.schema(), state.physical_schema());
    let mut names = Vec::new();
    for (i, name) in path.iter().enumerate() {
        let at = logical.index_of(name)?;
        let field = physical.fields.get(at)?;
        names.push(field.name.clone());
        match (&logical.fields[at].data_type, &field.data_type) {
            (DataType::Struct(l), DataType::Struct(p)) => (logical, physical) = (l, p),
            (_, data_type) => return (i + 1 == path.len()).then(|| (names, data_type.clone())),
        }
    }
    None
}

/// Makes written statistics into bounds that hold for every row. (SKIP-4, SKIP-5)
fn widen(mut stats: FileStats, leaves: &[StatsLeaf]) -> FileStats {
    for (leaf, kind) in stats.leaves.iter_mut().zip(leaves) {
        if let Some((min, max)) = &mut leaf.bounds {
            *min = lower(min, &kind.data_type);
            *max = upper(max, &kind.data_type);
        }
        // Wide statistics count nulls of rows that may be deleted: only "none" and "all" are facts.
        let fact = |row: usize| {
            let nulls = leaf.nulls.is_valid(row).then(|| leaf.nulls.value(row))?;
            let records = stats.records.is_valid(row).then(|| stats.records.value(row));
            let tight = stats.tight.is_null(row) || stats.tight.value(row);
            (nulls == 0 || records == Some(nulls) || (tight && records.is_some())).then_some(nulls)
        };
        leaf.nulls = (0..leaf.nulls.len()).map(fact).collect();
    }
    stats
}

/// The float whose text a bound may be: a column that is double now may have been float when its statistics were written, and the text
/// `0.1` of a float stands for a number a little above 0.1.
fn as_float(v: f64) -> f64 {
    let float = v as f32;
    if float.is_finite() { f64::from(float) } else { v }
}

/// Milliseconds are all that most writers keep of a time.
const LOST_MICROS: i64 = 1_000;

/// Some writers pass the bounds of decimals through a few operations of binary floating point, whatever their text looks like then. That
/// loses less than one part in two to the power of this; of smaller numbers it loses nothing, because bounds are rounded outwards.
const DECIMAL_BITS_KEPT: u32 = 48;

fn lower(min: &ArrayRef, data_type: &DataType) -> ArrayRef {
    match data_type {
        // A least value of NaN says nothing; 0.0 stands for both zeros.
        DataType::Float => {
            let widened =
                min.as_primitive::<Float32Type>().iter().map(|v| v.filter(|v| !v.is_nan()).map(|v| if v == 0.0 { -0.0 } else { v }));
            Arc::new(widened.collect::<Float32Array>())
        }
        DataType::Double => {
            let least = |v: f64| if v == 0.0 { -0.0 } else { v.min(as_float(v)) };
            let widened = min.as_primitive::<Float64Type>().iter().map(|v| v.filter(|v| !v.is_nan()).map(least));
            Arc::new(widened.collect::<Float64Array>())
        }
        // Before 1970 some writers cut towards zero, which is upwards, up to zero itself.
        DataType::Timestamp | DataType::TimestampNtz => times(min, |v| if v <= 0 { v.checked_sub(LOST_MICROS) } else { Some(v) }),
        DataType::Decimal { .. } => decimals(min, |v| v.checked_sub_unsigned(v.unsigned_abs() >> DECIMAL_BITS_KEPT)),
        _ => Arc::clone(min),
    }
}

fn upper(max: &ArrayRef, data_type: &DataType) -> ArrayRef {
    match data_type {
        DataType::Float => {
            let widened =
                max.as_primitive::<Float32Type>().iter().map(|v| v.filter(|v| !v.is_nan()).map(|v| if v == 0.0 { 0.0 } else { v }));
            Arc::new(widened.collect::<Float32Array>())
        }
        DataType::Double => {
            let greatest = |v: f64| if v == 0.0 { 0.0 } else { v.max(as_float(v)) };
            let widened = max.as_primitive::<Float64Type>().iter().map(|v| v.filter(|v| !v.is_nan()).map(greatest));
            Arc::new(widened.collect::<Float64Array>())
        }
        DataType::Timestamp | DataType::TimestampNtz => times(max, |v| v.checked_add(LOST_MICROS)),
        DataType::Decimal { .. } => decimals(max, |v| v.checked_add_unsigned(v.unsigned_abs() >> DECIMAL_BITS_KEPT)),
        _ => Arc::clone(max),
    }
}

fn times(values: &ArrayRef, widened: impl Fn(i64) -> Option<i64>) -> ArrayRef {
    let values = values.as_primitive::<TimestampMicrosecondType>();
    let out: TimestampMicrosecondArray = values.iter().map(|v| v.and_then(&widened)).collect();
    Arc::new(out.with_data_type(values.data_type().clone()))
}

fn decimals(values: &ArrayRef, widened: impl Fn(i128) -> Option<i128>) -> ArrayRef {
    let values = values.as_primitive::<Decimal128Type>();
    let out: Decimal128Array = values.iter().map(|v| v.and_then(&widened)).collect();
    Arc::new(out.with_data_type(values.data_type().clone()))
}

/// Files as containers of rows.
struct OfFiles<'a> {
    pruner: &'a FilePruner,
    rows: usize,
    partitions: Vec<PartitionColumn>,
    stats: Option<FileStats>,
}

enum Found<'a> {
    Partition(&'a PartitionColumn),
    Leaf(&'a crate::log::stats::LeafStats),
}

impl OfFiles<'_> {
    fn find(&self, column: &FieldPath) -> Option<Found<'_>> {
        if let Some(at) = self.pruner.partitions.iter().position(|p| &p.path == column) {
            return self.partitions.get(at).map(Found::Partition);
        }
        let at = self.pruner.leaves.iter().position(|p| p == column)?;
        self.stats.as_ref().map(|s| Found::Leaf(&s.leaves[at]))
    }
    /// Where the number of rows is unknown, 1 stands for it: then counts of columns are only used when they are 0, and partition
    /// values are null in all rows or in none.
    fn records(&self, row: usize) -> u64 {
        let known = self.stats.as_ref().filter(|s| s.records.is_valid(row)).map(|s| s.records.value(row));
        known.and_then(|n| u64::try_from(n).ok()).unwrap_or(1)
    }
}

impl ColumnStats for OfFiles<'_> {
    fn containers(&self) -> usize {
        self.rows
    }
    fn min(&self, column: &FieldPath) -> Option<ArrayRef> {
        match self.find(column)? {
            Found::Partition(p) => Some(Arc::clone(&p.values)),
            Found::Leaf(leaf) => leaf.bounds.as_ref().map(|(min, _)| Arc::clone(min)),
        }
    }
    fn max(&self, column: &FieldPath) -> Option<ArrayRef> {
        match self.find(column)? {
            Found::Partition(p) => Some(Arc::clone(&p.values)),
            Found::Leaf(leaf) => leaf.bounds.as_ref().map(|(_, max)| Arc::clone(max)),
        }
    }
    fn null_count(&self, column: &FieldPath) -> Option<UInt64Array> {
        Some(match self.find(column)? {
            Found::Partition(p) => {
                let count = |row: usize| p.known.value(row).then(|| if p.values.is_null(row) { self.records(row) } else { 0 });
                (0..self.rows).map(count).collect()
            }
            Found::Leaf(leaf) => leaf.nulls.iter().map(|n| n.and_then(|n| u64::try_from(n).ok())).collect(),
        })
    }
    fn row_count(&self) -> Option<UInt64Array> {
        Some((0..self.rows).map(|row| Some(self.records(row))).collect())
    }
}

/// Row groups of a checkpoint as containers of files, and so of rows.
struct OfRowGroups<'a> {
    pruner: &'a FilePruner,
    file: &'a ParquetFile,
}

impl OfRowGroups<'_> {
    fn groups(&self) -> usize {
        self.file.metadata().num_row_groups()
    }
    /// The least (or greatest) value of a leaf in each row group, null where a row lacks it.
    fn bound(&self, path: &[&str], data_type: &DataType, greatest: bool) -> Option<ArrayRef> {
        // Parquet's statistics leave NaN out, so they bound nothing for floats.
        if matches!(data_type, DataType::Float | DataType::Double) {
            return None;
        }
        let leaf = self.file.leaf(path)?;
        let field = field_at(self.file.schema(), path)?;
        let schema = self.file.metadata().file_metadata().schema_descr();
        let converter = StatisticsConverter::from_column_index(leaf, &field, schema).ok()?;
        let groups = self.file.metadata().row_groups();
        let values = if greatest { converter.row_group_maxes(groups) } else { converter.row_group_mins(groups) }.ok()?;
        let safe = CastOptions { safe: true, ..CastOptions::default() };
        let values = cast_with_options(&values, &data_type.to_arrow().ok()?, &safe).ok()?;
        let complete: BooleanArray = (0..self.groups()).map(|g| Some(self.file.null_count(g, leaf) != Some(0))).collect();
        arrow::compute::nullif(&values, &complete).ok()
    }
    fn find(&self, column: &FieldPath, greatest: bool) -> Option<ArrayRef> {
        if let Some(p) = self.pruner.partitions.iter().find(|p| &p.path == column) {
            return self.bound(&["add", "partitionValues_parsed", &p.physical], &p.data_type, greatest);
        }
        let at = self.pruner.leaves.iter().position(|p| p == column)?;
        let leaf = &self.pruner.reader.leaves()[at];
        let top = if greatest { "maxValues" } else { "minValues" };
        let path: Vec<&str> = ["add", "stats_parsed", top].into_iter().chain(leaf.path.iter().map(String::as_str)).collect();
        let bound = self.bound(&path, &leaf.data_type, greatest)?;
        Some(if greatest { upper(&bound, &leaf.data_type) } else { lower(&bound, &leaf.data_type) })
    }
}

fn field_at(schema: &Schema, path: &[&str]) -> Option<Field> {
    let (name, rest) = path.split_first()?;
    let mut field = schema.field_with_name(name).ok()?;
    for name in rest {
        let ArrowType::Struct(fields) = field.data_type() else { return None };
        field = fields.iter().find(|f| f.name() == name)?;
    }
    Some(field.clone())
}

impl ColumnStats for OfRowGroups<'_> {
    fn containers(&self) -> usize {
        self.groups()
    }
    fn min(&self, column: &FieldPath) -> Option<ArrayRef> {
        self.find(column, false)
    }
    fn max(&self, column: &FieldPath) -> Option<ArrayRef> {
        self.find(column, true)
    }
    fn null_count(&self, _: &FieldPath) -> Option<UInt64Array> {
        None
    }
    fn row_count(&self) -> Option<UInt64Array> {
        None
    }
}

/// How many rows each file has, from whatever statistics were read.
pub(super) fn records_of(rows: &FileRows) -> Option<Int64Array> {
    let reader = StatsReader::new(Vec::new());
    match (rows.stats_parsed(), rows.stats()) {
        (Some(parsed), None) => Some(reader.read_parsed(parsed).records),
        (None, Some(texts)) => Some(reader.read_json(texts).records),
        (Some(parsed), Some(texts)) => {
            let (parsed, texts) = (reader.read_parsed(parsed).records, reader.read_json(texts).records);
            Some(parsed.iter().zip(&texts).map(|(p, t)| t.or(p)).collect())
        }
        (None, None) => None,
    }
}
