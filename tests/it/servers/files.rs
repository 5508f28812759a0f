//! Writer features that concern files, by turns with Spark: rows, row ids, domains and features must be the same for both.

use crate::support::digest::digest_of_table;
use crate::support::peers::{spark, spark_digest};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use futures::{StreamExt, TryStreamExt};
use lakebed::{At, HiddenColumn, SaveMode, Struct, Table, Version};
use std::collections::BTreeSet;
use std::sync::Arc;

fn ndjson(columns: &Struct, text: &str) -> RecordBatch {
    let schema = Arc::new(columns.to_arrow().unwrap());
    let mut decoder = arrow::json::ReaderBuilder::new(schema).build_decoder().unwrap();
    decoder.decode(text.as_bytes()).unwrap();
    decoder.flush().unwrap().unwrap()
}

async fn append(table: &Table, batch: RecordBatch, mode: SaveMode) {
    table.append(batch.schema(), futures::stream::iter([Ok(batch)]).boxed()).mode(mode).run().await.unwrap();
}

/// Column `id`, row id and commit version of every row of a version, by lakebed.
async fn our_ids(table: &Table, version: u64) -> BTreeSet<(i64, i64, i64)> {
    let snapshot = table.snapshot_at(At::Version(Version(version))).await.unwrap();
    let scan = snapshot.scan().columns(["id"]).hidden([HiddenColumn::RowId, HiddenColumn::RowCommitVersion]).build().unwrap();
    let batches: Vec<RecordBatch> = scan.stream().try_collect().await.unwrap();
    let row = |batch: &RecordBatch, row: usize| {
        let long = |column: usize| {
            let column = batch.column(column).as_primitive::<Int64Type>();
            if column.is_valid(row) { column.value(row) } else { -1 }
        };
        (long(0), long(1), long(2))
    };
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(|i| row(batch, i))).collect()
}

fn their_ids(location: &str, version: u64) -> BTreeSet<(i64, i64, i64)> {
    let query = format!("SELECT id, _metadata.row_id AS r, _metadata.row_commit_version AS v FROM {{t}} VERSION AS OF {version}");
    spark(location, &[&query])
        .iter()
        .map(|row| (row["id"].as_i64().unwrap(), row["r"].as_i64().unwrap(), row["v"].as_i64().unwrap()))
        .collect()
}

async fn same_ids_at_every_version(table: &Table, location: &str, since: u64) {
    let newest = table.snapshot().await.unwrap().version().0;
    for version in since..=newest {
        let ours = our_ids(table, version).await;
        assert_eq!(ours, their_ids(location, version), "{location} at version {version}");
        let distinct: BTreeSet<i64> = ours.iter().map(|row| row.1).collect();
        assert_eq!(distinct.len(), ours.len(), "ids are unique");
    }
}

