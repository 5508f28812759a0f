//! Values <-> the text of `partitionValues`. Kind: pure. Spec: PV.
//!
//! Writes what Spark writes; reads that, the older and the other engines' spellings of the same value, and nothing that would need a
//! guess. Invariant: what is written is read back equal. A timestamp without a zone is UTC, because a reader cannot know the
//! writer's session zone.

use super::calendar::{MICROS_DAY, day_of};
use super::cast_text::{date_text, double_text, float_text, split_micros, timestamp_text};
use super::{DataType, Scalar};
use crate::error::{Code, Error, Result};

impl Scalar {
    /// Decodes a partition value (`None` and the empty string are null). `LB-SCHEMA` with the text when it does not parse.
    pub fn from_partition_text(text: Option<&str>, data_type: &DataType) -> Result<Scalar> {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(Scalar::Null) };
        let bare = text.trim();
        let value = match data_type {
            DataType::String => Some(Scalar::String(text.to_owned())),
            DataType::Binary => Some(Scalar::Binary(text.as_bytes().to_vec())),
            DataType::Long => bare.parse().ok().map(Scalar::Long),
            DataType::Integer => bare.parse().ok().map(Scalar::Integer),
            DataType::Short => bare.parse().ok().map(Scalar::Short),
            DataType::Byte => bare.parse().ok().map(Scalar::Byte),
            DataType::Float => bare.parse().ok().map(Scalar::Float),
            DataType::Double => bare.parse().ok().map(Scalar::Double),
            DataType::Boolean => parse_boolean(bare).map(Scalar::Boolean),
            DataType::Date => parse_date_time(bare).and_then(|t| t.day()).map(Scalar::Date),
            DataType::Timestamp => parse_date_time(bare).and_then(|t| t.utc_micros()).map(Scalar::Timestamp),
            DataType::TimestampNtz => parse_date_time(bare).and_then(|t| t.local_micros()).map(Scalar::TimestampNtz),
            DataType::Decimal { precision, scale } => {
                parse_decimal(bare, *precision, *scale).map(|value| Scalar::Decimal { value, precision: *precision, scale: *scale })
            }
            DataType::Void
            | DataType::Variant
            | DataType::Struct(_)
            | DataType::Array { .. }
            | DataType::Map { .. }
            | DataType::Unknown(_) => {
                return Err(Error::new(Code::SCHEMA, format!("a column of type {data_type} cannot be a partition column")));
            }
        };
        value.ok_or_else(|| Error::new(Code::SCHEMA, format!("the partition value `{text}` is not a {data_type}")))
    }

    /// The text that Spark writes into `partitionValues`; null, the empty string and empty bytes give `None`. `LB-SCHEMA` for bytes
    /// that are not UTF-8: no text stands for them in a way that other engines read back.
    pub fn to_partition_text(&self) -> Result<Option<String>> {
        Ok(Some(match self {
            Scalar::Null => return Ok(None),
            Scalar::String(text) if text.is_empty() => return Ok(None),
            Scalar::Binary(bytes) if bytes.is_empty() => return Ok(None),
            Scalar::String(text) => text.clone(),
            Scalar::Binary(bytes) => std::str::from_utf8(bytes)
                .map_err(|e| {
                    Error::new(Code::SCHEMA, "binary partition values must be valid UTF-8")
                        .help("partition by another column, or by a text form of this one")
                        .caused_by(e)
                })?
                .to_owned(),
            Scalar::Long(v) => v.to_string(),
            Scalar::Integer(v) => v.to_string(),
            Scalar::Short(v) => v.to_string(),
            Scalar::Byte(v) => v.to_string(),
            Scalar::Float(v) => float_text(*v),
            Scalar::Double(v) => double_text(*v),
            Scalar::Boolean(v) => v.to_string(),
            Scalar::Decimal { value, scale, .. } => decimal_text(*value, *scale),
            Scalar::Date(days) => date_text(*days),
            Scalar::Timestamp(micros) => {
                let (date, time, fraction) = split_micros(*micros);
                format!("{date}T{time}.{fraction:06}Z")
            }
            Scalar::TimestampNtz(micros) => timestamp_text(*micros),
        }))
    }
}

