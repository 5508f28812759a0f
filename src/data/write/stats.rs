//! The statistics text of a new file. Kind: pure. Spec: STA.
//!
//! Bounds and null counts come from the Parquet statistics that the encoder has computed anyway; only what those cannot say (NaN
//! and the sign of zero, nulls of lists and maps) is watched on the batches.
//!
//! Invariant: a bound is never tighter than the rows; where an exact one is unknown it is left out.

use super::stats_text::{self, Bound};
use crate::features::StatsColumns;
use crate::schema::{DataType, Field, Struct};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType as ArrowType, Float32Type, Float64Type};
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;

/// Which columns of a table get statistics, and where they come from.
#[derive(Clone, Debug)]
pub(super) struct StatsPlan {
    columns: Vec<Node>,
    watched: Vec<Watched>,
    string_prefix: usize,
}

#[derive(Clone, Debug)]
struct Node {
    name: String,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Struct(Vec<Node>),
    /// Bounds and nulls of one Parquet column.
    Parquet(usize, DataType),
    /// Bounds and nulls as watched.
    Float(usize, DataType),
    /// Nulls of one Parquet column.
    Nulls(usize),
    /// Nulls as watched.
    WatchedNulls(usize),
}

/// A column that is watched on the batches: child positions from the top.
#[derive(Clone, Debug)]
struct Watched {
    path: Vec<usize>,
    floats: bool,
}

impl StatsPlan {
    /// For files that hold these columns: the table's own, in order, without partition columns; `physical` is the same tree under
    /// the names of the files.
    /// Strings are cut to `string_prefix` characters.
    pub(super) fn new(logical: &Struct, physical: &Struct, columns: &StatsColumns, string_prefix: usize) -> StatsPlan {
        let mut planner = Planner { chosen: Chosen::of(columns), parquet: 0, watched: Vec::new(), only_footers: false };
        let columns = planner.fields(logical, physical, &mut Vec::new(), &mut Vec::new());
        StatsPlan { columns, watched: planner.watched, string_prefix }
    }
    /// For files of these columns of which nothing is known but their footers.
    fn of_footers(columns: &Struct, chosen: &StatsColumns, string_prefix: usize) -> StatsPlan {
        let mut planner = Planner { chosen: Chosen::of(chosen), parquet: 0, watched: Vec::new(), only_footers: true };
        let columns = planner.fields(columns, columns, &mut Vec::new(), &mut Vec::new());
        StatsPlan { columns, watched: Vec::new(), string_prefix }
    }
    /// What must be watched while a file is written.
    pub(super) fn observer(&self) -> Observer {
        let columns = self.watched.iter().map(|w| Observed { watched: w.clone(), nulls: 0, range: None, nan: false }).collect();
        Observer { columns, extra_columns: Vec::new() }
    }
    /// The statistics text of a closed file.
    pub(super) fn text(&self, file: &ParquetMetaData, observed: &Observer) -> String {
        let mut out = format!("{{\"numRecords\":{}", file.file_metadata().num_rows());
        if !self.columns.is_empty() {
            let source = Source { groups: file.row_groups(), observed, string_prefix: self.string_prefix };
            for (key, part) in [("minValues", Part::Min), ("maxValues", Part::Max), ("nullCount", Part::Nulls)] {
                let object = source.object(&self.columns, part).unwrap_or_else(|| "{}".to_owned());
                out.push_str(&format!(",\"{key}\":{object}"));
            }
        }
        out.push('}');
        out
    }
}

/// The statistics text of a file that somebody else wrote, from its footer alone; `columns` are those of the file, in its order, of which
/// those of the folders are left out. Bounds of numbers with a fraction, and nulls of lists and maps, a footer cannot say.
pub(crate) fn footer_stats(
    columns: &Struct,
    of_folders: &[String],
    chosen: &StatsColumns,
    string_prefix: usize,
    file: &ParquetMetaData,
) -> String {
    let mut plan = StatsPlan::of_footers(columns, chosen, string_prefix);
    plan.columns.retain(|node| !of_folders.iter().any(|name| name.eq_ignore_ascii_case(&node.name)));
    plan.columns.retain_mut(|node| node.is_told_by(file));
    plan.text(file, &Observer::default())
}

