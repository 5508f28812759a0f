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
        ("SELECT * FROM delta.`t` VERSION AS OF 9", "LB-VERSION", 4),
        ("SELECT * FROM delta.`nowhere`", "LB-TABLE", 4),
        ("INSERT INTO delta.`t` (s) VALUES ('x')", "LB-CONSTRAINT", 7),
    ] {
        let ran = shell.run(&["sql", statement]);
        assert_eq!(ran.code, Some(exit), "{statement}: {}", ran.err);
        assert!(ran.err.contains(code), "{statement}: {}", ran.err);
    }
}
