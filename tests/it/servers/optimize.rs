//! Spark reads what our compaction leaves, rows under the names that they had, and goes on with it.

use crate::support::peers::{spark, spark_digest};
use crate::support::row_names::named;
use lakebed::{Expr, Table, Version};
use serde_json::json;

fn path() -> String {
    let folder = std::env::temp_dir().join("optimize-servers").join(lakebed::Env::system().new_uuid().to_string());
    std::fs::create_dir_all(folder.parent().unwrap()).unwrap();
    folder.to_str().unwrap().to_owned()
}

const ROWS: &str = "SELECT id, s, p, _metadata.row_id AS r, _metadata.row_commit_version AS v FROM {t}";

// spec: OPT-1, OPT-6, OPT-7, OPT-9
#[tokio::test]
async fn rows_history_and_names_of_rows_are_what_spark_expects() {
    let t = path();
    let create = "CREATE TABLE {t} (id BIGINT, s STRING, p STRING) USING DELTA PARTITIONED BY (p) TBLPROPERTIES (\
                  'delta.enableDeletionVectors' = 'true', 'delta.enableRowTracking' = 'true', 'delta.enableChangeDataFeed' = 'true', 'delta.columnMapping.mode' = 'name')";
    let insert = |from: i64| {
        format!("INSERT INTO {{t}} SELECT id, concat('s', id), CASE id % 2 WHEN 0 THEN 'a b/%' END FROM range({from}, {}, 1, 3)", from + 20)
    };
    let (a, b) = (insert(0), insert(20));
    spark(&t, &[create, &a, &b, "DELETE FROM {t} WHERE id IN (3, 4, 25)"]);
    let table = Table::at(&t).open().unwrap();
    let before = (spark_digest(&t, ROWS), named(&table).await);
    assert_eq!((before.0.0, before.1.len()), (37, 37));
    let report = table.optimize().run().await.unwrap();
    assert_eq!((report.version, &report.metrics["numAddedFiles"]), (Some(Version(4)), &json!(2)));
    assert_eq!((spark_digest(&t, ROWS), named(&table).await), before);

    // Spark deletes while our plan is on its way, and finds its deletion in our file.
    let c = insert(40);
    spark(&t, &[&c]);
    let plan = table.optimize().target_size(64 << 20).plan().await.unwrap();
    spark(&t, &["DELETE FROM {t} WHERE id IN (0, 7, 41)"]);
    let before = (spark_digest(&t, ROWS), named(&table).await);
    let report = table.optimize().execute(plan).await.unwrap();
    assert!(report.warnings.iter().any(|w| w.contains("2 rows were deleted")), "{:?}", report.warnings);
    assert_eq!(named(&table).await, before.1);
    let report = table.optimize().purge().run().await.unwrap();
    assert_eq!(report.metrics["numDeletionVectorsRemoved"], 2);
    assert_eq!((spark_digest(&t, ROWS), named(&table).await), before);

    let mut history = spark(&t, &["DESCRIBE HISTORY {t}"]);
    history.reverse();
    let of = |version: usize, key: &str| history[version][key].clone();
    assert_eq!((of(4, "operation"), of(7, "operation"), of(8, "operation")), (json!("OPTIMIZE"), json!("OPTIMIZE"), json!("REORG")));
    assert_eq!((&of(4, "operationParameters")["auto"], &of(8, "operationParameters")["applyPurge"]), (&json!("false"), &json!("true")));
    assert_eq!((&of(4, "operationMetrics")["numAddedFiles"], of(4, "isolationLevel")), (&json!("2"), json!("SnapshotIsolation")));

    // The feed knows nothing of it, Spark's own compaction and changes go on.
    let feed = format!("SELECT count(*) AS n FROM table_changes_by_path('{t}', 7, 8)");
    assert_eq!(spark(&t, &[&feed])[0]["n"], 0);
    let gone =
        spark(&t, &["UPDATE {t} SET s = 'new' WHERE id = 10", "OPTIMIZE {t}", "SELECT count(*) AS n, count_if(s = 'new') AS m FROM {t}"]);
    assert_eq!((&gone[0]["n"], &gone[0]["m"]), (&json!(54), &json!(1)));
    let after = table.snapshot().await.unwrap().scan().filter(Expr::sql("s = 'new'").unwrap()).build().unwrap().count().await.unwrap();
    assert_eq!(after, 1);
    let _ = std::fs::remove_dir_all(t);
}
