//! `doctor` and its exit codes.

use super::Shell;
use serde_json::{Value, json};

// spec: DOC-15
#[test]
fn a_healthy_table_prints_an_empty_list_and_damage_exits_with_six() {
    let shell = Shell::with_table();
    assert_eq!(shell.json(&["doctor", "t"]), json!([]));
    assert_eq!(shell.json(&["doctor", "t", "--deep"]), json!([]));
    shell.ok(&["doctor", "t", "--repair", "--dry-run"]);
    let file = shell.lines(&["files", "t"])[0]["path"].as_str().unwrap().to_owned();
    std::fs::remove_file(shell.path("t").join(&file)).unwrap();
    shell.write("t/_delta_log/_last_checkpoint", "{");
    let ran = shell.run(&["doctor", "t", "--format", "json"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(6), ""));
    let found: Value = serde_json::from_str(&ran.out).unwrap();
    let codes: Vec<&str> = found.as_array().unwrap().iter().map(|f| f["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["LB-DOC-FILE-MISSING", "LB-DOC-HINT"]);
    let keys: Vec<&String> = found[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["code", "severity", "object", "message", "repair"]);
    assert_eq!((&found[0]["severity"], &found[0]["object"]), (&json!("error"), &json!(file)));
    let plan = shell.run(&["doctor", "t", "--repair", "--dry-run", "--format", "json"]);
    assert_eq!(plan.code, Some(6), "{}", plan.err);
    let plan: Value = serde_json::from_str(&plan.out).unwrap();
    assert_eq!(plan["actions"]["quarantine"]["count"], 1);
    let report = shell.json(&["doctor", "t", "--repair"]);
    assert_eq!((&report["operation"], &report["planned"]["actions"], &report["version"]), (&json!("REPAIR"), &plan["actions"], &json!(2)));
    assert!(report["metrics"].as_object().unwrap().values().all(Value::is_number), "{report}");
    let said = &shell.lines(&["history", "t", "--limit", "1"])[0];
    assert_eq!((&said["operation"], &said["operationMetrics"]["numRemovedFiles"]), (&json!("REPAIR"), &json!("1")), "{said}");
    assert_eq!(said["operationParameters"]["quarantine"], report["quarantine"]);
    assert_eq!(shell.json(&["doctor", "t"]), json!([]));
    let undone = shell.json(&["doctor", "t", "--undo", report["quarantine"].as_str().unwrap()]);
    assert_eq!(undone["metrics"]["num_restore"], 1);
    assert_eq!(shell.run(&["doctor", "t"]).code, Some(6));
    assert_eq!(shell.run(&["doctor", "nothing-here"]).code, Some(4));
}
