//! What has really happened to tables elsewhere (spec/failures.md), played again on a store that fails on demand.

use crate::support::digest::digest_of_table;
use crate::support::log_files::{LogFiles, PROTOCOL, add, metadata};
use crate::support::stores::{Counting, Fault, Faulty, Kind};
use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use futures::{StreamExt, TryStreamExt, stream};
use lakebed::{Append, At, Code, Env, Expr, PathLogStore, Result, SaveMode, Snapshot, Struct, Table, TableRoot, Version};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use std::sync::Arc;

fn table_on(store: Arc<dyn ObjectStore>) -> Table {
    let root = TableRoot::with_store(url::Url::parse("memory:///t/").unwrap(), store, Path::from("t"));
    Table::with_log(root.clone(), Arc::new(PathLogStore::new(root)), Env::system())
}

fn append(table: &Table, k: i64) -> Append {
    let rows = RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from(vec![k])) as ArrayRef)]).unwrap();
    table.append(rows.schema(), stream::iter([Ok(rows)]).boxed())
}

async fn ids_of(snapshot: &Arc<Snapshot>) -> Result<Vec<i64>> {
    let batches: Vec<RecordBatch> = snapshot.scan().build()?.stream().try_collect().await?;
    let values = |b: &RecordBatch| b.column(0).as_any().downcast_ref::<Int64Array>().unwrap().values().to_vec();
    let mut ids: Vec<i64> = batches.iter().flat_map(values).collect();
    ids.sort_unstable();
    Ok(ids)
}

async fn ids(table: &Table) -> Result<Vec<i64>> {
    ids_of(&table.snapshot().await?).await
}

/// A table with the rows 1 to `newest`, one a version.
async fn written(store: &Arc<InMemory>, newest: i64, properties: &[(&str, &str)]) {
    let table = table_on(Arc::clone(store) as Arc<dyn ObjectStore>);
    let mut create = table.create(Struct::from_sql("id BIGINT").unwrap());
    for (key, value) in properties {
        create = create.property(key, value);
    }
    create.run().await.unwrap();
    for k in 1..=newest {
        append(&table, k).run().await.unwrap();
    }
}

async fn names(store: &InMemory, prefix: &str) -> Vec<String> {
    let mut names: Vec<String> = store.list(Some(&Path::from(prefix))).map_ok(|o| o.location.to_string()).try_collect().await.unwrap();
    names.sort();
    names
}

fn is_commit(key: &str) -> bool {
    key.contains("/_delta_log/0") && key.ends_with(".json") && !key.contains("checkpoint")
}

// A1, A2: the answer is lost and nothing can be read back.
#[tokio::test(start_paused = true)]
async fn a_commit_of_unknown_outcome_keeps_its_data_files_and_names_its_transaction() {
    let store = Arc::new(InMemory::new());
    written(&store, 2, &[]).await;
    let faulty = Faulty::new(Arc::clone(&store) as Arc<dyn ObjectStore>, |kind, key, _| match kind {
        Kind::Create if key.ends_with("03.json") => Some(Fault::ApplyThenFail),
        Kind::Get if key.ends_with("03.json") => Some(Fault::Refuse),
        _ => None,
    });
    let e = append(&table_on(faulty), 3).run().await.unwrap_err();
    assert_eq!(e.code(), Code::COMMIT_UNKNOWN);
    let txn = e.context().iter().find(|(k, _)| k.to_lowercase().contains("txn")).map(|(_, v)| v.to_string()).unwrap();
    let table = table_on(Arc::clone(&store) as Arc<dyn ObjectStore>);
    assert_eq!(ids(&table).await.unwrap(), [1, 2, 3], "it had landed, and its file is there");
    let history: Vec<_> = table.history(Some(1)).try_collect().await.unwrap();
    assert_eq!(history[0].commit_info.as_ref().and_then(|i| i.txn_id()), Some(txn.as_str()));
}

