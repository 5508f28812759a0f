//! Tables that Spark leaves are healthy, and tables that we repair are read by Spark.

use crate::support::digest::digest_of_table;
use crate::support::peers::{spark, spark_digest};
use lakebed::Table;

// spec: DOC-1, DOC-12
#[tokio::test(flavor = "multi_thread")]
async fn tables_of_spark_are_healthy_and_a_repaired_one_reads_in_spark() {
    let folder = tempfile::tempdir().unwrap();
    let location = folder.path().join("t").to_str().unwrap().to_owned();
    spark(
        &location,
        &[
            "CREATE TABLE {t} (id BIGINT NOT NULL, s STRING, d DECIMAL(10,2), day DATE, t TIMESTAMP) USING DELTA PARTITIONED BY (day) TBLPROPERTIES ('delta.enableDeletionVectors'='true', \
             'delta.enableRowTracking'='true', 'delta.enableInCommitTimestamps'='true', 'delta.enableChangeDataFeed'='true', 'delta.checkpointInterval'='2', 'delta.checkpointPolicy'='v2')",
            "INSERT INTO {t} SELECT id, concat('n ', id), id / 7, date_add(DATE'2026-01-01', int(id % 3)), timestamp_micros(id * 1234567) FROM range(60)",
            "DELETE FROM {t} WHERE id % 5 = 0",
            "UPDATE {t} SET s = NULL WHERE id % 7 = 1",
            "OPTIMIZE {t}",
            "INSERT INTO {t} SELECT id, 'x', 1, DATE'2026-02-02', NULL FROM range(100, 103)",
        ],
    );
    let table = Table::at(&location).open().unwrap();
    let found = table.doctor().deep(true).run().await.unwrap();
    assert!(found.is_empty(), "{found:#?}");

    // A lost file, a wrong checksum, a torn hint.
    let snapshot = table.snapshot().await.unwrap();
    let mut files = snapshot.files(lakebed::FileQuery::default());
    let first = futures::StreamExt::next(&mut files).await.unwrap().unwrap().path(0).to_owned();
    let log = folder.path().join("t/_delta_log");
    std::fs::remove_file(folder.path().join("t").join(&first)).unwrap();
    std::fs::write(log.join(format!("{:020}.crc", snapshot.version().0)), b"{").unwrap();
    std::fs::write(log.join("_last_checkpoint"), b"{\"version\":").unwrap();
    let report = table.doctor().repair().await.unwrap();
    assert!(report.version.is_some(), "{report:?}");
    assert!(table.doctor().deep(true).run().await.unwrap().is_empty());
    let (rows, ours, _) = digest_of_table(&table).await;
    let theirs = spark_digest(&location, "SELECT * FROM {t}");
    assert_eq!((rows, &ours), (theirs.0, &theirs.1), "Spark's rows: {:?}", theirs.2);
    // Spark goes on from there, and its vacuum does not see the quarantine.
    spark(&location, &["DELETE FROM {t} WHERE id = 101", "VACUUM {t}"]);
    assert!(folder.path().join("t/_quarantine").exists());
    let found = table.doctor().deep(true).run().await.unwrap();
    assert!(found.is_empty(), "{found:#?}");
}
