//! The Parquet schema of a data file. Kind: pure. Spec: VAR.

use super::file::encode_failed;
use crate::error::Result;
use arrow::datatypes::Schema;
use parquet::arrow::ArrowSchemaConverter;
use parquet::basic::LogicalType;
use parquet::errors::ParquetError;
use parquet::schema::types::{SchemaDescriptor, Type, TypePtr};
use std::sync::Arc;

/// The version of Parquet's variants that files hold.
const VARIANT_VERSION: i8 = 1;

/// The schema that Parquet gives these columns, with the version of variants, which it leaves out: Spark reads no variant without it.
pub(super) fn parquet_schema(schema: &Schema) -> Result<SchemaDescriptor> {
    let found = ArrowSchemaConverter::new().convert(schema).map_err(encode_failed)?;
    Ok(SchemaDescriptor::new(versioned(&found.root_schema_ptr()).map_err(encode_failed)?))
}

fn versioned(t: &TypePtr) -> Result<TypePtr, ParquetError> {
    let Type::GroupType { basic_info, fields } = t.as_ref() else { return Ok(Arc::clone(t)) };
    let logical = basic_info.logical_type_ref().map(|logical| match logical {
        LogicalType::Variant(_) => LogicalType::variant(Some(VARIANT_VERSION)),
        other => other.clone(),
    });
    let mut group = Type::group_type_builder(basic_info.name())
        .with_fields(fields.iter().map(versioned).collect::<Result<_, _>>()?)
        .with_converted_type(basic_info.converted_type())
        .with_logical_type(logical)
        .with_id(basic_info.has_id().then(|| basic_info.id()));
    if basic_info.has_repetition() {
        group = group.with_repetition(basic_info.repetition());
    }
    group.build().map(Arc::new)
}
