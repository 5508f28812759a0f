//! Snapshots from logs written file by file: what is read, what stands in for what is broken, what it costs.

use crate::support::log_files::{LogFiles, PROTOCOL, add, metadata};
use crate::support::stores::Kind;
use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use lakebed::{
    At, Code, CommitInfo, CountEffort, Error, HistoryEntry, LogFile, LogStore, PutOutcome, Result, Snapshot, Table, Timestamp, Version,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

async fn at(log: &LogFiles, version: u64) -> Result<Arc<Snapshot>> {
    log.table.snapshot_at(At::Version(Version(version))).await
}
async fn files(snapshot: &Arc<Snapshot>) -> u64 {
    snapshot.counts(CountEffort::Exact).await.unwrap().unwrap().files
}
fn context<'a>(e: &'a Error, key: &str) -> &'a str {
    e.context().iter().find(|(k, _)| *k == key).map_or("", |(_, v)| v)
}

fn crc(id: &str, more: &str) -> String {
    let metadata = metadata(id, "{}");
    let metadata = metadata.trim_start_matches("{\"metaData\":").strip_suffix('}').unwrap();
    let protocol = PROTOCOL.trim_start_matches("{\"protocol\":").strip_suffix('}').unwrap();
    format!(
        r#"{{"tableSizeBytes":130,"numFiles":13,"numMetadata":1,"numProtocol":1,"setTransactions":[{{"appId":"app","version":7}}],"domainMetadata":[],"metadata":{metadata},"protocol":{protocol}{more}}}"#
    )
}

// spec: CRC-5
#[tokio::test]
async fn with_a_valid_checksum_the_checkpoint_is_not_read() {
    let log = LogFiles::new();
    log.commits(0, 14).await;
    log.put(&format!("{:020}.checkpoint.parquet", 10), "not read").await;
    log.put(&format!("{:020}.crc", 12), crc("first", "")).await;
    let snapshot = log.table.snapshot().await.unwrap();
    assert!(!log.store.take().iter().any(|r| r.key.contains("checkpoint.parquet")), "the checkpoint was read");
    assert_eq!(snapshot.state().metadata().id, "first");
    assert_eq!(snapshot.app_version("app").await.unwrap(), Some(7));
    assert!(snapshot.warnings().is_empty());
}

