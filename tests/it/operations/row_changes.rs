//! Deletes and updates on tables of every kind against a model: plain rows in a list.

use super::*;
use crate::support::random::{Random, seeds};
use futures::TryStreamExt;
use lakebed::{At, Expr, Version};
use serde_json::json;

/// A row of the tables here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub id: Option<i64>,
    pub n: Option<i64>,
    pub p: Option<String>,
}

/// Partition values that must survive being names of folders.
pub const ODD: &[&str] = &["a b", "x=y/z", "%41:?#&+", "é😀", "O'Hara \"q\"", "..", "__HIVE_DEFAULT_PARTITION"];

pub fn batch(rows: &[Row]) -> RecordBatch {
    let id = Int64Array::from_iter(rows.iter().map(|r| r.id));
    let n = Int64Array::from_iter(rows.iter().map(|r| r.n));
    let p = StringArray::from_iter(rows.iter().map(|r| r.p.as_deref()));
    RecordBatch::try_from_iter_with_nullable([
        ("id", Arc::new(id) as ArrayRef, true),
        ("n", Arc::new(n) as ArrayRef, true),
        ("p", Arc::new(p) as ArrayRef, true),
    ])
    .unwrap()
}

/// Every row of the newest version, sorted.
pub async fn rows(table: &Table) -> Vec<Row> {
    let batches: Vec<RecordBatch> = table.snapshot().await.unwrap().scan().build().unwrap().stream().try_collect().await.unwrap();
    let mut out: Vec<Row> = batches.iter().flat_map(rows_in).collect();
    out.sort();
    out
}

/// The kinds of tables: partition columns and properties.
pub const KINDS: &[(&str, &[&str], &[(&str, &str)])] = &[
    ("plain", &[], &[]),
    ("partitioned", &["p"], &[]),
    ("vectors", &[], &[("delta.enableDeletionVectors", "true")]),
    ("partitioned with vectors", &["p"], &[("delta.enableDeletionVectors", "true")]),
    ("mapped by name", &["p"], &[("delta.columnMapping.mode", "name"), ("delta.enableDeletionVectors", "true")]),
    ("mapped by id", &[], &[("delta.columnMapping.mode", "id")]),
    ("copying with feed", &["p"], &[FEED]),
    ("vectors with feed", &[], &[FEED, ("delta.enableDeletionVectors", "true")]),
    (
        "mapped, partitioned, with vectors and feed",
        &["p"],
        &[FEED, ("delta.enableDeletionVectors", "true"), ("delta.columnMapping.mode", "id")],
    ),
];

pub const FEED: (&str, &str) = ("delta.enableChangeDataFeed", "true");

/// What the feed says of one version: rows that went and rows that came.
async fn changes(table: &Table, version: u64) -> (Vec<Row>, Vec<Row>) {
    let at = At::Version(Version(version));
    let feed = table.changes(at).to(at).columns(["_change_type", "id", "n", "p"]).build().await.unwrap();
    let batches: Vec<RecordBatch> = feed.stream().try_collect().await.unwrap();
    let (mut went, mut came) = (Vec::new(), Vec::new());
    for b in &batches {
        let kinds = b.column(0).as_string::<i32>();
        for (i, row) in rows_in(&b.slice(0, b.num_rows()).project(&[1, 2, 3]).unwrap()).into_iter().enumerate() {
            match kinds.value(i) {
                "insert" | "update_postimage" => came.push(row),
                "delete" | "update_preimage" => went.push(row),
                other => panic!("{other}"),
            }
        }
    }
    (went, came)
}

pub fn rows_in(b: &RecordBatch) -> Vec<Row> {
    let (id, n, p) = (b.column(0).as_primitive::<Int64Type>(), b.column(1).as_primitive::<Int64Type>(), b.column(2).as_string::<i32>());
    id.iter().zip(n.iter()).zip(p.iter()).map(|((id, n), p)| Row { id, n, p: p.map(str::to_owned) }).collect()
}

pub(super) async fn made(partition_by: &[&str], properties: &[(&str, &str)]) -> Place {
    let place = place();
    let schema = columns(&[("id", DataType::Long), ("n", DataType::Long), ("p", DataType::String)]);
    let mut create = place.table.create(schema).partition_by(partition_by.iter().copied());
    for (key, value) in properties {
        create = create.property(key, value);
    }
    create.run().await.unwrap();
    place
}

/// A predicate as text and as what it means: three-valued, `None` is NULL.
type Predicate = (String, Box<dyn Fn(&Row) -> Option<bool>>);

