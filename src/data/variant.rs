//! Variants: shredded or not -> one Arrow form; JSON text. Kind: pure. Spec: VAR.
//!
//! Invariant: a variant that comes out is Struct{metadata, value} of plain binary, whatever pieces the file keeps it in. None is parsed
//! before its depth is known: parsers recurse, and a stack that overflows ends the process.

use crate::error::{Code, Error, Result};
use crate::expr::{parsed_json, plain_binary};
use arrow::array::{Array, ArrayRef, AsArray, StringArray, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType as ArrowType, Field as ArrowField, Fields};
use arrow::error::ArrowError;
use chrono::{NaiveDateTime, Timelike};
use parquet_variant::Variant;
use parquet_variant_compute::{VariantArray, unshred_variant};
use parquet_variant_json::VariantToJson;
use std::sync::Arc;

/// How deep lists and objects of one value may lie in each other: half of what a thread's usual stack of 2 MiB bears.
const DEPTH_MAX: usize = 500;

fn broken(e: impl std::fmt::Display) -> Error {
    Error::new(Code::FILE, format!("a variant is damaged: {e}"))
}

/// The variants of a decoded column, put together from their shredded pieces.
pub(super) fn unshredded(array: &ArrayRef) -> Result<ArrayRef> {
    let whole = array.as_struct_opt().ok_or_else(|| broken("it is no group"))?;
    let (metadata, value, nulls) = if whole.column_by_name("typed_value").is_none() {
        let piece = |name| whole.column_by_name(name).cloned().ok_or_else(|| broken(format!("it has no {name}")));
        (piece("metadata")?, piece("value")?, whole.nulls().cloned())
    } else {
        check_pieces(whole)?;
        let joined = VariantArray::try_new(array).and_then(|shredded| unshred_variant(&shredded)).map_err(broken)?;
        (Arc::clone(joined.metadata_column()), Arc::clone(joined.value_column()), joined.nulls().cloned())
    };
    let fields =
        Fields::from(vec![ArrowField::new("metadata", ArrowType::Binary, false), ArrowField::new("value", ArrowType::Binary, false)]);
    let pieces = vec![plain_binary(&metadata)?, plain_binary(&value)?];
    Ok(Arc::new(StructArray::try_new(fields, pieces, nulls).map_err(broken)?))
}

/// Checks the values that a shredded variant keeps whole, at any level.
fn check_pieces(group: &StructArray) -> Result<()> {
    for (field, column) in group.fields().iter().zip(group.columns()) {
        let elements = column.as_list_opt::<i32>().map(|l| l.values()).or_else(|| column.as_list_opt::<i64>().map(|l| l.values()));
        if let Some(inner) = elements.unwrap_or(column).as_struct_opt() {
            check_pieces(inner)?;
        } else if field.name() == "value" {
            cast(column, &ArrowType::Binary)?.as_binary::<i32>().iter().flatten().try_for_each(check)?;
        }
    }
    Ok(())
}

/// Refuses a value whose lists and objects lie too deep in each other, or share bytes so that walking it would never end.
fn check(value: &[u8]) -> Result<()> {
    // Every value inside takes a byte of its own.
    let mut left = value.len();
    walk(value, DEPTH_MAX, &mut left)
}

/// Only nesting counts here: what else is wrong the parser tells.
fn walk(value: &[u8], depth: usize, left: &mut usize) -> Result<()> {
    *left = left.checked_sub(1).ok_or_else(|| broken("its parts overlap"))?;
    let Some(header) = value.first().copied().filter(|header| header & 2 != 0) else { return Ok(()) };
    let depth = depth.checked_sub(1).ok_or_else(|| broken(format!("it is nested deeper than {DEPTH_MAX} levels")))?;
    let width = |shift: u8| usize::from(header >> shift & 3) + 1;
    let is_object = header & 1 == 0;
    let count_width = if header >> if is_object { 6 } else { 4 } & 1 == 1 { 4 } else { 1 };
    let number = |at: usize, width: usize| {
        let bytes = value.get(at..at.checked_add(width)?)?;
        Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    };
    let Some(count) = number(1, count_width) else { return Ok(()) };
    // The names of an object come before the offsets of its values.
    let offsets = 1 + count_width + if is_object { count.saturating_mul(width(4)) } else { 0 };
    let values = (count + 1).saturating_mul(width(2)).saturating_add(offsets);
    for i in 0..count {
        let Some(offset) = number(offsets.saturating_add(i * width(2)), width(2)) else { break };
        if let Some(inner) = value.get(values.saturating_add(offset)..) {
            walk(inner, depth, left)?;
        }
    }
    Ok(())
}

/// The variant of these bytes. `LB-FILE` when they are damaged.
pub(super) fn parse<'m, 'v>(metadata: &'m [u8], value: &'v [u8]) -> Result<Variant<'m, 'v>> {
    check(value)?;
    Variant::try_new(metadata, value).map_err(broken)
}

/// The JSON text of one variant of the Arrow form, as Spark's `to_json` writes it; `None` when it is null.
pub(super) fn json_text(array: &ArrayRef, row: usize) -> Result<Option<String>> {
    let whole = array.as_struct_opt().ok_or_else(|| broken("it is no group"))?;
    let piece = |name| {
        let column = whole.column_by_name(name).and_then(|c| c.as_binary_opt::<i32>());
        column.map(|c| c.value(row)).ok_or_else(|| broken(format!("it has no {name}")))
    };
    if whole.is_null(row) {
        return Ok(None);
    }
    let variant = parse(piece("metadata")?, piece("value")?)?;
    let mut text = String::new();
    write_json(&variant, &mut text)?;
    Ok(Some(text))
}

