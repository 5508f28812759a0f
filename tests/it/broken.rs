//! Tables that nobody should make (`fixtures/broken`, by its maker script): each ends as its `expected.json` says, never in a panic or a guess.

use futures::TryStreamExt;
use lakebed::{At, Result, Table, Version};
use serde_json::Value;
use std::path::Path;

async fn rows(table: &Table, at: At) -> Result<(usize, Vec<String>)> {
    let snapshot = table.snapshot_at(at).await?;
    let batches: Vec<_> = snapshot.scan().build()?.stream().try_collect().await?;
    Ok((batches.iter().map(|b| b.num_rows()).sum(), snapshot.warnings().to_vec()))
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_tables_end_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/broken");
    let mut wrong = Vec::new();
    let mut cases = 0;
    for case in std::fs::read_dir(folder).unwrap() {
        let case = case.unwrap().path();
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        let expected: Value = serde_json::from_str(&std::fs::read_to_string(case.join("expected.json")).unwrap()).unwrap();
        let table = Table::at(case.join("table").to_str().unwrap()).open().unwrap();
        cases += 1;
        let newest = rows(&table, At::Latest).await;
        match (&newest, expected["code"].as_str()) {
            (Err(e), Some(code)) if e.code().as_str().starts_with(code) => {}
            (Ok((n, warnings)), None)
                if Some(*n as u64) == expected["rows"].as_u64() && Some(!warnings.is_empty()) == expected["warning"].as_bool() => {}
            _ => wrong.push(format!("{name}: expected {expected}, got {newest:?}")),
        }
        if let Some(version) = expected["version"].as_u64() {
            let older = rows(&table, At::Version(Version(version))).await;
            if !matches!(&older, Ok((n, _)) if Some(*n as u64) == expected["rows"].as_u64()) {
                wrong.push(format!("{name} at version {version}: expected {expected}, got {older:?}"));
            }
        }
    }
    assert!(cases > 50, "only {cases} cases");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
