//! Makes a table. Kind: edge. Spec: OPS.

use super::{Report, already_exists, json_text, newest};
use crate::error::Result;
use crate::features::{NewTable, TableState, new_table};
use crate::schema::Struct;
use crate::table::Table;
use crate::transaction::{CommitOutcome, OperationInfo};
use serde_json::{Map, Value};
use std::sync::Arc;

const OPERATION: &str = "CREATE TABLE";

/// Makes an empty table.
pub struct Create {
    table: Table,
    new: NewTable,
    if_not_exists: bool,
}

impl Table {
    /// Starts making a table here.
    pub fn create(&self, schema: Struct) -> Create {
        Create { table: self.clone(), new: NewTable { schema, ..NewTable::default() }, if_not_exists: false }
    }
}

impl Create {
    /// Rows are laid out by the values of these columns, in this order.
    pub fn partition_by<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.new.partition_columns = columns.into_iter().map(Into::into).collect();
        self
    }
    /// Sets a table property.
    pub fn property(mut self, key: &str, value: &str) -> Self {
        self.new.properties.insert(key.to_owned(), value.to_owned());
        self
    }
    /// Names the table, for people.
    pub fn name(mut self, name: &str) -> Self {
        self.new.name = Some(name.to_owned());
        self
    }
    /// Describes the table.
    pub fn comment(mut self, comment: &str) -> Self {
        self.new.description = Some(comment.to_owned());
        self
    }
    /// An existing table is left alone: the report's version is `None`.
    pub fn if_not_exists(mut self) -> Self {
        self.if_not_exists = true;
        self
    }
    /// Commits version 0. `LB-TABLE-EXISTS`, `LB-SCHEMA`, `LB-PROPERTY`, `LB-FEATURE-WRITE`.
    pub async fn run(self) -> Result<Report> {
        let env = self.table.env().clone();
        let started = env.now();
        if newest(&self.table).await?.is_some() {
            return if self.if_not_exists { Ok(Report::nothing(OPERATION, &env, started)) } else { Err(already_exists(&self.table)) };
        }
        let (protocol, metadata) = new_table(self.new, &env)?;
        let parameters = parameters(&metadata.partition_columns, metadata.description.as_deref(), &metadata.configuration);
        let state = Arc::new(TableState::new(protocol, metadata, Vec::new())?);
        let operation = OperationInfo { operation: OPERATION.to_owned(), parameters, ..OperationInfo::default() };
        match self.table.begin_create(state, operation).commit().await? {
            CommitOutcome::Committed(done) => Ok(Report::committed(OPERATION, done, Map::new(), &env, started)),
            // Somebody else has made it meanwhile.
            CommitOutcome::Conflicted(_) if self.if_not_exists => Ok(Report::nothing(OPERATION, &env, started)),
            CommitOutcome::Conflicted(_) => Err(already_exists(&self.table)),
        }
    }
}

fn parameters(partition: &[String], description: Option<&str>, properties: &crate::log::StringMap) -> Map<String, Value> {
    let properties: Map<String, Value> = properties.iter().map(|(k, v)| (k.clone(), Value::from(v.as_str()))).collect();
    Map::from_iter([
        ("partitionBy".to_owned(), json_text(partition)),
        ("clusterBy".to_owned(), json_text(&[])),
        ("description".to_owned(), description.map_or(Value::Null, Value::from)),
        ("isManaged".to_owned(), Value::from("false")),
        ("properties".to_owned(), Value::String(Value::Object(properties).to_string())),
    ])
}
