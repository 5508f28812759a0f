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
