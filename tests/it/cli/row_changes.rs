//! `delete` and `update`, and their reports.

use super::Shell;
use serde_json::{Value, json};

#[test]
fn rows_are_deleted_and_counted_and_no_match_commits_nothing() {
    let shell = Shell::with_table();
    let none = shell.json(&["delete", "t", "--where", "id = 77"]);
    assert_eq!((&none["version"], &none["metrics"]["numDeletedRows"], &none["operation"]), (&Value::Null, &json!(0), &json!("DELETE")));
    let report = shell.json(&["delete", "t", "--where", "s = 'a'", "--user-metadata", "gone", "--if-version", "1"]);
    assert_eq!((&report["version"], &report["metrics"]["numDeletedRows"]), (&json!(2), &json!(1)));
    assert_eq!(shell.lines(&["scan", "t", "--columns", "id"]), [json!({"id": 2})]);
    let moved = shell.run(&["delete", "t", "--all", "--if-version", "1", "--format", "json"]);
    assert_eq!((moved.code, moved.error()["code"].as_str()), (Some(3), Some("LB-CONFLICT")), "{}", moved.err);
    let unsaid = shell.run(&["delete", "t"]);
    assert_eq!(unsaid.code, Some(2), "all rows go only when that is said");
    assert_eq!(shell.json(&["delete", "t", "--all"])["metrics"]["numDeletedRows"], 1);
    assert!(shell.lines(&["scan", "t"]).is_empty());
}

#[test]
fn rows_are_updated_and_counted() {
    let shell = Shell::with_table();
    let report = shell.json(&["update", "t", "--set", "s = concat('<', s, '>')", "--set", "id=id + 10", "--where", "id < 10"]);
    assert_eq!((&report["version"], &report["operation"]), (&json!(2), &json!("UPDATE")));
    assert_eq!(report["metrics"]["numUpdatedRows"], 2);
    assert_eq!(shell.lines(&["scan", "t", "--columns", "id,s", "--where", "id = 11"]), [json!({"id": 11, "s": "<a>"})]);
    let broken = shell.run(&["update", "t", "--set", "id = NULL", "--format", "json"]);
    assert_eq!((broken.code, broken.error()["code"].as_str()), (Some(7), Some("LB-CONSTRAINT")), "{}", broken.err);
    let odd = shell.run(&["update", "t", "--set", "nothing"]);
    assert_eq!(odd.code, Some(2), "{}", odd.err);
    assert_eq!(shell.json(&["update", "t", "--set", "s = 'x'", "--where", "false"])["version"], Value::Null);
}