// A3, A4: "exists" and "precondition failed" although nothing landed, in the spelling of every store.
#[tokio::test(start_paused = true)]
async fn an_exists_about_nothing_is_looked_at_and_the_same_version_is_tried_again() {
    for fault in [Fault::Exists, Fault::Precondition, Fault::ApplyThenExists, Fault::ApplyThenFail, Fault::Refuse] {
        let store = Arc::new(InMemory::new());
        written(&store, 1, &[]).await;
        let faulty = Faulty::new(Arc::clone(&store) as Arc<dyn ObjectStore>, move |kind, key, before| {
            (kind == Kind::Create && is_commit(key) && before == 0).then_some(fault)
        });
        let table = table_on(faulty);
        for k in 2..=4 {
            assert_eq!(append(&table, k).run().await.unwrap().version, Some(Version(k as u64)), "{fault:?}");
        }
        assert_eq!(ids(&table).await.unwrap(), [1, 2, 3, 4], "{fault:?}");
        assert_eq!(names(&store, "t/_delta_log").await.len(), 5, "{fault:?}: no version was skipped");
    }
}

// A12: the winner is there and cannot be seen yet.
#[tokio::test(start_paused = true)]
async fn a_winner_that_cannot_be_read_yet_is_waited_for_and_passed() {
    let store = Arc::new(InMemory::new());
    written(&store, 1, &[]).await;
    let faulty = Faulty::new(Arc::clone(&store) as Arc<dyn ObjectStore>, |kind, key, before| {
        (kind == Kind::Get && key.ends_with("02.json") && before < 3).then_some(Fault::Missing)
    });
    let held = table_on(faulty).snapshot().await.unwrap();
    append(&table_on(Arc::clone(&store) as Arc<dyn ObjectStore>), 2).run().await.unwrap();
    let rows = RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from(vec![3])) as ArrayRef)]).unwrap();
    let report = held.append(rows.schema(), stream::iter([Ok(rows)]).boxed()).run().await.unwrap();
    assert_eq!(report.version, Some(Version(3)));
    assert_eq!(ids(&table_on(store)).await.unwrap(), [1, 2, 3]);
}

// A6: nothing of the log is ever replaced but the hint.
#[tokio::test]
async fn whatever_is_written_to_the_log_is_created_and_never_replaced() {
    let counting = Counting::new(Arc::new(InMemory::new()));
    let table = table_on(Arc::clone(&counting) as Arc<dyn ObjectStore>);
    let create = table.create(Struct::from_sql("id BIGINT").unwrap());
    create.property("delta.checkpointInterval", "2").property("delta.checkpointPolicy", "v2").run().await.unwrap();
    for k in 1..=4 {
        let mode = if k == 3 { SaveMode::Overwrite } else { SaveMode::Append };
        append(&table, k).mode(mode).run().await.unwrap();
    }
    table.checkpoint().run().await.unwrap();
    let written = counting.take();
    let in_log = |kind: Kind| written.iter().filter(move |r| r.kind == kind && r.key.contains("_delta_log")).map(|r| r.key.as_str());
    assert!(in_log(Kind::Create).count() >= 5 + 2 * 3, "{written:?}");
    assert!(in_log(Kind::Put).all(|key| key.ends_with("/_last_checkpoint")), "{:?}", in_log(Kind::Put).collect::<Vec<_>>());
    assert_eq!(in_log(Kind::Multipart).chain(in_log(Kind::Copy)).chain(in_log(Kind::Delete)).count(), 0);
}

// A10: what follows a commit cannot take it back.
// spec: COM-11, CKP-14
#[tokio::test]
async fn a_commit_counts_even_when_everything_after_it_fails() {
    let store = Arc::new(InMemory::new());
    written(&store, 1, &[("delta.checkpointInterval", "2")]).await;
    let faulty = {
        let committed = std::sync::atomic::AtomicBool::new(false);
        Faulty::new(Arc::clone(&store) as Arc<dyn ObjectStore>, move |kind, key, _| {
            let over = committed.load(std::sync::atomic::Ordering::SeqCst);
            if kind == Kind::Create && is_commit(key) {
                committed.store(true, std::sync::atomic::Ordering::SeqCst);
            }
            over.then_some(Fault::Refuse)
        })
    };
    let report = append(&table_on(faulty), 2).run().await.unwrap();
    assert_eq!(report.version, Some(Version(2)));
    assert_eq!(report.warnings.len(), 1, "{:?}", report.warnings);
    assert_eq!(ids(&table_on(store)).await.unwrap(), [1, 2]);
}

