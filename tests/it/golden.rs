//! Tables that other engines wrote, read at their newest and at older versions, compared by digest with what Spark read.
//!
//! `LAKEBED_GOLDEN=<folder>` with `LAKEBED_GOLDEN_EXPECTED=<folder>` runs the same checks over a folder of tables that a `MANIFEST.tsv`
//! lists.

use crate::support::digest::{Rows, hex_sha256};
use futures::TryStreamExt;
use lakebed::{At, Code, FileQuery, Result, Snapshot, Table, Version};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a table must do.
struct Case {
    name: String,
    table: PathBuf,
    expected: Option<Value>,
    must: Must,
}

enum Must {
    Read,
    /// Opening or reading the newest version fails with a code that begins like this.
    Fail(&'static str),
    /// Its data files are not there: opening it and replaying its log is all that can be asked.
    Open,
}

async fn rows_at(table: &Table, at: At) -> Result<(Version, Rows)> {
    let snapshot = table.snapshot_at(at).await?;
    let mut batches = snapshot.scan().build()?.stream();
    let mut rows = Rows::default();
    while let Some(batch) = batches.try_next().await? {
        rows.push(&batch);
    }
    let count = snapshot.scan().build()?.count().await?;
    assert_eq!(count, rows.len() as u64, "count differs from the rows read");
    Ok((snapshot.version(), rows))
}

/// Spark's answer for this table of the shared folder brings removed files back, against the table's own checksums: what deltalake reads
/// counts.
const REPLAYED_WRONGLY: &str = "kernel-rs/cdf-table-with-cdc-and-dvs";
/// The inline vector of this version is no Z85; Spark lets it wrap around and then deletes nothing, against the vector's cardinality.
const VECTOR_WRAPS: (&str, u64) = ("kernel-rs/cdf-table-with-dv", 5);

/// How the replayed log differs from what another engine, or an independent replay, made of it.
async fn log_differences(snapshot: &Arc<Snapshot>, want: &Value) -> Result<Vec<String>> {
    let state = snapshot.state();
    let set = |names: Option<&Vec<String>>| names.into_iter().flatten().cloned().collect::<BTreeSet<String>>();
    let names =
        |value: &Value| value.as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect::<BTreeSet<String>>();
    let schema = |text: Option<&str>| text.map_or(json!(null), |text| serde_json::from_str::<Value>(text).expect("a schema is JSON"));
    let (protocol, metadata) = (state.protocol(), state.metadata());
    let (p, m) = (&want["protocol"], &want["metaData"]);
    let mut wrong = Vec::new();
    let mut same = |what: &str, got: Value, want: Value| {
        if got != want {
            wrong.push(format!("{what}: {got}, expected {want}"));
        }
    };
    same("version", json!(snapshot.version().0), want["version"].clone());
    same("reader version", json!(protocol.min_reader_version), p["minReaderVersion"].clone());
    same("writer version", json!(protocol.min_writer_version), p["minWriterVersion"].clone());
    same("reader features", json!(set(protocol.reader_features.as_ref())), json!(names(&p["readerFeatures"])));
    same("writer features", json!(set(protocol.writer_features.as_ref())), json!(names(&p["writerFeatures"])));
    same("id", json!(metadata.id), m["id"].clone());
    if m["schemaString"].is_string() {
        same("schema", schema(Some(&metadata.schema_string)), schema(m["schemaString"].as_str()));
    }
    same("partition columns", json!(metadata.partition_columns), m["partitionColumns"].clone());
    same("properties", json!(metadata.configuration), m["configuration"].clone());

    if let Some(digest) = want["live_files_sha256"].as_str() {
        let mut files: Vec<(String, Option<String>)> = Vec::new();
        let mut batches = snapshot.files(FileQuery::default().full());
        while let Some(batch) = batches.try_next().await? {
            files.extend((0..batch.len()).map(|row| (batch.path(row).to_owned(), batch.vector(row).map(|v| v.unique_id()))));
        }
        files.sort();
        same("files", json!(files.len()), want["num_live_files"].clone());
        let text = json!(files).to_string();
        if hex_sha256([text.as_bytes()]) != digest {
            same("files", json!(files), want["live_files"].clone());
        }
    }
    Ok(wrong)
}

/// What is wrong with a case; `None` when all is well.
async fn failure(case: &Case) -> Option<String> {
    let table = Table::at(&case.table.to_string_lossy()).open();
    if let Must::Fail(code) = case.must {
        let read = async { rows_at(&table?, At::Latest).await };
        return match read.await {
            Ok((version, rows)) => Some(format!("read {} rows of {version:?} where it must fail", rows.len())),
            Err(e) => (!e.code().as_str().starts_with(code)).then(|| format!("expected {code}: {e:?}")),
        };
    }
    let table = match table {
        Ok(table) => table,
        Err(e) => return Some(format!("{e:?}")),
    };
    let log = async { log_differences(&table.snapshot().await?, &case.expected.as_ref().unwrap_or(&Value::Null)["log_state"]).await };
    let mut wrong = match (log.await, case.expected.as_ref().map(|e| &e["log_state"]["metaData"])) {
        (Err(e), _) => return Some(format!("{e:?}")),
        (Ok(wrong), Some(Value::Object(_))) => wrong,
        _ => Vec::new(),
    };
    if matches!(case.must, Must::Open) {
        return (!wrong.is_empty()).then(|| wrong.join("\n  "));
    }
    let Some(expected) = &case.expected else { return Some("nothing says what it holds".to_owned()) };
    let expected = if case.name.starts_with(REPLAYED_WRONGLY) { &expected["peer_delta_rs"] } else { expected };
    match rows_at(&table, At::Latest).await {
        Ok((_, mut rows)) => {
            if expected["sha256"].as_str().is_some_and(|digest| rows.sha256() != digest) {
                let (n, want_n) = (rows.len(), &expected["num_rows"]);
                let sample = rows.sample(2);
                wrong.push(format!("latest: {n} rows, expected {want_n}\n    got  {sample:?}\n    want {:?}", first(expected)));
            }
        }
        Err(e) => wrong.push(format!("latest: {e:?}")),
    }
    for (version, want) in expected["versions"].as_object().into_iter().flatten() {
        let (Ok(number), Some(digest)) = (version.parse::<u64>(), want["sha256"].as_str()) else { continue };
        match rows_at(&table, At::Version(Version(number))).await {
            Err(e) if case.name.starts_with(VECTOR_WRAPS.0) && number == VECTOR_WRAPS.1 && e.code() == Code::DV => {}
            Ok((_, mut rows)) => {
                if rows.sha256() != digest {
                    wrong.push(format!("version {version}: {} rows, expected {}; {:?}", rows.len(), want["num_rows"], rows.sample(1)));
                }
            }
            Err(e) => wrong.push(format!("version {version}: {e:?}")),
        }
    }
    (!wrong.is_empty()).then(|| wrong.join("\n  "))
}

fn first(expected: &Value) -> Vec<&Value> {
    expected["sample"].as_array().into_iter().flatten().take(2).collect()
}

/// Runs every case in a task of its own, so that one that panics does not hide the others.
async fn check(cases: Vec<Case>) {
    let (mut wrong, total) = (Vec::new(), cases.len());
    for case in cases {
        let outcome = futures::FutureExt::catch_unwind(AssertUnwindSafe(failure(&case))).await;
        let message = match outcome {
            Ok(None) => continue,
            Ok(Some(message)) => message,
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string()));
                format!("panic: {}", text.unwrap_or_default())
            }
        };
        wrong.push(format!("{}\n  {message}", case.name));
    }
    assert!(wrong.is_empty(), "{} of {total} tables are not as expected:\n{}", wrong.len(), wrong.join("\n"));
}

