//! Schema text of the log <-> types. Kind: pure. Spec: SCH.

use super::{DataType, Field, Struct};
use crate::error::Result;

impl Struct {
    /// Decodes a `schemaString`. `LB-SCHEMA` with the path of the field when it is not one.
    pub fn from_json(text: &str) -> Result<Struct> {
        let _ = text;
        todo!("schema room")
    }
    /// The `schemaString` of this schema, in Spark's key order.
    pub fn to_json(&self) -> String {
        todo!("schema room")
    }
    /// Decodes SQL column definitions: `id BIGINT NOT NULL, name STRING COMMENT 'x'`.
    pub fn from_sql(text: &str) -> Result<Struct> {
        let _ = text;
        todo!("schema room")
    }
}
impl DataType {
    /// The type as JSON, as it stands inside a `schemaString`.
    pub fn to_json_value(&self) -> serde_json::Value {
        todo!("schema room")
    }
}
impl Field {}
