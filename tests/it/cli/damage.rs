//! Broken logs and places: what stays readable, and that each is told once.

use super::{Ran, Shell};
use serde_json::json;

/// A table of versions 0 to 3, each append one row, with times that are told; the newest commit is broken afterwards.
fn grown(properties: &[&str]) -> (Shell, Vec<String>) {
    let shell = Shell::new();
    shell.ok(&[&["create", "t", "--schema", "id INT"], properties].concat());
    for id in 1..=3 {
        shell.write("row.csv", &format!("id\n{id}\n"));
        shell.ok(&["append", "t", "row.csv"]);
    }
    let history = shell.json(&["history", "t"]);
    let times = history.as_array().unwrap().iter().rev().map(|entry| entry["timestamp"].as_str().unwrap().to_owned()).collect();
    (shell, times)
}

fn commit(version: u64) -> String {
    format!("t/_delta_log/{version:020}.json")
}

fn warnings(ran: &Ran) -> Vec<&str> {
    ran.err.lines().filter(|line| line.starts_with("warning: ")).collect()
}

// spec: TT-5
#[test]
fn times_changes_and_history_before_a_broken_commit_stay_readable() {
    let feed = ["--property", "delta.enableChangeDataFeed=true"];
    let own = ["--property", "delta.enableChangeDataFeed=true", "--property", "delta.enableInCommitTimestamps=true"];
    for (properties, body, code) in [(&feed[..], "no json", "LB-LOG-JSON"), (&feed, "", "LB-LOG-EMPTY"), (&own, "no json", "LB-LOG-JSON")] {
        let (shell, times) = grown(properties);
        shell.write(&commit(3), body);
        assert_eq!(shell.json(&["count", "t", "--timestamp", &times[1]])["count"], 1);
        assert_eq!(shell.json(&["count", &format!("t@{}", times[2])])["count"], 2);
        let text = format!("SELECT count(*) AS n FROM delta.`t` TIMESTAMP AS OF '{}'", times[1]);
        assert_eq!(shell.json(&["sql", &text])[0]["n"], 1);
        assert_eq!(shell.json(&["changes", "t", "--from", "1", "--to", "2"]).as_array().unwrap().len(), 2);
        assert_eq!(shell.json(&["changes", "t", "--from-timestamp", &times[1], "--to-timestamp", &times[2]]).as_array().unwrap().len(), 2);
        for words in [
            &["count", "t"][..],
            &["count", "t@2999-01-01T00:00:00Z"],
            &["changes", "t", "--from", "1"],
            &["changes", "t", "--from", "1", "--to", "3"],
        ] {
            let ran = shell.run(&[words, &["--format", "json"]].concat());
            assert_eq!((ran.code, ran.error()["code"].as_str()), (Some(1), Some(code)), "{words:?}: {}", ran.err);
        }
        // As a copy of the table leaves it: where commits carry their own times, the time of a file says nothing.
        let file = std::fs::File::options().append(true).open(shell.path(&commit(3))).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(4_102_444_800)).unwrap();
        let ran = shell.run(&["count", "t", "--timestamp", "2099-01-01T00:00:00Z", "--format", "json"]);
        match properties.len() {
            2 => assert_eq!(ran.code, Some(0), "{}", ran.err),
            _ => assert_eq!((ran.code, ran.error()["code"].as_str()), (Some(1), Some(code)), "{}", ran.err),
        }
        let ran = shell.run(&["history", "t", "--format", "json"]);
        let entries: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!((entries[0]["version"].clone(), entries[0]["operation"].clone()), (json!(3), json!(null)));
        assert_eq!((entries[1]["version"].clone(), entries[1]["operation"].clone()), (json!(2), json!("WRITE")));
        assert!(warnings(&ran).len() == 1 && warnings(&ran)[0].contains(code), "{}", ran.err);
    }
}

