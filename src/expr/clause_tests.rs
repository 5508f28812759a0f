use super::*;
use crate::expr::{col, lit};

fn parsed(text: &str) -> MergeClause {
    MergeClause::sql(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn refused(text: &str) -> String {
    let e = MergeClause::sql(text).expect_err(text);
    assert_eq!(e.code(), Code::EXPR, "{text}");
    e.to_string()
}

// spec: MRG-1
#[test]
fn every_clause_of_sparks_merge_parses() {
    use MergeRows::*;
    let clause = |rows, condition, action| MergeClause { rows, condition, action };
    let path = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<FieldPath>();
    assert_eq!(parsed("MATCHED THEN DELETE"), clause(Matched, None, MergeAction::Delete));
    assert_eq!(parsed("when matched then update set *"), clause(Matched, None, MergeAction::Update(Assignments::All)));
    assert_eq!(
        parsed("MATCHED AND t.a < 5 OR s.b THEN UPDATE SET t.a = s.a + 1, `odd name` = CASE WHEN s.x THEN 1 ELSE 2 END, c.d = NULL"),
        clause(
            Matched,
            Some(Expr::sql("t.a < 5 OR s.b").expect("a condition")),
            MergeAction::Update(Assignments::List(vec![
                (path(&["t", "a"]), Expr::sql("s.a + 1").expect("a value")),
                (path(&["odd name"]), Expr::sql("CASE WHEN s.x THEN 1 ELSE 2 END").expect("a value")),
                (path(&["c", "d"]), Expr::sql("NULL").expect("a value")),
            ]))
        )
    );
    for by in ["", " BY TARGET"] {
        assert_eq!(parsed(&format!("NOT MATCHED{by} THEN INSERT *")), clause(NotMatched, None, MergeAction::Insert(Assignments::All)));
    }
    assert_eq!(
        parsed("NOT MATCHED AND s.a = 1 THEN INSERT (a, t.b) VALUES (s.a, 'x')"),
        clause(
            NotMatched,
            Some(col("s.a").eq(lit(1))),
            MergeAction::Insert(Assignments::List(vec![(path(&["a"]), col("s.a")), (path(&["t", "b"]), lit("x"))]))
        )
    );
    assert_eq!(parsed("NOT MATCHED BY SOURCE THEN DELETE"), clause(NotMatchedBySource, None, MergeAction::Delete));
    assert_eq!(
        parsed("NOT MATCHED BY SOURCE AND a THEN UPDATE SET a = false"),
        clause(NotMatchedBySource, Some(col("a")), MergeAction::Update(Assignments::List(vec![(path(&["a"]), lit(false))])))
    );
}

// spec: MRG-1
#[test]
fn what_is_no_clause_is_refused_where_it_goes_wrong() {
    for (text, wanted) in [
        ("MATCHED THEN INSERT *", "UPDATE or DELETE"),
        ("NOT MATCHED THEN DELETE", "INSERT"),
        ("NOT MATCHED THEN UPDATE SET *", "INSERT"),
        ("NOT MATCHED BY SOURCE THEN UPDATE SET *", "a name"),
        ("NOT MATCHED BY NOBODY THEN DELETE", "TARGET"),
        ("MATCHED UPDATE SET *", "THEN"),
        ("MATCHED THEN UPDATE SET a 1", "`=`"),
        ("MATCHED THEN DELETE now", "the end of the clause"),
        ("NOT MATCHED THEN INSERT (a, b) VALUES (1)", "2 columns and gives 1"),
        ("NOT MATCHED THEN INSERT (a)", "VALUES"),
    ] {
        let message = refused(text);
        assert!(message.contains(wanted), "{text}: {message}");
    }
}

#[test]
fn a_statement_gives_its_clauses_in_order() {
    let text =
        "WHEN MATCHED AND CASE WHEN s.a THEN true END THEN DELETE WHEN MATCHED THEN UPDATE SET a = 1 WHEN NOT MATCHED THEN INSERT *;";
    let clauses = MergeClause::sql_all(text).expect("clauses");
    let rows: Vec<_> = clauses.iter().map(|c| c.rows).collect();
    assert_eq!(rows, vec![MergeRows::Matched, MergeRows::Matched, MergeRows::NotMatched]);
    assert_eq!(clauses[0].action, MergeAction::Delete);
    assert!(MergeClause::sql_all("WHEN MATCHED THEN DELETE ELSE").is_err());
}
