use super::*;

fn refusal(text: &str) -> String {
    parse(text).expect_err(text).to_string()
}

#[test]
fn statements_that_do_not_parse_say_where() {
    // spec: SQL-9
    let cases = [
        ("VACUUM t RETAIN 5 DAYS", "expected hours"),
        ("VACUUM t SOON", "expected FULL, LITE, USING INVENTORY, RETAIN or DRY RUN"),
        ("VACUUM t LITE USING INVENTORY i", "takes no inventory"),
        ("GRANT x", "expected a statement, found `GRANT x` (position: 1)"),
        ("DELETE FROM t WHERE", "expected a condition, found its end (position: 20)"),
        ("UPDATE t SET a", "expected `=`"),
        ("MERGE INTO t USING s ON a = b", "expected WHEN"),
        ("INSERT INTO t", "expected VALUES or a query"),
        ("SELECT 1; SELECT 2", "more than one statement"),
        (" ; ", "there is no statement"),
        ("SELECT 'open", "does not parse"),
        ("CREATE TABLE t (a INT) USING csv", "not as csv"),
    ];
    for (text, message) in cases {
        let refused = refusal(text);
        assert!(refused.starts_with("LB-SQL") && refused.contains(message), "{text}: {refused}");
    }
    let deep = format!("SELECT {}1{}", "(".repeat(65), ")".repeat(65));
    assert!(refusal(&deep).starts_with("LB-LIMIT"), "{}", refusal(&deep));
}

#[test]
fn clauses_are_cut_out_as_they_were_written() {
    let Statement::Update { table, alias, set, filter } =
        parse("update delta.`/a b` as T set x.y = f(1, 2), `Q` = CASE WHEN a THEN 1 END where p = ';' -- no\n").unwrap()
    else {
        panic!()
    };
    assert_eq!(table, TableName::Location("/a b".to_owned()));
    assert_eq!(alias.as_deref(), Some("T"));
    let text = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(set, [text("x.y", "f(1, 2)"), text("`Q`", "CASE WHEN a THEN 1 END")]);
    assert_eq!(filter.as_deref(), Some("p = ';'"));
    let Statement::Delete { filter, .. } = parse("DELETE FROM db.T\nWHERE täg = 'ö' ;").unwrap() else { panic!() };
    assert_eq!(filter.as_deref(), Some("täg = 'ö'"));
}

#[test]
fn merges_are_taken_apart_into_their_clauses() {
    let text = "MERGE WITH SCHEMA EVOLUTION INTO t AS x USING (SELECT * FROM s WHERE a) AS y ON x.id = y.id \
                WHEN MATCHED AND CASE WHEN y.d THEN true ELSE false END THEN DELETE WHEN MATCHED THEN UPDATE SET * \
                WHEN NOT MATCHED BY SOURCE THEN DELETE";
    let Statement::Merge(merge) = parse(text).unwrap() else { panic!() };
    assert!(merge.schema_evolution);
    assert_eq!((merge.target_alias.as_deref(), merge.source_alias.as_deref()), (Some("x"), Some("y")));
    assert_eq!((merge.source.as_str(), merge.on.as_str()), ("SELECT * FROM s WHERE a", "x.id = y.id"));
    assert_eq!(
        merge.clauses,
        [
            "MATCHED AND CASE WHEN y.d THEN true ELSE false END THEN DELETE",
            "MATCHED THEN UPDATE SET *",
            "NOT MATCHED BY SOURCE THEN DELETE"
        ]
    );
    let Statement::Merge(merge) = parse("merge into t using delta.`/s` on t.a = s.a when not matched then insert *").unwrap() else {
        panic!()
    };
    assert_eq!((merge.source.as_str(), merge.source_alias), ("SELECT * FROM delta.`/s`", None));
}

#[test]
fn new_tables_are_taken_apart() {
    let text = "CREATE OR REPLACE TABLE T (a INT COMMENT 'x, y', b DECIMAL(3, 1)) USING delta PARTITIONED BY (b, `c d`) COMMENT 'it''s' \
                LOCATION '/x' TBLPROPERTIES ('a.b' = 'c', delta.appendOnly = true)";
    let Statement::Create(create) = parse(text).unwrap() else { panic!() };
    assert_eq!(create.mode, CreateMode::CreateOrReplace);
    assert_eq!(create.columns.as_deref(), Some("a INT COMMENT 'x, y', b DECIMAL(3, 1)"));
    assert_eq!(create.partition_by, ["b", "c d"]);
    assert_eq!(create.location.as_deref(), Some("/x"));
    let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
    assert_eq!(create.properties, [pair("a.b", "c"), pair("delta.appendOnly", "true")]);
    let Statement::Create(create) = parse("CREATE TABLE t USING DELTA AS WITH x AS (SELECT 1) SELECT * FROM x").unwrap() else { panic!() };
    assert_eq!((create.columns, create.query.as_deref()), (None, Some("WITH x AS (SELECT 1) SELECT * FROM x")));
}

#[test]
fn inserts_are_taken_apart() {
    let Statement::Insert(insert) = parse("INSERT INTO t REPLACE WHERE (a = 1 AND b IN (2)) SELECT * FROM s").unwrap() else { panic!() };
    assert_eq!(insert.replace_where.as_deref(), Some("(a = 1 AND b IN (2))"));
    assert_eq!(insert.source, "SELECT * FROM s");
    let Statement::Insert(insert) = parse("insert overwrite table t partition (p = 'a,b', q) (x, y) values (1, 2)").unwrap() else {
        panic!()
    };
    assert!(insert.overwrite);
    assert_eq!(insert.partition, [("p".to_owned(), Some("'a,b'".to_owned())), ("q".to_owned(), None)]);
    assert_eq!(insert.columns, Some(vec!["x".to_owned(), "y".to_owned()]));
    let Statement::Insert(insert) = parse("INSERT INTO t (SELECT 1)").unwrap() else { panic!() };
    assert_eq!((insert.columns, insert.source.as_str()), (None, "(SELECT 1)"));
}

#[test]
fn a_tables_name_before_its_columns_is_cut_and_nothing_else() {
    use super::super::text::without_qualifier;
    let cut = |text: &str| without_qualifier(text, "T").unwrap();
    assert_eq!(cut("t.a = 't.a' AND `t`.b.t.c > x.t.y AND t > 1 /* t.a */"), "a = 't.a' AND b.t.c > x.t.y AND t > 1 /* t.a */");
}