// B5: files of no bytes stand for nothing, but a commit of no bytes is damage.
#[tokio::test]
async fn empty_checkpoints_compactions_and_checksums_are_passed_over_and_empty_commits_are_not() {
    let log = LogFiles::new();
    log.commits(0, 6).await;
    for name in ["00000000000000000004.checkpoint.parquet", "00000000000000000006.crc", "_last_checkpoint"] {
        log.put(name, "").await;
    }
    log.put("00000000000000000001.00000000000000000003.compacted.json", "").await;
    log.put("00000000000000000005.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json", "").await;
    log.put("00000000000000000002.checkpoint.0000000001.0000000001.parquet", "").await;
    let snapshot = log.table.snapshot().await.unwrap();
    let files: Vec<_> = snapshot.files(lakebed::FileQuery::default()).try_collect().await.unwrap();
    assert_eq!(files.iter().map(|b| b.len()).sum::<usize>(), 7);
    log.put("00000000000000000003.json", "").await;
    let e = log.table.snapshot().await.unwrap_err();
    assert_eq!(e.code(), Code::LOG_EMPTY);
    assert!(e.context().iter().any(|(_, v)| v.contains("00000000000000000003.json")), "{e:?}");
}

// B6: what a creation that died leaves behind is no table.
#[tokio::test]
async fn leftovers_of_a_creation_that_died_do_not_stop_the_next_one() {
    let store = Arc::new(InMemory::new());
    for name in [
        "_commit_1c2d.json.tmp",
        ".00000000000000000000.json.5f3a.tmp",
        "_last_checkpoint",
        "00000000000000000000.crc",
        "_staged_commits/x",
    ] {
        store.put(&Path::from(format!("t/_delta_log/{name}")), "{".into()).await.unwrap();
    }
    let table = table_on(store);
    assert_eq!(table.snapshot().await.unwrap_err().code(), Code::TABLE);
    table.create(Struct::from_sql("id BIGINT").unwrap()).run().await.unwrap();
    append(&table, 1).run().await.unwrap();
    assert_eq!(ids(&table).await.unwrap(), [1]);
}

// C1, C2: answers that end early.
#[tokio::test(start_paused = true)]
async fn an_answer_that_ends_early_is_completed_or_an_error_and_never_fewer_rows() {
    let store = Arc::new(InMemory::new());
    written(&store, 14, &[("delta.checkpointInterval", "10")]).await;
    let right: Vec<i64> = (1..=14).collect();
    let mut completed = 0;
    for bytes in [0, 1, 7, 40, 300] {
        for what in [".json", ".crc", "checkpoint.parquet", "_last_checkpoint", "part-"] {
            for lasting in [false, true] {
                let faulty = Faulty::new(Arc::clone(&store) as Arc<dyn ObjectStore>, move |kind, key, before| {
                    (kind == Kind::Get && key.contains(what) && (lasting || before == 0)).then_some(Fault::Short(bytes))
                });
                match ids(&table_on(faulty)).await {
                    Ok(rows) => {
                        assert_eq!(rows, right, "{what} after {bytes}");
                        completed += 1;
                    }
                    Err(e) => assert_ne!(e.kind(), lakebed::ErrorKind::Internal, "{what} after {bytes}: {e:?}"),
                }
            }
        }
    }
    assert!(completed >= 25, "only {completed} of 50 were completed");
}

