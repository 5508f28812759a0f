//! Days <-> proleptic Gregorian dates, for every day that an i32 can count. Kind: pure. Spec: PV.
//!
//! Delta's dates reach further than chrono's calendar does, so the two conversions stand here. A day count is relative to
//! 1970-01-01; inside, years begin in March and are grouped into eras of 400 years (146,097 days).

pub(crate) const MICROS_DAY: i64 = 86_400_000_000;
const ERA_DAYS: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_SHIFT: i64 = 719_468;

/// The day of a date; `None` when there is no such date (`month` and `day` count from 1) or it lies outside i32.
pub(crate) fn day_of(year: i64, month: u32, day: u32) -> Option<i32> {
    if !(1..=12).contains(&month) || day == 0 || day > days_in(year, month) || year.abs() > 6_000_000 {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    i32::try_from(era * ERA_DAYS + day_of_era - EPOCH_SHIFT).ok()
}

/// Year, month and day of a day.
pub(crate) fn date_of(day: i64) -> (i64, u32, u32) {
    let shifted = day + EPOCH_SHIFT;
    let (era, day_of_era) = (shifted.div_euclid(ERA_DAYS), shifted.rem_euclid(ERA_DAYS));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    // Both are small by construction.
    (year, month as u32, day as u32)
}

fn days_in(year: i64, month: u32) -> u32 {
    match month {
        2 if year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
