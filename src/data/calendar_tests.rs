use super::*;
use chrono::{Datelike, NaiveDate};

fn day(y: i32, m: u32, d: u32) -> i32 {
    NaiveDate::from_ymd_opt(y, m, d).unwrap().num_days_from_ce() - 719_163
}

// spec: DAT-9
#[test]
fn julian_days_keep_their_names() {
    // The Julian calendar ran 10 days behind at the cutover, 2 days ahead in the year 1.
    assert_eq!(gregorian_days(CUTOVER), CUTOVER);
    assert_eq!(gregorian_days(CUTOVER - 1), day(1582, 10, 4));
    assert_eq!(gregorian_days(day(1500, 1, 10)), day(1500, 1, 1));
    assert_eq!(gregorian_days(-719_164), day(1, 1, 1));
    assert_eq!(gregorian_days(day(2024, 2, 29)), day(2024, 2, 29));
}

// spec: DAT-9
#[test]
fn leap_day_of_the_julian_calendar_alone_becomes_the_next_day() {
    // 1500-02-29 (Julian) is 1500-03-10 (Gregorian); 1500 is no leap year there.
    assert_eq!(gregorian_days(day(1500, 3, 10)), day(1500, 3, 1));
    assert_eq!(gregorian_days(day(1500, 3, 11)), day(1500, 3, 1));
    assert_eq!(gregorian_days(day(1500, 3, 9)), day(1500, 2, 28));
}

// spec: DAT-9
#[test]
fn time_of_day_is_kept() {
    let noon = MICROS_DAY / 2 + 1;
    let before = i64::from(day(1500, 1, 10)) * MICROS_DAY + noon;
    assert_eq!(gregorian_micros(before), i64::from(day(1500, 1, 1)) * MICROS_DAY + noon);
    assert_eq!(gregorian_micros(-1), -1);
    assert_eq!(gregorian_micros(i64::MAX), i64::MAX);
    gregorian_micros(i64::MIN);
}