// C3: listings with holes, doubles and old news.
#[tokio::test]
async fn a_listing_that_lacks_a_commit_is_a_gap_or_an_older_version_and_never_a_mixture() {
    for hidden in 0..=5u64 {
        let log = LogFiles::new();
        log.commits(0, 5).await;
        let odd = |hidden: Option<String>| {
            let log_store = Arc::new(Odd { inner: Arc::clone(log.table.log()), hidden });
            Table::with_log(log.table.root().clone(), log_store, log.table.env().clone())
        };
        let table = odd(Some(format!("{hidden:020}.json")));
        match table.snapshot().await {
            Ok(snapshot) => assert_eq!((hidden, snapshot.version()), (5, Version(4)), "the newest may not be there yet"),
            Err(e) => {
                assert_eq!(e.code(), Code::LOG_GAP);
                assert!(e.context().iter().any(|(k, v)| *k == "version" && *v == hidden.to_string()), "{e:?}");
            }
        }
        let files: Vec<_> = odd(None).snapshot().await.unwrap().files(lakebed::FileQuery::default()).try_collect().await.unwrap();
        assert_eq!(files.iter().map(|b| b.len()).sum::<usize>(), 6);
    }
}

/// A log whose listing lacks a file, or names each one twice.
#[derive(Debug)]
struct Odd {
    inner: Arc<dyn lakebed::LogStore>,
    hidden: Option<String>,
}

#[async_trait::async_trait]
impl lakebed::LogStore for Odd {
    fn list(&self, from: Version) -> futures::stream::BoxStream<'_, Result<lakebed::LogFile>> {
        let listed = self.inner.list(from);
        match &self.hidden {
            Some(hidden) => listed.try_filter(move |f| futures::future::ready(f.name != *hidden)).boxed(),
            None => listed.flat_map(|f| stream::iter([f.as_ref().ok().cloned().map(Ok), Some(f)].into_iter().flatten())).boxed(),
        }
    }
    async fn read(&self, file: &lakebed::LogFile) -> Result<bytes::Bytes> {
        self.inner.read(file).await
    }
    async fn read_commit(&self, version: Version) -> Result<Option<bytes::Bytes>> {
        self.inner.read_commit(version).await
    }
    async fn put_commit(&self, version: Version, body: bytes::Bytes) -> lakebed::PutOutcome {
        self.inner.put_commit(version, body).await
    }
}

/// Twenty-three files in a checkpoint, four more in the one after it, of which one has gone since, and a new one.
async fn checkpointed_twice(policy: &str) -> InMemory {
    let store = Arc::new(InMemory::new());
    let table = table_on(Arc::clone(&store) as Arc<dyn ObjectStore>);
    let create = table.create(Struct::from_sql("id BIGINT, p BIGINT").unwrap()).partition_by(["p"]);
    create.property("delta.checkpointInterval", "4").property("delta.checkpointPolicy", policy).run().await.unwrap();
    for ids in std::iter::once((1..=20).collect::<Vec<i64>>()).chain((21..=27).map(|k| vec![k])) {
        let ids = Arc::new(Int64Array::from(ids)) as ArrayRef;
        let rows = RecordBatch::try_from_iter([("id", Arc::clone(&ids)), ("p", ids)]).unwrap();
        table.append(rows.schema(), stream::iter([Ok(rows)]).boxed()).run().await.unwrap();
    }
    table.delete().filter(Expr::sql("p = 25").unwrap()).run().await.unwrap();
    append(&table, 28).run().await.unwrap();
    store.fork()
}

