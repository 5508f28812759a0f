//! What commands that write do, and their reports.

use super::{Ran, Shell, keys};
use serde_json::{Value, json};
use std::io::Write;
use std::process::{ChildStdin, Stdio};

const REPORT: &[&str] = &["version", "operation", "attempts", "duration_ms", "metrics", "warnings"];

#[test]
fn reports_have_exactly_their_keys_in_every_format() {
    let shell = Shell::new();
    shell.write("1.ndjson", "{\"id\":1}\n");
    let report = shell.json(&["append", "t", "1.ndjson"]);
    assert_eq!(keys(&report), REPORT);
    assert_eq!((&report["version"], &report["operation"], &report["attempts"]), (&json!(0), &json!("WRITE"), &json!(1)));
    assert_eq!((&report["metrics"]["numFiles"], &report["metrics"]["numOutputRows"]), (&json!(1), &json!(1)));
    assert_eq!(report["warnings"], json!([]));
    assert_eq!(shell.lines(&["append", "t", "1.ndjson"])[0]["version"], 1);
    let csv = shell.ok(&["append", "t", "1.ndjson", "--format", "csv"]);
    assert!(csv.starts_with("version,operation,attempts,duration_ms,metrics,warnings\n2,WRITE,1,"), "{csv}");
    let table = shell.ok(&["append", "t", "1.ndjson", "--format", "table"]);
    assert!(table.lines().any(|line| line.contains("version") && line.contains('3')), "{table}");
}

#[test]
fn a_table_is_created_with_all_that_was_asked() {
    let shell = Shell::new();
    let schema = "id BIGINT NOT NULL, p STRING COMMENT 'part'";
    let words =
        ["create", "t", "--schema", schema, "--partition-by", "p", "--property", "delta.checkpointInterval=5", "--property", "own=a=b"];
    assert_eq!(shell.json(&words)["version"], 0);
    let info = shell.json(&["info", "t"]);
    assert_eq!(info["properties"], json!({"delta.checkpointInterval": "5", "own": "a=b"}));
    assert_eq!((&info["partition_columns"], &info["num_files"]), (&json!(["p"]), &json!(0)));
    assert_eq!(info["schema"]["fields"][0]["nullable"], false);
    let again = shell.json(&[&words[..], &["--if-not-exists"]].concat());
    assert_eq!((&again["version"], shell.json(&["info", "t"])["version"].as_u64()), (&Value::Null, Some(0)));
    let unbuilt = shell.run(&[
        "create",
        "u",
        "--schema",
        "id BIGINT",
        "--property",
        "delta.coordinatedCommits.commitCoordinator-preview=x",
        "--format",
        "json",
    ]);
    assert_eq!((unbuilt.code, unbuilt.error()["code"].as_str()), (Some(5), Some("LB-FEATURE-WRITE")), "{}", unbuilt.err);
    assert!(shell.files("u").is_empty());
}

