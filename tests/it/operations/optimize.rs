//! Laying files out anew: what is joined, what stays, what others did meanwhile.

use super::row_changes::{Row, batch, made, rows};
use super::*;
use crate::support::row_names::named;
use crate::support::stores::{Faulty, Kind};
use futures::TryStreamExt;
use lakebed::{Alteration, At, Code, Expr, OptimizePlan, PathLogStore, RewrittenPlan, TableRoot, Version};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use serde_json::json;

const VECTORS: (&str, &str) = ("delta.enableDeletionVectors", "true");
const ROW_IDS: (&str, &str) = ("delta.enableRowTracking", "true");

fn sql(text: &str) -> Expr {
    Expr::sql(text).unwrap()
}

fn row(id: i64, p: &str) -> Row {
    Row { id: Some(id), n: Some(id % 7), p: Some(p.to_owned()) }
}

/// A commit with one file of each partition for these ids.
async fn add(place: &Place, ids: impl IntoIterator<Item = i64>, p: &str) {
    let rows: Vec<Row> = ids.into_iter().map(|id| row(id, p)).collect();
    append(&place.table, vec![batch(&rows)]).run().await.unwrap();
}

async fn live(place: &Place) -> usize {
    let mut tasks = place.table.snapshot().await.unwrap().scan().build().unwrap().tasks();
    let mut files = 0;
    while tasks.try_next().await.unwrap().is_some() {
        files += 1;
    }
    files
}

// spec: OPT-1, OPT-2, OPT-3, OPT-9
#[tokio::test]
async fn small_files_are_joined_by_partition_and_a_second_run_finds_nothing() {
    let place = made(&["p"], &[]).await;
    for i in 0..4 {
        add(&place, [i * 10, i * 10 + 1], "a b").await;
        add(&place, [i * 10 + 5], "ü/%").await;
    }
    add(&place, [1000], "alone").await;
    let before = rows(&place.table).await;
    let report = place.table.optimize().user_metadata("night").run().await.unwrap();
    assert_eq!((report.version, report.operation.as_str(), report.attempts), (Some(Version(10)), "OPTIMIZE", 1));
    assert_eq!((&report.metrics["numRemovedFiles"], &report.metrics["numAddedFiles"]), (&json!(8), &json!(2)));
    assert_eq!(rows(&place.table).await, before);
    let info = &place.actions(10, "commitInfo")[0];
    assert_eq!(info["operationParameters"], json!({"predicate": "[]", "zOrderBy": "[]", "clusterBy": "[]", "auto": false}));
    assert_eq!(
        (&info["isolationLevel"], &info["isBlindAppend"], &info["userMetadata"]),
        (&json!("SnapshotIsolation"), &json!(false), &json!("night"))
    );
    for key in [
        "numRemovedBytes",
        "numAddedBytes",
        "minFileSize",
        "p25FileSize",
        "p50FileSize",
        "p75FileSize",
        "maxFileSize",
        "numDeletionVectorsRemoved",
    ] {
        assert!(info["operationMetrics"][key].is_string(), "{key}");
    }
    let (adds, removes) = (place.actions(10, "add"), place.actions(10, "remove"));
    assert!(adds.iter().chain(&removes).all(|a| a["dataChange"] == json!(false)));
    assert!(
        adds.iter().all(|a| a["stats"].as_str().unwrap().contains("minValues") && a["tags"]["OPTIMIZE_TARGET_SIZE"] == json!("134217728"))
    );
    assert!(removes.iter().all(|r| r["extendedFileMetadata"] == json!(true) && r["partitionValues"]["p"].is_string()));
    let again = place.table.optimize().run().await.unwrap();
    assert_eq!((again.version, &again.metrics["numRemovedFiles"]), (None, &json!(0)));
    // One file more is no reason; two are, and the joined one is taken along.
    add(&place, [2000], "a b").await;
    assert_eq!(place.table.optimize().run().await.unwrap().version, None);
    add(&place, [2001], "a b").await;
    let report = place.table.optimize().run().await.unwrap();
    assert_eq!((&report.metrics["numRemovedFiles"], &report.metrics["numAddedFiles"]), (&json!(3), &json!(1)));
    assert_eq!(live(&place).await, 3);
}

