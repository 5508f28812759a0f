//! `sql`: rows in every format, reports, errors with their codes.

use super::*;

#[test]
fn sql_prints_rows_in_every_format_and_reports_of_changes() {
    let shell = Shell::with_table();
    let select = "SELECT Id, s FROM e WHERE day >= '2026-01-01' ORDER BY id";
    let named = ["sql", select, "--table", "e=t"];
    assert_eq!(shell.lines(&named), [serde_json::json!({"Id": 1, "s": "a"}), serde_json::json!({"Id": 2, "s": null})]);
    assert_eq!(shell.json(&named), serde_json::json!([{"Id": 1, "s": "a"}, {"Id": 2, "s": null}]));
    assert_eq!(shell.ok(&[&named[..], &["--format", "csv"]].concat()), "Id,s\n1,a\n2,\n");
    assert!(shell.ok(&[&named[..], &["--format", "table"]].concat()).contains("2 rows"));
    let report = shell.json(&["sql", "INSERT INTO delta.`t` VALUES (3, 'c', '2026-01-03')"]);
    assert_eq!((&report["version"], &report["operation"], &report["metrics"]["numOutputRows"]), (&2.into(), &"WRITE".into(), &1.into()));
    assert_eq!(shell.json(&["sql", "SELECT count(*) AS n FROM delta.`t`"])[0]["n"], 3);
    assert_eq!(shell.json(&["sql", "SELECT count(*) AS n FROM delta.`t` VERSION AS OF 1"])[0]["n"], 2);
    let plan = shell.ok(&["sql", "EXPLAIN SELECT id FROM delta.`t` WHERE day = DATE '2026-01-03'"]);
    assert!(plan.contains("files: 1 of 3"), "{plan}");
}

#[test]
fn sql_errors_carry_their_codes() {
    let shell = Shell::with_table();
    for (statement, code, exit) in [
        ("SELECT nope FROM delta.`t`", "LB-SQL", 1),
        ("OPTIMIZE delta.`t` WHERE", "LB-SQL", 1),
        ("SELECT 1 / 0", "LB-SQL", 1),
        ("DELETE FROM delta.`t` WHERE nope = 1", "LB-SQL", 1),
        ("UPDATE delta.`t` SET nope = 1", "LB-SQL", 1),
        ("UPDATE delta.`t` SET s = id / 0", "LB-SQL", 1),
        ("DELETE FROM delta.`t` WHERE id IN (SELECT 1)", "LB-SQL", 1),
        ("SELECT * FROM delta.`t` VERSION AS OF 9", "LB-VERSION", 4),
        ("SELECT * FROM delta.`nowhere`", "LB-TABLE", 4),
        ("INSERT INTO delta.`t` (s) VALUES ('x')", "LB-CONSTRAINT", 7),
    ] {
        let ran = shell.run(&["sql", statement]);
        assert_eq!(ran.code, Some(exit), "{statement}: {}", ran.err);
        assert!(ran.err.contains(code), "{statement}: {}", ran.err);
    }
}

// spec: EXP-9
#[test]
fn a_division_by_zero_is_refused_on_every_path_and_changes_nothing() {
    let shell = Shell::new();
    shell.write("rows.csv", "id,p,q\n1,10,2\n2,20,0\n");
    shell.ok(&["append", "t", "rows.csv"]);
    shell.write("source.csv", "id\n1\n2\n");
    let division = |words: &[&str]| {
        let ran = shell.run(&[words, &["--format", "json"]].concat());
        assert_eq!((ran.code, ran.error()["message"].as_str()), (Some(1), Some("division by zero")), "{words:?}: {}", ran.err);
        assert!(ran.error()["help"].as_str().unwrap().contains("try_divide"), "{}", ran.err);
    };
    for divided in [
        "p / 0",
        "p / q",
        "p % q",
        "p DIV q",
        "mod(p, q)",
        "CAST(p AS DOUBLE) / q",
        "CAST(p AS DOUBLE) % q",
        "CAST(p AS DECIMAL(9, 2)) / q",
        "pmod(p, q)",
    ] {
        division(&["count", "t", "--where", &format!("{divided} IS NULL")]);
        division(&["delete", "t", "--where", &format!("{divided} > 0")]);
        division(&["update", "t", "--set", &format!("p = {divided}")]);
        division(&["sql", &format!("UPDATE delta.`t` SET p = {divided}")]);
        division(&["sql", &format!("SELECT {divided} AS x FROM delta.`t`")]);
        division(&["sql", &format!("SELECT id FROM delta.`t` WHERE {divided} > 0")]);
    }
    division(&["merge", "t", "--using", "source.csv", "--on", "t.id = s.id", "--when", "MATCHED THEN UPDATE SET p = t.p / t.q"]);
    assert_eq!(shell.json(&["info", "t"])["version"], 0);
    // A condition beside it guards it.
    assert_eq!(shell.json(&["count", "t", "--where", "q <> 0 AND p / q > 1"])["count"], 1);
    assert_eq!(shell.json(&["sql", "SELECT count(*) AS n FROM delta.`t` WHERE q <> 0 AND p / q > 1"])[0]["n"], 1);
    shell.ok(&["update", "t", "--set", "p = p / q", "--where", "q <> 0"]);
    shell.ok(&["update", "t", "--set", "p = try_divide(p, q)"]);
    assert_eq!(
        shell.json(&["sql", "SELECT id, p, try_divide(1, q) AS r FROM delta.`t` ORDER BY id"]).to_string(),
        r#"[{"id":1,"p":2,"r":0.5},{"id":2,"p":null,"r":null}]"#
    );
}

