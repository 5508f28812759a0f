//! Errors, exit codes and help.

use super::{Shell, keys};
use std::process::Stdio;

#[test]
fn every_failure_is_one_json_object_with_its_code_and_exit_code() {
    let shell = Shell::with_table();
    shell.ok(&["create", "required", "--schema", "id BIGINT NOT NULL"]);
    shell.write("null.ndjson", "{\"id\":null}\n");
    shell.write("more.csv", "id,s,day,other\n3,c,2026-01-03,x\n");
    std::fs::create_dir_all(shell.path("future/_delta_log")).unwrap();
    let log = |name: &str, lines: &str| shell.write(&format!("{name}/_delta_log/00000000000000000000.json"), lines);
    let metadata = r#"{"metaData":{"id":"x","format":{"provider":"parquet","options":{}},"schemaString":"{\"type\":\"struct\",\"fields\":[]}","partitionColumns":[],"configuration":{}}}"#;
    let protocol = r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["sparkle"],"writerFeatures":["sparkle"]}}"#;
    log("future", &format!("{protocol}\n{metadata}\n"));
    std::fs::create_dir_all(shell.path("torn/_delta_log")).unwrap();
    log("torn", "{\"metaData\":{\"id\"");

    for (words, code, kind, exit) in [
        (&["scan", "t", "--where", "id ="][..], "LB-EXPR", "InvalidInput", 1),
        (&["scan", "t", "--columns", "nope"], "LB-SCHEMA", "InvalidInput", 1),
        (&["count", "torn"], "LB-LOG-JSON", "Corrupt", 1),
        (&["scan", "t", "--nope"], "LB-USAGE", "InvalidInput", 2),
        (&["scan", "t@v0", "--version", "0"], "LB-USAGE", "InvalidInput", 2),
        (&["scan", "t", "--timestamp", "yesterday"], "LB-USAGE", "InvalidInput", 2),
        (&["history", "t@v0"], "LB-USAGE", "InvalidInput", 2),
        (&["scan", "t", "--memory-limit", "much"], "LB-USAGE", "InvalidInput", 2),
        (&["append", "t", "1.csv", "--if-version", "0"], "LB-CONFLICT", "Conflict", 3),
        (&["info", "nothing"], "LB-TABLE", "NotFound", 4),
        (&["history", "nothing"], "LB-TABLE", "NotFound", 4),
        (&["log", "dump", "nothing"], "LB-TABLE", "NotFound", 4),
        (&["log", "dump", "t", "--from", "9"], "LB-VERSION", "NotFound", 4),
        (&["count", "t@v9"], "LB-VERSION", "NotFound", 4),
        (&["append", "t", "nothing.csv"], "LB-INPUT", "InvalidInput", 4),
        (&["scan", "future"], "LB-FEATURE-READ", "Unsupported", 5),
        (&["append", "future", "1.csv"], "LB-FEATURE-WRITE", "Unsupported", 5),
        (&["append", "required", "null.ndjson"], "LB-CONSTRAINT", "ConstraintViolated", 7),
        (&["append", "t", "more.csv"], "LB-SCHEMA", "InvalidInput", 1),
        (&["create", "t", "--schema", "id BIGINT"], "LB-TABLE-EXISTS", "AlreadyExists", 1),
    ] {
        let ran = shell.run(&[words, &["--format", "json"]].concat());
        assert_eq!(ran.out, "", "{words:?}");
        let error = ran.error();
        assert_eq!(
            (error["code"].as_str(), error["kind"].as_str(), ran.code),
            (Some(code), Some(kind), Some(exit)),
            "{words:?}: {}",
            ran.err
        );
        assert_eq!(keys(&error), ["code", "kind", "message", "context", "help"]);
        let told = shell.run(words).err;
        assert!(code == "LB-USAGE" || told.starts_with(&format!("error[{code}]: ")), "{words:?}: {told}");
    }
    let named = shell.run(&["scan", "future", "--format", "json"]).error();
    assert_eq!(named["context"]["features"], "sparkle");
    assert_eq!(shell.json(&["info", "t"])["version"], 1, "no failure has changed the table");
}

