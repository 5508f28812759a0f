//! Replacing all rows.

use super::*;
use lakebed::{Code, SaveMode, Version};
use serde_json::json;

#[tokio::test]
async fn overwrite_removes_every_file_with_its_facts() {
    // spec: OPS-13
    let place = place();
    append_ids(&place.table, &[1, 2]).await.unwrap();
    append_ids(&place.table, &[3]).await.unwrap();
    let report = append(&place.table, vec![ids_and_texts(&[(9, None)])]).mode(SaveMode::Overwrite).run().await.unwrap();
    assert_eq!((report.version, &report.metrics["numRemovedFiles"]), (Some(Version(2)), &json!(2)));
    let info = &place.actions(2, "commitInfo")[0];
    assert_eq!((&info["operationParameters"]["mode"], &info["isBlindAppend"]), (&json!("Overwrite"), &json!(false)));
    let mut removes = place.actions(2, "remove");
    removes.sort_by_key(|r| r["stats"].to_string());
    let (old, removed) = (&place.actions(1, "add")[0], &removes[0]);
    assert_eq!((&removed["path"], &removed["size"], &removed["partitionValues"]), (&old["path"], &old["size"], &old["partitionValues"]));
    assert_eq!(
        (&removed["extendedFileMetadata"], &removed["dataChange"], &removed["stats"]),
        (&json!(true), &json!(true), &json!("{\"numRecords\":1}"))
    );
    assert!(removed["deletionTimestamp"].is_i64());
    assert_eq!(place.longs("id"), [9]);
    assert_eq!(
        info["operationMetrics"]["numRemovedBytes"],
        json!((place.actions(0, "add")[0]["size"].as_i64().unwrap() + old["size"].as_i64().unwrap()).to_string())
    );
}

#[tokio::test]
async fn overwrite_keeps_the_schema_unless_it_is_told_to_replace_it() {
    // spec: OPS-14
    let place = place();
    append_ids(&place.table, &[1]).await.unwrap();
    let other = || {
        vec![
            RecordBatch::try_from_iter([
                ("n", Arc::new(Int64Array::from(vec![7])) as ArrayRef),
                ("p", Arc::new(Int64Array::from(vec![1])) as ArrayRef),
            ])
            .unwrap(),
        ]
    };
    assert_eq!(append(&place.table, other()).mode(SaveMode::Overwrite).run().await.unwrap_err().code(), Code::SCHEMA);
    assert_eq!(append(&place.table, other()).overwrite_schema().run().await.unwrap_err().code(), Code::INPUT);
    append(&place.table, other()).mode(SaveMode::Overwrite).overwrite_schema().partition_by(["p"]).run().await.unwrap();
    let metadata = &place.actions(1, "metaData")[0];
    assert_eq!((&metadata["partitionColumns"], &metadata["id"]), (&json!(["p"]), &place.actions(0, "metaData")[0]["id"]));
    assert_eq!(place.actions(1, "add")[0]["partitionValues"], json!({"p": "1"}));
    assert_eq!(place.longs("n"), [7]);
}

#[tokio::test]
async fn an_append_only_table_is_not_overwritten() {
    // spec: OPS-15
    let place = place();
    let batch = || vec![ids_and_texts(&[(1, None)])];
    append(&place.table, batch()).property("delta.appendOnly", "true").run().await.unwrap();
    let e = append(&place.table, batch()).mode(SaveMode::Overwrite).run().await.unwrap_err();
    assert_eq!(e.code(), Code::CONSTRAINT, "{e}");
    assert_eq!((place.versions(), place.files()), (1, 1));
}

#[tokio::test]
async fn an_overwrite_loses_to_rows_that_it_has_not_seen() {
    // spec: OPS-13
    let place = place();
    append_ids(&place.table, &[1]).await.unwrap();
    let old = place.table.snapshot().await.unwrap();
    append_ids(&place.table, &[2]).await.unwrap();
    let batch = ids_and_texts(&[(3, None)]);
    let e = old.append(batch.schema(), futures::stream::iter([Ok(batch)]).boxed()).mode(SaveMode::Overwrite).run().await.unwrap_err();
    assert_eq!(e.code(), Code::CONFLICT);
    assert!(e.context().iter().any(|(k, v)| *k == "version" && v == "1"), "{e}");
    assert_eq!((place.longs("id"), place.files()), (vec![1, 2], 2));
}

fn partitioned(rows: &[(i64, Option<&str>)]) -> Vec<RecordBatch> {
    vec![ids_and_texts(rows)]
}

