//! Values -> the text that Spark's CAST makes of them. Kind: pure. Spec: PV, EXP.
//!
//! Where Arrow writes a value otherwise, its Spark text is made here, for partition values and for expressions alike.

use super::calendar::{MICROS_DAY, date_of};

/// The text of a double.
pub(crate) fn double_text(value: f64) -> String {
    java_float(value, &format!("{value:e}"))
}

/// The text of a float, with its own shortest digits.
pub(crate) fn float_text(value: f32) -> String {
    java_float(f64::from(value), &format!("{value:e}"))
}

/// The text of an instant in UTC, or of a local time; zeros at the end of the fraction are not written.
pub(crate) fn timestamp_text(micros: i64) -> String {
    let (date, time, fraction) = split_micros(micros);
    match fraction {
        0 => format!("{date} {time}"),
        _ => format!("{date} {time}.{}", format!("{fraction:06}").trim_end_matches('0')),
    }
}

/// Java's text of a floating number, from its shortest digits in the form `d.ddde±x`.
fn java_float(value: f64, shortest: &str) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    if value.is_infinite() {
        return format!("{sign}Infinity");
    }
    let (mantissa, exponent) = shortest.trim_start_matches('-').split_once('e').unwrap_or((shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits = mantissa.replace('.', "");
    match exponent {
        -3..=-1 => format!("{sign}0.{}{digits}", "0".repeat(exponent.unsigned_abs() as usize - 1)),
        0..=6 => {
            let whole_len = exponent as usize + 1;
            let padded = format!("{digits:0<whole_len$}");
            let (whole, fraction) = padded.split_at(whole_len);
            format!("{sign}{whole}.{}", if fraction.is_empty() { "0" } else { fraction })
        }
        _ => {
            let (first, rest) = digits.split_at(1);
            format!("{sign}{first}.{}E{exponent}", if rest.is_empty() { "0" } else { rest })
        }
    }
}

/// The text of a day; years beyond four digits have a sign.
pub(crate) fn date_text(day: i32) -> String {
    day_text(i64::from(day))
}

fn day_text(day: i64) -> String {
    match date_of(day) {
        (year @ 0..=9999, month, day) => format!("{year:04}-{month:02}-{day:02}"),
        (year, month, day) => format!("{}{:04}-{month:02}-{day:02}", if year < 0 { '-' } else { '+' }, year.abs()),
    }
}

/// The text of the day, of the time to the second, and the microseconds that are left.
pub(super) fn split_micros(micros: i64) -> (String, String, i64) {
    let (day, rest) = (micros.div_euclid(MICROS_DAY), micros.rem_euclid(MICROS_DAY));
    let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
    (day_text(day), format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60), fraction)
}
