//! `merge` on the command line.

use super::Shell;
use serde_json::json;

const UPSERT: &[&str] = &["--on", "t.id = s.id", "--when", "MATCHED THEN UPDATE SET *", "--when", "NOT MATCHED THEN INSERT *"];

fn people() -> Shell {
    let shell = Shell::new();
    shell.ok(&["create", "t", "--schema", "id BIGINT, name STRING", "--property", "delta.enableDeletionVectors=true"]);
    shell.write("1.csv", "id,name\n1,Ada\n2,Bob\n");
    shell.ok(&["append", "t", "1.csv"]);
    shell
}

// spec: MRG-1, MRG-12
#[test]
fn a_file_of_every_format_and_a_table_are_merged() {
    let rows = "{\"id\":2,\"name\":\"Bea\"}\n{\"id\":3,\"name\":\"Cid\"}\n";
    for source in ["new.csv", "new.ndjson", "new.parquet", "u", "u@v1"] {
        let shell = people();
        shell.write("new.csv", "id,name\n2,Bea\n3,Cid\n");
        shell.write("new.ndjson", rows);
        shell.ok(&["append", "u", "new.ndjson"]);
        shell.ok(&["append", "u", "new.ndjson", "--mode", "overwrite"]);
        shell.ok(&["scan", "u", "--output", "new.parquet"]);
        let report = shell.json(&[&["merge", "t", "--using", source], UPSERT].concat());
        assert_eq!((&report["version"], &report["operation"]), (&json!(2), &json!("MERGE")), "{source}");
        let metrics = &report["metrics"];
        assert_eq!((&metrics["numTargetRowsUpdated"], &metrics["numTargetRowsInserted"]), (&json!(1), &json!(1)), "{source}");
        let mut names: Vec<_> = shell.lines(&["scan", "t"]).iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        assert_eq!(names, ["Ada", "Bea", "Cid"], "{source}");
    }
}

// spec: INP-8
#[test]
fn a_column_that_no_line_names_keeps_its_value_or_gets_its_default() {
    let shell = people();
    shell.write("part.ndjson", "{\"id\":2}\n");
    let refused = shell.run(&[&["merge", "t", "--using", "part.ndjson", "--format", "json"], UPSERT].concat()).error();
    assert_eq!(refused["code"], "LB-SCHEMA", "as for CSV");
    shell.ok(&[&["merge", "t", "--using", "part.ndjson", "--schema-evolution"], UPSERT].concat());
    let mut names: Vec<_> = shell.lines(&["scan", "t"]).iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(names, ["Ada", "Bob"]);
    shell.ok(&["create", "d", "--schema", "a INT DEFAULT 5, b INT GENERATED ALWAYS AS (a * 2), c STRING"]);
    shell.write("c.ndjson", "{\"c\":\"x\"}\n");
    shell.ok(&["append", "d", "c.ndjson"]);
    assert_eq!(shell.lines(&["scan", "d"]), [json!({"a": 5, "b": 10, "c": "x"})]);
}

#[test]
fn other_names_evolution_and_failures_are_said() {
    let shell = people();
    shell.write("new.csv", "id,name,age\n2,Bea,41\n2,Bob,42\n");
    let merge =
        ["merge", "t", "--using", "new.csv", "--as", "n", "--on", "t.id = n.id", "--when", "MATCHED AND n.age > 41 THEN UPDATE SET *"];
    let twice = shell.run(&[&merge[..], &["--format", "json"]].concat());
    assert_eq!((twice.code, twice.error()["code"].as_str()), (Some(1), Some("LB-MERGE-MULTI")), "{}", twice.err);
    shell.write("new.csv", "id,name,age\n2,Bea,42\n");
    let report = shell.json(&[&merge[..], &["--schema-evolution"]].concat());
    assert_eq!(report["version"], 2);
    let rows = shell.lines(&["scan", "t", "--where", "id = 2"]);
    assert_eq!(rows, [json!({"id": 2, "name": "Bea", "age": 42})]);
    let again = shell.json(&["merge", "t", "--using", "new.csv", "--on", "t.id = s.id AND t.age < s.age", "--when", "MATCHED THEN DELETE"]);
    assert_eq!(again["version"], json!(null));
    for (when, code) in [("MATCHED THEN INSERT *", 1), ("WHEN NOT MATCHED THEN INSERT (nope) VALUES (1)", 1)] {
        let ran = shell.run(&["merge", "t", "--using", "new.csv", "--on", "t.id = s.id", "--when", when, "--format", "json"]);
        assert_eq!((ran.code, ran.error()["code"].as_str()), (Some(code), Some("LB-EXPR")), "{}", ran.err);
    }
    let usage = shell.run(&["merge", "t", "--using", "new.csv", "--on", "t.id = s.id"]);
    assert_eq!(usage.code, Some(2), "{}", usage.err);
}