#[test]
fn an_output_that_cannot_be_written_is_named_and_leaves_nothing() {
    let shell = Shell::with_table();
    let ran = shell.run(&["scan", "t", "--output", "no/such/folder/rows.csv", "--format", "json"]);
    assert_eq!((ran.code, ran.error()["code"].as_str()), (Some(1), Some("LB-OUTPUT")), "{}", ran.err);
    assert_eq!(ran.error()["context"]["output"], "no/such/folder/rows.csv");
    let ran = shell.run(&["scan", "t", "--output", "rows.txt", "--format", "json"]);
    assert_eq!((ran.code, ran.error()["code"].as_str()), (Some(1), Some("LB-INPUT")), "{}", ran.err);
    assert_eq!(shell.files(".").iter().filter(|f| !f.starts_with("t/")).collect::<Vec<_>>(), ["1.csv"]);
}

#[test]
fn the_damage_of_one_data_file_is_told_and_leaves_no_output() {
    let shell = Shell::with_table();
    let file = shell.files("t").into_iter().find(|f| f.starts_with("day=2026-01-01/")).unwrap();
    shell.write(&format!("t/{file}"), "not a data file at all");
    let ran = shell.run(&["scan", "t", "--output", "rows.csv", "--format", "json"]);
    assert_eq!((ran.code, ran.error()["code"].as_str()), (Some(1), Some("LB-FILE")), "{}", ran.err);
    assert!(ran.error()["context"]["path"].as_str().unwrap().contains("day=2026-01-01"), "{}", ran.err);
    assert!(!shell.files(".").iter().any(|f| f.contains("rows.csv")));
}

#[test]
fn a_skipped_checkpoint_is_one_warning_and_the_answer_is_right() {
    let shell = Shell::with_table();
    shell.ok(&["checkpoint", "t"]);
    let checkpoint = shell.files("t").into_iter().find(|f| f.ends_with(".checkpoint.parquet")).unwrap();
    shell.write(&format!("t/{checkpoint}"), "damaged");
    for format in ["json", "ndjson", "table", "csv"] {
        let ran = shell.run(&["count", "t", "--format", format]);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        assert!(ran.out.contains('2'), "{}", ran.out);
        assert_eq!(ran.err.lines().filter(|line| line.starts_with("warning: ")).count(), 1, "{}", ran.err);
    }
}

#[test]
fn help_and_manual_know_every_exit_code_and_command() {
    let shell = Shell::with_table();
    assert!(shell.ok(&["--help"]).contains("6 the doctor found something"));
    assert!(shell.ok(&["man", "alter", "add-column"]).contains("add\\-column"));
    assert_eq!(shell.run(&["man", "alter", "nope"]).code, Some(2));
    for (words, said) in [
        (&["vacuum", "t", "--retain", "-5h"][..], "expected a span"),
        (&["changes", "t", "--from", "-1"], "invalid"),
        (&["count", "t", "--version", "-1"], "invalid"),
        (&["scan", "t", "--columns", "id,ID"], "named twice"),
    ] {
        let ran = shell.run(words);
        assert!(ran.code == Some(2) && ran.err.contains(said), "{words:?}: {}", ran.err);
    }
}

#[test]
fn a_refused_row_is_shown() {
    let shell = Shell::with_table();
    shell.ok(&["alter", "t", "add-constraint", "small", "id < 10 OR s IS NULL"]);
    for words in [
        &["update", "t", "--set", "id = 50 + id", "--where", "id = 1"][..],
        &["sql", "INSERT INTO delta.`t` VALUES (51, 'a', DATE '2026-01-01')"],
    ] {
        let ran = shell.run(&[words, &["--format", "json"]].concat());
        assert_eq!((ran.code, ran.error()["code"].as_str()), (Some(7), Some("LB-CONSTRAINT")), "{}", ran.err);
        let values = ran.error()["context"]["values"].as_str().unwrap_or_default().to_owned();
        assert!(values.contains("id = 51") && values.contains("s = a"), "{}", ran.err);
    }
}

