//! The tables that commands are killed on.

use super::world::{World, now};
use crate::support::mortal::Disk;
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use futures::StreamExt;
use lakebed::{At, DataType, Expr, Field, Struct, Table, Version, column_path};
use std::sync::Arc;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// The newest version of an aged table.
pub const NEWEST: u64 = 10;
/// The newest of its versions that are a month old; later ones are new.
pub const OLD: u64 = 6;

const VECTORS: (&str, &str) = ("delta.enableDeletionVectors", "true");
const LOG: [(&str, &str); 2] = [("delta.checkpointInterval", "6"), ("delta.logRetentionDuration", "interval 10 days")];

/// Rows with these ids; every third has another `k`.
fn batch(ids: std::ops::Range<i64>, with_k: bool) -> RecordBatch {
    let column = |of: fn(i64) -> i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values(ids.clone().map(of))) };
    let mut columns = vec![("id", column(|id| id), true), ("n", column(|id| id * 7919 % 101), true)];
    if with_k {
        let k = StringArray::from_iter_values(ids.map(|id| if id % 3 == 0 { "a" } else { "b" }));
        columns.push(("k", Arc::new(k), true));
    }
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

async fn append(table: &Table, ids: std::ops::Range<i64>, with_k: bool) {
    let rows = batch(ids, with_k);
    table.append(rows.schema(), futures::stream::iter([Ok(rows)]).boxed()).run().await.unwrap();
}

fn sql(text: &str) -> Expr {
    Expr::sql(text).unwrap()
}

fn columns(with_k: bool) -> Struct {
    let mut fields = ["id", "n"].map(|name| Field::new(name, DataType::Long, true)).to_vec();
    fields.extend(with_k.then(|| Field::new("k", DataType::String, true)));
    Struct { fields }
}

fn table(disk: &Disk, name: &str) -> Table {
    disk.process(name, None).1
}

/// What is done next is so many seconds old.
fn go_back(disk: &Disk, age: i64) {
    disk.clock.set((now() - age) * 1000);
}

/// A table most of whose history is a month old, and objects that nobody knows.
async fn aged(disk: &Disk, name: &str, properties: &[(&str, &str)]) {
    go_back(disk, 30 * DAY);
    let table = table(disk, name);
    let create = properties.iter().chain(&LOG).fold(table.create(columns(false)), |create, (key, value)| create.property(key, value));
    create.run().await.unwrap();
    for first in [0, 10, 20] {
        append(&table, first..first + 10, false).await;
    }
    table.delete().filter(sql("id = 3")).run().await.unwrap();
    table.update().filter(sql("id IN (11, 12)")).set("n", sql("n + 1000")).run().await.unwrap();
    // A file goes whole.
    table.delete().filter(sql("id BETWEEN 20 AND 29")).run().await.unwrap();
    disk.put(&format!("{name}/orphan.parquet"), "nothing").await;
    disk.put(&format!("{name}/_delta_log/.00000000000000000003.json.tmp"), "nothing").await;
    go_back(disk, HOUR);
    append(&table, 30..40, false).await;
    table.delete().filter(sql("id IN (4, 31)")).run().await.unwrap();
    table.update().filter(sql("id = 12")).set("n", sql("n + 1")).run().await.unwrap();
    append(&table, 40..50, false).await;
    assert_eq!(table.snapshot().await.unwrap().version(), Version(NEWEST));
}

/// Every table of `jobs`.
pub async fn all() -> World {
    let disk = Disk::new(0);
    aged(&disk, "t", &[VECTORS]).await;
    let second = ("delta.checkpointPolicy", "v2");
    let (feed, ids) = (("delta.enableChangeDataFeed", "true"), ("delta.enableRowTracking", "true"));
    let (times, mapped) = (("delta.enableInCommitTimestamps", "true"), ("delta.columnMapping.mode", "name"));
    aged(&disk, "w", &[VECTORS, feed, ids, times, mapped, second]).await;
    aged(&disk, "l", &[VECTORS]).await;
    append(&table(&disk, "l"), 50..60, false).await;
    aged(&disk, "f", &[VECTORS, ("delta.dropFeatureTruncateHistory.retentionDuration", "interval 0 hours")]).await;
    others(&disk).await;
    let mut world = World::of_disk(&disk).await;

    for name in ["d", "q"] {
        world.copy("t/", &format!("{name}/"));
    }
    world.copy("t/part-", "plain/part-");
    let old = now() - 30 * DAY;
    world.put("d/_delta_log/_last_checkpoint", "{", old);
    world.put("d/_delta_log/00000000000000000009.crc", "nonsense", old);
    world.put("d/_delta_log/00000000000000000007.checkpoint.0000000001.0000000002.parquet", "half", old);
    world.put("q/_quarantine/then/more.parquet", "nothing", old);
    world.put("q/_quarantine/then/orphan.parquet", "nothing", old);
    let checkpoint = "_delta_log/00000000000000000006.checkpoint.parquet";
    world.copy(&format!("q/{checkpoint}"), &format!("q/_quarantine/then/{checkpoint}"));
    world.objects.remove(&format!("q/{checkpoint}"));
    world
}

/// `h`, whose commits are followed by checkpoints; `p`, with partitions and manifests; `c`, with clustering columns; `older`, a deep copy.
async fn others(disk: &Disk) {
    go_back(disk, 30 * DAY);
    let [h, p, c] = ["h", "p", "c"].map(|name| table(disk, name));
    h.create(columns(false)).property("delta.checkpointInterval", "1").property(LOG[1].0, LOG[1].1).run().await.unwrap();
    p.create(columns(true)).partition_by(["k"]).run().await.unwrap();
    c.create(columns(false)).cluster_by(["n", "id"].map(|name| column_path(name).unwrap())).run().await.unwrap();
    for first in [0, 10, 20, 30, 40, 50] {
        append(&h, first..first + 10, false).await;
        append(&c, first..first + 10, false).await;
    }
    append(&p, 0..10, true).await;
    p.generate_manifest().run().await.unwrap();
    go_back(disk, HOUR);
    append(&h, 60..70, false).await;
    append(&p, 10..20, true).await;
    // The manifest of this partition must go.
    p.delete().filter(sql("k = 'a'")).run().await.unwrap();
    let then = table(disk, "t").snapshot_at(At::Version(Version(7))).await.unwrap();
    then.clone_to(&table(disk, "older")).deep().run().await.unwrap();
}
