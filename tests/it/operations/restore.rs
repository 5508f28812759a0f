//! Going back to older versions.

use super::row_changes::{FEED, KINDS, Row, batch, made, rows};
use super::*;
use futures::TryStreamExt;
use lakebed::{Alteration, At, Code, Expr, Field, NewColumn, Version};
use serde_json::json;

fn row(id: i64, n: i64, p: &str) -> Row {
    Row { id: Some(id), n: Some(n), p: Some(p.to_owned()) }
}

fn at(version: u64) -> At {
    At::Version(Version(version))
}

async fn rows_at(place: &Place, version: u64) -> Vec<Row> {
    let scan = place.table.snapshot_at(at(version)).await.unwrap().scan().columns(["id", "n", "p"]).build().unwrap();
    let mut out: Vec<Row> = scan.stream().try_collect::<Vec<_>>().await.unwrap().iter().flat_map(super::row_changes::rows_in).collect();
    out.sort();
    out
}

/// Three commits of rows, one of which deletes some of a file.
async fn changed(partition_by: &[&str], properties: &[(&str, &str)]) -> Place {
    let place = made(partition_by, properties).await;
    append(&place.table, vec![batch(&[row(1, 1, "a b"), row(2, 2, "a b"), row(3, 3, "x=y/%")])]).run().await.unwrap();
    append(&place.table, vec![batch(&[row(4, 4, "a b")])]).run().await.unwrap();
    place.table.delete().filter(Expr::sql("id = 1 OR id = 3").unwrap()).run().await.unwrap();
    place
}

// spec: RST-1, RST-2
#[tokio::test]
async fn every_version_of_every_kind_of_table_comes_back() {
    for (kind, partition_by, properties) in KINDS {
        let place = changed(partition_by, properties).await;
        for version in [1, 2, 3, 0, 3] {
            let wanted = rows_at(&place, version).await;
            let before = rows(&place.table).await;
            let head = place.versions() as u64;
            let report = place.table.restore(at(version)).run().await.unwrap();
            assert_eq!(rows(&place.table).await, wanted, "{kind}, version {version}");
            assert_eq!(rows_at(&place, head - 1).await, before, "{kind}: what was there is still a version");
            if let Some(made) = report.version {
                let commit = place.commit(made.0);
                assert!(commit.iter().filter(|(k, _)| k == "add" || k == "remove").all(|(_, a)| a["dataChange"] == json!(true)));
            }
        }
        assert_eq!(place.table.snapshot().await.unwrap().counts(lakebed::CountEffort::Exact).await.unwrap().unwrap().records, Some(2));
    }
}

// spec: RST-1, RST-6
#[tokio::test]
async fn rows_that_stay_keep_the_ids_that_they_were_given_since() {
    let place = made(&[], &[]).await;
    append(&place.table, vec![batch(&[row(1, 1, "a"), row(2, 2, "a")])]).run().await.unwrap();
    let ids = [("delta.enableRowTracking".to_owned(), "true".to_owned())].into();
    place.table.alter(Alteration::SetProperties(ids)).run().await.unwrap();
    // Another writer says something else about the file, and not the least and greatest values.
    let log = place.folder.path().join("_delta_log");
    let newest = place.versions() as u64 - 1;
    let given = (1..=newest).rev().find_map(|v| place.actions(v, "add").into_iter().next()).unwrap();
    assert_eq!(given["baseRowId"], json!(0));
    let mut again = given.clone();
    (again["stats"], again["dataChange"]) = (json!("{\"numRecords\":2}"), json!(false));
    std::fs::write(log.join(format!("{:020}.json", newest + 1)), format!("{}\n", json!({"add": again}))).unwrap();
    let report = place.table.restore(at(1)).run().await.unwrap();
    let back = &place.actions(report.version.unwrap().0, "add")[0];
    assert_eq!((&back["baseRowId"], &back["defaultRowCommitVersion"]), (&given["baseRowId"], &given["defaultRowCommitVersion"]));
    assert_eq!(back["stats"], place.actions(1, "add")[0]["stats"]);
}

