//! One bound as JSON text, as Spark writes it. Kind: pure. Spec: STA.

use crate::schema::{DataType, Scalar};
use chrono::{DateTime, Duration, NaiveDate};

/// A smallest or greatest value as Parquet keeps it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Bound {
    Int(i128),
    Text(String),
}

/// A JSON string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The text of a lower bound; `None` when there is none to write.
pub(super) fn min(bound: &Bound, t: &DataType, prefix: usize) -> Option<String> {
    match bound {
        Bound::Int(v) => int(*v, t),
        Bound::Text(_) if prefix == 0 => None,
        Bound::Text(text) => Some(quoted(&text.chars().take(prefix).collect::<String>())),
    }
}

/// The text of an upper bound; `None` when there is none to write.
pub(super) fn max(bound: &Bound, t: &DataType, prefix: usize) -> Option<String> {
    match bound {
        Bound::Int(v) => int(*v, t),
        Bound::Text(text) => truncated_max(text, prefix).map(|s| quoted(&s)),
    }
}

/// Text that is not below `text` and little longer than `prefix` UTF-16 units: the prefix and a character above the next one.
/// A next character that is the greatest of all is taken along; `None` when twice the prefix does not suffice.
fn truncated_max(text: &str, prefix: usize) -> Option<String> {
    if prefix == 0 {
        return None;
    }
    let mut out = String::new();
    let mut units = 0;
    for c in text.chars() {
        if units < prefix || c == char::MAX {
            units += c.len_utf16();
            if units > prefix * 2 {
                return None;
            }
            out.push(c);
        } else {
            out.push(if c < '\u{7f}' { '\u{7f}' } else { char::MAX });
            return Some(out);
        }
    }
    Some(out)
}

fn int(v: i128, t: &DataType) -> Option<String> {
    match t {
        DataType::Decimal { scale, .. } => Some(decimal(v, usize::from(*scale))),
        DataType::Date => {
            let days = Duration::try_days(i64::try_from(v).ok()?)?;
            let date = NaiveDate::default().checked_add_signed(days)?;
            Some(format!("\"{}\"", date.format("%Y-%m-%d")))
        }
        // Cut to milliseconds, both bounds, as Spark does; readers add the lost millisecond to the upper one.
        DataType::Timestamp => Some(format!("\"{}Z\"", millis(v)?)),
        DataType::TimestampNtz => Some(format!("\"{}\"", millis(v)?)),
        _ => Some(v.to_string()),
    }
}

fn millis(micros: i128) -> Option<String> {
    let time = DateTime::from_timestamp_millis(i64::try_from(micros.div_euclid(1000)).ok()?)?;
    Some(time.format("%Y-%m-%dT%H:%M:%S%.3f").to_string())
}

/// Plain digits with all `scale` decimals.
fn decimal(v: i128, scale: usize) -> String {
    if scale == 0 {
        return v.to_string();
    }
    let digits = format!("{:0width$}", v.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    format!("{}{whole}.{fraction}", if v < 0 { "-" } else { "" })
}

/// A number as Java spells it, or the name of what JSON has no number for. A `float` gets the shortest text that is this `float`.
pub(super) fn float(v: f64, t: &DataType) -> Option<String> {
    let value = if *t == DataType::Float { Scalar::Float(v as f32) } else { Scalar::Double(v) };
    let text = value.to_partition_text().ok()??;
    Some(if v.is_finite() { text } else { quoted(&text) })
}

#[cfg(test)]
#[path = "stats_text_tests.rs"]
mod tests;