impl Node {
    /// Whether the bounds of a foreign file mean what ours do; where they do not, only nulls are left.
    fn is_told_by(&mut self, file: &ParquetMetaData) -> bool {
        match &mut self.content {
            Content::Struct(children) => {
                children.retain_mut(|child| child.is_told_by(file));
                !children.is_empty()
            }
            Content::Parquet(at, t) => {
                let column = file.file_metadata().schema_descr().column(*at);
                let in_micros = matches!(column.logical_type_ref(), Some(LogicalType::Timestamp(time)) if time.unit == TimeUnit::MICROS)
                    || column.converted_type() == ConvertedType::TIMESTAMP_MICROS;
                let as_ours = match t {
                    DataType::Timestamp | DataType::TimestampNtz => in_micros,
                    DataType::Decimal { .. } => column.physical_type() != Physical::BYTE_ARRAY,
                    _ => true,
                };
                // Old writers ordered texts by signed bytes.
                let ordered = |group: &RowGroupMetaData| {
                    let statistics = group.column(*at).statistics();
                    statistics.is_none_or(|s| !s.is_min_max_deprecated() || matches!(s, Statistics::Int32(_) | Statistics::Int64(_)))
                };
                if !as_ours || !file.row_groups().iter().all(ordered) {
                    self.content = Content::Nulls(*at);
                }
                true
            }
            _ => true,
        }
    }
}

enum Chosen {
    /// This many leaves are left.
    First(usize),
    /// Columns (leaves or structs) by lower-case path.
    Named(Vec<Vec<String>>),
}

impl Chosen {
    fn of(columns: &StatsColumns) -> Chosen {
        match columns {
            StatsColumns::All => Chosen::First(usize::MAX),
            StatsColumns::First(leaves) => Chosen::First(*leaves),
            StatsColumns::Named(paths) => {
                Chosen::Named(paths.iter().map(|path| path.iter().map(|name| name.to_lowercase()).collect()).collect())
            }
        }
    }
}

struct Planner {
    chosen: Chosen,
    /// The Parquet column that comes next.
    parquet: usize,
    watched: Vec<Watched>,
    /// There are no batches to watch.
    only_footers: bool,
}

impl Planner {
    fn fields(&mut self, logical: &Struct, physical: &Struct, names: &mut Vec<String>, path: &mut Vec<usize>) -> Vec<Node> {
        let mut out = Vec::new();
        let mut position = 0;
        for (l, p) in logical.fields.iter().zip(&physical.fields) {
            if l.data_type == DataType::Void {
                continue;
            }
            names.push(l.name.to_lowercase());
            path.push(position);
            out.extend(self.field(l, p, names, path).map(|content| Node { name: p.name.clone(), content }));
            path.pop();
            names.pop();
            position += 1;
        }
        out
    }
    fn field(&mut self, logical: &Field, physical: &Field, names: &mut Vec<String>, path: &mut Vec<usize>) -> Option<Content> {
        if let (DataType::Struct(l), DataType::Struct(p)) = (&logical.data_type, &physical.data_type) {
            let children = self.fields(l, p, names, path);
            return (!children.is_empty()).then_some(Content::Struct(children));
        }
        let parquet = self.parquet;
        self.parquet += parquet_columns(&logical.data_type);
        if !self.choose(names) {
            return None;
        }
        Some(match &logical.data_type {
            DataType::Float | DataType::Double if self.only_footers => Content::Nulls(parquet),
            DataType::Array { .. } | DataType::Map { .. } if self.only_footers => return None,
            t @ (DataType::Float | DataType::Double) => Content::Float(self.watch(path, true), t.clone()),
            DataType::Array { .. } | DataType::Map { .. } => Content::WatchedNulls(self.watch(path, false)),
            DataType::Boolean | DataType::Binary | DataType::Variant | DataType::Unknown(_) => Content::Nulls(parquet),
            t => Content::Parquet(parquet, t.clone()),
        })
    }
    fn choose(&mut self, names: &[String]) -> bool {
        match &mut self.chosen {
            Chosen::First(left) => {
                let take = *left > 0;
                *left = left.saturating_sub(1);
                take
            }
            Chosen::Named(paths) => paths.iter().any(|p| names.starts_with(p)),
        }
    }
    fn watch(&mut self, path: &[usize], floats: bool) -> usize {
        self.watched.push(Watched { path: path.to_vec(), floats });
        self.watched.len() - 1
    }
}

