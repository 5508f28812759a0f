//! Schema text of the log <-> types. Kind: pure. Spec: SCH.
//!
//! Decoding keeps what it does not know: field metadata verbatim, foreign types as `DataType::Unknown`. Encoding what was decoded
//! gives the same text up to spaces and the spelling of decimals.

use super::{DEPTH_MAX, DataType, Field, Struct};
use crate::error::{Code, Error, Result};
use serde_json::{Map, Value, json};

impl Struct {
    /// Decodes a `schemaString`. `LB-SCHEMA` with the path of the field when it is not one.
    pub fn from_json(text: &str) -> Result<Struct> {
        let value: Value = serde_json::from_str(text)
            .map_err(|e| Error::new(Code::SCHEMA, format!("the schema is not JSON: {e}")).with("schema", excerpt(text)).caused_by(e))?;
        match decode_type(&value, &mut Vec::new(), 0)? {
            DataType::Struct(fields) => Ok(fields),
            other => Err(Error::new(Code::SCHEMA, format!("the schema of a table must be a struct, found {other}"))),
        }
    }
    /// The `schemaString` of this schema, in Spark's key order.
    pub fn to_json(&self) -> String {
        self.to_json_value().to_string()
    }

    fn to_json_value(&self) -> Value {
        json!({"type": "struct", "fields": self.fields.iter().map(Field::to_json_value).collect::<Vec<_>>()})
    }
}

impl DataType {
    /// The type as JSON, as it stands inside a `schemaString`.
    pub fn to_json_value(&self) -> Value {
        let name = match self {
            DataType::Long => "long",
            DataType::Integer => "integer",
            DataType::Short => "short",
            DataType::Byte => "byte",
            DataType::Struct(fields) => return fields.to_json_value(),
            DataType::Array { element, contains_null } => {
                return json!({"type": "array", "elementType": element.to_json_value(), "containsNull": contains_null});
            }
            DataType::Map { key, value, value_contains_null } => {
                return json!({"type": "map", "keyType": key.to_json_value(), "valueType": value.to_json_value(),
                    "valueContainsNull": value_contains_null});
            }
            DataType::Unknown(json) => return json.as_ref().clone(),
            plain => return Value::String(plain.to_string()),
        };
        Value::String(name.to_owned())
    }
    /// Decodes a type as it stands inside a `schemaString` or a recorded type change.
    pub(crate) fn from_json_value(value: &Value) -> Result<DataType> {
        decode_type(value, &mut Vec::new(), 0)
    }
}

impl Field {
    fn to_json_value(&self) -> Value {
        json!({"name": self.name, "type": self.data_type.to_json_value(), "nullable": self.nullable, "metadata": self.metadata})
    }
}

/// `path` names the field that is being decoded, for errors.
fn decode_type(value: &Value, path: &mut Vec<String>, depth: usize) -> Result<DataType> {
    if depth > DEPTH_MAX {
        return Err(malformed(path, format!("types are nested deeper than {DEPTH_MAX} levels")));
    }
    let object = match value {
        Value::String(name) => return decode_name(name, path),
        Value::Object(object) => object,
        other => return Err(malformed(path, format!("a type must be a name or an object, found {}", excerpt(&other.to_string())))),
    };
    let kind = object.get("type").and_then(Value::as_str).ok_or_else(|| malformed(path, "a nested type has no `type`"))?;
    match kind {
        "struct" => {
            let fields = object.get("fields").and_then(Value::as_array).ok_or_else(|| malformed(path, "a struct has no `fields`"))?;
            let fields = fields.iter().map(|field| decode_field(field, path, depth)).collect::<Result<_>>()?;
            Ok(DataType::Struct(Struct { fields }))
        }
        "array" => Ok(DataType::Array {
            element: Box::new(decode_inner(object, "elementType", "element", path, depth)?),
            contains_null: flag(object, "containsNull", path)?,
        }),
        "map" => Ok(DataType::Map {
            key: Box::new(decode_inner(object, "keyType", "key", path, depth)?),
            value: Box::new(decode_inner(object, "valueType", "value", path, depth)?),
            value_contains_null: flag(object, "valueContainsNull", path)?,
        }),
        "variant" if object.len() == 1 => Ok(DataType::Variant),
        _ => Ok(DataType::Unknown(Box::new(value.clone()))),
    }
}

fn decode_inner(object: &Map<String, Value>, key: &str, step: &str, path: &mut Vec<String>, depth: usize) -> Result<DataType> {
    let inner = object.get(key).ok_or_else(|| malformed(path, format!("a nested type has no `{key}`")))?;
    path.push(step.to_owned());
    let decoded = decode_type(inner, path, depth + 1);
    path.pop();
    decoded
}

fn decode_field(value: &Value, path: &mut Vec<String>, depth: usize) -> Result<Field> {
    let object = value.as_object().ok_or_else(|| malformed(path, "a field must be an object"))?;
    let name = object.get("name").and_then(Value::as_str).ok_or_else(|| malformed(path, "a field has no `name`"))?;
    path.push(name.to_owned());
    let data_type = object.get("type").ok_or_else(|| malformed(path, "the field has no `type`"))?;
    let data_type = decode_type(data_type, path, depth + 1)?;
    let nullable = flag(object, "nullable", path)?;
    let metadata = match object.get("metadata") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(metadata)) => metadata.clone(),
        Some(_) => return Err(malformed(path, "`metadata` must be an object")),
    };
    path.pop();
    Ok(Field { name: name.to_owned(), data_type, nullable, metadata })
}

fn decode_name(name: &str, path: &[String]) -> Result<DataType> {
    Ok(match name {
        "string" => DataType::String,
        "long" => DataType::Long,
        "integer" => DataType::Integer,
        "short" => DataType::Short,
        "byte" => DataType::Byte,
        "float" => DataType::Float,
        "double" => DataType::Double,
        "boolean" => DataType::Boolean,
        "binary" => DataType::Binary,
        "date" => DataType::Date,
        "timestamp" => DataType::Timestamp,
        "timestamp_ntz" => DataType::TimestampNtz,
        "void" | "null" => DataType::Void,
        "variant" => DataType::Variant,
        "decimal" => DataType::Decimal { precision: 10, scale: 0 },
        _ => match name.strip_prefix("decimal(").and_then(|rest| rest.strip_suffix(')')) {
            Some(arguments) => decimal(arguments).ok_or_else(|| malformed(path, format!("`{name}` is not a decimal type")))?,
            None => DataType::Unknown(Box::new(Value::String(name.to_owned()))),
        },
    })
}

/// The decimal type of `10, 2` or `10`; `None` outside 1..=38 digits or with more fraction than digits.
pub(super) fn decimal(arguments: &str) -> Option<DataType> {
    let (precision, scale) = arguments.split_once(',').unwrap_or((arguments, "0"));
    let precision: u8 = precision.trim().parse().ok()?;
    let scale: u8 = scale.trim().parse().ok()?;
    ((1..=38).contains(&precision) && scale <= precision).then_some(DataType::Decimal { precision, scale })
}

fn flag(object: &Map<String, Value>, key: &str, path: &[String]) -> Result<bool> {
    object.get(key).and_then(Value::as_bool).ok_or_else(|| malformed(path, format!("`{key}` must be true or false")))
}

fn malformed(path: &[String], message: impl Into<String>) -> Error {
    let error = Error::new(Code::SCHEMA, message);
    if path.is_empty() { error } else { error.with("column", path.join(".")) }
}

fn excerpt(text: &str) -> String {
    if text.chars().count() <= 80 { text.to_owned() } else { format!("{}…", text.chars().take(80).collect::<String>()) }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