// spec: OPT-3
#[tokio::test]
async fn random_files_come_to_rest_after_one_run() {
    let mut random = crate::support::random::Random::new(5);
    for round in 0..6 {
        let place = made(&["p"], &[VECTORS]).await;
        let target = 2_000 + random.below(30_000);
        for i in 0..12 {
            let many = 1 + random.below(600) as i64;
            add(&place, i * 1000..i * 1000 + many, ["x", "y"][(i % 2) as usize]).await;
        }
        place.table.delete().filter(sql(&format!("id % {} = 0", 2 + random.below(30)))).run().await.unwrap();
        let before = rows(&place.table).await;
        place.table.optimize().target_size(target).run().await.unwrap();
        assert_eq!(rows(&place.table).await, before, "round {round}");
        let plan = place.table.optimize().target_size(target).plan().await.unwrap();
        assert!(plan.groups().is_empty(), "round {round}: {:?}", plan.groups());
    }
}

// spec: OPT-5
#[tokio::test]
async fn filter_takes_partition_columns_alone() {
    let place = made(&["p"], &[]).await;
    for i in 0..2 {
        add(&place, [i], "a").await;
        add(&place, [i + 10], "b").await;
    }
    let report = place.table.optimize().filter(sql("p = 'a'")).run().await.unwrap();
    assert_eq!((&report.metrics["numRemovedFiles"], &report.metrics["numAddedFiles"]), (&json!(2), &json!(1)));
    let predicate = place.actions(5, "commitInfo")[0]["operationParameters"]["predicate"].to_string();
    assert!(predicate.contains("p = 'a'"), "{predicate}");
    let refused = place.table.optimize().filter(sql("p = 'b' AND id > 1")).run().await.unwrap_err();
    assert_eq!(refused.code(), Code::INPUT);
    assert!(refused.to_string().contains("id") && refused.next_step().unwrap_or_default().contains('p'), "{refused:?}");
    let flat = made(&[], &[]).await;
    assert_eq!(flat.table.optimize().filter(sql("id = 1")).run().await.unwrap_err().code(), Code::INPUT);
}

// spec: OPT-4, OPT-7
#[tokio::test]
async fn purge_writes_files_without_their_deleted_rows_and_rows_keep_their_names() {
    let place = made(&["p"], &[VECTORS, ROW_IDS]).await;
    add(&place, 0..50, "a").await;
    add(&place, 50..100, "a").await;
    add(&place, 100..150, "b").await;
    place.table.delete().filter(sql("id = 7 OR id = 120")).run().await.unwrap();
    let before = named(&place.table).await;
    let report = place.table.optimize().purge().run().await.unwrap();
    let info = &place.actions(5, "commitInfo")[0];
    assert_eq!((&info["operation"], &info["operationParameters"]), (&json!("REORG"), &json!({"predicate": "[]", "applyPurge": true})));
    assert_eq!((&info["tags"]["delta.rowTracking.preserved"], &report.metrics["numDeletionVectorsRemoved"]), (&json!("true"), &json!(2)));
    assert_eq!((&report.metrics["numRemovedFiles"], &report.metrics["numAddedFiles"]), (&json!(2), &json!(2)));
    assert_eq!(named(&place.table).await, before);
    assert!(place.actions(5, "remove").iter().all(|r| r["deletionVector"]["cardinality"] == json!(1)));
    assert_eq!(place.table.optimize().purge().run().await.unwrap().version, None);
    // Joining keeps the names too, also of rows that bring them along.
    add(&place, 150..160, "a").await;
    let before = named(&place.table).await;
    assert!(place.table.optimize().run().await.unwrap().version.is_some());
    assert_eq!(named(&place.table).await, before);
}

