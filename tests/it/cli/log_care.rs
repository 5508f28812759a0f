//! `log compact` and `log cleanup`: their reports and plans.

use super::{Shell, keys};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

#[test]
fn a_log_is_compacted_and_cleaned_up_with_a_plan_beforehand() {
    let shell = Shell::new();
    shell.write("1.ndjson", "{\"id\":1}\n");
    shell.ok(&["append", "t", "1.ndjson", "--property", "delta.checkpointInterval=3"]);
    for _ in 1..=5 {
        shell.ok(&["append", "t", "1.ndjson"]);
    }
    let plan = shell.json(&["log", "compact", "t", "--dry-run", "--prices", "gcp"]);
    assert_eq!(
        (&plan["items"][0]["path"], plan["cost"]["total"].is_f64()),
        (&json!("_delta_log/00000000000000000004.00000000000000000005.compacted.json"), true)
    );
    assert!(!shell.path("t").join(plan["items"][0]["path"].as_str().unwrap()).exists(), "a dry run does nothing");
    let compacted = shell.json(&["log", "compact", "t"]);
    assert_eq!((&compacted["planned"]["actions"], &compacted["actual"]["actions"]), (&plan["actions"], &plan["actions"]));
    for class in ["put", "list", "get"] {
        assert_eq!(compacted["planned"]["requests"][class], compacted["actual"]["requests"][class], "{class}");
    }
    assert_eq!(
        shell.path("t").join(plan["items"][0]["path"].as_str().unwrap()).metadata().unwrap().len(),
        plan["bytes_written"].as_u64().unwrap()
    );
    assert!(compacted["written"] == json!(true) && compacted["metrics"].as_object().unwrap().values().all(Value::is_number), "{compacted}");
    shell.ok(&["append", "u", "1.ndjson"]);
    let checkpoint = shell.json(&["checkpoint", "u"]);
    assert!(checkpoint["written"] == json!(true) && checkpoint["metrics"].as_object().unwrap().values().all(Value::is_number));
    assert_eq!((&compacted["operation"], &compacted["version"]), (&json!("LOG COMPACT"), &json!(null)));
    assert_eq!((&compacted["metrics"]["fromVersion"], &compacted["metrics"]["toVersion"]), (&json!(4), &json!(5)));
    let old = SystemTime::now() - Duration::from_secs(40 * 86_400);
    for entry in std::fs::read_dir(shell.path("t/_delta_log")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::File::options().write(true).open(path).unwrap().set_modified(old).unwrap();
        }
    }
    let plan = shell.json(&["log", "cleanup", "t", "--dry-run", "--prices", "aws"]);
    assert_eq!(keys(&plan), ["operation", "read_version", "actions", "requests", "bytes_read", "bytes_written", "items", "cost"]);
    assert_eq!(
        (&plan["actions"]["delete_commit"]["count"], &plan["items"][0]["path"]),
        (&json!(3), &json!("_delta_log/00000000000000000000.json"))
    );
    assert_eq!(shell.json(&["count", "t"])["count"], 6);
    let report = shell.json(&["log", "cleanup", "t"]);
    assert_eq!((&report["metrics"]["firstVersion"], &report["planned"]["actions"]), (&json!(3), &report["actual"]["actions"]));
    assert_eq!(shell.json(&["count", "t"])["count"], 6);
    assert_eq!(shell.json(&["count", "t", "--version", "3"])["count"], 4);
    assert_eq!(shell.run(&["count", "t", "--version", "2"]).code, Some(4));
}
