//! Vacuum beside those who name files again that they did not write, in every order of their requests.

use super::{append_ids, columns};
use crate::support::aged::Aged;
use crate::support::stores::Steps;
use futures::TryStreamExt;
use futures::future::BoxFuture;
use lakebed::{At, Code, DataType, Env, FileQuery, PathLogStore, Report, Result, SaveMode, Table, TableRoot, Version};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use std::sync::Arc;
use std::time::Duration;

fn at(store: Arc<dyn ObjectStore>, name: &str) -> Table {
    let root = TableRoot::with_store(url::Url::parse(&format!("memory:///{name}/")).unwrap(), store, Path::from(name));
    Table::with_log(root.clone(), Arc::new(PathLogStore::new(root)), Env::system().with_threads(2))
}

fn table(store: &Arc<InMemory>, name: &str) -> Table {
    at(Arc::clone(store) as Arc<dyn ObjectStore>, name)
}

async fn overwrite(table: &Table, id: i64) {
    super::append(table, vec![super::ids_and_texts(&[(id, None)])]).mode(SaveMode::Overwrite).run().await.unwrap();
}

/// A table whose version 1 has a file that version 2 removed.
async fn replaced(store: &Arc<InMemory>, name: &str) -> Table {
    let table = table(store, name);
    table.create(columns(&[("id", DataType::Long), ("s", DataType::String)])).run().await.unwrap();
    append_ids(&table, &[1]).await.unwrap();
    overwrite(&table, 2).await;
    table
}

/// A table that has lost the file, and a deep copy of it; the next version of the source has the file again.
async fn copied() -> Arc<InMemory> {
    let store = Arc::new(InMemory::new());
    let (source, copy) = (replaced(&store, "s").await, table(&store, "t"));
    for version in [1, 2] {
        let of = source.snapshot_at(At::Version(Version(version))).await.unwrap();
        of.clone_to(&copy).deep().run().await.unwrap();
    }
    source.restore(At::Version(Version(1))).run().await.unwrap();
    store
}

async fn vacuum(table: Table) -> Result<Report> {
    table.vacuum().retain(Duration::ZERO).no_other_writers().run().await
}

async fn restore(table: Table) -> Result<Report> {
    table.restore(At::Version(Version(1))).run().await
}

type Doing = fn(Arc<dyn ObjectStore>) -> BoxFuture<'static, Result<Report>>;

const VACUUM: Doing = |store| Box::pin(vacuum(at(store, "t")));
const RESTORE: Doing = |store| Box::pin(restore(at(store, "t")));
const COPY: Doing = |store| {
    Box::pin(async move {
        let source = at(Arc::clone(&store), "s").snapshot().await?;
        source.clone_to(&at(store, "t")).deep().run().await
    })
};

/// Runs the one for so many requests, then the other for so many, then the one to its end and the other. Says whether each was held.
async fn interleave(store: &Arc<InMemory>, one: (Doing, usize), other: (Doing, usize)) -> ([Result<Report>; 2], [bool; 2]) {
    let start = |(doing, requests): (Doing, usize)| {
        let steps = Steps::new(Arc::clone(store) as Arc<dyn ObjectStore>, requests);
        (tokio::spawn(doing(Arc::clone(&steps) as Arc<dyn ObjectStore>)), steps)
    };
    let (mut first, first_steps) = start(one);
    let mut ended = [None, None];
    tokio::select! {
        biased;
        done = &mut first => ended[0] = Some(done.unwrap()),
        () = first_steps.held() => {}
    }
    let (mut second, second_steps) = start(other);
    tokio::select! {
        biased;
        done = &mut second => ended[1] = Some(done.unwrap()),
        () = second_steps.held() => {}
    }
    let held = [ended[0].is_none(), ended[1].is_none()];
    first_steps.open();
    let [mut a, mut b] = ended;
    if a.is_none() {
        a = Some(first.await.unwrap());
    }
    second_steps.open();
    if b.is_none() {
        b = Some(second.await.unwrap());
    }
    ([a.unwrap(), b.unwrap()], held)
}

