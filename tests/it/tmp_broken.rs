use lakebed::*;
use serde_json::Value;
use std::path::Path;
async fn rows(table: &Table, at: At) -> Result<(u64, Vec<String>)> {
    let snapshot = table.snapshot_at(at).await?;
    snapshot.state().check_readable()?;
    let c = snapshot.counts(CountEffort::Exact).await?.unwrap();
    Ok((c.records.unwrap_or(0), snapshot.warnings().to_vec()))
}
#[tokio::test(flavor = "multi_thread")]
async fn broken() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/broken");
    for case in std::fs::read_dir(folder).unwrap() {
        let case = case.unwrap().path();
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        let expected: Value = serde_json::from_str(&std::fs::read_to_string(case.join("expected.json")).unwrap()).unwrap();
        let table = Table::at(case.join("table").to_str().unwrap()).open().unwrap();
        let newest = rows(&table, At::Latest).await;
        match (&newest, expected["code"].as_str()) {
            (Err(e), Some(code)) if e.code().as_str().starts_with(code) => {}
            (Ok((n, warnings)), None) if Some(*n) == expected["rows"].as_u64() && Some(!warnings.is_empty()) == expected["warning"].as_bool() => {}
            _ => println!("DIFF {name}: expected {expected}, got {newest:?}"),
        }
        if let Some(version) = expected["version"].as_u64() {
            let older = rows(&table, At::Version(Version(version))).await;
            if !matches!(&older, Ok((n, _)) if Some(*n) == expected["rows"].as_u64()) {
                println!("DIFF {name} at version {version}: expected {expected}, got {older:?}");
            }
        }
    }
}