// spec: OPT-1
#[tokio::test]
async fn many_deleted_rows_are_a_reason_and_a_file_without_rows_goes() {
    let place = made(&[], &[VECTORS]).await;
    add(&place, 0..100, "x").await;
    place.table.delete().filter(sql("id < 20")).run().await.unwrap();
    let report = place.table.optimize().run().await.unwrap();
    assert_eq!((&report.metrics["numRemovedFiles"], &report.metrics["numAddedFiles"]), (&json!(1), &json!(1)));
    assert_eq!(rows(&place.table).await.len(), 80);
    // Feed and append-only tables are no obstacle: no row changes.
    place.set_property("delta.appendOnly", "true");
    add(&place, 200..210, "x").await;
    add(&place, 210..220, "x").await;
    assert!(place.table.optimize().run().await.unwrap().version.is_some());
}

// spec: OPT-8
#[tokio::test]
async fn plan_can_be_kept_split_and_carried_out_and_says_what_is_read() {
    let place = made(&["p"], &[]).await;
    for i in 0..3 {
        add(&place, i * 10..i * 10 + 5, "a").await;
        add(&place, i * 10 + 5..i * 10 + 9, "b").await;
    }
    let before = rows(&place.table).await;
    let plan = place.table.optimize().plan().await.unwrap();
    assert_eq!(place.versions(), 7, "a plan changes nothing");
    let text = serde_json::to_string(&plan).unwrap();
    let kept: OptimizePlan = serde_json::from_str(&text).unwrap();
    assert_eq!(kept, plan);
    let summary = kept.summary().clone();
    assert_eq!((summary.operation.as_str(), summary.read_version, summary.items.len()), ("OPTIMIZE", Some(Version(6)), 6));
    add(&place, [77], "a").await;
    let halves = kept.split();
    assert_eq!(halves.len(), 2);
    for half in halves {
        let report = place.table.optimize().execute(half).await.unwrap();
        let (planned, actual) = (report.planned.unwrap(), report.actual.unwrap());
        assert_eq!((planned.amount("remove"), planned.amount("add").count), (actual.amount("remove"), actual.amount("add").count));
        assert!(actual.bytes_read >= planned.bytes_read, "the commits of others are read besides");
    }
    assert_eq!(rows(&place.table).await.len(), before.len() + 1, "what was appended meanwhile stays");
    assert_eq!(live(&place).await, 3);
}

// spec: OPT-13
#[tokio::test]
async fn parts_that_are_rewritten_apart_are_committed_once() {
    let place = made(&["p"], &[VECTORS, ROW_IDS]).await;
    for i in 0..3 {
        for p in ["a", "b", "c"] {
            add(&place, i * 10..i * 10 + 5, p).await;
        }
    }
    let before = named(&place.table).await;
    let parts = place.table.optimize().plan().await.unwrap().split();
    let mut rewritten = Vec::new();
    for part in parts {
        // Another process: its part comes and its work goes as text.
        let part = serde_json::from_str(&serde_json::to_string(&part).unwrap()).unwrap();
        let elsewhere = Table::at(place.folder.path().to_str().unwrap()).open().unwrap();
        rewritten.push(serde_json::to_string(&elsewhere.optimize().rewrite(part).await.unwrap()).unwrap());
    }
    assert_eq!(place.versions(), 10, "nothing is committed yet");
    let parts = || rewritten.iter().map(|text| serde_json::from_str::<RewrittenPlan>(text).unwrap());
    let twice = place.table.optimize().commit(parts().chain(parts().take(1)).collect()).await.unwrap_err();
    assert_eq!(twice.code(), Code::INPUT);
    place.table.delete().filter(sql("id = 1 AND p = 'b'")).run().await.unwrap();
    let report = place.table.optimize().commit(parts().collect()).await.unwrap();
    assert_eq!((report.version, place.versions(), live(&place).await), (Some(Version(11)), 12, 3));
    let (planned, actual) = (report.planned.unwrap(), report.actual.unwrap());
    assert_eq!((planned.amount("remove"), actual.amount("add").count), (actual.amount("remove"), 3));
    assert!(actual.bytes_read >= planned.bytes_read && actual.requests.put >= planned.requests.put);
    let after = named(&place.table).await;
    let lost: Vec<_> = before.iter().filter(|row| !after.contains(row)).collect();
    assert_eq!((lost.len(), lost[0].0, after.len()), (1, 1, before.len() - 1), "the row that was deleted meanwhile, and no other");
    let stale = place.table.optimize().commit(parts().collect()).await;
    assert!(stale.is_err() || stale.unwrap().version.is_none(), "no part is committed twice");
    assert_eq!(named(&place.table).await, after);
}

