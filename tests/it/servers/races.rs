//! What many processes leave of a file that Spark wrote.

use crate::cli::races::{RACERS, delete_at_once};
use crate::support::peers::spark;
use serde_json::{Value, json};

// spec: CON-6
#[test]
fn spark_reads_what_sixteen_processes_leave_of_its_file_as_the_model_says() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("t");
    let name = table.to_str().unwrap();
    spark(
        name,
        &[
            "CREATE TABLE {t} (id BIGINT, n BIGINT) USING delta TBLPROPERTIES ('delta.enableDeletionVectors'='true')",
            "INSERT INTO {t} SELECT /*+ REPARTITION(1) */ id, id * id FROM range(0, 20)",
            // The file has a vector already.
            "DELETE FROM {t} WHERE id = 17",
        ],
    );
    let tries = delete_at_once(&table);
    assert!(tries[RACERS / 2] <= 3, "{tries:?}");
    let rows = spark(name, &["SELECT id, n FROM {t} ORDER BY id"]);
    assert_eq!(rows, [16, 18, 19].map(|id| json!({"id": id, "n": id * id})));
    let files = spark(name, &["SELECT count(DISTINCT _metadata.file_path) AS files FROM {t}"]);
    assert_eq!(files[0]["files"], 1);
    // Any version between is one row less than the one before.
    let counts = (2..=2 + RACERS).map(|v| format!("SELECT {v} AS v, count(*) AS rows FROM {{t}} VERSION AS OF {v}")).collect::<Vec<_>>();
    let counts = spark(name, &[&format!("SELECT * FROM ({}) ORDER BY v", counts.join(" UNION ALL "))]);
    let counts: Vec<i64> = counts.iter().map(|row| row["rows"].as_i64().unwrap()).collect();
    assert_eq!(counts, (0..=RACERS as i64).map(|gone| 19 - gone).collect::<Vec<_>>());
    let history: Vec<Value> = spark(name, &["DESCRIBE HISTORY {t}"]);
    assert_eq!(history.iter().filter(|h| h["operation"] == json!("DELETE")).count(), RACERS + 1);
}