/// JSON texts of variants of the Arrow form.
pub(crate) fn json_texts(array: &ArrayRef) -> Result<ArrayRef> {
    let texts = (0..array.len()).map(|row| json_text(array, row)).collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(StringArray::from(texts)))
}

/// JSON texts as variants of the Arrow form. `LB-SQL` for text that is no JSON.
pub(crate) fn parsed(texts: &ArrayRef) -> Result<ArrayRef> {
    parsed_json(texts).map_err(|e| {
        Error::new(
            Code::SQL,
            match e {
                ArrowError::ComputeError(text) => text,
                other => other.to_string(),
            },
        )
    })
}

fn write_json(variant: &Variant<'_, '_>, out: &mut String) -> Result<()> {
    use std::fmt::Write;
    let written = match variant {
        Variant::Null => write!(out, "null"),
        Variant::BooleanTrue => write!(out, "true"),
        Variant::BooleanFalse => write!(out, "false"),
        Variant::Int8(v) => write!(out, "{v}"),
        Variant::Int16(v) => write!(out, "{v}"),
        Variant::Int32(v) => write!(out, "{v}"),
        Variant::Int64(v) => write!(out, "{v}"),
        Variant::Float(v) => return write_number(&java_float(f64::from(*v), &format!("{v:e}")), out),
        Variant::Double(v) => return write_number(&java_float(*v, &format!("{v:e}")), out),
        Variant::Decimal4(v) => return write_decimal(i128::from(v.integer()), v.scale(), out),
        Variant::Decimal8(v) => return write_decimal(i128::from(v.integer()), v.scale(), out),
        Variant::Decimal16(v) => return write_decimal(v.integer(), v.scale(), out),
        Variant::Date(v) => write!(out, "\"{}\"", v.format("%Y-%m-%d")),
        Variant::TimestampMicros(v) => write!(out, "\"{}+00:00\"", seconds_text(&v.naive_utc(), 6)),
        Variant::TimestampNanos(v) => write!(out, "\"{}+00:00\"", seconds_text(&v.naive_utc(), 9)),
        Variant::TimestampNtzMicros(v) => write!(out, "\"{}\"", seconds_text(v, 6)),
        Variant::TimestampNtzNanos(v) => write!(out, "\"{}\"", seconds_text(v, 9)),
        Variant::Object(object) => {
            out.push('{');
            for (i, (key, value)) in object.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_string(key, out);
                out.push(':');
                write_json(&value, out)?;
            }
            out.push('}');
            return Ok(());
        }
        Variant::List(list) => {
            out.push('[');
            for (i, value) in list.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_json(&value, out)?;
            }
            out.push(']');
            return Ok(());
        }
        Variant::String(v) => {
            write_string(v, out);
            return Ok(());
        }
        Variant::ShortString(v) => {
            write_string(v.as_str(), out);
            return Ok(());
        }
        // Binary as base64, times and UUIDs: as the library writes them.
        other => {
            out.push_str(&other.to_json_string().map_err(broken)?);
            return Ok(());
        }
    };
    written.map_err(broken)
}

/// Numbers that JSON does not have are text.
fn write_number(text: &str, out: &mut String) -> Result<()> {
    match text {
        "NaN" | "Infinity" | "-Infinity" => write_string(text, out),
        number => out.push_str(number),
    }
    Ok(())
}

fn write_string(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// Java's shortest text of a float: plain from 10^-3 to 10^7, else with an exponent; always with a fraction.
fn java_float(value: f64, scientific: &str) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity".into() } else { "-Infinity".into() };
    }
    let (digits, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if value == 0.0 || (-3..7).contains(&exponent) {
        let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |d| ("-", d));
        let digits = digits.replace('.', "");
        let (whole, fraction) = if exponent < 0 {
            ("0".to_owned(), "0".repeat((-exponent - 1) as usize) + &digits)
        } else {
            let padded = format!("{digits:0<width$}", width = exponent as usize + 1);
            let (whole, fraction) = padded.split_at(exponent as usize + 1);
            (whole.to_owned(), fraction.to_owned())
        };
        return format!("{sign}{whole}.{}", if fraction.is_empty() { "0" } else { &fraction });
    }
    let fraction = if digits.contains('.') { "" } else { ".0" };
    format!("{digits}{fraction}E{exponent}")
}

/// Plain digits without trailing zeros of the fraction.
fn write_decimal(value: i128, scale: u8, out: &mut String) -> Result<()> {
    let digits = value.unsigned_abs().to_string();
    let digits = format!("{digits:0>width$}", width = usize::from(scale) + 1);
    let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
    let fraction = fraction.trim_end_matches('0');
    if value < 0 {
        out.push('-');
    }
    out.push_str(whole);
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    Ok(())
}

fn seconds_text(time: &NaiveDateTime, digits: usize) -> String {
    let text = time.format("%Y-%m-%d %H:%M:%S").to_string();
    let nanos = format!("{:09}", time.nanosecond());
    let fraction = nanos[..digits].trim_end_matches('0');
    if fraction.is_empty() { text } else { format!("{text}.{fraction}") }
}

#[cfg(test)]
#[path = "variant_tests.rs"]
mod tests;
