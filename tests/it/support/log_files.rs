//! Logs in memory, written file by file.

use super::stores::Counting;
use arrow::datatypes::{DataType, Field, Fields, Schema};
use futures::TryStreamExt;
use lakebed::{Env, PathLogStore, Table, TableRoot};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use std::sync::Arc;

pub const PROTOCOL: &str = r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#;

pub const PROTOCOL_V2: &str =
    r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["v2Checkpoint"],"writerFeatures":["v2Checkpoint"]}}"#;

/// A `metaData` line.
pub fn metadata(id: &str, configuration: &str) -> String {
    let schema = r#"{\"type\":\"struct\",\"fields\":[{\"name\":\"a\",\"type\":\"long\",\"nullable\":true,\"metadata\":{}}]}"#;
    format!(
        r#"{{"metaData":{{"id":"{id}","format":{{"provider":"parquet","options":{{}}}},"schemaString":"{schema}","partitionColumns":[],"configuration":{configuration}}}}}"#
    )
}

/// An `add` line of a file with one row.
pub fn add(path: &str, size: i64) -> String {
    format!(
        r#"{{"add":{{"path":"{path}","partitionValues":{{}},"size":{size},"modificationTime":1,"dataChange":true,"stats":"{{\"numRecords\":1}}"}}}}"#
    )
}

/// A table whose log the test writes.
pub struct LogFiles {
    files: Arc<InMemory>,
    /// What the table asks for.
    pub store: Arc<Counting>,
    pub table: Table,
}

impl LogFiles {
    pub fn new() -> Self {
        let files = Arc::new(InMemory::new());
        let store = Counting::new(Arc::clone(&files) as Arc<dyn ObjectStore>);
        let root =
            TableRoot::with_store(url::Url::parse("memory:///t/").unwrap(), Arc::clone(&store) as Arc<dyn ObjectStore>, Path::from("t"));
        let log = Arc::new(PathLogStore::new(root.clone()));
        LogFiles { files, store, table: Table::with_log(root, log, Env::system()) }
    }
    pub async fn put(&self, name: &str, body: impl Into<Vec<u8>>) {
        let key = Path::from(format!("t/_delta_log/{name}"));
        self.files.put(&key, body.into().into()).await.unwrap();
    }
    /// Bytes of all files whose names hold this.
    pub async fn sizes(&self, part: &str) -> u64 {
        let files: Vec<_> = self.files.list(None).try_collect().await.unwrap();
        files.iter().filter(|file| file.location.as_ref().contains(part)).map(|file| file.size).sum()
    }
    pub async fn delete(&self, name: &str) {
        self.files.delete(&Path::from(format!("t/_delta_log/{name}"))).await.unwrap();
    }
    pub async fn commit(&self, version: u64, lines: &[&str]) {
        self.put(&format!("{version:020}.json"), lines.join("\n") + "\n").await;
    }
    /// Commits `from..=to`, each adding one file; version 0 makes the table.
    pub async fn commits(&self, from: u64, to: u64) {
        for v in from..=to {
            let added = add(&format!("f{v}"), 10);
            if v == 0 {
                self.commit(0, &[PROTOCOL, &metadata("first", "{}"), &added]).await;
            } else {
                self.commit(v, &[&format!(r#"{{"commitInfo":{{"operation":"WRITE","txnId":"t{v}"}}}}"#), &added]).await;
            }
        }
    }
    /// A classic checkpoint with these actions.
    pub async fn checkpoint(&self, version: u64, lines: &[&str]) {
        self.parquet(&format!("{version:020}.checkpoint.parquet"), lines).await;
    }
    /// A Parquet file with these actions.
    pub async fn parquet(&self, name: &str, lines: &[&str]) {
        self.put(name, parquet_of(&lines.join("\n"))).await;
    }
    /// Its bytes.
    pub fn parquet_body(&self, lines: &[String]) -> Vec<u8> {
        parquet_of(&lines.join("\n"))
    }
    /// The checkpoint that the commits of `commits` make.
    pub async fn checkpoint_of_commits(&self, version: u64, more: &[&str]) {
        let first = metadata("first", "{}");
        let adds: Vec<String> = (0..=version).map(|v| add(&format!("f{v}"), 10)).collect();
        let mut lines = vec![PROTOCOL, first.as_str()];
        lines.extend(adds.iter().map(String::as_str));
        lines.extend(more);
        self.checkpoint(version, &lines).await;
    }
}

fn parquet_of(lines: &str) -> Vec<u8> {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let long = |name: &str| Field::new(name, DataType::Int64, true);
    let int = |name: &str| Field::new(name, DataType::Int32, true);
    let map = |name: &str| {
        let entries = Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, true)]);
        Field::new(name, DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(entries), false)), false), true)
    };
    let strings = |name: &str| Field::new(name, DataType::List(Arc::new(text("element"))), true);
    let action = |name: &str, fields: Vec<Field>| Field::new(name, DataType::Struct(fields.into()), true);
    let format = action("format", vec![text("provider"), map("options")]);
    let flag = |name: &str| Field::new(name, DataType::Boolean, true);
    let schema = Arc::new(Schema::new(vec![
        action("txn", vec![text("appId"), long("version"), long("lastUpdated")]),
        action(
            "add",
            vec![text("path"), map("partitionValues"), long("size"), long("modificationTime"), flag("dataChange"), text("stats")],
        ),
        action("remove", vec![text("path"), long("deletionTimestamp"), flag("dataChange")]),
        action(
            "metaData",
            vec![text("id"), format, text("schemaString"), strings("partitionColumns"), map("configuration"), long("createdTime")],
        ),
        action("protocol", vec![int("minReaderVersion"), int("minWriterVersion"), strings("readerFeatures"), strings("writerFeatures")]),
        action("domainMetadata", vec![text("domain"), text("configuration"), flag("removed")]),
        action("checkpointMetadata", vec![long("version")]),
        action("sidecar", vec![text("path"), long("sizeInBytes"), long("modificationTime")]),
    ]));
    let rows = arrow::json::ReaderBuilder::new(Arc::clone(&schema)).build(std::io::Cursor::new(lines.as_bytes())).unwrap();
    let mut body = Vec::new();
    let groups = parquet::file::properties::WriterProperties::builder().set_max_row_group_row_count(Some(1000)).build();
    let mut writer = parquet::arrow::ArrowWriter::try_new(&mut body, schema, Some(groups)).unwrap();
    for batch in rows {
        writer.write(&batch.unwrap()).unwrap();
    }
    writer.close().unwrap();
    body
}
