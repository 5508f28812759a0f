//! DESCRIBE and SHOW: facts of tables as rows, with Spark's columns. Kind: edge. Spec: SQL.

use super::statement::TableName;
use super::{Rows, Session};
use crate::error::{Code, Error, Result};
use crate::features::TableState;
use crate::schema::{Struct, metadata_key};
use crate::snapshot::{CountEffort, Snapshot};
use crate::table::Table;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::json::ReaderBuilder;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use std::sync::Arc;

const DETAIL: &str = "format STRING, id STRING, name STRING, description STRING, location STRING, createdAt TIMESTAMP, lastModified TIMESTAMP, \
     partitionColumns ARRAY<STRING>, clusteringColumns ARRAY<STRING>, numFiles BIGINT, sizeInBytes BIGINT, properties MAP<STRING, STRING>, \
     minReaderVersion INT, minWriterVersion INT, tableFeatures ARRAY<STRING>";
const HISTORY: &str = "version BIGINT, timestamp TIMESTAMP, userId STRING, userName STRING, operation STRING, \
     operationParameters MAP<STRING, STRING>, job STRUCT<jobId: STRING, jobName: STRING, jobRunId: STRING, runId: STRING, jobOwnerId: STRING, \
     triggerType: STRING>, notebook STRUCT<notebookId: STRING>, clusterId STRING, readVersion BIGINT, isolationLevel STRING, isBlindAppend BOOLEAN, \
     operationMetrics MAP<STRING, STRING>, userMetadata STRING, engineInfo STRING";

/// Rows from JSON objects.
pub(super) fn rows(columns: &str, objects: &[Value]) -> Result<Rows> {
    let schema: SchemaRef = Arc::new(Struct::from_sql(columns)?.to_arrow()?);
    let unread = |e: arrow::error::ArrowError| Error::new(Code::INTERNAL, format!("a described fact has an unexpected type: {e}"));
    let mut decoder = ReaderBuilder::new(Arc::clone(&schema)).with_batch_size(objects.len().max(1)).build_decoder().map_err(unread)?;
    decoder.serialize(objects).map_err(unread)?;
    let batch = decoder.flush().map_err(unread)?.unwrap_or_else(|| RecordBatch::new_empty(Arc::clone(&schema)));
    Ok(Rows { schema, batches: stream::iter([Ok(batch)]).boxed() })
}

async fn newest(session: &Session, table: &TableName) -> Result<Arc<Snapshot>> {
    session.table(table)?.snapshot().await
}

/// A value as the text that maps of history hold.
fn text(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::String(text) => Value::from(text.as_str()),
        other => Value::from(other.to_string()),
    }
}

fn texts(map: Option<&Value>) -> Value {
    match map {
        Some(Value::Object(map)) => Value::Object(map.iter().map(|(key, value)| (key.clone(), text(value))).collect()),
        _ => Value::Null,
    }
}

/// `DESCRIBE DETAIL`: one row.
pub(super) async fn detail(session: &Session, table: &TableName) -> Result<Rows> {
    let snapshot = newest(session, table).await?;
    let state = snapshot.state();
    let (metadata, protocol) = (state.metadata(), state.protocol());
    let counts = snapshot.counts(CountEffort::Exact).await?;
    let row = json!({
        "format": "delta",
        "id": metadata.id,
        "name": metadata.name,
        "description": metadata.description,
        "location": snapshot.table().root().url().as_str(),
        "createdAt": metadata.created_time.map(|t| crate::env::Timestamp(t).to_string()),
        "lastModified": snapshot.timestamp().await?.to_string(),
        "partitionColumns": state.partition_columns(),
        "clusteringColumns": clustering_columns(state)?,
        "numFiles": counts.map(|c| c.files),
        "sizeInBytes": counts.map(|c| c.bytes),
        "properties": metadata.configuration,
        "minReaderVersion": protocol.min_reader_version,
        "minWriterVersion": protocol.min_writer_version,
        "tableFeatures": state.feature_names(),
    });
    rows(DETAIL, &[row])
}

/// Names of the columns that the table is clustered by, nested ones with dots.
fn clustering_columns(state: &TableState) -> Result<Vec<String>> {
    Ok(state.clustering_columns()?.unwrap_or_default().iter().map(|path| path.join(".")).collect())
}

