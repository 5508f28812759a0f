//! What vacuum keeps, refuses and records.

use super::row_changes::{ODD, Row, batch, rows};
use super::*;
use crate::support::aged::{Aged, HOUR};
use lakebed::{Clock, Code, Expr, SaveMode, Timestamp, VacuumPlan, Version};
use serde_json::json;
use std::time::Duration;

const DAY: u64 = 86_400;

fn row(id: i64, p: &str) -> Row {
    Row { id: Some(id), n: None, p: Some(p.to_owned()) }
}

/// A table with two versions of rows: those of 20 days ago were replaced 10 days ago.
async fn replaced(partition_by: &[&str], values: &[&str]) -> Aged {
    let place = Aged::new();
    place.go_to(20 * 24);
    let schema = columns(&[("id", DataType::Long), ("n", DataType::Long), ("p", DataType::String)]);
    place.table.create(schema).partition_by(partition_by.iter().copied()).run().await.unwrap();
    let all: Vec<Row> = values.iter().enumerate().map(|(i, p)| row(i as i64, p)).collect();
    append(&place.table, vec![batch(&all)]).run().await.unwrap();
    place.settle();
    place.go_to(10 * 24);
    append(&place.table, vec![batch(&all)]).mode(SaveMode::Overwrite).run().await.unwrap();
    place.settle();
    place
}

fn live(place: &Aged) -> Vec<String> {
    let removed: Vec<Value> = place.actions("remove").into_iter().map(|(_, r)| r["path"].clone()).collect();
    let adds = place.actions("add").into_iter().map(|(_, add)| add["path"].clone()).filter(|path| !removed.contains(path));
    adds.map(|path| percent_encoding::percent_decode_str(path.as_str().unwrap()).decode_utf8().unwrap().into_owned()).collect()
}

// spec: VAC-1, VAC-6
#[tokio::test]
async fn odd_partition_values_survive_and_what_was_removed_of_them_goes() {
    let mut values = ODD.to_vec();
    values.extend(["10:30:00", "a%3Ab", "100%", "x+y", "#", "?", "=", " ", "ü/ö"]);
    let place = replaced(&["p"], &values).await;
    let (table, before) = (place.now(), rows(&place.now()).await);
    let report = table.vacuum().run().await.unwrap();
    let deleted = report.actual.unwrap().amount("delete_tombstoned").count;
    assert_eq!((deleted, report.metrics["numDeletedFiles"].as_u64()), (values.len() as u64, Some(values.len() as u64)));
    let (mut left, mut live) = (place.objects(), live(&place));
    left.sort();
    live.sort();
    assert_eq!(left, live);
    assert_eq!(rows(&table).await, before);
}

// spec: VAC-7
#[tokio::test]
async fn a_listing_that_lacks_live_files_stops_vacuum() {
    let place = replaced(&["p"], &["a", "b:c"]).await;
    let lost = live(&place).into_iter().find(|path| path.contains("b%3Ac")).unwrap();
    let path = place.folder.path().join(&lost);
    // As a copy would leave it that has encoded the name once more.
    let encoded = place.folder.path().join(lost.replace('%', "%25"));
    std::fs::create_dir_all(encoded.parent().unwrap()).unwrap();
    std::fs::rename(&path, &encoded).unwrap();
    let objects = place.objects();
    let e = place.now().vacuum().run().await.unwrap_err();
    assert_eq!(e.code(), Code::VACUUM_UNSAFE);
    assert!(e.context().iter().any(|(key, value)| *key == "path" && *value == lost), "{e}");
    assert_eq!(place.objects(), objects);
    assert!(place.actions("commitInfo").iter().all(|(_, info)| !info["operation"].as_str().unwrap().starts_with("VACUUM")));
}

