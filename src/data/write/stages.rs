//! From the rows that a caller has to the columns of files: find, fill, cast, check. Kind: pure. Spec: DAT, OPS.
//!
//! Invariant: a cast never changes a value; what does not fit is refused with its column.

use super::partition::empty_to_null;
use crate::error::{Code, Error, Result};
use crate::schema::{DataType, Field, Struct, TextLimit};
use crate::schema::{evolve, metadata_key};
use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, MapArray, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType as ArrowType, Field as ArrowField, Fields, Schema, SchemaRef, TimeUnit, TimestampNanosecondType};
use arrow::util::display::FormatOptions;
use std::sync::Arc;

/// How many offending rows an error names.
const ROWS_NAMED: usize = 5;

/// The first of these rows, counted from 1 over the whole input, for an error; `None` when there are none.
pub(super) fn rows_named(rows: impl Iterator<Item = usize>, first_row: u64) -> Option<String> {
    let rows: Vec<String> = rows.take(ROWS_NAMED + 1).map(|row| (first_row + row as u64 + 1).to_string()).collect();
    let more = if rows.len() > ROWS_NAMED { ", …" } else { "" };
    (!rows.is_empty()).then(|| format!("{}{more}", rows[..rows.len().min(ROWS_NAMED)].join(", ")))
}

/// The Arrow fields of a table's columns as its files hold them: physical names, every field nullable (what must not be null is
/// checked on the rows), no void columns. `ids` gives the Parquet field id of a physical field.
pub(super) fn file_fields(physical: &Struct, ids: &dyn Fn(&Field) -> Option<i32>) -> Result<Vec<ArrowField>> {
    physical.fields.iter().filter(|f| f.data_type != DataType::Void).map(|f| file_field(f, ids)).collect()
}

fn file_field(field: &Field, ids: &dyn Fn(&Field) -> Option<i32>) -> Result<ArrowField> {
    let mut out = if field.data_type == DataType::Variant {
        field.to_arrow()?.with_nullable(true)
    } else {
        ArrowField::new(&field.name, file_type(field, ids)?, true)
    };
    if let Some(id) = ids(field) {
        let mut metadata = out.metadata().clone();
        metadata.insert(parquet::arrow::PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string());
        out = out.with_metadata(metadata);
    }
    Ok(out)
}

fn file_type(field: &Field, ids: &dyn Fn(&Field) -> Option<i32>) -> Result<ArrowType> {
    let column = field.name.as_str();
    let nested = |t: &DataType, step: &str| file_field(&inner(field, step, t), ids).map(Arc::new);
    Ok(match &field.data_type {
        DataType::Struct(s) => {
            let fields = file_fields(s, ids)?;
            if fields.is_empty() {
                return Err(cannot_store(column, "a struct without a stored field"));
            }
            ArrowType::Struct(fields.into())
        }
        DataType::Array { element, .. } => ArrowType::List(nested(element, "element")?),
        DataType::Map { key, value, .. } => {
            let key = nested(key, "key")?.as_ref().clone().with_nullable(false);
            let entries = Fields::from(vec![Arc::new(key), nested(value, "value")?]);
            ArrowType::Map(Arc::new(ArrowField::new("key_value", ArrowType::Struct(entries), false)), false)
        }
        DataType::Void => return Err(cannot_store(column, "void inside an array or a map")),
        other => other.to_arrow()?,
    })
}

/// An element, key or value of `parent` as a field; it has an id of its own when the parent keeps one for its path.
fn inner(parent: &Field, step: &str, t: &DataType) -> Field {
    let mut field = Field::new(step, t.clone(), true);
    let Some(nested) = parent.metadata.get(metadata_key::MAPPING_NESTED_IDS) else { return field };
    let path = parent.metadata.get(metadata_key::MAPPING_NAME).and_then(|name| name.as_str()).unwrap_or(&parent.name);
    let path = format!("{path}.{step}");
    if let Some(id) = nested.get(&path) {
        field.metadata.insert(metadata_key::MAPPING_ID.to_owned(), id.clone());
        field.metadata.insert(metadata_key::MAPPING_NAME.to_owned(), path.into());
        field.metadata.insert(metadata_key::MAPPING_NESTED_IDS.to_owned(), nested.clone());
    }
    field
}