fn predicate(random: &mut Random) -> Predicate {
    let k = random.below(40) as i64;
    let p = random.pick(ODD).to_owned();
    let quoted = p.replace('\\', "\\\\").replace('\'', "\\'");
    match random.below(8) {
        0 => (format!("id < {k}"), Box::new(move |r| r.id.map(|id| id < k))),
        1 => (format!("NOT (n = {k})"), Box::new(move |r| r.n.map(|n| n != k))),
        2 => (format!("p = '{quoted}'"), Box::new(move |r| r.p.as_ref().map(|v| *v == p))),
        3 => (format!("n % 3 = {}", k % 3), Box::new(move |r| r.n.map(|n| n % 3 == k % 3))),
        4 => ("n IS NULL".to_owned(), Box::new(|r| Some(r.n.is_none()))),
        5 => (
            format!("p = '{quoted}' OR id = {k}"),
            Box::new(move |r| match (r.p.as_ref().map(|v| *v == p), r.id.map(|id| id == k)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            }),
        ),
        6 => (format!("id BETWEEN {k} AND {}", k + 3), Box::new(move |r| r.id.map(|id| (k..=k + 3).contains(&id)))),
        _ => ("p IS NULL AND n > 5".to_owned(), Box::new(|r| if r.p.is_some() { Some(false) } else { r.n.map(|n| n > 5) })),
    }
}

fn random_rows(random: &mut Random) -> Vec<Row> {
    let some = |random: &mut Random, n: u64| (random.below(6) > 0).then(|| random.below(n) as i64);
    (0..1 + random.below(30))
        .map(|_| Row { id: some(random, 40), n: some(random, 12), p: (random.below(5) > 0).then(|| random.pick(ODD).to_owned()) })
        .collect()
}

// spec: ROW-1, ROW-2, ROW-4, ROW-6, ROW-7, ROW-11, ROW-14, DV-7
#[tokio::test]
async fn every_history_of_deletes_and_updates_equals_its_model() {
    for seed in seeds(6) {
        for (kind, partition_by, properties) in KINDS {
            let mut random = Random::new(seed);
            let place = made(partition_by, properties).await;
            let mut model: Vec<Row> = Vec::new();
            for step in 0..10 {
                let what = format!("LAKEBED_SEED={seed}: {kind}, step {step}");
                let (before, old) = (model.len() as u64, model.clone());
                let (text, holds) = predicate(&mut random);
                let matching = model.iter().filter(|r| holds(r) == Some(true)).count();
                let filter = Expr::sql(&text).unwrap();
                let (report, key, expected) = match random.below(5) {
                    0 | 1 => {
                        let new = random_rows(&mut random);
                        append(&place.table, vec![batch(&new)]).run().await.unwrap();
                        model.extend(new);
                        model.sort();
                        assert_eq!(rows(&place.table).await, model, "{what}");
                        continue;
                    }
                    2 | 3 => {
                        let report = place.table.delete().filter(filter).run().await.unwrap_or_else(|e| panic!("{what}: {text}: {e}"));
                        model.retain(|r| holds(r) != Some(true));
                        (report, "numDeletedRows", matching)
                    }
                    _ => {
                        let to = random.pick(ODD).to_owned();
                        let quoted = to.replace('\\', "\\\\").replace('\'', "\\'");
                        let update = place.table.update().set("n", Expr::sql("coalesce(n, 0) + id").unwrap());
                        let update = update.set("p", Expr::sql(&format!("'{quoted}'")).unwrap()).filter(filter);
                        let report = update.run().await.unwrap_or_else(|e| panic!("{what}: {text}: {e}"));
                        for row in model.iter_mut().filter(|r| holds(r) == Some(true)) {
                            row.n = row.id.map(|id| row.n.unwrap_or(0) + id);
                            row.p = Some(to.clone());
                        }
                        (report, "numUpdatedRows", matching)
                    }
                };
                model.sort();
                assert_eq!(rows(&place.table).await, model, "{what}: {text}");
                assert_eq!(report.metrics[key], json!(expected), "{what}: {text} over {before} rows");
                assert_eq!(report.version.is_some(), expected > 0, "{what}: nothing is committed when nothing matches");
                if report.version.is_some() {
                    let changed =
                        report.metrics["numRemovedFiles"].as_u64().unwrap() + report.metrics["numDeletionVectorsAdded"].as_u64().unwrap();
                    assert!(changed > 0, "{what}: rows change only where files do");
                }
                if let (Some(version), true) = (report.version, properties.contains(&FEED)) {
                    let (went, came) = changes(&place.table, version.0).await;
                    let mut now = old;
                    for row in went {
                        let at = now.iter().position(|r| *r == row).unwrap_or_else(|| panic!("{what}: {row:?} went and was not there"));
                        now.remove(at);
                    }
                    now.extend(came);
                    now.sort();
                    assert_eq!(now, model, "{what}: rows before, less those that went, and those that came");
                }
            }
        }
    }
}

