//! Vacuum after random histories, judged by the log itself.

use super::row_changes::{KINDS, ODD, Row, batch, rows};
use super::*;
use crate::support::aged::{Aged, HOUR};
use crate::support::random::{Random, seeds};
use crate::support::vectors::hex_of;
use futures::TryStreamExt;
use lakebed::{At, Expr, SaveMode, Snapshot, Version};
use percent_encoding::percent_decode_str;
use std::collections::BTreeSet;

/// The table's retention.
const RETENTION: i64 = 168;

async fn rows_at(table: &Table, version: u64) -> Vec<Row> {
    let snapshot: Arc<Snapshot> = table.snapshot_at(At::Version(Version(version))).await.unwrap();
    let batches: Vec<RecordBatch> = snapshot.scan().build().unwrap().stream().try_collect().await.unwrap();
    let mut found: Vec<Row> = batches.iter().flat_map(super::row_changes::rows_in).collect();
    found.sort();
    found
}

async fn changes_of(table: &Table, version: u64) -> u64 {
    let at = At::Version(Version(version));
    let feed = table.changes(at).to(at).build().await.unwrap();
    let batches: Vec<RecordBatch> = feed.stream().try_collect().await.unwrap();
    batches.iter().map(|b| b.num_rows() as u64).sum()
}

fn decoded(action: &Value) -> String {
    percent_decode_str(action["path"].as_str().unwrap()).decode_utf8().unwrap().into_owned()
}

/// The object that holds a vector, found by the 16 bytes in its name.
fn vector_object(action: &Value, objects: &BTreeSet<String>) -> Option<String> {
    let vector = action.get("deletionVector").filter(|v| v["storageType"] == "u")?;
    let hex = hex_of(vector["pathOrInlineDv"].as_str().unwrap());
    objects.iter().find(|name| name.replace('-', "").contains(&hex)).cloned()
}

/// What must be there after a vacuum with `before`, and what may be: by the commits alone.
fn needed(place: &Aged, before: i64, objects: &BTreeSet<String>, times: &[i64]) -> BTreeSet<String> {
    let adds = place.actions("add");
    let removes = place.actions("remove");
    let mut needed = BTreeSet::new();
    for (version, add) in &adds {
        // Until when this entry was live.
        let same = |remove: &&(u64, Value)| {
            remove.0 > *version && remove.1["path"] == add["path"] && remove.1.get("deletionVector") == add.get("deletionVector")
        };
        let until = removes.iter().find(same).map_or(i64::MAX, |(at, _)| times[*at as usize]);
        if until >= before {
            needed.insert(decoded(add));
            needed.extend(vector_object(add, objects));
        }
    }
    let recent = |(version, _): &&(u64, Value)| times[*version as usize] >= before;
    needed.extend(place.actions("cdc").iter().filter(recent).map(|(_, cdc)| decoded(cdc)));
    needed
}

// spec: VAC-1, VAC-2, VAC-3, VAC-4, VAC-5
#[tokio::test]
async fn after_any_history_every_version_within_the_retention_reads_the_same_and_nothing_older_is_left() {
    for seed in seeds(3) {
        for (kind, partition_by, properties) in KINDS {
            let mut random = Random::new(seed);
            let place = Aged::new();
            place.go_to(20 * 24);
            let schema = columns(&[("id", DataType::Long), ("n", DataType::Long), ("p", DataType::String)]);
            let mut create = place.table.create(schema).partition_by(partition_by.iter().copied());
            for (key, value) in properties.iter() {
                create = create.property(key, value);
            }
            create.run().await.unwrap();
            place.settle();
            let mut times = vec![place.clock()];
            let mut hours = 20 * 24;
            for step in 0..14 {
                hours = (hours - 6 - random.below(50) as i64).max(2);
                place.go_to(hours);
                let k = random.below(30) as i64;
                let some = |random: &mut Random| Row {
                    id: Some(random.below(30) as i64),
                    n: (random.below(4) > 0).then(|| random.below(9) as i64),
                    p: Some(random.pick(ODD).to_owned()),
                };
                let fresh: Vec<Row> = (0..1 + random.below(12)).map(|_| some(&mut random)).collect();
                let what = random.below(10);
                let report = match what {
                    _ if step == 0 => append(&place.table, vec![batch(&fresh)]).run().await,
                    0..3 => append(&place.table, vec![batch(&fresh)]).run().await,
                    3..6 => place.table.delete().filter(Expr::sql(&format!("id < {k}")).unwrap()).run().await,
                    6..8 => {
                        let filter = Expr::sql(&format!("id = {k} OR n = 3")).unwrap();
                        place.table.update().set("n", Expr::sql("n + 1").unwrap()).filter(filter).run().await
                    }
                    8 => append(&place.table, vec![batch(&fresh)]).mode(SaveMode::Overwrite).run().await,
                    _ => place.table.checkpoint().run().await,
                };
                let version = report.unwrap_or_else(|e| panic!("LAKEBED_SEED={seed}: {kind}, step {step}: {e:?}")).version;
                place.settle();
                times.extend(version.map(|_| place.clock()));
            }
            place.plant("p=x/old.parquet", 200);
            place.plant("young.parquet", 100);
            let what = format!("LAKEBED_SEED={seed}: {kind}");
            let table = place.now();
            let newest = times.len() as u64 - 1;
            let before = Env::system().now().millis() - RETENTION * HOUR;
            let first = (0..=newest).rev().find(|v| times[*v as usize] < before).unwrap_or(0);
            let feed = properties.iter().any(|(key, _)| *key == "delta.enableChangeDataFeed");
            let mut old = Vec::new();
            for version in first..=newest {
                let changes = if feed && version > first { changes_of(&table, version).await } else { 0 };
                old.push((version, rows_at(&table, version).await, changes));
            }
            let newest_rows = rows(&table).await;
            let objects: BTreeSet<String> = place.objects().into_iter().collect();
            let mut wanted = needed(&place, before, &objects, &times);
            wanted.insert("young.parquet".to_owned());

            let plan = table.vacuum().plan().await.unwrap_or_else(|e| panic!("{what}: {e:?}"));
            assert_eq!(place.objects().into_iter().collect::<BTreeSet<_>>(), objects, "{what}: planning changes nothing");
            let report = table.vacuum().run().await.unwrap_or_else(|e| panic!("{what}: {e:?}"));
            let (planned, actual) = (report.planned.unwrap(), report.actual.unwrap());
            assert_eq!((&planned.actions, &planned.items), (&actual.actions, &actual.items), "{what}");
            assert_eq!((&planned.actions, &planned.items), (&plan.summary().actions, &plan.summary().items), "{what}");
            assert!(planned.actions.keys().all(|kind| kind.starts_with("delete")), "{what}");

            assert_eq!(place.objects().into_iter().collect::<BTreeSet<_>>(), wanted, "{what}: needed, and nothing else");
            for (version, rows, changes) in old {
                assert_eq!(rows_at(&table, version).await, rows, "{what}: version {version}");
                if feed && version > first {
                    assert_eq!(changes_of(&table, version).await, changes, "{what}: changes of version {version}");
                }
            }
            assert_eq!(rows(&table).await, newest_rows, "{what}");
            assert_eq!(table.vacuum().run().await.unwrap().version, None, "{what}: a second run finds nothing");
        }
    }
}
