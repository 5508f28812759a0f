//! `alter` and its subcommands.

use super::Shell;
use serde_json::{Value, json};

fn table(schema: &str, properties: &[&str]) -> Shell {
    let shell = Shell::new();
    let mut words = vec!["create", "t", "--schema", schema];
    for property in properties {
        words.extend(["--property", property]);
    }
    shell.ok(&words);
    shell
}

#[test]
fn every_alteration_is_reached_from_the_command_line() {
    let shell = table("id BIGINT, s STRUCT<x: INT>", &["delta.columnMapping.mode=name", "delta.enableTypeWidening=true"]);
    let alter = |words: &[&str]| shell.json(&[&["alter", "t"], words].concat());
    assert_eq!(alter(&["add-column", "n INT COMMENT 'new' AFTER id", "s.y STRING"])["operation"], "ADD COLUMNS");
    assert_eq!(alter(&["rename-column", "s.y", "`odd name`"])["operation"], "RENAME COLUMN");
    assert_eq!(alter(&["drop-column", "s.`odd name`"])["operation"], "DROP COLUMNS");
    assert_eq!(alter(&["change-type", "s.x", "BIGINT"])["operation"], "CHANGE COLUMN");
    assert_eq!(alter(&["set-not-null", "n"])["version"], 5);
    assert_eq!(alter(&["drop-not-null", "n"])["version"], 6);
    assert_eq!(alter(&["comment", "rides"])["version"], 7);
    assert_eq!(alter(&["comment", "count", "--column", "n"])["version"], 8);
    assert_eq!(alter(&["set-property", "own=a=b", "delta.checkpointInterval=20"])["version"], 9);
    assert_eq!(alter(&["unset-property", "own", "nope"])["version"], 10);
    assert_eq!(alter(&["add-constraint", "c", "id > 0"])["operation"], "ADD CONSTRAINT");
    assert_eq!(alter(&["drop-constraint", "C"])["operation"], "DROP CONSTRAINT");
    assert_eq!(alter(&["drop-constraint", "c", "--if-exists"])["version"], Value::Null);
    assert_eq!(alter(&["add-feature", "vacuumProtocolCheck"])["operation"], "UPGRADE PROTOCOL");
    assert_eq!(alter(&["drop-feature", "checkConstraints"])["operation"], "DROP FEATURE");
    assert_eq!(alter(&["cluster-by", "id,s.x"])["operation"], "CLUSTER BY");
    assert_eq!(alter(&["cluster-by", "none"])["operation"], "CLUSTER BY");
    assert_eq!(alter(&["set-default", "n", "6 * 7"])["operation"], "CHANGE COLUMN");
    assert_eq!(alter(&["drop-default", "n"])["operation"], "CHANGE COLUMN");
    assert_eq!(alter(&["drop-default", "n"])["version"], Value::Null);
    let info = shell.json(&["info", "t"]);
    assert_eq!(info["properties"]["delta.checkpointInterval"], json!("20"));
    let names: Vec<&Value> = info["schema"]["fields"].as_array().unwrap().iter().map(|f| &f["name"]).collect();
    assert_eq!(names, ["id", "n", "s"]);
}

#[test]
fn refusals_have_their_codes_and_exit_codes() {
    let shell = table("id BIGINT", &[]);
    shell.write("rows.ndjson", "{\"id\":null}\n");
    shell.ok(&["append", "t", "rows.ndjson"]);
    for (words, exit, code) in [
        (&["rename-column", "id", "x"][..], 1, "LB-SCHEMA"),
        (&["drop-column", "nope"], 1, "LB-SCHEMA"),
        (&["add-column", "id INT"], 1, "LB-SCHEMA"),
        (&["change-type", "id", "INT"], 1, "LB-SCHEMA"),
        (&["set-property", "delta.nope=1"], 1, "LB-PROPERTY"),
        (&["set-not-null", "id"], 7, "LB-CONSTRAINT"),
        (&["add-constraint", "c", "id > 0"], 7, "LB-CONSTRAINT"),
        (&["add-feature", "nope"], 5, "LB-FEATURE-WRITE"),
        (&["set-default", "id", "nope"], 1, "LB-EXPR"),
        (&["drop-feature", "appendOnly"], 5, "LB-FEATURE-WRITE"),
        (&["drop-feature", "domainMetadata"], 1, "LB-INPUT"),
        (&["drop-constraint", "nope"], 1, "LB-INPUT"),
        (&["set-property", "a=b", "--if-version", "7"], 3, "LB-CONFLICT"),
    ] {
        let ran = shell.run(&[&["alter", "t"], words, &["--format", "json"]].concat());
        assert_eq!((ran.code, ran.error()["code"].as_str()), (Some(exit), Some(code)), "{words:?}: {}", ran.err);
    }
    assert_eq!(shell.json(&["info", "t"])["version"], 1);
}