// spec: RST-3, RST-8
#[tokio::test]
async fn the_commit_and_the_plan_say_what_spark_says_and_a_dry_run_does_nothing() {
    let place = changed(&[], &[]).await;
    let plan = place.table.restore(at(1)).plan().await.unwrap();
    assert_eq!((place.versions(), plan.version), (4, Version(1)));
    let amount = |kind: &str| plan.summary().amount(kind).count;
    assert_eq!((amount("restore"), amount("restore_rows"), amount("remove"), amount("remove_rows")), (1, 3, 2, 2));
    assert_eq!((plan.summary().requests.head, plan.summary().items.len(), plan.summary().read_version), (1, 3, Some(Version(3))));
    let read: lakebed::RestorePlan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    assert_eq!(read, plan);
    let report = place.table.restore(at(1)).user_metadata("back").execute(read).await.unwrap();
    assert_eq!((report.version, report.operation.as_str()), (Some(Version(4)), "RESTORE"));
    assert_eq!(report.planned.as_ref(), Some(plan.summary()));
    let actual = report.actual.unwrap();
    assert_eq!((actual.requests.head, actual.requests.put, &actual.actions), (1, 1, &plan.summary().actions));
    let info = &place.actions(4, "commitInfo")[0];
    assert_eq!(info["operationParameters"], json!({"version": 1, "timestamp": null}));
    assert_eq!((&info["isBlindAppend"], &info["userMetadata"]), (&json!(false), &json!("back")));
    let size = place.actions(1, "add")[0]["size"].as_i64().unwrap();
    let metrics = &info["operationMetrics"];
    assert_eq!(metrics["numRestoredFiles"], "1");
    assert_eq!(metrics["numRemovedFiles"], "2");
    assert_eq!(metrics["numOfFilesAfterRestore"], "1");
    assert_eq!(metrics["tableSizeAfterRestore"], json!(size.to_string()));
    assert_eq!(metrics["restoredFilesSize"], json!(size.to_string()));
    assert!(metrics["removedFilesSize"].is_string() && info["operationMetrics"].as_object().unwrap().len() >= 6);
    // The plan was for the version before.
    assert_eq!(place.table.restore(at(1)).execute(plan.clone()).await.unwrap_err().code(), Code::CONFLICT);
    let other = changed(&[], &[]).await;
    assert_eq!(other.table.restore(at(1)).execute(plan).await.unwrap_err().code(), Code::INPUT);
    // Again: it is so already.
    let again = place.table.restore(at(1)).run().await.unwrap();
    assert_eq!((again.version, place.versions()), (None, 5));
}

// spec: RST-1
#[tokio::test]
async fn a_time_means_the_newest_version_that_is_not_younger() {
    let place = made(&[], &[("delta.enableInCommitTimestamps", "true")]).await;
    append(&place.table, vec![batch(&[row(1, 1, "a")])]).run().await.unwrap();
    let then = place.table.snapshot().await.unwrap().timestamp().await.unwrap();
    append(&place.table, vec![batch(&[row(2, 2, "a")])]).run().await.unwrap();
    place.table.restore(At::Timestamp(then)).run().await.unwrap();
    assert_eq!(rows(&place.table).await, [row(1, 1, "a")]);
    let parameters = &place.actions(3, "commitInfo")[0]["operationParameters"];
    assert_eq!((&parameters["version"], parameters["timestamp"].as_str()), (&json!(null), Some(then.to_string().as_str())));
    let e = place.table.restore(at(77)).run().await.unwrap_err();
    assert_eq!(e.code(), Code::VERSION);
}

// spec: RST-2
#[tokio::test]
async fn missing_files_and_vectors_are_named_before_anything_is_committed() {
    let place = changed(&[], &[("delta.enableDeletionVectors", "true")]).await;
    place.table.delete().run().await.unwrap();
    let vector =
        std::fs::read_dir(place.folder.path()).unwrap().map(|e| e.unwrap().path()).find(|p| p.extension().is_some_and(|e| e == "bin"));
    let vector = vector.unwrap();
    let kept = std::fs::read(&vector).unwrap();
    std::fs::remove_file(&vector).unwrap();
    let e = place.table.restore(at(3)).run().await.unwrap_err();
    assert!(e.code() == Code::FILE && e.to_string().contains(".bin") && e.to_string().contains("version: 3"), "{e}");
    std::fs::write(&vector, kept).unwrap();
    let file = place.folder.path().join(place.actions(2, "add")[0]["path"].as_str().unwrap());
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[1..]).unwrap();
    let e = place.table.restore(at(3)).plan().await.unwrap_err();
    assert!(e.code() == Code::FILE && e.to_string().contains("instead of"), "{e}");
    std::fs::remove_file(&file).unwrap();
    let e = place.table.restore(at(2)).run().await.unwrap_err();
    assert!(e.to_string().contains("1 of the files"), "{e}");
    assert_eq!(place.versions(), 5);
    // Version 1 does not need it.
    place.table.restore(at(1)).run().await.unwrap();
    assert_eq!(rows(&place.table).await.len(), 3);
}

