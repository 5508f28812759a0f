//! The type that text suggests: whole numbers, decimals, ISO dates and times, else text. Kind: pure. Spec: INP.

use crate::schema::DataType;
use arrow::compute::kernels::cast_utils::string_to_datetime;
use chrono::{NaiveDate, Utc};

/// The narrowest type that holds this text.
pub(super) fn type_of(text: &str) -> DataType {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        // A number that no integer holds would lose digits as a floating one.
        return if text.parse::<i64>().is_ok() { DataType::Long } else { DataType::String };
    }
    if is_decimal(digits) {
        return DataType::Double;
    }
    if is_date(text) {
        return DataType::Date;
    }
    if text.len() > 11
        && text.get(..10).is_some_and(is_date)
        && matches!(text.as_bytes()[10], b'T' | b' ')
        && string_to_datetime(&Utc, text).is_ok()
    {
        return DataType::Timestamp;
    }
    DataType::String
}

/// The type that holds values of both.
pub(super) fn wider(a: &DataType, b: &DataType) -> DataType {
    match (a, b) {
        (a, b) if a == b => a.clone(),
        (DataType::Void, t) | (t, DataType::Void) => t.clone(),
        (DataType::Long, DataType::Double) | (DataType::Double, DataType::Long) => DataType::Double,
        (DataType::Date, DataType::Timestamp) | (DataType::Timestamp, DataType::Date) => DataType::Timestamp,
        _ => DataType::String,
    }
}

fn is_decimal(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
        && text.parse::<f64>().is_ok_and(f64::is_finite)
}

fn is_date(text: &str) -> bool {
    let b = text.as_bytes();
    b.len() == 10 && b[4] == b'-' && b[7] == b'-' && NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}
