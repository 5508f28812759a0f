//! The type that text suggests: whole numbers, decimals, ISO dates and times, else text. Kind: pure. Spec: INP.
//!
//! Invariant: every value that was seen fits the type exactly as `text` parses it; where none does, the type is text.

use super::text;
use crate::schema::DataType;
use chrono::NaiveDate;

/// Whole numbers up to here are exact as floating ones.
const DOUBLE_WHOLE_MAX: u64 = 1 << 53;

/// What the values of a column have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Seen {
    Nothing,
    Whole,
    /// Whole numbers, some of which a floating one would change.
    WideWhole,
    Number,
    Day,
    Instant,
    Text,
}

impl Seen {
    /// One value.
    pub(super) fn of(text: &str) -> Seen {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let is_padded = matches!(digits.as_bytes(), [b'0', b'0'..=b'9', ..]);
        if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
            // Postal codes and the like would lose their zeros; a number that no integer holds would lose digits.
            return match text.parse::<i64>() {
                Ok(value) if !is_padded && value.unsigned_abs() <= DOUBLE_WHOLE_MAX => Seen::Whole,
                Ok(_) if !is_padded => Seen::WideWhole,
                _ => Seen::Text,
            };
        }
        if is_decimal(digits) {
            return if is_padded { Seen::Text } else { Seen::Number };
        }
        if is_date(text) {
            return Seen::Day;
        }
        let has_time = text.len() > 11 && text.get(..10).is_some_and(is_date) && matches!(text.as_bytes()[10], b'T' | b' ');
        if has_time && text::exact(text, &DataType::Timestamp).is_some() { Seen::Instant } else { Seen::Text }
    }
    /// Both together.
    pub(super) fn and(self, other: Seen) -> Seen {
        use Seen::*;
        match (self, other) {
            (a, b) if a == b => a,
            (Nothing, seen) | (seen, Nothing) => seen,
            (Whole, WideWhole) | (WideWhole, Whole) => WideWhole,
            (Whole, Number) | (Number, Whole) => Number,
            (Day, Instant) | (Instant, Day) => Instant,
            _ => Text,
        }
    }
    pub(super) fn data_type(self) -> DataType {
        match self {
            Seen::Whole | Seen::WideWhole => DataType::Long,
            Seen::Number => DataType::Double,
            Seen::Day => DataType::Date,
            Seen::Instant => DataType::Timestamp,
            Seen::Nothing | Seen::Text => DataType::String,
        }
    }
}

/// The type for the text of two inputs that suggest these; a whole number that the wider one changes is refused when it is read.
pub(super) fn wider(a: &DataType, b: &DataType) -> DataType {
    match (a, b) {
        (DataType::Long, DataType::Double) | (DataType::Double, DataType::Long) => DataType::Double,
        (DataType::Date, DataType::Timestamp) | (DataType::Timestamp, DataType::Date) => DataType::Timestamp,
        (a, b) if a == b => a.clone(),
        _ => DataType::String,
    }
}

fn is_decimal(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
        && text::exact(text, &DataType::Double).is_some()
}

fn is_date(text: &str) -> bool {
    let b = text.as_bytes();
    b.len() == 10 && b[4] == b'-' && b[7] == b'-' && NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}
