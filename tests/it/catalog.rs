//! Tables whose commits a catalog ratifies, against a small catalog in this process.

use crate::support::catalog::Catalog;
use crate::support::random::{Random, seeds};
use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use lakebed::{
    At, CatalogLogStore, Code, Env, Error, LogFileKind, LogStore, PutOutcome, Result, StorageOptions, Table, TableRoot, Version,
};
use object_store::ObjectStoreExt;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

struct Place {
    root: TableRoot,
    catalog: Arc<Catalog>,
}

impl Place {
    fn new() -> Place {
        let location = format!("memory:///{}/t", Env::system().new_uuid());
        let root = TableRoot::open(&location, &StorageOptions::new().environment([]), &Env::system()).unwrap();
        Place { root, catalog: Arc::default() }
    }
    /// A table of one column whose first commit is ratified and published.
    async fn with_table(feature: &str) -> Place {
        let place = Place::new();
        let body = first_commit(feature);
        assert!(matches!(place.log().put_commit(Version(0), body).await, PutOutcome::Created));
        place
    }
    fn log(&self) -> CatalogLogStore {
        CatalogLogStore::new(self.root.clone(), self.catalog.clone(), Env::system())
    }
    /// The table as a process of its own sees it.
    fn table(&self) -> Table {
        Table::with_log(self.root.clone(), Arc::new(self.log()), Env::system().with_threads(1))
    }
    fn by_path(&self) -> Table {
        Table::with_log(self.root.clone(), Arc::new(lakebed::PathLogStore::new(self.root.clone())), Env::system())
    }
    async fn names(&self, folder: &str) -> Vec<String> {
        let folder = self.root.key(folder);
        let objects: Vec<_> = self.root.store().list(Some(&folder)).try_collect().await.unwrap();
        let mut names: Vec<String> = objects.iter().map(|o| o.location.as_ref()[folder.as_ref().len() + 1..].to_owned()).collect();
        names.sort();
        names
    }
    async fn published(&self) -> Vec<u64> {
        let names = self.names("_delta_log").await;
        names.iter().filter(|n| n.ends_with(".json") && n.len() == 25).map(|n| n[..20].parse().unwrap()).collect()
    }
}

fn first_commit(feature: &str) -> Bytes {
    let schema = r#"{"type":"struct","fields":[{"name":"n","type":"long","nullable":true,"metadata":{}}]}"#;
    let metadata = json!({"id": "4d8f0a52-9d5c-4f0e-8d59-5d8d10a4f3f0", "format": {"provider": "parquet", "options": {}}, "schemaString": schema,
        "partitionColumns": [], "configuration": {"delta.enableInCommitTimestamps": "true", "delta.checkpointInterval": "1000"}});
    let protocol = json!({"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": [feature, "vacuumProtocolCheck"],
        "writerFeatures": [feature, "vacuumProtocolCheck", "inCommitTimestamp"]});
    let info = json!({"inCommitTimestamp": 1000, "timestamp": 1000, "operation": "CREATE TABLE", "txnId": "first"});
    format!("{}\n{}\n{}\n", json!({"commitInfo": info}), json!({"metaData": metadata}), json!({"protocol": protocol})).into()
}

async fn append(table: &Table, n: i64) -> Result<lakebed::Report> {
    let batch = RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![n])) as ArrayRef)]).unwrap();
    table.append(batch.schema(), futures::stream::iter([Ok::<_, Error>(batch)]).boxed()).run().await
}

async fn numbers(table: &Table) -> Result<Vec<i64>> {
    let batches: Vec<RecordBatch> = table.snapshot().await?.scan().build()?.stream().try_collect().await?;
    let mut found: Vec<i64> = batches.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec()).collect();
    found.sort_unstable();
    Ok(found)
}