// spec: OPS-16
#[tokio::test]
async fn dynamic_partitions_replaces_the_partitions_of_the_rows_and_no_other() {
    let place = place();
    append(&place.table, partitioned(&[(1, Some("a")), (2, Some("b")), (3, None)])).partition_by(["s"]).run().await.unwrap();
    append(&place.table, partitioned(&[(4, Some("a")), (5, Some("c"))])).run().await.unwrap();
    let report =
        append(&place.table, partitioned(&[(6, None), (7, Some("a")), (8, Some("new"))])).dynamic_partitions().run().await.unwrap();
    assert_eq!(place.longs("id"), [2, 5, 6, 7, 8]);
    assert_eq!((&report.metrics["numRemovedFiles"], &report.metrics["numFiles"]), (&json!(3), &json!(3)));
    let info = &place.actions(2, "commitInfo")[0];
    assert_eq!(info["operationParameters"], json!({"mode": "Overwrite", "partitionBy": "[]", "isDynamicPartitionOverwrite": true}));
    assert_eq!(info["isBlindAppend"], false);
    let plain = self::place();
    append_ids(&plain.table, &[1]).await.unwrap();
    let e = append(&plain.table, partitioned(&[(2, None)])).dynamic_partitions().run().await.unwrap_err();
    assert_eq!((e.code(), plain.longs("id")), (Code::INPUT, vec![1]), "nobody has said that all rows may go");
    append(&plain.table, partitioned(&[(2, None)])).mode(SaveMode::Overwrite).dynamic_partitions().run().await.unwrap();
    assert_eq!(plain.longs("id"), [2], "without partition columns all rows are replaced");
}

// spec: OPS-16
#[tokio::test]
async fn partitions_are_equal_when_their_values_are_however_they_are_spelled() {
    let place = place();
    let batch = |day: i32| {
        let days = arrow::array::Date32Array::from(vec![day]);
        RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from(vec![i64::from(day)])) as ArrayRef), ("day", Arc::new(days))]).unwrap()
    };
    append(&place.table, vec![batch(0)]).partition_by(["day"]).run().await.unwrap();
    append(&place.table, vec![batch(1)]).run().await.unwrap();
    let log = place.folder.path().join("_delta_log/00000000000000000000.json");
    let text = std::fs::read_to_string(&log).unwrap().replace(r#""day":"1970-01-01""#, r#""day":"1970-1-1""#);
    std::fs::write(&log, text).unwrap();
    append(&place.table, vec![batch(0)]).dynamic_partitions().run().await.unwrap();
    assert_eq!(place.longs("id"), [0, 1]);
    assert_eq!(place.actions(2, "remove").len(), 1);
}

// spec: OPS-16
#[tokio::test]
async fn replaced_partitions_lose_to_rows_that_were_added_to_them_and_to_no_others() {
    let place = place();
    append(&place.table, partitioned(&[(1, Some("a")), (2, Some("b"))])).partition_by(["s"]).run().await.unwrap();
    let old = place.table.snapshot().await.unwrap();
    append(&place.table, partitioned(&[(3, Some("b"))])).run().await.unwrap();
    let write = |rows: &[(i64, Option<&str>)]| {
        let batch = ids_and_texts(rows);
        old.append(batch.schema(), futures::stream::iter([Ok(batch)]).boxed()).dynamic_partitions().run()
    };
    write(&[(4, Some("a"))]).await.unwrap();
    assert_eq!(write(&[(5, Some("b"))]).await.unwrap_err().code(), Code::CONFLICT);
    assert_eq!((place.longs("id"), place.files()), (vec![2, 3, 4], 4));
}

// spec: OPS-16
#[tokio::test]
async fn what_cannot_be_combined_with_partitions_is_refused() {
    let place = place();
    append(&place.table, partitioned(&[(1, Some("a"))])).partition_by(["s"]).run().await.unwrap();
    let write = || append(&place.table, partitioned(&[(2, Some("a"))])).dynamic_partitions();
    for refused in [write().overwrite_schema(), write().mode(SaveMode::Append), write().mode(SaveMode::Overwrite).mode(SaveMode::Append)] {
        assert_eq!(refused.run().await.unwrap_err().code(), Code::INPUT);
    }
    let only = self::place();
    append(&only.table, partitioned(&[(1, Some("a"))])).partition_by(["s"]).property("delta.appendOnly", "true").run().await.unwrap();
    let write = |s: &'static str| append(&only.table, partitioned(&[(2, Some(s))])).dynamic_partitions().run();
    assert_eq!(write("a").await.unwrap_err().code(), Code::CONSTRAINT);
    assert_eq!((only.versions(), only.files()), (1, 1));
    write("b").await.unwrap();
}
