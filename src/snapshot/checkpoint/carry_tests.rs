use super::super::tests::{Fixture, add, fixture, remove, start, state};
use super::*;
use crate::env::seeds::{numbers, seeds};
use crate::log::{Add, NullableMap, Txn, VectorDescriptor};
use arrow::array::AsArray;
use futures::StreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use std::collections::BTreeSet;

const V2: &[(&str, &str)] = &[("delta.checkpointPolicy", "v2")];

fn adds(prefix: &str, n: i64) -> Vec<Action> {
    (0..n).map(|i| Action::Add(add(&format!("{prefix}{i}.parquet"), Some(i % 3), i))).collect()
}

/// A table of so many files with a V2 checkpoint at version 1.
async fn with_files(n: i64) -> Fixture {
    let f = fixture();
    f.commit(0, &start(V2)).await;
    f.commit(1, &adds("f", n)).await;
    assert!(f.table.snapshot().await.unwrap().write_checkpoint().await.unwrap().ours);
    f
}

impl Fixture {
    async fn sidecars(&self) -> BTreeSet<String> {
        let listed = self.store.list(Some(&Path::from("t/_delta_log/_sidecars")));
        listed.map(|o| o.unwrap().location.filename().unwrap().to_owned()).collect().await
    }
    /// The same table as the commits alone tell it.
    async fn replayed(&self) -> Fixture {
        let other = fixture();
        let mut listed = self.store.list(Some(&Path::from("t/_delta_log")));
        while let Some(object) = listed.next().await {
            let key = object.unwrap().location;
            if key.filename().is_some_and(|n| n.len() == 25) {
                let body = self.store.get(&key).await.unwrap().bytes().await.unwrap();
                other.store.put(&key, body.into()).await.unwrap();
            }
        }
        other
    }
}

// spec: CKP-16
#[tokio::test]
async fn a_checkpoint_after_few_changes_names_old_sidecars_again_and_costs_little() {
    let f = with_files(20_000).await;
    assert_eq!(f.sidecars().await.len(), 5);
    for v in 2..12 {
        f.commit(v, &[Action::Add(add(&format!("new{v}.parquet"), Some(1), v as i64))]).await;
    }
    let (table, meter) = f.table.metered();
    let snapshot = table.snapshot().await.unwrap();
    let loaded = meter.spent();
    let written = snapshot.write_checkpoint().await.unwrap();
    let spent = meter.spent();
    assert_eq!((written.files, written.sidecars_reused, written.warnings.len()), (20_010, 5, 0));
    assert!(written.bytes_written * 20 < written.bytes, "{} of {} bytes were written", written.bytes_written, written.bytes);
    let read = spent.bytes_read - loaded.bytes_read;
    assert!(read * 3 < written.bytes, "{read} of {} bytes were read", written.bytes);
    assert_eq!(f.sidecars().await.len(), 6);
    assert_eq!(state(&f.table).await, state(&f.replayed().await.table).await);
    // It is the newest checkpoint that is read.
    f.drop_commits_to(11).await;
    assert_eq!(state(&f.table).await.0.len(), 20_010);
}

// spec: CKP-16
#[tokio::test]
async fn only_sidecars_that_lost_a_file_are_written_anew() {
    let f = with_files(9_000).await;
    let before = f.sidecars().await;
    // One file goes, one gets a vector, one is told again under another spelling of its name.
    let vector = VectorDescriptor {
        storage_type: "u".to_owned(),
        path_or_inline_dv: "vec".to_owned(),
        offset: Some(1),
        size_in_bytes: 40,
        cardinality: 1,
    };
    let (gone, marked) = (add("f3.parquet", Some(0), 3), add("f6.parquet", Some(0), 6));
    let now = f.table.env().now().millis();
    f.commit(2, &[Action::Remove(remove(&gone, now))]).await;
    f.commit(3, &[Action::Remove(remove(&marked, now)), Action::Add(Add { deletion_vector: Some(vector), ..marked.clone() })]).await;
    let written = f.table.snapshot().await.unwrap().write_checkpoint().await.unwrap();
    assert_eq!((written.files, written.removed, written.sidecars_reused), (8_999, 2, 2));
    let after = f.sidecars().await;
    // Both lay in one sidecar: it, the new file, and the removed files are written.
    assert_eq!(after.difference(&before).count(), 3);
    let replayed = f.replayed().await;
    assert_eq!(state(&f.table).await, state(&replayed.table).await);
    // A removed file that comes back is removed no more.
    f.commit(4, &[Action::Add(gone.clone())]).await;
    let written = f.table.snapshot().await.unwrap().write_checkpoint().await.unwrap();
    assert_eq!((written.files, written.removed), (9_000, 1));
    assert!(written.sidecars_reused >= 2, "{written:?}");
    assert_eq!(state(&f.table).await, state(&f.replayed().await.table).await);
}

