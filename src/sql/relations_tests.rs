use super::*;

fn keys(text: &str) -> Vec<String> {
    parse_query(text).unwrap().relations.into_keys().collect()
}

#[test]
fn each_table_and_version_is_one_relation() {
    // spec: SQL-2
    assert_eq!(keys("SELECT * FROM t a JOIN T b ON a.x = b.x JOIN t@v3 c ON c.x = a.x"), ["t", "t@v3"]);
    assert_eq!(keys("SELECT * FROM delta.`/A/B` FOR SYSTEM_VERSION AS OF 2 x"), ["delta.`/A/B`@v2"]);
    assert_eq!(keys("SELECT (SELECT max(a) FROM u) FROM t WHERE x IN (SELECT x FROM v)"), ["t", "u", "v"]);
    assert_eq!(keys("SELECT * FROM t@20240102030405678"), ["t@'2024-01-02 03:04:05.678'"]);
}

#[test]
fn common_table_expressions_are_no_tables_where_they_are_seen() {
    assert_eq!(keys("WITH a AS (SELECT * FROM a), B AS (SELECT * FROM a JOIN c) SELECT * FROM b, A"), ["a", "c"]);
    assert_eq!(keys("SELECT * FROM (WITH x AS (SELECT 1) SELECT * FROM x) y, x"), ["x"]);
    assert_eq!(keys("WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r"), Vec::<String>::new());
}

#[test]
fn changes_name_a_table_and_a_range() {
    let parsed = parse_query("SELECT * FROM table_changes('Db.T', 1, '2024-01-01')").unwrap();
    let found: Vec<&Relation> = parsed.relations.values().collect();
    let (from, to) = (When::Version(1), When::Time("'2024-01-01'".to_owned()));
    assert_eq!(found, [&Relation::Changes { table: "Db.T".to_owned(), from, to }]);
}

#[test]
fn columns_are_spelled_as_the_outermost_select_spells_them() {
    // spec: SQL-1
    let spelled = parse_query("SELECT Id, t.`Odd`, a + B, count(*) AS N FROM t").unwrap().spelled;
    let get = |key: &str| spelled.get(key).map(String::as_str);
    assert_eq!((get("id"), get("odd"), get("a + b"), get("n")), (Some("Id"), Some("Odd"), Some("a + B"), Some("N")));
}

#[test]
fn what_would_be_ignored_or_outgrow_the_stack_is_refused() {
    // spec: SQL-10
    assert!(parse_query("SELECT * FROM t TABLESAMPLE (10 ROWS)").is_err());
    let long = format!("SELECT 1 WHERE a = 1{}", " OR a = 2".repeat(600));
    assert_eq!(parse_query(&long).expect_err("long").code(), Code::LIMIT);
    let nested = format!("{}SELECT 1{}", "SELECT * FROM (".repeat(70), ")".repeat(70));
    assert!(parse_query(&nested).is_err());
}

#[test]
fn hidden_columns_are_one_name_and_no_part_of_a_star() {
    let parsed = parse_query("SELECT *, _metadata.File_Path FROM t x JOIN (SELECT 1 AS a) y").unwrap();
    assert_eq!(parsed.hidden, ["_metadata.file_path"]);
    let text = parsed.statement.to_string();
    assert!(text.contains("`x`.* EXCEPT (`_metadata.file_path`)") || text.contains("x.* EXCEPT (`_metadata.file_path`)"), "{text}");
    assert!(text.contains("y.*,"), "{text}");
    assert!(parse_query("SELECT _metadata FROM t").is_err());
}