// spec: VAC-6
#[tokio::test]
async fn every_spelling_of_the_location_means_the_same_files() {
    for spelling in 0..4 {
        let place = replaced(&[], &["a"]).await;
        place.plant("orphan.parquet", 9 * 24);
        let path = place.folder.path().to_str().unwrap().to_owned();
        let link = tempfile::tempdir().unwrap();
        let location = match spelling {
            0 => format!("{path}/"),
            1 => format!("file://{path}"),
            2 => format!("{path}/../{}", place.folder.path().file_name().unwrap().to_str().unwrap()),
            _ => {
                // The live file is named by its real place, the table is opened through a link to it.
                let link = link.path().join("t");
                std::os::unix::fs::symlink(place.folder.path(), &link).unwrap();
                let (version, mut add) = place.actions("add").pop().unwrap();
                let real = std::fs::canonicalize(place.folder.path()).unwrap();
                add["path"] = format!("file:{}/{}", real.display(), add["path"].as_str().unwrap()).into();
                let others: Vec<Value> = place.actions("remove").into_iter().map(|(_, r)| json!({"remove": r})).collect();
                place.commit(version, &[vec![json!({"add": add})], others].concat());
                link.to_str().unwrap().to_owned()
            }
        };
        let table = Table::at(&location).open().unwrap();
        let before = rows(&table).await;
        let report = table.vacuum().run().await.unwrap();
        assert_eq!(report.metrics["numDeletedFiles"], 2, "{location}");
        assert_eq!((place.objects().len(), rows(&table).await), (1, before), "{location}");
    }
}

// spec: VAC-8
#[tokio::test]
async fn hidden_names_stay_unless_they_are_partitions_or_change_data() {
    let place = replaced(&["p"], &["a"]).await;
    let stay = ["_hidden/f.parquet", ".part", "a/_x/f", "_delta_log/note.txt"];
    let go = ["_change_data/cdc-1.parquet", "p=_b/f", "plain", "_delta_index/f"];
    stay.iter().chain(&go).for_each(|name| place.plant(name, 30 * 24));
    place.now().vacuum().run().await.unwrap();
    assert!(stay.iter().all(|name| place.has(name)) && !go.iter().any(|name| place.has(name)), "{:?}", place.objects());

    let place = Aged::new();
    place.go_to(20 * 24);
    let schema = columns(&[("id", DataType::Long), ("_p", DataType::String)]);
    place.table.create(schema).partition_by(["_p"]).run().await.unwrap();
    place.settle();
    place.plant("_p=1/f.parquet", 30 * 24);
    place.plant("_q=1/f.parquet", 30 * 24);
    place.now().vacuum().run().await.unwrap();
    assert_eq!((place.has("_p=1/f.parquet"), place.has("_q=1/f.parquet")), (false, true));
}

// spec: VAC-5, VAC-9
#[tokio::test]
async fn a_retention_below_the_tables_own_is_refused_and_unnamed_files_have_a_grace() {
    let place = replaced(&[], &["a"]).await;
    for (name, hours) in [("now", 0), ("half", 0), ("two", 2), ("twenty", 20), ("thirty", 30)] {
        place.plant(name, hours);
    }
    let table = place.now();
    let span = |hours: u64| Duration::from_secs(hours * 3_600);
    let e = table.vacuum().retain(span(167)).plan().await.unwrap_err();
    assert_eq!(e.code(), Code::RETENTION);
    let going = |plan: &VacuumPlan| plan.files().iter().map(|f| f.path.clone()).filter(|p| !p.ends_with(".parquet")).collect::<Vec<_>>();
    let none: Vec<String> = Vec::new();
    assert_eq!(going(&table.vacuum().retain(span(168)).plan().await.unwrap()), none);
    let short = table.vacuum().retain(span(0)).allow_short_retention().plan().await.unwrap();
    assert_eq!(going(&short), ["thirty", "twenty", "two"]);
    assert_eq!(short.kept()["young"].count, 2);
    let alone = table.vacuum().retain(span(0)).no_other_writers().plan().await.unwrap();
    assert_eq!(going(&alone), ["half", "now", "thirty", "twenty", "two"]);
    let property = ("delta.deletedFileRetentionDuration".to_owned(), "interval 1 hour".to_owned());
    table.alter(lakebed::Alteration::SetProperties([property].into())).run().await.unwrap();
    assert_eq!(going(&table.vacuum().plan().await.unwrap()), ["thirty"], "a day, however short the retention");
}