/// What every `LogStore` must do.
async fn conforms(log: &dyn LogStore) {
    assert!(log.list(Version(0)).try_collect::<Vec<_>>().await.unwrap().is_empty());
    assert!(log.read_commit(Version(0)).await.unwrap().is_none());
    for version in 0..12 {
        let outcome = log.put_commit(Version(version), Bytes::from(version.to_string())).await;
        // An answer may be lost; reading back settles it.
        assert!(matches!(outcome, PutOutcome::Created | PutOutcome::Unknown(_)), "{version}: {outcome:?}");
    }
    let outcome = log.put_commit(Version(3), Bytes::from_static(b"again")).await;
    assert!(matches!(outcome, PutOutcome::Exists), "{outcome:?}");
    assert_eq!(log.read_commit(Version(3)).await.unwrap().unwrap(), "3");
    assert!(log.read_commit(Version(12)).await.unwrap().is_none());
    let files: Vec<_> = log.list(Version(9)).try_collect().await.unwrap();
    assert_eq!(files.iter().map(|f| f.version.0).collect::<Vec<_>>(), [9, 10, 11]);
    assert!(files.iter().all(|f| f.kind == LogFileKind::Commit && f.size > 0 && f.modified > 0));
    assert_eq!(log.read(&files[1]).await.unwrap(), "10");
}

// spec: CAT-4, CAT-5, STO-12
#[tokio::test]
async fn catalog_log_conforms_published_or_not() {
    let place = Place::new();
    conforms(&place.log()).await;
    assert_eq!(place.published().await, (0..12).collect::<Vec<_>>());
    assert!(place.catalog.unpublished().is_empty());
    let names = place.names("_delta_log/_staged_commits").await;
    assert!(names.iter().any(|n| n.starts_with("00000000000000000011.") && n.len() == 20 + 1 + 36 + 5), "{names:?}");

    // The same while nothing can be published.
    let place = Place::new();
    place.catalog.keep_unpublished(true);
    conforms(&place.log()).await;
    assert_eq!(place.catalog.unpublished(), (0..12).collect::<Vec<_>>());
}

// spec: CAT-1, CAT-4
#[tokio::test]
async fn a_table_is_written_and_read_through_its_catalog_and_refused_by_path() {
    for feature in ["catalogManaged", "catalogOwned-preview"] {
        let place = Place::with_table(feature).await;
        let table = place.table();
        assert_eq!(append(&table, 1).await.unwrap().version, Some(Version(1)));
        assert_eq!(append(&table, 2).await.unwrap().version, Some(Version(2)));
        assert_eq!(numbers(&place.table()).await.unwrap(), [1, 2]);
        let snapshot = table.snapshot_at(At::Version(Version(1))).await.unwrap();
        assert_eq!(snapshot.version(), Version(1));
        let path = place.by_path();
        let (read, write) = (numbers(&path).await.unwrap_err(), append(&path, 3).await.unwrap_err());
        assert_eq!((read.code(), write.code()), (Code::FEATURE_READ, Code::FEATURE_WRITE));
        assert_eq!(path.snapshot().await.unwrap().version(), Version(2), "its facts are shown");
        assert_eq!(place.published().await, [0, 1, 2]);
    }
}

// spec: CAT-6, CAT-8
#[tokio::test]
async fn what_was_not_ratified_is_not_seen_and_what_was_is() {
    let place = Place::with_table("catalogManaged").await;
    append(&place.table(), 1).await.unwrap();
    // Somebody who knows nothing of the catalog, and a staged commit that lost.
    let body = |n: &str| Bytes::from(format!("{}\n", json!({"commitInfo": {"operation": n, "inCommitTimestamp": 1}})));
    for name in ["00000000000000000002.json", "_staged_commits/00000000000000000002.0b3d2f7e-8d31-4d1c-a3f0-0e7e0a2b6a11.json"] {
        place.root.store().put(&place.root.log_key(name), body("rogue").into()).await.unwrap();
    }
    place.root.store().put(&place.root.log_key("00000000000000000007.checkpoint.parquet"), "x".into()).await.unwrap();
    let table = place.table();
    assert_eq!(table.snapshot().await.unwrap().version(), Version(1));
    assert!(table.log().read_commit(Version(2)).await.unwrap().is_none());
    // The ratified commit counts although another file has its name; it cannot be published.
    place.catalog.keep_unpublished(true);
    assert_eq!(append(&table, 2).await.unwrap().version, Some(Version(2)));
    assert_eq!(numbers(&place.table()).await.unwrap(), [1, 2]);
    place.catalog.keep_unpublished(false);
    let refused = place.log().publish(Version(2)).await.unwrap_err();
    assert_eq!(refused.code(), Code::LOG_STATE, "{refused}");
    let rogue = place.root.store().get(&place.root.log_key("00000000000000000002.json")).await.unwrap().bytes().await.unwrap();
    assert_eq!(rogue, body("rogue"));
    assert_eq!(numbers(&place.table()).await.unwrap(), [1, 2]);
}