#[test]
fn a_name_may_stand_for_one_version_which_is_only_read() {
    let shell = Shell::with_table();
    let count = |table: &str| shell.json(&["sql", "SELECT count(*) AS n FROM e", "--table", table])[0]["n"].clone();
    assert_eq!((count("e=t"), count("e=t@v0")), (2.into(), 0.into()));
    let both = ["sql", "SELECT count(*) AS n FROM new WHERE id NOT IN (SELECT id FROM old)", "--table", "new=t", "--table", "old=t@v0"];
    assert_eq!(shell.json(&both)[0]["n"], 2);
    let refused = shell.run(&["sql", "DELETE FROM e WHERE id = 1", "--table", "e=t@v0", "--format", "json"]);
    assert_eq!((refused.code, refused.error()["code"].as_str()), (Some(1), Some("LB-SQL")), "{}", refused.err);
    assert_eq!(shell.json(&["info", "t"])["version"], 1);
}

#[test]
fn help_of_a_statement_names_what_a_statement_has() {
    let shell = Shell::with_table();
    let short = shell.run(&["sql", "VACUUM delta.`t` RETAIN 0 HOURS", "--format", "json"]);
    assert_eq!(short.error()["code"], "LB-RETENTION", "{}", short.err);
    assert!(!short.error()["help"].as_str().unwrap().contains("--allow"), "{}", short.err);
    let unknown = shell.run(&["sql", "SELECT x.nope FROM delta.`t` AS x", "--format", "json"]);
    assert!(!unknown.error()["message"].as_str().unwrap().contains('\n') && !unknown.err.contains("\\n"), "{}", unknown.err);
}

// spec: COM-18
#[test]
fn no_command_commits_to_a_table_that_has_moved_on() {
    let shell = Shell::with_table();
    shell.ok(&["clone", "t", "copy", "--deep"]);
    shell.write("more.csv", "id,s,day\n3,c,2026-01-03\n");
    shell.ok(&["append", "t", "more.csv"]);
    std::fs::create_dir(shell.path("folder")).unwrap();
    let file = shell.files("t").into_iter().find(|f| f.starts_with("day=2026-01-03/") && f.ends_with(".parquet")).unwrap();
    std::fs::copy(shell.path(&format!("t/{file}")), shell.path("folder/rows.parquet")).unwrap();
    let before = shell.files(".");
    let old = ["--if-version", "1", "--format", "json"];
    for words in [
        &["sql", "DELETE FROM delta.`t` WHERE id = 1"][..],
        &["sql", "INSERT INTO e VALUES (4, 'd', DATE '2026-01-04')", "--table", "e=t"],
        &["clone", "t", "copy", "--deep"],
        &["create", "made", "--schema", "id INT"],
        &["convert", "folder"],
        &["doctor", "t", "--repair"],
    ] {
        let ran = shell.run(&[words, &old].concat());
        assert_eq!((ran.code, ran.error()["code"].as_str()), (Some(3), Some("LB-CONFLICT")), "{words:?}: {}", ran.err);
    }
    let data = |files: Vec<String>| files.into_iter().filter(|f| !f.starts_with("copy/")).collect::<Vec<_>>();
    assert_eq!(data(shell.files(".")), data(before));
    shell.ok(&["sql", "DELETE FROM delta.`t` WHERE id = 1", "--if-version", "2"]);
    shell.ok(&["clone", "t", "copy", "--deep", "--if-version", "0"]);
    assert_eq!((shell.json(&["info", "t"])["version"].clone(), shell.json(&["count", "copy"])["count"].clone()), (3.into(), 2.into()));
    // What makes several commits is not left half done.
    shell.ok(&["sql", "ALTER TABLE delta.`t` SET TBLPROPERTIES ('delta.enableRowTracking' = 'true')", "--if-version", "3"]);
    let info = shell.json(&["info", "t"]);
    assert!(info["version"].as_u64() > Some(4) && info["properties"]["delta.enableRowTracking"] == "true", "{info}");
}
