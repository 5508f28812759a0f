//! Expressions have, value by value and with their types, the results that Spark gives for them.

use crate::support::expressions::{COLUMNS, EXPRESSIONS, FAILING, ROWS};
use crate::support::peers::{ask, spark};
use arrow::array::{Array, AsArray, RecordBatch};
use futures::TryStreamExt;
use lakebed::{Expr, Table};
use serde_json::{Value, json};

/// Expressions that Spark has and that are refused: by name or by what they need, never answered otherwise.
const REFUSED: &[&str] = &[
    "rand()",
    "uuid()",
    "current_timestamp()",
    "current_date()",
    "now()",
    "current_user()",
    "monotonically_increasing_id()",
    "sha2(s, 256)",
    "soundex(s)",
    "regexp_replace(s, '(?=o)', 'x')",
    "regexp_extract(s, '(a)\\\\1', 1)",
    "date_format(ts, 'G')",
    "from_json(s, 'a INT')",
    "count(n)",
    "sum(n)",
    "row_number() OVER ()",
    "(SELECT 1)",
];

/// Text of the values of each row by Spark, and the type; `Err` when Spark refuses.
fn by_spark(table: &str, expressions: &[&str]) -> Result<Vec<(Vec<Option<String>>, String)>, String> {
    let fields: Vec<String> =
        expressions.iter().enumerate().map(|(i, e)| format!("CAST({e} AS STRING) AS c{i}, typeof({e}) AS t{i}")).collect();
    let sql = format!("SELECT {} FROM delta.`{table}` ORDER BY id", fields.join(", "));
    let answer = ask(json!({"op": "sql", "sql": [sql]}))?;
    let rows: Vec<Value> = answer["rows"].as_array().unwrap().iter().map(|r| serde_json::from_str(r.as_str().unwrap()).unwrap()).collect();
    Ok((0..expressions.len())
        .map(|i| {
            let texts = rows.iter().map(|r| r[format!("c{i}")].as_str().map(str::to_owned)).collect();
            (texts, rows[0][format!("t{i}")].as_str().unwrap().to_owned())
        })
        .collect())
}

fn by_lakebed(schema: &lakebed::Struct, rows: &RecordBatch, expression: &str) -> lakebed::Result<(Vec<Option<String>>, String)> {
    let data_type = Expr::sql(expression)?.bind(schema)?.data_type().to_string();
    let values = Expr::sql(&format!("CAST({expression} AS STRING)"))?.bind(schema)?.evaluate(rows)?;
    let texts = values.as_string::<i32>();
    Ok(((0..texts.len()).map(|i| texts.is_valid(i).then(|| texts.value(i).to_owned())).collect(), data_type))
}

/// A table of the rows, made by Spark, and its rows in order.
async fn table(folder: &std::path::Path) -> (String, lakebed::Struct, RecordBatch) {
    let location = folder.join("t").to_str().unwrap().to_owned();
    let rows: Vec<String> = ROWS.iter().map(|r| format!("({r})")).collect();
    spark(
        &location,
        &[
            &format!("CREATE TABLE {{t}} ({COLUMNS}) USING DELTA"),
            &format!("INSERT INTO {{t}} SELECT /*+ COALESCE(1) */ * FROM VALUES {}", rows.join(", ")),
        ],
    );
    let snapshot = Table::at(&location).open().unwrap().snapshot().await.unwrap();
    let batches: Vec<RecordBatch> = snapshot.scan().build().unwrap().stream().try_collect().await.unwrap();
    let all = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
    let order = arrow::compute::sort_to_indices(all.column(0), None, None).unwrap();
    (location, snapshot.state().schema().clone(), arrow::compute::take_record_batch(&all, &order).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn expressions_have_the_values_and_types_that_spark_gives() {
    // spec: EXP-19, EXP-20
    let folder = tempfile::tempdir().unwrap();
    let (location, schema, rows) = table(folder.path()).await;
    let mut different = Vec::new();
    for chunk in EXPRESSIONS.chunks(40) {
        let theirs: Vec<_> = match by_spark(&location, chunk) {
            Ok(all) => all.into_iter().map(Ok).collect(),
            Err(_) => chunk.iter().map(|e| by_spark(&location, &[e]).map(|mut one| one.remove(0))).collect(),
        };
        for (expression, theirs) in chunk.iter().zip(theirs) {
            match (by_lakebed(&schema, &rows, expression), theirs) {
                (Ok(ours), Ok(theirs)) if ours == theirs => {}
                (Ok(ours), Ok(theirs)) => different.push(format!("{expression}\n  Spark   {theirs:?}\n  lakebed {ours:?}")),
                (Err(e), Ok(theirs)) => different.push(format!("{expression}\n  Spark   {theirs:?}\n  lakebed {e}")),
                (ours, Err(e)) => different.push(format!("{expression}\n  Spark   {:.200}\n  lakebed {ours:?}", e)),
            }
        }
    }
    assert!(different.is_empty(), "{} of {} differ\n{}", different.len(), EXPRESSIONS.len(), different.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn expressions_that_are_not_spoken_or_fail_in_spark_have_no_value() {
    // spec: EXP-3, EXP-21
    let folder = tempfile::tempdir().unwrap();
    let (location, schema, rows) = table(folder.path()).await;
    for expression in REFUSED {
        let e = by_lakebed(&schema, &rows, expression).expect_err(expression);
        assert_eq!(e.code().as_str(), "LB-EXPR", "{expression}: {e}");
    }
    for expression in FAILING {
        by_spark(&location, &[expression]).expect_err(expression);
        let e = by_lakebed(&schema, &rows, expression).expect_err(expression);
        assert_eq!(e.code().as_str(), "LB-EXPR", "{expression}: {e}");
    }
}
