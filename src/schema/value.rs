//! One value, alone and in Arrow arrays. Kind: pure. Spec: PV.

use super::DataType;
use crate::error::{Code, Error, Result};
use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array, Int16Array,
    Int32Array, Int64Array, StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{
    DataType as ArrowType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};
use std::sync::Arc;

/// One value of a Delta type.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    Null,
    String(String),
    Long(i64),
    Integer(i32),
    Short(i16),
    Byte(i8),
    Float(f32),
    Double(f64),
    Decimal {
        value: i128,
        precision: u8,
        scale: u8,
    },
    Boolean(bool),
    Binary(Vec<u8>),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01 UTC.
    Timestamp(i64),
    /// Microseconds since 1970-01-01 without a zone.
    TimestampNtz(i64),
}

impl Scalar {
    /// An array of `rows` times this value, in the Arrow form of `data_type`. `LB-SCHEMA` when the value is not of that type.
    pub fn to_array(&self, data_type: &DataType, rows: usize) -> Result<ArrayRef> {
        Ok(match (self, data_type) {
            (Scalar::Null, _) => new_null_array(&data_type.to_arrow()?, rows),
            (Scalar::String(v), DataType::String) => {
                fits_offsets(v.len(), rows)?;
                Arc::new(StringArray::new_repeated(v, rows))
            }
            (Scalar::Binary(v), DataType::Binary) => {
                fits_offsets(v.len(), rows)?;
                Arc::new(BinaryArray::new_repeated(v, rows))
            }
            (Scalar::Long(v), DataType::Long) => Arc::new(Int64Array::from_value(*v, rows)),
            (Scalar::Integer(v), DataType::Integer) => Arc::new(Int32Array::from_value(*v, rows)),
            (Scalar::Short(v), DataType::Short) => Arc::new(Int16Array::from_value(*v, rows)),
            (Scalar::Byte(v), DataType::Byte) => Arc::new(Int8Array::from_value(*v, rows)),
            (Scalar::Float(v), DataType::Float) => Arc::new(Float32Array::from_value(*v, rows)),
            (Scalar::Double(v), DataType::Double) => Arc::new(Float64Array::from_value(*v, rows)),
            (Scalar::Boolean(true), DataType::Boolean) => Arc::new(BooleanArray::new(BooleanBuffer::new_set(rows), None)),
            (Scalar::Boolean(false), DataType::Boolean) => Arc::new(BooleanArray::new(BooleanBuffer::new_unset(rows), None)),
            (Scalar::Date(v), DataType::Date) => Arc::new(Date32Array::from_value(*v, rows)),
            (Scalar::Timestamp(v), DataType::Timestamp) => Arc::new(TimestampMicrosecondArray::from_value(*v, rows).with_timezone("UTC")),
            (Scalar::TimestampNtz(v), DataType::TimestampNtz) => Arc::new(TimestampMicrosecondArray::from_value(*v, rows)),
            (Scalar::Decimal { value, precision, scale }, DataType::Decimal { precision: p, scale: s }) if precision == p && scale == s => {
                Arc::new(Decimal128Array::from_value(*value, rows).with_precision_and_scale(*p, *s as i8)?)
            }
            _ => return Err(Error::new(Code::SCHEMA, format!("the value {self:?} is not a {data_type}"))),
        })
    }

    /// The value at `row`. `LB-SCHEMA` for a nested type or a type without an equal in Delta.
    pub fn from_array(array: &ArrayRef, row: usize) -> Result<Scalar> {
        if array.is_null(row) {
            return Ok(Scalar::Null);
        }
        Ok(match array.data_type() {
            ArrowType::Null => Scalar::Null,
            ArrowType::Utf8 => Scalar::String(array.as_string::<i32>().value(row).to_owned()),
            ArrowType::LargeUtf8 => Scalar::String(array.as_string::<i64>().value(row).to_owned()),
            ArrowType::Utf8View => Scalar::String(array.as_string_view().value(row).to_owned()),
            ArrowType::Binary => Scalar::Binary(array.as_binary::<i32>().value(row).to_vec()),
            ArrowType::LargeBinary => Scalar::Binary(array.as_binary::<i64>().value(row).to_vec()),
            ArrowType::BinaryView => Scalar::Binary(array.as_binary_view().value(row).to_vec()),
            ArrowType::FixedSizeBinary(_) => Scalar::Binary(array.as_fixed_size_binary().value(row).to_vec()),
            ArrowType::Int64 => Scalar::Long(array.as_primitive::<Int64Type>().value(row)),
            ArrowType::Int32 => Scalar::Integer(array.as_primitive::<Int32Type>().value(row)),
            ArrowType::Int16 => Scalar::Short(array.as_primitive::<Int16Type>().value(row)),
            ArrowType::Int8 => Scalar::Byte(array.as_primitive::<Int8Type>().value(row)),
            ArrowType::Float32 => Scalar::Float(array.as_primitive::<Float32Type>().value(row)),
            ArrowType::Float64 => Scalar::Double(array.as_primitive::<Float64Type>().value(row)),
            ArrowType::Boolean => Scalar::Boolean(array.as_boolean().value(row)),
            ArrowType::Date32 => Scalar::Date(array.as_primitive::<Date32Type>().value(row)),
            ArrowType::Timestamp(TimeUnit::Microsecond, zone) => {
                let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
                if zone.is_some() { Scalar::Timestamp(micros) } else { Scalar::TimestampNtz(micros) }
            }
            ArrowType::Decimal128(precision, scale) if *scale >= 0 => {
                Scalar::Decimal { value: array.as_primitive::<Decimal128Type>().value(row), precision: *precision, scale: *scale as u8 }
            }
            ArrowType::Dictionary(_, _) => {
                let one = array.slice(row, 1);
                let dictionary = one.as_any_dictionary();
                match dictionary.normalized_keys().first() {
                    Some(key) => Scalar::from_array(dictionary.values(), *key)?,
                    None => Scalar::Null,
                }
            }
            other => return Err(Error::new(Code::SCHEMA, format!("no single value can be taken from a column of Arrow type {other}"))),
        })
    }
}

fn fits_offsets(len: usize, rows: usize) -> Result<()> {
    match len.checked_mul(rows) {
        Some(total) if i32::try_from(total).is_ok() => Ok(()),
        _ => Err(Error::new(Code::LIMIT, format!("a value of {len} bytes does not fit {rows} times into one Arrow array"))
            .help("use smaller batches")),
    }
}

macro_rules! from_literal {
    ($($literal:ty => $variant:ident),* $(,)?) => {
        $(impl From<$literal> for Scalar {
            fn from(value: $literal) -> Self {
                Scalar::$variant(value.into())
            }
        })*
    };
}

from_literal!(&str => String, String => String, i64 => Long, i32 => Integer, i16 => Short, i8 => Byte, f32 => Float, f64 => Double,
    bool => Boolean, Vec<u8> => Binary, &[u8] => Binary);

impl<T: Into<Scalar>> From<Option<T>> for Scalar {
    fn from(value: Option<T>) -> Self {
        value.map_or(Scalar::Null, Into::into)
    }
}

#[cfg(test)]
#[path = "value_tests.rs"]
mod tests;
