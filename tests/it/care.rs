//! One table's whole life with all its care, on every store that can hold it. Memory and the local disk here; real servers in `servers/`.

use crate::operations::row_changes::{FEED, ODD, Row, batch, rows};
use futures::{StreamExt, TryStreamExt};
use lakebed::{At, DataType, Env, Error, Expr, Field, FileQuery, SaveMode, StorageOptions, Struct, Table};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

fn open(location: &str, options: &StorageOptions) -> Table {
    Table::at(location).storage_options(options.clone()).env(Env::system().with_threads(2)).open().unwrap()
}

async fn append(table: &Table, new: &[Row], mode: SaveMode) {
    let new = batch(new);
    let input = futures::stream::iter([Ok::<_, Error>(new.clone())]).boxed();
    table.append(new.schema(), input).mode(mode).run().await.unwrap();
}

/// Keys of everything below the table but its log.
async fn objects(table: &Table) -> BTreeSet<String> {
    let (root, log) = (table.root(), table.root().key("_delta_log"));
    let all: Vec<Path> = root.store().list(Some(&root.key(""))).map_ok(|m| m.location).try_collect().await.unwrap();
    all.into_iter().filter(|key| !key.prefix_matches(&log)).map(String::from).collect()
}

/// Keys of data files that the newest version names, and whether rows of any are deleted by a vector.
async fn named(table: &Table) -> (BTreeSet<String>, bool) {
    let batches: Vec<_> = table.snapshot().await.unwrap().files(FileQuery::default()).try_collect().await.unwrap();
    let rows = || batches.iter().flat_map(|b| (0..b.len()).map(move |row| (b, row)));
    let keys = rows().map(|(b, row)| table.root().resolve(b.path(row)).unwrap().1.to_string()).collect();
    (keys, rows().any(|(b, row)| b.vector(row).is_some()))
}

/// Deletes all that the newest version does not need; how many objects. What was removed within the second in which the store answers is
/// too young for it by the store's clock, so that it takes more than one run.
async fn vacuumed(table: &Table) -> u64 {
    let ((named, vectors), limit, mut gone) = (named(table).await, Instant::now() + Duration::from_secs(60), 0);
    loop {
        let report = table.vacuum().retain(Duration::ZERO).no_other_writers().run().await.unwrap();
        let (planned, actual) = (report.planned.unwrap(), report.actual.unwrap());
        assert_eq!(planned.actions, actual.actions);
        gone += actual.actions.values().map(|a| a.count).sum::<u64>();
        let left = objects(table).await;
        assert!(left.is_superset(&named) && Instant::now() < limit, "{left:?}");
        let feed = |key: &String| key.contains("/_change_data/") || key.starts_with("_change_data/");
        if !left.iter().any(|key| !(named.contains(key) || feed(key) || vectors && key.ends_with(".bin"))) {
            return gone;
        }
    }
}

/// Everything that cares for a table, at `location` and beside it. What lies there is left behind.
pub async fn suite(location: &str, options: &StorageOptions) {
    let table = open(&format!("{location}/t"), options);
    let columns = [("id", DataType::Long), ("n", DataType::Long), ("p", DataType::String)];
    let schema = Struct { fields: columns.map(|(name, kind)| Field::new(name, kind, true)).to_vec() };
    let properties = [FEED, ("delta.enableDeletionVectors", "true"), ("delta.enableRowTracking", "true")];
    let create = table.create(schema).partition_by(["p"]);
    properties.iter().fold(create, |create, (key, value)| create.property(key, value)).run().await.unwrap();
    let mut model = Vec::new();
    for n in 0..6 {
        let new: Vec<Row> = (0..ODD.len() * 3).map(|i| row(n * 100 + i as i64, ODD[i % ODD.len()])).collect();
        append(&table, &new, SaveMode::Append).await;
        model.extend(new);
    }
    table.delete().filter(Expr::sql("id % 5 = 0").unwrap()).run().await.unwrap();
    model.retain(|r| r.id.is_some_and(|id| id % 5 != 0));
    model.sort();
    let changed = table.snapshot().await.unwrap().version();
    let same = async |what: &str| assert_eq!(rows(&open(&format!("{location}/t"), options)).await, model, "{what} on {location}");
    same("a deletion").await;

    for (what, optimize) in
        [("compaction", table.optimize()), ("purge", table.optimize().purge()), ("z-order", table.optimize().zorder_by(["id"]))]
    {
        let report = optimize.run().await.unwrap();
        assert!(report.version.is_some() || what == "purge", "{what} on {location}");
        let (planned, actual) = (report.planned.unwrap(), report.actual.unwrap());
        assert_eq!(planned.amount("remove"), actual.amount("remove"), "{what} on {location}");
        same(what).await;
    }
    table.compact_log().run().await.unwrap();
    table.checkpoint().run().await.unwrap();
    same("checkpoint").await;

    append(&table, &[row(-1, "new")], SaveMode::Overwrite).await;
    let report = table.restore(At::Version(changed)).run().await.unwrap();
    assert!(report.metrics["numRestoredFiles"].as_u64().unwrap() > 0, "{location}");
    same("restore").await;

    let copies = [format!("{location}/deep"), format!("{location}/converted")];
    for copy in &copies {
        let copy = open(copy, options);
        table.snapshot().await.unwrap().clone_to(&copy).deep().run().await.unwrap();
        assert_eq!(rows(&copy).await, model, "a deep clone on {location}");
    }
    table.generate_manifest().run().await.unwrap_err();
    let found = table.doctor().deep(true).run().await.unwrap();
    assert!(found.is_empty(), "{location}: {found:?}");

    let gone = vacuumed(&table).await;
    assert!(gone > 0, "{location}");
    same("vacuum").await;
    let found = table.doctor().deep(true).run().await.unwrap();
    assert!(found.is_empty(), "{location}: {found:?}");

    // What is left of a table without its log and vectors is a directory of Parquet files.
    let table = open(&copies[1], options);
    table.optimize().purge().run().await.unwrap();
    vacuumed(&table).await;
    let root = table.root();
    let logged: Vec<_> = root.store().list(Some(&root.key("_delta_log"))).map_ok(|m| m.location).try_collect().await.unwrap();
    for key in logged {
        root.store().delete(&key).await.unwrap();
    }
    let table = open(&copies[1], options);
    table.convert().partition_schema(Struct::from_sql("p STRING").unwrap()).run().await.unwrap();
    assert_eq!(rows(&table).await, model, "a converted directory on {location}");
    table.generate_manifest().run().await.unwrap();
    assert!(objects(&table).await.iter().any(|key| key.contains("_symlink_format_manifest/")), "{location}");
    assert_eq!(table.cleanup_log().run().await.unwrap().version, None, "nothing is old on {location}");
}

fn row(id: i64, p: &str) -> Row {
    Row { id: Some(id), n: Some(id * 2), p: Some(p.to_owned()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory() {
    suite("memory:///care/a b%", &StorageOptions::new().environment([])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn local_disk() {
    let dir = tempfile::tempdir().unwrap();
    suite(dir.path().join("a b%20é").to_str().unwrap(), &StorageOptions::new().environment([])).await;
}
