//! Types <-> Arrow. Kind: pure. Spec: SCH.
//!
//! One logical Arrow form for each type: Utf8, Int64…, Decimal128, Timestamp(µs, "UTC"), Timestamp(µs), List("element"),
//! Map("key_value"{"key","value"}), Struct, Null for void; a variant is Struct{metadata: Binary, value: Binary} marked with the
//! Arrow extension type `arrow.parquet.variant`.

use super::{DataType, Field, Struct};
use crate::error::Result;
use arrow::datatypes::{DataType as ArrowType, Field as ArrowField, Schema as ArrowSchema};

impl Struct {
    /// The Arrow schema of these fields. `LB-SCHEMA` for a type that this build does not know.
    pub fn to_arrow(&self) -> Result<ArrowSchema> {
        todo!("schema room")
    }
    /// The Delta schema of an Arrow schema; accepts every Arrow type that has an equal in Delta (also Large*, *View, dictionaries).
    pub fn from_arrow(schema: &ArrowSchema) -> Result<Struct> {
        let _ = schema;
        todo!("schema room")
    }
}
impl Field {
    /// One field.
    pub fn to_arrow(&self) -> Result<ArrowField> {
        todo!("schema room")
    }
}
impl DataType {
    /// One type.
    pub fn to_arrow(&self) -> Result<ArrowType> {
        todo!("schema room")
    }
}
