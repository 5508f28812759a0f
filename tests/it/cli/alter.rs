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
        (&["add-feature", "collations"], 5, "LB-FEATURE-WRITE"),
        (&["add-feature", "icebergWriterCompatV1"], 5, "LB-FEATURE-WRITE"),
        (&["add-feature", "redirectWriterOnly-preview"], 5, "LB-FEATURE-WRITE"),
        (&["set-property", "delta.feature.coordinatedCommits-preview=supported"], 5, "LB-FEATURE-WRITE"),
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

// spec: FEA-15
#[test]
fn a_table_is_not_made_with_a_feature_that_is_only_recognised() {
    let shell = Shell::new();
    for feature in ["collations", "icebergWriterCompatV3", "coordinatedCommits-preview"] {
        let property = format!("delta.feature.{feature}=supported");
        let refused = shell.run(&["create", "t", "--schema", "id BIGINT", "--property", &property, "--format", "json"]);
        let error = refused.error();
        assert_eq!((refused.code, error["code"].as_str()), (Some(5), Some("LB-FEATURE-WRITE")), "{}", refused.err);
        assert_eq!((&error["context"]["features"], error["help"].is_string()), (&json!(feature), true));
        assert!(!shell.path("t/_delta_log").exists());
    }
}

// spec: ALT-2
#[test]
fn columns_with_spaces_are_named_with_and_without_backticks() {
    let shell = table("id BIGINT, `a b` INT, `Mixed Case` INT, `c d` INT, `e,f` INT", &["delta.columnMapping.mode=name"]);
    shell.write("1.ndjson", "{\"id\":1,\"a b\":2,\"Mixed Case\":3,\"c d\":4,\"e,f\":5}\n");
    shell.ok(&["append", "t", "1.ndjson"]);
    shell.ok(&["append", "t", "1.ndjson"]);
    let all = json!({"a b": 2, "e,f": 5, "Mixed Case": 3});
    for columns in ["a b,`e,f`,Mixed Case", " `a b` , `e,f` , `Mixed Case` "] {
        assert_eq!(shell.lines(&["scan", "t", "--columns", columns]), [all.clone(), all.clone()], "{columns}");
    }
    assert_eq!(shell.lines(&["scan", "t", "--columns", "a b", "--columns", "`e,f`", "--limit", "1"]), [json!({"a b": 2, "e,f": 5})]);
    for columns in ["Mixed Case", "mixed case,`a b`"] {
        assert!(shell.json(&["optimize", "t", "--zorder-by", columns])["version"].is_number(), "{columns}");
    }
    assert_eq!(shell.json(&["alter", "t", "drop-column", "a b", "`e,f`"])["operation"], "DROP COLUMNS");
    assert_eq!(shell.json(&["alter", "t", "cluster-by", "c d, `Mixed Case`"])["operation"], "CLUSTER BY");
    assert_eq!(shell.json(&["info", "t"])["clustering_columns"], json!(["c d", "Mixed Case"]));
    shell.ok(&[
        "create",
        "p",
        "--schema",
        "id BIGINT, `p q` INT",
        "--partition-by",
        "`p q`",
        "--property",
        "delta.columnMapping.mode=name",
    ]);
    assert_eq!(shell.json(&["info", "p"])["partition_columns"], json!(["p q"]));
    let refused = shell.run(&["alter", "t", "drop-column", "cd", "--format", "json"]);
    assert_eq!(refused.error()["code"], "LB-SCHEMA", "{}", refused.err);
}