fn cannot_store(column: &str, what: &str) -> Error {
    Error::new(Code::SCHEMA, format!("Parquet cannot store {what}")).with("column", column)
}

/// Turns batches of one schema into the stored columns of a table, in table order.
pub(super) struct Conform {
    source: SchemaRef,
    /// For each stored column: where it stands in the table and in the batches.
    columns: Vec<(usize, Option<usize>)>,
}

impl Conform {
    /// `LB-SCHEMA` names every column that does not fit, `LB-CONSTRAINT` a required column that is missing.
    pub(super) fn new(source: SchemaRef, table: &Struct) -> Result<Conform> {
        evolve::check_fits(table, &Struct::from_arrow(&source)?)?;
        let columns = table
            .fields
            .iter()
            .enumerate()
            .filter(|(_, f)| f.data_type != DataType::Void)
            .map(|(i, f)| (i, position(source.fields(), &f.name)))
            .collect();
        Ok(Conform { source, columns })
    }
    /// Whether this is the plan for batches of that schema.
    pub(super) fn fits(&self, schema: &SchemaRef) -> bool {
        Arc::ptr_eq(&self.source, schema) || self.source.fields() == schema.fields()
    }
    /// The stored columns of a batch in the types `targets`; empty text in the columns `partition` is null. `first_row` counts the
    /// input's rows before this batch, for errors.
    pub(super) fn apply(
        &self,
        batch: &RecordBatch,
        table: &Struct,
        targets: &[ArrowField],
        partition: &[usize],
        first_row: u64,
    ) -> Result<Vec<ArrayRef>> {
        let mut out = Vec::with_capacity(self.columns.len());
        for (at, ((index, source), target)) in self.columns.iter().zip(targets).enumerate() {
            let field = &table.fields[*index];
            let array = match source {
                Some(i) => conform(batch.column(*i), &field.data_type, target.data_type()).map_err(|e| e.with("column", &field.name))?,
                None => new_null_array(target.data_type(), batch.num_rows()),
            };
            let array = match TextLimit::of(field)? {
                Some(limit) => limited(field, limit, array, first_row)?,
                None => array,
            };
            let array = if partition.contains(&at) { empty_to_null(&array)? } else { array };
            check_not_null(field, &array, None, &field.name, first_row)?;
            out.push(array);
        }
        Ok(out)
    }
}

/// The field of exactly this name, else the one that differs only in case.
pub(super) fn position(fields: &Fields, name: &str) -> Option<usize> {
    fields.iter().position(|f| f.name() == name).or_else(|| {
        let lower = name.to_lowercase();
        fields.iter().position(|f| f.name().to_lowercase() == lower)
    })
}