// spec: OPT-10
#[tokio::test]
async fn work_is_committed_in_portions() {
    let place = made(&["p"], &[]).await;
    for p in ["a", "b", "c"] {
        add(&place, [1], p).await;
        add(&place, [2], p).await;
    }
    let before = rows(&place.table).await;
    let report = place.table.optimize().commit_bytes(1).run().await.unwrap();
    assert_eq!((report.version, report.attempts >= 3), (Some(Version(9)), true));
    for version in 7..=9 {
        assert_eq!((place.actions(version, "remove").len(), place.actions(version, "add").len()), (2, 1));
    }
    assert_eq!(report.metrics["numRemovedFiles"], 6);
    assert_eq!(rows(&place.table).await, before);
    let once = made(&["p"], &[]).await;
    for p in ["a", "a", "b", "b"] {
        add(&once, [1], p).await;
    }
    let report = once.table.optimize().commit_bytes(1).if_version(Version(4)).run().await.unwrap();
    assert_eq!(report.version, Some(Version(5)), "a run that may commit once commits once");
    assert_eq!(once.table.optimize().if_version(Version(4)).run().await.unwrap_err().code(), Code::CONFLICT);
}

// spec: OPT-6
#[tokio::test]
async fn rows_deleted_meanwhile_are_deleted_from_the_new_file() {
    let place = made(&[], &[VECTORS, ROW_IDS]).await;
    add(&place, 0..30, "x").await;
    place.table.delete().filter(sql("id IN (3, 4)")).run().await.unwrap();
    add(&place, 30..60, "x").await;
    let plan = place.table.optimize().plan().await.unwrap();
    let names = named(&place.table).await;
    // Three more rows go, of both files, in two commits; and rows come.
    place.table.delete().filter(sql("id IN (0, 29, 31)")).run().await.unwrap();
    place.table.delete().filter(sql("id = 5")).run().await.unwrap();
    add(&place, 60..61, "x").await;
    let report = place.table.optimize().execute(plan).await.unwrap();
    assert_eq!(report.version, Some(Version(7)));
    assert!(report.warnings.iter().any(|w| w.contains("4 rows were deleted")), "{:?}", report.warnings);
    let found: Vec<i64> = named(&place.table).await.into_iter().map(|n| n.0).collect();
    assert_eq!(found, (0..61).filter(|i| ![0, 3, 4, 5, 29, 31].contains(i)).collect::<Vec<_>>());
    let kept: Vec<_> = names.into_iter().filter(|n| ![0, 5, 29, 31].contains(&n.0)).collect();
    assert_eq!(named(&place.table).await.into_iter().filter(|n| n.0 < 60).collect::<Vec<_>>(), kept);
    let add = &place.actions(7, "add")[0];
    assert_eq!(add["deletionVector"]["cardinality"], json!(4));
    assert!(
        add["stats"].as_str().unwrap().contains("\"tightBounds\":false") && add["stats"].as_str().unwrap().contains("\"numRecords\":58")
    );
    assert!(place.actions(7, "remove").iter().all(|r| r["deletionVector"]["cardinality"].as_i64() >= Some(1)), "as the files stood then");
}