// spec: TT-1
#[test]
fn history_tells_of_a_commit_that_is_missing() {
    let (shell, times) = grown(&[]);
    std::fs::remove_file(shell.path(&commit(2))).unwrap();
    let ran = shell.run(&["history", "t", "--format", "json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(warnings(&ran), ["warning: LB-LOG-GAP: version 2 is missing from the log"]);
    assert_eq!(shell.json(&["count", "t", "--timestamp", &times[1]])["count"], 1);
    std::fs::remove_file(shell.path(&commit(0))).unwrap();
    let ran = shell.run(&["count", "t@v1", "--format", "json"]);
    assert!(!ran.error()["help"].as_str().unwrap_or_default().contains("versions before"), "{}", ran.err);
}

// spec: STO-4
#[test]
fn a_folder_in_the_place_of_a_commit_is_told_at_once() {
    let shell = Shell::new();
    shell.write("row.csv", "id\n1\n");
    std::fs::create_dir_all(shell.path(&commit(0))).unwrap();
    let ran = shell.run(&["append", "t", "row.csv", "--format", "json"]);
    assert_eq!((ran.code, ran.error()["code"].as_str()), (Some(1), Some("LB-STORE")), "{}", ran.err);
    assert!(ran.error()["message"].as_str().unwrap().contains("a folder has the name"), "{}", ran.err);
    assert!(shell.files("t").is_empty(), "nothing stays behind: {:?}", shell.files("t"));
}

#[test]
fn failures_of_the_disk_speak_of_the_disk() {
    let shell = Shell::with_table();
    let long = "n".repeat(300);
    for place in [long.as_str(), "1.csv/t"] {
        let ran = shell.run(&["append", place, "1.csv", "--format", "json"]);
        assert_eq!(ran.code, Some(1), "{}", ran.err);
        let error = ran.error().to_string();
        assert!(!error.contains("endpoint") && !error.contains("credentials"), "{error}");
        assert!(error.contains(shell.folder.path().file_name().unwrap().to_str().unwrap()), "where the table lies: {error}");
    }
}

// spec: LOG-8
#[test]
fn each_fall_back_is_one_warning() {
    let shell = Shell::with_table();
    shell.ok(&["checkpoint", "t"]);
    let name = shell.files("t").into_iter().find(|f| f.ends_with(".checkpoint.parquet")).unwrap();
    let body = std::fs::read(shell.path(&format!("t/{name}"))).unwrap();
    shell.write("t/_delta_log/_last_checkpoint", r#"{"version":99,"size":1}"#);
    let ran = shell.run(&["info", "t"]);
    assert!(ran.code == Some(0) && warnings(&ran).len() == 1 && warnings(&ran)[0].contains("version 99"), "{}", ran.err);
    std::fs::remove_file(shell.path("t/_delta_log/_last_checkpoint")).unwrap();
    // The footer is sound and what lies before it is not.
    let mut broken = body.clone();
    broken[4..body.len() * 2 / 3].fill(0xff);
    for torn in [broken, body[..body.len() / 2].to_vec()] {
        std::fs::write(shell.path(&format!("t/{name}")), torn).unwrap();
        for words in [&["info", "t", "--exact"][..], &["info", "t"], &["count", "t"], &["files", "t"]] {
            let ran = shell.run(words);
            assert!(ran.code == Some(0) && warnings(&ran).len() == 1, "{words:?}: {}", ran.err);
        }
    }
    let two = ["sql", "SELECT * FROM a JOIN b USING (id)", "--table", "a=t", "--table", "b=t@v1", "--storage-option", "no_such_key=1"];
    let told = shell.run(&two);
    assert_eq!(told.err.lines().filter(|line| line.contains("no_such_key")).count(), 1, "{}", told.err);
}

#[test]
fn common_failures_say_the_next_step() {
    let shell = Shell::with_table();
    std::fs::create_dir_all(shell.path("newer/_delta_log")).unwrap();
    let metadata = r#"{"metaData":{"id":"x","format":{"provider":"parquet","options":{}},"schemaString":"{\"type\":\"struct\",\"fields\":[]}","partitionColumns":[],"configuration":{}}}"#;
    let log = |lines: &str| shell.write("newer/_delta_log/00000000000000000000.json", lines);
    log(&format!("{{\"protocol\":{{\"minReaderVersion\":9,\"minWriterVersion\":7}}}}\n{metadata}\n"));
    for (words, part) in [
        (&["count", "nothing"][..], "create"),
        (&["history", "nothing"], "create"),
        (&["create", "t", "--schema", "id INT"], "append"),
        (&["append", "t", "nothing.csv"], "working folder"),
        (&["scan", "newer"], "newer lakebed"),
        (&["alter", "t", "drop-constraint", "nope"], "if-exists"),
    ] {
        let ran = shell.run(&[words, &["--format", "json"]].concat());
        assert!(ran.error()["help"].as_str().is_some_and(|help| help.contains(part)), "{words:?}: {}", ran.err);
    }
    let newer = shell.run(&["info", "newer"]);
    assert!(newer.err.contains("reader version 9; this build speaks 3"), "{}", newer.err);
    log(&format!("{{\"protocol\":{{\"minReaderVersion\":3,\"minWriterVersion\":7}}}}\n{metadata}\n"));
    let state = shell.run(&["count", "newer", "--format", "json"]);
    assert_eq!(state.error()["context"]["version"], "0", "{}", state.err);
    assert!(state.error()["help"].as_str().is_some_and(|help| help.contains("doctor")), "{}", state.err);
}