// spec: RST-4, RST-5, RST-6
#[tokio::test]
async fn columns_properties_ids_and_features_go_back_as_in_spark() {
    let place = made(&[], &[("delta.enableRowTracking", "true"), FEED]).await;
    append(&place.table, vec![batch(&[row(1, 1, "a"), row(2, 2, "b")])]).run().await.unwrap();
    place.table.alter(Alteration::AddColumns(NewColumn::from_sql("extra INT").unwrap())).run().await.unwrap();
    place
        .table
        .alter(Alteration::SetProperties([("delta.enableDeletionVectors".to_owned(), "true".to_owned())].into()))
        .run()
        .await
        .unwrap();
    append(&place.table, vec![batch(&[row(3, 3, "c")])]).run().await.unwrap();
    place.table.delete().filter(Expr::sql("id = 1").unwrap()).run().await.unwrap();
    let first = place.actions(1, "add")[0].clone();
    let features = |state: &lakebed::TableState| state.protocol().writer_features.clone().unwrap();
    let before = features(place.table.snapshot().await.unwrap().state());
    let report = place.table.restore(at(1)).run().await.unwrap();
    let head = report.version.unwrap().0;
    let snapshot = place.table.snapshot().await.unwrap();
    assert_eq!(snapshot.state().schema().fields.iter().map(|f: &Field| f.name.as_str()).collect::<Vec<_>>(), ["id", "n", "p"]);
    assert_eq!(snapshot.state().property("delta.enableDeletionVectors"), None);
    assert_eq!(features(snapshot.state()), before, "the protocol is never lowered");
    let back = &place.actions(head, "add")[0];
    assert_eq!((&back["baseRowId"], &back["defaultRowCommitVersion"]), (&first["baseRowId"], &first["defaultRowCommitVersion"]));
    // New rows get ids above those that were ever given.
    append(&place.table, vec![batch(&[row(9, 9, "z")])]).run().await.unwrap();
    assert_eq!(place.actions(head + 1, "add")[0]["baseRowId"], 3);
    // What came back and went is in the feed.
    let feed = place.table.changes(at(head)).to(at(head)).columns(["_change_type", "id"]).build().await.unwrap();
    let told: Vec<RecordBatch> = feed.stream().try_collect().await.unwrap();
    let mut told: Vec<(String, i64)> = told
        .iter()
        .flat_map(|b| {
            let (kinds, ids) = (b.column(0).as_string::<i32>(), b.column(1).as_primitive::<Int64Type>());
            (0..b.num_rows()).map(|i| (kinds.value(i).to_owned(), ids.value(i))).collect::<Vec<_>>()
        })
        .collect();
    told.sort();
    assert_eq!(told, [("delete".to_owned(), 3), ("insert".to_owned(), 1)]);
}

// spec: RST-7
#[tokio::test]
async fn append_only_tables_and_moved_tables_refuse() {
    let place = made(&[], &[("delta.appendOnly", "true")]).await;
    append(&place.table, vec![batch(&[row(1, 1, "a")])]).run().await.unwrap();
    let e = place.table.restore(at(0)).run().await.unwrap_err();
    assert_eq!(e.code(), Code::CONSTRAINT);
    let e = place.table.restore(at(0)).if_version(Version(0)).run().await.unwrap_err();
    assert_eq!(e.code(), Code::CONFLICT);
    assert_eq!((place.versions(), place.files()), (2, 1), "files of the table are never deleted");
}

fn longs(batch: &RecordBatch, column: usize) -> Vec<Option<i64>> {
    batch.column(column).as_primitive::<Int64Type>().iter().collect()
}