/// How many Parquet columns a type takes.
fn parquet_columns(t: &DataType) -> usize {
    match t {
        DataType::Struct(s) => s.fields.iter().map(|f| parquet_columns(&f.data_type)).sum(),
        DataType::Array { element, .. } => parquet_columns(element),
        DataType::Map { key, value, .. } => parquet_columns(key) + parquet_columns(value),
        DataType::Variant => 2,
        DataType::Void => 0,
        _ => 1,
    }
}

/// What the batches of one file said.
#[derive(Clone, Debug, Default)]
pub(super) struct Observer {
    columns: Vec<Observed>,
    /// Where the file's Parquet columns are more than those of the plan: behind which one (the first of a variant), and how many.
    pub(super) extra_columns: Vec<(usize, usize)>,
}

#[derive(Clone, Debug)]
struct Observed {
    watched: Watched,
    nulls: u64,
    /// Smallest and greatest value that is a number; −0.0 is below 0.0.
    range: Option<(f64, f64)>,
    nan: bool,
}

impl Observer {
    /// Looks at a batch that is about to be encoded.
    pub(super) fn watch(&mut self, batch: &RecordBatch) {
        for column in &mut self.columns {
            column.watch(batch);
        }
    }
}

impl Observed {
    fn watch(&mut self, batch: &RecordBatch) {
        let Some((first, rest)) = self.watched.path.split_first() else { return };
        let mut array: &ArrayRef = batch.column(*first);
        let mut nulls: Option<NullBuffer> = array.logical_nulls();
        for child in rest {
            array = array.as_struct().column(*child);
            nulls = NullBuffer::union(nulls.as_ref(), array.logical_nulls().as_ref());
        }
        self.nulls += nulls.as_ref().map_or(0, |n| n.null_count() as u64);
        if !self.watched.floats {
            return;
        }
        match array.data_type() {
            ArrowType::Float32 => self.floats(array.as_primitive::<Float32Type>().values().iter().map(|v| f64::from(*v)), nulls.as_ref()),
            _ => self.floats(array.as_primitive::<Float64Type>().values().iter().copied(), nulls.as_ref()),
        }
    }
    fn floats(&mut self, values: impl Iterator<Item = f64>, nulls: Option<&NullBuffer>) {
        match nulls.filter(|n| n.null_count() > 0) {
            None => self.range_of(values),
            Some(nulls) => self.range_of(values.zip(nulls.iter()).filter(|(_, valid)| *valid).map(|(v, _)| v)),
        }
    }
    fn range_of(&mut self, values: impl Iterator<Item = f64>) {
        let (mut low, mut high) = self.range.map_or((i64::MAX, i64::MIN), |(l, h)| (order(l), order(h)));
        for value in values {
            if value.is_nan() {
                self.nan = true;
            } else {
                low = low.min(order(value));
                high = high.max(order(value));
            }
        }
        if low <= high {
            self.range = Some((value_of(low), value_of(high)));
        }
    }
}

/// Maps numbers to integers of the same order, −0.0 just below 0.0. Its own inverse on the bits.
fn order(value: f64) -> i64 {
    let bits = value.to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

fn value_of(order: i64) -> f64 {
    f64::from_bits((order ^ (((order >> 63) as u64) >> 1) as i64) as u64)
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Min,
    Max,
    Nulls,
}

/// Where the values of one file's statistics are looked up.
struct Source<'a> {
    groups: &'a [RowGroupMetaData],
    observed: &'a Observer,
    string_prefix: usize,
}