// spec: CAT-8
#[tokio::test]
async fn staged_files_may_go_once_they_are_published() {
    let place = Place::with_table("catalogManaged").await;
    let old = place.table();
    append(&place.table(), 1).await.unwrap();
    place.catalog.keep_unpublished(true);
    append(&place.table(), 2).await.unwrap();
    let before = old.snapshot().await.unwrap();
    place.catalog.keep_unpublished(false);
    place.log().publish(Version(2)).await.unwrap();
    assert!(place.catalog.unpublished().is_empty());
    for name in place.names("_delta_log/_staged_commits").await {
        place.root.store().delete(&place.root.log_key(&format!("_staged_commits/{name}"))).await.unwrap();
    }
    // Its answer still names the staged file.
    assert!(old.log().read_commit(Version(2)).await.unwrap().is_some());
    let listed = before.version();
    assert_eq!((listed, numbers(&old).await.unwrap()), (Version(2), vec![1, 2]));
    append(&old, 3).await.unwrap();
    assert_eq!(numbers(&place.table()).await.unwrap(), [1, 2, 3]);
}

// spec: CAT-5, CAT-7
#[tokio::test]
async fn commits_left_behind_are_published_in_order_before_a_checkpoint_stands_on_them() {
    let place = Place::with_table("catalogManaged").await;
    place.catalog.keep_unpublished(true);
    for n in 1..4 {
        append(&place.table(), n).await.unwrap();
    }
    assert_eq!((place.published().await, place.catalog.unpublished()), (vec![0], vec![1, 2, 3]));
    assert_eq!(numbers(&place.table()).await.unwrap(), [1, 2, 3]);
    let refused = place.table().checkpoint().run().await.unwrap_err();
    assert!(!place.names("_delta_log").await.iter().any(|n| n.contains("checkpoint")), "{refused}");
    place.catalog.keep_unpublished(false);
    place.table().checkpoint().run().await.unwrap();
    assert_eq!((place.published().await, place.catalog.unpublished()), (vec![0, 1, 2, 3], vec![]));
    assert!(place.names("_delta_log").await.contains(&"00000000000000000003.checkpoint.parquet".to_owned()));
    append(&place.table(), 4).await.unwrap();
    assert_eq!(numbers(&place.table()).await.unwrap(), [1, 2, 3, 4]);
}

/// The clock of somebody who comes back two months later.
#[derive(Debug)]
struct Later;

impl lakebed::Clock for Later {
    fn now(&self) -> lakebed::Timestamp {
        lakebed::Timestamp(Env::system().now().millis() + 60 * 86_400_000)
    }
    fn sleep(&self, time: std::time::Duration) -> futures::future::BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}

// spec: CLN-10
#[tokio::test]
async fn the_log_is_cleaned_up_only_when_the_catalog_permits_it() {
    let place = Place::with_table("catalogManaged").await;
    for n in 1..=3 {
        append(&place.table(), n).await.unwrap();
    }
    place.table().checkpoint().run().await.unwrap();
    append(&place.table(), 4).await.unwrap();
    let later = || Table::with_log(place.root.clone(), Arc::new(place.log()), Env::system().with_clock(Arc::new(Later)));
    let before = (place.published().await, place.names("_delta_log/_staged_commits").await.len());
    assert_eq!(later().cleanup_log().run().await.unwrap_err().code(), Code::FEATURE_WRITE);
    assert_eq!((place.published().await, place.names("_delta_log/_staged_commits").await.len()), before);
    place.catalog.permit_cleanup(true);
    let report = later().cleanup_log().run().await.unwrap();
    assert_eq!(report.metrics["firstVersion"], 3);
    assert_eq!(place.published().await, [3, 4]);
    assert!(place.names("_delta_log/_staged_commits").await.iter().all(|n| n.starts_with("00000000000000000004")));
    assert_eq!(numbers(&place.table()).await.unwrap(), [1, 2, 3, 4]);
}

