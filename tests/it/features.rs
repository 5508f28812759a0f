//! Table features through the public API: who is read, who is written, and what writing means on each.

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::Int64Type;
use futures::{StreamExt, TryStreamExt, stream};
use lakebed::{Append, Code, Error, Report, Result, SaveMode, Struct, Table};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

const COLUMNS: &str =
    r#"{"name":"id","type":"long","nullable":true,"metadata":{}},{"name":"s","type":"string","nullable":true,"metadata":{}}"#;

/// A folder whose log the test writes.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }
    /// A table of this protocol, these columns and properties, without files.
    fn with(protocol: Value, columns: &str, properties: Value) -> Place {
        let place = Place::new();
        let schema = format!(r#"{{"type":"struct","fields":[{columns}]}}"#);
        let metadata = json!({"metaData": {"id": "5fba94ed-9794-4965-ba6e-6ee3c0d22af9", "format": {"provider": "parquet", "options": {}},
            "schemaString": schema, "partitionColumns": [], "configuration": properties}});
        let log = place.path().join("_delta_log");
        std::fs::create_dir(&log).unwrap();
        std::fs::write(log.join("00000000000000000000.json"), format!("{}\n{metadata}\n", json!({"protocol": protocol}))).unwrap();
        place
    }
    fn path(&self) -> &Path {
        self.0.path()
    }
    fn table(&self) -> Table {
        Table::at(self.path().to_str().unwrap()).open().unwrap()
    }
    /// The actions of one kind in a commit.
    fn actions(&self, version: u64, kind: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path().join(format!("_delta_log/{version:020}.json"))).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter_map(|line| line.get(kind).cloned()).collect()
    }
    fn append(&self, rows: RecordBatch) -> Append {
        self.table().append(rows.schema(), stream::iter([Ok::<_, Error>(rows)]).boxed())
    }
    async fn rows(&self) -> RecordBatch {
        let snapshot = self.table().snapshot().await.unwrap();
        let scan = snapshot.scan().build().unwrap();
        let schema = scan.schema();
        concat_batches(&schema, &scan.stream().try_collect::<Vec<_>>().await.unwrap()).unwrap()
    }
    async fn longs(&self, column: &str) -> Vec<Option<i64>> {
        let mut values: Vec<_> = self.rows().await.column_by_name(column).unwrap().as_primitive::<Int64Type>().iter().collect();
        values.sort();
        values
    }
}

fn ids(values: &[i64]) -> RecordBatch {
    let texts = StringArray::from_iter_values(values.iter().map(|v| format!("text {v}")));
    RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from(values.to_vec())) as ArrayRef), ("s", Arc::new(texts))]).unwrap()
}

fn versions(reader: i32, writer: i32) -> Value {
    json!({"minReaderVersion": reader, "minWriterVersion": writer})
}

fn listed(reader: i32, readers: &[&str], writers: &[&str]) -> Value {
    match reader {
        3 => json!({"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": readers, "writerFeatures": writers}),
        _ => json!({"minReaderVersion": reader, "minWriterVersion": 7, "writerFeatures": writers}),
    }
}

fn named(error: &Error) -> &str {
    error.context().iter().find(|(key, _)| *key == "features").map_or("", |(_, value)| value)
}

async fn appended(place: &Place) -> Result<Report> {
    place.append(ids(&[1, 2])).run().await
}

// spec: FEA-1, FEA-11
#[tokio::test]
async fn every_legacy_protocol_is_written_and_read_while_nothing_unbuilt_is_active() {
    for (reader, writer) in [(1, 1), (1, 2), (1, 3), (1, 4), (1, 5), (1, 6), (2, 1), (2, 2), (2, 3), (2, 4), (2, 5), (2, 6)] {
        let place = Place::with(versions(reader, writer), COLUMNS, json!({}));
        let report = appended(&place).await.unwrap_or_else(|e| panic!("({reader}, {writer}): {e}"));
        assert_eq!(report.version.unwrap().0, 1);
        assert!(place.actions(1, "protocol").is_empty() && place.actions(1, "metaData").is_empty());
        assert_eq!(place.longs("id").await, [Some(1), Some(2)], "({reader}, {writer})");
    }
}