fn parse_boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// The unscaled value of plain or scientific decimal text; `None` when digits would be lost or there are too many.
fn parse_decimal(text: &str, precision: u8, scale: u8) -> Option<i128> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    // How many zeros stand behind the digits at the wanted scale; negative when digits would have to go.
    let shift = i64::from(scale) + i64::from(exponent) - i64::try_from(fraction.len()).ok()?;
    let mut significant = format!("{whole}{fraction}");
    let mut shift = shift;
    while shift < 0 && significant.ends_with('0') {
        significant.pop();
        shift += 1;
    }
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    if shift < 0 || i64::try_from(significant.len()).ok()? + shift > i64::from(precision) {
        return None;
    }
    // At most 38 digits from here on, which an i128 holds.
    let value = significant.parse::<i128>().ok()? * 10i128.checked_pow(u32::try_from(shift).ok()?)?;
    Some(if negative { -value } else { value })
}

fn decimal_text(value: i128, scale: u8) -> String {
    let (sign, digits) = (if value < 0 { "-" } else { "" }, value.unsigned_abs().to_string());
    let scale = usize::from(scale);
    if scale == 0 {
        return format!("{sign}{digits}");
    }
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    format!("{sign}{whole}.{fraction}")
}

/// A date with an optional time and zone, as text has it.
struct DateTime {
    day: i32,
    /// Microseconds into the day.
    time: i64,
    /// Seconds east of UTC.
    zone: Option<i64>,
}

impl DateTime {
    /// The date, when nothing but midnight stands behind it.
    fn day(&self) -> Option<i32> {
        (self.time == 0).then_some(self.day)
    }
    fn local_micros(&self) -> Option<i64> {
        i64::try_from(i128::from(self.day) * i128::from(MICROS_DAY) + i128::from(self.time)).ok()
    }
    fn utc_micros(&self) -> Option<i64> {
        self.local_micros()?.checked_sub(self.zone.unwrap_or(0) * 1_000_000)
    }
}

/// `[±]y…-[m]m-[d]d[( |T)[H]H:mm[:ss[.f…]]][zone]`
fn parse_date_time(text: &str) -> Option<DateTime> {
    let (negative, rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (year, rest) = digits(rest, 4, 7)?;
    let (month, rest) = digits(rest.strip_prefix('-')?, 1, 2)?;
    let (day, rest) = digits(rest.strip_prefix('-')?, 1, 2)?;
    let year = if negative { -year } else { year };
    let day = day_of(year, u32::try_from(month).ok()?, u32::try_from(day).ok()?)?;
    let Some(rest) = rest.strip_prefix(['T', ' ']) else {
        return rest.is_empty().then_some(DateTime { day, time: 0, zone: None });
    };
    let (hour, rest) = digits(rest, 1, 2)?;
    let (minute, mut rest) = digits(rest.strip_prefix(':')?, 2, 2)?;
    let (mut second, mut micros) = (0, 0);
    if let Some(tail) = rest.strip_prefix(':') {
        (second, rest) = digits(tail, 2, 2)?;
        if let Some(tail) = rest.strip_prefix('.') {
            let len = tail.bytes().take_while(u8::is_ascii_digit).count();
            if len > 9 {
                return None;
            }
            // Whole microseconds; finer digits are cut, which is the floor.
            micros = format!("{:0<6}", &tail[..len]).get(..6)?.parse().ok()?;
            rest = &tail[len..];
        }
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let zone = parse_zone(rest.trim_start())?;
    Some(DateTime { day, time: ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros, zone })
}

/// The outer `None` is "not a zone", the inner one "no zone".
fn parse_zone(text: &str) -> Option<Option<i64>> {
    if text.is_empty() {
        return Some(None);
    }
    if text.eq_ignore_ascii_case("z") || text.eq_ignore_ascii_case("utc") || text.eq_ignore_ascii_case("gmt") {
        return Some(Some(0));
    }
    let (sign, rest) = match text.as_bytes()[0] {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let (hours, rest) = digits(rest, 1, 2)?;
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    let (minutes, rest) = if rest.is_empty() { (0, "") } else { digits(rest, 2, 2)? };
    (rest.is_empty() && hours <= 18 && minutes <= 59).then_some(Some(sign * (hours * 60 + minutes) * 60))
}

/// A number of `min` to `max` digits at the start of `text`, and what follows.
fn digits(text: &str, min: usize, max: usize) -> Option<(i64, &str)> {
    let len = text.bytes().take(max).take_while(u8::is_ascii_digit).count();
    if len < min {
        return None;
    }
    Some((text[..len].parse().ok()?, &text[len..]))
}

#[cfg(test)]
#[path = "partition_text_tests.rs"]
mod tests;
