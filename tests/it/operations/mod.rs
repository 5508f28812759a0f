//! One file an operation, through the public API, judged by the log and the files that stand on the disk.

mod alter;
mod append;
mod changes;
mod copies;
mod create;
mod delete;
mod doctor;
mod feed_law;
pub mod iceberg;
mod log_cleanup;
mod log_compact;
mod merge;
mod merge_model;
mod optimize;
mod overwrite;
mod replace;
mod restore;
pub mod row_changes;
mod tail;
mod update;
mod vacuum;
mod vacuum_beside;
mod vacuum_model;
mod vacuum_s3;
mod zorder;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Int64Type, SchemaRef};
use futures::StreamExt;
use lakebed::{Append, DataType, Env, Error, Field, Report, Result, Struct, Table};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// A table on disk that lives as long as its folder.
struct Place {
    folder: tempfile::TempDir,
    table: Table,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let table = Table::at(folder.path().to_str().unwrap()).env(Env::system().with_threads(2)).open().unwrap();
    Place { folder, table }
}

fn columns(columns: &[(&str, DataType)]) -> Struct {
    Struct { fields: columns.iter().map(|(n, t)| Field::new(*n, t.clone(), true)).collect() }
}

fn ids_and_texts(rows: &[(i64, Option<&str>)]) -> RecordBatch {
    let ids = Int64Array::from_iter_values(rows.iter().map(|r| r.0));
    let texts = StringArray::from_iter(rows.iter().map(|r| r.1));
    RecordBatch::try_from_iter([("id", Arc::new(ids) as ArrayRef), ("s", Arc::new(texts))]).unwrap()
}

/// Starts writing batches of one schema.
fn append(table: &Table, batches: Vec<RecordBatch>) -> Append {
    let schema: SchemaRef = batches[0].schema();
    table.append(schema, futures::stream::iter(batches.into_iter().map(Ok::<_, Error>)).boxed())
}

async fn append_ids(table: &Table, ids: &[i64]) -> Result<Report> {
    append(table, vec![ids_and_texts(&ids.iter().map(|i| (*i, Some("x"))).collect::<Vec<_>>())]).run().await
}

impl Place {
    /// The actions of a commit, each as its kind and its content.
    fn commit(&self, version: u64) -> Vec<(String, Value)> {
        let text = std::fs::read_to_string(self.folder.path().join(format!("_delta_log/{version:020}.json"))).unwrap();
        let action = |line: &str| {
            let object: BTreeMap<String, Value> = serde_json::from_str(line).unwrap();
            object.into_iter().next().unwrap()
        };
        text.lines().map(action).collect()
    }
    fn actions(&self, version: u64, kind: &str) -> Vec<Value> {
        self.commit(version).into_iter().filter(|(k, _)| k == kind).map(|(_, v)| v).collect()
    }
    /// Writes a commit again with another text in it, as another engine might have written it.
    fn edit(&self, version: u64, from: &str, to: &str) {
        let path = self.folder.path().join(format!("_delta_log/{version:020}.json"));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from} is not in {text}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
    }
    fn versions(&self) -> usize {
        let names = std::fs::read_dir(self.folder.path().join("_delta_log"))
            .map(|d| d.map(|e| e.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>());
        names.unwrap_or_default().iter().filter(|n| n.ends_with(".json") && n.len() == 25).count()
    }
    /// Data files under the table, whether or not the log names them.
    fn files(&self) -> usize {
        fn count(folder: &Path) -> usize {
            let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
            entries.map(|p| if p.is_dir() { count(&p) } else { usize::from(p.extension().is_some_and(|e| e == "parquet")) }).sum()
        }
        count(self.folder.path())
    }
    /// Sets a property by a commit of its own, as another engine would.
    fn set_property(&self, key: &str, value: &str) {
        let mut metadata = (0..self.versions() as u64).rev().find_map(|v| self.actions(v, "metaData").pop()).unwrap();
        metadata["configuration"][key] = value.into();
        let body = format!(
            "{{\"commitInfo\":{{\"timestamp\":0,\"operation\":\"SET TBLPROPERTIES\"}}}}\n{}\n",
            serde_json::json!({"metaData": metadata})
        );
        std::fs::write(self.folder.path().join(format!("_delta_log/{:020}.json", self.versions())), body).unwrap();
    }
    /// The data files that any commit has named, as they lie in the folder.
    fn named_files(&self) -> std::collections::BTreeSet<String> {
        let paths = (0..self.versions() as u64).flat_map(|v| self.actions(v, "add").into_iter().chain(self.actions(v, "cdc")));
        let decoded = |a: Value| percent_encoding::percent_decode_str(a["path"].as_str().unwrap()).decode_utf8().unwrap().into_owned();
        paths.map(decoded).collect()
    }
    /// A column of longs over all live files, sorted; a file that lacks it gives nothing.
    fn longs(&self, column: &str) -> Vec<i64> {
        let mut live: BTreeMap<String, ()> = BTreeMap::new();
        for version in 0..self.versions() as u64 {
            for (kind, action) in self.commit(version) {
                let path = || action["path"].as_str().unwrap().to_owned();
                match kind.as_str() {
                    "add" => drop(live.insert(path(), ())),
                    "remove" => drop(live.remove(&path())),
                    _ => {}
                }
            }
        }
        let mut out = Vec::new();
        for path in live.keys() {
            let name = percent_encoding::percent_decode_str(path).decode_utf8().unwrap().into_owned();
            let file = std::fs::File::open(self.folder.path().join(name)).unwrap();
            for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
                let batch = batch.unwrap();
                if let Some(c) = batch.column_by_name(column) {
                    out.extend(c.as_primitive::<Int64Type>().iter().flatten());
                }
            }
        }
        out.sort_unstable();
        out
    }
}
