//! `optimize`, its plan and its report.

use super::Shell;
use serde_json::{Value, json};

// spec: OPT-8
#[test]
fn plan_is_shown_and_changes_nothing_and_the_report_stands_beside_it() {
    let shell = Shell::with_table();
    for id in [7, 8] {
        shell.json(&["sql", &format!("INSERT INTO delta.`t` (id, s) VALUES ({id}, 'x')")]);
    }
    let before = shell.lines(&["scan", "t"]).len();
    let plan = shell.json(&["optimize", "t", "--dry-run", "--prices", "aws"]);
    assert_eq!(
        (&plan["operation"], &plan["read_version"], &plan["actions"]["remove"]["count"]),
        (&json!("OPTIMIZE"), &json!(3), &json!(2))
    );
    assert_eq!((&plan["requests"]["get"], plan["items"].as_array().unwrap().len()), (&json!(2), 2));
    assert!(
        plan["bytes_read"].as_u64() > Some(0) && plan["bytes_written"].as_u64() > Some(0) && plan["cost"]["total"].is_number(),
        "{plan}"
    );
    assert_eq!(shell.json(&["info", "t"])["version"], 3);
    let report = shell.json(&["optimize", "t", "--target-size", "64MiB", "--user-metadata", "night", "--if-version", "3"]);
    assert_eq!((&report["version"], &report["metrics"]["numRemovedFiles"]), (&json!(4), &json!(2)));
    assert_eq!(
        (&report["planned"]["bytes_read"], &report["planned"]["actions"]["remove"]),
        (&report["actual"]["bytes_read"], &report["actual"]["actions"]["remove"])
    );
    assert_eq!(shell.lines(&["scan", "t"]).len(), before);
    let nothing = shell.json(&["optimize", "t", "--purge"]);
    assert_eq!((&nothing["version"], &nothing["operation"]), (&Value::Null, &json!("REORG")));
    let refused = shell.run(&["optimize", "t", "--where", "id = 1", "--format", "json"]);
    assert_eq!((refused.code, refused.error()["code"].as_str()), (Some(1), Some("LB-INPUT")), "{}", refused.err);
    let priced = shell.json(&["optimize", "t", "--target-size", "64MiB", "--prices", "aws"]);
    assert!(priced["planned"]["cost"]["total"].is_number() && priced["actual"]["cost"]["total"].is_number(), "{priced}");
}

// spec: ZOR-4, ZOR-8, ZOR-12
#[test]
fn rows_are_ordered_and_the_plan_tells_what_skipping_gains() {
    let shell = Shell::with_table();
    for id in 0..6 {
        shell.json(&["sql", &format!("INSERT INTO delta.`t` (id, s) VALUES ({id}, 'x'), ({}, 'y')", 20 - id)]);
    }
    let before = shell.lines(&["scan", "t"]).len();
    let plan = shell.json(&["optimize", "t", "--zorder-by", "id,s", "--dry-run"]);
    let gains = plan["skipping"].as_array().unwrap();
    assert_eq!(gains.iter().map(|g| &g["column"]).collect::<Vec<_>>(), ["id", "s"]);
    assert!(gains[0]["before"].as_f64() > gains[0]["after"].as_f64(), "{plan}");
    let report = shell.json(&["optimize", "t", "--zorder-by", "id,s"]);
    assert_eq!(
        (&report["operation"], &report["planned"]["actions"]["remove"]),
        (&json!("OPTIMIZE"), &report["actual"]["actions"]["remove"])
    );
    assert_eq!(shell.lines(&["scan", "t"]).len(), before);
    for words in [&["--full"][..], &["--zorder-by", "day"]] {
        let refused = shell.run(&[&["optimize", "t", "--format", "json"], words].concat());
        assert_eq!((refused.code, refused.error()["code"].as_str()), (Some(1), Some("LB-INPUT")), "{}", refused.err);
    }
    assert_eq!(shell.run(&["optimize", "t", "--full", "--zorder-by", "id"]).code, Some(2));
    shell.ok(&["create", "c", "--schema", "id BIGINT", "--cluster-by", "id"]);
    shell.json(&["sql", "INSERT INTO delta.`c` VALUES (1), (2)"]);
    assert!(shell.json(&["optimize", "c"])["version"].is_number());
    assert_eq!(shell.json(&["optimize", "c", "--full"])["version"], Value::Null);
}