// spec: FEA-11, FEA-22
#[tokio::test]
async fn a_table_that_supports_exactly_what_is_built_is_written() {
    let both = ["deletionVectors", "timestampNtz", "typeWidening", "v2Checkpoint", "vacuumProtocolCheck", "columnMapping"];
    let writers = [&both[..], &["appendOnly", "invariants", "inCommitTimestamp", "domainMetadata", "changeDataFeed"]].concat();
    let switched_on = json!({"delta.enableDeletionVectors": "true", "delta.checkpointPolicy": "v2", "delta.enableInCommitTimestamps": "true",
        "delta.appendOnly": "true", "delta.enableChangeDataFeed": "true", "delta.enableTypeWidening": "true"});
    for properties in [json!({}), switched_on] {
        let place = Place::with(listed(3, &both, &writers), COLUMNS, properties);
        if !place.actions(0, "metaData")[0]["configuration"].as_object().unwrap().is_empty() {
            // The commit before carries a time of its own, as every commit of such a table does.
            let log = place.path().join("_delta_log/00000000000000000000.json");
            let info = json!({"commitInfo": {"inCommitTimestamp": 1000, "timestamp": 1000, "operation": "CREATE TABLE"}});
            let text = std::fs::read_to_string(&log).unwrap();
            std::fs::write(&log, format!("{info}\n{text}")).unwrap();
        }
        appended(&place).await.unwrap();
        assert_eq!(place.longs("id").await, [Some(1), Some(2)]);
    }
}

// spec: FEA-11
#[tokio::test]
async fn whatever_else_is_active_refuses_the_write_by_name_and_is_read() {
    let plain = COLUMNS.to_owned();
    let writers = |name: &str| listed(1, &[], &[name]);
    for (feature, protocol, columns, properties) in [
        ("icebergWriterCompatV1", writers("icebergWriterCompatV1"), plain.clone(), json!({"delta.enableIcebergWriterCompatV1": "true"})),
        ("futureThing", writers("futureThing"), plain.clone(), json!({})),
    ] {
        let place = Place::with(protocol, &columns, properties);
        let error = appended(&place).await.expect_err(feature);
        assert_eq!((error.code(), named(&error)), (Code::FEATURE_WRITE, feature), "{error}");
        assert_eq!(place.rows().await.num_rows(), 0, "{feature}: read");
    }
}

// spec: FEA-6, FEA-9
#[tokio::test]
async fn features_that_readers_lack_refuse_rows_but_not_facts() {
    for (name, protocol, next_step) in [
        ("futureThing", listed(3, &["futureThing", "deletionVectors"], &["futureThing", "deletionVectors"]), "newer lakebed"),
        ("catalogManaged", listed(3, &["catalogManaged"], &["catalogManaged", "inCommitTimestamp"]), "through the catalog"),
        ("catalogManaged", listed(3, &["catalogOwned-preview"], &["catalogOwned-preview", "inCommitTimestamp"]), "through the catalog"),
        ("geospatial", listed(3, &["geospatial"], &["geospatial"]), "newer lakebed"),
    ] {
        let place = Place::with(protocol, COLUMNS, json!({}));
        let snapshot = place.table().snapshot().await.expect("described");
        assert_eq!(snapshot.state().schema().fields.len(), 2);
        let error = match snapshot.scan().build() {
            Err(e) => e,
            Ok(scan) => scan.stream().try_collect::<Vec<_>>().await.expect_err(name),
        };
        assert_eq!((error.code(), named(&error)), (Code::FEATURE_READ, name), "{error}");
        assert!(error.next_step().unwrap().contains(next_step), "{error}");
        let error = appended(&place).await.expect_err(name);
        assert_eq!((error.code(), named(&error)), (Code::FEATURE_WRITE, name), "{error}");
        assert!(error.next_step().unwrap().contains(next_step), "{error}");
    }
}

