//! What operations ask of a store: exact numbers of requests, and of rounds of requests that wait for each other.

use crate::support::log_files::{LogFiles, PROTOCOL, PROTOCOL_V2, add, metadata};
use crate::support::stores::{Counting, Kind, Request, rounds};
use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use futures::{StreamExt, stream};
use lakebed::{Append, CountEffort, Env, PathLogStore, Struct, Table, TableRoot, Version};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use std::sync::Arc;

/// How many requests of each kind, and in how many rounds.
fn cost(requests: &[Request]) -> (Vec<(Kind, usize)>, usize) {
    let count = |kind: Kind| (kind, requests.iter().filter(|r| r.kind == kind).count());
    let kinds = [Kind::Get, Kind::Head, Kind::Put, Kind::Create, Kind::Multipart, Kind::List, Kind::Delete, Kind::Copy];
    (kinds.into_iter().map(count).filter(|(_, n)| *n > 0).collect(), rounds(requests))
}

fn one_row(k: i64) -> RecordBatch {
    RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from(vec![k])) as ArrayRef)]).unwrap()
}

/// A real table on a store that counts.
struct Written {
    store: Arc<Counting>,
    table: Table,
}

impl Written {
    /// Versions 0 to `newest`, with the checkpoints that are due.
    async fn up_to(newest: i64, properties: &[(&str, &str)]) -> Written {
        let store = Counting::new(Arc::new(InMemory::new()));
        let written = Written { table: Written::open(&store), store };
        let mut create = written.table.create(Struct::from_sql("id BIGINT").unwrap());
        for (key, value) in properties {
            create = create.property(key, value);
        }
        create.run().await.unwrap();
        for k in 1..=newest {
            let report = written.append(k).run().await.unwrap();
            assert_eq!((report.version, report.warnings), (Some(Version(k as u64)), Vec::<String>::new()));
        }
        written.store.take();
        written
    }
    /// A handle that knows nothing yet.
    fn open(store: &Arc<Counting>) -> Table {
        let url = url::Url::parse("memory:///t/").unwrap();
        let root = TableRoot::with_store(url, Arc::clone(store) as Arc<dyn ObjectStore>, Path::from("t"));
        Table::with_log(root.clone(), Arc::new(PathLogStore::new(root)), Env::system())
    }
    fn append(&self, k: i64) -> Append {
        let rows = one_row(k);
        self.table.append(rows.schema(), stream::iter([Ok(rows)]).boxed())
    }
}

// spec: LOG-13
#[tokio::test(start_paused = true)]
async fn ten_commits_open_with_twelve_requests_in_two_rounds() {
    let log = LogFiles::new();
    log.commits(0, 9).await;
    let snapshot = log.table.snapshot().await.unwrap();
    assert_eq!(cost(&log.store.take()), (vec![(Kind::Get, 11), (Kind::List, 1)], 2));
    assert_eq!(snapshot.version(), Version(9));
    assert_eq!(snapshot.counts(CountEffort::Exact).await.unwrap().unwrap().files, 10);
    assert_eq!(log.store.take(), [], "commits are read once");
}