#[derive(Debug)]
struct Ahead;

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        Timestamp(Env::system().now().millis() + 30 * 24 * HOUR)
    }
    fn sleep(&self, duration: Duration) -> futures::future::BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

// spec: VAC-10
#[tokio::test]
async fn the_stores_clock_decides_and_not_the_local_one() {
    let place = place();
    append_ids(&place.table, &[1]).await.unwrap();
    place.table.delete().run().await.unwrap();
    std::fs::write(place.folder.path().join("orphan"), "x").unwrap();
    let skewed = Table::at(place.folder.path().to_str().unwrap()).env(Env::system().with_clock(Arc::new(Ahead))).open().unwrap();
    let plan = skewed.vacuum().plan().await.unwrap();
    assert_eq!((plan.files(), plan.kept()["retained"].count, plan.kept()["young"].count), (&[][..], 1, 1));
}

// spec: VAC-3
#[tokio::test]
async fn a_vector_file_that_one_of_its_files_still_needs_stays() {
    let place = Aged::new();
    place.go_to(20 * 24);
    let schema = columns(&[("id", DataType::Long), ("n", DataType::Long), ("p", DataType::String)]);
    place.table.create(schema).partition_by(["p"]).property("delta.enableDeletionVectors", "true").run().await.unwrap();
    append(&place.table, vec![batch(&(0..8).map(|i| row(i, ["a", "b"][i as usize % 2])).collect::<Vec<_>>())]).run().await.unwrap();
    place.table.delete().filter(Expr::sql("id < 2").unwrap()).run().await.unwrap();
    // One file of both partitions' vectors, of which only that of `b` is needed afterwards.
    place.table.delete().filter(Expr::sql("p = 'a'").unwrap()).run().await.unwrap();
    place.settle();
    let vectors = || place.objects().into_iter().filter(|name| name.ends_with(".bin")).count();
    assert_eq!(vectors(), 1);
    let before = rows(&place.now()).await;
    assert_eq!(place.now().vacuum().run().await.unwrap().metrics["numDeletedFiles"], 1);
    assert_eq!((vectors(), rows(&place.now()).await), (1, before));
    place.go_to(10 * 24);
    place.table.delete().run().await.unwrap();
    place.settle();
    place.now().vacuum().run().await.unwrap();
    assert_eq!(place.objects(), Vec::<String>::new());
}

// spec: VAC-11
#[tokio::test]
async fn a_named_clone_keeps_its_files_and_a_table_inside_is_left_alone() {
    let place = replaced(&[], &["a"]).await;
    let old = place.actions("remove").pop().unwrap().1;
    let elsewhere = tempfile::tempdir().unwrap();
    let (protocol, metadata) = (place.actions("protocol").pop().unwrap().1, place.actions("metaData").pop().unwrap().1);
    let path = format!("file:{}/{}", place.folder.path().display(), old["path"].as_str().unwrap());
    let add = json!({"add": {"path": path, "partitionValues": {}, "size": old["size"], "modificationTime": 1, "dataChange": true}});
    let body = format!("{}\n{}\n{add}\n", json!({"protocol": protocol}), json!({"metaData": metadata}));
    std::fs::create_dir_all(elsewhere.path().join("_delta_log")).unwrap();
    std::fs::write(elsewhere.path().join("_delta_log/00000000000000000000.json"), body).unwrap();
    let clone = Table::at(elsewhere.path().to_str().unwrap()).open().unwrap();
    for name in ["inner/_delta_log/00000000000000000000.json", "inner/A.parquet", "inner/x/y.parquet", "innermost"] {
        place.plant(name, 30 * 24);
    }
    let plan = place.now().vacuum().keep_for(clone).plan().await.unwrap();
    assert_eq!(plan.files().iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), ["innermost"]);
    assert_eq!((plan.kept()["cloned"].count, plan.kept()["other_table"].count), (1, 2));
    assert_eq!(place.now().vacuum().plan().await.unwrap().files().len(), 2);
}

