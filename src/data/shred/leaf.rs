//! The types of typed columns. Kind: pure. Spec: VAR.

use arrow::datatypes::{DataType as ArrowType, TimeUnit};
use parquet_variant::Variant;

/// Digits that eight bytes hold, and sixteen.
const DIGITS: u8 = 18;
const DIGITS_MAX: u8 = 38;
/// Digits of the largest integer.
const INTEGER_DIGITS: u8 = 19;

/// The type of a typed column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::data) enum Leaf {
    Boolean,
    Long,
    Float,
    Double,
    /// Digits before the point and after it.
    Decimal(u8, u8),
    Date,
    Timestamp,
    TimestampNtz,
    Text,
    Binary,
}

impl Leaf {
    /// The type of the value; `None` when no typed column takes it.
    pub(super) fn of(value: &Variant<'_, '_>) -> Option<Leaf> {
        Some(match value {
            Variant::BooleanTrue | Variant::BooleanFalse => Leaf::Boolean,
            Variant::Int8(_) | Variant::Int16(_) | Variant::Int32(_) | Variant::Int64(_) => Leaf::Long,
            Variant::Float(_) => Leaf::Float,
            Variant::Double(_) => Leaf::Double,
            Variant::Decimal4(_) | Variant::Decimal8(_) | Variant::Decimal16(_) => {
                let (unscaled, scale) = decimal(value)?;
                let digits = unscaled.unsigned_abs().checked_ilog10().map_or(1, |log| log as u8 + 1);
                Leaf::Decimal(digits.saturating_sub(scale), scale)
            }
            Variant::Date(_) => Leaf::Date,
            Variant::TimestampMicros(_) => Leaf::Timestamp,
            Variant::TimestampNtzMicros(_) => Leaf::TimestampNtz,
            Variant::String(_) | Variant::ShortString(_) => Leaf::Text,
            Variant::Binary(_) => Leaf::Binary,
            _ => return None,
        })
    }
    /// A type that takes the values of both.
    pub(super) fn join(self, other: Leaf) -> Option<Leaf> {
        match (self, other) {
            (a, b) if a == b => Some(a),
            (Leaf::Decimal(whole, scale), Leaf::Decimal(w, s)) => {
                let (whole, scale) = (whole.max(w), scale.max(s));
                (whole + scale <= DIGITS_MAX).then_some(Leaf::Decimal(whole, scale))
            }
            (Leaf::Decimal(..), Leaf::Long) => self.join(Leaf::Decimal(INTEGER_DIGITS, 0)),
            (Leaf::Long, Leaf::Decimal(..)) => other.join(self),
            _ => None,
        }
    }
    pub(super) fn arrow(self) -> ArrowType {
        match self {
            Leaf::Boolean => ArrowType::Boolean,
            Leaf::Long => ArrowType::Int64,
            Leaf::Float => ArrowType::Float32,
            Leaf::Double => ArrowType::Float64,
            Leaf::Decimal(whole, scale) => ArrowType::Decimal128(if whole + scale <= DIGITS { DIGITS } else { DIGITS_MAX }, scale as i8),
            Leaf::Date => ArrowType::Date32,
            Leaf::Timestamp => ArrowType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Leaf::TimestampNtz => ArrowType::Timestamp(TimeUnit::Microsecond, None),
            Leaf::Text => ArrowType::Utf8,
            Leaf::Binary => ArrowType::Binary,
        }
    }
}

/// A decimal or an integer: its digits and how many of them are behind the point.
pub(super) fn decimal(value: &Variant<'_, '_>) -> Option<(i128, u8)> {
    Some(match value {
        Variant::Decimal4(d) => (i128::from(d.integer()), d.scale()),
        Variant::Decimal8(d) => (i128::from(d.integer()), d.scale()),
        Variant::Decimal16(d) => (d.integer(), d.scale()),
        integer => (i128::from(long(integer)?), 0),
    })
}

/// An integer of any width.
pub(super) fn long(value: &Variant<'_, '_>) -> Option<i64> {
    Some(match value {
        Variant::Int8(v) => i64::from(*v),
        Variant::Int16(v) => i64::from(*v),
        Variant::Int32(v) => i64::from(*v),
        Variant::Int64(v) => *v,
        _ => return None,
    })
}