// spec: OPT-6
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_come_back_while_their_files_are_rewritten_are_in_the_new_file() {
    let memory: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let over = |store: Arc<dyn ObjectStore>| {
        let root = TableRoot::with_store("memory:///t/".parse().unwrap(), store, "t".into());
        Table::with_log(root.clone(), Arc::new(PathLogStore::new(root)), Env::system().with_threads(2))
    };
    let table = over(Arc::clone(&memory));
    table.create(columns(&[("id", DataType::Long), ("s", DataType::String)])).property(VECTORS.0, VECTORS.1).run().await.unwrap();
    for ids in [0..10, 10..20] {
        append_ids(&table, &ids.collect::<Vec<_>>()).await.unwrap();
    }
    // The commit loses to a deletion, is marked with it, and then loses to a restore that brings the rows back.
    let restored = table.clone();
    let racing = over(Faulty::new(memory, move |kind, key, before| {
        if kind == Kind::Create && key.ends_with("00000000000000000004.json") && before == 0 {
            let restore = restored.restore(At::Version(Version(2))).run();
            let report = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(restore)).unwrap();
            assert_eq!(report.version, Some(Version(4)));
        }
        None
    }));
    let plan = racing.optimize().plan().await.unwrap();
    table.delete().filter(sql("id IN (3, 13)")).run().await.unwrap();
    let report = racing.optimize().execute(plan).await.unwrap();
    assert_eq!(report.version, Some(Version(5)), "{:?}", report.warnings);
    let snapshot = table.snapshot().await.unwrap();
    let batches: Vec<RecordBatch> = snapshot.scan().columns(["id"]).build().unwrap().stream().try_collect().await.unwrap();
    let mut ids: Vec<i64> = batches.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..20).collect::<Vec<_>>());
    assert!(table.doctor().deep(true).run().await.unwrap().is_empty());
}

// spec: OPT-6
#[tokio::test]
async fn a_group_whose_files_were_rewritten_is_planned_anew_and_others_are_committed() {
    let place = made(&["p"], &[]).await;
    for p in ["a", "a", "a", "b", "b"] {
        let from = place.versions() as i64 * 10;
        add(&place, from..from + 5, p).await;
    }
    let plan = place.table.optimize().plan().await.unwrap();
    place.table.delete().filter(sql("id = 10")).run().await.unwrap();
    let before = rows(&place.table).await;
    let report = place.table.optimize().execute(plan).await.unwrap();
    assert!(report.warnings.iter().any(|w| w.contains("is gone") && w.contains("rewritten again")), "{:?}", report.warnings);
    assert_eq!(rows(&place.table).await, before);
    assert_eq!(live(&place).await, 3, "the two that are left of a, the joined ones of b, the file that the deletion made");
    assert_eq!(place.files(), place.named_files().len(), "nothing is left over");
}

// spec: OPT-6
#[tokio::test]
async fn a_table_that_was_altered_or_emptied_meanwhile_is_looked_at_anew() {
    let place = made(&[], &[]).await;
    add(&place, 0..5, "x").await;
    add(&place, 5..10, "x").await;
    let plan = place.table.optimize().plan().await.unwrap();
    let set = [("delta.appendOnly".to_owned(), "false".to_owned()), ("delta.dataSkippingNumIndexedCols".to_owned(), "1".to_owned())];
    place.table.alter(Alteration::SetProperties(set.into_iter().collect())).run().await.unwrap();
    let report = place.table.optimize().execute(plan.clone()).await.unwrap();
    assert!(report.warnings.iter().any(|w| w.contains("altered")), "{:?}", report.warnings);
    assert!(!place.actions(4, "add")[0]["stats"].as_str().unwrap().contains("\"n\""), "written as the table is now");
    let report = place.table.optimize().execute(plan).await.unwrap();
    assert_eq!(report.version, None, "the files are joined already: {:?}", report.warnings);
    assert_eq!(rows(&place.table).await.len(), 10);
    assert_eq!(place.files(), place.named_files().len());
}