// spec: LOG-13, CKP-2
#[tokio::test(start_paused = true)]
async fn a_checkpoint_and_four_commits_open_with_seven_requests_in_two_rounds() {
    let log = LogFiles::new();
    log.commits(0, 14).await;
    log.checkpoint_of_commits(10, &[]).await;
    log.put("_last_checkpoint", r#"{"version":10,"size":13}"#).await;
    let snapshot = log.table.snapshot().await.unwrap();
    assert_eq!(cost(&log.store.take()), (vec![(Kind::Get, 6), (Kind::List, 1)], 2));
    assert_eq!(snapshot.version(), Version(14));
    assert!(snapshot.warnings().is_empty());
    assert_eq!(snapshot.counts(CountEffort::Exact).await.unwrap().unwrap().files, 15);
    assert_eq!(log.store.take(), [], "a small checkpoint is read once");
}

// spec: LOG-13, CKP-1
#[tokio::test(start_paused = true)]
async fn version_and_schema_of_a_checkpoint_with_ten_sidecars_need_none_of_them() {
    for json in [false, true] {
        let log = LogFiles::new();
        log.commits(0, 14).await;
        let mut lines = vec![r#"{"checkpointMetadata":{"version":10}}"#.to_owned(), PROTOCOL_V2.to_owned(), metadata("first", "{}")];
        let sidecar = |i| format!(r#"{{"sidecar":{{"path":"s{i}.parquet","sizeInBytes":9000,"modificationTime":1}}}}"#);
        lines.extend((0..10).map(sidecar));
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let name = format!("{:020}.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11", 10);
        if json {
            log.put(&format!("{name}.json"), lines.join("\n")).await;
        } else {
            log.parquet(&format!("{name}.parquet"), &lines).await;
        }
        let snapshot = log.table.snapshot().await.unwrap();
        assert_eq!(cost(&log.store.take()), (vec![(Kind::Get, 6), (Kind::List, 1)], 2), "json {json}");
        assert_eq!((snapshot.version(), snapshot.state().schema().fields.len()), (Version(14), 1));
        assert!(snapshot.warnings().is_empty(), "{:?}", snapshot.warnings());
    }
}

// spec: LOG-14
#[tokio::test(start_paused = true)]
async fn a_long_log_is_listed_from_its_hint_on_in_one_more_round() {
    let log = LogFiles::new();
    log.checkpoint(1000, &[PROTOCOL, &metadata("first", "{}"), &add("f", 1)]).await;
    log.commits(1001, 1004).await;
    log.put("_last_checkpoint", r#"{"version":1000,"size":3}"#).await;
    let snapshot = log.table.snapshot().await.unwrap();
    let requests = log.store.take();
    assert!(requests.len() <= 8 && rounds(&requests) == 3, "{requests:?}");
    assert_eq!(snapshot.version(), Version(1004));
}

// spec: LOG-13, COM-12
#[tokio::test(start_paused = true)]
async fn a_cold_append_takes_nine_requests_in_four_rounds_and_a_warm_one_two() {
    let written = Written::up_to(14, &[("delta.checkpointInterval", "10")]).await;
    let cold = Written { table: Written::open(&written.store), store: Arc::clone(&written.store) };
    let report = cold.append(15).run().await.unwrap();
    assert_eq!(report.version, Some(Version(15)));
    assert_eq!(cost(&cold.store.take()), (vec![(Kind::Get, 6), (Kind::Put, 1), (Kind::Create, 1), (Kind::List, 1)], 4));

    let snapshot = cold.table.snapshot().await.unwrap();
    cold.store.take();
    let rows = one_row(16);
    let report = snapshot.append(rows.schema(), stream::iter([Ok(rows)]).boxed()).run().await.unwrap();
    assert_eq!(report.version, Some(Version(16)));
    let requests = cold.store.take();
    assert_eq!(cost(&requests), (vec![(Kind::Put, 1), (Kind::Create, 1)], 2));
    assert!(requests[1].key.ends_with("/_delta_log/00000000000000000016.json"), "{requests:?}");
}

// spec: COM-12, COM-17
#[tokio::test(start_paused = true)]
async fn an_append_on_a_version_that_nobody_saw_as_the_newest_lists_once() {
    let written = Written::up_to(3, &[]).await;
    let snapshot = written.table.snapshot_at(lakebed::At::Version(Version(3))).await.unwrap();
    written.store.take();
    let rows = one_row(4);
    let report = snapshot.append(rows.schema(), stream::iter([Ok(rows)]).boxed()).run().await.unwrap();
    assert_eq!(report.version, Some(Version(4)));
    assert_eq!(cost(&written.store.take()), (vec![(Kind::Put, 1), (Kind::Create, 1), (Kind::List, 1)], 3));
}

// spec: CKP-13
#[tokio::test(start_paused = true)]
async fn a_checkpoint_of_a_few_commits_takes_ten_requests_in_at_most_six_rounds() {
    let written = Written::up_to(13, &[("delta.checkpointInterval", "10")]).await;
    let cold = Written { table: Written::open(&written.store), store: Arc::clone(&written.store) };
    cold.table.checkpoint().run().await.unwrap();
    assert_eq!(cost(&cold.store.take()), (vec![(Kind::Get, 6), (Kind::Put, 1), (Kind::Create, 2), (Kind::List, 1)], 6));

    let log = LogFiles::new();
    log.commits(0, 14).await;
    log.checkpoint_of_commits(10, &[]).await;
    log.table.checkpoint().run().await.unwrap();
    assert_eq!(cost(&log.store.take()), (vec![(Kind::Get, 6), (Kind::Put, 1), (Kind::Create, 2), (Kind::List, 1)], 5));
}

// spec: LOG-15
#[tokio::test(start_paused = true)]
async fn a_refresh_past_five_commits_takes_six_requests_in_two_rounds_whatever_the_table_holds() {
    for files in [20, 2000] {
        let log = LogFiles::new();
        let adds: Vec<String> = (0..files).map(|i| add(&format!("g{i}"), 10)).collect();
        let first = metadata("first", "{}");
        let lines: Vec<&str> = [PROTOCOL, &first].into_iter().chain(adds.iter().map(String::as_str)).collect();
        log.checkpoint(10, &lines).await;
        log.commits(11, 12).await;
        let snapshot = log.table.snapshot().await.unwrap();
        log.store.take();
        log.commits(13, 17).await;
        assert_eq!(snapshot.refresh().await.unwrap().version(), Version(17));
        assert_eq!(cost(&log.store.take()), (vec![(Kind::Get, 5), (Kind::List, 1)], 2));
    }
}

fn bytes(requests: &[Request]) -> u64 {
    requests.iter().filter(|r| r.key.contains("checkpoint")).map(|r| r.bytes).sum()
}

// spec: CKP-1, CKP-2
#[tokio::test(start_paused = true)]
async fn version_and_schema_of_a_large_checkpoint_come_in_three_rounds_without_its_files() {
    let log = LogFiles::new();
    let mut lines = vec![PROTOCOL.to_owned(), metadata("first", "{}")];
    let stats = |i: u64| (0..40).map(|k| format!("{:016x}", (i * 41 + k).wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect::<String>();
    let wide =
        |i: u64| add(&format!("f{i}"), 10).replace(r#"{\"numRecords\":1}"#, &format!(r#"{{\"numRecords\":1,\"x\":\"{}\"}}"#, stats(i)));
    lines.extend((0..12_000).map(wide));
    let body = log.parquet_body(&lines);
    let size = body.len() as u64;
    assert!(size > 6 << 20, "{size} bytes");
    log.put(&format!("{:020}.checkpoint.parquet", 5), body).await;
    let snapshot = log.table.snapshot().await.unwrap();
    let small = log.store.take();
    assert!(bytes(&small) < 3 << 19, "{small:?}");
    assert_eq!((small.len(), rounds(&small)), (4, 3), "the end, then all small columns: {small:?}");
    assert_eq!(snapshot.version(), Version(5));
    assert_eq!(snapshot.counts(CountEffort::Exact).await.unwrap().unwrap().bytes, 120_000);
    let listed = log.store.take();
    assert!(bytes(&listed) < size && listed.iter().all(|r| r.kind == Kind::Get), "{listed:?}");
}

// spec: OPT-8
#[tokio::test(start_paused = true)]
async fn joining_twenty_five_files_of_one_commit_each_takes_34_requests_in_at_most_eight_rounds() {
    let store = Counting::new(Arc::new(InMemory::new()));
    let written = Written { table: Written::open(&store), store };
    for k in 0..25 {
        written.append(k).run().await.unwrap();
    }
    written.store.take();
    let report = Written::open(&written.store).optimize().run().await.unwrap();
    assert_eq!((report.version, &report.metrics["numRemovedFiles"]), (Some(Version(25)), &serde_json::json!(25)));
    let requests = written.store.take();
    assert_eq!(cost(&requests).0, vec![(Kind::Get, 31), (Kind::Put, 1), (Kind::Create, 1), (Kind::List, 1)], "{requests:?}");
    assert!(rounds(&requests) <= 8, "{} rounds: {requests:?}", rounds(&requests));
    let (planned, actual) = (report.planned.unwrap(), report.actual.unwrap());
    assert_eq!(
        (planned.requests, planned.bytes_read, planned.amount("remove")),
        (actual.requests, actual.bytes_read, actual.amount("remove"))
    );
    assert_eq!((actual.requests.get, actual.requests.put), (25, 2), "one for each file; the new file and the commit");
}

/// A table of two hundred partitions with sixty files each, in one sorted checkpoint.
async fn partitioned(properties: &str) -> (LogFiles, u64) {
    let log = LogFiles::new();
    let schema = r#"\"nullable\":true,\"metadata\":{}},{\"name\":\"p\",\"type\":\"long\",\"nullable\":true"#;
    let first = metadata("first", properties)
        .replace(r#"\"nullable\":true"#, schema)
        .replace(r#""partitionColumns":[]"#, r#""partitionColumns":["p"]"#);
    let mut lines = vec![PROTOCOL.to_owned(), first];
    let stats = |i: u64| (0..40).map(|k| format!("{:016x}", (i * 41 + k).wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect::<String>();
    let file = |i: u64| {
        add(&format!("p={}/f{i}", i % 200), if i % 200 == 7 { 10 } else { 1 << 30 })
            .replace(r#""partitionValues":{}"#, &format!(r#""partitionValues":{{"p":"{}"}}"#, i % 200))
            .replace(r#"{\"numRecords\":1}"#, &format!(r#"{{\"numRecords\":1,\"x\":\"{}\"}}"#, stats(i)))
    };
    lines.extend((0..12_000).map(file));
    log.commit(0, &lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
    log.table.checkpoint().run().await.unwrap();
    let written: u64 = log.sizes("checkpoint").await;
    log.store.take();
    (log, written)
}

fn row_of(p: i64) -> RecordBatch {
    RecordBatch::try_from_iter([("a", Arc::new(Int64Array::from(vec![1])) as ArrayRef), ("p", Arc::new(Int64Array::from(vec![p])))])
        .unwrap()
}

// spec: OPT-11
#[tokio::test(start_paused = true)]
async fn looking_for_small_files_after_a_commit_reads_of_the_list_what_its_partitions_need() {
    let (log, written) = partitioned(r#"{"delta.autoOptimize.autoCompact":"true"}"#).await;
    let snapshot = log.table.snapshot().await.unwrap();
    log.store.take();
    let rows = row_of(3);
    let report = snapshot.append(rows.schema(), stream::iter([Ok(rows)]).boxed()).run().await.unwrap();
    assert_eq!((report.version, report.warnings), (Some(Version(1)), Vec::<String>::new()), "one small file in its partition");
    let requests = log.store.take();
    assert!(bytes(&requests) * 5 < written, "{} of {written} bytes: {requests:?}", bytes(&requests));

    // What is not small gives no reason to look.
    let (log, _) = partitioned(r#"{"delta.autoOptimize.autoCompact":"true","delta.targetFileSize":"100"}"#).await;
    let snapshot = log.table.snapshot().await.unwrap();
    log.store.take();
    let rows = row_of(3);
    snapshot.append(rows.schema(), stream::iter([Ok(rows)]).boxed()).run().await.unwrap();
    assert_eq!(cost(&log.store.take()), (vec![(Kind::Put, 1), (Kind::Create, 1)], 2));
}