// spec: CRC-2, CRC-5
#[tokio::test]
async fn a_malformed_or_contradicting_checksum_is_ignored_with_a_warning() {
    for body in ["{".to_owned(), crc("another", ""), crc("first", r#","txnId":"of another commit""#)] {
        let log = LogFiles::new();
        log.commits(0, 10).await;
        log.commit(11, &[r#"{"commitInfo":{"txnId":"t11"}}"#, &metadata("second", "{}")]).await;
        log.commit(12, &[r#"{"commitInfo":{"txnId":"t12"}}"#]).await;
        log.checkpoint_of_commits(10, &[r#"{"txn":{"appId":"app","version":3}}"#]).await;
        log.put(&format!("{:020}.crc", 12), body).await;
        let snapshot = log.table.snapshot().await.unwrap();
        assert_eq!(snapshot.state().metadata().id, "second");
        assert_eq!(snapshot.app_version("app").await.unwrap(), Some(3));
        let [warning] = snapshot.warnings() else { panic!("{:?}", snapshot.warnings()) };
        assert!(warning.contains("12.crc was ignored"), "{warning}");
    }
}

// spec: LOG-8
#[tokio::test]
async fn a_broken_checkpoint_falls_back_to_an_older_one_and_then_to_the_commits() {
    let log = LogFiles::new();
    log.commits(0, 14).await;
    log.checkpoint_of_commits(5, &[]).await;
    log.put(&format!("{:020}.checkpoint.parquet", 10), "PAR1 torn").await;
    let snapshot = log.table.snapshot().await.unwrap();
    assert_eq!((snapshot.version(), files(&snapshot).await), (Version(14), 15));
    let [warning] = snapshot.warnings() else { panic!("{:?}", snapshot.warnings()) };
    assert!(warning.contains("00000000000000000010.checkpoint.parquet was skipped"), "{warning}");
    log.put(&format!("{:020}.checkpoint.parquet", 5), "PAR1 torn").await;
    let snapshot = log.table.snapshot().await.unwrap();
    assert_eq!((snapshot.warnings().len(), files(&snapshot).await), (2, 15));
    for v in 0..=4 {
        log.delete(&format!("{v:020}.json")).await;
    }
    let e = log.table.snapshot().await.unwrap_err();
    assert_eq!(e.code(), Code::CKPT);
    assert!(e.next_step().is_some());
}

// spec: LOG-4, LOG-5
#[tokio::test]
async fn a_damaged_last_commit_is_named_and_older_versions_stay_readable() {
    let cases: [(&[u8], Code); 3] = [(b"", Code::LOG_EMPTY), (b"{\"add\":{\"pa", Code::LOG_JSON), (&[0; 484], Code::LOG_JSON)];
    for (body, code) in cases {
        let log = LogFiles::new();
        log.commits(0, 3).await;
        log.put(&format!("{:020}.json", 4), body).await;
        let e = log.table.snapshot().await.unwrap_err();
        assert_eq!((e.code(), context(&e, "file")), (code, "00000000000000000004.json"));
        let older = at(&log, 3).await.unwrap();
        assert_eq!((older.version(), files(&older).await), (Version(3), 4));
    }
}

// spec: LOG-10, LOG-12
#[tokio::test]
async fn gaps_missing_versions_and_missing_tables_are_told_apart() {
    let log = LogFiles::new();
    log.put("_last_checkpoint", "{\"version\":3}").await;
    log.put(".00000000000000000000.json.crc", "x").await;
    assert_eq!(log.table.snapshot().await.unwrap_err().code(), Code::TABLE);
    log.commits(0, 5).await;
    let e = at(&log, 9).await.unwrap_err();
    assert_eq!((e.code(), context(&e, "earliest"), context(&e, "latest")), (Code::VERSION, "0", "5"));
    log.delete(&format!("{:020}.json", 3)).await;
    let e = log.table.snapshot().await.unwrap_err();
    assert_eq!((e.code(), context(&e, "version")), (Code::LOG_GAP, "3"));
    assert_eq!(at(&log, 2).await.unwrap().version(), Version(2));
}

// spec: LOG-21
#[tokio::test]
async fn a_torn_or_dangling_hint_changes_nothing() {
    for (hint, warned) in [
        ("{\"version\":1", true),
        ("{\"version\":900,\"size\":1}", true),
        ("{\"version\":10}", false),
        ("{\"version\":11}", true),
        ("{\"version\":2}", false),
        ("{\"version\":4,\"version\":5}", true),
    ] {
        let log = LogFiles::new();
        log.commits(0, 12).await;
        log.checkpoint_of_commits(10, &[]).await;
        log.put("_last_checkpoint", hint).await;
        let snapshot = log.table.snapshot().await.unwrap();
        assert_eq!((snapshot.version(), files(&snapshot).await), (Version(12), 13), "{hint}");
        assert_eq!(snapshot.warnings().iter().any(|w| w.contains("_last_checkpoint")), warned, "{hint} {:?}", snapshot.warnings());
    }
}

// spec: LOG-14
#[tokio::test]
async fn in_a_long_log_every_version_opens_and_says_the_same_from_a_hint_or_without() {
    let log = LogFiles::new();
    log.commits(0, 720).await;
    log.checkpoint_of_commits(300, &[]).await;
    log.checkpoint_of_commits(700, &[]).await;
    log.put("_last_checkpoint", r#"{"version":700,"size":703}"#).await;
    let snapshot = log.table.snapshot().await.unwrap();
    assert_eq!((snapshot.version(), files(&snapshot).await), (Version(720), 721));
    for v in [0, 299, 300, 301, 650, 700] {
        let snapshot = at(&log, v).await.unwrap();
        assert_eq!((snapshot.version(), files(&snapshot).await), (Version(v), v + 1));
    }
    assert_eq!(at(&log, 721).await.unwrap_err().code(), Code::VERSION);
}

// spec: REC-1, REC-2
#[tokio::test]
async fn a_compaction_replaces_its_commits_unless_it_is_not_reconciled() {
    let log = LogFiles::new();
    log.commits(0, 6).await;
    let name = format!("{:020}.{:020}.compacted.json", 1, 5);
    let adds: Vec<String> = (1..=5).map(|v| add(&format!("f{v}"), 10)).collect();
    log.put(&name, adds.join("\n")).await;
    let snapshot = log.table.snapshot().await.unwrap();
    assert_eq!(log.store.take().len(), 5, "hint, list, commit 0, compaction, commit 6");
    assert_eq!(files(&snapshot).await, 7);
    let unreconciled = format!("{}\n{}", adds.join("\n"), r#"{"remove":{"path":"f2","dataChange":true}}"#);
    for (body, warned) in [(unreconciled.as_str(), false), ("{\"add\":{", true), ("\0\0", true)] {
        log.put(&name, body).await;
        let snapshot = log.table.snapshot().await.unwrap();
        assert_eq!(files(&snapshot).await, 7);
        let warnings = snapshot.warnings();
        assert_eq!(warnings.iter().any(|w| w.contains(".compacted.json was skipped")), warned, "{warnings:?}");
    }
}

// spec: LOG-15
#[tokio::test]
async fn a_refresh_lists_once_and_reads_only_new_commits() {
    let log = LogFiles::new();
    log.commits(0, 12).await;
    log.checkpoint_of_commits(10, &[r#"{"txn":{"appId":"app","version":3}}"#]).await;
    let first = log.table.snapshot().await.unwrap();
    log.store.take();
    assert!(Arc::ptr_eq(&first, &first.refresh().await.unwrap()), "nothing is new");
    assert_eq!(log.store.take().iter().map(|r| r.kind).collect::<Vec<_>>(), [Kind::List]);
    log.commits(13, 14).await;
    log.commit(15, &[&metadata("second", "{}"), r#"{"txn":{"appId":"other","version":1}}"#]).await;
    let second = first.refresh().await.unwrap();
    assert_eq!(log.store.take().len(), 4);
    assert_eq!((second.version(), second.state().metadata().id.as_str()), (Version(15), "second"));
    let whole = log.table.snapshot().await.unwrap();
    assert_eq!(second.app_versions().await.unwrap(), whole.app_versions().await.unwrap());
    assert_eq!((files(&second).await, files(&whole).await), (15, 15));
    assert_eq!(first.state().metadata().id, "first");
    log.checkpoint_of_commits(15, &[]).await;
    log.commits(16, 16).await;
    assert_eq!(second.refresh().await.unwrap().version(), Version(16));
}

// spec: LOG-16
#[tokio::test]
async fn a_refresh_of_a_replaced_or_cleaned_log_loads_it_afresh() {
    let log = LogFiles::new();
    log.commits(0, 3).await;
    let snapshot = log.table.snapshot().await.unwrap();
    log.commits(4, 12).await;
    log.checkpoint_of_commits(11, &[]).await;
    for v in 0..=10 {
        log.delete(&format!("{v:020}.json")).await;
    }
    let newest = snapshot.refresh().await.unwrap();
    assert_eq!((newest.version(), files(&newest).await), (Version(12), 13));
    for v in 11..=12 {
        log.delete(&format!("{v:020}.json")).await;
    }
    log.delete(&format!("{:020}.checkpoint.parquet", 11)).await;
    log.commit(0, &[PROTOCOL, &metadata("recreated", "{}")]).await;
    let recreated = newest.refresh().await.unwrap();
    assert_eq!((recreated.version(), recreated.state().metadata().id.as_str()), (Version(0), "recreated"));
}

/// A log in which a cleanup runs between the first listing and the first read.
#[derive(Debug)]
struct Racing {
    inner: Arc<dyn LogStore>,
    gone: AtomicBool,
}

#[async_trait]
impl LogStore for Racing {
    fn list(&self, from: Version) -> BoxStream<'_, Result<LogFile>> {
        let raced = self.gone.load(Ordering::SeqCst);
        let visible = move |f: &LogFile| if raced { f.version >= Version(3) } else { f.version <= Version(4) && f.name.ends_with(".json") };
        Box::pin(self.inner.list(from).try_filter(move |f| futures::future::ready(visible(f))))
    }
    async fn read(&self, file: &LogFile) -> Result<Bytes> {
        self.inner.read(file).await
    }
    async fn read_commit(&self, version: Version) -> Result<Option<Bytes>> {
        if version == Version(0) {
            self.gone.store(true, Ordering::SeqCst);
            return Ok(None);
        }
        self.inner.read_commit(version).await
    }
    async fn put_commit(&self, version: Version, body: Bytes) -> PutOutcome {
        self.inner.put_commit(version, body).await
    }
}

// spec: LOG-17
#[tokio::test]
async fn a_commit_that_is_cleaned_up_between_listing_and_reading_is_listed_again() {
    let log = LogFiles::new();
    log.commits(0, 4).await;
    log.checkpoint_of_commits(3, &[]).await;
    let racing = Racing { inner: Arc::clone(log.table.log()), gone: AtomicBool::new(false) };
    let table = Table::with_log(log.table.root().clone(), Arc::new(racing), log.table.env().clone());
    let snapshot = table.snapshot().await.unwrap();
    assert_eq!((snapshot.version(), files(&snapshot).await), (Version(4), 5));
}

/// A log whose first listings miss a commit that was made while they ran, but not the one after it.
#[derive(Debug)]
struct Overtaken {
    inner: Arc<dyn LogStore>,
    misses: AtomicU64,
}

#[async_trait]
impl LogStore for Overtaken {
    fn list(&self, from: Version) -> BoxStream<'_, Result<LogFile>> {
        let misses = self.misses.load(Ordering::SeqCst);
        self.misses.store(misses.saturating_sub(1), Ordering::SeqCst);
        let visible = move |f: &LogFile| misses == 0 || f.version != Version(3);
        Box::pin(self.inner.list(from).try_filter(move |f| futures::future::ready(visible(f))))
    }
    async fn read(&self, file: &LogFile) -> Result<Bytes> {
        self.inner.read(file).await
    }
    async fn read_commit(&self, version: Version) -> Result<Option<Bytes>> {
        self.inner.read_commit(version).await
    }
    async fn put_commit(&self, version: Version, body: Bytes) -> PutOutcome {
        self.inner.put_commit(version, body).await
    }
}

// spec: LOG-17
#[tokio::test]
async fn a_listing_that_is_overtaken_by_two_commits_is_made_once_more() {
    let log = LogFiles::new();
    log.commits(0, 2).await;
    let overtaken = |misses| {
        let log_store = Arc::new(Overtaken { inner: Arc::clone(log.table.log()), misses: AtomicU64::new(misses) });
        (Table::with_log(log.table.root().clone(), log_store.clone(), log.table.env().clone()), log_store)
    };
    let (table, racing) = overtaken(0);
    let held = table.snapshot().await.unwrap();
    log.commits(3, 4).await;
    assert_eq!(files(&overtaken(1).0.snapshot().await.unwrap()).await, 5);
    racing.misses.store(1, Ordering::SeqCst);
    assert_eq!(files(&held.refresh().await.unwrap()).await, 5);
    // The refresh sees it once, the load that follows twice: that is a hole.
    racing.misses.store(3, Ordering::SeqCst);
    assert_eq!(held.refresh().await.unwrap_err().code(), Code::LOG_GAP);
}

// spec: REC-5
#[tokio::test]
async fn application_versions_come_from_commits_and_checkpoint_until_they_are_forgotten() {
    let log = LogFiles::new();
    log.commits(0, 12).await;
    log.checkpoint_of_commits(10, &[r#"{"txn":{"appId":"old","version":3}}"#, r#"{"txn":{"appId":"both","version":3,"lastUpdated":1}}"#])
        .await;
    log.commit(13, &[r#"{"txn":{"appId":"both","version":4,"lastUpdated":4102444800000}}"#]).await;
    let snapshot = log.table.snapshot().await.unwrap();
    assert_eq!((snapshot.app_version("old").await.unwrap(), snapshot.app_version("both").await.unwrap()), (Some(3), Some(4)));
    assert_eq!(snapshot.app_version("none").await.unwrap(), None);
    log.commit(14, &[&metadata("first", r#"{"delta.setTransactionRetentionDuration":"interval 1 days"}"#)]).await;
    for snapshot in [log.table.snapshot().await.unwrap(), snapshot.refresh().await.unwrap()] {
        assert_eq!((snapshot.app_version("old").await.unwrap(), snapshot.app_version("both").await.unwrap()), (None, Some(4)));
        assert_eq!(snapshot.app_versions().await.unwrap().len(), 1);
    }
}

// spec: LOG-11
#[tokio::test]
async fn a_log_of_one_checkpoint_and_no_commit_opens() {
    let log = LogFiles::new();
    log.checkpoint_of_commits(8, &[]).await;
    let snapshot = log.table.snapshot().await.unwrap();
    assert_eq!((snapshot.version(), files(&snapshot).await), (Version(8), 9));
    assert!(snapshot.timestamp().await.is_ok());
    let history: Vec<HistoryEntry> = log.table.history(None).try_collect().await.unwrap();
    assert!(history.is_empty());
}

// spec: LOG-18
#[tokio::test]
async fn commits_that_outgrow_the_memory_limit_are_refused_before_they_are_read() {
    let log = LogFiles::new();
    log.commits(0, 20).await;
    let small = Table::with_log(log.table.root().clone(), Arc::clone(log.table.log()), log.table.env().clone().with_memory_limit(1024));
    let e = small.snapshot().await.unwrap_err();
    assert_eq!(e.code(), Code::LIMIT);
    assert!(e.next_step().is_some_and(|help| help.contains("--memory-limit")), "{e}");
    assert!(!log.store.take().iter().any(|r| r.key.ends_with(".json")));
}

// spec: CRC-6
#[tokio::test]
async fn counts_of_a_large_table_come_from_its_checksum_advanced_over_later_commits() {
    let log = LogFiles::new();
    log.commits(0, 12).await;
    log.put(&format!("{:020}.checkpoint.parquet", 10), "not read").await;
    let large = crc("first", "")
        .replace("\"numFiles\":13", "\"numFiles\":1000000")
        .replace("\"tableSizeBytes\":130", "\"tableSizeBytes\":50000000");
    log.put(&format!("{:020}.crc", 11), large).await;
    let snapshot = log.table.snapshot().await.unwrap();
    let counts = snapshot.counts(CountEffort::Cheap).await.unwrap().unwrap();
    assert_eq!((counts.files, counts.bytes, counts.records), (1_000_001, 50_000_010, None));
    log.commit(13, &[r#"{"remove":{"path":"f3","dataChange":true}}"#]).await;
    assert_eq!(log.table.snapshot().await.unwrap().counts(CountEffort::Cheap).await.unwrap(), None, "a remove without a size");
    assert!(!log.store.take().iter().any(|r| r.key.contains("checkpoint.parquet")));
}

async fn history(log: &LogFiles) -> Vec<HistoryEntry> {
    log.table.history(None).try_collect().await.unwrap()
}
async fn travel(log: &LogFiles, time: i64) -> Result<Version> {
    Ok(log.table.snapshot_at(At::Timestamp(Timestamp(time))).await?.version())
}

// spec: TT-1, TT-2, TT-3
#[tokio::test]
async fn a_timestamp_finds_the_newest_version_that_is_not_younger() {
    let log = LogFiles::new();
    log.commits(0, 6).await;
    let history = history(&log).await;
    assert_eq!(history.iter().map(|h| h.version.0).collect::<Vec<_>>(), [6, 5, 4, 3, 2, 1, 0]);
    assert!(history.is_sorted_by(|newer, older| newer.timestamp > older.timestamp));
    for entry in &history {
        assert_eq!(travel(&log, entry.timestamp.millis()).await.unwrap(), entry.version);
        assert_eq!(at(&log, entry.version.0).await.unwrap().timestamp().await.unwrap(), entry.timestamp);
    }
    let (first, last) = (history[6].timestamp, history[0].timestamp);
    let early = travel(&log, first.millis() - 1).await.unwrap_err();
    assert_eq!((early.code(), context(&early, "earliest")), (Code::VERSION, first.to_string().as_str()));
    let late = travel(&log, last.millis() + 1).await.unwrap_err();
    assert_eq!((late.code(), context(&late, "latest")), (Code::VERSION, last.to_string().as_str()));
    let two: Vec<HistoryEntry> = log.table.history(Some(2)).try_collect().await.unwrap();
    assert_eq!(two.iter().map(|h| h.version.0).collect::<Vec<_>>(), [6, 5]);
    assert_eq!(two[0].commit_info.as_ref().and_then(CommitInfo::txn_id), Some("t6"));
}

// spec: TT-4
#[tokio::test]
async fn commits_that_carry_their_own_time_are_found_by_it_and_older_ones_by_their_files() {
    const PROTOCOL_7: &str = r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["inCommitTimestamp"]}}"#;
    let log = LogFiles::new();
    log.commits(0, 1).await;
    let file_time = history(&log).await[0].timestamp.millis();
    let since = file_time + 1_000_000;
    let enabled = format!(
        r#"{{"delta.enableInCommitTimestamps":"true","delta.inCommitTimestampEnablementVersion":"2","delta.inCommitTimestampEnablementTimestamp":"{since}"}}"#
    );
    for v in 2..=9u64 {
        let info = format!(r#"{{"commitInfo":{{"inCommitTimestamp":{}}}}}"#, since + (v as i64 - 2) * 100);
        let state = metadata("first", &enabled);
        let lines = if v == 2 { vec![info.as_str(), PROTOCOL_7, &state] } else { vec![info.as_str()] };
        log.commit(v, &lines).await;
    }
    for (time, version) in
        [(since, 2), (since + 99, 2), (since + 100, 3), (since + 650, 8), (since + 700, 9), (since - 1, 1), (file_time, 1)]
    {
        assert_eq!(travel(&log, time).await.unwrap(), Version(version), "{time}");
    }
    assert_eq!(travel(&log, since + 701).await.unwrap_err().code(), Code::VERSION);
    let snapshot = log.table.snapshot().await.unwrap();
    assert_eq!(snapshot.timestamp().await.unwrap(), Timestamp(since + 700));
    assert_eq!(history(&log).await[0].timestamp, Timestamp(since + 700));
}
