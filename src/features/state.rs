//! What a table is at one version: protocol, metadata, schema, properties, active features. Kind: pure. Spec: FEA.

use crate::error::Result;
use crate::log::{DomainMetadata, Metadata, Protocol};
use crate::schema::{Field, Struct};

/// What a table is at one version. Building it never fails for an unsupported table: `info` must work on it; ask
/// `check_readable` before rows are read and `check_writable` before anything is written.
#[derive(Clone, Debug)]
pub struct TableState {
    protocol: Protocol,
    metadata: Metadata,
    domains: Vec<DomainMetadata>,
    schema: Struct,
    physical_schema: Struct,
}

impl TableState {
    /// From the newest protocol, metadata and live domains. `LB-SCHEMA` when the schema text is not a schema, `LB-LOG-STATE` when
    /// protocol and features contradict each other.
    pub fn new(protocol: Protocol, metadata: Metadata, domains: Vec<DomainMetadata>) -> Result<TableState> {
        let _ = (protocol, metadata, domains);
        todo!("features room")
    }
    pub fn protocol(&self) -> &Protocol {
        &self.protocol
    }
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }
    pub fn domains(&self) -> &[DomainMetadata] {
        &self.domains
    }
    /// The logical schema, partition columns included, in column order.
    pub fn schema(&self) -> &Struct {
        &self.schema
    }
    /// The same tree with the names that data files, statistics and partition values use.
    pub fn physical_schema(&self) -> &Struct {
        &self.physical_schema
    }
    /// Logical names of the partition columns, in partition order, in schema spelling.
    pub fn partition_columns(&self) -> &[String] {
        &self.metadata.partition_columns
    }
    /// The physical name of a top-level column.
    pub fn physical_name<'a>(&'a self, logical: &str) -> Option<&'a str> {
        self.schema.index_of(logical).map(|i| self.physical_schema.fields[i].name.as_str())
    }
    /// The Parquet field id by which a column of data files is found, when the table maps columns by id; else `None`.
    pub fn field_id(&self, physical: &Field) -> Option<i32> {
        let _ = physical;
        todo!("features room")
    }
    /// A table property as text (`delta.` keys are matched without regard to case).
    pub fn property(&self, key: &str) -> Option<&str> {
        let _ = key;
        todo!("features room")
    }
    /// `LB-FEATURE-READ` naming every reader feature that this build lacks.
    pub fn check_readable(&self) -> Result<()> {
        todo!("features room")
    }
    /// `LB-FEATURE-WRITE` naming every active writer feature that this build does not write.
    pub fn check_writable(&self) -> Result<()> {
        todo!("features room")
    }
}
