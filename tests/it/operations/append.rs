//! Appending rows, to a table that is there and to one that is not.

use super::*;
use lakebed::{Alteration, Code, SaveMode, Version, WriteOptions};
use serde_json::json;

#[tokio::test]
async fn append_makes_a_missing_table_in_one_commit() {
    // spec: OPS-4
    let place = place();
    let report = append_ids(&place.table, &[1, 2, 3]).await.unwrap();
    assert_eq!((report.version, report.attempts), (Some(Version(0)), 1));
    assert_eq!(report.metrics["numOutputRows"], json!(3));
    let kinds: Vec<String> = place.commit(0).into_iter().map(|(k, _)| k).collect();
    assert_eq!(kinds, ["commitInfo", "metaData", "protocol", "add"]);
    assert_eq!(place.longs("id"), [1, 2, 3]);
}

#[tokio::test]
async fn append_adds_files_blindly_and_says_what_it_did_as_spark_does() {
    // spec: OPS-4, OPS-5
    let place = place();
    append_ids(&place.table, &[1]).await.unwrap();
    let report = append(&place.table, vec![ids_and_texts(&[(2, None), (3, Some("c"))])]).user_metadata("why").run().await.unwrap();
    assert_eq!(report.version, Some(Version(1)));
    let info = &place.actions(1, "commitInfo")[0];
    assert_eq!(info["operation"], "WRITE");
    assert_eq!(info["operationParameters"], json!({"mode": "Append", "partitionBy": "[]"}));
    assert_eq!((&info["isBlindAppend"], &info["readVersion"], &info["userMetadata"]), (&json!(true), &json!(0), &json!("why")));
    let add = &place.actions(1, "add")[0];
    let size = add["size"].as_i64().unwrap();
    assert_eq!(info["operationMetrics"], json!({"numFiles": "1", "numOutputRows": "2", "numOutputBytes": size.to_string()}));
    assert_eq!((&add["dataChange"], &add["partitionValues"]), (&json!(true), &json!({})));
    let stats: Value = serde_json::from_str(add["stats"].as_str().unwrap()).unwrap();
    assert_eq!(
        stats,
        json!({"numRecords": 2, "minValues": {"id": 2, "s": "c"}, "maxValues": {"id": 3, "s": "c"}, "nullCount": {"id": 0, "s": 1}})
    );
    assert_eq!(place.longs("id"), [1, 2, 3]);
}

#[tokio::test]
async fn rows_that_do_not_fit_are_refused_with_every_column_and_leave_nothing() {
    // spec: OPS-6
    let place = place();
    place.table.create(columns(&[("id", DataType::Integer), ("d", DataType::Date)])).run().await.unwrap();
    let e = append(&place.table, vec![ids_and_texts(&[(1, None)])]).run().await.unwrap_err();
    assert_eq!(e.code(), Code::SCHEMA);
    assert!(e.message().contains("\"id\"") && e.message().contains("\"s\""), "{e}");
    assert_eq!((place.versions(), place.files()), (1, 0));
}

#[tokio::test]
async fn a_null_in_a_required_column_is_refused_and_leaves_nothing() {
    // spec: OPS-6
    let place = place();
    let mut schema = columns(&[("id", DataType::Long), ("s", DataType::String)]);
    schema.fields[1].nullable = false;
    place.table.create(schema).run().await.unwrap();
    let e = append(&place.table, vec![ids_and_texts(&[(1, Some("a")), (2, None)])]).run().await.unwrap_err();
    assert_eq!(e.code(), Code::CONSTRAINT);
    assert!(e.context().contains(&("rows", "2".to_owned())), "{e}");
    assert_eq!((place.versions(), place.files()), (1, 0));
}

#[tokio::test]
async fn merge_schema_appends_new_columns_and_missing_ones_become_null() {
    // spec: OPS-7
    let place = place();
    append_ids(&place.table, &[1]).await.unwrap();
    let new = RecordBatch::try_from_iter([("more", Arc::new(Int64Array::from(vec![7])) as ArrayRef)]).unwrap();
    assert_eq!(append(&place.table, vec![new.clone()]).run().await.unwrap_err().code(), Code::SCHEMA);
    append(&place.table, vec![new.clone()]).merge_schema().run().await.unwrap();
    let metadata = &place.actions(1, "metaData")[0];
    let schema = Struct::from_json(metadata["schemaString"].as_str().unwrap()).unwrap();
    assert_eq!(schema.fields.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["id", "s", "more"]);
    assert_eq!(place.actions(0, "metaData")[0]["id"], metadata["id"]);
    assert_eq!(place.actions(1, "commitInfo")[0]["operationParameters"]["canMergeSchema"], json!(true));
    append(&place.table, vec![new]).merge_schema().run().await.unwrap();
    assert!(place.actions(2, "metaData").is_empty(), "nothing new, no metadata");
    assert_eq!((place.longs("id"), place.longs("more")), (vec![1], vec![7, 7]));
}

