//! Tables that other engines wrote, read at their newest and at older versions, compared by digest with what Spark read.
//!
//! `LAKEBED_GOLDEN=<folder>` with `LAKEBED_GOLDEN_EXPECTED=<folder>` runs the same checks over a folder of tables that a `MANIFEST.tsv`
//! lists.

use crate::support::digest::Rows;
use futures::TryStreamExt;
use lakebed::{At, ErrorKind, Result, Table, Version};
use serde_json::Value;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};

/// What a table must do.
struct Case {
    name: String,
    table: PathBuf,
    expected: Option<Value>,
    must: Must,
}

enum Must {
    Read,
    /// Opening or reading the newest version fails, cleanly.
    Fail,
    /// Its data files are not there: opening it is all that can be asked.
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

/// What is wrong with a case; `None` when all is well.
async fn failure(case: &Case) -> Option<String> {
    let table = match Table::at(&case.table.to_string_lossy()).open() {
        Ok(table) => table,
        Err(e) => return (!matches!(case.must, Must::Fail)).then(|| format!("{e:?}")),
    };
    match case.must {
        Must::Open => return table.snapshot().await.err().map(|e| format!("{e:?}")),
        Must::Fail => {
            return match rows_at(&table, At::Latest).await {
                Ok((version, rows)) => Some(format!("read {} rows of {version:?} where it must fail", rows.len())),
                Err(e) if e.kind() == ErrorKind::Internal => Some(format!("failed without a clear reason: {e:?}")),
                Err(_) => None,
            };
        }
        Must::Read => {}
    }
    let expected = case.expected.as_ref()?;
    let mut wrong = Vec::new();
    if let Some(digest) = expected["sha256"].as_str() {
        match rows_at(&table, At::Latest).await {
            Ok((_, mut rows)) => {
                if rows.sha256() != digest {
                    let (n, want_n) = (rows.len(), &expected["num_rows"]);
                    let sample = rows.sample(2);
                    wrong.push(format!("latest: {n} rows, expected {want_n}\n    got  {sample:?}\n    want {:?}", first(expected)));
                }
            }
            Err(e) => wrong.push(format!("latest: {e:?}")),
        }
    }
    for (version, want) in expected["versions"].as_object().into_iter().flatten() {
        let (Ok(number), Some(digest)) = (version.parse::<u64>(), want["sha256"].as_str()) else { continue };
        match rows_at(&table, At::Version(Version(number))).await {
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
            let must = if expected.as_ref().is_some_and(|e| e["must_fail"].is_string()) { Must::Fail } else { Must::Read };
            Case { name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(), table: path.join("table"), expected, must }
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

/// The layout of a shared folder of golden tables.
fn shared_cases(tables: &Path, expected: &Path) -> Vec<Case> {
    let manifest = std::fs::read_to_string(tables.join("MANIFEST.tsv")).expect("the folder has a MANIFEST.tsv");
    let case = |line: &str| {
        let columns: Vec<&str> = line.split('\t').collect();
        let (path, what) = (columns[1], columns[12]);
        let must = match what.split([':', ' ']).next().unwrap_or_default() {
            "ok" => Must::Read,
            "must-fail" | "needs-catalog" => Must::Fail,
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
