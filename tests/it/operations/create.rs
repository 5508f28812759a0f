//! Making an empty table.

use super::*;
use lakebed::{Code, Version};
use serde_json::json;

fn schema() -> Struct {
    let mut schema = columns(&[("id", DataType::Long), ("day", DataType::Date)]);
    schema.fields[0].nullable = false;
    schema
}

#[tokio::test]
async fn create_commits_info_metadata_and_the_lowest_protocol() {
    // spec: OPS-1
    let place = place();
    let report = place.table.create(schema()).partition_by(["DAY"]).comment("trips").property("owner", "me").run().await.unwrap();
    assert_eq!((report.version, report.operation.as_str()), (Some(Version(0)), "CREATE TABLE"));
    let kinds: Vec<String> = place.commit(0).into_iter().map(|(k, _)| k).collect();
    assert_eq!(kinds, ["commitInfo", "metaData", "protocol"]);
    assert_eq!(place.actions(0, "protocol"), [json!({"minReaderVersion": 1, "minWriterVersion": 2})]);
    let metadata = &place.actions(0, "metaData")[0];
    assert_eq!(metadata["partitionColumns"], json!(["day"]));
    assert_eq!(metadata["description"], "trips");
    assert_eq!(metadata["configuration"], json!({"owner": "me"}));
    assert!(metadata["createdTime"].is_i64() && metadata["id"].as_str().unwrap().len() == 36);
    let stored = Struct::from_json(metadata["schemaString"].as_str().unwrap()).unwrap();
    assert_eq!(stored, schema(), "NOT NULL is kept");
    let info = &place.actions(0, "commitInfo")[0];
    assert_eq!(
        info["operationParameters"],
        json!({"partitionBy": "[\"day\"]", "clusterBy": "[]", "description": "trips", "isManaged": "false", "properties": "{\"owner\":\"me\"}"})
    );
}

#[tokio::test]
async fn a_table_is_made_once() {
    // spec: OPS-2
    let place = place();
    place.table.create(schema()).run().await.unwrap();
    let e = place.table.create(schema()).run().await.unwrap_err();
    assert_eq!(e.code(), Code::TABLE_EXISTS);
    let report = place.table.create(schema()).if_not_exists().run().await.unwrap();
    assert_eq!((report.version, place.versions()), (None, 1));
}

#[tokio::test]
async fn what_cannot_be_a_table_is_refused_before_anything_is_written() {
    // spec: OPS-3
    let place = place();
    let twice = columns(&[("a", DataType::Long), ("A", DataType::Long)]);
    assert_eq!(place.table.create(twice).run().await.unwrap_err().code(), Code::SCHEMA);
    assert_eq!(place.table.create(schema()).partition_by(["nope"]).run().await.unwrap_err().code(), Code::SCHEMA);
    let unbuilt = place.table.create(schema()).property("delta.coordinatedCommits.commitCoordinator-preview", "x").run().await.unwrap_err();
    assert_eq!(unbuilt.code(), Code::FEATURE_WRITE);
    // Values that every later append would stumble over.
    for (key, value) in [("parquet.format.version", "abc"), ("dataSkippingStatsColumns", "`a"), ("randomPrefixLength", "64")] {
        let unusable = place.table.create(schema()).property(&format!("delta.{key}"), value).run().await.unwrap_err();
        assert_eq!(unusable.code(), Code::PROPERTY, "{key}");
    }
    assert_eq!(place.versions(), 0);
}

fn replacement() -> (arrow::datatypes::SchemaRef, futures::stream::BoxStream<'static, lakebed::Result<arrow::array::RecordBatch>>) {
    use futures::StreamExt;
    let schema = std::sync::Arc::new(columns(&[("k", DataType::Integer)]).to_arrow().unwrap());
    let batch = arrow::array::RecordBatch::try_new(
        std::sync::Arc::clone(&schema),
        vec![std::sync::Arc::new(arrow::array::Int32Array::from(vec![5]))],
    );
    (schema, futures::stream::iter([Ok(batch.unwrap())]).boxed())
}

#[tokio::test]
async fn a_table_may_begin_with_rows() {
    // spec: OPS-17
    let place = place();
    let (schema, rows) = replacement();
    let report = place.table.create(Struct::default()).rows(schema, rows).run().await.unwrap();
    assert_eq!((report.version, report.operation.as_str()), (Some(Version(0)), "CREATE TABLE AS SELECT"));
    assert_eq!((&report.metrics["numFiles"], &report.metrics["numOutputRows"]), (&json!(1), &json!(1)));
    assert_eq!((place.actions(0, "add").len(), place.versions()), (1, 1));
    // A table that exists is refused before any row is written.
    let files = || std::fs::read_dir(place.table.root().url().to_file_path().unwrap()).unwrap().count();
    let before = files();
    let (schema, rows) = replacement();
    assert_eq!(place.table.create(Struct::default()).rows(schema, rows).run().await.unwrap_err().code(), Code::TABLE_EXISTS);
    assert_eq!(files(), before);
}

#[tokio::test]
async fn a_replaced_table_keeps_id_history_and_protocol_and_nothing_else() {
    // spec: OPS-18
    let place = place();
    let first = place.table.create(schema()).partition_by(["day"]).comment("trips").property("delta.enableChangeDataFeed", "true");
    first.property("owner", "me").run().await.unwrap();
    let (rows_schema, rows) = replacement();
    let report = place.table.create(Struct::default()).or_replace().property("other", "y").rows(rows_schema, rows).run().await.unwrap();
    assert_eq!((report.version, report.operation.as_str()), (Some(Version(1)), "CREATE OR REPLACE TABLE AS SELECT"));
    let (old, new) = (&place.actions(0, "metaData")[0], &place.actions(1, "metaData")[0]);
    assert_eq!(new["id"], old["id"]);
    assert_eq!((&new["configuration"], &new["partitionColumns"], new.get("description")), (&json!({"other": "y"}), &json!([]), None));
    assert!(place.actions(1, "protocol").is_empty(), "the protocol does not shrink, and need not grow");
    let report = place.table.replace(schema()).run().await.unwrap();
    assert_eq!((report.version, report.operation.as_str()), (Some(Version(2)), "REPLACE TABLE"));
    assert_eq!((place.actions(2, "remove").len(), place.actions(2, "add").len()), (1, 0));
    let info = &place.actions(2, "commitInfo")[0];
    assert_eq!(info["operationParameters"]["partitionBy"], "[]");
    assert_eq!(info["isBlindAppend"], json!(false));
    assert_eq!(place.table.snapshot_at(lakebed::At::Version(Version(1))).await.unwrap().scan().build().unwrap().count().await.unwrap(), 1);
    assert_eq!(place.table.snapshot().await.unwrap().scan().build().unwrap().count().await.unwrap(), 0);
}

#[tokio::test]
async fn only_a_table_that_is_there_is_replaced() {
    // spec: OPS-18
    let place = place();
    assert_eq!(place.table.replace(schema()).run().await.unwrap_err().code(), Code::TABLE);
    let report = place.table.create(schema()).or_replace().run().await.unwrap();
    assert_eq!((report.version, report.operation.as_str()), (Some(Version(0)), "CREATE OR REPLACE TABLE"));
    let append_only = place.table.create(schema()).or_replace().property("delta.appendOnly", "true").run().await.unwrap();
    assert_eq!(append_only.version, Some(Version(1)));
}
