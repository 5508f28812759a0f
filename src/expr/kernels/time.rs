//! Functions of dates and times. All is UTC. Kind: pure. Spec: EXP.

use super::format::Pattern;
use super::rows::{self, Builtin, Out, each, error};
use crate::schema::calendar::{MICROS_DAY, date_of, day_of};
use arrow::array::{ArrayRef, AsArray, Date32Array, Float64Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;
use std::sync::Arc;

pub(super) static ALL: &[Builtin] = &[
    Builtin { name: "date_format", returns: rows::text, run: date_format },
    Builtin { name: "parse_time", returns: rows::instant, run: parse_time },
    Builtin { name: "add_months", returns: rows::date, run: add_months },
    Builtin { name: "last_day", returns: rows::date, run: last_day },
    Builtin { name: "next_day", returns: rows::date, run: next_day },
    Builtin { name: "make_date", returns: rows::date, run: make_date },
    Builtin { name: "make_timestamp", returns: rows::instant, run: make_timestamp },
    Builtin { name: "trunc", returns: rows::date, run: trunc },
    Builtin {
        name: "weekday",
        returns: rows::int,
        run: |a| each::<i32, Int32Array>(a, |r| Ok(Some((day_at(a, r) + 3).rem_euclid(7) as i32))),
    },
    Builtin {
        name: "dayname",
        returns: rows::text,
        run: |a| {
            each::<String, StringArray>(a, |r| Ok(Some(super::format::DAYS[(day_at(a, r) + 3).rem_euclid(7) as usize][..3].to_owned())))
        },
    },
    Builtin {
        name: "monthname",
        returns: rows::text,
        run: |a| each::<String, StringArray>(a, |r| Ok(Some(super::format::MONTHS[date_of(day_at(a, r)).1 as usize - 1][..3].to_owned()))),
    },
    Builtin {
        name: "units_of_time",
        returns: rows::long,
        run: |a| each::<i64, Int64Array>(a, |r| Ok(Some(micros_at(a, 0, r).div_euclid(longs(a, 1, r))))),
    },
    Builtin {
        name: "seconds_toward_zero",
        returns: rows::long,
        run: |a| each::<i64, Int64Array>(a, |r| Ok(Some(micros_at(a, 0, r) / 1_000_000))),
    },
    Builtin { name: "time_of_units", returns: rows::instant, run: time_of_units },
    Builtin { name: "months_between", returns: rows::double, run: months_between },
    Builtin { name: "add_to_date", returns: rows::date, run: add_to_date },
    Builtin { name: "add_to_time", returns: second, run: add_to_time },
];

fn second(args: &[DataType]) -> Option<DataType> {
    args.first().cloned()
}
fn day_at(args: &[ArrayRef], row: usize) -> i64 {
    i64::from(args[0].as_primitive::<Date32Type>().value(row))
}
fn micros_at(args: &[ArrayRef], arg: usize, row: usize) -> i64 {
    args[arg].as_primitive::<TimestampMicrosecondType>().value(row)
}
fn ints(args: &[ArrayRef], arg: usize, row: usize) -> i32 {
    args[arg].as_primitive::<Int32Type>().value(row)
}
fn longs(args: &[ArrayRef], arg: usize, row: usize) -> i64 {
    args[arg].as_primitive::<Int64Type>().value(row)
}
fn out_of_range() -> ArrowError {
    error("a date or time is out of range")
}
fn instants(out: Out) -> Out {
    let out = out?;
    Ok(Arc::new(out.as_primitive::<TimestampMicrosecondType>().clone().with_timezone("UTC")))
}

/// The literal pattern of a call.
fn pattern(args: &[ArrayRef]) -> Result<Pattern, ArrowError> {
    let text = args[1].as_string::<i32>().iter().next().flatten().unwrap_or_default();
    Pattern::new(text).map_err(error)
}

fn date_format(args: &[ArrayRef]) -> Out {
    let pattern = pattern(args)?;
    each::<String, StringArray>(args, |row| Ok(Some(pattern.text(micros_at(args, 0, row)))))
}

fn parse_time(args: &[ArrayRef]) -> Out {
    let pattern = pattern(args)?;
    instants(each::<i64, TimestampMicrosecondArray>(args, |row| {
        let text = args[0].as_string::<i32>().value(row);
        pattern.parse(text).map(Some).ok_or_else(|| error(format!("'{text}' is no time of the given pattern")))
    }))
}

/// The day so many months later; the last of the month when it has no such day.
fn months_later(day: i64, months: i64) -> Option<i32> {
    let (year, month, day) = date_of(day);
    let total = year * 12 + i64::from(month) - 1 + months;
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) as u32 + 1);
    (28..=day.max(28)).rev().find_map(|last| day_of(year, month, day.min(last)))
}

fn add_months(args: &[ArrayRef]) -> Out {
    each::<i32, Date32Array>(args, |row| months_later(day_at(args, row), i64::from(ints(args, 1, row))).map(Some).ok_or_else(out_of_range))
}

fn last_of_month(year: i64, month: u32) -> Option<i32> {
    (28..=31).rev().find_map(|day| day_of(year, month, day))
}

fn last_day(args: &[ArrayRef]) -> Out {
    each::<i32, Date32Array>(args, |row| {
        let (year, month, _) = date_of(day_at(args, row));
        last_of_month(year, month).map(Some).ok_or_else(out_of_range)
    })
}

