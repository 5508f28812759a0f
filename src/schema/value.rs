//! One value, and its text as a partition value. Kind: pure. Spec: PV.

use super::DataType;
use crate::error::Result;
use arrow::array::ArrayRef;

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
    /// Decodes a partition value (`None` and the empty string are null). `LB-SCHEMA` with the text when it does not parse.
    pub fn from_partition_text(text: Option<&str>, data_type: &DataType) -> Result<Scalar> {
        let _ = (text, data_type);
        todo!("schema room")
    }
    /// The text that Spark writes into `partitionValues`; null gives `None`.
    pub fn to_partition_text(&self) -> Option<String> {
        todo!("schema room")
    }
    /// An array of `rows` times this value, in the Arrow form of `data_type`.
    pub fn to_array(&self, data_type: &DataType, rows: usize) -> Result<ArrayRef> {
        let _ = (data_type, rows);
        todo!("schema room")
    }
    /// The value at `row`.
    pub fn from_array(array: &ArrayRef, row: usize) -> Result<Scalar> {
        let _ = (array, row);
        todo!("schema room")
    }
}
