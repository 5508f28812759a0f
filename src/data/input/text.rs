//! Columns of text -> columns of a type, with the row that does not parse. Kind: pure. Spec: INP.
//!
//! Text is read as partition values are, and refused where that would cut or shift what it says. Invariant: a value comes out as its
//! text names it (a floating one as the nearest that prints the same whole number), or the column and the line are named.

use crate::data::variant;
use crate::error::{Code, Error, Result};
use crate::schema::{DataType, Scalar};
use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, ListArray, MapArray, PrimitiveArray, StringArray, StructArray,
};
use arrow::datatypes::{
    DataType as ArrowType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use std::str::FromStr;
use std::sync::Arc;

/// How much of a value an error shows.
const SHOWN: usize = 40;
/// Whole numbers of so few digits are exact in every floating type.
const EXACT_DIGITS: usize = 7;
const MICRO_DIGITS: usize = 6;

/// Where the rows of a column stand, for errors.
pub(super) type LineOf<'a> = &'a dyn Fn(usize) -> u64;

/// The column in the Arrow form of `t`: text inside it is parsed, what has its type already stays. `LB-INPUT` names the column and the
/// line of a value that does not fit.
pub(super) fn parse(array: &ArrayRef, name: &str, t: &DataType, line_of: LineOf<'_>) -> Result<ArrayRef> {
    match (array.data_type(), t, t.to_arrow()?) {
        (ArrowType::Utf8, DataType::String, _) => Ok(Arc::clone(array)),
        (ArrowType::Utf8, _, to) => leaf(array.as_string::<i32>(), name, t, &to, line_of),
        (ArrowType::Struct(_), DataType::Struct(s), ArrowType::Struct(fields)) => {
            let from = array.as_struct();
            let columns = from.columns().iter().zip(&s.fields).map(|(c, f)| parse(c, &format!("{name}.{}", f.name), &f.data_type, line_of));
            let columns = columns.collect::<Result<Vec<_>>>()?;
            Ok(Arc::new(StructArray::try_new_with_length(fields, columns, from.nulls().cloned(), from.len())?))
        }
        (ArrowType::List(_), DataType::Array { element, .. }, ArrowType::List(field)) => {
            let (from, name) = (array.as_list::<i32>(), format!("{name}.element"));
            let values = parse(from.values(), &name, element, &|at| line_of(row_of(from.value_offsets(), at)))?;
            Ok(Arc::new(ListArray::try_new(field, from.offsets().clone(), values, from.nulls().cloned())?))
        }
        (ArrowType::Map(_, _), DataType::Map { key, value, .. }, ArrowType::Map(entries, _)) => {
            let from = array.as_map();
            let line_of = |at: usize| line_of(row_of(from.value_offsets(), at));
            let keys = parse(from.keys(), &format!("{name}.key"), key, &line_of)?;
            let values = parse(from.values(), &format!("{name}.value"), value, &line_of)?;
            let ArrowType::Struct(pair) = entries.data_type() else { return Ok(Arc::clone(array)) };
            let inner = StructArray::try_new(pair.clone(), vec![keys, values], None)?;
            Ok(Arc::new(MapArray::try_new(Arc::clone(&entries), from.offsets().clone(), inner, from.nulls().cloned(), false)?))
        }
        _ => Ok(Arc::clone(array)),
    }
}

/// The row whose list or map holds the value at `at`.
fn row_of(offsets: &[i32], at: usize) -> usize {
    offsets.partition_point(|offset| usize::try_from(*offset).is_ok_and(|o| o <= at)).saturating_sub(1)
}

fn leaf(text: &StringArray, name: &str, t: &DataType, to: &ArrowType, line_of: LineOf<'_>) -> Result<ArrayRef> {
    let parsed: std::result::Result<ArrayRef, usize> = match t {
        DataType::Long => column::<Int64Type>(text, whole),
        DataType::Integer => column::<Int32Type>(text, whole),
        DataType::Short => column::<Int16Type>(text, whole),
        DataType::Byte => column::<Int8Type>(text, whole),
        DataType::Float => column::<Float32Type>(text, |s| match exact(s, t)? {
            Scalar::Float(v) => Some(v),
            _ => None,
        }),
        DataType::Double => column::<Float64Type>(text, |s| match exact(s, t)? {
            Scalar::Double(v) => Some(v),
            _ => None,
        }),
        DataType::Decimal { .. } => column::<Decimal128Type>(text, |s| match exact(s, t)? {
            Scalar::Decimal { value, .. } => Some(value),
            _ => None,
        }),
        DataType::Date => column::<Date32Type>(text, |s| match exact(s, t)? {
            Scalar::Date(v) => Some(v),
            _ => None,
        }),
        DataType::Timestamp | DataType::TimestampNtz => column::<TimestampMicrosecondType>(text, |s| match exact(s, t)? {
            Scalar::Timestamp(v) | Scalar::TimestampNtz(v) => Some(v),
            _ => None,
        }),
        DataType::Boolean => booleans(text, t),
        DataType::Variant => variants(text),
        other => return Err(Error::new(Code::SCHEMA, format!("text cannot be read as {other}")).with("column", name)),
    };
    match parsed {
        // The type's precision or zone; the values stay.
        Ok(array) if array.data_type() != to => Ok(arrow::array::make_array(array.to_data().into_builder().data_type(to.clone()).build()?)),
        Ok(array) => Ok(array),
        Err(row) => {
            let value: String = text.value(row).chars().take(SHOWN).collect();
            Err(Error::new(Code::INPUT, format!("{value:?} does not fit {t}")).with("column", name).with("line", line_of(row)).help(
                "correct the value, or choose a type that fits: make the table first with `create --schema`, or give it another column",
            ))
        }
    }
}

/// The parsed values, or the first row that has none.
fn column<T: ArrowPrimitiveType>(text: &StringArray, read: impl Fn(&str) -> Option<T::Native>) -> std::result::Result<ArrayRef, usize> {
    let mut out = PrimitiveArray::<T>::builder(text.len());
    for (row, value) in text.iter().enumerate() {
        match value {
            None => out.append_null(),
            Some(value) => out.append_value(read(value).ok_or(row)?),
        }
    }
    Ok(Arc::new(out.finish()))
}

fn booleans(text: &StringArray, t: &DataType) -> std::result::Result<ArrayRef, usize> {
    let read = |(row, value): (usize, Option<&str>)| match value.map(|v| exact(v, t)) {
        None => Ok(None),
        Some(Some(Scalar::Boolean(v))) => Ok(Some(v)),
        Some(_) => Err(row),
    };
    Ok(Arc::new(text.iter().enumerate().map(read).collect::<std::result::Result<BooleanArray, usize>>()?))
}

/// JSON texts as variants, or the first row that is none.
fn variants(text: &StringArray) -> std::result::Result<ArrayRef, usize> {
    let parsed = |from: usize, rows: usize| variant::parsed(&(Arc::new(text.slice(from, rows)) as ArrayRef));
    parsed(0, text.len()).map_err(|_| (0..text.len()).find(|row| parsed(*row, 1).is_err()).unwrap_or(0))
}

/// An integer, also as `2.0` or `2e3`.
fn whole<T: FromStr + TryFrom<i128>>(text: &str) -> Option<T> {
    text.trim().parse().ok().or_else(|| match exact(text, &DataType::Decimal { precision: 38, scale: 0 })? {
        Scalar::Decimal { value, .. } => T::try_from(value).ok(),
        _ => None,
    })
}

/// The value that `text` names, when the type holds it.
pub(super) fn exact(text: &str, t: &DataType) -> Option<Scalar> {
    let value = Scalar::from_partition_text(Some(text), t).ok()?;
    let text = text.trim();
    let holds = match &value {
        Scalar::Null => false,
        Scalar::Float(v) => holds_number(text, f64::from(*v), &|| v.abs().to_string()),
        Scalar::Double(v) => holds_number(text, *v, &|| v.abs().to_string()),
        Scalar::Timestamp(_) => !is_finer_than_micros(text),
        Scalar::Date(_) | Scalar::TimestampNtz(_) => !is_finer_than_micros(text) && !has_zone(text),
        _ => true,
    };
    holds.then_some(value)
}

/// Whether a floating value is infinite or zero only as its text says, and a whole number still the same one.
fn holds_number(text: &str, value: f64, shown: &dyn Fn() -> String) -> bool {
    let mantissa = text.split(['e', 'E']).next().unwrap_or(text);
    if !value.is_finite() {
        return !text.bytes().any(|b| b.is_ascii_digit());
    }
    if value == 0.0 {
        return !mantissa.bytes().any(|b| matches!(b, b'1'..=b'9'));
    }
    let digits = text.trim_start_matches(['+', '-']).trim_start_matches('0');
    let is_whole = digits.bytes().all(|b| b.is_ascii_digit());
    !is_whole || digits.len() <= EXACT_DIGITS || digits == shown()
}

fn is_finer_than_micros(text: &str) -> bool {
    let Some((_, fraction)) = text.split_once('.') else { return false };
    let digits = fraction.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.trim_end_matches('0').len() > MICRO_DIGITS
}

fn has_zone(text: &str) -> bool {
    text.split_once(['T', ' ']).is_some_and(|(_, time)| time.contains(|c: char| !c.is_ascii_digit() && c != ':' && c != '.'))
}
