//! Which share of a column's values lies below a value, from a bounded sample. Kind: pure. Spec: ZOR.
//!
//! A value's rank is where the middle of its range lies among all rows, so that a column of a few values, or of one very frequent one,
//! is told apart by the leading bits as any other. Memory: at most `VALUES_MAX` values, long texts cut off. Invariant: ranks never
//! contradict the order of values, with null before all.

use crate::env::Env;
use crate::error::{Code, Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use arrow::row::{RowConverter, SortField};

/// Numbers that are kept, of all columns together; a text counts as four.
const VALUES_MAX: usize = 1 << 18;
/// Rows that are kept at least.
const ROWS_LEAST: usize = 1 << 10;
/// Ranges of a column that is not alone, and of one that is.
const RANGES: usize = 1 << 10;
const RANGES_ALONE: usize = 1 << 14;
/// What is kept of a text, in encoded bytes.
const TEXT_BYTES: usize = 128;

/// Draws rows evenly from a stream whose length is not known.
pub(crate) struct Sampler {
    columns: Vec<Lane>,
    kept: Vec<Values>,
    rows_max: usize,
    /// Rows seen, and the next one that is kept.
    seen: u64,
    next: u64,
    /// The largest of as many random numbers as rows are kept.
    bar: f64,
    env: Env,
}

/// How values of a column become something that compares.
enum Lane {
    /// Eight bytes, for most types.
    Words,
    /// Arrow's encoding of rows.
    Bytes(RowConverter),
}

enum Values {
    Words(Vec<u64>),
    Bytes(Vec<Box<[u8]>>),
}

/// The ranges of some columns.
#[derive(Default)]
pub(crate) struct Ranges(Vec<(Lane, ColumnRanges)>);

struct ColumnRanges {
    /// The greatest value of each range but the last.
    ends: Values,
    ranks: Vec<u32>,
}

impl Sampler {
    /// For columns of these types. `LB-SCHEMA` for a type without an order.
    pub fn new(types: &[DataType], env: &Env) -> Result<Sampler> {
        let columns = types.iter().map(Lane::new).collect::<Result<Vec<_>>>()?;
        let kept = columns.iter().map(Lane::none).collect();
        let of_row: usize = columns.iter().map(|lane| if matches!(lane, Lane::Words) { 1 } else { 4 }).sum();
        let rows_max = (VALUES_MAX / of_row.max(1)).max(ROWS_LEAST);
        Ok(Sampler { columns, kept, rows_max, seen: 0, next: 0, bar: 1.0, env: env.clone() })
    }
    /// Takes the columns of some more rows.
    pub fn push(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let Some(rows) = columns.first().map(|c| c.len() as u64) else { return Ok(()) };
        let (mut chosen, mut places) = (Vec::new(), Vec::new());
        while self.next < self.seen + rows {
            chosen.push((self.next - self.seen) as u32);
            let kept = usize::try_from(self.next).unwrap_or(usize::MAX).min(self.rows_max);
            places.push(if kept < self.rows_max { kept } else { (self.env.random_u64() % self.rows_max as u64) as usize });
            self.next += self.skip(kept);
        }
        self.seen += rows;
        if chosen.is_empty() {
            return Ok(());
        }
        let chosen = UInt32Array::from(chosen);
        for ((lane, kept), column) in self.columns.iter().zip(&mut self.kept).zip(columns) {
            kept.put(lane.values(&take(column, &chosen, None)?)?, &places);
        }
        Ok(())
    }
    /// How far the next row to keep is away from this one: Li's algorithm L, once there are enough rows.
    fn skip(&mut self, kept: usize) -> u64 {
        if kept + 1 < self.rows_max {
            return 1;
        }
        self.bar *= (self.chance().ln() / self.rows_max as f64).exp();
        let far = (self.chance().ln() / (1.0 - self.bar).ln()).floor();
        if far.is_finite() && far < 1e18 { far as u64 + 1 } else { u64::MAX >> 2 }
    }
    /// A random number above 0 and up to 1.
    fn chance(&self) -> f64 {
        ((self.env.random_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }
    /// Cuts each column into ranges of equally many rows, whose ranks have `rank_bits` bits. A value that fills more than a range has one of
    /// its own. The ranges, and the ranks of the rows that were kept.
    pub fn finish(self) -> (Ranges, Vec<Vec<u32>>) {
        let bits = rank_bits(self.columns.len());
        let most = (if self.columns.len() == 1 { RANGES_ALONE } else { RANGES }).min(1 << bits);
        let ranges = self.columns.into_iter().zip(&self.kept).map(|(lane, kept)| (lane, kept.ranges(most, bits)));
        let ranges: Vec<(Lane, ColumnRanges)> = ranges.collect();
        let ranks = ranges.iter().zip(&self.kept).map(|((_, ranges), kept)| ranges.ranks(kept)).collect();
        (Ranges(ranges), ranks)
    }
}

/// How many bits the ranks of so many columns have.
pub(crate) fn rank_bits(columns: usize) -> u32 {
    if columns == 1 { 16 } else { 10 }
}

impl ColumnRanges {
    fn ranks(&self, values: &Values) -> Vec<u32> {
        match (values, &self.ends) {
            (Values::Words(values), Values::Words(ends)) => {
                values.iter().map(|value| self.ranks[ends.partition_point(|end| end < value)]).collect()
            }
            (Values::Bytes(values), Values::Bytes(ends)) => {
                values.iter().map(|value| self.ranks[ends.partition_point(|end| end < value)]).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Ranges {
    /// The ranks of each column's values.
    pub fn ranks(&self, columns: &[ArrayRef]) -> Result<Vec<Vec<u32>>> {
        self.0.iter().zip(columns).map(|((lane, ranges), column)| lane.ranks(ranges, column)).collect()
    }
}

impl Lane {
    fn new(data_type: &DataType) -> Result<Lane> {
        match data_type {
            DataType::Decimal128(precision, _) if *precision > 18 => Lane::bytes(data_type),
            _ if is_word(data_type) => Ok(Lane::Words),
            _ => Lane::bytes(data_type),
        }
    }
    fn bytes(data_type: &DataType) -> Result<Lane> {
        let refused = || Error::new(Code::SCHEMA, format!("values of type {data_type} have no order"));
        if data_type.is_nested() {
            return Err(refused());
        }
        Ok(Lane::Bytes(RowConverter::new(vec![SortField::new(data_type.clone())]).map_err(|e| refused().caused_by(e))?))
    }
    fn none(&self) -> Values {
        match self {
            Lane::Words => Values::Words(Vec::new()),
            Lane::Bytes(_) => Values::Bytes(Vec::new()),
        }
    }
    fn values(&self, column: &ArrayRef) -> Result<Values> {
        Ok(match self {
            Lane::Words => Values::Words(words(column)?),
            Lane::Bytes(converter) => {
                let rows = converter.convert_columns(std::slice::from_ref(column))?;
                Values::Bytes(rows.iter().map(|row| cut(row.as_ref()).into()).collect())
            }
        })
    }
    fn ranks(&self, ranges: &ColumnRanges, column: &ArrayRef) -> Result<Vec<u32>> {
        Ok(match (self, &ranges.ends) {
            (Lane::Words, Values::Words(ends)) => {
                words(column)?.into_iter().map(|value| ranges.ranks[ends.partition_point(|end| *end < value)]).collect()
            }
            (Lane::Bytes(converter), Values::Bytes(ends)) => {
                let rows = converter.convert_columns(std::slice::from_ref(column))?;
                let rank = |value: &[u8]| ranges.ranks[ends.partition_point(|end| end.as_ref() < value)];
                rows.iter().map(|row| rank(cut(row.as_ref()))).collect()
            }
            _ => return Err(Error::new(Code::INTERNAL, "a column was sampled in another form")),
        })
    }
}

fn cut(row: &[u8]) -> &[u8] {
    &row[..row.len().min(TEXT_BYTES)]
}

impl Values {
    fn put(&mut self, new: Values, places: &[usize]) {
        match (self, new) {
            (Values::Words(kept), Values::Words(new)) => put(kept, new, places),
            (Values::Bytes(kept), Values::Bytes(new)) => put(kept, new, places),
            _ => {}
        }
    }
    fn ranges(&self, most: usize, bits: u32) -> ColumnRanges {
        match self {
            Values::Words(values) => {
                let (ends, ranks) = ranges(values, most, bits);
                ColumnRanges { ends: Values::Words(ends), ranks }
            }
            Values::Bytes(values) => {
                let (ends, ranks) = ranges(values, most, bits);
                ColumnRanges { ends: Values::Bytes(ends), ranks }
            }
        }
    }
}

fn put<T>(kept: &mut Vec<T>, new: Vec<T>, places: &[usize]) {
    for (value, place) in new.into_iter().zip(places) {
        match kept.get_mut(*place) {
            Some(old) => *old = value,
            None => kept.push(value),
        }
    }
}

/// The ends of at most about `most` ranges of a sample, without the last one's, and their ranks.
fn ranges<T: Ord + Clone>(values: &[T], most: usize, bits: u32) -> (Vec<T>, Vec<u32>) {
    let mut values: Vec<&T> = values.iter().collect();
    values.sort_unstable();
    let all = values.len().max(1);
    // Where each value ends: one past its last place in the sample.
    let mut cuts: Vec<usize> = Vec::new();
    let mut begin = 0;
    let mut at = 0;
    while at < values.len() {
        let same = values[at..].partition_point(|v| *v == values[at]);
        let fills = same * most >= all;
        // A frequent value does not share its range with those before it.
        if fills && at > begin {
            cuts.push(at);
            begin = at;
        }
        at += same;
        if fills || (at - begin) * most >= all {
            cuts.push(at);
            begin = at;
        }
    }
    if cuts.last() != Some(&values.len()) || cuts.is_empty() {
        cuts.push(values.len());
    }
    let top = (1u64 << bits) - 1;
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let rank = |(from, to): (usize, &usize)| (((from + to) as u64 * (top + 1)) / (2 * all as u64)).min(top) as u32;
    let ranks = starts.zip(&cuts).map(rank).collect();
    cuts.pop();
    let mut ends = Vec::with_capacity(cuts.len());
    let mut next = cuts.into_iter().peekable();
    for (place, value) in values.into_iter().enumerate() {
        if next.next_if_eq(&(place + 1)).is_some() {
            ends.push(value.clone());
        }
    }
    (ends, ranks)
}

fn is_word(data_type: &DataType) -> bool {
    use DataType::{Boolean, Date32, Decimal128, Float32, Float64, Int8, Int16, Int32, Int64, Timestamp};
    let micros = arrow::datatypes::TimeUnit::Microsecond;
    matches!(data_type, Boolean | Int8 | Int16 | Int32 | Int64 | Float32 | Float64 | Date32 | Decimal128(..))
        || matches!(data_type, Timestamp(unit, _) if *unit == micros)
}

/// Numbers in the order of the values, null first.
fn words(column: &ArrayRef) -> Result<Vec<u64>> {
    let float = |bits: i64| if bits < 0 { bits ^ i64::MAX } else { bits };
    Ok(match column.data_type() {
        DataType::Boolean => column.as_boolean().iter().map(|v| v.map_or(0, |v| ordered(i64::from(v)))).collect(),
        DataType::Int8 => of::<Int8Type>(column, i64::from),
        DataType::Int16 => of::<Int16Type>(column, i64::from),
        DataType::Int32 => of::<Int32Type>(column, i64::from),
        DataType::Int64 => of::<Int64Type>(column, |v| v),
        DataType::Date32 => of::<Date32Type>(column, i64::from),
        DataType::Timestamp(..) => of::<TimestampMicrosecondType>(column, |v| v),
        DataType::Float32 => of::<Float32Type>(column, |v| float(f64::from(v).to_bits() as i64)),
        DataType::Float64 => of::<Float64Type>(column, |v| float(v.to_bits() as i64)),
        DataType::Decimal128(..) => of::<Decimal128Type>(column, |v| i64::try_from(v).unwrap_or(if v < 0 { i64::MIN } else { i64::MAX })),
        other => return Err(Error::new(Code::INTERNAL, format!("values of type {other} are no numbers"))),
    })
}

/// A signed number as an unsigned one; 0 is left for null.
fn ordered(value: i64) -> u64 {
    ((value as u64) ^ (1 << 63)).max(1)
}

fn of<T: ArrowPrimitiveType>(column: &ArrayRef, number: impl Fn(T::Native) -> i64) -> Vec<u64> {
    let column = column.as_primitive::<T>();
    match column.nulls() {
        None => column.values().iter().map(|v| ordered(number(*v))).collect(),
        Some(_) => column.iter().map(|v| v.map_or(0, |v| ordered(number(v)))).collect(),
    }
}

#[cfg(test)]
#[path = "sample_tests.rs"]
mod tests;