/// The live files that are not there.
async fn missing(store: &Arc<InMemory>) -> Vec<String> {
    let mut missing = Vec::new();
    let snapshot = table(store, "t").snapshot().await.unwrap();
    let batches: Vec<_> = snapshot.files(FileQuery::default()).try_collect().await.unwrap();
    for path in batches.iter().flat_map(|b| (0..b.len()).map(|row| b.path(row).to_owned())) {
        if store.head(&Path::from(format!("t/{path}"))).await.is_err() {
            missing.push(path);
        }
    }
    missing
}

/// Every pause of the one with every pause of the other after it, and the same the other way round.
async fn no_order_loses_a_file(store: Arc<InMemory>, names_again: Doing, stride: usize) {
    for vacuum_first in [true, false] {
        let (mut restored, mut deleted, mut i, mut cases) = (0, 0, 0, 0);
        loop {
            let mut j = 0;
            let first_held = loop {
                let store = Arc::new(store.fork());
                let (one, other) = if vacuum_first { (VACUUM, names_again) } else { (names_again, VACUUM) };
                let (ended, held) = interleave(&store, (one, i), (other, j)).await;
                let [vacuumed, named] = if vacuum_first { ended } else { ended.into_iter().rev().collect::<Vec<_>>().try_into().unwrap() };
                let case = format!("vacuum first: {vacuum_first}, after {i} and {j} requests: {vacuumed:?}, {named:?}");
                assert_eq!(missing(&store).await, Vec::<String>::new(), "{case}");
                assert!(named.as_ref().err().is_none_or(|e| [Code::FILE, Code::CONFLICT].contains(&e.code())), "{case}");
                // A copy that is refused at last may have put an object back that was just deleted.
                assert!(vacuumed.as_ref().err().is_none_or(|e| [Code::VACUUM_UNSAFE, Code::STORE].contains(&e.code())), "{case}");
                restored += usize::from(named.is_ok());
                deleted += usize::from(vacuumed.is_ok_and(|report| report.version.is_some()));
                cases += 1;
                if !held[1] {
                    break held[0];
                }
                j += stride;
            };
            if !first_held {
                break;
            }
            i += 1;
        }
        assert!(restored > 0 && deleted > 0 && i > 10, "{cases} cases: {restored} named again, {deleted} deleted, {i} requests");
    }
}

// E11
// spec: VAC-13, VAC-21, RST-7
#[tokio::test(start_paused = true)]
async fn a_restore_beside_a_vacuum_never_leaves_a_live_file_missing() {
    let store = Arc::new(InMemory::new());
    replaced(&store, "t").await;
    no_order_loses_a_file(store, RESTORE, 1).await;
}

// spec: VAC-21, CPY-5
#[tokio::test(start_paused = true)]
async fn a_copy_made_again_beside_a_vacuum_never_names_a_missing_file() {
    no_order_loses_a_file(copied().await, COPY, 3).await;
}

/// Commits as another engine does that looks at nothing: the file of version 1 comes back.
async fn bring_back(store: &Arc<InMemory>, version: u64) {
    let key = |version: u64| Path::from(format!("t/_delta_log/{version:020}.json"));
    let body = store.get(&key(1)).await.unwrap().bytes().await.unwrap();
    let add = std::str::from_utf8(&body).unwrap().lines().find(|line| line.starts_with("{\"add\"")).unwrap().to_owned();
    store.put(&key(version), format!("{{\"commitInfo\":{{\"operation\":\"RESTORE\"}}}}\n{add}\n").into()).await.unwrap();
}

fn commit_key(version: u64) -> String {
    format!("t/_delta_log/{version:020}.json")
}

// E11
// spec: VAC-13
#[tokio::test(start_paused = true)]
async fn a_file_that_comes_back_after_vacuum_start_is_seen_before_anything_is_deleted() {
    let store = Arc::new(InMemory::new());
    replaced(&store, "t").await;
    let plan = table(&store, "t").vacuum().retain(Duration::ZERO).no_other_writers().plan().await.unwrap();
    assert_eq!(plan.files().len(), 1);
    // The request after START went in.
    for requests in 0.. {
        let store = Arc::new(store.fork());
        let steps = Steps::new(Arc::clone(&store) as Arc<dyn ObjectStore>, requests);
        let (plan, on) = (plan.clone(), at(Arc::clone(&steps) as Arc<dyn ObjectStore>, "t"));
        let mut running = tokio::spawn(async move { plan.execute(&on).await });
        tokio::select! {
            biased;
            _ = &mut running => panic!("it ended before START was seen"),
            () = steps.held() => {}
        }
        if store.head(&Path::from(commit_key(3))).await.is_err() {
            steps.open();
            running.await.unwrap().unwrap();
            continue;
        }
        bring_back(&store, 4).await;
        steps.open();
        assert_eq!(running.await.unwrap().unwrap_err().code(), Code::VACUUM_UNSAFE);
        assert_eq!(missing(&store).await, Vec::<String>::new());
        let end = store.get(&Path::from(commit_key(5))).await.unwrap().bytes().await.unwrap();
        let end = std::str::from_utf8(&end).unwrap();
        assert!(end.contains("VACUUM END") && end.contains("FAILED"), "{end}");
        break;
    }
}