/// DESCRIBE DETAIL's features, and ours.
async fn same_features(table: &Table, location: &str) {
    let theirs = spark(location, &["DESCRIBE DETAIL {t}"]);
    let theirs: BTreeSet<String> = theirs[0]["tableFeatures"].as_array().unwrap().iter().map(|f| f.as_str().unwrap().to_owned()).collect();
    let snapshot = table.snapshot().await.unwrap();
    let protocol = snapshot.state().protocol();
    let ours: BTreeSet<String> = protocol.writer_features.iter().chain(&protocol.reader_features).flatten().cloned().collect();
    // Versions without a list imply features, which Spark names and the protocol does not.
    assert!(ours == theirs || protocol.writer_features.is_none(), "{location}: {ours:?} and {theirs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_ids_are_the_same_for_both_through_appends_updates_and_overwrites() {
    // spec: RID-2, RID-3, RID-5, RID-7
    let folder = tempfile::tempdir().unwrap();
    let columns = Struct::from_sql("id BIGINT, s STRING").unwrap();
    for (name, made_by_spark, vectors) in [("spark", true, "false"), ("ours", false, "false"), ("vectors", false, "true")] {
        let location = folder.path().join(name).to_str().unwrap().to_owned();
        let table = Table::at(&location).open().unwrap();
        if made_by_spark {
            spark(&location, &["CREATE TABLE {t} (id BIGINT, s STRING) USING DELTA TBLPROPERTIES ('delta.enableRowTracking' = 'true')"]);
        } else {
            let create = table.create(columns.clone()).property("delta.enableRowTracking", "true");
            create.property("delta.enableDeletionVectors", vectors).run().await.unwrap();
        }
        append(&table, ndjson(&columns, "{\"id\":1,\"s\":\"a\"}\n{\"id\":2,\"s\":\"b\"}"), SaveMode::Append).await;
        spark(&location, &["INSERT INTO {t} VALUES (3, 'c'), (4, 'd')"]);
        append(&table, ndjson(&columns, "{\"id\":5,\"s\":\"e\"}\n{\"id\":6,\"s\":\"f\"}"), SaveMode::Append).await;
        spark(&location, &["UPDATE {t} SET s = 'z' WHERE id = 2"]);
        spark(&location, &["DELETE FROM {t} WHERE id = 5"]);
        spark(&location, &["OPTIMIZE {t}"]);
        append(&table, ndjson(&columns, "{\"id\":7}"), SaveMode::Append).await;
        table.checkpoint().run().await.unwrap();
        same_ids_at_every_version(&table, &location, 1).await;
        append(&table, ndjson(&columns, "{\"id\":8}\n{\"id\":9}"), SaveMode::Overwrite).await;
        spark(&location, &["INSERT INTO {t} VALUES (10, 'x')"]);
        same_ids_at_every_version(&table, &location, 1).await;
        same_features(&table, &location).await;
        assert_eq!(digest_of_table(&table).await, spark_digest(&location, "SELECT * FROM {t}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spark_goes_on_with_tables_of_every_feature_that_concerns_files() {
    // spec: ICE-1, ICE-2, ICE-5, ICE-6, DAT-W10
    let folder = tempfile::tempdir().unwrap();
    let columns = Struct::from_sql("id BIGINT, l ARRAY<BIGINT>, m MAP<STRING, ARRAY<STRUCT<x: BIGINT>>>, p STRING").unwrap();
    let flat = Struct::from_sql("id BIGINT, p STRING").unwrap();
    for (name, columns, properties) in [
        ("iceberg1", &flat, &[("delta.enableIcebergCompatV1", "true")][..]),
        ("iceberg2", &columns, &[("delta.enableIcebergCompatV2", "true")]),
        ("iceberg3", &columns, &[("delta.enableIcebergCompatV3", "true"), ("delta.enableDeletionVectors", "true")]),
        ("partitions", &columns, &[("delta.enableMaterializePartitionColumnsFeature", "true")]),
        ("no partitions", &columns, &[("delta.writePartitionColumnsToParquet", "false")]),
        ("v2", &columns, &[("delta.checkpointPolicy", "v2"), ("delta.checkpointInterval", "2")]),
        ("vacuum", &columns, &[("delta.feature.vacuumProtocolCheck", "supported")]),
    ] {
        let location = folder.path().join(name).to_str().unwrap().to_owned();
        let table = Table::at(&location).open().unwrap();
        let mut create = table.create(columns.clone()).partition_by(["p"]);
        for (key, value) in properties {
            create = create.property(key, value);
        }
        create.run().await.unwrap_or_else(|e| panic!("{name}: {e}"));
        for rows in [r#"{"id":1,"p":"a"}"#, r#"{"id":2}"#] {
            append(&table, ndjson(columns, rows), SaveMode::Append).await;
        }
        if columns == &flat {
            spark(&location, &["INSERT INTO {t} VALUES (3, 'b')"]);
        } else {
            append(&table, ndjson(columns, r#"{"id":4,"l":[1,null],"m":{"k":[{"x":1}]},"p":"c"}"#), SaveMode::Append).await;
            spark(&location, &["INSERT INTO {t} VALUES (3, array(1), map('k', array(named_struct('x', 2))), 'b')"]);
        }
        spark(&location, &["DELETE FROM {t} WHERE id = 1"]);
        append(&table, ndjson(columns, r#"{"id":5,"p":"b"}"#), SaveMode::Append).await;
        assert_eq!(digest_of_table(&table).await, spark_digest(&location, "SELECT * FROM {t}"), "{name}");
        same_features(&table, &location).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lakebed_goes_on_with_tables_that_spark_made_with_these_features() {
    let folder = tempfile::tempdir().unwrap();
    let columns = Struct::from_sql("id BIGINT, s STRING").unwrap();
    for (name, table_of) in [
        ("clustered", "CREATE TABLE {t} (id BIGINT, s STRING) USING DELTA CLUSTER BY (id, s)"),
        ("iceberg2", "CREATE TABLE {t} (id BIGINT, s STRING) USING DELTA TBLPROPERTIES ('delta.enableIcebergCompatV2' = 'true')"),
        ("iceberg3", "CREATE TABLE {t} (id BIGINT, s STRING) USING DELTA TBLPROPERTIES ('delta.enableIcebergCompatV3' = 'true')"),
        ("protected", "CREATE TABLE {t} (id BIGINT, s STRING) USING DELTA TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')"),
    ] {
        let location = folder.path().join(name).to_str().unwrap().to_owned();
        let table = Table::at(&location).open().unwrap();
        spark(&location, &[table_of, "INSERT INTO {t} VALUES (1, 'a'), (2, 'b')"]);
        if name == "protected" {
            spark(&location, &["ALTER TABLE {t} DROP FEATURE deletionVectors"]);
        }
        append(&table, ndjson(&columns, "{\"id\":3}\n{\"id\":4,\"s\":\"x\"}"), SaveMode::Append).await;
        spark(&location, &["UPDATE {t} SET s = 'y' WHERE id = 3", "INSERT INTO {t} VALUES (5, 'e')"]);
        append(&table, ndjson(&columns, "{\"id\":6}"), SaveMode::Append).await;
        assert_eq!(digest_of_table(&table).await, spark_digest(&location, "SELECT * FROM {t}"), "{name}");
        same_features(&table, &location).await;
        if name == "iceberg3" {
            same_ids_at_every_version(&table, &location, 1).await;
        }
    }
}
