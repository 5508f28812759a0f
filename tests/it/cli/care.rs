//! `restore`, `diff`, `clone`, `convert`, `manifest`.

use super::Shell;
use serde_json::{Value, json};

#[test]
fn restore_shows_its_plan_then_does_it_and_diff_says_what_changed() {
    let shell = Shell::with_table();
    shell.ok(&["delete", "t", "--where", "id = 1"]);
    let diff = shell.json(&["diff", "t", "--from", "1", "--to", "2"]);
    for (key, value) in [("files_added", 0), ("files_removed", 1), ("rows_added", 0), ("rows_removed", 1)] {
        assert_eq!(diff[key], value, "{key}");
    }
    assert_eq!((&diff["schema_changes"], &diff["property_changes"]), (&json!([]), &json!([])));
    let plan = shell.json(&["restore", "t", "--version", "1", "--dry-run"]);
    assert_eq!(
        (&plan["operation"], &plan["read_version"], &plan["actions"]["restore"]["count"]),
        (&json!("RESTORE"), &json!(2), &json!(1))
    );
    assert_eq!((&plan["actions"]["restore_rows"]["count"], plan["items"].as_array().unwrap().len()), (&json!(1), 1));
    assert_eq!(shell.lines(&["scan", "t"]).len(), 1, "a dry run does nothing");
    let report = shell.json(&["restore", "t", "--version", "1"]);
    assert_eq!((&report["version"], &report["planned"]["actions"]), (&json!(3), &plan["actions"]));
    assert_eq!(report["actual"]["requests"]["put"], 1);
    assert_eq!(shell.lines(&["scan", "t"]).len(), 2);
    assert_eq!(shell.json(&["restore", "t", "--version", "1"])["version"], Value::Null);
    let future = shell.run(&["restore", "t", "--version", "99", "--format", "json"]);
    assert_eq!((future.code, future.error()["code"].as_str()), (Some(4), Some("LB-VERSION")), "{}", future.err);
    assert_eq!(shell.run(&["restore", "t"]).code, Some(2));
}

#[test]
fn copies_are_made_read_and_brought_up_to_date() {
    let shell = Shell::with_table();
    let report = shell.json(&["clone", "t@v1", "near", "--shallow", "--property", "owner=me"]);
    assert_eq!((&report["version"], &report["operation"]), (&json!(0), &json!("CLONE")));
    let refused = shell.run(&["scan", "near", "--format", "json"]);
    assert!(refused.code == Some(1) && refused.err.contains("LB-PATH"), "{}", refused.err);
    let root = shell.path("t");
    assert_eq!(shell.lines(&["scan", "near", "--allow-root", root.to_str().unwrap()]).len(), 2);
    let plan = shell.json(&["clone", "t", "far", "--deep", "--dry-run", "--prices", "aws"]);
    assert_eq!((&plan["operation"], &plan["actions"]["copy"]["count"], &plan["read_version"]), (&json!("CLONE"), &json!(2), &Value::Null));
    assert!(plan["cost"]["total"].as_f64().unwrap() > 0.0 && !shell.path("far").join("_delta_log").exists(), "{plan}");
    let report = shell.json(&["clone", "t", "far", "--deep"]);
    assert_eq!((&report["planned"]["actions"], &report["actual"]["actions"]), (&plan["actions"], &plan["actions"]));
    assert!(report["actual"]["requests"]["put"].is_u64());
    assert!(shell.json(&["clone", "t", "third", "--deep", "--prices", "aws"])["actual"]["cost"]["total"].is_number());
    shell.ok(&["delete", "t", "--where", "id = 1"]);
    assert_eq!(shell.json(&["clone", "t", "far", "--deep"])["version"], 1);
    assert_eq!(shell.lines(&["scan", "far", "--columns", "id"]), [json!({"id": 2})]);
    assert_eq!(shell.run(&["clone", "t", "other"]).code, Some(2), "the kind must be said");
}

#[test]
fn a_folder_is_converted_and_listed() {
    let shell = Shell::with_table();
    std::fs::remove_dir_all(shell.path("t/_delta_log")).unwrap();
    let refused = shell.run(&["convert", "t", "--format", "json"]);
    assert_eq!((refused.code, refused.error()["code"].as_str()), (Some(1), Some("LB-SCHEMA")), "{}", refused.err);
    let plan = shell.json(&["convert", "t", "--partition-schema", "day DATE", "--dry-run"]);
    assert_eq!((&plan["operation"], &plan["actions"]["add"]["count"]), (&json!("CONVERT"), &json!(2)));
    assert!(plan["cost"].is_null() && !shell.path("t/_delta_log").exists());
    let report = shell.json(&["convert", "t", "--partition-schema", "day DATE"]);
    assert_eq!(report["planned"]["actions"], plan["actions"]);
    assert_eq!((&report["version"], &report["metrics"]["numConvertedFiles"]), (&json!(0), &json!(2)));
    assert_eq!(shell.lines(&["scan", "t", "--where", "day = '2026-01-02'", "--columns", "id"]), [json!({"id": 2})]);
    let again = shell.run(&["convert", "t", "--partition-schema", "day DATE", "--format", "json"]);
    assert_eq!(again.error()["code"], "LB-TABLE-EXISTS");
    assert_eq!(shell.json(&["manifest", "t"])["metrics"]["numManifests"], 2);
    assert!(shell.path("t/_symlink_format_manifest/day=2026-01-01/manifest").is_file());
}

#[test]
fn an_iceberg_table_is_known_and_converted_by_command_and_by_statement() {
    let shell = Shell::new();
    crate::operations::iceberg::iceberg("bucket", &shell.path("t"));
    crate::operations::iceberg::iceberg("partitioned", &shell.path("u"));
    let plan = shell.json(&["convert", "t", "--dry-run", "--prices", "aws"]);
    assert_eq!((&plan["actions"]["add"]["count"], plan["cost"]["total"].is_f64()), (&json!(1), true));
    let wrong = shell.run(&["convert", "t", "--from", "parquet", "--format", "json"]);
    assert_eq!((wrong.code, wrong.error()["code"].as_str()), (Some(1), Some("LB-INPUT")), "{}", wrong.err);
    let report = shell.json(&["convert", "t", "--from", "iceberg"]);
    assert_eq!((&report["planned"]["actions"], report["warnings"].as_array().unwrap().len()), (&plan["actions"], 1));
    assert_eq!(shell.lines(&["scan", "t"]), [json!({"id": 1})]);
    let location = shell.path("u");
    shell.ok(&["sql", &format!("CONVERT TO DELTA iceberg.`{}`", location.display())]);
    assert_eq!(shell.json(&["count", "u", "--where", "kind = 'a b'"])["count"], 1);
    crate::operations::iceberg::iceberg("position-deletes", &shell.path("v"));
    let refused = shell.run(&["convert", "v", "--format", "json"]);
    assert_eq!(
        (refused.code, refused.error()["context"]["features"].as_str()),
        (Some(5), Some("iceberg position deletes")),
        "{}",
        refused.err
    );
}