// spec: CAT-9
#[tokio::test]
async fn a_silent_catalog_is_an_error_and_a_hole_in_its_answer_too() {
    let place = Place::with_table("catalogManaged").await;
    append(&place.table(), 1).await.unwrap();
    place.catalog.fail(1, 1);
    assert!(numbers(&place.table()).await.is_err());
    place.catalog.fail(0, 0);
    place.catalog.keep_unpublished(true);
    for n in 2..5 {
        append(&place.table(), n).await.unwrap();
    }
    place.catalog.forget(3);
    assert_eq!(numbers(&place.table()).await.unwrap_err().code(), Code::LOG_STATE);
}

// spec: CAT-3, CAT-4, CAT-5
#[tokio::test]
async fn racing_writers_with_lost_answers_and_crashes_lose_no_row_and_double_none() {
    for seed in seeds(30) {
        let place = Arc::new(Place::with_table("catalogManaged").await);
        place.catalog.fail(seed, 6);
        let writer = |w: u64| {
            let place = Arc::clone(&place);
            tokio::spawn(async move {
                let mut random = Random::new(seed << 8 | w);
                let (mut surely, mut perhaps) = (Vec::new(), Vec::new());
                for i in 0..6 {
                    let n = (w * 100 + i) as i64;
                    // A process of its own, which may be killed at any point.
                    let table = place.table();
                    let run = tokio::spawn(async move { append(&table, n).await });
                    let kill = run.abort_handle();
                    if random.below(4) == 0 {
                        for _ in 0..random.below(60) {
                            tokio::task::yield_now().await;
                        }
                        kill.abort();
                    }
                    match run.await {
                        Ok(Ok(report)) => surely.push((report.version.unwrap().0, n)),
                        _ => perhaps.push(n),
                    }
                }
                (surely, perhaps)
            })
        };
        let writers: Vec<_> = (0..4).map(writer).collect();
        let (mut surely, mut perhaps) = (Vec::new(), BTreeSet::new());
        for writer in writers {
            let (some, others) = writer.await.unwrap();
            surely.extend(some);
            perhaps.extend(others);
        }
        place.catalog.fail(0, 0);
        let found = numbers(&place.table()).await.unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let distinct: BTreeSet<i64> = found.iter().copied().collect();
        assert_eq!(distinct.len(), found.len(), "seed {seed}: a row twice");
        for (version, n) in &surely {
            assert!(distinct.contains(n), "seed {seed}: row {n} of version {version} is lost");
        }
        assert!(distinct.iter().all(|n| perhaps.contains(n) || surely.iter().any(|(_, m)| m == n)), "seed {seed}");
        let versions: BTreeSet<u64> = surely.iter().map(|(v, _)| *v).collect();
        assert_eq!(versions.len(), surely.len(), "seed {seed}: a version twice");
        // Published is a row without holes, and the same as what was ratified.
        let published = place.published().await;
        assert_eq!(published, (0..published.len() as u64).collect::<Vec<_>>(), "seed {seed}");
        let latest = place.catalog.latest().unwrap();
        place.log().publish(latest).await.unwrap();
        assert_eq!(place.published().await.last(), Some(&latest.0), "seed {seed}");
        let mut ids = BTreeSet::new();
        for version in 0..=latest.0 {
            let body = lakebed::PathLogStore::new(place.root.clone()).read_commit(Version(version)).await.unwrap().unwrap();
            let info: Value = serde_json::from_slice(body.split(|b| *b == b'\n').next().unwrap()).unwrap();
            assert!(ids.insert(info["commitInfo"]["txnId"].as_str().unwrap().to_owned()), "seed {seed}: a commit twice");
        }
        assert_eq!(numbers(&place.table()).await.unwrap(), found, "seed {seed}");
    }
}
