//! Spark reads tables that were restored, copied and converted here, and a shallow copy by Spark is read here.

use crate::support::peers::spark;
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use futures::TryStreamExt;
use lakebed::{At, StorageOptions, Struct, Table, Version};
use serde_json::{Value, json};
use std::path::Path;

fn open(path: &Path, root: &Path) -> Table {
    let options = StorageOptions::new().allow_root(root.to_str().unwrap());
    Table::at(path.to_str().unwrap()).storage_options(options).open().unwrap()
}

async fn ids(table: &Table) -> Vec<i64> {
    let scan = table.snapshot().await.unwrap().scan().columns(["id"]).build().unwrap();
    let batches: Vec<RecordBatch> = scan.stream().try_collect().await.unwrap();
    let mut ids: Vec<i64> = batches.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec()).collect();
    ids.sort_unstable();
    ids
}

fn spark_ids(table: &Path) -> Vec<i64> {
    let rows = spark(table.to_str().unwrap(), &["SELECT id FROM {t} ORDER BY id"]);
    rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

// spec: RST-1, RST-4, CPY-1, CPY-2, CPY-4
#[tokio::test]
async fn spark_reads_what_was_restored_and_copied_and_its_shallow_copy_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    spark(
        at("t").to_str().unwrap(),
        &[
            "CREATE TABLE {t} (id BIGINT, p STRING) USING DELTA PARTITIONED BY (p) TBLPROPERTIES ('delta.enableDeletionVectors'='true', 'delta.enableRowTracking'='true')",
            "INSERT INTO {t} SELECT /*+ COALESCE(1) */ id, CASE WHEN id % 3 = 0 THEN 'a b' WHEN id % 3 = 1 THEN NULL ELSE 'x=y/%' END FROM range(30)",
            "DELETE FROM {t} WHERE id % 5 = 0",
            "ALTER TABLE {t} SET TBLPROPERTIES ('delta.enableChangeDataFeed'='true')",
            &format!("CREATE TABLE delta.`{}` SHALLOW CLONE {{t}} VERSION AS OF 2", at("by-spark").display()),
            "SELECT 1 AS x",
        ],
    );
    let table = open(&at("t"), folder.path());
    let rest: Vec<i64> = (0..30).filter(|id| id % 5 != 0).collect();
    assert_eq!(ids(&open(&at("by-spark"), &at("t"))).await, rest);
    let source = table.snapshot().await.unwrap();
    source.clone_to(&open(&at("shallow"), &at("t"))).run().await.unwrap();
    source.clone_to(&open(&at("deep"), &at("t"))).deep().run().await.unwrap();
    for copy in ["shallow", "deep"] {
        assert_eq!(spark_ids(&at(copy)), rest, "{copy}");
    }
    table.restore(At::Version(Version(1))).run().await.unwrap();
    assert_eq!(spark_ids(&at("t")), (0..30).collect::<Vec<_>>());
    let path = at("t").to_str().unwrap().to_owned();
    let history = spark(&path, &["DESCRIBE HISTORY {t} LIMIT 1"]);
    assert_eq!((&history[0]["operation"], &history[0]["operationMetrics"]["numOfFilesAfterRestore"]), (&json!("RESTORE"), &json!("3")));
    table.snapshot().await.unwrap().clone_to(&open(&at("deep"), &at("t"))).deep().run().await.unwrap();
    assert_eq!(spark_ids(&at("deep")).len(), 30);
    // Spark goes on from there.
    let after = spark(&path, &["RESTORE TABLE {t} TO VERSION AS OF 2", "SELECT count(*) AS n FROM {t}"]);
    assert_eq!(after[0]["n"], Value::from(rest.len()));
}