#[test]
fn append_makes_the_table_in_one_commit_with_types_found_in_text() {
    let shell = Shell::new();
    shell.write("new.csv", "i,d,day,at,s\n1,1.5,2026-01-01,2026-01-01T10:00:00Z,x\n,,,,\"\"\n");
    let report = shell.json(&["append", "t", "new.csv", "--property", "own=1"]);
    assert_eq!(report["version"], 0);
    assert_eq!(shell.files("t").iter().filter(|f| f.ends_with(".json")).count(), 1);
    let info = shell.json(&["info", "t"]);
    let types: Vec<&str> = info["schema"]["fields"].as_array().unwrap().iter().map(|f| f["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["long", "double", "date", "timestamp", "string"]);
    assert_eq!(info["properties"], json!({"own": "1"}));
    let rows = shell.lines(&["scan", "t"]);
    assert_eq!(rows[1], json!({"i": null, "d": null, "day": null, "at": null, "s": ""}));
}

#[test]
fn standard_input_is_read_in_every_format() {
    let shell = Shell::new();
    shell.write("1.csv", "id,s\n1,a\n");
    shell.ok(&["append", "t", "1.csv"]);
    let inputs: Vec<Vec<u8>> = ["parquet", "arrow", "csv", "ndjson"]
        .iter()
        .map(|ending| {
            let file = format!("rows.{ending}");
            shell.ok(&["scan", "t", "--output", &file]);
            std::fs::read(shell.path(&file)).unwrap()
        })
        .collect();
    for input in &inputs {
        let ran = shell.run_with_input(&["append", "copy", "-", "--format", "json"], input);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
    }
    let rows = shell.lines(&["scan", "copy"]);
    assert_eq!(rows, vec![json!({"id": 1, "s": "a"}); 4]);
}

#[test]
fn modes_do_what_they_say() {
    let shell = Shell::with_table();
    shell.write("2.csv", "id,s,day\n7,z,2026-02-01\n");
    let refused = shell.run(&["append", "t", "2.csv", "--mode", "error", "--format", "json"]);
    assert_eq!((refused.code, refused.error()["code"].as_str()), (Some(1), Some("LB-TABLE-EXISTS")));
    assert_eq!(shell.json(&["append", "t", "2.csv", "--mode", "ignore"])["version"], Value::Null);
    assert_eq!(shell.json(&["count", "t"])["count"], 2);
    let report = shell.json(&["append", "t", "2.csv", "--mode", "overwrite", "--if-version", "1"]);
    assert_eq!((&report["version"], &report["metrics"]["numRemovedFiles"]), (&json!(2), &json!(2)));
    assert_eq!(shell.lines(&["scan", "t"]), [json!({"id": 7, "s": "z", "day": "2026-02-01"})]);
    shell.write("other.ndjson", "{\"a\":1.5}\n");
    shell.ok(&["append", "t", "other.ndjson", "--mode", "overwrite", "--overwrite-schema", "--partition-by", ""]);
    assert_eq!(shell.lines(&["scan", "t"]), [json!({"a": 1.5})]);
}

#[test]
fn columns_are_added_only_when_asked() {
    let shell = Shell::with_table();
    shell.write("more.csv", "id,s,day,more\n3,c,2026-01-03,x\n");
    assert_eq!(shell.run(&["append", "t", "more.csv"]).code, Some(1));
    shell.ok(&["append", "t", "more.csv", "--merge-schema"]);
    assert_eq!(shell.lines(&["scan", "t", "--where", "more = 'x'", "--columns", "id"]), [json!({"id": 3})]);
}

#[test]
fn an_application_version_is_written_once() {
    let shell = Shell::with_table();
    let words = ["append", "t", "1.csv", "--txn", "job=a=7"];
    assert_eq!(shell.json(&words)["version"], 2);
    let again = shell.json(&words);
    assert_eq!((&again["version"], shell.json(&["count", "t"])["count"].as_u64()), (&Value::Null, Some(4)));
    assert_eq!(shell.json(&["append", "t", "1.csv", "--txn", "job=a=8"])["version"], 3);
}

#[test]
fn several_files_are_one_commit() {
    let shell = Shell::with_table();
    shell.write("2.ndjson", "{\"id\":5,\"s\":\"e\",\"day\":\"2026-01-05\"}\n");
    let report = shell.json(&["append", "t", "1.csv", "2.ndjson"]);
    assert_eq!((&report["version"], &report["metrics"]["numOutputRows"]), (&json!(2), &json!(3)));
}

#[test]
fn a_checkpoint_is_written_and_used() {
    let shell = Shell::with_table();
    let report = shell.json(&["checkpoint", "t"]);
    assert_eq!(keys(&report), [REPORT, &["written"]].concat());
    assert_eq!((&report["version"], &report["metrics"]["version"]), (&Value::Null, &json!(1)));
    assert!(shell.files("t").contains(&"_delta_log/00000000000000000001.checkpoint.parquet".to_owned()));
    assert_eq!(shell.json(&["count", "t"])["count"], 2);
}

#[test]
fn fast_durability_and_few_threads_and_little_memory_write_the_same() {
    let shell = Shell::with_table();
    shell.ok(&["append", "t", "1.csv", "--durability", "fast", "--threads", "1", "--memory-limit", "16MiB"]);
    assert_eq!(shell.json(&["count", "t", "--threads", "1", "--memory-limit", "1MiB"])["count"], 4);
}

// spec: STO-6
#[test]
fn fast_durability_says_once_what_it_gives_up_when_something_is_written() {
    let shell = Shell::with_table();
    let notes = |words: &[&str]| {
        let ran = shell.run(&[words, &["--durability", "fast"]].concat());
        assert_eq!(ran.code, Some(0), "{words:?}: {}", ran.err);
        ran.err.lines().filter(|line| line.starts_with("note: ") && line.contains("power cut")).count()
    };
    assert_eq!(notes(&["append", "t", "1.csv"]), 1);
    assert_eq!(notes(&["delete", "t", "--where", "id = 1"]), 1);
    assert_eq!(notes(&["sql", "UPDATE e SET s = 'x'", "--table", "e=t"]), 1);
    assert_eq!(notes(&["optimize", "t", "--dry-run"]), 0);
    assert_eq!(notes(&["count", "t"]), 0);
    assert_eq!(notes(&["sql", "SELECT count(*) FROM e", "--table", "e=t"]), 0);
    assert_eq!(notes(&["append", "t", "1.csv", "--quiet"]), 0);
    assert!(!shell.run(&["append", "t", "1.csv"]).err.contains("power cut"));
}

// spec: INP-5
#[test]
fn a_slow_pipe_is_read_as_what_it_brings() {
    let shell = Shell::with_table();
    shell.ok(&["scan", "t", "--output", "rows.parquet"]);
    let parquet = std::fs::read(shell.path("rows.parquet")).unwrap();
    for (table, pieces) in [("p", [&parquet[..2], &parquet[2..]]), ("j", [b"\n", b"{\"id\":1}\n{\"id\":2}\n"])] {
        let mut child = shell.command(&["append", table, "-"]).stdin(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        for piece in pieces {
            input.write_all(piece).unwrap();
            // Until the command has taken the first piece; a pipe that is not empty yet would hide what is tested.
            while queued(&input) > 0 && child.try_wait().unwrap().is_none() {
                std::thread::yield_now();
            }
        }
        drop(input);
        let ran = Ran::of(child.wait_with_output().unwrap());
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        assert_eq!(shell.json(&["count", table])["count"], 2);
    }
}

/// Bytes that a pipe holds.
fn queued(pipe: &ChildStdin) -> u64 {
    rustix::io::ioctl_fionread(pipe).unwrap()
}

// spec: OPS-16
#[test]
fn dynamic_partitions_never_empty_a_table_without_partitions_by_default() {
    let shell = Shell::new();
    shell.write("1.csv", "id\n1\n");
    shell.ok(&["append", "t", "1.csv"]);
    let refused = shell.run(&["append", "t", "1.csv", "--dynamic-partitions", "--format", "json"]);
    assert_eq!((refused.code, refused.error()["code"].as_str()), (Some(1), Some("LB-INPUT")), "{}", refused.err);
    assert!(refused.err.contains("--mode overwrite"), "{}", refused.err);
    assert_eq!(shell.json(&["count", "t"])["count"], 1);
    assert_eq!(shell.json(&["append", "t", "1.csv", "--dynamic-partitions", "--mode", "overwrite"])["version"], 1);
}

// spec: STO-22
#[test]
fn a_folder_of_a_table_is_no_place_for_another_and_its_reader_hears_where_the_table_is() {
    let shell = Shell::with_table();
    let outer = format!("file://{}/t/", shell.folder.path().display());
    for folder in ["t/day=2026-01-01", "t/new/deep"] {
        let read = shell.run(&["count", folder, "--format", "json"]);
        assert_eq!((read.code, read.error()["code"].as_str()), (Some(4), Some("LB-TABLE")), "{}", read.err);
        assert!(read.error()["help"].as_str().is_some_and(|help| help.contains(&outer)), "{}", read.err);
        for words in [&["append", folder, "1.csv"][..], &["create", folder, "--schema", "id BIGINT"]] {
            let refused = shell.run(&[words, &["--format", "json"]].concat());
            assert_eq!((refused.code, refused.error()["code"].as_str()), (Some(1), Some("LB-INPUT")), "{}", refused.err);
            assert!(refused.error()["help"].as_str().is_some_and(|help| help.contains(&outer)), "{}", refused.err);
        }
        assert!(!shell.files(folder).iter().any(|file| file.contains("_delta_log")));
    }
}

// spec: ICE-7
#[test]
fn a_table_with_the_format_iceberg_is_made_with_compatibility_only() {
    let shell = Shell::new();
    let words = ["create", "t", "--schema", "id BIGINT", "--property", "delta.universalFormat.enabledFormats=iceberg", "--format", "json"];
    let refused = shell.run(&words);
    assert_eq!((refused.code, refused.error()["code"].as_str()), (Some(1), Some("LB-PROPERTY")), "{}", refused.err);
    assert!(shell.files("t").is_empty());
    shell.ok(&[&words[..], &["--property", "delta.enableIcebergCompatV2=true"]].concat());
}

// spec: OPS-16, OPS-20
#[test]
fn a_part_of_the_rows_is_replaced() {
    let shell = Shell::with_table();
    shell.write("2.csv", "id,s,day\n7,z,2026-01-02\n");
    let report = shell.json(&["append", "t", "2.csv", "--dynamic-partitions"]);
    assert_eq!((&report["version"], &report["metrics"]["numRemovedFiles"]), (&json!(2), &json!(1)));
    let report = shell.json(&["append", "t", "2.csv", "--replace-where", "id >= 1 AND day = '2026-01-02'"]);
    assert_eq!((&report["metrics"]["numDeletedRows"], &report["metrics"]["numOutputRows"]), (&json!(1), &json!(1)));
    assert_eq!(shell.json(&["count", "t"])["count"], 2);
    let outside = shell.run(&["append", "t", "2.csv", "--replace-where", "id = 1", "--format", "json"]);
    assert_eq!((outside.code, outside.error()["code"].as_str()), (Some(7), Some("LB-CONSTRAINT")), "{}", outside.err);
    for words in [
        &["--replace-where", "id = 7", "--dynamic-partitions"][..],
        &["--replace-where", "id = 7", "--overwrite-schema"],
        &["--dynamic-partitions", "--overwrite-schema"],
    ] {
        let refused = shell.run(&[&["append", "t", "2.csv", "--format", "json"], words].concat());
        assert_eq!((refused.code, refused.error()["code"].as_str()), (Some(2), Some("LB-USAGE")), "{words:?}: {}", refused.err);
    }
    for mode in ["error", "ignore"] {
        for words in [&["--replace-where", "id = 7"][..], &["--dynamic-partitions"]] {
            let refused = shell.run(&[&["append", "new", "2.csv", "--mode", mode, "--format", "json"], words].concat());
            assert_eq!((refused.code, refused.error()["code"].as_str()), (Some(1), Some("LB-INPUT")), "{words:?}: {}", refused.err);
        }
    }
    assert!(shell.files("new").is_empty());
}
