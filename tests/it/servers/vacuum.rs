//! Vacuum by turns with Spark: what each leaves, the other reads.

use crate::support::digest::digest_of_table;
use crate::support::peers::{spark, spark_digest};
use lakebed::{Table, Version};
use serde_json::json;
use std::path::Path;
use std::time::Duration;

fn count(folder: &Path, ending: &str) -> usize {
    let below = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let one = |path: std::path::PathBuf| match path.is_dir() {
        true if path.ends_with("_delta_log") => 0,
        true => count(&path, ending),
        false => usize::from(path.to_str().unwrap().ends_with(ending)),
    };
    below.map(one).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn spark_reads_and_travels_after_our_vacuum_and_we_after_its() {
    // spec: VAC-1, VAC-3, VAC-15, VAC-16
    let folder = tempfile::tempdir().unwrap();
    let location = folder.path().join("t").to_str().unwrap().to_owned();
    spark(
        &location,
        &[
            "CREATE TABLE {t} (id BIGINT, p STRING) USING DELTA PARTITIONED BY (p) TBLPROPERTIES \
             ('delta.enableDeletionVectors' = 'true', 'delta.enableChangeDataFeed' = 'true')",
            "INSERT INTO {t} SELECT id, concat('a b:', id % 2, '%/é') FROM range(0, 40)",
            "DELETE FROM {t} WHERE id % 7 = 0",
            "UPDATE {t} SET id = id + 100 WHERE id = 5",
        ],
    );
    let table = Table::at(&location).open().unwrap();
    // Everything that is needed is old: vectors, change data and rows alike.
    let aged = std::time::SystemTime::now() - Duration::from_secs(30 * 86_400);
    fn age(folder: &Path, to: std::time::SystemTime) {
        for path in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
            match path.is_dir() {
                true if path.ends_with("_delta_log") => {}
                true => age(&path, to),
                false => std::fs::File::options().write(true).open(path).unwrap().set_modified(to).unwrap(),
            }
        }
    }
    age(Path::new(&location), aged);
    let orphan = Path::new(&location).join("orphan.parquet");
    std::fs::write(&orphan, "x").unwrap();
    std::fs::File::options().write(true).open(&orphan).unwrap().set_modified(aged).unwrap();
    let before = digest_of_table(&table).await;
    let report = table.vacuum().run().await.unwrap();
    assert_eq!((&report.metrics["numDeletedFiles"], orphan.exists()), (&json!(1), false), "at the table's retention only the orphan goes");
    let travel = "SELECT * FROM {t} VERSION AS OF 1";
    assert_eq!(spark(&location, &[&format!("SELECT count(*) AS n, sum(id) AS s FROM ({travel})")])[0]["n"], 40);
    assert_eq!(spark_digest(&location, "SELECT * FROM {t}").1, before.1);
    let history = spark(&location, &["DESCRIBE HISTORY {t} LIMIT 2"]);
    assert_eq!((&history[0]["operation"], &history[1]["operation"]), (&json!("VACUUM END"), &json!("VACUUM START")));
    assert_eq!(history[1]["operationParameters"]["defaultRetentionMillis"], "604800000");
    assert_eq!(history[0]["operationMetrics"]["numDeletedFiles"], "1");

    // Without any retention only the newest version is left, for both.
    let report = table.vacuum().retain(Duration::ZERO).no_other_writers().run().await.unwrap();
    assert!(report.metrics["numDeletedFiles"].as_u64() > Some(0));
    let (files, vectors) = (count(Path::new(&location), ".parquet"), count(Path::new(&location), ".bin"));
    assert_eq!(spark_digest(&location, "SELECT * FROM {t}").1, before.1);
    spark(&location, &["DELETE FROM {t} WHERE id = 9", "VACUUM {t}"]);
    assert!(count(Path::new(&location), ".parquet") >= files && count(Path::new(&location), ".bin") > vectors);
    let after = spark_digest(&location, "SELECT * FROM {t}");
    let lite = table.vacuum().lite().retain(Duration::ZERO).no_other_writers().run().await.unwrap();
    assert!(lite.version > Some(Version(0)) && Path::new(&location).join("_delta_log/_last_vacuum_info").exists());
    assert_eq!(digest_of_table(&table).await.1, after.1);
    spark(&location, &["VACUUM {t} LITE"]);
    assert_eq!(spark_digest(&location, "SELECT * FROM {t}").1, after.1);
    assert_eq!(digest_of_table(&table).await.1, after.1);
}