// spec: OPT-7
#[tokio::test]
async fn a_file_that_lies_about_its_rows_stops_its_group_and_leaves_nothing() {
    let place = made(&[], &[]).await;
    add(&place, 0..5, "x").await;
    add(&place, 5..10, "x").await;
    let path = place.folder.path().join(format!("_delta_log/{:020}.json", 2));
    let text = std::fs::read_to_string(&path).unwrap().replace("\\\"numRecords\\\":5", "\\\"numRecords\\\":6");
    std::fs::write(&path, text).unwrap();
    let e = place.table.optimize().run().await.unwrap_err();
    assert_eq!(e.code(), Code::LOG_STATE, "{e:?}");
    assert_eq!((place.versions(), place.files()), (3, 2));
}

// spec: OPT-11
#[tokio::test]
async fn many_small_files_are_joined_after_the_commit_that_left_them() {
    for (key, value) in
        [("delta.autoOptimize.autoCompact", "true"), ("delta.autoOptimize.autoCompact", "auto"), ("delta.autoOptimize", "true")]
    {
        let place = made(&["p"], &[(key, value), ("delta.checkpointInterval", "1000")]).await;
        for i in 0..49 {
            add(&place, [i], "a").await;
        }
        add(&place, [1000], "b").await;
        assert_eq!(place.versions(), 51, "{key}");
        add(&place, [49], "a").await;
        assert_eq!(place.versions(), 53, "{key}");
        let info = &place.actions(52, "commitInfo")[0];
        assert_eq!((&info["operation"], &info["operationParameters"]["auto"]), (&json!("OPTIMIZE"), &json!(true)));
        assert_eq!((live(&place).await, rows(&place.table).await.len()), (2, 51));
        let report = place.table.delete().filter(sql("id = 3")).run().await.unwrap();
        assert!(report.warnings.is_empty() && place.versions() == 54);
    }
    let place = made(&[], &[("delta.autoOptimize.autoCompact", "false"), ("delta.checkpointInterval", "1000")]).await;
    for i in 0..51 {
        add(&place, [i], "a").await;
    }
    assert_eq!(place.versions(), 52);
}

// spec: OPT-11
#[tokio::test]
async fn a_joining_that_fails_warns_and_the_commit_stands() {
    let place = made(&[], &[("delta.autoOptimize.autoCompact", "true"), ("delta.checkpointInterval", "1000")]).await;
    for i in 0..49 {
        add(&place, [i], "a").await;
    }
    let damaged = place.named_files().into_iter().next().unwrap();
    std::fs::write(place.folder.path().join(damaged), b"gone").unwrap();
    let report = append(&place.table, vec![batch(&[row(99, "a")])]).run().await.unwrap();
    assert_eq!(report.version, Some(Version(50)));
    assert!(report.warnings.iter().any(|w| w.contains("the commit stands")), "{:?}", report.warnings);
}

// spec: OPT-12
#[tokio::test]
async fn optimized_writes_leave_one_file_a_partition() {
    let partitions: Vec<String> = (0..40).map(|p| format!("p{p}")).collect();
    let wide = |from: i64| batch(&(from..from + 400).map(|i| row(i, &partitions[(i * 7 % 40) as usize])).collect::<Vec<_>>());
    // Without it the rest is sorted as soon as rows come for a partition whose file had to be closed.
    for (value, files) in [("true", 40), ("false", 84)] {
        let place = made(&["p"], &[("delta.autoOptimize.optimizeWrite", value)]).await;
        let options = lakebed::WriteOptions { open_files_max: 1, ..Default::default() };
        let narrow: Vec<RecordBatch> = (0..100).map(|i| wide(0).slice(i * 4, 4)).collect();
        append(&place.table, narrow).write_options(options).run().await.unwrap();
        assert_eq!((place.actions(1, "add").len(), rows(&place.table).await.len()), (files, 400), "{value}");
    }
}