#[tokio::test]
async fn modes_refuse_or_ignore_a_table_that_is_there() {
    // spec: OPS-9
    let place = place();
    let batch = || vec![ids_and_texts(&[(1, None)])];
    append(&place.table, batch()).mode(SaveMode::Error).run().await.unwrap();
    assert_eq!(append(&place.table, batch()).mode(SaveMode::Error).run().await.unwrap_err().code(), Code::TABLE_EXISTS);
    assert_eq!(append(&place.table, batch()).mode(SaveMode::Ignore).run().await.unwrap().version, None);
    assert_eq!(place.files(), 1);
}

#[tokio::test]
async fn an_application_version_is_written_once() {
    // spec: OPS-10
    let place = place();
    let write = |version| append(&place.table, vec![ids_and_texts(&[(version, None)])]).app_version("job", version).run();
    assert_eq!(write(5).await.unwrap().version, Some(Version(0)));
    assert_eq!(place.actions(0, "txn")[0]["version"], json!(5));
    assert_eq!(write(5).await.unwrap().version, None);
    assert_eq!(write(4).await.unwrap().version, None);
    assert_eq!(write(6).await.unwrap().version, Some(Version(1)));
    assert_eq!(place.longs("id"), [5, 6]);
}

#[tokio::test]
async fn if_version_refuses_a_table_that_has_moved_on() {
    // spec: OPS-11
    let place = place();
    append_ids(&place.table, &[1]).await.unwrap();
    append_ids(&place.table, &[2]).await.unwrap();
    let write = |version| append(&place.table, vec![ids_and_texts(&[(3, None)])]).if_version(Version(version)).run();
    assert_eq!(write(0).await.unwrap_err().code(), Code::CONFLICT);
    assert_eq!(write(1).await.unwrap().version, Some(Version(2)));
    assert_eq!(place.longs("id"), [1, 2, 3]);
}

#[tokio::test]
async fn if_version_refuses_a_winner_that_came_after_the_look() {
    // spec: OPS-11
    let place = place();
    append_ids(&place.table, &[1]).await.unwrap();
    let old = place.table.snapshot().await.unwrap();
    append_ids(&place.table, &[2]).await.unwrap();
    let batch = ids_and_texts(&[(3, None)]);
    let write = old.append(batch.schema(), futures::stream::iter([Ok(batch)]).boxed()).if_version(Version(0));
    assert_eq!(write.run().await.unwrap_err().code(), Code::CONFLICT);
    assert_eq!((place.longs("id"), place.files()), (vec![1, 2], 2));
}

