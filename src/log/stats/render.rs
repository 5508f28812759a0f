//! A row of `stats_parsed` -> the statistics text of the log. Kind: pure. Spec: CKP.
//!
//! Needed where a checkpoint carries only parsed statistics. Invariant: a value that is null says nothing and is left out.

use arrow::array::{Array, ArrayRef, StructArray, cast::AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// The text of one row; `None` where the row has no statistics.
pub(crate) fn stats_text(parsed: &StructArray, row: usize) -> Option<String> {
    if parsed.is_null(row) {
        return None;
    }
    let mut out = String::new();
    object(parsed, row, &mut out);
    (out != "{}").then_some(out)
}

fn object(values: &StructArray, row: usize, out: &mut String) {
    out.push('{');
    for (field, column) in values.fields().iter().zip(values.columns()) {
        let before = out.len();
        if !out.ends_with('{') {
            out.push(',');
        }
        out.push_str(&serde_json::Value::from(field.name().as_str()).to_string());
        out.push(':');
        if column.is_null(row) || !value(column, row, out) {
            out.truncate(before);
        }
    }
    out.push('}');
}

/// False when the value has no form in statistics.
fn value(column: &ArrayRef, row: usize, out: &mut String) -> bool {
    match column.data_type() {
        DataType::Struct(_) => {
            object(column.as_struct(), row, out);
            return !out.ends_with("{}");
        }
        DataType::Boolean => out.push_str(if column.as_boolean().value(row) { "true" } else { "false" }),
        DataType::Int8 => out.push_str(&column.as_primitive::<Int8Type>().value(row).to_string()),
        DataType::Int16 => out.push_str(&column.as_primitive::<Int16Type>().value(row).to_string()),
        DataType::Int32 => out.push_str(&column.as_primitive::<Int32Type>().value(row).to_string()),
        DataType::Int64 => out.push_str(&column.as_primitive::<Int64Type>().value(row).to_string()),
        DataType::Float32 => float(
            f64::from(column.as_primitive::<Float32Type>().value(row)),
            column.as_primitive::<Float32Type>().value(row).to_string(),
            out,
        ),
        DataType::Float64 => {
            float(column.as_primitive::<Float64Type>().value(row), column.as_primitive::<Float64Type>().value(row).to_string(), out)
        }
        DataType::Decimal128(_, _) => out.push_str(&column.as_primitive::<Decimal128Type>().value_as_string(row)),
        DataType::Utf8View => out.push_str(&serde_json::Value::from(column.as_string_view().value(row)).to_string()),
        DataType::Utf8 => out.push_str(&serde_json::Value::from(column.as_string::<i32>().value(row)).to_string()),
        DataType::Date32 => match column.as_primitive::<Date32Type>().value_as_date(row) {
            Some(date) => quoted(&date.format("%Y-%m-%d").to_string(), out),
            None => return false,
        },
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            match column.as_primitive::<TimestampMicrosecondType>().value_as_datetime(row) {
                Some(time) => {
                    let zone = if zone.is_some() { "Z" } else { "" };
                    quoted(&format!("{}{zone}", time.format("%Y-%m-%dT%H:%M:%S%.6f")), out)
                }
                None => return false,
            }
        }
        DataType::Decimal32(_, _) | DataType::Decimal64(_, _) | DataType::Decimal256(_, _) => {
            match ArrayFormatter::try_new(column.as_ref(), &FormatOptions::default()) {
                Ok(text) => out.push_str(&text.value(row).to_string()),
                Err(_) => return false,
            }
        }
        _ => return false,
    }
    true
}

fn float(value: f64, text: String, out: &mut String) {
    if value.is_finite() {
        out.push_str(&text);
    } else if value.is_nan() {
        out.push_str("\"NaN\"");
    } else {
        out.push_str(if value > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" });
    }
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    out.push_str(text);
    out.push('"');
}
