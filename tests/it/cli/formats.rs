//! What commands that read print, in every format.

use super::{Shell, keys};
use serde_json::{Value, json};

const INFO: &[&str] = &[
    "location",
    "id",
    "name",
    "description",
    "version",
    "timestamp",
    "created_at",
    "partition_columns",
    "clustering_columns",
    "num_files",
    "size_bytes",
    "num_records",
    "num_deleted_records",
    "min_reader_version",
    "min_writer_version",
    "reader_features",
    "writer_features",
    "properties",
    "schema",
    "layout",
];
const HISTORY: &[&str] = &[
    "version",
    "timestamp",
    "operation",
    "operationParameters",
    "operationMetrics",
    "readVersion",
    "isolationLevel",
    "isBlindAppend",
    "userMetadata",
    "engineInfo",
    "txnId",
];
const FILES: &[&str] = &["path", "size", "partition_values", "num_records", "deleted_records", "modification_time"];

fn fixture(name: &str) -> String {
    format!("{}/fixtures/golden/{name}/table", env!("CARGO_MANIFEST_DIR"))
}

/// What stands in the columns of a printed table's lines.
fn cells(table: &str) -> Vec<Vec<&str>> {
    let rows = table.lines().filter(|line| line.starts_with('│'));
    rows.map(|line| line.trim_matches('│').split('┆').map(str::trim).collect()).collect()
}

#[test]
fn info_has_exactly_its_keys_in_every_format() {
    let shell = Shell::with_table();
    let info = shell.json(&["info", "t"]);
    assert_eq!(keys(&info), INFO);
    assert_eq!(info["version"], 1);
    assert_eq!((&info["num_files"], &info["num_records"], &info["num_deleted_records"]), (&json!(2), &json!(2), &json!(0)));
    assert_eq!((&info["partition_columns"], &info["clustering_columns"]), (&json!(["day"]), &json!([])));
    assert_eq!((&info["description"], &info["name"]), (&json!("events"), &Value::Null));
    assert_eq!(info["schema"]["fields"][0]["name"], "id");
    assert_eq!((&info["layout"]["small_files"], &info["layout"]["deleted_row_share"]), (&json!(2), &json!(0.0)));
    assert_eq!(info["layout"]["columns"][0], json!({"column": "id", "depth": 1.0, "files_of_one_percent": 1.01}));
    assert_eq!((&info["min_reader_version"], &info["min_writer_version"]), (&json!(1), &json!(2)));
    assert_eq!(shell.lines(&["info", "t"]), std::slice::from_ref(&info));
    assert_eq!(shell.json(&["info", "t", "--exact"])["num_records"], 2);

    let csv = shell.ok(&["info", "t", "--format", "csv"]);
    assert_eq!(csv.lines().next().unwrap(), INFO.join(","));
    let table = shell.ok(&["info", "t", "--format", "table"]);
    assert_eq!(cells(&table).iter().map(|line| line[0]).collect::<Vec<_>>(), INFO);
    assert!(table.contains("id bigint not null, s string, day date"), "{table}");
}

