//! Days and micros of the hybrid Julian calendar -> the proleptic Gregorian calendar. Kind: pure. Spec: DAT.
//!
//! Spark 2 and Hive counted days before 1582-10-15 in the Julian calendar; the table format counts them in the Gregorian one. The
//! date that was written stays the date that is read (decision: instants are shifted as UTC, whatever zone the writer ran in).

use crate::schema::calendar::{MICROS_DAY, day_of};
use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, RecordBatch, StructArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType as ArrowType, Date32Type, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use parquet::file::metadata::FileMetaData;
use std::sync::Arc;

/// 1582-10-15, the first day of the Gregorian calendar, in days since 1970-01-01.
const CUTOVER: i32 = -141_427;

/// Which values of a file are counted in the hybrid calendar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hybrid {
    /// Dates and INT64 timestamps.
    pub dates: bool,
    /// INT96 timestamps.
    pub int96: bool,
}

impl Hybrid {
    /// What the footer says: Spark's marks, or Spark's version when it is older than 3 (3.1 for INT96). Other writers are Gregorian.
    pub fn of(file: &FileMetaData) -> Hybrid {
        let get = |key: &str| {
            file.key_value_metadata()?.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_deref().unwrap_or_default())
        };
        let version = get("org.apache.spark.version").map(|text| {
            let mut parts = text.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
            (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
        });
        Hybrid {
            dates: get("org.apache.spark.legacyDateTime").is_some() || version.is_some_and(|v| v < (3, 0)),
            int96: get("org.apache.spark.legacyINT96").is_some() || version.is_some_and(|v| v < (3, 1)),
        }
    }
}

/// The day that has the same name in the Gregorian calendar. A day that only the Julian calendar has becomes the one after.
pub(super) fn gregorian_days(days: i32) -> i32 {
    if days >= CUTOVER {
        return days;
    }
    // Julian day number arithmetic, counted from 0000-03-01 of the Julian calendar so that leap days end the year.
    let z = i64::from(days) + 719_470;
    let (era, day_of_era) = (z.div_euclid(1461), z.rem_euclid(1461));
    let year_of_era = (day_of_era - day_of_era / 1460) / 365;
    let day_of_year = day_of_era - 365 * year_of_era;
    let shifted_month = (5 * day_of_year + 2) / 153;
    // Both are small by construction.
    let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as i32;
    let month = ((shifted_month + 2) % 12 + 1) as u32;
    let year = era * 4 + year_of_era + i64::from(month <= 2);
    // The first of that month in the Gregorian calendar, and on from there: the day itself may be none of its days.
    day_of(year, month, 1).map_or(i32::MIN, |first| first.saturating_add(day - 1))
}

/// The instant at the same time of the day of the same name.
pub(super) fn gregorian_micros(micros: i64) -> i64 {
    let days = micros.div_euclid(MICROS_DAY);
    match i32::try_from(days) {
        Ok(day) if day < CUTOVER => {
            let shift = i64::from(gregorian_days(day)) - days;
            micros.saturating_add(shift * MICROS_DAY)
        }
        _ => micros,
    }
}

/// A batch as the file holds it, in the Gregorian calendar. `int96` says of each leaf whether it is stored so.
pub(super) fn gregorian(batch: &RecordBatch, hybrid: Hybrid, int96: &[bool]) -> Result<RecordBatch, ArrowError> {
    let mut leaf = 0;
    let columns = batch.columns().iter().map(|c| shifted(c, hybrid, int96, &mut leaf)).collect::<Result<_, _>>()?;
    RecordBatch::try_new(batch.schema(), columns)
}

fn shifted(array: &ArrayRef, hybrid: Hybrid, int96: &[bool], leaf: &mut usize) -> Result<ArrayRef, ArrowError> {
    Ok(match array.data_type() {
        ArrowType::Struct(fields) => {
            let array = array.as_struct();
            let children = array.columns().iter().map(|c| shifted(c, hybrid, int96, leaf)).collect::<Result<_, _>>()?;
            Arc::new(StructArray::try_new(fields.clone(), children, array.nulls().cloned())?)
        }
        ArrowType::List(element) => {
            let array = array.as_list::<i32>();
            let values = shifted(array.values(), hybrid, int96, leaf)?;
            Arc::new(ListArray::try_new(element.clone(), array.offsets().clone(), values, array.nulls().cloned())?)
        }
        ArrowType::Map(entries, sorted) => {
            let array = array.as_map();
            let pairs: ArrayRef = Arc::new(array.entries().clone());
            let pairs = shifted(&pairs, hybrid, int96, leaf)?.as_struct().clone();
            Arc::new(MapArray::try_new(entries.clone(), array.offsets().clone(), pairs, array.nulls().cloned(), *sorted)?)
        }
        leaf_type => {
            let is_hybrid = if int96.get(*leaf) == Some(&true) { hybrid.int96 } else { hybrid.dates };
            *leaf += 1;
            match leaf_type {
                ArrowType::Date32 if is_hybrid => Arc::new(array.as_primitive::<Date32Type>().unary::<_, Date32Type>(gregorian_days)),
                ArrowType::Timestamp(TimeUnit::Microsecond, zone) if is_hybrid => {
                    let micros = array.as_primitive::<TimestampMicrosecondType>();
                    let micros: TimestampMicrosecondArray = micros.unary(gregorian_micros);
                    Arc::new(micros.with_timezone_opt(zone.clone()))
                }
                _ => Arc::clone(array),
            }
        }
    })
}

#[cfg(test)]
#[path = "calendar_tests.rs"]
mod tests;
