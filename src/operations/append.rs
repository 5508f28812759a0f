//! Appends or overwrites rows. Kind: edge. Spec: OPS.

use super::Report;
use crate::data::write::WriteOptions;
use crate::error::Result;
use crate::log::Version;
use crate::table::Table;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::stream::BoxStream;

/// What to do with what is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SaveMode {
    #[default]
    Append,
    /// Replaces all rows.
    Overwrite,
    /// Refuses a table that exists.
    Error,
    /// Leaves a table that exists alone.
    Ignore,
}

/// Writes rows into a table, making it when it is missing.
pub struct Append {
    #[allow(dead_code)]
    table: Table,
}

impl Table {
    /// Starts writing a stream of batches of one schema.
    pub fn append(&self, schema: SchemaRef, batches: BoxStream<'static, Result<RecordBatch>>) -> Append {
        let _ = (schema, batches);
        Append { table: self.clone() }
    }
}

impl Append {
    pub fn mode(self, mode: SaveMode) -> Self {
        let _ = mode;
        self
    }
    /// Adds columns that the table lacks.
    pub fn merge_schema(self) -> Self {
        self
    }
    /// With `Overwrite`: the rows' schema (and `partition_by`) replaces the table's.
    pub fn overwrite_schema(self) -> Self {
        self
    }
    /// Partition columns of a table that this makes; must equal those of one that exists.
    pub fn partition_by<S: Into<String>>(self, columns: impl IntoIterator<Item = S>) -> Self {
        let _: Vec<String> = columns.into_iter().map(Into::into).collect();
        self
    }
    /// Properties of a table that this makes.
    pub fn property(self, key: &str, value: &str) -> Self {
        let _ = (key, value);
        self
    }
    /// The same application's same or older version writes nothing (report version `None`).
    pub fn app_version(self, app_id: &str, version: i64) -> Self {
        let _ = (app_id, version);
        self
    }
    pub fn user_metadata(self, text: &str) -> Self {
        let _ = text;
        self
    }
    /// Refuses with `LB-CONFLICT` when the table is not at this version.
    pub fn if_version(self, version: Version) -> Self {
        let _ = version;
        self
    }
    pub fn write_options(self, options: WriteOptions) -> Self {
        let _ = options;
        self
    }
    pub async fn run(self) -> Result<Report> {
        todo!("write room")
    }
}
