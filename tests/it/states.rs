//! The same table in every state that its log may be in: whatever checkpoints, checksums, compactions and hints stand beside the commits, every version reads the same.

use crate::support::digest::digest_of;
use crate::support::folders::copy_folder;
use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use futures::{StreamExt, TryStreamExt, stream};
use lakebed::{At, SaveMode, Table, Version};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const NEWEST: u64 = 9;

fn batch(k: i64) -> RecordBatch {
    let schema = Schema::new(vec![Field::new("id", DataType::Int64, true), Field::new("p", DataType::Utf8, true)]);
    let ids = Int64Array::from(vec![k, k * 100]);
    let parts = StringArray::from(vec![Some(format!("p {}", k % 3)), None]);
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(ids), Arc::new(parts)]).unwrap()
}

/// Versions 0 to 9 of JSON commits alone: appends, and one overwrite in the middle.
async fn plain(path: &Path, policy: &str, partitioned: bool) {
    let table = Table::at(path.to_str().unwrap()).open().unwrap();
    let columns = lakebed::Struct::from_sql("id BIGINT, p STRING").unwrap();
    let partitions: &[&str] = if partitioned { &["p"] } else { &[] };
    table
        .create(columns)
        .partition_by(partitions.iter().copied())
        .property("delta.checkpointInterval", "1000")
        .property("delta.checkpointPolicy", policy)
        .run()
        .await
        .unwrap();
    for k in 1..=NEWEST {
        let rows = batch(k as i64);
        let mode = if k == 5 { SaveMode::Overwrite } else { SaveMode::Append };
        table.append(rows.schema(), stream::iter([Ok(rows)]).boxed()).mode(mode).run().await.unwrap();
    }
}

/// A copy of the table whose log ends at `version`.
fn copied(from: &Path, to: PathBuf, version: u64) -> PathBuf {
    copy_folder(from, &to);
    for later in version + 1..=NEWEST {
        std::fs::remove_file(to.join(format!("_delta_log/{later:020}.json"))).unwrap();
    }
    to
}

/// Adds to `table` the checkpoint, checksum and sidecars of `version`, and a hint to them.
async fn checkpoint_at(plain: &Path, table: &Path, version: u64) {
    let scratch = tempfile::tempdir().unwrap();
    let shorter = copied(plain, scratch.path().join("t"), version);
    Table::at(shorter.to_str().unwrap()).open().unwrap().checkpoint().run().await.unwrap();
    for folder in ["_delta_log", "_delta_log/_sidecars"] {
        let Ok(entries) = std::fs::read_dir(shorter.join(folder)) else { continue };
        std::fs::create_dir_all(table.join(folder)).unwrap();
        for entry in entries.map(|e| e.unwrap()).filter(|e| e.path().is_file()) {
            std::fs::copy(entry.path(), table.join(folder).join(entry.file_name())).unwrap();
        }
    }
}

/// A compaction of two neighbouring appends: their file actions side by side.
fn compact(table: &Path, from: u64, to: u64) {
    let log = table.join("_delta_log");
    let mut lines = String::new();
    for v in from..=to {
        let text = std::fs::read_to_string(log.join(format!("{v:020}.json"))).unwrap();
        lines.extend(text.lines().filter(|l| l.starts_with("{\"add\"")).map(|l| format!("{l}\n")));
    }
    std::fs::write(log.join(format!("{from:020}.{to:020}.compacted.json")), lines).unwrap();
}

