//! How a scan flows: within its memory, as fast as it is drained, in pieces that run elsewhere.

use crate::support::digest::Rows;
use crate::support::stores::{Counting, Kind};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use futures::{StreamExt, TryStreamExt, stream};
use lakebed::{Env, Expr, FileTask, PathLogStore, Scan, Struct, Table, TableRoot};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use std::sync::Arc;
use std::task::Poll;

const FILES: i64 = 24;
const ROWS: i64 = 500;

/// A table of many files on a store that counts.
async fn table() -> Arc<Counting> {
    table_of(FILES, ROWS).await
}

async fn table_of(files: i64, rows: i64) -> Arc<Counting> {
    let store = Counting::new(Arc::new(InMemory::new()));
    let table = handle(&store, Env::system());
    table.create(Struct::from_sql("id BIGINT, s STRING, p BIGINT").unwrap()).partition_by(["p"]).run().await.unwrap();
    let ids = Int64Array::from_iter_values(0..files * rows);
    let texts = StringArray::from_iter_values(ids.values().iter().map(|id| format!("{id:0>40}")));
    let parts = Int64Array::from_iter_values(ids.values().iter().map(|id| id / rows));
    let columns: [(&str, ArrayRef); 3] = [("id", Arc::new(ids)), ("s", Arc::new(texts)), ("p", Arc::new(parts))];
    let rows = RecordBatch::try_from_iter(columns).unwrap();
    table.append(rows.schema(), stream::iter([Ok(rows)]).boxed()).run().await.unwrap();
    store
}

/// A handle of its own, as another process would have.
fn handle(store: &Arc<Counting>, env: Env) -> Table {
    let url = url::Url::parse("memory:///t/").unwrap();
    let root = TableRoot::with_store(url, Arc::clone(store) as Arc<dyn ObjectStore>, Path::from("t"));
    Table::with_log(root.clone(), Arc::new(PathLogStore::new(root)), env)
}

async fn scan(store: &Arc<Counting>, env: Env) -> Scan {
    handle(store, env).snapshot().await.unwrap().scan().build().unwrap()
}

/// Lets everything that can go on go on.
async fn settle() {
    for _ in 0..2_000 {
        tokio::task::yield_now().await;
    }
}

// spec: DAT-16
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_texts_come_in_batches_of_few_rows_within_a_small_memory_limit() {
    const TEXTS: usize = 40;
    const LIMIT: u64 = 48 << 20;
    let store = Counting::new(Arc::new(InMemory::new()));
    let table = handle(&store, Env::system());
    table.create(Struct::from_sql("differ STRING, same STRING").unwrap()).run().await.unwrap();
    // The second column is a dictionary of one value.
    let column = |text: fn(usize) -> String| Arc::new(StringArray::from_iter_values((0..TEXTS).map(text))) as ArrayRef;
    let differ = column(|i| format!("{i}") + &"x".repeat(1 << 20));
    let rows = RecordBatch::try_from_iter([("differ", differ), ("same", column(|_| "s".repeat(1 << 20)))]).unwrap();
    table.append(rows.schema(), stream::iter([Ok(rows)]).boxed()).run().await.unwrap();

    for columns in [["differ"], ["same"]] {
        let env = Env::system().with_memory_limit(LIMIT).with_threads(2);
        let memory = env.memory().clone();
        let snapshot = handle(&store, env).snapshot().await.unwrap();
        let mut batches = snapshot.scan().columns(columns).build().unwrap().stream();
        let mut rows = 0;
        while let Some(batch) = batches.try_next().await.unwrap() {
            rows += batch.num_rows();
            assert!(batch.num_rows() <= 8 && batch.get_array_memory_size() <= 17 << 20, "{} rows", batch.num_rows());
        }
        assert_eq!(rows, TEXTS);
        assert!((16 << 20..=LIMIT / 2).contains(&memory.high_water()), "{} bytes were held", memory.high_water());
    }
}

/// What must come without anything else being done.
async fn soon<T>(mut what: impl Future<Output = T> + Unpin) -> T {
    for _ in 0..200_000 {
        if let Poll::Ready(out) = futures::poll!(&mut what) {
            return out;
        }
        tokio::task::yield_now().await;
    }
    panic!("it stands still");
}

// spec: DAT-12
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scan_of_many_files_ends_within_a_small_memory_limit() {
    let store = table().await;
    // Room for one file, for a few, for all.
    for limit in [64 << 10, 256 << 10, 64 << 20] {
        let env = Env::system().with_memory_limit(limit).with_threads(4);
        let memory = env.memory().clone();
        let batches: Vec<RecordBatch> = scan(&store, env).await.stream().try_collect().await.unwrap();
        assert_eq!(batches.iter().map(|b| b.num_rows() as i64).sum::<i64>(), FILES * ROWS);
        assert!(memory.high_water() > 0 && memory.high_water() <= limit / 2, "{} of {limit} bytes were held", memory.high_water());
        assert!(memory.try_reserve(limit).is_some(), "everything was given back");
    }
}

// spec: DAT-12
#[tokio::test]
async fn scans_that_are_merged_by_turns_end_however_small_the_budget() {
    // Files of several batches, each of which stands still until it is drained: two of them hold the whole budget.
    let store = table_of(2, 60_000).await;
    let env = Env::system().with_memory_limit(64 << 10).with_threads(2);
    let mut scans = Vec::new();
    for _ in 0..3 {
        scans.push((scan(&store, env.clone()).await.stream(), 0));
    }
    let mut open = scans.len();
    while open > 0 {
        for (batches, rows) in &mut scans {
            if let Some(batch) = soon(batches.next()).await {
                *rows += batch.unwrap().num_rows() as i64;
            } else if *rows > 0 {
                assert_eq!(std::mem::take(rows), 120_000);
                open -= 1;
            }
        }
    }
}

