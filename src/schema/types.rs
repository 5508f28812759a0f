//! Delta's type system. Kind: shape. Spec: SCH.

use serde_json::{Map, Value};
use std::fmt;

/// A Delta data type.
#[derive(Clone, Debug, PartialEq)]
pub enum DataType {
    String,
    Long,
    Integer,
    Short,
    Byte,
    Float,
    Double,
    Decimal {
        precision: u8,
        scale: u8,
    },
    Boolean,
    Binary,
    Date,
    /// An instant in microseconds, UTC.
    Timestamp,
    /// Microseconds without a zone.
    TimestampNtz,
    /// Always null, never stored.
    Void,
    Variant,
    Struct(Struct),
    Array {
        element: Box<DataType>,
        contains_null: bool,
    },
    Map {
        key: Box<DataType>,
        value: Box<DataType>,
        value_contains_null: bool,
    },
    /// A type that this build does not know (`geometry(…)`, `interval …`); kept as written so that metadata survives.
    Unknown(Box<Value>),
}

/// One column or nested field.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub name: String,
    pub data_type: DataType,
    pub nullable: bool,
    /// Kept verbatim, also what we do not know.
    pub metadata: Map<String, Value>,
}

/// An ordered list of fields: a table schema or a nested type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Struct {
    pub fields: Vec<Field>,
}

impl Field {
    /// A nullable or required field without metadata.
    pub fn new(name: impl Into<String>, data_type: DataType, nullable: bool) -> Self {
        Field { name: name.into(), data_type, nullable, metadata: Map::new() }
    }
}

impl Struct {
    /// The field with exactly this name, else the one that differs only in case.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.index_of(name).map(|i| &self.fields[i])
    }
    /// Where that field stands.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.fields
            .iter()
            .position(|f| f.name == name)
            .or_else(|| self.fields.iter().position(|f| f.name.to_lowercase() == name.to_lowercase()))
    }
}

impl fmt::Display for DataType {
    /// SQL spelling: `bigint`, `decimal(10,2)`, `struct<a:int>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DataType::String => f.write_str("string"),
            DataType::Long => f.write_str("bigint"),
            DataType::Integer => f.write_str("int"),
            DataType::Short => f.write_str("smallint"),
            DataType::Byte => f.write_str("tinyint"),
            DataType::Float => f.write_str("float"),
            DataType::Double => f.write_str("double"),
            DataType::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            DataType::Boolean => f.write_str("boolean"),
            DataType::Binary => f.write_str("binary"),
            DataType::Date => f.write_str("date"),
            DataType::Timestamp => f.write_str("timestamp"),
            DataType::TimestampNtz => f.write_str("timestamp_ntz"),
            DataType::Void => f.write_str("void"),
            DataType::Variant => f.write_str("variant"),
            DataType::Struct(s) => {
                f.write_str("struct<")?;
                for (i, field) in s.fields.iter().enumerate() {
                    write!(f, "{}{}:{}", if i == 0 { "" } else { "," }, field.name, field.data_type)?;
                }
                f.write_str(">")
            }
            DataType::Array { element, .. } => write!(f, "array<{element}>"),
            DataType::Map { key, value, .. } => write!(f, "map<{key},{value}>"),
            DataType::Unknown(json) => write!(f, "{json}"),
        }
    }
}
