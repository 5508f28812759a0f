//! Types <-> Arrow. Kind: pure. Spec: SCH.
//!
//! One logical Arrow form for each type: Utf8, Int64…, Decimal128, Timestamp(µs, "UTC"), Timestamp(µs), List("element"),
//! Map("key_value"{"key","value"}), Struct, Null for void; a variant is Struct{metadata: Binary, value: Binary} marked with the
//! Arrow extension type `arrow.parquet.variant`.

use super::{DEPTH_MAX, DataType, Field, Struct};
use crate::error::{Code, Error, Result};
use arrow::datatypes::{DataType as ArrowType, Field as ArrowField, Fields, Schema as ArrowSchema, TimeUnit};
use parquet_variant_compute::VariantType;
use std::sync::Arc;

const VARIANT_NAME: &str = "arrow.parquet.variant";

impl Struct {
    /// The Arrow schema of these fields. `LB-SCHEMA` for a type that this build does not know.
    pub fn to_arrow(&self) -> Result<ArrowSchema> {
        Ok(ArrowSchema::new(self.to_arrow_fields()?))
    }
    /// The Delta schema of an Arrow schema; accepts every Arrow type that has an equal in Delta (also Large*, *View, dictionaries),
    /// and unsigned integers as the next wider signed type. Arrow's field metadata is not taken over.
    pub fn from_arrow(schema: &ArrowSchema) -> Result<Struct> {
        from_arrow_fields(schema.fields(), &mut Vec::new())
    }

    fn to_arrow_fields(&self) -> Result<Fields> {
        self.fields.iter().map(|field| field.to_arrow().map(Arc::new)).collect()
    }
}

impl Field {
    /// One field.
    pub fn to_arrow(&self) -> Result<ArrowField> {
        arrow_field(&self.name, &self.data_type, self.nullable).map_err(|e| e.with("column", &self.name))
    }
}

impl DataType {
    /// One type.
    pub fn to_arrow(&self) -> Result<ArrowType> {
        Ok(match self {
            DataType::String => ArrowType::Utf8,
            DataType::Long => ArrowType::Int64,
            DataType::Integer => ArrowType::Int32,
            DataType::Short => ArrowType::Int16,
            DataType::Byte => ArrowType::Int8,
            DataType::Float => ArrowType::Float32,
            DataType::Double => ArrowType::Float64,
            // Scales are at most 38.
            DataType::Decimal { precision, scale } => ArrowType::Decimal128(*precision, *scale as i8),
            DataType::Boolean => ArrowType::Boolean,
            DataType::Binary => ArrowType::Binary,
            DataType::Date => ArrowType::Date32,
            DataType::Timestamp => ArrowType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            DataType::TimestampNtz => ArrowType::Timestamp(TimeUnit::Microsecond, None),
            DataType::Void => ArrowType::Null,
            DataType::Variant => ArrowType::Struct(Fields::from(vec![
                ArrowField::new("metadata", ArrowType::Binary, false),
                ArrowField::new("value", ArrowType::Binary, false),
            ])),
            DataType::Struct(fields) => ArrowType::Struct(fields.to_arrow_fields()?),
            DataType::Array { element, contains_null } => ArrowType::List(Arc::new(arrow_field("element", element, *contains_null)?)),
            DataType::Map { key, value, value_contains_null } => {
                let entries = vec![arrow_field("key", key, false)?, arrow_field("value", value, *value_contains_null)?];
                ArrowType::Map(Arc::new(ArrowField::new("key_value", ArrowType::Struct(entries.into()), false)), false)
            }
            DataType::Unknown(_) => {
                return Err(Error::new(Code::SCHEMA, format!("this build does not know the type {self}")));
            }
        })
    }
}

fn arrow_field(name: &str, data_type: &DataType, nullable: bool) -> Result<ArrowField> {
    let field = ArrowField::new(name, data_type.to_arrow()?, nullable);
    Ok(if *data_type == DataType::Variant { field.with_extension_type(VariantType) } else { field })
}