#[test]
fn info_works_on_tables_that_cannot_be_read_and_names_clustering_columns() {
    let shell = Shell::new();
    let log = "future/_delta_log/00000000000000000000.json";
    std::fs::create_dir_all(shell.path("future/_delta_log")).unwrap();
    let metadata = r#"{"metaData":{"id":"x","format":{"provider":"parquet","options":{}},"schemaString":"{\"type\":\"struct\",\"fields\":[]}","partitionColumns":[],"configuration":{"a":"b"}}}"#;
    let protocol = r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["sparkle"],"writerFeatures":["sparkle"]}}"#;
    shell.write(log, &format!("{protocol}\n{metadata}\n"));
    let ran = shell.run(&["info", "future", "--format", "json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let info: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&info["reader_features"], &info["properties"]), (&json!(["sparkle"]), &json!({"a": "b"})));
    assert!(ran.err.starts_with("warning: ") && ran.err.contains("sparkle"), "{}", ran.err);

    assert_ne!(shell.json(&["info", &fixture("clustering")])["clustering_columns"], json!([]));
}

#[test]
fn history_has_exactly_its_keys_newest_first() {
    let shell = Shell::with_table();
    let history = shell.json(&["history", "t"]);
    let entries = history.as_array().unwrap();
    assert_eq!(entries.iter().map(|e| e["version"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 0]);
    assert!(entries.iter().all(|e| keys(e) == HISTORY));
    assert_eq!((&entries[0]["operation"], &entries[0]["userMetadata"]), (&json!("WRITE"), &json!("first")));
    assert_eq!((&entries[1]["operation"], &entries[1]["readVersion"]), (&json!("CREATE TABLE"), &Value::Null));
    assert_eq!(entries[0]["operationMetrics"]["numOutputRows"], "2");
    assert_eq!(shell.lines(&["history", "t"]), *entries);
    assert_eq!(shell.lines(&["history", "t", "--limit", "1"]), entries[..1]);
    let csv = shell.ok(&["history", "t", "--format", "csv"]);
    assert_eq!((csv.lines().next().unwrap(), csv.lines().count()), (HISTORY.join(",").as_str(), 3));
    let table = shell.ok(&["history", "t", "--format", "table"]);
    assert_eq!(cells(&table)[1][2], "WRITE", "{table}");
}

#[test]
fn scan_gives_the_same_rows_in_every_format() {
    let shell = Shell::with_table();
    let words = ["scan", "t", "--columns", "id,s,day"];
    let mut rows = shell.lines(&words);
    rows.sort_by_key(|row| row["id"].as_i64());
    assert_eq!(rows, [json!({"id": 1, "s": "a", "day": "2026-01-01"}), json!({"id": 2, "s": null, "day": "2026-01-02"})]);
    let mut document = shell.json(&words).as_array().unwrap().clone();
    document.sort_by_key(|row| row["id"].as_i64());
    assert_eq!(document, rows);
    let csv = shell.ok(&[&words[..], &["--where", "id = 2", "--format", "csv"]].concat());
    assert_eq!(csv, "id,s,day\n2,,2026-01-02\n");
    let table = shell.ok(&[&words[..], &["--where", "s IS NULL", "--format", "table"]].concat());
    assert_eq!(cells(&table), [vec!["id", "s", "day"], vec!["2", "NULL", "2026-01-02"]]);
    assert!(table.ends_with("1 row\n"), "{table}");
    let one = [&words[..], &["--where", "id = 1"]].concat();
    assert_eq!(shell.ok(&one), shell.ok(&[&one[..], &["--format", "ndjson"]].concat()), "a pipe gets ndjson");
    assert_eq!(shell.lines(&["scan", "t", "--limit", "1"]).len(), 1);
    assert_eq!(shell.lines(&["scan", "t", "--columns", "day", "--where", "id = 1"]), [json!({"day": "2026-01-01"})]);
    for (format, nothing) in [("ndjson", ""), ("json", "[]\n"), ("csv", "id,s,day\n")] {
        assert_eq!(shell.ok(&["scan", "t", "--where", "id > 9", "--format", format]), nothing);
    }
}

#[test]
fn scan_writes_files_that_read_back_equal() {
    let shell = Shell::with_table();
    for ending in ["parquet", "arrow", "csv", "ndjson"] {
        let (file, copy) = (format!("rows.{ending}"), format!("copy-{ending}"));
        shell.write(&file, "what was there before");
        let report = shell.json(&["scan", "t", "--output", &file, "--where", "day < '2026-01-02'"]);
        assert_eq!(keys(&report), ["rows", "files_read", "files_total", "bytes_read"]);
        assert_eq!((&report["rows"], &report["files_read"], &report["files_total"]), (&json!(1), &json!(1), &json!(2)), "{ending}");
        assert!(report["bytes_read"].as_u64().unwrap() > 0);
        shell.ok(&["append", &copy, &file]);
        assert_eq!(shell.lines(&["scan", &copy]), [json!({"id": 1, "s": "a", "day": "2026-01-01"})], "{ending}");
    }
    assert!(!shell.files(".").iter().any(|f| f.ends_with(".tmp")));
}

#[test]
fn rows_of_every_type_print_in_every_format() {
    let shell = Shell::new();
    let fixtures = std::fs::read_dir(format!("{}/fixtures/golden", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let mut seen = 0;
    for entry in fixtures {
        let folder = entry.unwrap().path();
        let Ok(expected) = std::fs::read_to_string(folder.join("expected.json")) else { continue };
        let expected: Value = serde_json::from_str(&expected).unwrap();
        let Some(rows) = expected["num_rows"].as_u64() else { continue };
        let table = folder.join("table");
        let table = table.to_str().unwrap();
        assert_eq!(shell.lines(&["scan", table]).len() as u64, rows, "{table}");
        assert_eq!(shell.json(&["scan", table]).as_array().unwrap().len() as u64, rows, "{table}");
        assert!(shell.ok(&["scan", table, "--format", "table"]).contains(&format!("{rows} row")), "{table}");
        shell.ok(&["scan", table, "--format", "csv"]);
        assert_eq!(shell.json(&["count", table])["count"], rows, "{table}");
        seen += 1;
    }
    assert!(seen > 20, "only {seen} fixtures were read");
}

#[test]
fn count_counts_what_is_there() {
    let shell = Shell::with_table();
    assert_eq!(shell.json(&["count", "t"]), json!({"count": 2}));
    assert_eq!(shell.lines(&["count", "t", "--where", "s = 'a'"]), [json!({"count": 1})]);
    assert_eq!(shell.ok(&["count", "t", "--format", "csv"]), "count\n2\n");
    assert_eq!(cells(&shell.ok(&["count", "t", "--format", "table"])), [["count", "2"]]);
}

#[test]
fn files_lists_what_skipping_keeps() {
    let shell = Shell::with_table();
    let all = shell.json(&["files", "t"]);
    assert_eq!(keys(&all), ["files", "files_total", "files_kept", "bytes_kept", "layout"]);
    let kept = shell.json(&["files", "t", "--where", "day = '2026-01-02'"]);
    assert_eq!((&kept["files_total"], &kept["files_kept"]), (&json!(2), &json!(1)));
    let file = &kept["files"][0];
    assert_eq!(keys(file), FILES);
    assert_eq!(
        (&file["partition_values"], &file["num_records"], &file["deleted_records"]),
        (&json!({"day": "2026-01-02"}), &json!(1), &json!(0))
    );
    assert!(shell.path("t").join(file["path"].as_str().unwrap()).is_file());
    assert_eq!(kept["bytes_kept"], file["size"]);
    assert_eq!(shell.lines(&["files", "t", "--where", "day = '2026-01-02'"]), std::slice::from_ref(file));
    let csv = shell.ok(&["files", "t", "--format", "csv"]);
    assert_eq!((csv.lines().next().unwrap(), csv.lines().count()), (FILES.join(",").as_str(), 3));
    let table = shell.ok(&["files", "t", "--format", "table"]);
    assert!(table.contains("files_kept: 2"), "{table}");
    let none = shell.json(&["files", "t", "--where", "day = '1999-01-01'"]);
    assert_eq!((&none["files"], &none["files_kept"], &none["bytes_kept"]), (&json!([]), &json!(0), &json!(0)));
}

#[test]
fn the_paths_of_files_are_those_on_the_disk() {
    let shell = Shell::new();
    shell.write("p.ndjson", "{\"id\":1,\"p\":\"a b/c%d\"}\n");
    shell.ok(&["append", "t", "p.ndjson", "--partition-by", "p"]);
    let file = shell.json(&["files", "t"])["files"][0].clone();
    assert!(shell.path("t").join(file["path"].as_str().unwrap()).is_file(), "{file}");
    assert_eq!(file["partition_values"]["p"], "a b/c%d");
}

#[test]
fn versions_and_times_pick_the_same_table_by_suffix_and_by_flag() {
    let shell = Shell::with_table();
    for words in [&["count", "t@v0"][..], &["count", "t", "--version", "0"]] {
        assert_eq!(shell.json(words), json!({"count": 0}), "{words:?}");
    }
    let history = shell.json(&["history", "t"]);
    for (entry, count) in [(0, 2), (1, 0)] {
        let time = history[entry]["timestamp"].as_str().unwrap();
        assert_eq!(shell.json(&["count", &format!("t@{time}")]), json!({"count": count}), "{time}");
        assert_eq!(shell.json(&["count", "t", "--timestamp", time]), json!({"count": count}), "{time}");
    }
    let early = shell.run(&["count", "t@2001-01-01T00:00:00Z", "--format", "json"]);
    assert_eq!((early.code, early.error()["code"].as_str()), (Some(4), Some("LB-VERSION")));
    shell.ok(&["create", "mail@example", "--schema", "id INT"]);
    assert_eq!(shell.json(&["info", "mail@example@v0"])["version"], 0, "an @ that picks no version belongs to the name");
}

#[test]
fn log_dump_prints_every_action_and_even_what_is_broken() {
    let shell = Shell::with_table();
    let actions = shell.lines(&["log", "dump", "t"]);
    assert!(actions.iter().all(|a| keys(a) == ["version", "kind", "action"]));
    let kinds = |version: u64| {
        let mut kinds: Vec<&str> = actions.iter().filter(|a| a["version"] == version).map(|a| a["kind"].as_str().unwrap()).collect();
        kinds.sort_unstable();
        kinds
    };
    assert_eq!(kinds(0), ["commitInfo", "metaData", "protocol"]);
    assert_eq!(kinds(1), ["add", "add", "commitInfo"]);
    assert_eq!(shell.json(&["log", "dump", "t", "--from", "1"]).as_array().unwrap().len(), 3);
    let log = "t/_delta_log/00000000000000000001.json";
    let text = std::fs::read_to_string(shell.path(log)).unwrap();
    shell.write(log, &text[..text.len() - 20]);
    assert_eq!(shell.lines(&["log", "dump", "t"]).last().unwrap()["kind"], "invalid");
}

// spec: INP-9
#[test]
fn variants_go_out_as_text_and_come_back() {
    let shell = Shell::new();
    shell.ok(&["create", "t", "--schema", "id INT, v VARIANT, s STRUCT<w: VARIANT>"]);
    shell.ok(&["sql", "INSERT INTO delta.`t` SELECT 1, parse_json('{\"a\":[1,\"x\",null]}'), named_struct('w', parse_json('2.5'))"]);
    shell.ok(&["sql", "INSERT INTO delta.`t` (id) VALUES (2)"]);
    let rows =
        |table: &str| shell.json(&["sql", &format!("SELECT id, to_json(v) AS v, to_json(s.w) AS w FROM delta.`{table}` ORDER BY id")]);
    shell.ok(&["create", "u", "--schema", "id INT, v VARIANT, s STRUCT<w: VARIANT>"]);
    shell.ok(&["scan", "t", "--output", "rows.ndjson"]);
    shell.ok(&["append", "u", "rows.ndjson"]);
    assert_eq!(rows("u"), rows("t"));
    shell.ok(&["create", "w", "--schema", "id INT, v VARIANT"]);
    shell.ok(&["scan", "t", "--columns", "id,v", "--output", "rows.csv"]);
    shell.ok(&["append", "w", "rows.csv"]);
    let two = |table: &str| shell.json(&["sql", &format!("SELECT id, to_json(v) AS v FROM delta.`{table}` ORDER BY id")]);
    assert_eq!(two("w"), two("t"));
    shell.write("bad.ndjson", "{\"id\":3,\"v\":\"1\"}\n{\"id\":4,\"v\":\"no json\"}\n");
    let bad = shell.run(&["append", "u", "bad.ndjson", "--format", "json"]);
    assert_eq!((bad.error()["code"].as_str(), bad.error()["context"]["line"].as_str()), (Some("LB-INPUT"), Some("2")), "{}", bad.err);
}

// spec: RID-7
#[test]
fn a_scan_shows_hidden_columns_in_the_order_in_which_they_are_named() {
    let shell = Shell::new();
    shell.write("1.ndjson", "{\"id\":1}\n{\"id\":2}\n");
    shell.ok(&["append", "t", "1.ndjson", "--property", "delta.enableRowTracking=true"]);
    let names = "_metadata.row_id,id,_METADATA.row_index";
    let rows = shell.lines(&["scan", "t", "--columns", names, "--where", "id = 2"]);
    assert_eq!(rows, [json!({"_metadata.row_id": 1, "id": 2, "_metadata.row_index": 1})]);
    assert_eq!(keys(&rows[0]), ["_metadata.row_id", "id", "_metadata.row_index"]);
    let path = shell.lines(&["files", "t"])[0]["path"].clone();
    let alone = shell.lines(&["scan", "t", "--columns", "_metadata.file_path", "--limit", "1"]);
    assert_eq!(alone, [json!({"_metadata.file_path": path})]);
    let report = shell.json(&["scan", "t", "--columns", "_metadata.row_id", "--output", "ids.csv"]);
    assert_eq!((&report["rows"], std::fs::read_to_string(shell.path("ids.csv")).unwrap().lines().count()), (&json!(2), 3));
    assert_eq!(shell.run(&["scan", "t", "--columns", "_metadata.nope"]).code, Some(1));
}
