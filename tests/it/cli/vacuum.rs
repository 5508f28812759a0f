//! `vacuum`, its plan and its report.

use super::Shell;
use serde_json::{Value, json};
use std::fs::File;
use std::time::{Duration, SystemTime};

#[test]
fn vacuum_shows_its_plan_and_then_what_it_did() {
    let shell = Shell::with_table();
    let orphan = shell.path("t/old orphan.parquet");
    std::fs::write(&orphan, "12345").unwrap();
    let ten_days_ago = SystemTime::now() - Duration::from_secs(10 * 86_400);
    File::options().write(true).open(&orphan).unwrap().set_modified(ten_days_ago).unwrap();
    let priced = shell.json(&["vacuum", "t", "--dry-run", "--prices", "azure"]);
    assert!(priced["cost"]["total"].is_f64() && priced["kept"].is_object(), "{priced}");
    let plan = shell.json(&["vacuum", "t", "--dry-run"]);
    assert_eq!((&plan["operation"], &plan["read_version"]), (&json!("VACUUM"), &json!(1)));
    assert_eq!(plan["actions"], json!({"delete_orphan": {"count": 1, "bytes": 5}}));
    assert_eq!((&plan["items"][0]["path"], &plan["items"][0]["bytes"]), (&json!("old orphan.parquet"), &json!(5)));
    // The orphan, and the object that told the store's time.
    assert_eq!((&plan["requests"]["delete"], &plan["kept"]["live"]["count"]), (&json!(2), &json!(2)));
    assert!(orphan.exists());
    let early = shell.json(&["vacuum", "t", "--retain", "300h"]);
    assert_eq!((&early["version"], orphan.exists()), (&Value::Null, true));
    let report = shell.json(&["vacuum", "t", "--retain", "168h"]);
    assert_eq!((&report["version"], &report["metrics"]["numDeletedFiles"]), (&json!(3), &json!(1)));
    assert_eq!((&report["planned"]["actions"], orphan.exists()), (&report["actual"]["actions"], false));
    assert_eq!((&report["planned"]["requests"], &report["kept"]["live"]["count"]), (&report["actual"]["requests"], &json!(2)));
    let refused = shell.run(&["vacuum", "t", "--retain", "1h", "--format", "json"]);
    assert_eq!((refused.code, refused.error()["code"].as_str()), (Some(1), Some("LB-RETENTION")), "{}", refused.err);
    assert_eq!(shell.run(&["vacuum", "t", "--retain", "soon"]).code, Some(2));
    assert_eq!(shell.json(&["vacuum", "t", "--lite"])["version"], Value::Null);
    let moved = shell.run(&["vacuum", "t", "--if-version", "1", "--format", "json"]);
    assert_eq!((moved.code, moved.error()["code"].as_str()), (Some(3), Some("LB-CONFLICT")));
}

#[test]
fn an_inventory_comes_from_a_file_or_a_table() {
    let shell = Shell::with_table();
    shell.json(&["delete", "t", "--all"]);
    std::fs::write(shell.path("t/listed.parquet"), "1").unwrap();
    let url = format!("file:{}/listed.parquet", shell.path("t").display());
    std::fs::write(shell.path("list.csv"), format!("path,length,isDir,modificationTime\n{url},1,false,5\n{url}/d,0,true,5\n")).unwrap();
    let plan = shell.json(&["vacuum", "t", "--inventory", "list.csv", "--dry-run"]);
    assert_eq!(plan["items"][0]["path"], "listed.parquet");
    shell.json(&["append", "lists", "list.csv"]);
    assert_eq!(shell.json(&["vacuum", "t", "--inventory", "lists", "--dry-run"])["actions"], plan["actions"]);
    shell.json(&["vacuum", "t", "--inventory", "list.csv"]);
    assert!(!shell.path("t/listed.parquet").exists());
}