// spec: ROW-8, ROW-14, DV-20
#[tokio::test]
async fn vector_grows_over_vectors_and_its_file_says_what_it_holds() {
    let place = made(&[], &[("delta.enableDeletionVectors", "true")]).await;
    let all: Vec<Row> = (0..10).map(|i| Row { id: Some(i), n: Some(i), p: None }).collect();
    append(&place.table, vec![batch(&all)]).run().await.unwrap();
    for (version, doomed, deleted) in [(2u64, "id IN (0, 9)", 2), (3, "id = 4", 3), (4, "id = 5", 4)] {
        let report = place.table.delete().filter(Expr::sql(doomed).unwrap()).run().await.unwrap();
        assert_eq!(report.metrics["numDeletionVectorsUpdated"], json!(u64::from(version > 2)));
        let (adds, removes) = (place.actions(version, "add"), place.actions(version, "remove"));
        assert_eq!((adds.len(), removes.len()), (1, 1));
        assert_eq!(adds[0]["path"], removes[0]["path"]);
        assert_eq!(adds[0]["deletionVector"]["cardinality"], json!(deleted));
        let stats: Value = serde_json::from_str(adds[0]["stats"].as_str().unwrap()).unwrap();
        assert_eq!((&stats["numRecords"], &stats["tightBounds"]), (&json!(10), &json!(false)));
        assert_eq!((&stats["minValues"]["id"], &stats["maxValues"]["id"]), (&json!(0), &json!(9)), "bounds stay, for they still hold");
        let old = if version == 2 { Value::Null } else { place.actions(version - 1, "add")[0]["deletionVector"].clone() };
        assert_eq!(removes[0]["deletionVector"], old, "the removal names the file as it was, vector included");
        let count = place.table.snapshot().await.unwrap().scan().build().unwrap().count().await.unwrap();
        assert_eq!(count, 10 - deleted);
    }
    assert_eq!(place.files(), 1, "no data file was written");
    let report = place.table.delete().filter(Expr::sql("id >= 0").unwrap()).run().await.unwrap();
    assert_eq!((&report.metrics["numDeletedRows"], &report.metrics["numDeletionVectorsRemoved"]), (&json!(6), &json!(1)));
    assert!(place.actions(5, "add").is_empty(), "a file without rows is only removed");
    assert_eq!(rows(&place.table).await, []);
}

// spec: ROW-6
#[tokio::test]
async fn deleted_rows_do_not_come_back_when_their_file_is_written_again() {
    let place = made(&[], &[("delta.enableDeletionVectors", "true")]).await;
    let all: Vec<Row> = (0..10).map(|i| Row { id: Some(i), n: Some(0), p: None }).collect();
    append(&place.table, vec![batch(&all)]).run().await.unwrap();
    place.table.delete().filter(Expr::sql("id < 4").unwrap()).run().await.unwrap();
    // The vectors stay, though no new ones may be made.
    place.set_property("delta.enableDeletionVectors", "false");
    let report = place.table.update().set("n", Expr::sql("n + id").unwrap()).filter(Expr::sql("id < 6").unwrap()).run().await.unwrap();
    assert_eq!((&report.metrics["numUpdatedRows"], &report.metrics["numCopiedRows"]), (&json!(2), &json!(4)));
    let adds = place.actions(4, "add");
    assert!(adds.iter().all(|a| a["deletionVector"].is_null()) && !adds.is_empty());
    let left: Vec<(i64, i64)> = rows(&place.table).await.iter().map(|r| (r.id.unwrap(), r.n.unwrap())).collect();
    assert_eq!(left, [(4, 4), (5, 5), (6, 0), (7, 0), (8, 0), (9, 0)]);
    let report = place.table.delete().filter(Expr::sql("id = 9 AND n = 0").unwrap()).run().await.unwrap();
    assert_eq!((&report.metrics["numCopiedRows"], &report.metrics["numDeletionVectorsAdded"]), (&json!(5), &json!(0)));
    assert_eq!(rows(&place.table).await.len(), 5);
}