/// The first day of that name after a day.
fn next_day(args: &[ArrayRef]) -> Out {
    each::<i32, Date32Array>(args, |row| {
        let name = args[1].as_string::<i32>().value(row).to_lowercase();
        let is_named = |day: &&&str| {
            let full = day.to_lowercase();
            [&full[..2], &full[..3], full.as_str()].contains(&name.as_str())
        };
        let wanted =
            super::format::DAYS.iter().position(|day| is_named(&day)).ok_or_else(|| error(format!("'{name}' is no day of the week")))?;
        let day = day_at(args, row);
        let ahead = (wanted as i64 - (day + 3)).rem_euclid(7);
        i32::try_from(day + if ahead == 0 { 7 } else { ahead }).map(Some).map_err(|_| out_of_range())
    })
}

fn make_date(args: &[ArrayRef]) -> Out {
    each::<i32, Date32Array>(args, |row| {
        let (year, month, day) = (ints(args, 0, row), ints(args, 1, row), ints(args, 2, row));
        let found = u32::try_from(month).ok().zip(u32::try_from(day).ok()).and_then(|(m, d)| day_of(i64::from(year), m, d));
        found.map(Some).ok_or_else(|| error(format!("there is no date {year}-{month}-{day}")))
    })
}

/// Year, month, day, hour, minute, and seconds as a decimal of six digits.
fn make_timestamp(args: &[ArrayRef]) -> Out {
    instants(each::<i64, TimestampMicrosecondArray>(args, |row| {
        let part = |arg: usize, most: i32| u32::try_from(ints(args, arg, row)).ok().filter(|n| *n <= most as u32);
        let micros = args[5].as_primitive::<Decimal128Type>().value(row);
        let found = (|| {
            let day = day_of(i64::from(ints(args, 0, row)), part(1, 12)?, part(2, 31)?)?;
            let seconds = i64::try_from(micros).ok().filter(|n| (0..60_000_000).contains(n) || *n == 60_000_000)?;
            let time = (i64::from(part(3, 23)?) * 60 + i64::from(part(4, 59)?)) * 60_000_000 + seconds;
            i64::from(day).checked_mul(MICROS_DAY)?.checked_add(time)
        })();
        found.map(Some).ok_or_else(|| error("there is no such date and time"))
    }))
}

/// The start of the unit around a day; null for a unit that days do not have.
fn trunc(args: &[ArrayRef]) -> Out {
    each::<i32, Date32Array>(args, |row| {
        let day = day_at(args, row);
        let (year, month, _) = date_of(day);
        let start = match args[1].as_string::<i32>().value(row).to_lowercase().as_str() {
            "year" | "yyyy" | "yy" => day_of(year, 1, 1),
            "quarter" => day_of(year, (month - 1) / 3 * 3 + 1, 1),
            "month" | "mon" | "mm" => day_of(year, month, 1),
            "week" => i32::try_from(day - (day + 3).rem_euclid(7)).ok(),
            _ => return Ok(None),
        };
        start.map(Some).ok_or_else(out_of_range)
    })
}

/// So many units of so many microseconds since 1970.
fn time_of_units(args: &[ArrayRef]) -> Out {
    instants(each::<i64, TimestampMicrosecondArray>(args, |row| {
        longs(args, 0, row).checked_mul(longs(args, 1, row)).map(Some).ok_or_else(out_of_range)
    }))
}

/// Whole months between days of the same number or between last days, else with parts of months of 31 days.
fn months_between(args: &[ArrayRef]) -> Out {
    each::<f64, Float64Array>(args, |row| {
        let (a, b) = (micros_at(args, 0, row), micros_at(args, 1, row));
        let parts = |micros: i64| {
            let day = micros.div_euclid(MICROS_DAY);
            let (year, month, of_month) = date_of(day);
            let is_last = last_of_month(year, month).is_some_and(|last| i64::from(last) == day);
            (year * 12 + i64::from(month), i64::from(of_month), is_last, micros.rem_euclid(MICROS_DAY) / 1_000_000)
        };
        let ((months_a, day_a, last_a, time_a), (months_b, day_b, last_b, time_b)) = (parts(a), parts(b));
        let months = (months_a - months_b) as f64;
        if day_a == day_b || last_a && last_b {
            return Ok(Some(months));
        }
        let seconds = (day_a - day_b) * 86_400 + time_a - time_b;
        let exact = months + seconds as f64 / (31.0 * 86_400.0);
        if !args[2].as_boolean().value(row) {
            return Ok(Some(exact));
        }
        Ok(Some((exact * 1e8).round() / 1e8))
    })
}

/// A day plus months and days.
fn add_to_date(args: &[ArrayRef]) -> Out {
    each::<i32, Date32Array>(args, |row| {
        let later = months_later(day_at(args, row), i64::from(ints(args, 1, row))).and_then(|day| day.checked_add(ints(args, 2, row)));
        later.map(Some).ok_or_else(out_of_range)
    })
}

/// A time plus months, days and microseconds.
fn add_to_time(args: &[ArrayRef]) -> Out {
    let out = each::<i64, TimestampMicrosecondArray>(args, |row| {
        let micros = micros_at(args, 0, row);
        let (day, time) = (micros.div_euclid(MICROS_DAY), micros.rem_euclid(MICROS_DAY));
        let later = (|| {
            let day = i64::from(months_later(day, i64::from(ints(args, 1, row)))?) + i64::from(ints(args, 2, row));
            day.checked_mul(MICROS_DAY)?.checked_add(time)?.checked_add(longs(args, 3, row))
        })();
        later.map(Some).ok_or_else(out_of_range)
    })?;
    let zone = args[0].as_primitive::<TimestampMicrosecondType>().timezone().map(Arc::from);
    Ok(Arc::new(out.as_primitive::<TimestampMicrosecondType>().clone().with_timezone_opt::<Arc<str>>(zone)))
}