// spec: VAC-12
#[tokio::test]
async fn a_table_with_features_that_are_not_known_is_not_vacuumed() {
    let place = replaced(&[], &["a"]).await;
    let protocol = json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": ["appendOnly", "unheardOf"]}});
    place.commit(3, &[protocol]);
    assert_eq!(place.now().vacuum().run().await.unwrap_err().code(), Code::FEATURE_WRITE);
    assert_eq!(place.objects().len(), 2);
}

// spec: VAC-13, VAC-14
#[tokio::test]
async fn a_file_that_came_back_after_the_plan_stops_its_execution_and_is_planned_anew() {
    let place = replaced(&[], &["a"]).await;
    place.plant("orphan", 9 * 24);
    let plan = place.now().vacuum().plan().await.unwrap();
    let plan: VacuumPlan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    let remove = place.actions("remove").pop().unwrap().1;
    let back =
        json!({"add": {"path": remove["path"], "partitionValues": {}, "size": remove["size"], "modificationTime": 1, "dataChange": true}});
    place.commit(3, &[json!({"commitInfo": {"operation": "RESTORE"}}), back]);
    let e = plan.clone().execute(&place.now()).await.unwrap_err();
    assert_eq!((e.code(), place.objects().len()), (Code::VACUUM_UNSAFE, 3));
    let report = place.now().vacuum().run().await.unwrap();
    assert_eq!((&report.metrics["numDeletedFiles"], place.objects().len()), (&json!(1), 2));
    assert_eq!(rows(&place.now()).await.len(), 2);

    let other = replaced(&[], &["a"]).await;
    assert_eq!(plan.execute(&other.now()).await.unwrap_err().code(), Code::INPUT, "a plan is for one table");
    let plan = other.now().vacuum().plan().await.unwrap();
    let hostile = serde_json::to_string(&plan).unwrap().replace(&plan.files()[0].path, "_delta_log/00000000000000000000.json");
    let hostile: VacuumPlan = serde_json::from_str(&hostile).unwrap();
    assert_eq!(hostile.execute(&other.now()).await.unwrap_err().code(), Code::VACUUM_UNSAFE);
}

// spec: VAC-15
#[tokio::test]
async fn start_and_end_are_recorded_as_spark_records_them() {
    let place = replaced(&[], &["a"]).await;
    let report = place.now().vacuum().retain(Duration::from_secs(8 * DAY)).run().await.unwrap();
    assert_eq!((report.version, report.operation.as_str()), (Some(Version(4)), "VACUUM"));
    let infos: Vec<Value> = place.actions("commitInfo").into_iter().skip(3).map(|(_, info)| info).collect();
    let size = place.actions("remove")[0].1["size"].to_string();
    let parameters = json!({"retentionCheckEnabled": true, "defaultRetentionMillis": 604_800_000, "specifiedRetentionMillis": 691_200_000});
    assert_eq!((&infos[0]["operation"], &infos[0]["operationParameters"]), (&json!("VACUUM START"), &parameters));
    assert_eq!(infos[0]["operationMetrics"], json!({"numFilesToDelete": "1", "sizeOfDataToDelete": size}));
    assert_eq!((&infos[1]["operation"], &infos[1]["operationParameters"]), (&json!("VACUUM END"), &json!({"status": "COMPLETED"})));
    assert_eq!(infos[1]["operationMetrics"], json!({"numDeletedFiles": "1", "numVacuumedDirectories": "1"}));
    for info in &infos {
        assert_eq!((&info["isolationLevel"], &info["isBlindAppend"]), (&json!("SnapshotIsolation"), &json!(true)));
    }
    let again = place.now().vacuum().run().await.unwrap();
    assert_eq!((again.version, place.actions("commitInfo").len()), (None, 5), "nothing to do is not worth a commit");
}

