//! Literals and types: what text means, which type two sides share, whether a literal fits a column exactly. Kind: pure. Spec: EXP.
//!
//! Invariant: a literal is moved to a column's type only without loss; what lies between two values of that type says so.

use super::node::Node;
use crate::schema::{DataType, Scalar};

const DIGITS_MAX: u8 = 38;

/// The literal that digits and a suffix (`L`, `S`, `Y`, `D`, `F`, `BD`) spell.
pub(super) fn number(text: &str, suffix: &str) -> Option<Node> {
    let double = |text: &str| text.parse::<f64>().ok().filter(|v| v.is_finite()).map(Scalar::Double);
    let value = match suffix {
        "L" => Scalar::Long(text.parse().ok()?),
        "S" => Scalar::Short(text.parse().ok()?),
        "Y" => Scalar::Byte(text.parse().ok()?),
        "D" => double(text)?,
        "F" => Scalar::Float(text.parse::<f32>().ok().filter(|v| v.is_finite())?),
        "BD" => decimal(text)?,
        "" if text.contains(['e', 'E']) => double(text)?,
        "" if text.contains('.') => decimal(text)?,
        "" => {
            if let Ok(v) = text.parse::<i32>() {
                Scalar::Integer(v)
            } else if let Ok(v) = text.parse::<i64>() {
                Scalar::Long(v)
            } else {
                decimal(text)?
            }
        }
        _ => return None,
    };
    let data_type = super::node::type_of(&value);
    Some(Node::Literal(value, data_type))
}

/// The decimal that text spells, with just the digits that it has.
fn decimal(text: &str) -> Option<Scalar> {
    let bare = text.trim();
    let digits = bare.strip_prefix(['-', '+']).unwrap_or(bare);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if digits.contains(['e', 'E']) || whole.len() + fraction.len() > 400 {
        return None;
    }
    let scale = u8::try_from(fraction.len()).ok()?;
    let whole = u8::try_from(whole.trim_start_matches('0').len()).ok()?;
    let precision = (whole.checked_add(scale)?).max(1);
    parse(bare, &DataType::Decimal { precision: Some(precision).filter(|p| *p <= DIGITS_MAX)?, scale })
}

/// The bytes of hexadecimal text.
pub(super) fn hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() {
        return None;
    }
    let text = if text.len().is_multiple_of(2) { text.to_owned() } else { format!("0{text}") };
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).ok()).collect()
}

/// The value of a type that text spells. Text without a zone is UTC.
pub(super) fn parse(text: &str, to: &DataType) -> Option<Scalar> {
    let bare = text.trim();
    let read = |to: &DataType| Scalar::from_partition_text(Some(bare), to).ok().filter(|v| *v != Scalar::Null);
    match to {
        DataType::String => Some(Scalar::String(text.to_owned())),
        DataType::Binary => Some(Scalar::Binary(text.as_bytes().to_vec())),
        DataType::Date => read(to).or_else(|| match read(&DataType::TimestampNtz)? {
            Scalar::TimestampNtz(micros) => i32::try_from(micros.div_euclid(86_400_000_000)).ok().map(Scalar::Date),
            _ => None,
        }),
        DataType::Boolean => match bare.to_ascii_lowercase().as_str() {
            "t" | "y" | "yes" | "1" => Some(Scalar::Boolean(true)),
            "f" | "n" | "no" | "0" => Some(Scalar::Boolean(false)),
            _ => read(to),
        },
        _ => read(to),
    }
}

/// What text compared with a number means: an integer, a decimal or a double, whichever holds it.
pub(super) fn parse_number(text: &str) -> Option<Scalar> {
    let bare = text.trim();
    bare.parse::<i64>().ok().map(Scalar::Long).or_else(|| decimal(bare)).or_else(|| bare.parse::<f64>().ok().map(Scalar::Double))
}