async fn digests(table: &Path, versions: impl Iterator<Item = u64>) -> Vec<(u64, String)> {
    let table = Table::at(table.to_str().unwrap()).open().unwrap();
    let mut all = Vec::new();
    for v in versions {
        let snapshot = table.snapshot_at(At::Version(Version(v))).await.unwrap_or_else(|e| panic!("version {v}: {e:?}"));
        let batches: Vec<_> = snapshot.scan().build().unwrap().stream().try_collect().await.unwrap();
        all.push((v, digest_of(&batches).1));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_reads_the_same_in_every_state_of_the_log() {
    for policy in ["classic", "v2"] {
        for partitioned in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let json_only = folder.path().join("plain");
            plain(&json_only, policy, partitioned).await;
            let truth = digests(&json_only, 0..=NEWEST).await;
            let case = |name: &str| format!("{policy}, partitioned {partitioned}: {name}");
            let fresh = |name: &str| copied(&json_only, folder.path().join(name), NEWEST);

            let table = fresh("several checkpoints");
            for v in [2, 4, 7] {
                checkpoint_at(&json_only, &table, v).await;
            }
            assert_eq!(truth, digests(&table, 0..=NEWEST).await, "{}", case("several checkpoints"));

            // A stale hint, a torn one, none: only hints.
            for (name, hint) in [("stale", Some("{\"version\":2,\"size\":1}")), ("torn", Some("{\"vers")), ("none", None)] {
                match hint {
                    Some(text) => std::fs::write(table.join("_delta_log/_last_checkpoint"), text).unwrap(),
                    None => std::fs::remove_file(table.join("_delta_log/_last_checkpoint")).unwrap(),
                }
                assert_eq!(truth, digests(&table, 0..=NEWEST).await, "{}", case(name));
            }

            // The commits before a checkpoint are gone: later versions stay.
            let table = fresh("cleaned up");
            checkpoint_at(&json_only, &table, 6).await;
            for v in 0..6 {
                std::fs::remove_file(table.join(format!("_delta_log/{v:020}.json"))).unwrap();
            }
            assert_eq!(truth[6..], digests(&table, 6..=NEWEST).await, "{}", case("cleaned up"));
            let gone = Table::at(table.to_str().unwrap()).open().unwrap().snapshot_at(At::Version(Version(3))).await;
            assert_eq!(gone.unwrap_err().code().as_str(), "LB-VERSION", "{}", case("a version that is gone"));

            // Checkpoint of the newest version and no commit at all.
            let table = fresh("checkpoint only");
            checkpoint_at(&json_only, &table, NEWEST).await;
            for v in 0..=NEWEST {
                std::fs::remove_file(table.join(format!("_delta_log/{v:020}.json"))).unwrap();
            }
            assert_eq!(truth[9..], digests(&table, NEWEST..=NEWEST).await, "{}", case("checkpoint only"));

            let table = fresh("compacted");
            compact(&table, 1, 3);
            compact(&table, 6, 9);
            assert_eq!(truth, digests(&table, 0..=NEWEST).await, "{}", case("compacted"));
            checkpoint_at(&json_only, &table, 2).await;
            assert_eq!(truth, digests(&table, 0..=NEWEST).await, "{}", case("compacted across a checkpoint"));

            // Checksums that are broken or absent change nothing.
            for name in ["checksum torn", "checksum empty"] {
                let table = fresh(name);
                checkpoint_at(&json_only, &table, 4).await;
                std::fs::write(table.join(format!("_delta_log/{:020}.crc", 4)), if name == "checksum torn" { "{\"tableSize" } else { "" })
                    .unwrap();
                assert_eq!(truth, digests(&table, 0..=NEWEST).await, "{}", case(name));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_reaches_what_a_fresh_open_sees() {
    let folder = tempfile::tempdir().unwrap();
    let full = folder.path().join("plain");
    plain(&full, "classic", true).await;
    let growing = copied(&full, folder.path().join("growing"), 2);
    let table = Table::at(growing.to_str().unwrap()).open().unwrap();
    let mut snapshot = table.snapshot().await.unwrap();
    assert_eq!(snapshot.refresh().await.unwrap().version(), Version(2));
    for v in 3..=NEWEST {
        let name = format!("_delta_log/{v:020}.json");
        std::fs::copy(full.join(&name), growing.join(&name)).unwrap();
        if v == 6 {
            checkpoint_at(&full, &growing, 5).await;
        }
        snapshot = snapshot.refresh().await.unwrap();
        assert_eq!(snapshot.version(), Version(v));
        let batches: Vec<_> = snapshot.scan().build().unwrap().stream().try_collect().await.unwrap();
        assert_eq!(vec![(v, digest_of(&batches).1)], digests(&full, v..=v).await);
    }
}