/// `array` in exactly the type `target`, which is the stored form of `t`.
fn conform(array: &ArrayRef, t: &DataType, target: &ArrowType) -> Result<ArrayRef> {
    if array.data_type() == target {
        return Ok(array.clone());
    }
    match (array.data_type(), t) {
        (ArrowType::Null, _) => Ok(new_null_array(target, array.len())),
        (ArrowType::Dictionary(_, values), _) => conform(&cast(array, values)?, t, target),
        (ArrowType::RunEndEncoded(_, values), _) => conform(&cast(array, values.data_type())?, t, target),
        (ArrowType::Struct(_), DataType::Struct(fields)) => conform_struct(array.as_struct(), fields, target),
        (ArrowType::Struct(_), DataType::Variant) => conform_variant(array.as_struct(), target),
        (ArrowType::List(_), DataType::Array { element, .. }) => {
            let (list, inner) = (array.as_list::<i32>(), inner_field(target)?);
            let values = conform(list.values(), element, inner.data_type())?;
            Ok(Arc::new(ListArray::try_new(inner, list.offsets().clone(), values, list.nulls().cloned())?))
        }
        (
            ArrowType::LargeList(f) | ArrowType::FixedSizeList(f, _) | ArrowType::ListView(f) | ArrowType::LargeListView(f),
            DataType::Array { .. },
        ) => conform(&cast(array, &ArrowType::List(f.clone()))?, t, target),
        (ArrowType::Map(_, _), DataType::Map { key, value, .. }) => conform_map(array.as_map(), key, value, target),
        (ArrowType::Timestamp(TimeUnit::Nanosecond, _), _) => {
            // Microseconds below, also before 1970: a plain division would round those up.
            let micros: TimestampMicrosecondArray = array.as_primitive::<TimestampNanosecondType>().unary(|n| n.div_euclid(1000));
            cast(&(Arc::new(micros) as ArrayRef), &ArrowType::Timestamp(TimeUnit::Microsecond, None)).and_then(|a| relabel(&a, target))
        }
        (ArrowType::Timestamp(_, Some(_)), DataType::Timestamp) => {
            let micros = cast(array, &ArrowType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())))?;
            relabel(&micros, target)
        }
        _ => cast(array, target),
    }
}

/// Microseconds under another zone, values untouched.
fn relabel(array: &ArrayRef, target: &ArrowType) -> Result<ArrayRef> {
    let ArrowType::Timestamp(TimeUnit::Microsecond, zone) = target else { return cast(array, target) };
    let values = array.as_primitive::<arrow::datatypes::TimestampMicrosecondType>().clone();
    Ok(Arc::new(values.with_timezone_opt(zone.clone())))
}

