//! The metadata file of an Iceberg table: columns, partitioning, the newest snapshot. Kind: pure. Spec: ICV.

use super::refused;
use crate::error::{Code, Error, Result};
use crate::schema::{DataType, Field, Struct, metadata_key};
use serde::Deserialize;
use serde_json::Value;

/// What of a table's metadata counts.
#[derive(Debug)]
pub(super) struct Metadata {
    /// Where the table says that it lies, without a slash at the end.
    pub location: String,
    /// The columns, with ids and with their names as those of files.
    pub columns: Struct,
    pub highest_id: i32,
    specs: Vec<(i64, Vec<PartitionField>)>,
    pub snapshot: Option<Snapshot>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct PartitionField {
    pub source_id: i64,
    #[serde(default)]
    pub field_id: Option<i64>,
    pub name: String,
    pub transform: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Snapshot {
    snapshot_id: i64,
    pub timestamp_ms: i64,
    pub manifest_list: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Raw {
    location: String,
    last_column_id: i32,
    #[serde(default)]
    schemas: Vec<Value>,
    schema: Option<Value>,
    current_schema_id: Option<i64>,
    #[serde(default)]
    partition_specs: Vec<RawSpec>,
    partition_spec: Option<Vec<PartitionField>>,
    current_snapshot_id: Option<i64>,
    #[serde(default)]
    snapshots: Option<Vec<Snapshot>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawSpec {
    spec_id: i64,
    fields: Vec<PartitionField>,
}

fn bad(why: impl std::fmt::Display) -> Error {
    Error::new(Code::FILE, format!("the metadata of the Iceberg table cannot be used: {why}")).help("restore the file from a copy")
}

impl Metadata {
    /// `LB-FEATURE-READ` for another format than 1 and 2 and for types that Delta does not have, `LB-FILE` for what is no such metadata.
    pub(super) fn parse(text: &[u8]) -> Result<Metadata> {
        // What decides whether the rest means what we think.
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        struct Format {
            format_version: i64,
        }
        let format: Format = serde_json::from_slice(text).map_err(bad)?;
        if !(1..=2).contains(&format.format_version) {
            return Err(refused(&format!("format version {}", format.format_version), "copy its rows into a new table"));
        }
        let raw: Raw = serde_json::from_slice(text).map_err(bad)?;
        let is_current =
            |schema: &&Value| raw.current_schema_id.is_none_or(|id| schema.get("schema-id").and_then(Value::as_i64) == Some(id));
        let schema = raw.schemas.iter().find(is_current).or(raw.schema.as_ref().filter(|_| raw.schemas.is_empty()));
        let columns = fields(schema.ok_or_else(|| bad("it has no current schema"))?, 0)?;
        let mut specs: Vec<_> = raw.partition_specs.into_iter().map(|spec| (spec.spec_id, spec.fields)).collect();
        if specs.is_empty() {
            specs.push((0, raw.partition_spec.ok_or_else(|| bad("it has no partition spec"))?));
        }
        for (_, fields) in &mut specs {
            // The first format gives ids by position.
            for (field, id) in fields.iter_mut().zip(1_000..) {
                field.field_id.get_or_insert(id);
            }
        }
        let snapshot = match raw.current_snapshot_id.filter(|id| *id != -1) {
            None => None,
            Some(id) => {
                let found = raw.snapshots.unwrap_or_default().into_iter().find(|snapshot| snapshot.snapshot_id == id);
                Some(found.ok_or_else(|| bad("it has no current snapshot"))?)
            }
        };
        let location = raw.location.trim_end_matches('/').to_owned();
        Ok(Metadata { location, columns, highest_id: raw.last_column_id, specs, snapshot })
    }
    /// The fields of a partition spec.
    pub(super) fn spec(&self, id: i64) -> Result<&[PartitionField]> {
        let found = self.specs.iter().find(|(spec, _)| *spec == id);
        found.map(|(_, fields)| fields.as_slice()).ok_or_else(|| bad(format!("it has no partition spec {id}")))
    }
}

/// The id that Iceberg gives a field.
pub(super) fn id_of(field: &Field) -> Option<i64> {
    field.metadata.get(metadata_key::MAPPING_ID)?.as_i64()
}

fn fields(json: &Value, depth: usize) -> Result<Struct> {
    let fields = json.get("fields").and_then(Value::as_array).ok_or_else(|| bad("a struct has no fields"))?;
    let of = |json: &Value| {
        let name = json.get("name").and_then(Value::as_str).ok_or_else(|| bad("a field has no name"))?;
        let id = json.get("id").and_then(Value::as_i64).and_then(|id| i32::try_from(id).ok()).filter(|id| *id > 0);
        let id = id.ok_or_else(|| bad("a field has no id").with("column", name))?;
        let data_type = json.get("type").ok_or_else(|| bad("a field has no type").with("column", name))?;
        let required = depth == 0 && json.get("required").and_then(Value::as_bool).unwrap_or(false);
        let mut field = Field::new(name, type_of(data_type, depth + 1).map_err(|e| e.with("column", name))?, !required);
        field.metadata.insert(metadata_key::MAPPING_ID.to_owned(), id.into());
        field.metadata.insert(metadata_key::MAPPING_NAME.to_owned(), name.into());
        if let Some(doc) = json.get("doc").and_then(Value::as_str) {
            field.metadata.insert(metadata_key::COMMENT.to_owned(), doc.into());
        }
        Ok(field)
    };
    Ok(Struct { fields: fields.iter().map(of).collect::<Result<_>>()? })
}

fn type_of(json: &Value, depth: usize) -> Result<DataType> {
    let inner = |key: &str| type_of(json.get(key).ok_or_else(|| bad(format!("a type has no {key}")))?, depth + 1);
    let Some(name) = json.as_str() else {
        return match json.get("type").and_then(Value::as_str) {
            Some("struct") => Ok(DataType::Struct(fields(json, depth + 1)?)),
            Some("list") => Ok(DataType::Array { element: Box::new(inner("element")?), contains_null: true }),
            Some("map") => Ok(DataType::Map { key: Box::new(inner("key")?), value: Box::new(inner("value")?), value_contains_null: true }),
            _ => Err(bad("a type is none")),
        };
    };
    Ok(match name {
        "boolean" => DataType::Boolean,
        "int" => DataType::Integer,
        "long" => DataType::Long,
        "float" => DataType::Float,
        "double" => DataType::Double,
        "date" => DataType::Date,
        "timestamp" => DataType::TimestampNtz,
        "timestamptz" => DataType::Timestamp,
        "string" => DataType::String,
        "binary" => DataType::Binary,
        other => {
            let number = |text: &str| text.trim().parse::<u8>().ok();
            let decimal = other.strip_prefix("decimal(").and_then(|rest| rest.strip_suffix(')')).and_then(|rest| rest.split_once(','));
            match decimal.and_then(|(precision, scale)| Some((number(precision)?, number(scale)?))) {
                Some((precision @ 1..=38, scale)) if scale <= precision => DataType::Decimal { precision, scale },
                _ => return Err(refused(other, "Delta has no such type: write the column as another type first")),
            }
        }
    })
}

#[cfg(test)]
#[path = "metadata_tests.rs"]
mod tests;
