//! Batches with other names: in lower case for the planner, in their own spelling for people; and plain Arrow types in results.
//! Kind: pure. Spec: SQL.

use crate::error::Result;
use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, RecordBatch, RecordBatchOptions, StructArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
use std::collections::HashMap;
use std::sync::Arc;

/// The same fields with all names in lower case, nested ones as well; a variant's pieces are in lower case already.
pub(super) fn lower_case(fields: &Fields) -> Fields {
    fields.iter().map(|field| renamed_field(field, &|name| name.to_lowercase())).collect()
}

fn renamed_field(field: &FieldRef, name: &dyn Fn(&str) -> String) -> FieldRef {
    let data_type = renamed_type(field.data_type(), name);
    Arc::new(field.as_ref().clone().with_name(name(field.name())).with_data_type(data_type))
}

fn renamed_type(data_type: &DataType, name: &dyn Fn(&str) -> String) -> DataType {
    // Pieces of lists and maps have names of their own, which are in lower case.
    match data_type {
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|f| renamed_field(f, name)).collect()),
        DataType::List(element) => DataType::List(renamed_field(element, name)),
        DataType::Map(entries, sorted) => DataType::Map(renamed_field(entries, name), *sorted),
        other => other.clone(),
    }
}

/// The same batch under a schema that differs only in names, nullability and metadata.
pub(super) fn reshaped(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    if batch.schema_ref() == schema {
        return Ok(batch);
    }
    let rows = batch.num_rows();
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| renamed(column, field.data_type()));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}

/// The same values under a type that differs only in names, else converted.
pub(super) fn renamed(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    if array.data_type() == to {
        return Ok(Arc::clone(array));
    }
    Ok(match (array.data_type(), to) {
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let array = array.as_struct();
            let columns = array.columns().iter().zip(fields).map(|(column, field)| renamed(column, field.data_type()));
            let columns = columns.collect::<Result<Vec<_>>>()?;
            Arc::new(StructArray::try_new_with_length(fields.clone(), columns, array.nulls().cloned(), array.len())?)
        }
        (DataType::List(_), DataType::List(element)) => {
            let array = array.as_list::<i32>();
            let values = renamed(array.values(), element.data_type())?;
            Arc::new(ListArray::try_new(Arc::clone(element), array.offsets().clone(), values, array.nulls().cloned())?)
        }
        (DataType::Map(..), DataType::Map(entries, sorted)) => {
            let array = array.as_map();
            let pairs = renamed(&(Arc::new(array.entries().clone()) as ArrayRef), entries.data_type())?.as_struct().clone();
            Arc::new(MapArray::try_new(Arc::clone(entries), array.offsets().clone(), pairs, array.nulls().cloned(), *sorted)?)
        }
        _ => converted(array, to)?,
    })
}

/// Values in another type; what does not convert is an error.
pub(super) fn converted(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    Ok(cast_with_options(array, to, &CastOptions { safe: false, ..CastOptions::default() })?)
}

/// Values in the type that a table would have for them.
pub(super) fn plain_array(array: &ArrayRef) -> Result<ArrayRef> {
    match plain(array.data_type()) {
        same if same == *array.data_type() => Ok(Arc::clone(array)),
        to => converted(array, &to),
    }
}

/// How a query's result looks: names in the spelling of whoever chose them, types that a table could have.
#[derive(Debug)]
pub(super) struct Shown {
    pub schema: SchemaRef,
}

impl Shown {
    /// `spelled` are names of the statement, `tables` the columns of the tables that it reads, both by names in lower case.
    pub fn new(planned: &Schema, spelled: &HashMap<String, String>, tables: &HashMap<String, FieldRef>) -> Shown {
        let fields = planned.fields().iter().map(|field| {
            let table = tables.get(field.name());
            let name = spelled.get(field.name()).or(table.map(|t| t.name())).cloned().unwrap_or_else(|| field.name().clone());
            let mut data_type = plain(field.data_type());
            if let Some(table) = table.filter(|t| renamed_type(t.data_type(), &|n| n.to_lowercase()) == data_type) {
                data_type = table.data_type().clone();
            }
            Arc::new(Field::new(name, data_type, true).with_metadata(field.metadata().clone()))
        });
        Shown { schema: Arc::new(Schema::new(fields.collect::<Fields>())) }
    }

    pub fn batch(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let columns = batch.columns().iter().zip(self.schema.fields()).map(|(column, field)| {
            let column = plain_array(column)?;
            renamed(&column, field.data_type())
        });
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns.collect::<Result<Vec<_>>>()?, &options)?)
    }
}

/// The type that a table would have for such values.
fn plain(data_type: &DataType) -> DataType {
    let inner = |field: &FieldRef| Arc::new(field.as_ref().clone().with_data_type(plain(field.data_type())));
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary | DataType::FixedSizeBinary(_) => DataType::Binary,
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Date64 => DataType::Date32,
        DataType::Float16 => DataType::Float32,
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.as_ref().map(|_| "UTC".into())),
        DataType::Dictionary(_, values) => plain(values),
        DataType::List(element) | DataType::LargeList(element) | DataType::FixedSizeList(element, _) => DataType::List(inner(element)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect()),
        DataType::Map(entries, sorted) => DataType::Map(inner(entries), *sorted),
        other => other.clone(),
    }
}

#[cfg(test)]
#[path = "shape_tests.rs"]
mod tests;
