//! `info`, `history`, `files`, `log dump`: what the log says. Kind: edge.

use crate::args::TableAt;
use crate::failure::Result;
use crate::output::{into_map, warn};
use crate::session::{Session, predicate};
use futures::TryStreamExt;
use lakebed::{At, Code, CountEffort, Counts, FileBatch, FileQuery, LogFile, LogFileKind, Snapshot, TableState, Timestamp, Version};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use std::sync::Arc;

const HISTORY_KEYS: &[&str] = &[
    "version",
    "timestamp",
    "operation",
    "operationParameters",
    "operationMetrics",
    "readVersion",
    "isolationLevel",
    "isBlindAppend",
    "userMetadata",
    "engineInfo",
    "txnId",
];
const HISTORY_SHOWN: &[&str] = &["version", "timestamp", "operation", "operationMetrics", "userMetadata", "operationParameters"];
const FILE_KEYS: &[&str] = &["path", "size", "partition_values", "num_records", "deleted_records", "modification_time"];
const LOG_KEYS: &[&str] = &["version", "kind", "action"];

pub async fn info(session: &Session, at: &TableAt, exact: bool) -> Result<()> {
    let snapshot = session.snapshot(at).await?;
    let state = snapshot.state();
    if let Err(e) = state.check_readable() {
        let features = e.context().iter().find(|(key, _)| *key == "features").map(|(_, names)| format!(": {names}"));
        warn(&[format!("{}{}", e.message(), features.unwrap_or_default())]);
    }
    let counts = {
        let _bar = session.progress.busy("counting files");
        let effort = if exact { CountEffort::Exact } else { CountEffort::Cheap };
        match snapshot.counts(effort).await {
            // The facts are worth showing without the counts.
            Err(e) if !exact && state.check_readable().is_err() => {
                warn(&[format!("files cannot be counted: {}", e.message())]);
                None
            }
            other => other?,
        }
    };
    let mut facts = facts(&snapshot, counts.as_ref()).await?;
    facts.insert("layout".to_owned(), layout(&snapshot, FileQuery::default(), counts.as_ref(), exact).await?);
    if session.output.is_table() {
        let columns = state.schema().fields.iter().map(|f| {
            let required = if f.nullable { "" } else { " not null" };
            format!("{} {}{required}", f.name, f.data_type)
        });
        facts.insert("schema".to_owned(), columns.collect::<Vec<_>>().join(", ").into());
    }
    session.output.object(facts)
}

async fn facts(snapshot: &Arc<Snapshot>, counts: Option<&Counts>) -> Result<Map<String, Value>> {
    let state = snapshot.state();
    let (metadata, protocol) = (state.metadata(), state.protocol());
    let schema: Value = serde_json::from_str(&metadata.schema_string).unwrap_or(Value::Null);
    Ok(into_map(json!({
        "location": snapshot.table().root().url().as_str(),
        "id": metadata.id,
        "name": metadata.name,
        "description": metadata.description,
        "version": snapshot.version().0,
        "timestamp": snapshot.timestamp().await?.to_string(),
        "created_at": metadata.created_time.map(|t| Timestamp(t).to_string()),
        "partition_columns": state.partition_columns(),
        "clustering_columns": clustering_columns(state),
        "num_files": counts.map(|c| c.files),
        "size_bytes": counts.map(|c| c.bytes),
        "num_records": counts.and_then(|c| c.records),
        "num_deleted_records": counts.and_then(|c| c.deleted_records),
        "min_reader_version": protocol.min_reader_version,
        "min_writer_version": protocol.min_writer_version,
        "reader_features": protocol.reader_features.clone().unwrap_or_default(),
        "writer_features": protocol.writer_features.clone().unwrap_or_default(),
        "properties": metadata.configuration,
        "schema": schema,
    })))
}

/// Files whose layout is told without being asked for.
const LAYOUT_FILES: u64 = 10_000;

/// How files lie: small ones, deleted rows, and how far skipping gets by each column. Null where telling it would take long.
async fn layout(snapshot: &Arc<Snapshot>, query: FileQuery, counts: Option<&Counts>, exact: bool) -> Result<Value> {
    let few = counts.is_some_and(|counts| counts.files <= LAYOUT_FILES);
    if snapshot.state().check_readable().is_err() || !(few || exact) {
        return Ok(Value::Null);
    }
    Ok(json!(snapshot.layout(query, None).await?))
}

/// Logical names, nested ones with dots; what cannot be told is left out, so that the rest can be.
fn clustering_columns(state: &TableState) -> Vec<String> {
    state.clustering_columns().ok().flatten().unwrap_or_default().iter().map(|path| path.join(".")).collect()
}

