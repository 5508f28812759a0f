use super::*;

fn sides() -> Sides {
    let schema = |text: &str| Struct::from_sql(text).expect("a schema");
    Sides::new(
        Side { alias: "t".into(), schema: schema("id INT, x STRING, c STRUCT<a: INT, b: INT>, only_t INT, s STRUCT<z: INT>") },
        Side { alias: "s".into(), schema: schema("ID BIGINT, x STRING, only_s INT") },
    )
    .expect("sides")
}

fn resolved(text: &str, sight: Sight) -> Result<String> {
    sides().resolve(&Expr::sql(text)?, sight).map(|e| e.text())
}

// spec: MRG-2
#[test]
fn names_mean_one_column_in_any_case() {
    let both = |text: &str| resolved(text, Sight::Both).expect(text);
    assert_eq!(both("t.id = s.id"), "(id = `s.ID`)");
    assert_eq!(both("T.ID = S.Id"), "(ID = `s.ID`)");
    assert_eq!(both("only_t = ONLY_S"), "(only_t = `s.only_s`)");
    assert_eq!(both("t.c.a"), "c.a");
    assert_eq!(both("c.b"), "c.b");
    // The column `s` of the target has a field `z`; the source has no column of that name.
    assert_eq!(both("s.z"), "s.z");
}

// spec: MRG-2
#[test]
fn names_that_mean_none_or_several_columns_are_refused() {
    let message = |text: &str, sight: Sight| {
        let e = resolved(text, sight).expect_err(text);
        assert_eq!(e.code(), Code::EXPR);
        e.to_string()
    };
    assert!(message("x = 'a'", Sight::Both).contains("could be a column of `t` or of `s`"));
    assert!(message("t.nope = 1", Sight::Both).contains("no column `t.nope`"));
    assert!(message("s.only_s = 1 OR only_s = 1", Sight::Target).contains("the source, which has no row here"));
    assert!(message("t.x = 'a'", Sight::Source).contains("the target, which has no row here"));
    assert_eq!(resolved("x = 'a'", Sight::Target).expect("the target's"), "(x = 'a')");
    assert_eq!(resolved("x = 'a'", Sight::Source).expect("the source's"), "(`s.x` = 'a')");
    let same = Sides::new(sides().target, Side { alias: "T".into(), schema: Struct::default() });
    assert_eq!(same.expect_err("one name").code(), Code::EXPR);
}

#[test]
fn no_column_of_the_target_can_be_taken_for_one_of_the_source() {
    let target = Side { alias: "t".into(), schema: Struct::from_sql("`s.id` INT, id INT").expect("a schema") };
    let source = Side { alias: "s".into(), schema: Struct::from_sql("id INT").expect("a schema") };
    let sides = Sides::new(target, source).expect("sides");
    assert_eq!(sides.joint_name("id"), "_s.id");
    assert_eq!(sides.source_column("s.id"), None);
    let joint = sides.resolve(&Expr::sql("t.`s.id` = s.id").expect("an expression"), Sight::Both).expect("resolved");
    assert_eq!(joint.text(), "(`s.id` = `_s.id`)");
}

// spec: MRG-3
#[test]
fn conditions_come_apart_into_what_concerns_the_target_and_equalities() {
    let sides = sides();
    let on = Expr::sql(
        "s.id = t.id AND t.x LIKE 'a%' AND t.only_t + 1 <=> s.only_s AND t.id < s.only_s AND (t.id = s.id OR t.x = s.x) AND t.id = 1",
    );
    let on = sides.resolve(&on.expect("an expression"), Sight::Both).expect("resolved");
    let (target_only, others) = sides.conjuncts(&on);
    let texts: Vec<_> = target_only.iter().map(Expr::text).collect();
    assert_eq!(texts, vec!["(x LIKE 'a%')", "(id = 1)"]);
    let joint = sides.joint();
    let found: Vec<_> = others.iter().filter_map(|c| sides.equality(c, &joint).expect("bound")).collect();
    let found: Vec<_> =
        found.iter().map(|e| (e.target_value.text(), e.source.to_sql(), e.null_safe, e.target.data_type().clone())).collect();
    assert_eq!(
        found,
        vec![
            ("id".to_owned(), "`s.ID`".to_owned(), false, DataType::Long),
            ("(only_t + 1)".to_owned(), "`s.only_s`".to_owned(), true, DataType::Integer),
        ]
    );
}

#[test]
fn a_false_term_leaves_the_other_terms_of_a_disjunction() {
    let schema = Struct::from_sql("a INT").expect("a schema");
    let bound = |text: &str| Expr::sql(text).and_then(|e| e.bind(&schema)).expect(text).to_sql();
    assert_eq!(bound("false OR a > 1"), "(a > 1)");
    assert_eq!(bound("false OR false"), "false");
    assert_eq!(bound("false OR a = 1 OR a = 2"), "(a IN (1, 2))");
}