/// The literal with its sign changed; `None` for what is no numeric literal, or has no such value in its type.
pub(super) fn negated(node: &Node) -> Option<Node> {
    let Node::Literal(value, data_type) = node else { return None };
    let value = match value {
        Scalar::Long(v) => Scalar::Long(v.checked_neg()?),
        Scalar::Integer(v) => Scalar::Integer(v.checked_neg()?),
        Scalar::Short(v) => Scalar::Short(v.checked_neg()?),
        Scalar::Byte(v) => Scalar::Byte(v.checked_neg()?),
        Scalar::Float(v) => Scalar::Float(-v),
        Scalar::Double(v) => Scalar::Double(-v),
        Scalar::Decimal { value, precision, scale } => Scalar::Decimal { value: -value, precision: *precision, scale: *scale },
        _ => return None,
    };
    Some(Node::Literal(value, data_type.clone()))
}

pub(super) fn is_integer(t: &DataType) -> bool {
    matches!(t, DataType::Byte | DataType::Short | DataType::Integer | DataType::Long)
}
pub(super) fn is_float(t: &DataType) -> bool {
    matches!(t, DataType::Float | DataType::Double)
}
pub(super) fn is_number(t: &DataType) -> bool {
    is_integer(t) || is_float(t) || matches!(t, DataType::Decimal { .. })
}
/// Types whose values can be compared with each other.
pub(super) fn is_atomic(t: &DataType) -> bool {
    !matches!(t, DataType::Variant | DataType::Struct(_) | DataType::Array { .. } | DataType::Map { .. } | DataType::Unknown(_))
}

fn width(t: &DataType) -> u8 {
    match t {
        DataType::Byte => 3,
        DataType::Short => 5,
        DataType::Integer => 10,
        _ => 20,
    }
}

/// How many digits an integer needs: a literal its own, a column those of its type.
pub(super) fn digits(node: &Node, t: &DataType) -> u8 {
    let value = match node {
        Node::Literal(value, _) => exact(value).map(|(value, _)| value),
        _ => None,
    };
    value.map_or(width(t), |value| value.unsigned_abs().checked_ilog10().map_or(1, |n| n as u8 + 1))
}

/// The type in which values of two types compare and mix, as Spark's ANSI mode chooses it.
pub(super) fn common_type(a: &DataType, b: &DataType) -> Option<DataType> {
    use DataType::*;
    if a == b {
        return Some(a.clone());
    }
    Some(match (a, b) {
        (Void, t) | (t, Void) => t.clone(),
        (String, t) | (t, String) if is_integer(t) => Long,
        (String, t) | (t, String) if is_number(t) => Double,
        (String, t) | (t, String) if is_atomic(t) => t.clone(),
        (x, y) if is_integer(x) && is_integer(y) => {
            if width(x) >= width(y) {
                x.clone()
            } else {
                y.clone()
            }
        }
        (x, y) if is_number(x) && is_number(y) && (is_float(x) || is_float(y)) => Double,
        (Decimal { precision: p, scale: s }, Decimal { precision: q, scale: t }) => {
            let scale = *s.max(t);
            let precision = (p.saturating_sub(*s)).max(q.saturating_sub(*t)).saturating_add(scale);
            if precision > DIGITS_MAX {
                return Some(Double);
            }
            Decimal { precision, scale }
        }
        (Decimal { .. }, i) if is_integer(i) => return common_type(a, &Decimal { precision: width(i), scale: 0 }),
        (i, Decimal { .. }) if is_integer(i) => return common_type(&Decimal { precision: width(i), scale: 0 }, b),
        (Date, Timestamp) | (Timestamp, Date) | (Timestamp, TimestampNtz) | (TimestampNtz, Timestamp) => Timestamp,
        (Date, TimestampNtz) | (TimestampNtz, Date) => TimestampNtz,
        _ => return None,
    })
}

/// Where a literal lies among the values of a type.
pub(super) enum Fit {
    /// It is this one.
    Exact(Scalar),
    /// It is none; this is the greatest below it.
    Above(Scalar),
    /// It is less than all.
    TooSmall,
    /// It is greater than all.
    TooLarge,
    /// The type does not decide it; compare in the common type.
    Unknown,
}