pub async fn history(session: &Session, table: &str, limit: Option<usize>) -> Result<()> {
    let mut entries = session.table(table)?.history(limit);
    let mut out = session.output.records(HISTORY_KEYS, HISTORY_SHOWN);
    while let Some(entry) = entries.try_next().await? {
        warn(entry.warning.as_slice());
        let info = entry.commit_info.map(|info| info.0).unwrap_or_default();
        let value = |key: &str| match key {
            "version" => Value::from(entry.version.0),
            "timestamp" => entry.timestamp.to_string().into(),
            _ => info.get(key).cloned().unwrap_or(Value::Null),
        };
        out.push(&HISTORY_KEYS.iter().map(|key| ((*key).to_owned(), value(key))).collect())?;
    }
    out.finish()
}

pub async fn files(session: &Session, at: &TableAt, filter: Option<&str>) -> Result<()> {
    let filter = predicate(filter)?;
    let snapshot = session.snapshot(at).await?;
    let state = snapshot.state();
    state.check_readable()?;
    let mut query = FileQuery::default().records();
    let filtered = filter.is_some();
    if let Some(filter) = filter {
        query = query.filter(filter.bind(state.schema())?);
    }
    let same = query.clone();
    let names: Vec<(&str, &str)> =
        state.partition_columns().iter().filter_map(|name| Some((name.as_str(), state.physical_name(name)?))).collect();
    let mut out = session.output.records(FILE_KEYS, &[]).wrapped("files");
    let (mut kept, mut bytes) = (0u64, 0u64);
    let mut batches = snapshot.files(query);
    while let Some(batch) = batches.try_next().await? {
        for row in 0..batch.len() {
            out.push(&file(&batch, row, &names))?;
            kept += 1;
            bytes = bytes.saturating_add(batch.size(row).unsigned_abs());
        }
    }
    let total = if filtered { files_total(&snapshot).await? } else { kept };
    let counts = Counts { files: kept, ..Counts::default() };
    let layout = layout(&snapshot, same, Some(&counts), false).await?;
    out.finish_with(into_map(json!({"files_total": total, "files_kept": kept, "bytes_kept": bytes, "layout": layout})))
}

fn file(batch: &FileBatch, row: usize, partition: &[(&str, &str)]) -> Map<String, Value> {
    let values: Map<String, Value> = partition
        .iter()
        .map(|(logical, physical)| ((*logical).to_owned(), batch.partition_value(row, physical).map_or(Value::Null, Value::from)))
        .collect();
    let deleted = batch.vector(row).map_or(0, |v| v.cardinality);
    into_map(json!({
        "path": decoded(batch.path(row)),
        "size": batch.size(row),
        "partition_values": values,
        "num_records": batch.num_records(row),
        "deleted_records": deleted,
        "modification_time": Timestamp(batch.modification_time(row)).to_string(),
    }))
}

/// A path of the log as it stands in the store; a URL stays as it is.
fn decoded(path: &str) -> String {
    let is_url = path.split_once(':').is_some_and(|(scheme, _)| scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)));
    if is_url { path.to_owned() } else { percent_decode_str(path).decode_utf8().map_or_else(|_| path.to_owned(), |p| p.into_owned()) }
}

/// How many files a version has, from its checksum when that is valid.
pub async fn files_total(snapshot: &Arc<Snapshot>) -> Result<u64> {
    if let Some(counts) = snapshot.counts(CountEffort::Cheap).await? {
        return Ok(counts.files);
    }
    Ok(snapshot.counts(CountEffort::Exact).await?.map_or(0, |c| c.files))
}

/// Every action of the commits. A line that is no JSON is shown as text: this command is for looking at what is broken.
pub async fn dump(session: &Session, table: &str, from: Option<u64>) -> Result<()> {
    let table = session.table(table)?;
    let first = Version(from.unwrap_or(0));
    let commits: Vec<LogFile> =
        table.log().list(first).try_filter(|file| std::future::ready(file.kind == LogFileKind::Commit)).try_collect().await?;
    if commits.is_empty() {
        // Says what there is instead, unless only a checkpoint is left.
        table.snapshot_at(from.map_or(At::Latest, |_| At::Version(first))).await?;
    }
    let mut out = session.output.records(LOG_KEYS, &[]);
    for (i, file) in commits.iter().enumerate() {
        if i > 0 && commits[i - 1].version.next() < file.version {
            warn(&[format!("{}: version {} is missing from the log", Code::LOG_GAP.as_str(), commits[i - 1].version.next())]);
        }
        let Some(body) = table.log().read_commit(file.version).await? else { continue };
        let body = String::from_utf8_lossy(&body);
        for line in body.lines().filter(|line| !line.trim().is_empty()) {
            let (kind, action) = match serde_json::from_str::<Map<String, Value>>(line) {
                Ok(object) if object.len() == 1 => object.into_iter().next().unwrap_or_default(),
                Ok(object) => ("several".to_owned(), Value::Object(object)),
                Err(_) => ("invalid".to_owned(), Value::from(line)),
            };
            out.push(&into_map(json!({"version": file.version.0, "kind": kind, "action": action})))?;
        }
    }
    out.finish()
}