// spec: CKP-15, CKP-16
#[tokio::test]
async fn sidecars_that_are_written_anew_are_held_one_run_at_a_time() {
    let f = with_files(1_400).await;
    // Runs begin at 8 MiB; these sidecars are a little larger.
    let large = |prefix: &str, n: i64| -> Vec<Action> {
        let stats = format!(r#"{{"numRecords":4,"note":"{}"}}"#, "x".repeat(50_000));
        let large = |i| Action::Add(Add { stats: Some(stats.clone()), ..add(&format!("{prefix}{i}.parquet"), Some(i % 3), i) });
        (0..n).map(large).collect()
    };
    f.commit(2, &large("x", 220)).await;
    assert_eq!(f.table.snapshot().await.unwrap().write_checkpoint().await.unwrap().sidecars_reused, 1);
    f.commit(3, &large("y", 210)).await;
    assert_eq!(f.table.snapshot().await.unwrap().write_checkpoint().await.unwrap().sidecars_reused, 2);
    let before = f.sidecars().await;
    let now = f.table.env().now().millis();
    let gone = ["x7.parquet", "y7.parquet"].map(|path| Action::Remove(remove(&add(path, Some(1), 7), now)));
    f.commit(4, &gone).await;
    let small = f.within(32 << 20);
    let written = small.snapshot().await.unwrap().write_checkpoint().await.unwrap();
    assert_eq!((written.files, written.removed, written.sidecars_reused), (1_828, 2, 1));
    assert!(small.env().memory().high_water() >= 16 << 20, "a run and what it is encoded to are held");
    let mut of_files = Vec::new();
    for name in f.sidecars().await.difference(&before) {
        let body = f.store.get(&Path::from(format!("t/_delta_log/_sidecars/{name}"))).await.unwrap().bytes().await.unwrap();
        let rows = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(body).unwrap().build().unwrap();
        let mut firsts = BTreeSet::new();
        for batch in rows {
            let batch = batch.unwrap();
            let adds = batch.column_by_name("add").unwrap().as_struct();
            let paths = arrow::compute::cast(adds.column_by_name("path").unwrap(), &arrow::datatypes::DataType::Utf8).unwrap();
            firsts.extend(paths.as_string::<i32>().iter().flatten().map(|path| path[..1].to_owned()));
        }
        of_files.extend((!firsts.is_empty()).then_some(firsts));
    }
    of_files.sort();
    assert_eq!(of_files, [BTreeSet::from(["x".to_owned()]), BTreeSet::from(["y".to_owned()])], "each was written before the next was read");
    assert_eq!(state(&f.table).await, state(&f.replayed().await.table).await);
}

// spec: CKP-16
#[tokio::test]
async fn paths_that_are_spelled_in_several_ways_are_one_file() {
    let f = fixture();
    f.commit(0, &start(V2)).await;
    let mut files = adds("f", 50);
    files.push(Action::Add(add("p%20q/%C3%A9.parquet", Some(1), 1)));
    f.commit(1, &files).await;
    f.table.snapshot().await.unwrap().write_checkpoint().await.unwrap();
    let now = f.table.env().now().millis();
    f.commit(2, &[Action::Remove(remove(&add("p q/é.parquet", Some(1), 1), now))]).await;
    f.commit(3, &[Action::Remove(remove(&add("memory:///t/f7.parquet", Some(1), 7), now))]).await;
    let written = f.table.snapshot().await.unwrap().write_checkpoint().await.unwrap();
    assert_eq!((written.files, written.removed), (49, 2));
    assert_eq!(state(&f.table).await, state(&f.replayed().await.table).await);
}

// spec: CKP-16, CKP-17
#[tokio::test]
async fn random_histories_of_checkpoints_say_what_the_commits_say() {
    let (mut reused, mut whole) = (0, 0);
    for seed in seeds(1..=6) {
        let mut next = numbers(seed);
        let f = fixture();
        f.commit(0, &start(V2)).await;
        let mut live: Vec<Add> = Vec::new();
        let mut gone: Vec<Add> = Vec::new();
        let now = f.table.env().now().millis();
        for v in 1..30u64 {
            let mut actions = vec![Action::CommitInfo(Default::default())];
            for i in 0..if v == 1 { 300 } else { next(4) } {
                let space = if next(5) == 0 { "%20" } else { "" };
                let new = add(&format!("a{space}{v}-{i}.parquet"), Some(next(3) as i64), next(100) as i64);
                live.push(new.clone());
                actions.push(Action::Add(new));
            }
            for _ in 0..if v > 1 && next(2) == 0 { 1 + next(2) } else { 0 } {
                // Mostly young files go: most old sidecars are left alone.
                let young = |i: &usize| !live[*i].path.starts_with("a1-") && !live[*i].path.starts_with("a%201-");
                let young: Vec<usize> = (0..live.len()).filter(young).collect();
                let at = match (next(12), young.len()) {
                    (0, _) => next(live.len() as u64) as usize,
                    (_, 0) => continue,
                    (_, n) => young[next(n as u64) as usize],
                };
                let old = live.remove(at);
                if actions.iter().any(|a| matches!(a, Action::Add(b) if b.path == old.path)) {
                    live.push(old);
                    continue;
                }
                // Some removals are older than the table remembers them.
                let at = now - if next(4) == 0 { 8 * 86_400_000 } else { 0 };
                actions.push(Action::Remove(remove(&old, at)));
                gone.push(old);
            }
            if next(6) == 0 && !gone.is_empty() {
                let back = gone.remove(next(gone.len() as u64) as usize);
                if !actions.iter().any(|a| matches!(a, Action::Remove(r) if r.path == back.path)) {
                    live.push(back.clone());
                    actions.push(Action::Add(back));
                }
            }
            if next(5) == 0 {
                actions.push(Action::Txn(Txn { app_id: "app".to_owned(), version: v as i64, last_updated: None }));
            }
            f.commit(v, &actions).await;
            if next(3) == 0 || v == 1 {
                let written = f.table.snapshot().await.unwrap().write_checkpoint().await.unwrap();
                assert!(written.ours && written.warnings.is_empty(), "seed {seed} version {v}: {written:?}");
                if written.sidecars_reused > 0 {
                    reused += 1
                } else {
                    whole += 1
                }
                let (files, mut removed, small) = state(&f.table).await;
                let (expected, mut tombstones, facts) = state(&f.replayed().await.table).await;
                assert_eq!((files, small), (expected, facts), "seed {seed} version {v}");
                // Those that are too old may be forgotten.
                let young = |r: &String| r.contains(&format!("\"deletionTimestamp\":{now}"));
                removed.retain(young);
                tombstones.retain(young);
                assert_eq!(removed, tombstones, "seed {seed} version {v}");
            }
        }
    }
    assert!(std::env::var("LAKEBED_SEED").is_ok() || reused > 10 && whole > 5, "{reused} named sidecars again, {whole} did not");
}

// spec: CKP-17
#[tokio::test]
async fn what_does_not_add_up_is_written_anew_from_what_can_be_read() {
    for damage in ["missing", "torn", "tags", "columns"] {
        let f = with_files(300).await;
        let sidecar = f.sidecars().await.into_iter().next().unwrap();
        let key = Path::from(format!("t/_delta_log/_sidecars/{sidecar}"));
        let body = f.store.get(&key).await.unwrap().bytes().await.unwrap();
        match damage {
            "missing" => f.store.delete(&key).await.unwrap(),
            "torn" => drop(f.store.put(&key, body.slice(..body.len() / 2).into()).await.unwrap()),
            // A sidecar of as many bytes with fewer files: what the tags say is not believed.
            "tags" => {
                let other = with_files(299).await;
                let shorter = Path::from(format!("t/_delta_log/_sidecars/{}", other.sidecars().await.first().unwrap()));
                let shorter = other.store.get(&shorter).await.unwrap().bytes().await.unwrap();
                drop(f.store.put(&key, shorter.into()).await.unwrap());
            }
            _ => {
                let mut metadata = start(&[("delta.checkpointPolicy", "v2"), ("delta.checkpoint.writeStatsAsJson", "false")]);
                f.commit(2, &[metadata.remove(1)]).await;
            }
        }
        let version = if damage == "columns" { 3 } else { 2 };
        f.commit(version, &[Action::Add(add("new.parquet", Some(1), 1))]).await;
        let written = f.table.snapshot().await.unwrap().write_checkpoint().await.unwrap();
        assert_eq!((written.files, written.sidecars_reused), (301, 0), "{damage}");
        assert_eq!(state(&f.table).await.0.len(), 301, "{damage}");
    }
}

// spec: CKP-16
#[tokio::test]
async fn sidecars_of_other_writers_are_not_named_again() {
    let f = with_files(300).await;
    // The same checkpoint without what we know of its sidecars.
    let snapshot = f.table.snapshot().await.unwrap();
    let file = snapshot.segment().checkpoint.clone().unwrap().files.remove(0);
    let small = read_small_of(&crate::log::checkpoint::open(f.table.root(), &file).await.unwrap()).await.unwrap();
    let plain: Vec<Action> = small
        .into_iter()
        .map(|a| if let Action::Sidecar(s) = a { Action::Sidecar(Sidecar { tags: None::<NullableMap>, ..s }) } else { a })
        .collect();
    f.store.delete(&Path::from(format!("t/_delta_log/{}", file.name))).await.unwrap();
    let name = "t/_delta_log/00000000000000000001.checkpoint.00000000-0000-0000-0000-000000000000.json";
    f.store.put(&Path::from(name), crate::log::encode_commit(&plain).unwrap().into()).await.unwrap();
    f.commit(2, &[Action::Add(add("new.parquet", Some(1), 1))]).await;
    let written = f.table.snapshot().await.unwrap().write_checkpoint().await.unwrap();
    assert_eq!((written.files, written.sidecars_reused), (301, 0));
}