/// `DESCRIBE HISTORY`: newest first.
pub(super) async fn history(table: &Table, limit: Option<usize>) -> Result<Rows> {
    let mut entries = table.history(limit);
    let mut found = Vec::new();
    while let Some(entry) = entries.try_next().await? {
        let info = entry.commit_info.map(|info| info.0).unwrap_or_default();
        let mut row = serde_json::Map::new();
        row.insert("version".to_owned(), entry.version.0.into());
        row.insert("timestamp".to_owned(), entry.timestamp.to_string().into());
        for key in ["userId", "userName", "operation", "clusterId", "isolationLevel", "userMetadata", "engineInfo"] {
            row.insert(key.to_owned(), info.get(key).map_or(Value::Null, text));
        }
        for key in ["job", "notebook"] {
            row.insert(key.to_owned(), texts(info.get(key)));
        }
        row.insert("readVersion".to_owned(), info.get("readVersion").and_then(Value::as_i64).into());
        row.insert("isBlindAppend".to_owned(), info.get("isBlindAppend").and_then(Value::as_bool).into());
        for key in ["operationParameters", "operationMetrics"] {
            row.insert(key.to_owned(), texts(info.get(key)));
        }
        found.push(Value::Object(row));
    }
    rows(HISTORY, &found)
}

/// `DESCRIBE TABLE [EXTENDED]`.
pub(super) async fn columns(session: &Session, table: &TableName, extended: bool) -> Result<Rows> {
    let snapshot = newest(session, table).await?;
    let state = snapshot.state();
    let row = |name: &str, data_type: &str, comment: Value| json!({"col_name": name, "data_type": data_type, "comment": comment});
    let of_column = |field: &crate::schema::Field| {
        let comment = field.metadata.get(metadata_key::COMMENT).cloned().unwrap_or(Value::Null);
        row(&field.name, &field.data_type.to_string(), comment)
    };
    let mut found: Vec<Value> = state.schema().fields.iter().map(of_column).collect();
    if !state.partition_columns().is_empty() {
        found.push(row("# Partition Information", "", "".into()));
        found.push(row("# col_name", "data_type", "comment".into()));
        found.extend(state.partition_columns().iter().filter_map(|name| state.schema().field(name)).map(of_column));
    }
    let clustering = clustering_columns(state)?;
    if !clustering.is_empty() {
        found.push(row("# Clustering Information", "", "".into()));
        found.push(row("# col_name", "data_type", "comment".into()));
        found.extend(clustering.iter().filter_map(|name| state.schema().field(name)).map(of_column));
    }
    if extended {
        let properties: Vec<String> = properties_of(state).into_iter().map(|(key, value)| format!("{key}={value}")).collect();
        let metadata = state.metadata();
        let facts = [
            ("Name", Some(table.to_string())),
            ("Comment", metadata.description.clone()),
            ("Created Time", metadata.created_time.map(|t| crate::env::Timestamp(t).to_string())),
            ("Location", Some(snapshot.table().root().url().to_string())),
            ("Provider", Some("delta".to_owned())),
            ("Table Properties", Some(format!("[{}]", properties.join(",")))),
        ];
        found.push(row("", "", "".into()));
        found.push(row("# Detailed Table Information", "", "".into()));
        found.extend(facts.into_iter().filter_map(|(name, value)| Some(row(name, &value?, "".into()))));
    }
    rows("col_name STRING, data_type STRING, comment STRING", &found)
}

/// The table's properties with the protocol's versions and features among them, as Spark shows them.
fn properties_of(state: &TableState) -> Vec<(String, String)> {
    let protocol = state.protocol();
    let mut all: Vec<(String, String)> = state.metadata().configuration.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    all.push(("delta.minReaderVersion".to_owned(), protocol.min_reader_version.to_string()));
    all.push(("delta.minWriterVersion".to_owned(), protocol.min_writer_version.to_string()));
    let listed = protocol.writer_features.iter().chain(&protocol.reader_features).flatten();
    all.extend(listed.map(|name| (format!("delta.feature.{name}"), "supported".to_owned())));
    all.sort();
    all.dedup();
    all
}

/// `SHOW TBLPROPERTIES`.
pub(super) async fn properties(session: &Session, table: &TableName, key: Option<&str>) -> Result<Rows> {
    let snapshot = newest(session, table).await?;
    let all = properties_of(snapshot.state());
    let mut found: Vec<Value> = all
        .into_iter()
        .filter(|(name, _)| key.is_none_or(|key| name.eq_ignore_ascii_case(key)))
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect();
    if let Some(key) = key.filter(|_| found.is_empty()) {
        found.push(json!({"key": key, "value": format!("Table {table} does not have property: {key}")}));
    }
    rows("key STRING, value STRING", &found)
}

/// `SHOW COLUMNS`.
pub(super) async fn names(session: &Session, table: &TableName) -> Result<Rows> {
    let snapshot = newest(session, table).await?;
    let found: Vec<Value> = snapshot.state().schema().fields.iter().map(|f| json!({"col_name": f.name})).collect();
    rows("col_name STRING", &found)
}