#[test]
fn data_and_errors_cannot_steer_the_terminal() {
    let shell = Shell::with_table();
    shell.write("evil.ndjson", "{\"id\":3,\"s\":\"\\u001b[2J\\u202eevil\\nline\",\"day\":\"2026-01-03\"}\n");
    shell.ok(&["append", "t", "evil.ndjson"]);
    let out = shell.ok(&["scan", "t", "--format", "table"]);
    assert!(!out.contains('\u{1b}') && !out.contains('\u{202e}') && out.contains("\\u{1b}[2J\\u{202e}evil\\nline"), "{out}");
    let err = shell.run(&["scan", "t", "--columns", "\u{1b}[31mred"]).err;
    assert!(!err.contains('\u{1b}') && err.contains("\\u{1b}[31mred"), "{err}");
}

#[test]
fn a_reader_that_goes_away_ends_the_command_quietly() {
    let shell = Shell::with_many_rows();
    for format in ["ndjson", "csv", "json", "table"] {
        let mut child = shell.command(&["scan", "t", "--format", format]).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""), "{format}");
    }
}

#[test]
fn colours_come_only_when_they_are_asked_for() {
    let shell = Shell::new();
    assert!(!shell.run(&["info", "t"]).err.contains('\u{1b}'));
    assert!(shell.run(&["info", "t", "--color", "always"]).err.contains('\u{1b}'));
    assert!(!shell.run(&["info", "t", "--color", "never"]).err.contains('\u{1b}'));
}

#[test]
fn log_lines_follow_their_flags_and_stay_out_of_results() {
    let shell = Shell::with_table();
    let words = ["count", "t", "--storage-option", "no_such_key=secret-value"];
    let ran = shell.run(&words);
    assert!(ran.err.contains("no_such_key") && !ran.err.contains("secret-value"), "{}", ran.err);
    assert_eq!(ran.out, "{\"count\":2}\n");
    let json = shell.run(&[&words[..], &["--log-format", "json"]].concat());
    let line: serde_json::Value = serde_json::from_str(json.err.lines().next().unwrap()).unwrap();
    assert_eq!(line["level"], "WARN");
    assert_eq!(shell.run(&[&words[..], &["--quiet"]].concat()).err, "");
}

#[test]
fn every_command_has_help_with_an_example() {
    let shell = Shell::new();
    let commands = ["info", "history", "scan", "count", "files", "create", "append", "checkpoint", "log", "demo", "completions", "man"]
        .map(|c| vec![c]);
    for command in commands.into_iter().chain([vec!["log", "dump"]]) {
        let help = shell.ok(&[&command[..], &["--help"]].concat());
        assert!(help.contains(&format!("Example: lakebed {}", command[0])), "{command:?}: {help}");
    }
    assert!(shell.ok(&["--help"]).contains("Exit codes: 0 done"));
    assert!(shell.ok(&["--version"]).starts_with("lakebed "));
    let bare = shell.run(&[]);
    assert_eq!((bare.code, bare.out.as_str()), (Some(2), ""));
}

#[test]
fn completions_exist_for_every_shell_and_pages_for_every_command() {
    let shell = Shell::new();
    for name in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = shell.ok(&["completions", name]);
        assert!(script.contains("checkpoint") && script.contains("merge-schema"), "{name}");
    }
    let mut bash = std::process::Command::new("bash").args(["-n"]).stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut bash.stdin.take().unwrap(), shell.ok(&["completions", "bash"]).as_bytes()).unwrap();
    assert!(bash.wait().unwrap().success(), "bash refuses the script");
    assert!(shell.ok(&["man"]).starts_with(".ie"));
    assert!(shell.ok(&["man", "append"]).contains("lakebed\\-append"));
    assert_eq!(shell.run(&["man", "nope"]).code, Some(2));
}