#[tokio::test]
async fn appends_on_one_version_all_land() {
    // spec: OPS-5
    let place = place();
    append_ids(&place.table, &[0]).await.unwrap();
    let base = place.table.snapshot().await.unwrap();
    let writes = (1..=5).map(|i| {
        let batch = ids_and_texts(&[(i, None)]);
        base.append(batch.schema(), futures::stream::iter([Ok(batch)]).boxed()).run()
    });
    for report in futures::future::join_all(writes).await {
        report.unwrap();
    }
    assert_eq!(place.longs("id"), [0, 1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn writers_that_make_the_same_table_at_once_all_land() {
    // spec: OPS-4
    let place = place();
    let writes = (0..4).map(|i| append(&place.table, vec![ids_and_texts(&[(i, None)])]).run());
    for report in futures::future::join_all(writes).await {
        report.unwrap();
    }
    assert_eq!(place.longs("id"), [0, 1, 2, 3]);
    assert_eq!(place.versions(), 4);
}

#[tokio::test]
async fn rows_that_a_table_made_meanwhile_might_refuse_are_not_committed() {
    // spec: OPS-4
    for (constraint, code) in [(Some("id > 0"), Some(Code::CONFLICT)), (None, None)] {
        let place = place();
        let (other, rows) = (place.table.clone(), ids_and_texts(&[(-1, None)]));
        let schema = rows.schema();
        let meanwhile = async move {
            let mut create = other.create(columns(&[("id", DataType::Long), ("s", DataType::String)]));
            if let Some(constraint) = constraint {
                create = create.property("delta.constraints.pos", constraint);
            }
            create.run().await.map(|_| rows)
        };
        let told = place.table.append(schema, futures::stream::once(meanwhile).boxed()).run().await;
        assert_eq!(told.map(|_| ()).map_err(|e| e.code()).err(), code);
        let expected = if code.is_some() { (1, 0) } else { (2, 1) };
        assert_eq!((place.versions(), place.files()), expected);
    }
}

#[tokio::test]
async fn rows_on_a_base_that_was_cut_off_land_above_the_cut_and_never_below_it() {
    // spec: COM-17
    let aged = crate::support::aged::Aged::new();
    aged.go_to(50);
    for id in 0..5 {
        append_ids(&aged.table, &[id]).await.unwrap();
    }
    let held = aged.table.snapshot_at(lakebed::At::Version(Version(2))).await.unwrap();
    let newest = aged.table.snapshot().await.unwrap();
    append_ids(&aged.table, &[5]).await.unwrap();
    aged.table.checkpoint().run().await.unwrap();
    let again = |base: &Arc<lakebed::Snapshot>| {
        let rows = ids_and_texts(&[(9, None)]);
        base.append(rows.schema(), futures::stream::iter([Ok(rows)]).boxed()).run()
    };
    // Nothing is gone yet, so old bases lose and go on.
    for (base, version) in [(&held, 6), (&newest, 7)] {
        assert_eq!(again(base).await.unwrap().version, Some(Version(version)));
    }
    aged.go_to(40);
    let log = aged.folder.path().join("_delta_log");
    for version in 0..5 {
        std::fs::remove_file(log.join(format!("{version:020}.json"))).unwrap();
    }
    let replaces = |base: &Arc<lakebed::Snapshot>| {
        let rows = ids_and_texts(&[(8, None)]);
        base.append(rows.schema(), futures::stream::iter([Ok(rows)]).boxed()).mode(SaveMode::Overwrite).run()
    };
    for (base, gone, version) in [(&held, 3, 8), (&newest, 5, 9)] {
        let path = log.join(format!("{gone:020}.json"));
        let _ = std::fs::remove_file(&path);
        // What depends on what the table held is refused; rows that depend on nothing stand on the newest version.
        let e = replaces(base).await.unwrap_err();
        assert!(e.code() == Code::CONFLICT && e.context().contains(&("rule", "CUT".to_owned())), "{e}");
        assert_eq!(again(base).await.unwrap().version, Some(Version(version)));
        assert!(!path.exists(), "version {gone} was made below the cut");
    }
    let now = aged.now().snapshot().await.unwrap();
    let count = now.counts(lakebed::CountEffort::Exact).await.unwrap().unwrap().records;
    assert_eq!((now.version(), count), (Version(9), Some(10)));
    // Rows were made for a table that is another one now.
    aged.now().alter(Alteration::SetProperties([("own".to_owned(), "1".to_owned())].into())).run().await.unwrap();
    assert_eq!(again(&held).await.unwrap_err().code(), Code::CONFLICT);
}

#[tokio::test]
async fn partitions_are_made_and_must_not_differ_later() {
    // spec: OPS-12
    let place = place();
    let batch = || vec![ids_and_texts(&[(1, Some("a b")), (2, None), (3, Some("a b"))])];
    append(&place.table, batch()).partition_by(["s"]).run().await.unwrap();
    let adds = place.actions(0, "add");
    let mut values: Vec<_> =
        adds.iter().map(|a| (a["partitionValues"].clone(), a["path"].as_str().unwrap().split('/').next().unwrap().to_owned())).collect();
    values.sort_by_key(|v| v.1.clone());
    assert_eq!(values, [(json!({"s": null}), "s=__HIVE_DEFAULT_PARTITION__".to_owned()), (json!({"s": "a b"}), "s=a%20b".to_owned())]);
    append(&place.table, batch()).partition_by(["S"]).run().await.unwrap();
    assert_eq!(append(&place.table, batch()).partition_by(["id"]).run().await.unwrap_err().code(), Code::SCHEMA);
    assert_eq!(place.longs("id"), [1, 1, 2, 2, 3, 3]);
}

#[tokio::test]
async fn properties_shape_the_table_and_unbuilt_ones_are_refused() {
    // spec: OPS-3
    let place = place();
    let batch = || vec![ids_and_texts(&[(1, None)])];
    let unbuilt = append(&place.table, batch()).property("delta.enableIcebergWriterCompatV1", "true").run().await.unwrap_err();
    assert_eq!(unbuilt.code(), Code::FEATURE_WRITE);
    append(&place.table, batch())
        .property("delta.columnMapping.mode", "name")
        .property("delta.parquet.compression.codec", "zstd")
        .run()
        .await
        .unwrap();
    let add = &place.actions(0, "add")[0];
    let path = add["path"].as_str().unwrap();
    assert!(path.ends_with(".zstd.parquet") && path.find('/') == Some(2), "{path}");
    assert!(add["stats"].as_str().unwrap().contains("col-"));
    append(&place.table, batch()).run().await.unwrap();
}

#[tokio::test]
async fn a_failing_input_leaves_no_commit_and_no_file() {
    // spec: OPS-5
    let place = place();
    // Two files are finished before the input fails: each partition of the first batches closes the one before it.
    let good = |k: i64| Ok(ids_and_texts(&[(k, Some(["a", "b", "c"][k as usize]))]));
    let wrong = RecordBatch::try_from_iter([("id", Arc::new(StringArray::from(vec!["x"])) as ArrayRef)]).unwrap();
    let stream = futures::stream::iter([good(0), good(1), good(2), Ok(wrong)]).boxed();
    let options = WriteOptions { open_files_max: 1, ..WriteOptions::default() };
    let schema = ids_and_texts(&[]).schema();
    let e = place.table.append(schema, stream).partition_by(["s"]).write_options(options).run().await.unwrap_err();
    assert_eq!(e.code(), Code::SCHEMA);
    assert_eq!((place.versions(), place.files()), (0, 0));
}