// spec: DAT-12
#[tokio::test]
async fn slow_consumer_holds_the_producer_back() {
    let store = table().await;
    let env = Env::system().with_threads(2);
    let scan = scan(&store, env).await;
    let mut batches = scan.clone().stream();
    store.take();
    settle().await;
    assert_eq!(store.take().len(), 0, "nothing is read before the first batch is asked for");
    batches.next().await.unwrap().unwrap();
    settle().await;
    // One was taken; one waits to be taken, and two files are in flight.
    let ahead = scan.metrics().files_read;
    assert!(ahead <= 4, "{ahead} files were read for one batch");
    let rest: Vec<RecordBatch> = batches.try_collect().await.unwrap();
    assert_eq!(rest.len() as i64, FILES - 1);
    assert_eq!(scan.metrics().files_read as i64, FILES);
}

// spec: DAT-12
#[tokio::test]
async fn dropped_stream_stops_the_work_and_gives_memory_back() {
    let store = table().await;
    let env = Env::system().with_threads(2).with_memory_limit(1 << 20);
    let memory = env.memory().clone();
    let scan = scan(&store, env).await;
    let mut batches = scan.clone().stream();
    batches.next().await.unwrap().unwrap();
    drop(batches);
    settle().await;
    let read = scan.metrics().files_read;
    store.take();
    settle().await;
    assert_eq!((store.take().len(), scan.metrics().files_read), (0, read));
    assert!((read as i64) < FILES && memory.try_reserve(1 << 20).is_some());
}

// spec: DAT-15
#[tokio::test]
async fn file_tasks_run_from_their_text_in_another_handle() {
    let store = table().await;
    let filter = || Expr::sql("id % 3 = 0 AND p BETWEEN 2 AND 9 AND s IS NOT NULL").unwrap();
    let build = async || {
        let snapshot = handle(&store, Env::system()).snapshot().await.unwrap();
        snapshot.scan().columns(["p", "id"]).filter(filter()).build().unwrap()
    };
    let tasks: Vec<FileTask> = build().await.tasks().try_collect().await.unwrap();
    assert_eq!(tasks.len(), 8);
    let texts: Vec<String> = tasks.iter().map(|task| serde_json::to_string(task).unwrap()).collect();

    let elsewhere = build().await;
    let (mut pieces, mut whole) = (Rows::default(), Rows::default());
    for text in texts {
        let task: FileTask = serde_json::from_str(&text).unwrap();
        let mut batches = elsewhere.read(task);
        while let Some(batch) = batches.try_next().await.unwrap() {
            pieces.push(&batch);
        }
    }
    let mut batches = build().await.stream();
    while let Some(batch) = batches.try_next().await.unwrap() {
        whole.push(&batch);
    }
    assert!(pieces.len() > 1_000 && pieces.len() == whole.len());
    assert_eq!(pieces.sha256(), whole.sha256());
}

// spec: DAT-14
#[tokio::test]
async fn count_asks_for_data_only_when_the_log_does_not_decide() {
    let store = table().await;
    let count = async |filter: Option<&str>| {
        let snapshot = handle(&store, Env::system()).snapshot().await.unwrap();
        let scan = snapshot.scan();
        let scan = if let Some(filter) = filter { scan.filter(Expr::sql(filter).unwrap()) } else { scan };
        store.take();
        let rows = scan.build().unwrap().count().await.unwrap() as i64;
        (rows, store.take().iter().filter(|r| r.kind == Kind::Get && r.key.ends_with(".parquet")).count() > 0)
    };
    assert_eq!(count(None).await, (FILES * ROWS, false));
    assert_eq!(count(Some("p < 3 OR p = 9")).await, (4 * ROWS, false));
    assert_eq!(count(Some("p IS NULL")).await, (0, false));
    assert_eq!(count(Some("id < 700")).await, (700, true));
}

// spec: DAT-14
#[tokio::test]
async fn a_count_decodes_only_what_its_filter_reads() {
    let folder = tempfile::tempdir().unwrap();
    let table = Table::at(folder.path().to_str().unwrap()).open().unwrap();
    let ids: Vec<i64> = (0..20_000).collect();
    let texts = StringArray::from_iter_values(ids.iter().map(|id| format!("{id} {}", id.wrapping_mul(0x9E37_79B9_7F4A_7C15u64 as i64))));
    let batch = RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from(ids)) as ArrayRef), ("s", Arc::new(texts))]).unwrap();
    table.append(batch.schema(), futures::stream::iter([Ok(batch)]).boxed()).run().await.unwrap();
    let scan = table.snapshot().await.unwrap().scan().filter(Expr::sql("id % 10 = 3").unwrap()).build().unwrap();
    assert_eq!(scan.clone().count().await.unwrap(), 2_000);
    let counted = scan.metrics();
    let rows: Vec<_> = scan.clone().stream().try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(rows.iter().map(|b| b.num_rows()).sum::<usize>(), 2_000);
    let read = scan.metrics().bytes_read - counted.bytes_read;
    assert!(counted.files_read == 1 && counted.bytes_read * 2 < read, "{} bytes for the count, {read} for the rows", counted.bytes_read);
}