fn from_arrow_fields(fields: &Fields, path: &mut Vec<String>) -> Result<Struct> {
    let mut out = Vec::with_capacity(fields.len());
    for field in fields {
        path.push(field.name().clone());
        out.push(Field::new(field.name(), from_arrow_field(field, path)?, field.is_nullable()));
        path.pop();
    }
    Ok(Struct { fields: out })
}

/// Whether the field says that it holds variants.
pub(crate) fn is_variant(field: &ArrowField) -> bool {
    field.extension_type_name() == Some(VARIANT_NAME)
}

fn from_arrow_field(field: &ArrowField, path: &mut Vec<String>) -> Result<DataType> {
    if is_variant(field) {
        return Ok(DataType::Variant);
    }
    from_arrow_type(field.data_type(), path)
}

fn from_arrow_type(arrow: &ArrowType, path: &mut Vec<String>) -> Result<DataType> {
    if path.len() > DEPTH_MAX {
        return Err(Error::new(Code::SCHEMA, format!("types are nested deeper than {DEPTH_MAX} levels")).with("column", path.join(".")));
    }
    Ok(match arrow {
        ArrowType::Null => DataType::Void,
        ArrowType::Boolean => DataType::Boolean,
        ArrowType::Int8 => DataType::Byte,
        ArrowType::Int16 | ArrowType::UInt8 => DataType::Short,
        ArrowType::Int32 | ArrowType::UInt16 => DataType::Integer,
        ArrowType::Int64 | ArrowType::UInt32 => DataType::Long,
        ArrowType::UInt64 => DataType::Decimal { precision: 20, scale: 0 },
        ArrowType::Float16 | ArrowType::Float32 => DataType::Float,
        ArrowType::Float64 => DataType::Double,
        ArrowType::Decimal32(p, s) | ArrowType::Decimal64(p, s) | ArrowType::Decimal128(p, s) | ArrowType::Decimal256(p, s)
            if *p <= 38 && *s >= 0 && *s as u8 <= *p =>
        {
            DataType::Decimal { precision: *p, scale: *s as u8 }
        }
        ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View => DataType::String,
        ArrowType::Binary | ArrowType::LargeBinary | ArrowType::BinaryView | ArrowType::FixedSizeBinary(_) => DataType::Binary,
        ArrowType::Date32 | ArrowType::Date64 => DataType::Date,
        ArrowType::Timestamp(_, Some(_)) => DataType::Timestamp,
        ArrowType::Timestamp(_, None) => DataType::TimestampNtz,
        ArrowType::List(element)
        | ArrowType::LargeList(element)
        | ArrowType::ListView(element)
        | ArrowType::LargeListView(element)
        | ArrowType::FixedSizeList(element, _) => {
            DataType::Array { element: Box::new(inner(element, "element", path)?), contains_null: element.is_nullable() }
        }
        ArrowType::Map(entries, _) => match entries.data_type() {
            ArrowType::Struct(pair) if pair.len() == 2 => DataType::Map {
                key: Box::new(inner(&pair[0], "key", path)?),
                value: Box::new(inner(&pair[1], "value", path)?),
                value_contains_null: pair[1].is_nullable(),
            },
            _ => return Err(no_equal(arrow, path)),
        },
        ArrowType::Struct(fields) => DataType::Struct(from_arrow_fields(fields, path)?),
        ArrowType::Dictionary(_, values) => from_arrow_type(values, path)?,
        ArrowType::RunEndEncoded(_, values) => from_arrow_field(values, path)?,
        _ => return Err(no_equal(arrow, path)),
    })
}

fn inner(field: &ArrowField, step: &str, path: &mut Vec<String>) -> Result<DataType> {
    path.push(step.to_owned());
    let found = from_arrow_field(field, path);
    path.pop();
    found
}

fn no_equal(arrow: &ArrowType, path: &[String]) -> Error {
    Error::new(Code::SCHEMA, format!("the Arrow type {arrow} has no equal in a Delta table"))
        .with("column", path.join("."))
        .help("cast the column before writing it")
}

#[cfg(test)]
#[path = "arrow_tests.rs"]
mod tests;