fn conform_struct(array: &StructArray, logical: &Struct, target: &ArrowType) -> Result<ArrayRef> {
    let ArrowType::Struct(targets) = target else { return Err(unexpected(target)) };
    let stored = logical.fields.iter().filter(|f| f.data_type != DataType::Void);
    let columns = stored
        .zip(targets)
        .map(|(field, target)| match position(array.fields(), &field.name) {
            Some(i) => conform(array.column(i), &field.data_type, target.data_type()),
            None => Ok(new_null_array(target.data_type(), array.len())),
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(StructArray::try_new(targets.clone(), columns, array.nulls().cloned())?))
}

fn conform_variant(array: &StructArray, target: &ArrowType) -> Result<ArrayRef> {
    let ArrowType::Struct(targets) = target else { return Err(unexpected(target)) };
    let columns = targets
        .iter()
        .map(|f| match array.column_by_name(f.name()) {
            Some(column) => cast(column, f.data_type()),
            None => Err(Error::new(Code::SCHEMA, format!("a variant lacks its part {:?}", f.name()))),
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(StructArray::try_new(targets.clone(), columns, array.nulls().cloned())?))
}

fn conform_map(array: &MapArray, key: &DataType, value: &DataType, target: &ArrowType) -> Result<ArrayRef> {
    let ArrowType::Map(entries, _) = target else { return Err(unexpected(target)) };
    let ArrowType::Struct(pair) = entries.data_type() else { return Err(unexpected(target)) };
    let keys = conform(array.keys(), key, pair[0].data_type())?;
    let values = conform(array.values(), value, pair[1].data_type())?;
    let inner = StructArray::try_new(pair.clone(), vec![keys, values], None)?;
    Ok(Arc::new(MapArray::try_new(entries.clone(), array.offsets().clone(), inner, array.nulls().cloned(), false)?))
}

fn inner_field(target: &ArrowType) -> Result<Arc<ArrowField>> {
    match target {
        ArrowType::List(field) => Ok(field.clone()),
        other => Err(unexpected(other)),
    }
}

fn unexpected(target: &ArrowType) -> Error {
    Error::new(Code::INTERNAL, format!("a column was planned as {target}"))
}

fn cast(array: &ArrayRef, target: &ArrowType) -> Result<ArrayRef> {
    // Not "safe": what does not fit is an error instead of a null.
    let options = CastOptions { safe: false, format_options: FormatOptions::default() };
    cast_with_options(array, target, &options)
        .map_err(|e| Error::new(Code::SCHEMA, format!("a value does not fit the column's type {target}: {e}")).caused_by(e))
}

/// Refuses nulls where a field must have a value and the struct around it is there. Inside arrays and maps nothing is checked, as
/// in Spark.
fn check_not_null(field: &Field, array: &ArrayRef, parent: Option<&NullBuffer>, path: &str, first_row: u64) -> Result<()> {
    let nulls = array.logical_nulls();
    if !field.nullable && nulls.as_ref().is_some_and(|n| n.null_count() > 0) {
        let is_null = |row: &usize| array_is_null(nulls.as_ref(), *row) && !array_is_null(parent, *row);
        if let Some(rows) = rows_named((0..array.len()).filter(is_null), first_row) {
            return Err(Error::new(Code::CONSTRAINT, format!("column {path:?} is NOT NULL, but rows of the input have no value for it"))
                .with("column", path)
                .with("rows", rows)
                .help("give these rows a value, or drop the column's NOT NULL"));
        }
    }
    if let (DataType::Struct(s), ArrowType::Struct(_)) = (&field.data_type, array.data_type())
        && s.fields.iter().any(has_required)
    {
        let nulls = NullBuffer::union(parent, nulls.as_ref());
        let stored = s.fields.iter().filter(|f| f.data_type != DataType::Void);
        for (child, column) in stored.zip(array.as_struct().columns()) {
            check_not_null(child, column, nulls.as_ref(), &format!("{path}.{}", child.name), first_row)?;
        }
    }
    Ok(())
}

/// The text of a column of CHAR or VARCHAR as it is stored. `LB-CONSTRAINT` for text that is too long.
fn limited(field: &Field, limit: TextLimit, array: ArrayRef, first_row: u64) -> Result<ArrayRef> {
    let texts = array.as_string_opt::<i32>().ok_or_else(|| unexpected(array.data_type()))?;
    let stored = |row: usize| limit.stored(texts.value(row));
    let rows = || (0..texts.len()).filter(|row| texts.is_valid(*row));
    if let Some(rows) = rows_named(rows().filter(|row| stored(*row).is_none()), first_row) {
        return Err(Error::new(Code::CONSTRAINT, "text of the input is longer than the column's declared type allows")
            .with("column", &field.name)
            .with("declared", field.metadata.get(metadata_key::CHAR_VARCHAR).unwrap_or(&serde_json::Value::Null))
            .with("rows", rows)
            .help("shorten the text of these rows"));
    }
    let bytes: usize = rows().filter_map(stored).map(|text| text.len()).sum();
    if i32::try_from(bytes).is_err() {
        return Err(Error::new(Code::LIMIT, "a batch of rows is too large once its text is filled up with blanks")
            .with("column", &field.name)
            .help("write fewer rows at a time"));
    }
    Ok(Arc::new((0..texts.len()).map(|row| if texts.is_valid(row) { stored(row) } else { None }).collect::<StringArray>()))
}

fn array_is_null(nulls: Option<&NullBuffer>, row: usize) -> bool {
    nulls.is_some_and(|n| n.is_null(row))
}

fn has_required(field: &Field) -> bool {
    !field.nullable || matches!(&field.data_type, DataType::Struct(s) if s.fields.iter().any(has_required))
}

/// The schema of files that hold these fields.
pub(super) fn schema_of(fields: Vec<ArrowField>) -> SchemaRef {
    Arc::new(Schema::new(fields))
}

#[cfg(test)]
#[path = "stages_tests.rs"]
mod tests;
