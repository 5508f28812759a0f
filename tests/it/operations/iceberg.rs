//! Iceberg tables that another library wrote (`fixtures/iceberg`) become tables where they lie.

use super::{Place, place};
use futures::TryStreamExt;
use lakebed::{At, Code, ConvertSource, Error, Expr, Report, Result, RowFormat, RowWriter, Table, Version};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/iceberg")
}

fn copy_into(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy_into(&entry.path(), &to),
            false => _ = std::fs::copy(entry.path(), to).unwrap(),
        }
    }
}

pub fn iceberg(name: &str, to: &Path) {
    copy_into(&fixtures().join(name), to);
}

fn iceberg_place(name: &str) -> Place {
    let place = place();
    iceberg(name, place.folder.path());
    place
}

async fn convert(place: &Place) -> Result<Report> {
    place.table.convert().run().await
}

/// Rows in the order of their ids, nulls left out at every depth but in lists.
async fn rows(table: &Table) -> Vec<Value> {
    fn bare(value: Value) -> Value {
        match value {
            Value::Object(fields) => {
                fields.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k, bare(v))).collect::<serde_json::Map<_, _>>().into()
            }
            Value::Array(items) => items.into_iter().map(bare).collect(),
            other => other,
        }
    }
    let mut batches = table.snapshot().await.unwrap().scan().build().unwrap().stream();
    let mut out = Vec::new();
    while let Some(batch) = batches.try_next().await.unwrap() {
        let mut lines = RowWriter::new(RowFormat::Ndjson, &batch.schema(), Vec::new()).unwrap();
        lines.write(&batch).unwrap();
        out.extend(serde_json::Deserializer::from_slice(&lines.finish().unwrap()).into_iter::<Value>().map(|row| bare(row.unwrap())));
    }
    out.sort_by_key(|row| row["id"].as_i64());
    out
}

fn expected(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fixtures().join(name).join("expected.json")).unwrap()).unwrap()
}

fn feature(e: &Error) -> String {
    e.context().iter().find(|(key, _)| *key == "features").map(|(_, text)| text.to_string()).unwrap_or_default()
}