// D1, D3: a checkpoint that is disturbed at any of its requests, also while it names sidecars of the one before again.
// spec: CKP-11, CKP-13, CKP-16
#[tokio::test]
async fn a_checkpoint_disturbed_at_any_request_is_whole_or_not_there() {
    for policy in ["classic", "v2"] {
        let made = checkpointed_twice(policy).await;
        let mut reused_in_spite = 0;
        for fault in [Fault::Refuse, Fault::ApplyThenFail, Fault::Short(20)] {
            for at in 0.. {
                let store = Arc::new(made.fork());
                let reached = Arc::new(std::sync::atomic::AtomicUsize::new(0));
                let count = Arc::clone(&reached);
                let faulty = Faulty::new(Arc::clone(&store) as Arc<dyn ObjectStore>, move |_, _, _| {
                    (count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == at).then_some(fault)
                });
                let ended = table_on(faulty).checkpoint().run().await;
                let case = format!("{policy}, {fault:?} at request {at}: {:?}", ended.as_ref().err());
                let table = table_on(Arc::clone(&store) as Arc<dyn ObjectStore>);
                let right = digest_of_table(&table).await;
                assert_eq!(right.0, 27, "{case}");
                if names(&store, "t/_delta_log").await.iter().any(|n| n.contains("00000000000000000010.checkpoint")) {
                    for v in 0..=10 {
                        store.delete(&Path::from(format!("t/_delta_log/{v:020}.json"))).await.unwrap();
                    }
                    assert_eq!(digest_of_table(&table).await, right, "from the checkpoint alone: {case}");
                } else {
                    table.checkpoint().run().await.unwrap_or_else(|e| panic!("the next checkpoint: {e:?} after {case}"));
                }
                let reused = ended.as_ref().ok().map(|report| report.metrics["numSidecarsReused"].as_u64().unwrap());
                if reached.load(std::sync::atomic::Ordering::SeqCst) <= at {
                    assert!(at >= 8, "{at} requests");
                    assert_eq!(reused, Some(u64::from(policy == "v2")), "{case}");
                    break;
                }
                reused_in_spite += usize::from(reused == Some(1));
            }
        }
        assert_eq!(reused_in_spite > 5, policy == "v2", "{reused_in_spite} disturbed checkpoints name a sidecar again");
    }
}

// D10: a hint, a checkpoint and checksums of a table that was dropped and made anew.
#[tokio::test]
async fn what_a_dropped_table_left_above_the_new_log_is_a_gap_and_not_a_mixture() {
    let log = LogFiles::new();
    log.commits(0, 3).await;
    log.checkpoint(9, &[PROTOCOL, &metadata("former", "{}"), &add("old", 1)]).await;
    log.commit(11, &[&add("older", 1)]).await;
    log.put("_last_checkpoint", r#"{"version":9,"size":3}"#).await;
    assert_eq!(log.table.snapshot().await.unwrap_err().code(), Code::LOG_GAP);
    let ours = log.table.snapshot_at(At::Version(Version(3))).await.unwrap();
    assert_eq!((ours.state().metadata().id.as_str(), ours.warnings().len()), ("first", 0));
}

// D13: what the log says about the schema and properties is carried on byte by byte.
#[tokio::test]
async fn metadata_stays_the_same_text_through_overwrites_and_checkpoints() {
    let store = Arc::new(InMemory::new());
    let table = table_on(Arc::clone(&store) as Arc<dyn ObjectStore>);
    let mut columns = Struct::from_sql("id BIGINT").unwrap();
    columns.fields[0].metadata.insert("comment".to_owned(), r#"a "quoted" \ back\\slash é "#.into());
    table.create(columns).property("note", r#"{"a":"\"b\" \\ c"}"#).property("delta.checkpointInterval", "3").run().await.unwrap();
    let first = table.snapshot().await.unwrap().state().metadata().clone();
    for k in 1..=7 {
        append(&table, k).mode(SaveMode::Overwrite).overwrite_schema().run().await.unwrap();
    }
    let last = table.snapshot().await.unwrap();
    assert_eq!(
        (&last.state().metadata().schema_string, &last.state().metadata().configuration),
        (&first.schema_string, &first.configuration)
    );
    let sizes: Vec<u64> = {
        let listed: Vec<_> = table.log().list(Version(1)).try_collect().await.unwrap();
        listed.iter().filter(|f| f.kind == lakebed::LogFileKind::Commit).map(|f| f.size).collect()
    };
    assert!(sizes[1..].iter().max().unwrap() - sizes[1..].iter().min().unwrap() < 100, "{sizes:?}");
}

// A11: many writers at once are patient and all land.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_writers_on_one_table_all_land_once() {
    let store = Arc::new(InMemory::new());
    written(&store, 0, &[]).await;
    let writers = (0..16).map(|w| {
        let table = table_on(Arc::clone(&store) as Arc<dyn ObjectStore>);
        tokio::spawn(async move {
            for i in 0..5 {
                append(&table, w * 5 + i).run().await.unwrap();
            }
        })
    });
    for writer in futures::future::join_all(writers).await {
        writer.unwrap();
    }
    assert_eq!(ids(&table_on(store)).await.unwrap(), (0..80).collect::<Vec<_>>());
}