// spec: FEA-8
#[tokio::test]
async fn preview_and_old_names_are_read_and_written() {
    for names in [["typeWidening-preview"], ["timestampWithoutTimezone"], ["variantType-preview"], ["variantShredding-preview"]] {
        let place = Place::with(listed(3, &names, &names), COLUMNS, json!({}));
        appended(&place).await.unwrap_or_else(|e| panic!("{names:?}: {e}"));
        assert_eq!(place.rows().await.num_rows(), 2);
    }
    let place = Place::with(listed(1, &[], &["inCommitTimestamp-preview"]), COLUMNS, json!({}));
    appended(&place).await.unwrap();
}

// spec: FEA-20
#[tokio::test]
async fn an_invariant_refuses_the_rows_that_break_it_and_leaves_nothing() {
    let column = |name: &str, more: &str| format!(r#"{{"name":"{name}","type":"long","nullable":true,"metadata":{{{more}}}}}"#);
    let invariant = r#""delta.invariants":"{\"expression\":{\"expression\":\"id > 3\"}}""#;
    let columns = [column("id", invariant), r#"{"name":"s","type":"string","nullable":true,"metadata":{}}"#.to_owned()].join(",");
    for protocol in [versions(1, 2), versions(2, 6), listed(1, &[], &["invariants"])] {
        let place = Place::with(protocol, &columns, json!({}));
        place.append(ids(&[4, 5])).run().await.unwrap();
        let error = place.append(ids(&[6, 3, 7])).run().await.expect_err("3 breaks the rule");
        assert_eq!(error.code(), Code::CONSTRAINT);
        assert!(error.message().contains("id > 3") && error.context().contains(&("rows", "2".to_owned())), "{error}");
        assert_eq!(place.longs("id").await, [Some(4), Some(5)]);
        let files = std::fs::read_dir(place.path()).unwrap().filter(|e| e.as_ref().unwrap().path().is_file()).count();
        assert_eq!(files, 1, "no file of the refused rows is left");
    }
    let place = Place::with(listed(1, &[], &[]), &columns, json!({}));
    place.append(ids(&[1])).run().await.expect("not listed, so without effect");
    let broken = columns.replace("id > 3", "no_such_column > 3");
    let error = appended(&Place::with(versions(1, 2), &broken, json!({}))).await.expect_err("cannot be enforced");
    assert_eq!(error.code(), Code::FEATURE_WRITE, "{error}");
}

// spec: FEA-19
#[tokio::test]
async fn an_append_only_table_takes_rows_and_gives_none_away() {
    for protocol in [versions(1, 2), listed(1, &[], &["appendOnly"])] {
        let place = Place::with(protocol, COLUMNS, json!({"delta.appendOnly": "true"}));
        appended(&place).await.unwrap();
        let error = place.append(ids(&[3])).mode(SaveMode::Overwrite).run().await.expect_err("append-only");
        assert_eq!(error.code(), Code::CONSTRAINT, "{error}");
        assert_eq!(place.longs("id").await, [Some(1), Some(2)]);
    }
    let place = Place::with(listed(1, &[], &[]), COLUMNS, json!({"delta.appendOnly": "true"}));
    appended(&place).await.unwrap();
    place.append(ids(&[3])).mode(SaveMode::Overwrite).run().await.expect("not supported, so without effect");
}

/// The ids of all fields, and their physical names.
fn mapping_of(metadata: &Value) -> Vec<(i64, String)> {
    let schema: Value = serde_json::from_str(metadata["schemaString"].as_str().unwrap()).unwrap();
    let fields = schema["fields"].as_array().unwrap();
    fields
        .iter()
        .map(|f| {
            let facts = &f["metadata"];
            (facts["delta.columnMapping.id"].as_i64().unwrap(), facts["delta.columnMapping.physicalName"].as_str().unwrap().to_owned())
        })
        .collect()
}

// spec: CM-4, CM-5, CM-1
#[tokio::test]
async fn mapped_tables_are_made_grown_and_read_back_in_both_modes() {
    for mode in ["name", "id"] {
        let place = Place::new();
        let columns = Struct::from_sql("id BIGINT, s STRING").unwrap();
        place.table().create(columns).partition_by(["s"]).property("delta.columnMapping.mode", mode).run().await.unwrap();
        let protocol = &place.actions(0, "protocol")[0];
        assert_eq!((&protocol["minReaderVersion"], &protocol["minWriterVersion"]), (&json!(2), &json!(7)));
        place.append(ids(&[1, 2])).run().await.unwrap();

        let first = mapping_of(&place.actions(0, "metaData")[0]);
        let more = RecordBatch::try_from_iter([
            ("id", Arc::new(Int64Array::from(vec![3])) as ArrayRef),
            ("more columns, oddly named", Arc::new(Int64Array::from(vec![33]))),
        ]);
        place.append(more.unwrap()).merge_schema().run().await.unwrap();
        let grown = &place.actions(2, "metaData")[0];
        let second = mapping_of(grown);
        assert_eq!(second[..2], first[..], "{mode}: columns keep ids and names");
        assert!(second[2].0 == 3 && second[2].1.starts_with("col-"), "{second:?}");
        assert_eq!(grown["configuration"]["delta.columnMapping.maxColumnId"], "3");

        let add = &place.actions(1, "add")[0];
        assert!(add["partitionValues"].as_object().unwrap().contains_key(&first[1].1), "{add}");
        assert!(add["stats"].as_str().unwrap().contains(&first[0].1), "{add}");
        assert!(!add["path"].as_str().unwrap().contains('='), "{add}");
        assert_eq!(place.longs("id").await, [Some(1), Some(2), Some(3)]);
        assert_eq!(place.longs("more columns, oddly named").await, [None, None, Some(33)]);
        assert_eq!(place.rows().await.column_by_name("s").unwrap().null_count(), 1);

        place.append(ids(&[9])).mode(SaveMode::Overwrite).overwrite_schema().run().await.unwrap();
        let third = mapping_of(&place.actions(3, "metaData")[0]);
        assert_eq!(third, first, "{mode}: what stays the same column keeps its id and name");
        assert_eq!(place.longs("id").await, [Some(9)]);
    }
}

// spec: ICT-1, ICT-3
#[tokio::test]
async fn in_commit_timestamps_rise_from_the_first_commit() {
    let place = Place::new();
    let columns = Struct::from_sql("id BIGINT, s STRING").unwrap();
    place.table().create(columns).property("delta.enableInCommitTimestamps", "true").run().await.unwrap();
    for n in 0..5 {
        place.append(ids(&[n])).run().await.unwrap();
    }
    let times: Vec<i64> = (0..6).map(|v| place.actions(v, "commitInfo")[0]["inCommitTimestamp"].as_i64().unwrap()).collect();
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
    let configuration = &place.actions(0, "metaData")[0]["configuration"];
    assert_eq!(configuration, &json!({"delta.enableInCommitTimestamps": "true"}), "on from the start: nothing to record");
    let history = place.table().snapshot().await.unwrap();
    assert_eq!(history.version().0, 5);
}

// spec: FEA-12, FEA-13
#[tokio::test]
async fn new_tables_get_the_protocols_that_spark_gives_them() {
    let sorted = |list: &Value| {
        let mut names: Vec<String> = list.as_array().into_iter().flatten().map(|n| n.as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    for (columns, property, reader, readers, more) in [
        ("id BIGINT", None, 1, vec![], None),
        ("id BIGINT NOT NULL, s STRING", Some(("delta.appendOnly", "true")), 1, vec![], None),
        ("id BIGINT", Some(("delta.enableDeletionVectors", "true")), 3, vec!["deletionVectors"], Some("deletionVectors")),
        ("id BIGINT", Some(("delta.checkpointPolicy", "v2")), 3, vec!["v2Checkpoint"], Some("v2Checkpoint")),
        ("id BIGINT", Some(("delta.enableInCommitTimestamps", "true")), 1, vec![], Some("inCommitTimestamp")),
        ("id BIGINT", Some(("delta.columnMapping.mode", "name")), 2, vec![], Some("columnMapping")),
        ("id BIGINT", Some(("delta.columnMapping.mode", "id")), 2, vec![], Some("columnMapping")),
        ("t TIMESTAMP_NTZ", None, 3, vec!["timestampNtz"], Some("timestampNtz")),
        (
            "id BIGINT",
            Some(("delta.feature.vacuumProtocolCheck", "supported")),
            3,
            vec!["vacuumProtocolCheck"],
            Some("vacuumProtocolCheck"),
        ),
        ("id BIGINT", Some(("delta.feature.domainMetadata", "supported")), 1, vec![], Some("domainMetadata")),
    ] {
        let place = Place::new();
        let create = place.table().create(Struct::from_sql(columns).unwrap());
        match property {
            Some((key, value)) => create.property(key, value),
            None => create,
        }
        .run()
        .await
        .unwrap();
        let protocol = &place.actions(0, "protocol")[0];
        let Some(feature) = more else {
            assert_eq!(protocol, &versions(1, 2), "{property:?}");
            continue;
        };
        let mut writers = ["appendOnly", "invariants", feature];
        writers.sort_unstable();
        assert_eq!((&protocol["minReaderVersion"], &protocol["minWriterVersion"]), (&json!(reader), &json!(7)), "{property:?}");
        assert_eq!(
            (sorted(&protocol["readerFeatures"]), sorted(&protocol["writerFeatures"])),
            (readers.iter().map(|n| (*n).to_owned()).collect(), writers.iter().map(|n| (*n).to_owned()).collect(),)
        );
    }
}

// spec: FEA-15, FEA-21
#[tokio::test]
async fn properties_that_would_switch_on_what_is_not_built_are_refused_everywhere() {
    let exists = Place::new();
    exists.append(ids(&[1])).run().await.unwrap();
    for (key, value, feature) in [
        ("delta.enableIcebergWriterCompatV1", "true", "icebergWriterCompatV1"),
        ("delta.feature.catalogManaged", "supported", "catalogManaged"),
        ("delta.feature.futureThing", "supported", "futureThing"),
    ] {
        let fresh = Place::new();
        let made = fresh.table().create(Struct::from_sql("id BIGINT").unwrap()).property(key, value).run().await;
        let appended = fresh.append(ids(&[1])).property(key, value).run().await;
        let appended_again = exists.append(ids(&[2])).property(key, value).run().await;
        for result in [made, appended, appended_again] {
            let error = result.expect_err(key);
            assert_eq!(error.code(), Code::FEATURE_WRITE, "{error}");
            assert!(named(&error).split(", ").any(|name| name == feature), "{error}");
        }
        assert!(!fresh.path().join("_delta_log").exists(), "nothing was written");
    }
    assert_eq!(exists.append(ids(&[2])).property("delta.nonsense", "1").run().await.expect_err("unknown").code(), Code::PROPERTY);
    assert_eq!(exists.longs("id").await, [Some(1)]);
    let report = exists.append(ids(&[2])).property("delta.checkpointInterval", "5").run().await.unwrap();
    assert!(report.warnings.iter().any(|w| w.contains("delta.checkpointInterval")), "{:?}", report.warnings);
    assert!(exists.actions(1, "metaData").is_empty());
}

// spec: FEA-23
#[tokio::test]
async fn domains_that_are_not_ours_survive_appends_and_checkpoints() {
    let place = Place::with(listed(1, &[], &["domainMetadata"]), COLUMNS, json!({}));
    let log = place.path().join("_delta_log/00000000000000000000.json");
    let domain = json!({"domainMetadata": {"domain": "some.app", "configuration": "{\"a\":1}", "removed": false}});
    let text = std::fs::read_to_string(&log).unwrap();
    std::fs::write(&log, format!("{text}{domain}\n")).unwrap();
    appended(&place).await.unwrap();
    place.table().checkpoint().run().await.unwrap();
    std::fs::remove_file(&log).unwrap();
    let snapshot = place.table().snapshot().await.unwrap();
    assert_eq!(snapshot.state().domains().iter().map(|d| d.domain.as_str()).collect::<Vec<_>>(), ["some.app"]);
    assert_eq!(place.longs("id").await, [Some(1), Some(2)]);
}