// spec: CVT-1, CVT-3, CVT-5, MAN-1
#[tokio::test]
async fn spark_reads_what_was_converted_and_lists_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    let text = path.to_str().unwrap().to_owned();
    spark(
        &text,
        &[
            "CREATE TABLE {t} (id BIGINT, f DOUBLE, at TIMESTAMP, p STRING, d INT) USING DELTA PARTITIONED BY (p, d)",
            "INSERT INTO {t} SELECT id, id / 2, timestamp_seconds(id), CASE WHEN id % 3 = 0 THEN 'a b' WHEN id % 3 = 1 THEN NULL ELSE 'x=y/%' END, id % 2 FROM range(12)",
            "GENERATE symlink_format_manifest FOR TABLE {t}",
            "SELECT 1 AS x",
        ],
    );
    let lines = |folder: &Path| {
        let mut found = Vec::new();
        let mut open = vec![folder.join("_symlink_format_manifest")];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
                match entry.file_name().unwrap().to_str().unwrap() {
                    "manifest" => {
                        let text = std::fs::read_to_string(&entry).unwrap();
                        found.extend(text.lines().map(|line| format!("/{}", line.trim_start_matches("file:").trim_start_matches('/'))));
                    }
                    _ if entry.is_dir() => open.push(entry.clone()),
                    _ => {}
                }
            }
        }
        found.sort();
        found
    };
    let by_spark = lines(&path);
    let table = open(&path, &path);
    table.generate_manifest().run().await.unwrap();
    assert_eq!(lines(&path), by_spark);
    std::fs::remove_dir_all(path.join("_delta_log")).unwrap();
    let table = open(&path, &path);
    table.convert().partition_schema(Struct::from_sql("p STRING, d INT").unwrap()).run().await.unwrap();
    let read = spark(
        &text,
        &["SELECT count(*) AS n, count(p) AS p, sum(d) AS d, max(id) AS id, max(f) AS f FROM {t} WHERE at >= timestamp_seconds(0)"],
    );
    assert_eq!(read[0], json!({"n": 12, "p": 8, "d": 6, "id": 11, "f": 5.5}));
    let kept = spark(&text, &["SELECT id FROM {t} WHERE p = 'x=y/%' AND id > 8"]);
    assert_eq!(kept, [json!({"id": 11})]);
}

// spec: ICV-3, ICV-4, ICV-6
#[tokio::test]
async fn spark_reads_and_goes_on_with_what_was_converted_from_iceberg() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["evolved", "partitioned", "promoted"] {
        crate::operations::iceberg::iceberg(name, &at(name));
        open(&at(name), &at(name)).convert().run().await.unwrap();
    }
    let read = spark(
        at("evolved").to_str().unwrap(),
        &[
            "SELECT id, title, CAST(amount AS STRING) AS amount, CAST(day AS STRING) AS day, tags[2] AS tag, attrs['k'] AS k, pos.east AS east, hex(raw) AS raw, ok, extra FROM {t} ORDER BY id",
        ],
    );
    let bare = |row: &Value| {
        row.as_object()
            .unwrap()
            .iter()
            .filter(|(_, v)| !v.is_null())
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect::<serde_json::Map<_, _>>()
    };
    let read: Vec<Value> = read.iter().map(|row| bare(row).into()).collect();
    assert_eq!(
        read,
        [
            json!({"id": 1, "title": "n1", "amount": "0.25", "day": "2026-03-01", "tag": "1", "k": 1, "east": 0.5, "raw": "01"}),
            json!({"id": 3}),
            json!({"id": 4, "title": "four", "east": 4.5, "ok": "yes", "extra": 44}),
            json!({"id": 5}),
        ]
    );
    let kept = spark(
        at("partitioned").to_str().unwrap(),
        &[
            "INSERT INTO {t} VALUES (5, 'new', DATE'2026-05-05', 0.5)",
            "SELECT id FROM {t} WHERE kind = 'x=y/%' OR day < DATE'1970-01-01' OR n = -1.5 OR kind = 'new' OR (kind IS NULL AND n IS NULL) ORDER BY id",
        ],
    );
    assert_eq!(kept.iter().map(|row| row["id"].as_i64().unwrap()).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(ids(&open(&at("partitioned"), &at("partitioned"))).await, [1, 2, 3, 4, 5]);
    let wide = spark(at("promoted").to_str().unwrap(), &["SELECT sum(n) AS n, CAST(sum(d) AS STRING) AS d FROM {t}"]);
    assert_eq!(wide, [json!({"n": 1_099_511_627_777i64, "d": "1234568.50"})]);
}
