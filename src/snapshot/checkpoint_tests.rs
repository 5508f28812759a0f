use super::*;
use crate::env::seeds::{numbers, seeds};
use crate::env::{Env, SeededEntropy};
use crate::log::Remove;
use crate::log::checkpoint::{FirstFile, read_small};
use crate::log::{Add, DomainMetadata, Metadata, Protocol, Txn, VectorDescriptor, encode_commit};
use crate::snapshot::At;
use crate::snapshot::FileQuery;
use crate::storage::TableRoot;
use crate::table::Table;
use futures::StreamExt;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use std::collections::BTreeSet;

/// A table in memory whose log is written line by line.
pub(super) struct Fixture {
    pub(super) store: Arc<InMemory>,
    pub(super) table: Table,
}

pub(super) fn fixture() -> Fixture {
    let store = Arc::new(InMemory::new());
    Fixture { table: table_on(store.clone()), store }
}
fn table_on(store: Arc<dyn ObjectStore>) -> Table {
    table_in(store, Env::system(), 1)
}
fn table_in(store: Arc<dyn ObjectStore>, env: Env, seed: u64) -> Table {
    let root = TableRoot::with_store("memory:///t/".parse().unwrap(), store, Path::from("t"));
    let log = Arc::new(crate::log::PathLogStore::new(root.clone()));
    Table::with_log(root, log, env.with_entropy(Arc::new(SeededEntropy::new(seed))))
}

impl Fixture {
    /// The same table for a host of so much memory.
    pub(super) fn within(&self, bytes: u64) -> Table {
        table_in(self.store.clone(), Env::system().with_memory_limit(bytes), 2)
    }
    pub(super) async fn commit(&self, version: u64, actions: &[Action]) {
        let key = Path::from(format!("t/_delta_log/{version:020}.json"));
        self.store.put(&key, encode_commit(actions).unwrap().into()).await.unwrap();
    }
    pub(super) async fn drop_commits_to(&self, version: u64) {
        for v in 0..=version {
            self.store.delete(&Path::from(format!("t/_delta_log/{v:020}.json"))).await.unwrap();
        }
    }
}