// spec: ICV-1, ICV-2, ICV-3, ICV-4, ICV-5, ICV-6, ICV-7
#[tokio::test]
async fn every_table_becomes_one_of_the_same_rows_or_is_refused_by_name() {
    let mut names: Vec<String> = std::fs::read_dir(fixtures()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert!(names.len() >= 12, "{names:?}");
    for name in names {
        let place = iceberg_place(&name);
        let want = expected(&name);
        let done = convert(&place).await;
        if let Some(code) = want["error"].as_str() {
            let e = done.unwrap_err();
            assert_eq!((e.code().as_str(), feature(&e).as_str()), (code, want["features"].as_str().unwrap()), "{name}: {e}");
            assert!(e.next_step().is_some() && place.versions() == 0, "{name}");
            continue;
        }
        let report = done.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!((report.version, report.operation.as_str()), (Some(Version(0)), "CONVERT"), "{name}");
        assert_eq!(place.actions(0, "commitInfo")[0]["operationParameters"]["sourceFormat"], "iceberg");
        assert_eq!(Value::from(rows(&place.table).await), want["rows"], "{name}");
        let findings = place.table.doctor().deep(true).run().await.unwrap();
        assert!(findings.is_empty(), "{name}: {findings:?}");
        for add in place.actions(0, "add") {
            assert!(!add["path"].as_str().unwrap().contains("://") && add["stats"].is_string(), "{name}: {add}");
        }
    }
}

// spec: ICV-3, ICV-5
#[tokio::test]
async fn columns_are_found_by_their_ids_and_statistics_are_under_the_tables_names() {
    let place = iceberg_place("evolved");
    convert(&place).await.unwrap();
    let metadata = &place.actions(0, "metaData")[0];
    assert_eq!(metadata["configuration"]["delta.columnMapping.mode"], "id");
    assert_eq!(metadata["configuration"]["delta.columnMapping.maxColumnId"], "18");
    let snapshot = place.table.snapshot().await.unwrap();
    let count = async |text: &str| {
        let scan = snapshot.scan().filter(Expr::sql(text).unwrap()).build().unwrap();
        scan.count().await.unwrap()
    };
    assert_eq!((count("title = 'n1'").await, count("ok = 'yes'").await, count("pos.east > 4").await, count("id = 2").await), (1, 1, 1, 0));
    let stats: Vec<Value> =
        place.actions(0, "add").iter().map(|add| serde_json::from_str(add["stats"].as_str().unwrap()).unwrap()).collect();
    assert!(
        stats.iter().any(|s| s["minValues"]["title"] == "n1") && stats.iter().all(|s| s["minValues"].get("name").is_none()),
        "{stats:?}"
    );
    // The boolean that was dropped is no bound of the text that has its name now.
    assert!(stats.iter().all(|s| s["minValues"].get("ok").is_none_or(Value::is_string)), "{stats:?}");
    // It is a table like any other.
    place.table.delete().filter(Expr::sql("id = 1").unwrap()).run().await.unwrap();
    place.table.optimize().run().await.unwrap();
    assert_eq!(rows(&place.table).await.iter().map(|row| row["id"].as_i64().unwrap()).collect::<Vec<_>>(), [3, 4, 5]);
    assert_eq!(place.table.snapshot_at(At::Version(Version(0))).await.unwrap().scan().build().unwrap().count().await.unwrap(), 4);
}

// spec: ICV-4
#[tokio::test]
async fn columns_that_divide_all_files_are_partition_columns_and_the_rest_is_said() {
    let place = iceberg_place("partitioned");
    let report = convert(&place).await.unwrap();
    assert_eq!((report.warnings.len(), &place.actions(0, "metaData")[0]["partitionColumns"]), (0, &json!(["kind", "day", "n"])));
    let scan = place.table.snapshot().await.unwrap().scan().filter(Expr::sql("kind = 'x=y/%' AND day IS NULL").unwrap()).build().unwrap();
    assert_eq!(scan.count().await.unwrap(), 1);
    for (name, left) in [("bucket", 1), ("evolved-spec", 1), ("transforms", 5)] {
        let place = iceberg_place(name);
        let plan = place.table.convert().plan().await.unwrap();
        assert_eq!(plan.warnings().len(), left, "{name}: {:?}", plan.warnings());
        convert(&place).await.unwrap();
        assert_eq!(place.actions(0, "metaData")[0]["partitionColumns"], json!([]), "{name}");
    }
}

// spec: ICV-6
#[tokio::test]
async fn types_that_became_wider_are_recorded() {
    let place = iceberg_place("promoted");
    convert(&place).await.unwrap();
    let metadata = &place.actions(0, "metaData")[0];
    assert_eq!(metadata["configuration"]["delta.enableTypeWidening"], "true");
    let schema: Value = serde_json::from_str(metadata["schemaString"].as_str().unwrap()).unwrap();
    let change = |column: usize| schema["fields"][column]["metadata"]["delta.typeChanges"][0].clone();
    assert_eq!(change(1), json!({"toType": "long", "fromType": "integer"}));
    assert_eq!(change(2), json!({"toType": "decimal(9,2)", "fromType": "decimal(5,2)"}));
}

fn metadata_file(place: &Place) -> PathBuf {
    let mut files = std::fs::read_dir(place.folder.path().join("metadata")).unwrap().map(|e| e.unwrap().path());
    files.find(|path| path.to_str().unwrap().ends_with(".metadata.json")).unwrap()
}

// spec: ICV-1, ICV-2
#[tokio::test]
async fn the_newest_metadata_counts_and_doubts_are_refused() {
    let place = iceberg_place("first-format");
    let file = metadata_file(&place);
    let text = std::fs::read_to_string(&file).unwrap();
    let metadata = place.folder.path().join("metadata");
    // As a table of a file system has them, packed.
    std::fs::remove_file(&file).unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, text.as_bytes()).unwrap();
    std::fs::write(metadata.join("v7.gz.metadata.json"), packed.finish().unwrap()).unwrap();
    std::fs::write(metadata.join("v6.metadata.json"), "{}").unwrap();
    std::fs::write(metadata.join("version-hint.text"), "9").unwrap();
    assert_eq!(place.table.convert().plan().await.unwrap_err().code(), Code::FILE, "the hint names one that is not there");
    std::fs::write(metadata.join("version-hint.text"), "7\n").unwrap();
    place.table.convert().plan().await.unwrap();
    std::fs::write(metadata.join("00007-abc.metadata.json"), &text).unwrap();
    assert_eq!(place.table.convert().plan().await.unwrap_err().code(), Code::INPUT, "two claim to be the newest");
    std::fs::remove_file(metadata.join("00007-abc.metadata.json")).unwrap();
    let refused = async |source| place.table.convert().from(source).plan().await.unwrap_err().code();
    assert_eq!(refused(ConvertSource::Parquet).await, Code::INPUT);
    let none = super::place();
    assert_eq!(none.table.convert().from(ConvertSource::Iceberg).plan().await.unwrap_err().code(), Code::TABLE);
    // Files in another place need permission.
    let moved = text.replace("file:///tmp/lakebed-iceberg/first-format/data", "file:///tmp/elsewhere/data");
    std::fs::write(
        metadata.join("v8.metadata.json"),
        moved.replace("\"file:///tmp/lakebed-iceberg/first-format\"", "\"file:///tmp/other\""),
    )
    .unwrap();
    let e = place.table.convert().plan().await.unwrap_err();
    assert!(e.code().as_str().starts_with("LB-PATH"), "{e}");
    assert_eq!(place.versions(), 0);
}

// spec: ICV-8
#[tokio::test]
async fn damaged_metadata_is_an_error_or_changes_nothing_that_counts() {
    for name in ["partitioned", "equality-deletes"] {
        let place = iceberg_place(name);
        let files: Vec<PathBuf> = std::fs::read_dir(place.folder.path().join("metadata")).unwrap().map(|e| e.unwrap().path()).collect();
        for file in files {
            let good = std::fs::read(&file).unwrap();
            for step in 0..24usize {
                let mut bad = good.clone();
                let at = good.len() * step / 24;
                match step % 3 {
                    0 => bad.truncate(at),
                    1 => bad[at] = !bad[at],
                    _ => bad.splice(at..at, [0xff; 9]).for_each(drop),
                }
                std::fs::write(&file, bad).unwrap();
                if let Err(e) = place.table.convert().plan().await {
                    assert!(e.code() != Code::INTERNAL, "{name} {file:?} {step}: {e}");
                }
            }
            std::fs::write(&file, good).unwrap();
        }
        assert_eq!(place.table.convert().plan().await.is_ok(), name == "partitioned");
    }
}
