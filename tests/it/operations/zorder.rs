//! Rows laid out along a curve: what is taken, what can be skipped afterwards, and that no row is lost.

use super::row_changes::{Row, batch, made, rows};
use super::*;
use crate::support::random::Random;
use crate::support::row_names::named;
use arrow::array::Date32Array;
use arrow::datatypes::Date32Type;
use futures::TryStreamExt;
use lakebed::{Alteration, Code, Expr, SeededEntropy, Version};
use serde_json::json;

const VECTORS: (&str, &str) = ("delta.enableDeletionVectors", "true");
const ROW_IDS: (&str, &str) = ("delta.enableRowTracking", "true");
const MAPPED: (&str, &str) = ("delta.columnMapping.mode", "name");

async fn files_that_hold(table: &Table, condition: &str) -> usize {
    let scan = table.snapshot().await.unwrap().scan().filter(Expr::sql(condition).unwrap()).build().unwrap();
    scan.tasks().try_fold(0, |n, _| async move { Ok(n + 1) }).await.unwrap()
}

fn three_columns(random: &mut Random, rows: usize, below: u64) -> RecordBatch {
    let column = |random: &mut Random| Arc::new(Int64Array::from_iter_values((0..rows).map(|_| random.below(below) as i64))) as ArrayRef;
    RecordBatch::try_from_iter([("a", column(random)), ("b", column(random)), ("c", column(random))]).unwrap()
}

