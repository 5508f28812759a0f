//! `changes` in every format.

use super::Shell;
use serde_json::{Value, json};

fn with_feed() -> Shell {
    let shell = Shell::new();
    shell.write("1.csv", "id,s\n1,a\n2,\n");
    shell.ok(&["append", "t", "1.csv", "--property", "delta.enableChangeDataFeed=true"]);
    shell.write("2.csv", "id,s\n3,c\n");
    shell.ok(&["append", "t", "2.csv", "--mode", "overwrite"]);
    shell
}

// spec: CDF-3
#[test]
fn changes_are_rows_in_every_format() {
    let shell = with_feed();
    let lines = shell.lines(&["changes", "t", "--from", "0"]);
    assert_eq!(lines.len(), 5);
    let keys: Vec<&String> = lines[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["id", "s", "_change_type", "_commit_version", "_commit_timestamp"]);
    assert!(lines[0]["_commit_timestamp"].as_str().unwrap().ends_with('Z'), "{}", lines[0]);
    let chosen = ["changes", "t", "--from", "1", "--to", "1", "--columns", "id,_change_type", "--where", "id < 2 OR id > 2"];
    let expected = [json!({"id": 1, "_change_type": "delete"}), json!({"id": 3, "_change_type": "insert"})];
    let mut found = shell.lines(&chosen);
    found.sort_by_key(|row| row["id"].as_i64());
    assert_eq!(found, expected);
    let Value::Array(mut rows) = shell.json(&chosen) else { panic!("one document") };
    rows.sort_by_key(|row| row["id"].as_i64());
    assert_eq!(rows, expected);
    let csv =
        shell.ok(&["changes", "t", "--from", "1", "--columns", "id,_change_type", "--where", "_change_type = 'insert'", "--format", "csv"]);
    assert_eq!(csv, "id,_change_type\n3,insert\n");
    let table = shell.ok(&["changes", "t", "--from", "1", "--columns", "id,_change_type", "--format", "table"]);
    assert!(table.contains("_change_type") && table.contains("insert"), "{table}");
}

// spec: CDF-10, CDF-11, CDF-12
#[test]
fn ranges_by_time_and_wrong_ranges() {
    let shell = with_feed();
    assert_eq!(shell.lines(&["changes", "t", "--from-timestamp", "2020-01-01", "--to-timestamp", "2999-01-01T00:00:00Z"]).len(), 5);
    for (words, code, name) in [
        (&["changes", "t", "--from", "7"][..], 4, "LB-VERSION"),
        (&["changes", "t", "--from-timestamp", "2999-01-01"], 4, "LB-VERSION"),
        (&["changes", "t", "--from-timestamp", "yesterday"], 2, "LB-USAGE"),
        (&["changes", "t"], 2, "LB-USAGE"),
        (&["changes", "t", "--from", "0", "--from-timestamp", "2020-01-01"], 2, "LB-USAGE"),
        (&["changes", "nothing", "--from", "0"], 4, "LB-TABLE"),
    ] {
        let ran = shell.run(&[words, &["--format", "json"]].concat());
        assert_eq!((ran.code, ran.error()["code"].as_str()), (Some(code), Some(name)), "{words:?}: {}", ran.err);
    }
    shell.ok(&["append", "u", "1.csv"]);
    let off = shell.run(&["changes", "u", "--from", "0", "--format", "json"]);
    assert_eq!((off.code, off.error()["code"].as_str()), (Some(1), Some("LB-CDF-OFF")), "{}", off.err);
    let path = shell.files("t").into_iter().find(|f| f.ends_with(".parquet")).unwrap();
    std::fs::remove_file(shell.path("t").join(path)).unwrap();
    let gone = shell.run(&["changes", "t", "--from", "0", "--format", "json"]);
    assert_eq!((gone.code, gone.error()["code"].as_str()), (Some(4), Some("LB-CDF-GONE")), "{}", gone.err);
}
