//! Texts of statistics -> values. Kind: pure. Spec: SKIP.
//!
//! Invariant: what does not parse exactly is `None`, which means unknown; decimals never pass through binary floating point.

/// Which end of a range a value stands for: digits that do not fit are rounded outwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    Min,
    Max,
}

pub(super) fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    let mut value = 0i64;
    for d in digits {
        let digit = i64::from(d.wrapping_sub(b'0'));
        if !(0..=9).contains(&digit) {
            return None;
        }
        // Counted downwards, so that the least number is reached.
        value = value.checked_mul(10)?.checked_sub(digit)?;
    }
    if negative { Some(value) } else { value.checked_neg() }
}

/// `12.340`, `-1E+3`, … as a whole number of units of `10^-scale`.
pub(super) fn decimal(text: &[u8], scale: i32, bound: Bound) -> Option<i128> {
    let text = std::str::from_utf8(text).ok()?;
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((m, e)) => (m, e.strip_prefix('+').unwrap_or(e).parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut value = 0i128;
    for digit in whole.bytes().chain(fraction.bytes()) {
        value = value.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
    }
    if negative {
        value = -value;
    }
    let shift = scale.checked_add(exponent)?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    if value == 0 {
        return Some(0);
    }
    let power = 10i128.checked_pow(shift.unsigned_abs());
    if shift >= 0 {
        return value.checked_mul(power?);
    }
    match (power, bound) {
        (Some(p), Bound::Min) => Some(value.div_euclid(p)),
        (Some(p), Bound::Max) => Some(-(-value).div_euclid(p)),
        (None, _) => None,
    }
}

/// Also `NaN`, `Infinity`, `-Infinity` and `inf`.
pub(super) fn float(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

pub(super) fn boolean(text: &[u8]) -> Option<bool> {
    match text {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

/// `2020-01-31`, also `+10000-01-01` and `-0001-01-01`: days since 1970.
pub(super) fn date(text: &[u8]) -> Option<i32> {
    let (days, rest) = date_prefix(text)?;
    // A date of a column that was a timestamp ends behind it.
    (rest.is_empty() || matches!(rest[0], b'T' | b' ')).then_some(days)
}

fn date_prefix(text: &[u8]) -> Option<(i32, &[u8])> {
    let (sign, body) = match text {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        rest => (1, rest),
    };
    let (year, rest) = number(body)?;
    let (month, rest) = number(rest.strip_prefix(b"-")?)?;
    let (day, rest) = number(rest.strip_prefix(b"-")?)?;
    let year = sign * i32::try_from(year).ok()?;
    let date = chrono::NaiveDate::from_ymd_opt(year, u32::try_from(month).ok()?, u32::try_from(day).ok()?)?;
    let days = date.signed_duration_since(chrono::NaiveDate::default()).num_days();
    Some((i32::try_from(days).ok()?, rest))
}

/// `2020-01-31T01:02:03.123Z`, with any fraction, with an offset or without a zone (then UTC), or only a date: microseconds.
pub(super) fn timestamp(text: &[u8]) -> Option<i64> {
    let (days, rest) = date_prefix(text)?;
    let midnight = i64::from(days).checked_mul(86_400_000_000)?;
    let [b'T' | b' ', rest @ ..] = rest else { return rest.is_empty().then_some(midnight) };
    let (hour, rest) = number(rest)?;
    let (minute, rest) = number(rest.strip_prefix(b":")?)?;
    let (second, mut rest) = match rest.strip_prefix(b":") {
        Some(rest) => number(rest)?,
        None => (0, rest),
    };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut micros = 0i64;
    if let [b'.', digits @ ..] = rest {
        let count = digits.iter().take_while(|b| b.is_ascii_digit()).count();
        if count == 0 {
            return None;
        }
        for i in 0..6 {
            micros = micros * 10 + digits[..count].get(i).map_or(0, |b| i64::from(b - b'0'));
        }
        rest = &digits[count..];
    }
    let offset = match rest {
        b"" | b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), zone @ ..] => {
            let (hours, zone) = number(&zone[..zone.len().min(2)]).map(|(h, _)| (h, &zone[zone.len().min(2)..]))?;
            let zone = zone.strip_prefix(b":").unwrap_or(zone);
            let (minutes, _) = if zone.is_empty() { (0, zone) } else { number(zone).filter(|(_, rest)| rest.is_empty())? };
            let seconds = hours * 3600 + minutes * 60;
            if *sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    let seconds = hour * 3600 + minute * 60 + second - offset;
    midnight.checked_add(seconds * 1_000_000 + micros)
}

/// Leading digits, at most nine.
fn number(text: &[u8]) -> Option<(i64, &[u8])> {
    let count = text.iter().take_while(|b| b.is_ascii_digit()).count();
    (1..=9).contains(&count).then(|| (text[..count].iter().fold(0, |n, b| n * 10 + i64::from(b - b'0')), &text[count..]))
}
