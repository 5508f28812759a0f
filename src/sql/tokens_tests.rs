use super::*;

fn text(sql: &str) -> String {
    let tokens = rewritten(super::super::text::tokens(sql).unwrap()).unwrap().tokens;
    tokens.iter().map(|t| t.token.to_string()).collect::<Vec<_>>().join(" ")
}

#[test]
fn spark_spellings_become_those_of_the_parser() {
    // spec: SQL-8
    assert_eq!(text("SELECT `Ab`.c FROM delta.`/Ab`@V3"), "SELECT `ab` . c FROM delta . `/Ab` VERSION AS OF 3");
    assert_eq!(text("t FOR TIMESTAMP AS OF 'x'"), "t TIMESTAMP AS OF 'x'");
    assert_eq!(text("5L + 2BD + 1e3 + 7y"), "CAST ( 5 AS BIGINT ) + 2. + CAST ( 1e3 AS DOUBLE ) + CAST ( 7 AS TINYINT )");
    assert_eq!(text("t._METADATA.Row_Id"), "t . `_metadata.row_id`");
}
