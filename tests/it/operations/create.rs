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