// spec: ROW-9
#[tokio::test]
async fn vectors_of_one_delete_share_a_file() {
    let place = made(&[], &[("delta.enableDeletionVectors", "true")]).await;
    for file in 0..5 {
        let all: Vec<Row> = (0..10).map(|i| Row { id: Some(i), n: Some(file), p: None }).collect();
        append(&place.table, vec![batch(&all)]).run().await.unwrap();
    }
    let report = place.table.delete().filter(Expr::sql("id % 5 = 2").unwrap()).run().await.unwrap();
    assert_eq!((&report.metrics["numDeletedRows"], &report.metrics["numDeletionVectorsAdded"]), (&json!(10), &json!(5)));
    let adds = place.actions(6, "add");
    let names: std::collections::BTreeSet<&str> = adds.iter().map(|a| a["deletionVector"]["pathOrInlineDv"].as_str().unwrap()).collect();
    let offsets: std::collections::BTreeSet<i64> = adds.iter().map(|a| a["deletionVector"]["offset"].as_i64().unwrap()).collect();
    assert_eq!((names.len(), offsets.len(), offsets.first()), (1, 5, Some(&1)));
    assert_eq!(rows(&place.table).await.len(), 40);
}

// spec: ROW-16
#[tokio::test]
async fn change_is_planned_anew_when_another_was_faster_but_not_when_a_version_was_asked_for() {
    // A checkpoint would be a Parquet file too.
    let apart = ("delta.checkpointInterval", "1000");
    for properties in [&[apart][..], &[apart, ("delta.enableDeletionVectors", "true")]] {
        let place = made(&[], properties).await;
        let all: Vec<Row> = (0..20).map(|i| Row { id: Some(i), n: Some(0), p: None }).collect();
        append(&place.table, vec![batch(&all)]).run().await.unwrap();
        let jobs = (0..8).map(|i| {
            let table = place.table.clone();
            tokio::spawn(async move { table.delete().filter(Expr::sql(&format!("id = {i} OR id = {}", 19 - i)).unwrap()).run().await })
        });
        for job in futures::future::join_all(jobs).await {
            assert_eq!(job.unwrap().unwrap().metrics["numDeletedRows"], 2);
        }
        assert_eq!(rows(&place.table).await.len(), 4);
        let jobs = (0..4).map(|_| {
            let table = place.table.clone();
            tokio::spawn(async move { table.update().set("n", Expr::sql("n + 1").unwrap()).run().await })
        });
        for job in futures::future::join_all(jobs).await {
            assert_eq!(job.unwrap().unwrap().metrics["numUpdatedRows"], 4);
        }
        assert!(rows(&place.table).await.iter().all(|r| r.n == Some(4)), "no update is lost");
        let e = place.table.delete().if_version(Version(3)).run().await.unwrap_err();
        assert_eq!(e.code(), lakebed::Code::CONFLICT);
        let live: std::collections::BTreeSet<String> = place.named_files();
        assert_eq!(place.files(), live.len(), "attempts that lost left no data files");
    }
}

// spec: ROW-18
#[tokio::test]
async fn change_files_tell_all_of_a_commit_or_nothing() {
    for vectors in [false, true] {
        let on = if vectors { "true" } else { "false" };
        let place = made(&["p"], &[FEED, ("delta.enableDeletionVectors", on)]).await;
        let row = |id: i64, p: &str| Row { id: Some(id), n: Some(0), p: Some(p.to_owned()) };
        for p in ["a b", "c", "d"] {
            append(&place.table, vec![batch(&[row(1, p), row(2, p), row(3, p)])]).run().await.unwrap();
        }
        place.table.delete().filter(Expr::sql("p = 'd'").unwrap()).run().await.unwrap();
        assert!(place.actions(4, "cdc").is_empty(), "whole files go");
        // All rows of one file, some of another.
        place.table.delete().filter(Expr::sql("p = 'c' AND n = 0 OR id = 2").unwrap()).run().await.unwrap();
        let told = place.actions(5, "cdc");
        assert_eq!(told.len(), if vectors { 0 } else { 2 }, "vectors tell by themselves");
        let (went, came) = changes(&place.table, 5).await;
        assert_eq!((went.len(), came.len()), (4, 0));
        place.table.update().set("n", Expr::sql("id").unwrap()).filter(Expr::sql("id = 1").unwrap()).run().await.unwrap();
        let told = place.actions(6, "cdc");
        assert_eq!((told.len(), &told[0]["dataChange"], &told[0]["partitionValues"]), (1, &json!(false), &json!({"p": "a b"})));
        let path = told[0]["path"].as_str().unwrap();
        assert!(path.starts_with("_change_data/p=a%20b/cdc-"), "{path}");
        let file = std::fs::File::open(place.folder.path().join(path.replace("%20", " "))).unwrap();
        let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let names: Vec<String> = reader.schema().fields().iter().map(|f| f.name().clone()).collect();
        assert_eq!(names, ["id", "n", "p", "_change_type"], "partition columns stand in files, as Spark has it");
        let (went, came) = changes(&place.table, 6).await;
        let new = Row { n: Some(1), ..row(1, "a b") };
        assert_eq!((went, came), (vec![row(1, "a b")], vec![new]));
    }
}