fn json(path: &Path) -> Option<Value> {
    Some(serde_json::from_str(&std::fs::read_to_string(path).ok()?).expect("expected results are JSON"))
}

/// `fixtures/golden/<case>/{table/, expected.json}`
fn own_cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/golden");
    let mut cases: Vec<Case> = std::fs::read_dir(&folder)
        .expect("the fixtures are there")
        .map(|entry| entry.expect("a folder can be listed").path())
        .filter(|path| path.join("expected.json").exists())
        .map(|path| {
            let expected = json(&path.join("expected.json"));
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Case { name, table: path.join("table"), expected, must: Must::Read }
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

/// Why a table of the folder must fail, in its words, and our code for it.
const FAILURES: [(&str, &str); 7] = [
    ("no _delta_log", "LB-TABLE"),
    ("no commits", "LB-TABLE"),
    ("no metaData", "LB-LOG-STATE"),
    ("no protocol", "LB-LOG-STATE"),
    ("commit 1 missing", "LB-LOG-GAP"),
    ("NOT_CONTIGUOUS", "LB-LOG-GAP"),
    ("", "LB-FEATURE-READ"),
];

/// The layout of a shared folder of golden tables.
fn shared_cases(tables: &Path, expected: &Path) -> Vec<Case> {
    let manifest = std::fs::read_to_string(tables.join("MANIFEST.tsv")).expect("the folder has a MANIFEST.tsv");
    let case = |line: &str| {
        let columns: Vec<&str> = line.split('\t').collect();
        let (path, what) = (columns[1], columns[12]);
        let must = match what.split_once([':', ' ']).unwrap_or((what, "")) {
            ("ok", _) => Must::Read,
            ("needs-catalog" | "unsupported-by-spark", _) => Must::Fail("LB-FEATURE-READ"),
            ("must-fail", why) => Must::Fail(FAILURES.iter().find(|(part, _)| why.contains(part)).expect("a known failure").1),
            _ => Must::Open,
        };
        let expected = json(&expected.join(format!("{path}.json")));
        Case { name: format!("{path} ({what})"), table: tables.join(path), expected, must }
    };
    let only = std::env::var("LAKEBED_GOLDEN_ONLY").unwrap_or_default();
    manifest.lines().skip(1).filter(|line| line.contains(&only)).map(case).collect()
}

// spec: DAT-1 DAT-4 DAT-5 DAT-6 DAT-7 DAT-8 DAT-9 DAT-10 DV-1 VAR-1
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_of_other_engines_read_as_spark_reads_them() {
    let cases = match (std::env::var("LAKEBED_GOLDEN"), std::env::var("LAKEBED_GOLDEN_EXPECTED")) {
        (Ok(tables), Ok(expected)) => shared_cases(Path::new(&tables), Path::new(&expected)),
        _ => own_cases(),
    };
    assert!(!cases.is_empty());
    check(cases).await;
}
