//! Which types become wider without changing a value. Kind: pure. Spec: TW.

use super::DataType;

/// Whether every value of `from` is read as the same value of `to`.
pub(crate) fn can_widen(from: &DataType, to: &DataType) -> bool {
    use DataType::{Byte, Decimal, Double, Integer, Long, Short, Void};
    widens_by_itself(from, to)
        || match (from, to) {
            (Void, to) => *to != Void,
            (Byte | Short | Integer, Double) => true,
            (Byte | Short | Integer, Decimal { precision, scale }) => *precision >= 10 && precision - 10 >= *scale,
            (Long, Decimal { precision, scale }) => *precision >= 20 && precision - 20 >= *scale,
            _ => false,
        }
}

/// Whether a column of `from` grows to `to` when rows of `to` arrive: only where both are numbers of one kind.
pub(crate) fn widens_by_itself(from: &DataType, to: &DataType) -> bool {
    use DataType::{Byte, Date, Decimal, Double, Float, Integer, Long, Short, TimestampNtz};
    match (from, to) {
        (Byte, Short | Integer | Long) | (Short, Integer | Long) | (Integer, Long) | (Float, Double) | (Date, TimestampNtz) => true,
        (Decimal { precision, scale }, Decimal { precision: p, scale: s }) => {
            from != to && s >= scale && p >= precision && p - precision >= s - scale
        }
        _ => false,
    }
}