// spec: VAC-16
#[tokio::test]
async fn lite_takes_what_the_log_removed_and_goes_on_where_it_ended() {
    let place = replaced(&[], &["a"]).await;
    place.plant("orphan", 9 * 24);
    place.go_to(9 * 24);
    place.table.delete().run().await.unwrap();
    place.settle();
    place.go_to(2);
    append(&place.table, vec![batch(&[row(7, "x")])]).run().await.unwrap();
    place.settle();
    let report = place.now().vacuum().lite().run().await.unwrap();
    assert_eq!((&report.metrics["numDeletedFiles"], as_planned(&report).list), (&json!(2), 5), "the log alone is listed");
    assert!(place.has("orphan"));
    let noted = place.folder.path().join("_delta_log/_last_vacuum_info");
    assert_eq!(std::fs::read_to_string(&noted).unwrap(), r#"{"latestCommitVersionOutsideOfRetentionWindow":3}"#);
    // A run that finds nothing notes how far it came, too.
    let short = place.now().vacuum().lite().retain(Duration::from_secs(3600)).allow_short_retention();
    assert_eq!(short.run().await.unwrap().version, None);
    assert_eq!(std::fs::read_to_string(&noted).unwrap(), r#"{"latestCommitVersionOutsideOfRetentionWindow":4}"#);
    // A later run goes on from there: commits that were looked at may be gone, others may not.
    for version in 0..=1 {
        place.now().checkpoint().run().await.unwrap();
        std::fs::remove_file(place.folder.path().join(format!("_delta_log/{version:020}.json"))).unwrap();
    }
    assert_eq!(place.now().vacuum().lite().run().await.unwrap().version, None);
    std::fs::write(&noted, "{}").unwrap();
    assert_eq!(place.now().vacuum().lite().plan().await.unwrap_err().code(), Code::VERSION);
    assert_eq!(rows(&place.now()).await, [row(7, "x")]);
}

// spec: VAC-17
#[tokio::test]
async fn an_inventory_stands_in_for_the_listing() {
    let place = replaced(&["p"], &["a b", "c"]).await;
    place.plant("listed%41", 9 * 24);
    place.plant("unlisted", 9 * 24);
    let root = place.folder.path().to_str().unwrap();
    let mut listed: Vec<(String, bool)> = live(&place).into_iter().map(|name| (format!("file:{root}/{name}"), false)).collect();
    listed.extend([
        (format!("file://{root}/listed%41"), false),
        (format!("file:{root}/p=c"), true),
        ("s3://other/unlisted".to_owned(), false),
    ]);
    let rows_of = |listed: &[(String, bool)]| {
        let batch = RecordBatch::try_from_iter([
            ("PATH", Arc::new(StringArray::from_iter_values(listed.iter().map(|l| &l.0))) as ArrayRef),
            ("length", Arc::new(Int64Array::from_iter_values(listed.iter().map(|_| 3)))),
            ("isDir", Arc::new(arrow::array::BooleanArray::from_iter(listed.iter().map(|l| Some(l.1))))),
            ("modificationTime", Arc::new(Int64Array::from_iter_values(listed.iter().map(|_| 5)))),
        ]);
        futures::stream::iter([Ok(batch.unwrap())]).boxed()
    };
    let report = place.now().vacuum().inventory(rows_of(&listed)).run().await.unwrap();
    assert_eq!(report.metrics["numDeletedFiles"], 1);
    assert_eq!((place.has("listed%41"), place.has("unlisted"), place.objects().len()), (false, true, 5));
    // Not one live file in it: it is of another table, or spells names otherwise.
    let e = place.now().vacuum().inventory(rows_of(&[(format!("file:{root}/unlisted"), false)])).run().await.unwrap_err();
    assert_eq!(e.code(), Code::VACUUM_UNSAFE);
    let no_time = RecordBatch::try_from_iter([("path", Arc::new(StringArray::from(vec!["x"])) as ArrayRef)]).unwrap();
    let e = place.now().vacuum().inventory(futures::stream::iter([Ok(no_time)]).boxed()).run().await.unwrap_err();
    assert_eq!(e.code(), Code::INPUT);
}

// spec: VAC-11, VAC-17
#[tokio::test]
async fn an_inventory_of_data_files_alone_takes_nothing_of_a_table_inside() {
    let place = replaced(&["p"], &["a"]).await;
    for name in ["x/y/old.parquet", "x/inner/p=1/b.parquet", "x/inner/a.parquet", "x/inner/_delta_log/00000000000000000000.json"] {
        place.plant(name, 9 * 24);
    }
    let names: Vec<String> = place.objects().into_iter().filter(|name| name.ends_with(".parquet")).collect();
    let batch = RecordBatch::try_from_iter([
        ("path", Arc::new(StringArray::from_iter_values(&names)) as ArrayRef),
        ("length", Arc::new(Int64Array::from_iter_values(names.iter().map(|_| 3)))),
        ("isDir", Arc::new(arrow::array::BooleanArray::from_iter(names.iter().map(|_| Some(false))))),
        ("modificationTime", Arc::new(Int64Array::from_iter_values(names.iter().map(|_| 5)))),
    ]);
    let inventory = || futures::stream::iter([Ok(batch.as_ref().unwrap().clone())]).boxed();
    let plan = place.now().vacuum().inventory(inventory()).plan().await.unwrap();
    assert_eq!(plan.kept()["other_table"].count, 2);
    let report = place.now().vacuum().inventory(inventory()).run().await.unwrap();
    // The file that was replaced, and the one beside the table inside.
    assert_eq!(report.metrics["numDeletedFiles"], 2);
    assert!(!place.has("x/y/old.parquet") && place.has("x/inner/a.parquet") && place.has("x/inner/p=1/b.parquet"));
}

// spec: VAC-18
#[tokio::test]
async fn nothing_behind_a_link_is_listed_or_deleted() {
    let place = replaced(&["p"], &["a"]).await;
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("f.parquet"), "x").unwrap();
    std::fs::create_dir_all(place.folder.path().join("old")).unwrap();
    std::os::unix::fs::symlink(outside.path(), place.folder.path().join("way")).unwrap();
    // A second name of a folder with a live file: deleted under this name, it would be gone under the other.
    std::os::unix::fs::symlink(place.folder.path().join("p=a"), place.folder.path().join("alias")).unwrap();
    let before = rows(&place.now()).await;
    assert_eq!(place.now().vacuum().run().await.unwrap().metrics["numDeletedFiles"], 1);
    assert!(outside.path().join("f.parquet").exists());
    assert_eq!(rows(&place.now()).await, before);
    let live = live(&place).pop().unwrap().replace("p=a/", "alias/");
    let row = RecordBatch::try_from_iter([
        ("path", Arc::new(StringArray::from(vec![live.as_str(), "p=a/../x", &self::live(&place)[0]])) as ArrayRef),
        ("length", Arc::new(Int64Array::from(vec![1, 1, 1]))),
        ("isDir", Arc::new(arrow::array::BooleanArray::from(vec![false, false, false]))),
        ("modificationTime", Arc::new(Int64Array::from(vec![5, i64::MAX, 5]))),
    ]);
    let inventory = futures::stream::iter([Ok(row.unwrap())]).boxed();
    assert_eq!(place.now().vacuum().inventory(inventory).run().await.unwrap_err().code(), Code::PATH);
    assert_eq!(rows(&place.now()).await, before);
}

// spec: VAC-14
#[tokio::test]
async fn a_run_that_died_is_finished_by_the_next() {
    let place = replaced(&["p"], &["a", "b", "c", "d"]).await;
    let plan = place.now().vacuum().plan().await.unwrap();
    let start = json!({"commitInfo": {"operation": "VACUUM START", "operationParameters": {}, "operationMetrics": {}}});
    place.commit(3, &[start]);
    for file in plan.files().iter().step_by(2) {
        std::fs::remove_file(place.folder.path().join(&file.path)).unwrap();
    }
    place.plant(".lakebed-0123456789abcdef0123456789abcdef.tmp", 9 * 24);
    place.plant("_delta_log/.lakebed-0123456789abcdef0123456789abcdea.tmp", 9 * 24);
    place.plant("_lakebed_probe_0123456789abcdef0123456789abcdef", 9 * 24);
    let before = rows(&place.now()).await;
    let old = plan.execute(&place.now()).await.unwrap();
    assert_eq!(old.metrics["numDeletedFiles"], 2, "what is gone already is no failure");
    let report = place.now().vacuum().run().await.unwrap();
    assert_eq!(report.actual.unwrap().amount("delete_leftover").count, 3);
    assert_eq!((place.objects().len(), rows(&place.now()).await), (4, before));
    assert_eq!(place.now().vacuum().run().await.unwrap().version, None);
}

// spec: VAC-19
#[tokio::test]
async fn a_plan_holds_no_more_than_its_share_of_memory_and_the_next_run_takes_the_rest() {
    let place = replaced(&[], &["a"]).await;
    for i in 0..100 {
        place.plant(&format!("orphan-{i:04}"), 9 * 24);
    }
    let env = Env::system().with_memory_limit(16 << 10);
    let table = Table::at(place.folder.path().to_str().unwrap()).env(env).open().unwrap();
    let plan = table.vacuum().plan().await.unwrap();
    assert!(plan.kept()["next_run"].count > 0 && !plan.files().is_empty() && !plan.warnings().is_empty());
    for _ in 0..20 {
        if table.vacuum().run().await.unwrap().version.is_none() {
            break;
        }
    }
    assert_eq!(place.objects(), live(&place));
}

// spec: VAC-16, VAC-19
#[tokio::test]
async fn the_paths_of_a_lite_vacuum_are_bounded_while_they_are_read() {
    let removed = |count: usize| {
        let place = Aged::new();
        place.go_to(20 * 24);
        let at = place.clock();
        let lines: Vec<Value> = (0..count)
            .map(|i| json!({"remove": {"path": format!("f-{i:05}"), "deletionTimestamp": at, "dataChange": true, "size": 1}}))
            .collect();
        (place, lines)
    };
    for (count, fits) in [(300, true), (6_000, false)] {
        let (place, lines) = removed(count);
        place.go_to(20 * 24);
        place.table.create(columns(&[("id", DataType::Long)])).run().await.unwrap();
        place.commit(1, &lines);
        place.settle();
        // A checkpoint of today has forgotten them, the log has not.
        place.now().checkpoint().run().await.unwrap();
        let env = Env::system().with_memory_limit(32 << 10);
        let table = Table::at(place.folder.path().to_str().unwrap()).env(env).open().unwrap();
        let plan = table.vacuum().lite().plan().await;
        match fits {
            true => {
                let plan = plan.unwrap();
                assert_eq!(plan.files().len() as u64 + plan.kept()["next_run"].count, count as u64);
                assert!(!plan.files().is_empty() && !plan.warnings().is_empty());
            }
            false => assert_eq!(plan.unwrap_err().code(), Code::LIMIT),
        }
    }
}

/// Proves that a run took the requests that its plan says, and gives them.
fn as_planned(report: &lakebed::Report) -> lakebed::Requests {
    let (planned, actual) = (report.planned.as_ref().unwrap(), report.actual.as_ref().unwrap());
    assert_eq!(planned.requests, actual.requests);
    let (told, done) = (planned.bytes_written, actual.bytes_written);
    assert!(told.abs_diff(done) * 4 <= done, "{told} bytes planned, {done} written");
    assert!(planned.bytes_read.abs_diff(actual.bytes_read) < 1_000, "{} planned, {} read", planned.bytes_read, actual.bytes_read);
    planned.requests
}

// spec: VAC-13, PLN-2
#[tokio::test]
async fn a_vacuum_takes_the_requests_that_its_plan_says() {
    for orphans in [0, 1, 15, 16, 17, 40] {
        let place = replaced(&["p"], &["a", "b"]).await;
        (0..orphans).for_each(|i| place.plant(&format!("orphan-{i}"), 9 * 24));
        let plan = place.now().vacuum().plan().await.unwrap();
        let report = place.now().vacuum().run().await.unwrap();
        assert_eq!(report.planned.as_ref(), Some(plan.summary()));
        // One more is the object that told the store's time.
        assert_eq!((as_planned(&report).delete, report.details["kept"]["live"]["count"].as_u64()), (orphans + 3, Some(2)));
        as_planned(&place.now().vacuum().run().await.unwrap());
    }
}