impl Source<'_> {
    /// A JSON object of what is known; `None` when no column of it can ever have this part.
    fn object(&self, nodes: &[Node], part: Part) -> Option<String> {
        let mut out = String::from("{");
        let mut eligible = false;
        for node in nodes {
            let value = match (&node.content, part) {
                (Content::Struct(children), _) => {
                    let Some(object) = self.object(children, part) else { continue };
                    Some(object)
                }
                (Content::Nulls(_) | Content::WatchedNulls(_), Part::Min | Part::Max) => continue,
                (Content::Nulls(i) | Content::Parquet(i, _), Part::Nulls) => self.nulls(*i).map(|n| n.to_string()),
                (Content::WatchedNulls(i) | Content::Float(i, _), Part::Nulls) => Some(self.observed.columns[*i].nulls.to_string()),
                (Content::Parquet(i, t), _) => self.bound(*i, part).and_then(|b| self.text(&b, t, part)),
                (Content::Float(i, t), _) => self.float_bound(*i, part).and_then(|v| stats_text::float(v, t)),
            };
            eligible = true;
            if let Some(value) = value {
                if out.len() > 1 {
                    out.push(',');
                }
                out.push_str(&format!("{}:{value}", stats_text::quoted(&node.name)));
            }
        }
        out.push('}');
        eligible.then_some(out)
    }
    fn text(&self, bound: &Bound, t: &DataType, part: Part) -> Option<String> {
        match part {
            Part::Min => stats_text::min(bound, t, self.string_prefix),
            _ => stats_text::max(bound, t, self.string_prefix),
        }
    }
    /// The file's Parquet column that is this one of the plan.
    fn column(&self, planned: usize) -> usize {
        let before = self.observed.extra_columns.iter().filter(|(variant, _)| *variant < planned);
        planned + before.map(|(_, extra)| extra).sum::<usize>()
    }
    fn nulls(&self, column: usize) -> Option<u64> {
        let column = self.column(column);
        self.groups.iter().map(|g| g.column(column).statistics()?.null_count_opt()).sum()
    }
    /// NaN is above every number, as in Spark.
    fn float_bound(&self, column: usize, part: Part) -> Option<f64> {
        let seen = &self.observed.columns[column];
        match (seen.range, part) {
            (_, Part::Max) if seen.nan => Some(f64::NAN),
            (Some((low, _)), Part::Min) => Some(low),
            (Some((_, high)), _) => Some(high),
            (None, _) => seen.nan.then_some(f64::NAN),
        }
    }
    fn bound(&self, column: usize, part: Part) -> Option<Bound> {
        let mut out: Option<Bound> = None;
        let column = self.column(column);
        for group in self.groups {
            let chunk = group.column(column);
            let statistics = chunk.statistics()?;
            let Some(next) = bound_of(statistics, part) else {
                // Only a chunk without values may say nothing.
                if statistics.null_count_opt() == Some(chunk.num_values() as u64) {
                    continue;
                }
                return None;
            };
            out = Some(match out {
                None => next,
                Some(now) if part == Part::Min => now.min(next),
                Some(now) => now.max(next),
            });
        }
        out
    }
}

fn bound_of(statistics: &Statistics, part: Part) -> Option<Bound> {
    match statistics {
        Statistics::Int32(s) => pick(s.min_opt(), s.max_opt(), part).map(|v| Bound::Int(i128::from(*v))),
        Statistics::Int64(s) => pick(s.min_opt(), s.max_opt(), part).map(|v| Bound::Int(i128::from(*v))),
        Statistics::FixedLenByteArray(s) => pick(s.min_opt(), s.max_opt(), part).and_then(|v| big_endian(v.data())).map(Bound::Int),
        Statistics::ByteArray(s) => {
            let text = std::str::from_utf8(pick(s.min_opt(), s.max_opt(), part)?.data()).ok()?;
            Some(Bound::Text(text.to_owned()))
        }
        _ => None,
    }
}

fn pick<T>(min: Option<T>, max: Option<T>, part: Part) -> Option<T> {
    if part == Part::Min { min } else { max }
}

/// A two's complement number of at most 16 bytes.
fn big_endian(bytes: &[u8]) -> Option<i128> {
    let sign = if bytes.first()? & 0x80 == 0 { 0 } else { 0xff };
    let mut wide = [sign; 16];
    wide.get_mut(16usize.checked_sub(bytes.len())?..)?.copy_from_slice(bytes);
    Some(i128::from_be_bytes(wide))
}

#[cfg(test)]
#[path = "stats_tests.rs"]
mod tests;
