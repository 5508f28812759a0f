//! Rows laid out along a curve: what is taken, what can be skipped afterwards, and that no row is lost.

use super::row_changes::{Row, batch, made, rows};
use super::*;
use crate::support::random::Random;
use futures::TryStreamExt;
use lakebed::{Alteration, Code, Expr, HiddenColumn, SeededEntropy, Version};
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

// spec: ZOR-5, ZOR-11
#[tokio::test(flavor = "multi_thread")]
async fn at_39_files_a_point_or_a_small_range_of_any_of_three_columns_reads_few_and_sorting_stays_within_memory() {
    const BELOW: u64 = 1_000_000;
    let folder = tempfile::tempdir().unwrap();
    let env = Env::system().with_threads(2).with_memory_limit(24 << 20).with_spill_folder(folder.path().join("spill"));
    let env = env.with_entropy(Arc::new(SeededEntropy::new(5)));
    let table = Table::at(folder.path().join("t").to_str().unwrap()).env(env.clone()).open().unwrap();
    let mut random = Random::new(11);
    // A small target closes a file with its second batch of 8,192 rows.
    let count = 39 * 2 * 8192;
    let batches: Vec<RecordBatch> = (0..39).map(|_| three_columns(&mut random, count / 39, BELOW)).collect();
    append(&table, batches).run().await.unwrap();
    let report = table.optimize().zorder_by(["a", "b", "c"]).target_size(1).run().await.unwrap();
    assert_eq!((&report.metrics["numAddedFiles"], report.operation.as_str()), (&json!(39), "OPTIMIZE"));
    assert_eq!(table.snapshot().await.unwrap().scan().build().unwrap().count().await.unwrap(), count as u64);
    assert!(env.memory().high_water() <= 24 << 20, "{}", env.memory().high_water());
    for column in ["a", "b", "c"] {
        let (mut points, mut ranges, mut many) = (0, 0, 0);
        for i in 0..50 {
            let from = BELOW * i / 50 + BELOW / 80;
            points += files_that_hold(&table, &format!("{column} = {from}")).await;
            let range = files_that_hold(&table, &format!("{column} >= {from} AND {column} < {}", from + BELOW / 100)).await;
            ranges += range;
            many += usize::from(range > 16);
        }
        // On average; a range across a plane on which the curve turns reads more.
        assert!(points <= 15 * 50 && ranges <= 16 * 50 && many <= 15, "{column}: {points} {ranges} of 50, {many} above 16");
    }
    let layout = table.snapshot().await.unwrap().layout(lakebed::FileQuery::default(), None).await.unwrap();
    assert_eq!((layout.files, layout.columns.len(), layout.deleted_row_share), (39, 3, Some(0.0)));
    assert!(layout.columns.iter().all(|c| (9.0..=17.0).contains(&c.depth) && c.files_of_one_percent < 18.0), "{layout:?}");
}

/// A row with its name and the version that gave it its values.
async fn named(table: &Table) -> Vec<(i64, i64, i64)> {
    let scan = table.snapshot().await.unwrap().scan().columns(["id"]);
    let mut batches = scan.hidden([HiddenColumn::RowId, HiddenColumn::RowCommitVersion]).build().unwrap().stream();
    let mut out = Vec::new();
    while let Some(b) = batches.try_next().await.unwrap() {
        let column = |i: usize| b.column(i).as_primitive::<Int64Type>().values().to_vec();
        out.extend(column(0).into_iter().zip(column(1)).zip(column(2)).map(|((a, b), c)| (a, b, c)));
    }
    out.sort_unstable();
    out
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