pub(super) fn start(configuration: &[(&str, &str)]) -> Vec<Action> {
    let v2 = configuration.iter().any(|(_, v)| *v == "v2");
    let features = |names: &[&str]| Some(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
    let protocol = if v2 {
        let names = ["v2Checkpoint", "deletionVectors", "domainMetadata"];
        Protocol { min_reader_version: 3, min_writer_version: 7, reader_features: features(&names[..2]), writer_features: features(&names) }
    } else {
        let names = ["deletionVectors", "domainMetadata"];
        Protocol { min_reader_version: 3, min_writer_version: 7, reader_features: features(&names[..1]), writer_features: features(&names) }
    };
    let schema = r#"{"type":"struct","fields":[{"name":"p","type":"integer","nullable":true,"metadata":{}},{"name":"a","type":"long","nullable":true,"metadata":{}}]}"#;
    vec![
        Action::Protocol(protocol),
        Action::Metadata(Metadata {
            id: "id".to_owned(),
            name: None,
            description: None,
            format: Default::default(),
            schema_string: schema.to_owned(),
            partition_columns: vec!["p".to_owned()],
            configuration: configuration.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            created_time: Some(1),
        }),
    ]
}

pub(super) fn add(path: &str, p: Option<i64>, a: i64) -> Add {
    Add {
        path: path.to_owned(),
        partition_values: NullableMap::from([("p".to_owned(), p.map(|p| p.to_string()))]),
        size: 10 + a,
        modification_time: 7,
        data_change: true,
        stats: Some(format!(r#"{{"numRecords":4,"minValues":{{"a":{a}}},"maxValues":{{"a":{}}},"nullCount":{{"a":0}}}}"#, a + 9)),
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    }
}
pub(super) fn remove(add: &Add, at: i64) -> Remove {
    Remove {
        path: add.path.clone(),
        deletion_timestamp: Some(at),
        data_change: true,
        extended_file_metadata: Some(true),
        partition_values: Some(add.partition_values.clone()),
        size: Some(add.size),
        stats: None,
        tags: None,
        deletion_vector: add.deletion_vector.clone(),
        base_row_id: None,
        default_row_commit_version: None,
    }
}

/// Everything that replay knows, in an order of its own.
pub(super) async fn state(table: &Table) -> (BTreeSet<String>, BTreeSet<String>, Vec<String>) {
    let snapshot = table.snapshot_at(At::Latest).await.unwrap();
    let text = |a: Action| String::from_utf8(encode_commit(&[a]).unwrap().to_vec()).unwrap();
    let mut files = BTreeSet::new();
    let mut batches = snapshot.files(FileQuery::default().full());
    while let Some(batch) = batches.next().await {
        let batch = batch.unwrap();
        for row in 0..batch.len() {
            assert!(files.insert(text(Action::Add(Add { data_change: false, ..batch.add(row) }))), "{} stands twice", batch.path(row));
        }
    }
    let mut removed = BTreeSet::new();
    let mut batches = snapshot.tombstones();
    while let Some(batch) = batches.next().await {
        // A checkpoint keeps neither statistics nor tags of removed files.
        removed.extend(batch.unwrap().into_iter().map(|r| text(Action::Remove(Remove { tags: None, stats: None, ..r }))));
    }
    let mut small: Vec<String> = snapshot.app_versions().await.unwrap().into_iter().map(|t| text(Action::Txn(t))).collect();
    small.extend(snapshot.state().domains().iter().cloned().map(|d| text(Action::DomainMetadata(d))));
    small.push(text(Action::Protocol(snapshot.state().protocol().clone())));
    small.push(text(Action::Metadata(snapshot.state().metadata().clone())));
    (files, removed, small)
}

/// A small random log of all kinds of actions, vectors and unknown keys included.
fn random_log(seed: u64, configuration: &[(&str, &str)]) -> Vec<Vec<Action>> {
    let mut next = numbers(seed);
    let now = i64::MAX / 2;
    let mut live: Vec<Add> = Vec::new();
    let mut commits = vec![start(configuration)];
    for version in 1..8i64 {
        let mut actions = vec![Action::CommitInfo(Default::default())];
        let before = live.len();
        for i in 0..next(4) {
            let mut new = add(&format!("p=1/f {version}%20{i}é.parquet"), (next(3) > 0).then(|| next(3) as i64), next(100) as i64);
            if next(3) == 0 {
                new.tags = Some(NullableMap::from([("unknown".to_owned(), Some("tag".to_owned())), ("n".to_owned(), None)]));
            }
            if next(4) == 0 {
                new.stats = None;
            }
            actions.push(Action::Add(new.clone()));
            live.push(new);
        }
        if before > 0 && next(2) == 0 {
            let old = live.remove(next(before as u64) as usize);
            actions.push(Action::Remove(remove(&old, now)));
            if next(2) == 0 {
                let vector = VectorDescriptor {
                    storage_type: "u".to_owned(),
                    path_or_inline_dv: format!("vec{version}"),
                    offset: (next(2) == 0).then_some(1),
                    size_in_bytes: 40,
                    cardinality: 1,
                };
                let again = Add { deletion_vector: Some(vector), ..old };
                actions.push(Action::Add(again.clone()));
                live.push(again);
            }
        }
        if next(3) == 0 {
            actions.push(Action::Txn(Txn { app_id: format!("app{}", next(2)), version, last_updated: None }));
        }
        if next(3) == 0 {
            let removed = next(2) == 0;
            actions.push(Action::DomainMetadata(DomainMetadata {
                domain: format!("d{}", next(2)),
                configuration: "{}".to_owned(),
                removed,
            }));
        }
        commits.push(actions);
    }
    commits
}

// spec: CKP-8 CKP-10
#[tokio::test]
async fn a_checkpoint_says_what_the_commits_said() {
    for seed in seeds(1..=40) {
        for configuration in [&[][..], &[("delta.checkpointPolicy", "v2")], &[("delta.checkpoint.writeStatsAsJson", "false")]] {
            let f = fixture();
            let log = random_log(seed, configuration);
            let last = log.len() as u64 - 1;
            for (version, actions) in log.iter().enumerate() {
                f.commit(version as u64, actions).await;
            }
            let from_commits = state(&f.table).await;
            let written = f.table.snapshot().await.unwrap().write_checkpoint().await.unwrap();
            assert!(written.ours && written.warnings.is_empty(), "seed {seed}: {:?}", written.warnings);
            f.drop_commits_to(last).await;
            let from_checkpoint = state(&f.table).await;
            if configuration.iter().all(|(k, _)| !k.ends_with("Json")) {
                assert_eq!(from_commits, from_checkpoint, "seed {seed}, {configuration:?}");
            } else {
                assert_eq!(from_commits.0.len(), from_checkpoint.0.len(), "seed {seed}");
                assert_eq!(from_commits.1, from_checkpoint.1, "seed {seed}");
            }
            // And a commit after it still hides what it must.
            let files = f.table.snapshot().await.unwrap();
            let first = files.files(FileQuery::default().full()).next().await;
            if let Some(batch) = first {
                let gone = batch.unwrap().add(0);
                f.commit(last + 1, &[Action::Remove(remove(&gone, 1))]).await;
                assert_eq!(state(&f.table).await.0.len() + 1, from_checkpoint.0.len(), "seed {seed}");
            }
        }
    }
}

// spec: CKP-7
#[tokio::test]
async fn the_policy_of_the_table_decides_the_kind() {
    for (configuration, v2) in
        [(&[][..], false), (&[("delta.checkpointPolicy", "classic")], false), (&[("delta.checkpointPolicy", "v2")], true)]
    {
        let f = fixture();
        f.commit(0, &start(configuration)).await;
        f.commit(1, &(0..5).map(|i| Action::Add(add(&format!("f{i}"), None, i))).collect::<Vec<_>>()).await;
        let written = f.table.snapshot().await.unwrap().write_checkpoint().await.unwrap();
        assert_eq!((written.ours, written.files), (true, 5));
        let listed: Vec<_> = f.store.list(Some(&Path::from("t/_delta_log"))).collect().await;
        let listed: Vec<_> = listed.into_iter().map(|m| m.unwrap()).collect();
        let named = |part: &str| listed.iter().filter(|m| m.location.as_ref().contains(part)).collect::<Vec<_>>();
        let sidecars = named("/_sidecars/");
        assert_eq!((named(".checkpoint.").len(), sidecars.len()), (1, usize::from(v2)));
        assert_eq!(named("00000000000000000001.checkpoint.parquet").is_empty(), v2);
        let hint = f.store.get(&Path::from("t/_delta_log/_last_checkpoint")).await.unwrap().bytes().await.unwrap();
        let hint: serde_json::Value = serde_json::from_slice(&hint).unwrap();
        assert!(hint["version"] == 1 && hint["numOfAddFiles"] == 5 && hint["checksum"].is_string(), "{hint}");
        if v2 {
            let snapshot = f.table.snapshot().await.unwrap();
            let checkpoint = snapshot.segment().checkpoint.clone().unwrap();
            let small = crate::log::checkpoint::open(f.table.root(), &checkpoint.files[0]).await.unwrap();
            let small = crate::log::checkpoint::read_small_of(&small).await.unwrap();
            let tags = small.iter().find_map(|a| if let Action::CheckpointMetadata(m) = a { m.tags.clone() } else { None }).unwrap();
            let tag = |name: &str| tags.get(name).cloned().flatten().unwrap();
            assert_eq!((tag("numOfAddFiles"), tag("sidecarNumActions")), ("5".to_owned(), "5".to_owned()));
            assert_eq!(tag("sidecarSizeInBytes"), sidecars[0].size.to_string());
        }
    }
}

// spec: CKP-10
#[tokio::test]
async fn expired_tombstones_and_application_versions_are_left_out() {
    let f = fixture();
    let mut first = start(&[("delta.setTransactionRetentionDuration", "interval 1 days")]);
    let now = f.table.env().now().millis();
    first.push(Action::Txn(Txn { app_id: "old".to_owned(), version: 1, last_updated: Some(now - 100_000_000) }));
    first.push(Action::Txn(Txn { app_id: "new".to_owned(), version: 1, last_updated: Some(now) }));
    first.push(Action::Txn(Txn { app_id: "undated".to_owned(), version: 1, last_updated: None }));
    f.commit(0, &first).await;
    let (old, new) = (add("old", None, 1), add("new", None, 2));
    f.commit(1, &[Action::Remove(remove(&old, now - 8 * 86_400_000)), Action::Remove(remove(&new, now - 86_400_000))]).await;
    let written = f.table.snapshot().await.unwrap().write_checkpoint().await.unwrap();
    assert_eq!((written.files, written.removed), (0, 1));
    f.drop_commits_to(1).await;
    let (_, removed, small) = state(&f.table).await;
    assert!(removed.len() == 1 && removed.first().unwrap().contains(r#""path":"new""#), "{removed:?}");
    assert_eq!(small.iter().filter(|s| s.contains("txn")).count(), 1, "{small:?}");
}

#[derive(Debug)]
struct Ahead(i64);

impl crate::env::Clock for Ahead {
    fn now(&self) -> crate::env::Timestamp {
        crate::env::Timestamp(self.0)
    }
    fn sleep(&self, _: std::time::Duration) -> futures::future::BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

// spec: CKP-18
#[tokio::test]
async fn a_clock_that_is_ahead_forgets_nothing_that_is_young_by_the_store() {
    for kind in ["classic", "v2"] {
        let f = fixture();
        let mut first = start(&[("delta.setTransactionRetentionDuration", "interval 1 days"), ("delta.checkpointPolicy", kind)]);
        let now = f.table.env().now().millis();
        first.push(Action::Txn(Txn { app_id: "new".to_owned(), version: 1, last_updated: Some(now) }));
        f.commit(0, &first).await;
        let (old, new) = (add("old", None, 1), add("new", None, 2));
        f.commit(1, &[Action::Remove(remove(&old, now - 8 * 86_400_000)), Action::Remove(remove(&new, now - 86_400_000))]).await;
        let env = Env::system().with_clock(Arc::new(Ahead(now + 3_650 * 86_400_000)));
        let table = table_in(f.store.clone(), env, 2);
        let written = table.snapshot().await.unwrap().write_checkpoint().await.unwrap();
        assert_eq!((written.ours, written.removed), (true, 1), "{kind}");
        f.drop_commits_to(1).await;
        let (_, removed, small) = state(&f.table).await;
        assert!(removed.len() == 1 && removed.first().unwrap().contains(r#""path":"new""#), "{kind}: {removed:?}");
        assert_eq!(small.iter().filter(|s| s.contains("txn")).count(), 1, "{kind}: {small:?}");
    }
}

// spec: CKP-11
#[tokio::test]
async fn a_checkpoint_that_disagrees_with_the_checksum_is_not_published() {
    let f = fixture();
    f.commit(0, &start(&[])).await;
    f.commit(1, &[Action::Add(add("x", Some(1), 5))]).await;
    f.table.snapshot().await.unwrap().write_checkpoint().await.unwrap();
    let crc = Path::from("t/_delta_log/00000000000000000001.crc");
    let body = f.store.get(&crc).await.unwrap().bytes().await.unwrap();
    let wrong = String::from_utf8(body.to_vec()).unwrap().replace(r#""numFiles":1"#, r#""numFiles":2"#);
    f.store.put(&crc, wrong.into_bytes().into()).await.unwrap();
    for name in ["00000000000000000001.checkpoint.parquet", "_last_checkpoint"] {
        f.store.delete(&Path::from(format!("t/_delta_log/{name}"))).await.unwrap();
    }
    let error = f.table.snapshot().await.unwrap().write_checkpoint().await.unwrap_err();
    assert_eq!(error.code(), Code::CKPT);
    assert!(f.store.head(&Path::from("t/_delta_log/00000000000000000001.checkpoint.parquet")).await.is_err());
}

// spec: CKP-11
#[tokio::test]
async fn a_v2_checkpoint_that_disagrees_leaves_no_sidecar_and_is_not_tried_again_from_an_older_one() {
    let f = fixture();
    f.commit(0, &start(&[("delta.checkpointPolicy", "v2")])).await;
    f.commit(1, &[Action::Add(add("x", Some(1), 5))]).await;
    f.table.snapshot().await.unwrap().write_checkpoint().await.unwrap();
    f.commit(2, &[Action::Add(add("y", Some(1), 5))]).await;
    let crc = Path::from("t/_delta_log/00000000000000000001.crc");
    let body = f.store.get(&crc).await.unwrap().bytes().await.unwrap();
    let wrong = String::from_utf8(body.to_vec()).unwrap().replace(r#""numFiles":1"#, r#""numFiles":2"#);
    f.store.put(&crc, wrong.into_bytes().into()).await.unwrap();
    let sidecars = async || f.store.list(Some(&Path::from("t/_delta_log/_sidecars"))).count().await;
    assert_eq!(sidecars().await, 1);
    let error = f.table.snapshot().await.unwrap().write_checkpoint().await.unwrap_err();
    assert!(error.code() == Code::CKPT && error.message().contains("disagrees"), "{error:?}");
    assert_eq!(sidecars().await, 1);
}

// spec: CRC-3
#[tokio::test]
async fn a_checksum_is_not_advanced_over_a_compaction() {
    let f = fixture();
    f.commit(0, &start(&[])).await;
    f.commit(1, &[Action::Add(add("x", Some(1), 5))]).await;
    f.table.snapshot().await.unwrap().write_checkpoint().await.unwrap();
    let (y, gone) = (add("y", Some(1), 5), add("gone", Some(1), 7));
    let now = f.table.env().now().millis();
    f.commit(2, &[Action::Add(gone.clone())]).await;
    f.commit(3, &[Action::Remove(remove(&gone, now))]).await;
    f.commit(4, &[Action::Add(y.clone())]).await;
    // Reconciled, 2 to 3 hold a removal of a file that the checksum of version 1 never counted.
    let compacted = crate::log::encode_commit(&[Action::Remove(remove(&gone, now))]).unwrap();
    let name = Path::from("t/_delta_log/00000000000000000002.00000000000000000003.compacted.json");
    f.store.put(&name, compacted.into()).await.unwrap();
    let snapshot = f.table.snapshot().await.unwrap();
    assert!(snapshot.advanced_checksum().await.is_none());
    let written = snapshot.write_checkpoint().await.unwrap();
    assert_eq!((written.ours, written.files, written.warnings), (true, 2, Vec::new()));
}

// spec: CKP-13
#[tokio::test]
async fn the_second_of_two_checkpointers_changes_nothing() {
    for configuration in [&[][..], &[("delta.checkpointPolicy", "v2")]] {
        let f = fixture();
        f.commit(0, &start(configuration)).await;
        f.commit(1, &[Action::Add(add("x", Some(1), 5))]).await;
        let (one, two) = (f.table.snapshot().await.unwrap(), f.table.snapshot().await.unwrap());
        assert!(one.write_checkpoint().await.unwrap().ours);
        let second = two.write_checkpoint().await.unwrap();
        assert_eq!(second.ours, !configuration.is_empty(), "uuid names cannot collide");
        assert!(!f.table.snapshot().await.unwrap().write_checkpoint().await.unwrap().ours);
        assert_eq!(state(&f.table).await.0.len(), 1);
    }
}

// spec: CKP-12 SKIP-7
#[tokio::test]
async fn files_are_sorted_by_partition_and_first_column() {
    let f = fixture();
    f.commit(0, &start(&[])).await;
    let adds: Vec<Action> =
        (0..300i64).map(|i| Action::Add(add(&format!("f{i}"), (i % 4 != 0).then_some(i % 4), (i * 7919) % 300))).collect();
    f.commit(1, &adds).await;
    f.table.snapshot().await.unwrap().write_checkpoint().await.unwrap();
    let snapshot = f.table.snapshot().await.unwrap();
    let mut keys = Vec::new();
    let mut batches = snapshot.files(FileQuery::default());
    while let Some(batch) = batches.next().await {
        let batch = batch.unwrap();
        keys.extend((0..batch.len()).map(|r| (batch.partition_value(r, "p").map(str::to_owned), batch.size(r))));
    }
    assert_eq!(keys.len(), 300);
    assert!(keys.is_sorted(), "{keys:?}");
}

// spec: CKP-7
#[tokio::test]
async fn the_policy_decides_between_a_manifest_with_sidecars_and_one_file() {
    for (policy, v2) in [("v2", true), ("classic", false)] {
        let f = fixture();
        f.commit(0, &start(&[("delta.checkpointPolicy", policy)])).await;
        f.commit(1, &[Action::Add(add("x", Some(1), 5)), Action::Add(add("y", Some(2), 6))]).await;
        f.table.snapshot().await.unwrap().write_checkpoint().await.unwrap();
        let listed: Vec<_> = f.store.list(Some(&Path::from("t/_delta_log"))).map(|o| o.unwrap().location).collect().await;
        let named = |part: &str| listed.iter().filter(|p| p.as_ref().contains(part)).count();
        assert_eq!((named(".checkpoint."), named("_sidecars/")), (1, usize::from(v2)), "{listed:?}");
        assert_eq!(named("00000000000000000001.checkpoint.parquet"), usize::from(!v2), "{listed:?}");
        f.drop_commits_to(1).await;
        let snapshot = f.table.snapshot().await.unwrap();
        let checkpoint = snapshot.segment().checkpoint.clone().unwrap();
        let small = read_small(f.table.root(), f.table.env(), &checkpoint, &FirstFile::default()).await.unwrap();
        let sidecars = small.iter().filter(|a| matches!(a, Action::Sidecar(_))).count();
        let marks: Vec<_> = small.iter().filter_map(|a| if let Action::CheckpointMetadata(m) = a { Some(m) } else { None }).collect();
        assert_eq!((sidecars, marks.len()), (usize::from(v2), usize::from(v2)));
        if let [mark] = marks[..] {
            assert_eq!(mark.version, 1);
            assert!(format!("{:?}", mark.tags).contains("\"2\""), "the two files are counted: {:?}", mark.tags);
        }
        assert_eq!(state(&f.table).await.0.len(), 2);
    }
}
