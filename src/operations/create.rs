//! Makes a table. Kind: edge. Spec: OPS.

use super::Report;
use crate::error::Result;
use crate::schema::Struct;
use crate::table::Table;

/// Makes an empty table.
pub struct Create {
    #[allow(dead_code)]
    table: Table,
}

impl Table {
    /// Starts making a table here.
    pub fn create(&self, schema: Struct) -> Create {
        let _ = schema;
        Create { table: self.clone() }
    }
}

impl Create {
    pub fn partition_by<S: Into<String>>(self, columns: impl IntoIterator<Item = S>) -> Self {
        let _: Vec<String> = columns.into_iter().map(Into::into).collect();
        self
    }
    pub fn property(self, key: &str, value: &str) -> Self {
        let _ = (key, value);
        self
    }
    pub fn name(self, name: &str) -> Self {
        let _ = name;
        self
    }
    pub fn comment(self, comment: &str) -> Self {
        let _ = comment;
        self
    }
    /// An existing table is left alone: the report's version is `None`.
    pub fn if_not_exists(self) -> Self {
        self
    }
    /// `LB-TABLE-EXISTS`, `LB-SCHEMA`, `LB-PROPERTY`, `LB-FEATURE-WRITE`.
    pub async fn run(self) -> Result<Report> {
        todo!("write room")
    }
}