async fn append_values(place: &Place, values: &[i64]) {
    let values = Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
    append(&place.table, vec![RecordBatch::try_from_iter([("a", values)]).unwrap()]).run().await.unwrap();
}

// spec: VAL-11
#[tokio::test]
async fn no_number_is_given_twice_when_a_renamed_column_gets_its_old_name_back() {
    let place = place();
    let schema = lakebed::Struct::from_sql("a BIGINT, n BIGINT GENERATED ALWAYS AS IDENTITY").unwrap();
    place.table.create(schema).property("delta.columnMapping.mode", "name").run().await.unwrap();
    append_values(&place, &[1, 2]).await;
    let rename = Alteration::RenameColumn { column: vec!["n".to_owned()], to: "m".to_owned() };
    place.table.alter(rename).run().await.unwrap();
    append_values(&place, &[3]).await;
    place.table.restore(at(1)).run().await.unwrap();
    append_values(&place, &[4]).await;
    let scan = place.table.snapshot().await.unwrap().scan().columns(["a", "n"]).build().unwrap();
    let batches: Vec<RecordBatch> = scan.stream().try_collect().await.unwrap();
    let mut rows: Vec<_> = batches.iter().flat_map(|b| longs(b, 0).into_iter().zip(longs(b, 1))).collect();
    rows.sort();
    assert_eq!(rows, [(Some(1), Some(1)), (Some(2), Some(2)), (Some(4), Some(4))], "3 was given to a row that is gone");
}

// spec: RST-9
#[tokio::test]
async fn rows_that_have_lost_their_ids_do_not_get_the_promise_of_ids_back() {
    let place = place();
    let create = place.table.create(columns(&[("a", DataType::Long)])).property("delta.enableRowTracking", "true");
    create.run().await.unwrap();
    append_values(&place, &[1, 2]).await;
    let drop = Alteration::DropFeature { feature: "rowTracking".to_owned(), truncate_history: false };
    place.table.alter(drop).run().await.unwrap();
    place.table.restore(at(1)).run().await.unwrap();
    append_values(&place, &[3]).await;
    let state = place.table.snapshot().await.unwrap();
    let promised: Vec<_> = state.state().metadata().configuration.keys().filter(|k| k.to_lowercase().contains("rowtracking")).collect();
    assert!(promised.is_empty(), "{promised:?}");
    let scan = state.scan().columns(["a"]).build().unwrap();
    assert_eq!(scan.count().await.unwrap(), 3);
    // Once files have ids again the property can be set again, and every row has its own.
    let ids = [("delta.enableRowTracking".to_owned(), "true".to_owned())].into();
    place.table.alter(Alteration::SetProperties(ids)).run().await.unwrap();
    append_values(&place, &[4]).await;
    let scan = place.table.snapshot().await.unwrap().scan().columns(["a"]).hidden([lakebed::HiddenColumn::RowId]).build().unwrap();
    let batches: Vec<RecordBatch> = scan.stream().try_collect().await.unwrap();
    let mut ids: Vec<Option<i64>> = batches.iter().flat_map(|b| longs(b, 1)).collect();
    ids.sort();
    ids.dedup();
    assert!(ids.len() == 4 && ids.iter().all(Option::is_some), "{ids:?}");
}

// spec: RST-8, PLN-2
#[tokio::test]
async fn a_restore_takes_the_requests_that_its_plan_says() {
    for (kind, partition_by, properties) in KINDS {
        let place = changed(partition_by, properties).await;
        for version in [1, 3, 1, 5] {
            let plan = place.table.restore(at(version)).plan().await.unwrap();
            let report = place.table.restore(at(version)).run().await.unwrap();
            let (planned, actual) = (report.planned.unwrap(), report.actual.unwrap());
            assert_eq!(&planned, plan.summary(), "{kind}, version {version}");
            assert_eq!((planned.requests, planned.bytes_read), (actual.requests, actual.bytes_read), "{kind}, version {version}");
            let (told, done) = (planned.bytes_written, actual.bytes_written);
            assert!(told.abs_diff(done) * 4 <= done, "{kind}, version {version}: {told} bytes planned, {done} written");
        }
    }
}
