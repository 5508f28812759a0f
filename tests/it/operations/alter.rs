//! Changing what a table is.

use super::*;
use lakebed::{Alteration, Code, NewColumn, Position, Version, column_path};
use serde_json::json;

async fn made(schema: &str, properties: &[(&str, &str)]) -> Place {
    let place = place();
    let mut create = place.table.create(Struct::from_sql(schema).unwrap());
    for (key, value) in properties {
        create = create.property(key, value);
    }
    create.run().await.unwrap();
    place
}

async fn alter(place: &Place, alteration: Alteration) -> Result<Report> {
    place.table.alter(alteration).run().await
}

fn set(properties: &[(&str, &str)]) -> Alteration {
    Alteration::SetProperties(properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
}
fn path(text: &str) -> Vec<String> {
    column_path(text).unwrap()
}
fn add(text: &str) -> Alteration {
    Alteration::AddColumns(NewColumn::from_sql(text).unwrap())
}

impl Place {
    async fn schema(&self) -> Struct {
        self.table.snapshot().await.unwrap().state().schema().clone()
    }
    async fn property(&self, key: &str) -> Option<String> {
        self.table.snapshot().await.unwrap().state().property(key).map(str::to_owned)
    }
}

#[tokio::test]
async fn a_change_that_changes_nothing_is_not_committed() {
    // spec: ALT-1
    let place = made("id BIGINT", &[("own", "1")]).await;
    let report = alter(&place, set(&[("own", "1")])).await.unwrap();
    assert_eq!((report.version, report.operation.as_str(), place.versions()), (None, "SET TBLPROPERTIES", 1));
    let report = alter(&place, Alteration::UnsetProperties(vec!["nope".to_owned()])).await.unwrap();
    assert_eq!((report.version, place.versions()), (None, 1));
    let report = alter(&place, set(&[("own", "2")])).await.unwrap();
    assert_eq!((report.version, report.attempts, report.metrics.len()), (Some(Version(1)), 1, 0));
}

#[tokio::test]
async fn a_change_for_another_version_is_refused() {
    // spec: ALT-1
    let place = made("id BIGINT", &[]).await;
    let e = place.table.alter(set(&[("own", "1")])).if_version(Version(3)).run().await.unwrap_err();
    assert_eq!((e.code(), place.versions()), (Code::CONFLICT, 1));
    place.table.alter(set(&[("own", "1")])).if_version(Version(0)).run().await.unwrap();
}

#[tokio::test]
async fn other_columns_keep_their_metadata_byte_for_byte() {
    // spec: ALT-3
    let place = place();
    let mut schema = columns(&[("id", DataType::Long), ("odd", DataType::String)]);
    for (key, value) in [("x.unknown", json!({"b": [1, 2.50, null], "a": "ü"})), ("comment", json!("c"))] {
        schema.fields[1].metadata.insert(key.to_owned(), value);
    }
    place.table.create(schema).run().await.unwrap();
    let text = |version| place.actions(version, "metaData")[0]["schemaString"].as_str().unwrap().to_owned();
    let column = |text: &str| text[text.find(r#"{"name":"odd""#).unwrap()..].split("}}").next().unwrap().to_owned();
    alter(&place, add("new INT FIRST")).await.unwrap();
    alter(&place, Alteration::MoveColumn { column: path("odd"), to: Position::First }).await.unwrap();
    assert_eq!(column(&text(2)), column(&text(0)));
    alter(&place, set(&[("own", "1")])).await.unwrap();
    assert_eq!(text(3), text(2));
}

#[tokio::test]
async fn not_null_needs_rows_without_null() {
    // spec: ALT-4
    let place = made("id BIGINT, s STRING", &[]).await;
    alter(&place, add("must INT NOT NULL")).await.unwrap();
    assert!(!place.schema().await.fields[2].nullable, "an empty table may have it");
    alter(&place, Alteration::DropNotNull(path("must"))).await.unwrap();
    append_ids(&place.table, &[1, 2]).await.unwrap();
    let e = alter(&place, add("later STRUCT<x: INT NOT NULL>")).await.unwrap_err();
    assert_eq!(e.code(), Code::SCHEMA);
    alter(&place, Alteration::SetNotNull(path("ID"))).await.unwrap();
    assert!(!place.schema().await.fields[0].nullable);
    let versions = place.versions();
    let e = alter(&place, Alteration::SetNotNull(path("must"))).await.unwrap_err();
    assert_eq!((e.code(), place.versions()), (Code::CONSTRAINT, versions));
    assert!(e.context().contains(&("rows", "2".to_owned())), "{e}");
}

#[tokio::test]
async fn defaults_do_not_come_with_new_columns() {
    // spec: ALT-3
    let e = NewColumn::from_sql("x INT DEFAULT 5").unwrap_err();
    assert_eq!(e.code(), Code::SCHEMA);
}

#[tokio::test]
async fn keys_are_stored_as_engines_spell_them_and_protocol_keys_are_not_stored() {
    // spec: ALT-8
    let place = made("id BIGINT", &[]).await;
    alter(&place, set(&[("DELTA.CHECKPOINTINTERVAL", "5"), ("Own", "x"), ("delta.feature.VACUUMprotocolcheck", "supported")]))
        .await
        .unwrap();
    let configuration = place.actions(1, "metaData")[0]["configuration"].clone();
    assert_eq!(configuration, json!({"delta.checkpointInterval": "5", "Own": "x"}));
    let e = alter(&place, set(&[("delta.checkpointIntervall", "5")])).await.unwrap_err();
    assert_eq!(e.code(), Code::PROPERTY);
    assert!(e.next_step().is_some_and(|help| help.contains("`delta.checkpointInterval`")), "{e}");
    let internal = Alteration::UnsetProperties(vec!["delta.columnMapping.maxColumnId".to_owned()]);
    assert_eq!(alter(&place, internal).await.unwrap_err().code(), Code::PROPERTY);
    for (key, value) in [("delta.columnMapping.maxColumnId", "4"), ("delta.logRetentionDuration", "interval 1 month")] {
        assert_eq!(alter(&place, set(&[(key, value)])).await.unwrap_err().code(), Code::PROPERTY, "{key}");
    }
    alter(&place, Alteration::UnsetProperties(vec!["Delta.checkpointinterval".to_owned()])).await.unwrap();
    assert_eq!(place.property("delta.checkpointInterval").await, None);
}

#[tokio::test]
async fn unknown_properties_of_a_table_are_kept() {
    // spec: ALT-8
    let place = made("id BIGINT", &[]).await;
    let file = place.folder.path().join("_delta_log/00000000000000000000.json");
    let text = std::fs::read_to_string(&file).unwrap().replace(r#""configuration":{}"#, r#""configuration":{"delta.fromTheFuture":"7"}"#);
    std::fs::write(&file, text).unwrap();
    alter(&place, set(&[("own", "1")])).await.unwrap();
    assert_eq!(place.actions(1, "metaData")[0]["configuration"], json!({"delta.fromTheFuture": "7", "own": "1"}));
}

#[tokio::test]
async fn an_upgrade_to_names_keeps_the_names_of_files() {
    // spec: CM-6 CM-7
    let place = made("id BIGINT, s STRING", &[]).await;
    append_ids(&place.table, &[1]).await.unwrap();
    alter(&place, set(&[("delta.columnMapping.mode", "name")])).await.unwrap();
    let state = place.table.snapshot().await.unwrap().state().clone();
    assert_eq!(state.physical_schema().fields.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["id", "s"]);
    assert_eq!(state.property("delta.columnMapping.maxColumnId"), Some("2"));
    alter(&place, Alteration::RenameColumn { column: path("S"), to: "text, new".to_owned() }).await.unwrap();
    alter(&place, Alteration::DropColumns(vec![path("id")])).await.unwrap();
    alter(&place, add("id BIGINT")).await.unwrap();
    let schema = place.schema().await;
    assert_eq!(schema.fields.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["text, new", "id"]);
    assert_eq!(schema.fields[1].metadata["delta.columnMapping.id"], 3, "an id is never used again");
    let scan = place.table.snapshot().await.unwrap().scan().filter(lakebed::Expr::sql("id IS NULL AND `text, new` = 'x'").unwrap());
    assert_eq!(scan.build().unwrap().count().await.unwrap(), 1, "a dropped column does not come back with its name");
}

#[tokio::test]
async fn mapping_modes_change_only_from_none_to_name() {
    // spec: CM-6 CM-7
    for (before, after) in [("none", "id"), ("name", "id"), ("id", "name"), ("name", "none")] {
        let place = made("id BIGINT", &[("delta.columnMapping.mode", before)]).await;
        let e = alter(&place, set(&[("delta.columnMapping.mode", after)])).await.unwrap_err();
        assert_eq!((e.code(), place.versions()), (Code::PROPERTY, 1), "{before} to {after}");
    }
    let place = made("id BIGINT", &[("delta.columnMapping.mode", "name")]).await;
    let e = alter(&place, Alteration::UnsetProperties(vec!["delta.columnMapping.mode".to_owned()])).await.unwrap_err();
    assert_eq!(e.code(), Code::PROPERTY);
}

#[tokio::test]
async fn rules_are_not_left_without_their_columns() {
    // spec: ALT-6
    let place = made("a BIGINT, b STRUCT<x: INT, y: INT>, c INT", &[("delta.columnMapping.mode", "name")]).await;
    alter(&place, Alteration::AddConstraint { name: "C".to_owned(), condition: "B.x > 0 OR a = 1".to_owned() }).await.unwrap();
    for column in ["a", "b", "b.x"] {
        for alteration in
            [Alteration::DropColumns(vec![path(column)]), Alteration::RenameColumn { column: path(column), to: "other".to_owned() }]
        {
            let e = alter(&place, alteration).await.unwrap_err();
            assert_eq!(e.code(), Code::SCHEMA, "{column}");
            assert!(e.context().contains(&("rule", "constraint c".to_owned())), "{e}");
        }
    }
    alter(&place, Alteration::DropColumns(vec![path("b.y"), path("c")])).await.unwrap();
}

#[tokio::test]
async fn a_constraint_that_rows_break_is_not_added() {
    // spec: ALT-5
    let place = made("id BIGINT, s STRING", &[]).await;
    append_ids(&place.table, &[1, 2, 3]).await.unwrap();
    let add = |name: &str, condition: &str| Alteration::AddConstraint { name: name.to_owned(), condition: condition.to_owned() };
    let e = alter(&place, add("small", "id < 3")).await.unwrap_err();
    assert_eq!((e.code(), place.versions()), (Code::CONSTRAINT, 2));
    assert!(e.context().contains(&("rows", "1".to_owned())), "{e}");
    assert_eq!(alter(&place, add("unknown", "NULL AND id > 0")).await.unwrap_err().code(), Code::CONSTRAINT);
    assert_eq!(alter(&place, add("nowhere", "nope > 0")).await.unwrap_err().code(), Code::EXPR);
    alter(&place, add("Small One", "id < 4")).await.unwrap();
    assert_eq!(place.property("delta.constraints.small one").await.as_deref(), Some("id < 4"));
    assert_eq!(place.actions(2, "protocol"), [json!({"minReaderVersion": 1, "minWriterVersion": 3})]);
    let e = append_ids(&place.table, &[9]).await.unwrap_err();
    assert_eq!(e.code(), Code::CONSTRAINT, "it is enforced from now on");
}

#[tokio::test]
async fn a_feature_is_added_once_and_dropped_again() {
    // spec: ALT-10 DRF-1
    let place = made("id BIGINT, s STRING", &[]).await;
    append_ids(&place.table, &[1, 2]).await.unwrap();
    let report = alter(&place, Alteration::AddFeature("VacuumProtocolCheck".to_owned())).await.unwrap();
    assert_eq!((report.version, report.operation.as_str()), (Some(Version(2)), "UPGRADE PROTOCOL"));
    assert_eq!(alter(&place, Alteration::AddFeature("vacuumProtocolCheck".to_owned())).await.unwrap().version, None);
    let drop = |feature: &str, truncate_history| Alteration::DropFeature { feature: feature.to_owned(), truncate_history };
    alter(&place, drop("vacuumProtocolCheck", true)).await.unwrap();
    let last = place.versions() as u64 - 1;
    assert_eq!(place.actions(last, "protocol"), [json!({"minReaderVersion": 1, "minWriterVersion": 2})]);
    for (feature, code) in [("vacuumProtocolCheck", Code::INPUT), ("appendOnly", Code::FEATURE_WRITE), ("nonsense", Code::FEATURE_WRITE)] {
        assert_eq!(alter(&place, drop(feature, false)).await.unwrap_err().code(), code, "{feature}");
    }
    assert_eq!(place.table.snapshot().await.unwrap().scan().build().unwrap().count().await.unwrap(), 2);
}

// spec: DRF-4
#[tokio::test(start_paused = true)]
async fn a_commit_of_others_at_any_step_of_a_truncation_leaves_a_table_that_reads() {
    use crate::support::stores::Steps;
    use object_store::{ObjectStore, memory::InMemory, path::Path};
    let at = |store: Arc<dyn ObjectStore>| {
        let root = lakebed::TableRoot::with_store(url::Url::parse("memory:///t/").unwrap(), store, Path::from("t"));
        Table::with_log(root.clone(), Arc::new(lakebed::PathLogStore::new(root)), Env::system().with_threads(2))
    };
    let store = Arc::new(InMemory::new());
    let table = at(Arc::clone(&store) as Arc<dyn ObjectStore>);
    let create = table.create(columns(&[("id", DataType::Long), ("s", DataType::String)]));
    create
        .property("delta.checkpointPolicy", "v2")
        .property("delta.dropFeatureTruncateHistory.retentionDuration", "interval 0 hours")
        .run()
        .await
        .unwrap();
    append_ids(&table, &[1, 2]).await.unwrap();
    for requests in 0.. {
        let store = Arc::new(store.fork());
        let steps = Steps::new(Arc::clone(&store) as Arc<dyn ObjectStore>, requests);
        let (dropping, other) = (at(Arc::clone(&steps) as Arc<dyn ObjectStore>), at(Arc::clone(&store) as Arc<dyn ObjectStore>));
        let drop = Alteration::DropFeature { feature: "v2Checkpoint".to_owned(), truncate_history: true };
        let mut running = tokio::spawn(async move { dropping.alter(drop).run().await });
        let ended = tokio::select! {
            biased;
            ended = &mut running => Some(ended.unwrap()),
            () = steps.held() => None,
        };
        // Twice: one commit may take the version that is cut at, and another one is above it.
        append_ids(&other, &[3]).await.unwrap();
        append_ids(&other, &[4]).await.unwrap();
        steps.open();
        let is_over = ended.is_some();
        let ended = match ended {
            Some(ended) => ended,
            None => running.await.unwrap(),
        };
        let snapshot = other.snapshot().await.unwrap_or_else(|e| panic!("after {requests} requests: {e:?}, {ended:?}"));
        assert_eq!(snapshot.scan().build().unwrap().count().await.unwrap(), 4, "after {requests} requests: {ended:?}");
        if is_over {
            ended.unwrap();
            assert!(requests > 10, "{requests} requests");
            break;
        }
    }
}

#[tokio::test]
async fn history_that_needs_a_feature_is_truncated_only_when_it_is_old() {
    // spec: DRF-4
    let place = made("id BIGINT, s STRING", &[("delta.checkpointPolicy", "v2")]).await;
    append_ids(&place.table, &[1, 2]).await.unwrap();
    let drop = || Alteration::DropFeature { feature: "v2Checkpoint".to_owned(), truncate_history: true };
    let e = alter(&place, drop()).await.unwrap_err();
    assert_eq!(e.code(), Code::FEATURE_WRITE);
    assert!(e.context().iter().any(|(key, _)| *key == "wait_ms"), "{e}");
    assert_eq!(place.property("delta.checkpointPolicy").await.as_deref(), Some("classic"), "the feature is stopped already");
    alter(&place, set(&[("delta.dropFeatureTruncateHistory.retentionDuration", "interval 0 hours")])).await.unwrap();
    alter(&place, drop()).await.unwrap();
    let log = place.folder.path().join("_delta_log");
    assert!(!log.join("00000000000000000000.json").exists() && !log.join("00000000000000000003.json").exists());
    let snapshot = place.table.snapshot().await.unwrap();
    assert_eq!(snapshot.state().protocol().min_writer_version, 2);
    assert_eq!(snapshot.scan().build().unwrap().count().await.unwrap(), 2);
}

#[tokio::test]
async fn row_ids_are_given_to_all_files_before_they_are_relied_on() {
    // spec: RID-8
    let place = made("id BIGINT", &[]).await;
    for id in 0..3 {
        append(&place.table, vec![ids_and_texts(&[(id, None)]).project(&[0]).unwrap()]).run().await.unwrap();
    }
    alter(&place, set(&[("delta.enableRowTracking", "true")])).await.unwrap();
    let operations: Vec<_> = (4..place.versions() as u64).map(|v| place.actions(v, "commitInfo")[0]["operation"].clone()).collect();
    assert_eq!(operations, ["UPGRADE PROTOCOL", "ROW TRACKING BACKFILL", "SET TBLPROPERTIES"]);
    let again = place.actions(5, "add");
    assert!(again.len() == 3 && again.iter().all(|add| add["dataChange"] == json!(false) && add["baseRowId"].is_i64()), "{again:?}");
    assert_eq!(place.property("delta.enableRowTracking").await.as_deref(), Some("true"));
    assert_eq!(place.longs("id"), [0, 1, 2]);
}

#[tokio::test]
async fn the_mark_of_an_identity_column_follows_its_values() {
    // spec: VAL-14
    let place = made("n BIGINT GENERATED BY DEFAULT AS IDENTITY (START WITH 1 INCREMENT BY 10), a BIGINT", &[]).await;
    let given = columns(&[("n", DataType::Long), ("a", DataType::Long)]).to_arrow().unwrap();
    let values = |value: i64| -> arrow::array::ArrayRef { Arc::new(arrow::array::Int64Array::from(vec![value])) };
    let batch = arrow::array::RecordBatch::try_new(Arc::new(given), vec![values(37), values(1)]).unwrap();
    append(&place.table, vec![batch]).run().await.unwrap();
    let sync = || Alteration::SyncIdentity(path("n"));
    let report = alter(&place, sync()).await.unwrap();
    assert_eq!((report.version, report.operation.as_str()), (Some(Version(2)), "CHANGE COLUMN"));
    let mark = |schema: &Struct| schema.fields[0].metadata["delta.identity.highWaterMark"].clone();
    assert_eq!(mark(&place.schema().await), json!(41), "the number of the sequence that is not below any value");
    assert_eq!(alter(&place, sync()).await.unwrap().version, None, "in line already");
    assert_eq!(alter(&place, Alteration::SyncIdentity(path("a"))).await.unwrap_err().code(), Code::SCHEMA);
}

#[tokio::test]
async fn rows_keep_their_ids_and_numbers_when_their_files_are_written_anew() {
    // spec: RID-8
    let properties = [("delta.enableRowTracking", "true"), ("delta.enableDeletionVectors", "true")];
    let place = made("id BIGINT, n BIGINT GENERATED ALWAYS AS IDENTITY", &properties).await;
    for id in 0..3 {
        let two = ids_and_texts(&[(id * 2, None), (id * 2 + 1, None)]).project(&[0]).unwrap();
        append(&place.table, vec![two]).run().await.unwrap();
    }
    place.table.delete().filter(lakebed::Expr::sql("id IN (0, 3)").unwrap()).run().await.unwrap();
    let rows = async || {
        let columns = [lakebed::HiddenColumn::RowId, lakebed::HiddenColumn::RowCommitVersion];
        let scan = place.table.snapshot().await.unwrap().scan().hidden(columns).build().unwrap();
        let batches: Vec<_> = futures::TryStreamExt::try_collect(scan.stream()).await.unwrap();
        let mut rows: Vec<String> = Vec::new();
        for batch in batches {
            let columns = lakebed::columns_as_text(&batch).unwrap();
            rows.extend((0..batch.num_rows()).map(|row| columns.iter().map(|c| c.value(row)).collect::<Vec<_>>().join(" ")));
        }
        rows.sort();
        rows
    };
    let before = rows().await;
    assert_eq!(before.len(), 4);
    alter(&place, Alteration::DropFeature { feature: "deletionVectors".to_owned(), truncate_history: false }).await.unwrap();
    assert_eq!(rows().await, before);
    // spec: DRF-5
    let removed: Vec<_> = (0..place.versions() as u64)
        .flat_map(|v| place.actions(v, "remove"))
        .filter_map(|r| r["path"].as_str().map(str::to_owned))
        .collect();
    let vectors: Vec<_> = removed.iter().filter(|path| path.ends_with(".bin")).collect();
    assert_eq!(vectors.len(), 1, "{removed:?}");
    assert!(place.folder.path().join(vectors[0]).exists());
}

#[tokio::test]
async fn only_files_of_narrower_types_are_written_anew_when_widening_is_dropped() {
    // spec: DRF-6
    let place = made("id BIGINT, v INT, s STRUCT<x: SMALLINT>", &[("delta.enableTypeWidening", "true")]).await;
    let rows = |ids: &[i64]| ids_and_texts(&ids.iter().map(|id| (*id, None)).collect::<Vec<_>>()).project(&[0]).unwrap();
    let paths = async || -> Vec<String> {
        let tasks = place.table.snapshot().await.unwrap().scan().build().unwrap().tasks();
        let tasks: Vec<_> = futures::TryStreamExt::try_collect(tasks).await.unwrap();
        tasks.into_iter().map(|task| task.path).collect()
    };
    append(&place.table, vec![rows(&[1])]).run().await.unwrap();
    let widen = |column: &str, to| Alteration::ChangeType { column: path(column), to };
    alter(&place, widen("v", DataType::Long)).await.unwrap();
    append(&place.table, vec![rows(&[2])]).run().await.unwrap();
    alter(&place, widen("s.x", DataType::Integer)).await.unwrap();
    append(&place.table, vec![rows(&[3])]).run().await.unwrap();
    let wide =
        paths().await.into_iter().find(|path| !place.actions(1, "add").iter().chain(&place.actions(3, "add")).any(|a| a["path"] == **path));
    let wide = wide.unwrap();
    let report = alter(&place, Alteration::DropFeature { feature: "typeWidening".to_owned(), truncate_history: false }).await.unwrap();
    assert_eq!(report.metrics["numRemovedFiles"], json!(2), "{:?}", report.metrics);
    let after = paths().await;
    assert!(after.contains(&wide) && after.len() == 2, "{wide}: {after:?}");
    assert_eq!(place.longs("id"), [1, 2, 3]);
}
