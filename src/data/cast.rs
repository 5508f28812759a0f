//! File type -> table type: the closed list of value conversions. Kind: pure. Spec: DAT.
//!
//! Invariant: a conversion keeps every value exactly or fails; a pair that is not listed is refused.

use super::calendar::{gregorian_days, gregorian_micros};
use crate::error::{Code, Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType as ArrowType, Date32Type, Decimal128Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType,
};
use std::sync::Arc;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// How the values of one leaf become the table's.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cast {
    /// They are the table's already, or Arrow's checked cast makes them so.
    To(ArrowType),
    /// Instants or local times of any unit, as micros.
    Micros { to: ArrowType, hybrid: bool },
    /// Days, perhaps of the hybrid calendar, perhaps as midnights.
    Days { to: ArrowType, hybrid: bool },
}

/// The conversion of file type `from` to table type `to`; `None` when the pair is not listed. `hybrid` says that dates and
/// timestamps of the file are counted in the hybrid calendar.
pub(super) fn cast(from: &ArrowType, to: &ArrowType, hybrid: bool) -> Option<Cast> {
    use ArrowType::*;
    let exact = || Some(Cast::To(to.clone()));
    match (from, to) {
        (Timestamp(unit, _), Timestamp(TimeUnit::Microsecond, _)) if *unit != TimeUnit::Second => {
            Some(Cast::Micros { to: to.clone(), hybrid })
        }
        (Date32, Date32) | (Date32, Timestamp(TimeUnit::Microsecond, None)) => Some(Cast::Days { to: to.clone(), hybrid }),
        (a, b) if a == b => exact(),
        // Small integers are stored as INT32; a writer may leave out the annotation. Values are checked.
        (Int32, Int8 | Int16) | (Int8, Int16) | (Int16, Int8) => exact(),
        (Int8 | Int16, Int32) | (Int8 | Int16 | Int32, Int64) => exact(),
        (UInt8, Int16 | Int32 | Int64) | (UInt16, Int32 | Int64) | (UInt32, Int64) => exact(),
        (Float32, Float64) | (Int8 | Int16 | Int32, Float64) => exact(),
        (Int8 | Int16 | Int32, Decimal128(p, s)) if i16::from(*p) - i16::from(*s) >= 10 => exact(),
        (Int64, Decimal128(p, s)) if i16::from(*p) - i16::from(*s) >= 20 => exact(),
        (Decimal128(p1, s1), Decimal128(p2, s2)) if s1 <= s2 && i16::from(*p1) - i16::from(*s1) <= i16::from(*p2) - i16::from(*s2) => {
            exact()
        }
        (Utf8, Binary) | (Binary, Utf8) | (FixedSizeBinary(_), Binary) => exact(),
        _ => None,
    }
}

impl Cast {
    /// Whether values come out as they went in, so that statistics of the file hold for the table.
    pub fn keeps_order(&self, from: &ArrowType) -> bool {
        match self {
            Cast::To(to) => from == to,
            Cast::Micros { to, hybrid } => !hybrid && matches!(from, ArrowType::Timestamp(TimeUnit::Microsecond, _)) && from == to,
            Cast::Days { to, hybrid } => !hybrid && from == to,
        }
    }
    /// Whether values of this type become others, of a type that was widened from theirs: not only another spelling of the same.
    pub fn widens(&self, from: &ArrowType) -> bool {
        use ArrowType::*;
        match self {
            Cast::To(Utf8 | Binary) => false,
            // Small integers without their annotation are what they are.
            Cast::To(Int8 | Int16) if *from == Int32 => false,
            Cast::To(to) | Cast::Days { to, .. } => from != to,
            Cast::Micros { .. } => false,
        }
    }
    /// Converts. `LB-SCHEMA` when a value does not fit.
    pub fn apply(&self, array: &ArrayRef) -> Result<ArrayRef> {
        match self {
            Cast::To(to) => checked(array, to),
            Cast::Micros { to, hybrid } => {
                let micros = to_micros(array)?;
                let micros = if *hybrid { micros.unary(gregorian_micros) } else { micros };
                let ArrowType::Timestamp(_, zone) = to else { return Err(unfit(array, to, "not a timestamp type")) };
                Ok(Arc::new(micros.with_timezone_opt(zone.clone())))
            }
            Cast::Days { to, hybrid } => {
                let days = array.as_primitive_opt::<Date32Type>().ok_or_else(|| unfit(array, to, "not days"))?;
                let days = if *hybrid { days.unary::<_, Date32Type>(gregorian_days) } else { days.clone() };
                if *to == ArrowType::Date32 {
                    return Ok(Arc::new(days));
                }
                let midnights = days.try_unary::<_, TimestampMicrosecondType, Error>(|day| {
                    i64::from(day).checked_mul(MICROS_PER_DAY).ok_or_else(|| unfit(array, to, "a date is out of range"))
                })?;
                Ok(Arc::new(midnights))
            }
        }
    }
}

fn checked(array: &ArrayRef, to: &ArrowType) -> Result<ArrayRef> {
    match (array.data_type(), to) {
        (from, to) if from == to => Ok(Arc::clone(array)),
        (ArrowType::Decimal128(_, s1), ArrowType::Decimal128(p2, s2)) if s1 == s2 => {
            let relabelled = array.as_primitive::<Decimal128Type>().clone().with_precision_and_scale(*p2, *s2)?;
            Ok(Arc::new(relabelled))
        }
        _ => cast_with_options(array, to, &CastOptions { safe: false, ..Default::default() }).map_err(|e| unfit(array, to, &e.to_string())),
    }
}

fn to_micros(array: &ArrayRef) -> Result<PrimitiveArray<TimestampMicrosecondType>> {
    match array.data_type() {
        ArrowType::Timestamp(TimeUnit::Microsecond, _) => Ok(array.as_primitive::<TimestampMicrosecondType>().clone()),
        ArrowType::Timestamp(TimeUnit::Millisecond, _) => array.as_primitive::<TimestampMillisecondType>().try_unary(|ms| {
            ms.checked_mul(1000).ok_or_else(|| unfit(array, &ArrowType::Timestamp(TimeUnit::Microsecond, None), "out of range"))
        }),
        ArrowType::Timestamp(TimeUnit::Nanosecond, _) => {
            Ok(array.as_primitive::<TimestampNanosecondType>().unary(|nanos| nanos.div_euclid(1000)))
        }
        other => Err(Error::new(Code::INTERNAL, format!("{other} holds no timestamps"))),
    }
}

fn unfit(array: &dyn Array, to: &ArrowType, why: &str) -> Error {
    Error::new(Code::SCHEMA, format!("a value of type {} in the file does not fit the table's type {to}: {why}", array.data_type()))
}