/// Rows as those of an order system: a day of seven years, an article, and one of its four suppliers.
fn lines(random: &mut Random, rows: usize) -> RecordBatch {
    const ARTICLES: u64 = 200_000;
    const SUPPLIERS: u64 = 10_000;
    let articles: Vec<u64> = (0..rows).map(|_| 1 + random.below(ARTICLES)).collect();
    let supplier = |article: &u64, of: u64| ((article + of * (SUPPLIERS / 4 + (article - 1) / SUPPLIERS)) % SUPPLIERS + 1) as i64;
    let suppliers = Int64Array::from_iter_values(articles.iter().map(|article| supplier(article, random.below(4))));
    let days = Date32Array::from_iter_values((0..rows).map(|_| 8_036 + random.below(2_526) as i32));
    let articles = Int64Array::from_iter_values(articles.iter().map(|article| *article as i64));
    let columns: [(&str, ArrayRef); 3] = [("a", Arc::new(days)), ("b", Arc::new(articles)), ("c", Arc::new(suppliers))];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// Values as numbers.
fn numbers(column: &ArrayRef) -> Vec<i64> {
    match column.as_primitive_opt::<Date32Type>() {
        Some(days) => days.values().iter().map(|day| i64::from(*day)).collect(),
        None => column.as_primitive::<Int64Type>().values().to_vec(),
    }
}

/// By column: the most files that a range of one row in a hundred reads, wherever it begins, and how many on average; and the same of points.
fn reads(spans: &[(i64, i64)], sorted: &[i64]) -> [(usize, f64); 2] {
    [sorted.len() / 100, 0].map(|rows| {
        let read = |at: usize| spans.iter().filter(|(least, most)| *least <= sorted[at + rows] && *most >= sorted[at]).count();
        // Every hundredth of a range; beyond that the ranges around each file's ends, where numbers change.
        let ends = spans.iter().flat_map(|(least, most)| [sorted.partition_point(|v| v < least), sorted.partition_point(|v| v <= most)]);
        let ends = ends.flat_map(|at| [at, at.saturating_sub(1), at.saturating_sub(rows), at.saturating_sub(rows + 1)]);
        let last = sorted.len() - 1 - rows;
        let most = ends.map(|at| read(at.min(last))).max().unwrap();
        let even: Vec<usize> = (0..=last).step_by(last / 1_000).map(read).collect();
        (most.max(*even.iter().max().unwrap()), even.iter().sum::<usize>() as f64 / even.len() as f64)
    })
}

// spec: ZOR-5, ZOR-11
#[tokio::test(flavor = "multi_thread")]
async fn at_39_files_every_point_and_every_small_range_of_any_of_three_columns_reads_at_most_16_within_memory() {
    for (kind, seed) in [("uniform", 5), ("lines", 6)] {
        let (folder, spill) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let env = Env::system().with_threads(2).with_memory_limit(24 << 20).with_spill_folder(spill.path().to_owned());
        let env = env.with_entropy(Arc::new(SeededEntropy::new(seed)));
        let table = Table::at(folder.path().to_str().unwrap()).env(env.clone()).open().unwrap();
        let mut random = Random::new(seed);
        let batches: Vec<RecordBatch> = (0..40)
            .map(|_| if kind == "lines" { lines(&mut random, 8_000) } else { three_columns(&mut random, 8_000, 1_000_000) })
            .collect();
        let values: Vec<Vec<i64>> = (0..3)
            .map(|column| {
                let mut values: Vec<i64> = batches.iter().flat_map(|batch| numbers(batch.column(column))).collect();
                values.sort_unstable();
                values
            })
            .collect();
        append(&table, batches).run().await.unwrap();
        let bytes = table.snapshot().await.unwrap().counts(lakebed::CountEffort::Exact).await.unwrap().unwrap().bytes;
        let report = table.optimize().zorder_by(["a", "b", "c"]).target_size(bytes.div_ceil(39)).run().await.unwrap();
        assert_eq!((&report.metrics["numAddedFiles"], report.operation.as_str()), (&json!(39), "OPTIMIZE"), "{kind}");
        assert_eq!(table.snapshot().await.unwrap().scan().build().unwrap().count().await.unwrap(), 320_000);
        assert!(env.memory().high_water() <= 24 << 20, "{}", env.memory().high_water());
        // What the log says is what decides which files are read.
        let place = Place { folder, table };
        let adds = place.actions(1, "add");
        let size = |add: &Value| add["size"].as_f64().unwrap();
        let even = adds.iter().map(size).sum::<f64>() / 39.0;
        let sizes: Vec<f64> = adds.iter().map(|add| size(add) / even).collect();
        assert!(sizes.iter().all(|size| (0.4..=2.0).contains(size)), "{kind}: {sizes:?}");
        for (column, sorted) in ["a", "b", "c"].into_iter().zip(&values) {
            let spans: Vec<(i64, i64)> = adds.iter().map(|add| span(add, column)).collect();
            let [ranges, points] = reads(&spans, sorted);
            println!("{kind} {column}: ranges {ranges:?}, points {points:?}");
            assert!(ranges.0 <= 16 && points.0 <= 16, "{kind} {column}: at most {ranges:?} {points:?}");
            if kind == "uniform" {
                let value = sorted[160_000];
                let held = spans.iter().filter(|(least, most)| (*least..=*most).contains(&value)).count();
                assert_eq!(files_that_hold(&place.table, &format!("{column} = {value}")).await, held);
            }
        }
        let layout = place.table.snapshot().await.unwrap().layout(lakebed::FileQuery::default(), None).await.unwrap();
        assert_eq!((layout.files, layout.columns.len(), layout.deleted_row_share), (39, 3, Some(0.0)));
        assert!(layout.columns.iter().all(|c| (7.0..=16.0).contains(&c.depth) && c.files_of_one_percent <= 16.0), "{layout:?}");
    }
}

/// The least and the greatest value of a file.
fn span(add: &Value, column: &str) -> (i64, i64) {
    let stats: Value = serde_json::from_str(add["stats"].as_str().unwrap()).unwrap();
    let number = |bound: &str| match &stats[bound][column] {
        Value::String(day) => days(day),
        number => number.as_i64().unwrap(),
    };
    (number("minValues"), number("maxValues"))
}

fn days(text: &str) -> i64 {
    let day: ArrayRef = Arc::new(StringArray::from(vec![text]));
    numbers(&arrow::compute::cast(&day, &arrow::datatypes::DataType::Date32).unwrap())[0]
}

// spec: ZOR-5, OPT-8
#[tokio::test]
async fn the_plan_of_a_layout_by_values_names_just_the_requests_and_bytes_that_are_made() {
    for (declared, files) in [(false, 1u64), (false, 5), (true, 5)] {
        let place = made(&[], &[VECTORS, ROW_IDS]).await;
        for file in 0..25i64 {
            let row = |i: i64| Row { id: Some(i * 25 + file), n: Some((i * 7919 + file * 31) % 1009), p: None };
            append(&place.table, vec![batch(&(0..100).map(row).collect::<Vec<_>>())]).run().await.unwrap();
        }
        // A vector of its own file is read as often as the file.
        place.table.delete().filter(Expr::sql("id % 250 = 3").unwrap()).run().await.unwrap();
        if declared {
            place.table.alter(Alteration::ClusterBy(vec![vec!["id".to_owned()], vec!["n".to_owned()]])).run().await.unwrap();
        }
        let bytes = place.table.snapshot().await.unwrap().counts(lakebed::CountEffort::Exact).await.unwrap().unwrap().bytes;
        let optimize = || {
            let optimize = place.table.optimize().target_size(bytes.div_ceil(files));
            if declared { optimize } else { optimize.zorder_by(["id", "n"]) }
        };
        let foreseen = optimize().plan().await.unwrap();
        let report = optimize().run().await.unwrap();
        let (planned, actual) = (report.planned.unwrap(), report.actual.unwrap());
        assert_eq!(&planned, foreseen.summary());
        assert_eq!((planned.requests, planned.bytes_read), (actual.requests, actual.bytes_read), "{declared} {files}");
        assert!(planned.requests.get >= 50, "each file twice: {:?}", planned.requests);
        assert_eq!(planned.amount("remove"), actual.amount("remove"));
        assert_eq!((planned.amount("add").count, actual.amount("add").count), (files, files));
    }
}

async fn filled(partition: &[&str], properties: &[(&str, &str)]) -> super::Place {
    let place = made(partition, properties).await;
    for file in 0..4i64 {
        let row = |i: i64| Row {
            id: Some((i * 37 + file) % 1000),
            n: (i % 5 > 0).then_some(i % 50),
            p: (i % 7 > 0).then(|| format!("{}/ü %", i % 3)),
        };
        append(&place.table, vec![batch(&(0..250).map(row).collect::<Vec<_>>())]).run().await.unwrap();
    }
    place
}

// spec: ZOR-4, ZOR-5, ZOR-10
#[tokio::test]
async fn z_order_keeps_every_row_and_its_name_on_tables_of_every_kind() {
    for (partition, properties) in [
        (&["p"][..], &[VECTORS, ROW_IDS][..]),
        (&[][..], &[MAPPED, ROW_IDS][..]),
        (&[][..], &[("delta.enableChangeDataFeed", "true"), VECTORS, ROW_IDS][..]),
    ] {
        let place = filled(partition, properties).await;
        place.table.delete().filter(Expr::sql("id % 9 = 0").unwrap()).run().await.unwrap();
        let (before, names) = (rows(&place.table).await, named(&place.table).await);
        let columns = if partition.is_empty() { vec!["n", "p"] } else { vec!["n"] };
        let report = place.table.optimize().zorder_by(columns.clone()).run().await.unwrap();
        let version = report.version.unwrap().0;
        assert_eq!(rows(&place.table).await, before, "{properties:?}");
        assert_eq!(named(&place.table).await, names, "{properties:?}");
        let info = &place.actions(version, "commitInfo")[0];
        let by = serde_json::to_string(&columns).unwrap();
        assert_eq!(info["operationParameters"], json!({"predicate": "[]", "zOrderBy": by, "clusterBy": "[]", "auto": false}));
        assert_eq!(info["tags"]["delta.rowTracking.preserved"], json!("true"));
        let (adds, removes) = (place.actions(version, "add"), place.actions(version, "remove"));
        assert!(adds.iter().chain(&removes).all(|a| a["dataChange"] == json!(false)));
        assert!(place.actions(version, "cdc").is_empty());
        // Every time anew, as Spark does.
        assert!(place.table.optimize().zorder_by(columns).run().await.unwrap().version.is_some());
        assert_eq!(rows(&place.table).await, before);
    }
}

// spec: ZOR-5
#[tokio::test]
async fn an_old_plan_of_a_z_order_never_doubles_or_loses_rows() {
    let place = filled(&[], &[VECTORS]).await;
    let old = place.table.optimize().zorder_by(["n"]).plan().await.unwrap();
    place.table.optimize().zorder_by(["n", "id"]).run().await.unwrap();
    let before = rows(&place.table).await;
    let late = place.table.optimize().execute(old.clone()).await;
    assert!(late.as_ref().map_or_else(|e| e.code() == Code::CONFLICT, |report| report.version.is_none()), "{late:?}");
    assert_eq!(rows(&place.table).await, before);
    // Rows of its files go, and rows come.
    let plan = place.table.optimize().zorder_by(["n"]).plan().await.unwrap();
    place.table.delete().filter(Expr::sql("id < 100").unwrap()).run().await.unwrap();
    append(&place.table, vec![batch(&[Row { id: Some(5000), n: None, p: None }])]).run().await.unwrap();
    let before = rows(&place.table).await;
    place.table.optimize().execute(plan).await.unwrap();
    assert_eq!(rows(&place.table).await, before);
    place.table.optimize().execute(old).await.ok();
    assert_eq!(rows(&place.table).await, before);
    assert_eq!(place.files(), place.named_files().len(), "nothing is left over");
}

// spec: ZOR-4, ZOR-8
#[tokio::test]
async fn columns_that_cannot_order_rows_are_named() {
    let place = filled(&["p"], &[("delta.dataSkippingNumIndexedCols", "1")]).await;
    let code = async |columns: &[&str]| place.table.optimize().zorder_by(columns.to_vec()).plan().await.unwrap_err().code();
    assert_eq!(code(&["p"]).await, Code::INPUT);
    assert_eq!(code(&["id", "ID"]).await, Code::INPUT);
    assert_eq!(code(&["nowhere"]).await, Code::SCHEMA);
    assert_eq!(code(&["n"]).await, Code::SCHEMA, "no statistics");
    assert_eq!(place.table.optimize().full().plan().await.unwrap_err().code(), Code::INPUT);
    assert_eq!(place.table.optimize().zorder_by(["id"]).purge().plan().await.unwrap_err().code(), Code::INPUT);
}

// spec: ZOR-6, ZOR-7, ZOR-8, ZOR-9, ZOR-10
#[tokio::test]
async fn a_clustered_table_is_laid_out_piece_by_piece() {
    let place = filled(&[], &[VECTORS]).await;
    let cluster = |columns: &[&str]| Alteration::ClusterBy(columns.iter().map(|c| vec![(*c).to_owned()]).collect());
    place.table.alter(cluster(&["id", "n"])).run().await.unwrap();
    let before = rows(&place.table).await;
    let report = place.table.optimize().run().await.unwrap();
    let version = report.version.unwrap().0;
    let info = &place.actions(version, "commitInfo")[0];
    let parameters = json!({"predicate": "[]", "zOrderBy": "[]", "clusterBy": "[\"id\",\"n\"]", "auto": false, "isFull": false});
    assert_eq!(info["operationParameters"], parameters);
    let made = place.actions(version, "add");
    assert!(made.iter().all(|a| a["clusteringProvider"] == json!("liquid") && a["tags"]["ZCUBE_ZORDER_BY"] == json!("[\"id\",\"n\"]")));
    assert!(made[0]["tags"]["ZCUBE_ID"].is_string());
    assert_eq!(place.table.optimize().run().await.unwrap().version, None, "one cube stays");
    assert_eq!(place.table.optimize().full().run().await.unwrap().version, None);
    // What comes is clustered with the cube while that is small, and alone when it is not.
    append(&place.table, vec![batch(&[Row { id: Some(7), n: Some(1), p: None }])]).run().await.unwrap();
    let sealed = place.table.optimize().cube_bytes(1).plan().await.unwrap();
    assert_eq!(sealed.groups().iter().map(|g| g.paths().count()).collect::<Vec<_>>(), [1]);
    let report = place.table.optimize().run().await.unwrap();
    assert_eq!((&report.metrics["numRemovedFiles"], &report.metrics["numAddedFiles"]), (&json!(2), &json!(1)));
    // Other columns: only what comes new, unless all is asked for.
    place.table.alter(cluster(&["p"])).run().await.unwrap();
    assert_eq!(place.table.optimize().run().await.unwrap().version, None);
    let report = place.table.optimize().full().run().await.unwrap();
    let version = report.version.unwrap();
    assert_eq!(place.actions(version.0, "add")[0]["tags"]["ZCUBE_ZORDER_BY"], json!("[\"p\"]"));
    assert_eq!(place.actions(version.0, "commitInfo")[0]["operationParameters"]["isFull"], json!(true));
    assert_eq!(rows(&place.table).await.len(), before.len() + 1);
    for asked in [place.table.optimize().zorder_by(["id"]), place.table.optimize().filter(Expr::sql("id = 1").unwrap())] {
        assert_eq!(asked.plan().await.unwrap_err().code(), Code::INPUT);
    }
    place.table.alter(Alteration::ClusterBy(Vec::new())).run().await.unwrap();
    assert!(place.table.optimize().zorder_by(["id"]).run().await.unwrap().version > Some(Version(version.0)));
}

// spec: ZOR-12
#[tokio::test]
async fn a_plan_tells_what_skipping_gains() {
    let folder = tempfile::tempdir().unwrap();
    let table = Table::at(folder.path().to_str().unwrap()).env(Env::system().with_threads(2)).open().unwrap();
    let mut random = Random::new(3);
    for _ in 0..20 {
        append(&table, vec![three_columns(&mut random, 500, 10_000)]).run().await.unwrap();
    }
    let optimize = || table.optimize().zorder_by(["a", "b"]).target_size(4_000);
    let plan = optimize().plan().await.unwrap();
    let gains = optimize().gains(&plan).await.unwrap();
    assert_eq!(gains.iter().map(|g| g.column.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert!(gains.iter().all(|g| g.before > 19.0 && g.after < 15.0 && g.after >= 1.0), "{gains:?}");
}

// spec: ZOR-12
#[tokio::test]
async fn a_plan_that_makes_more_files_says_how_many_of_them_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let table = Table::at(folder.path().to_str().unwrap()).env(Env::system().with_threads(2)).open().unwrap();
    let mut random = Random::new(5);
    for _ in 0..8 {
        append(&table, vec![three_columns(&mut random, 2_000, 1_000_000)]).run().await.unwrap();
    }
    let optimize = || table.optimize().zorder_by(["a", "b", "c"]).target_size(4_000);
    let plan = optimize().plan().await.unwrap();
    let gains = optimize().gains(&plan).await.unwrap();
    let made = plan.summary().amount("add").count;
    assert!(made > 30, "{made}");
    for gain in &gains {
        assert_eq!((gain.files_before, gain.files_after), (8, made));
        assert!(gain.before > 7.5 && gain.after > gain.before, "more files are read: {gain:?}");
        assert!(gain.share_before > 0.95 && gain.share_after < 0.5, "and fewer of all: {gain:?}");
    }
    optimize().run().await.unwrap();
    for gain in &gains {
        let mut read = 0;
        for from in (0..1_000_000).step_by(50_000) {
            read += files_that_hold(&table, &format!("{0} BETWEEN {from} AND {1}", gain.column, from + 10_000)).await;
        }
        let read = read as f64 / 20.0;
        assert!(gain.after < 2.0 * read && read < 2.0 * gain.after, "{read} files are read: {gain:?}");
    }
}