// spec: VAC-13
#[tokio::test(start_paused = true)]
async fn a_file_that_comes_back_while_others_are_deleted_is_spared_by_the_next_round() {
    let store = Arc::new(InMemory::new());
    replaced(&store, "t").await;
    // They are deleted first, by name.
    for i in 0..10_000 {
        store.put(&Path::from(format!("t/a-{i:05}")), "x".into()).await.unwrap();
    }
    let steps = Steps::new(Arc::clone(&store) as Arc<dyn ObjectStore>, 0);
    let on = at(Arc::clone(&steps) as Arc<dyn ObjectStore>, "t");
    let plan = table(&store, "t").vacuum().retain(Duration::ZERO).no_other_writers().plan().await.unwrap();
    assert_eq!(plan.files().len(), 10_001);
    let mut begun = false;
    let running = plan.execute(&on);
    tokio::pin!(running);
    let e = loop {
        tokio::select! {
            biased;
            ended = &mut running => break ended.unwrap_err(),
            () = steps.held() => {
                // The first delete is held.
                if !begun && store.head(&Path::from("t/a-00000")).await.is_err() {
                    bring_back(&store, 4).await;
                    begun = true;
                    steps.open();
                } else {
                    // More than one request may be held.
                    steps.pass(8);
                }
            }
        }
    };
    assert_eq!((e.code(), missing(&store).await), (Code::VACUUM_UNSAFE, Vec::new()));
    assert!(e.context().iter().any(|(key, value)| *key == "deleted" && *value == "10000"), "{e}");
}

/// A table whose only file was replaced thirty hours ago.
async fn replaced_long_ago() -> Aged {
    let place = Aged::new();
    place.go_to(30);
    place.table.create(columns(&[("id", DataType::Long), ("s", DataType::String)])).run().await.unwrap();
    append_ids(&place.table, &[1]).await.unwrap();
    overwrite(&place.table, 2).await;
    place.settle();
    place
}

// spec: VAC-21
#[tokio::test(start_paused = true)]
async fn a_vacuum_that_died_holds_up_restores_for_three_hours_only() {
    let place = replaced_long_ago().await;
    let start = |version| place.commit(version, &[serde_json::json!({"commitInfo": {"operation": "VACUUM START"}})]);
    place.go_to(4);
    start(3);
    place.settle();
    assert_eq!(restore(place.now()).await.unwrap().version, Some(Version(4)), "four hours are enough");
    overwrite(&place.table, 3).await;
    start(6);
    let e = restore(place.now()).await.unwrap_err();
    assert!(e.code() == Code::CONFLICT && e.context().iter().any(|(key, _)| *key == "wait_ms"), "{e}");
    place.commit(7, &[serde_json::json!({"commitInfo": {"operation": "VACUUM END"}})]);
    assert_eq!(restore(place.now()).await.unwrap().version, Some(Version(8)), "it has ended");
}

// spec: VAC-21
#[tokio::test(start_paused = true)]
async fn an_end_is_that_of_the_vacuum_that_began_first() {
    let place = replaced_long_ago().await;
    let says = |version, operation: &str| place.commit(version, &[serde_json::json!({"commitInfo": {"operation": operation}})]);
    // Another one begins later and still runs when the first has ended.
    place.go_to(4);
    says(3, "VACUUM START");
    place.settle();
    place.go_to(2);
    says(4, "VACUUM START");
    says(5, "VACUUM END");
    place.settle();
    let e = restore(place.now()).await.unwrap_err();
    assert!(e.code() == Code::CONFLICT && e.context().iter().any(|(key, v)| *key == "version" && *v == "4"), "{e}");
}
