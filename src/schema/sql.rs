//! SQL column definitions -> types. Kind: pure. Spec: SCH.

use super::Struct;
use crate::error::Result;

impl Struct {
    /// Decodes SQL column definitions: `id BIGINT NOT NULL, name STRING COMMENT 'x'`.
    pub fn from_sql(text: &str) -> Result<Struct> {
        let _ = text;
        todo!("schema room")
    }
}