/// Where a non-null literal lies among the values of `to`.
pub(super) fn fit(literal: &Scalar, to: &DataType) -> Fit {
    if super::node::type_of(literal) == *to {
        return Fit::Exact(literal.clone());
    }
    match (literal, to) {
        (Scalar::Double(v), DataType::Float) if f64::from(*v as f32) == *v || v.is_nan() => Fit::Exact(Scalar::Float(*v as f32)),
        (Scalar::Float(v), DataType::Double) => Fit::Exact(Scalar::Double(f64::from(*v))),
        (Scalar::Date(day), DataType::Timestamp) => match i64::from(*day).checked_mul(86_400_000_000) {
            Some(micros) => Fit::Exact(Scalar::Timestamp(micros)),
            None => Fit::Unknown,
        },
        (Scalar::Date(day), DataType::TimestampNtz) => match i64::from(*day).checked_mul(86_400_000_000) {
            Some(micros) => Fit::Exact(Scalar::TimestampNtz(micros)),
            None => Fit::Unknown,
        },
        (Scalar::Timestamp(v), DataType::TimestampNtz) => Fit::Exact(Scalar::TimestampNtz(*v)),
        (Scalar::TimestampNtz(v), DataType::Timestamp) => Fit::Exact(Scalar::Timestamp(*v)),
        (Scalar::Timestamp(v) | Scalar::TimestampNtz(v), DataType::Date) => {
            let (day, rest) = (v.div_euclid(86_400_000_000), v.rem_euclid(86_400_000_000));
            match i32::try_from(day) {
                Ok(day) if rest == 0 => Fit::Exact(Scalar::Date(day)),
                Ok(day) => Fit::Above(Scalar::Date(day)),
                Err(_) => Fit::Unknown,
            }
        }
        _ => fit_number(literal, to),
    }
}

fn fit_number(literal: &Scalar, to: &DataType) -> Fit {
    let Some((value, scale)) = exact(literal) else { return Fit::Unknown };
    let (low, high, to_scale) = match to {
        DataType::Byte => (i128::from(i8::MIN), i128::from(i8::MAX), 0),
        DataType::Short => (i128::from(i16::MIN), i128::from(i16::MAX), 0),
        DataType::Integer => (i128::from(i32::MIN), i128::from(i32::MAX), 0),
        DataType::Long => (i128::from(i64::MIN), i128::from(i64::MAX), 0),
        DataType::Decimal { precision, scale } => match 10i128.checked_pow(u32::from(*precision)) {
            Some(end) => (1 - end, end - 1, *scale),
            None => return Fit::Unknown,
        },
        _ => return Fit::Unknown,
    };
    let beyond = if value < 0 { Fit::TooSmall } else { Fit::TooLarge };
    let (floor, rest) = if scale <= to_scale {
        match 10i128.checked_pow(u32::from(to_scale - scale)).and_then(|f| value.checked_mul(f)) {
            Some(v) => (v, 0),
            None => return beyond,
        }
    } else {
        match 10i128.checked_pow(u32::from(scale - to_scale)) {
            Some(f) => (value.div_euclid(f), value.rem_euclid(f)),
            None => return Fit::Unknown,
        }
    };
    if floor < low {
        return Fit::TooSmall;
    }
    if floor > high {
        return Fit::TooLarge;
    }
    // Between low and high, so the narrowing holds.
    let scalar = match to {
        DataType::Byte => Scalar::Byte(floor as i8),
        DataType::Short => Scalar::Short(floor as i16),
        DataType::Integer => Scalar::Integer(floor as i32),
        DataType::Long => Scalar::Long(floor as i64),
        DataType::Decimal { precision, scale } => Scalar::Decimal { value: floor, precision: *precision, scale: *scale },
        _ => return Fit::Unknown,
    };
    if rest == 0 { Fit::Exact(scalar) } else { Fit::Above(scalar) }
}

/// An integer or decimal as an unscaled value and its scale.
fn exact(literal: &Scalar) -> Option<(i128, u8)> {
    match literal {
        Scalar::Long(v) => Some((i128::from(*v), 0)),
        Scalar::Integer(v) => Some((i128::from(*v), 0)),
        Scalar::Short(v) => Some((i128::from(*v), 0)),
        Scalar::Byte(v) => Some((i128::from(*v), 0)),
        Scalar::Decimal { value, scale, .. } => Some((*value, *scale)),
        _ => None,
    }
}
