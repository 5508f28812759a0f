//! The table that commands are killed on, and what must be true of it whatever happens.

use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt};
use lakebed::{
    At, Clock, Code, DataType, Env, Expr, Field, FileQuery, PathLogStore, Struct, Table, TableRoot, Timestamp, Version, col, lit,
};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

pub const DAY: i64 = 24 * 3600;

/// Keys and values, sorted.
pub type Rows = Vec<(i64, i64)>;

/// A store at rest: what is there, and since when (seconds). Tables lie under their names.
#[derive(Clone, Default)]
pub struct World {
    pub objects: BTreeMap<String, Vec<u8>>,
    pub born: BTreeMap<String, i64>,
}

/// A clock that stands where it is set.
#[derive(Debug, Default)]
struct Still(AtomicI64);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed) * 1000)
    }
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}

pub fn now() -> i64 {
    Env::system().now().millis() / 1000
}

fn table_in(store: Arc<dyn ObjectStore>, name: &str, env: Env) -> Table {
    let root = TableRoot::with_store(url::Url::parse(&format!("memory:///{name}/")).unwrap(), store, Path::from(name));
    Table::with_log(root.clone(), Arc::new(PathLogStore::new(root)), env)
}

pub fn batch(rows: &[(i64, i64)]) -> arrow::array::RecordBatch {
    let column = |of: fn(&(i64, i64)) -> i64| -> arrow::array::ArrayRef {
        Arc::new(arrow::array::Int64Array::from_iter_values(rows.iter().map(of)))
    };
    arrow::array::RecordBatch::try_from_iter_with_nullable([("id", column(|r| r.0), true), ("n", column(|r| r.1), true)]).unwrap()
}

async fn append(table: &Table, ids: std::ops::Range<i64>) {
    let rows = batch(&ids.map(|id| (id, id * 7919 % 101)).collect::<Vec<_>>());
    table.append(rows.schema(), futures::stream::iter([Ok(rows)]).boxed()).run().await.unwrap();
}

fn sql(text: &str) -> Expr {
    Expr::sql(text).unwrap()
}

/// The newest version of the table `t` of `World::new`.
pub const NEWEST: u64 = 10;
/// The newest of its versions that are a month old; later ones are new.
pub const OLD: u64 = 6;

impl World {
    /// A table `t` with vectors, most of whose history is a month old, beside it a folder `plain` with Parquet files of no table.
    pub async fn new() -> World {
        let (store, clock) = (Arc::new(InMemory::new()), Arc::new(Still::default()));
        let env = Env::system().with_threads(1).with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
        let (mut world, today) = (World::default(), now());
        let table = table_in(Arc::clone(&store) as Arc<dyn ObjectStore>, "t", env);
        clock.0.store(today - 30 * DAY, Ordering::Relaxed);
        let fields = ["id", "n"].map(|name| Field::new(name, DataType::Long, true));
        let create = table.create(Struct { fields: fields.to_vec() }).property("delta.enableDeletionVectors", "true");
        create.property("delta.checkpointInterval", "4").property("delta.logRetentionDuration", "interval 10 days").run().await.unwrap();
        append(&table, 0..10).await;
        append(&table, 10..20).await;
        append(&table, 20..30).await;
        table.delete().filter(col("id").eq(lit(3))).run().await.unwrap();
        table.update().filter(sql("id IN (11, 12)")).set("n", sql("n + 1000")).run().await.unwrap();
        // A file goes whole.
        table.delete().filter(sql("id BETWEEN 20 AND 29")).run().await.unwrap();
        for name in ["orphan.parquet", "_delta_log/.00000000000000000003.json.tmp"] {
            store.put(&Path::from("t").join_all(name), "nothing".into()).await.unwrap();
        }
        world.take(&store, today - 30 * DAY).await;
        clock.0.store(today - 3600, Ordering::Relaxed);
        append(&table, 30..40).await;
        table.delete().filter(sql("id IN (4, 31)")).run().await.unwrap();
        table.update().filter(col("id").eq(lit(12))).set("n", sql("n + 1")).run().await.unwrap();
        append(&table, 40..50).await;
        world.take(&store, today - 3600).await;
        assert_eq!(world.objects.keys().filter(|k| k.ends_with("0010.json")).count(), 1, "{:?}", world.objects.keys());
        let data: Vec<String> = world.objects.keys().filter(|k| k.starts_with("t/part-")).cloned().collect();
        for key in &data {
            let copy = key.replacen("t/", "plain/", 1);
            world.objects.insert(copy.clone(), world.objects[key].clone());
            world.born.insert(copy, today - 30 * DAY);
        }
        world
    }

    /// Remembers what is new in the store as being of this age.
    async fn take(&mut self, store: &InMemory, time: i64) {
        let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
        for object in listed {
            let (key, body) = (object.location.to_string(), store.get(&object.location).await.unwrap().bytes().await.unwrap());
            if self.objects.get(&key).is_none_or(|old| old[..] != body[..]) {
                self.born.insert(key.clone(), time);
                self.objects.insert(key, body.to_vec());
            }
        }
    }

    /// The table of a name.
    pub async fn table(&self, name: &str) -> Table {
        let store = Arc::new(InMemory::new());
        for (key, body) in &self.objects {
            store.put(&Path::parse(key).unwrap(), body.clone().into()).await.unwrap();
        }
        table_in(store, name, Env::system().with_threads(1))
    }

    /// How many objects have each of these in their names.
    pub fn count(&self, parts: &[&str]) -> Vec<usize> {
        parts.iter().map(|part| self.objects.keys().filter(|key| key.contains(part)).count()).collect()
    }
}

trait JoinAll {
    fn join_all(self, name: &str) -> Path;
}

impl JoinAll for Path {
    fn join_all(self, name: &str) -> Path {
        name.split('/').fold(self, |path, part| path.join(part))
    }
}

async fn rows(table: &Table, version: u64) -> lakebed::Result<Rows> {
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;
    let snapshot = table.snapshot_at(At::Version(Version(version))).await?;
    let batches: Vec<_> = snapshot.scan().columns(["id", "n"]).build()?.stream().try_collect().await?;
    let column = |name: &str| -> Vec<i64> { batches.iter().flat_map(|b| b[name].as_primitive::<Int64Type>().values().to_vec()).collect() };
    let mut rows: Rows = column("id").into_iter().zip(column("n")).collect();
    rows.sort_unstable();
    Ok(rows)
}

/// What a reader sees of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The rows of each version, from one on.
    pub rows: BTreeMap<u64, Rows>,
    pub files: usize,
}

impl Seen {
    /// Reads every version from `first` on; `None` when there is no table.
    pub async fn of(table: &Table, first: u64) -> Result<Option<Seen>, String> {
        let newest = match table.snapshot().await {
            Ok(newest) => newest,
            Err(e) if e.code() == Code::TABLE => return Ok(None),
            Err(e) => return Err(format!("the table does not open: {e}")),
        };
        let mut seen = Seen { rows: BTreeMap::new(), files: 0 };
        for version in first.min(newest.version().0)..=newest.version().0 {
            let found = rows(table, version).await.map_err(|e| format!("version {version} cannot be read: {e}"))?;
            seen.rows.insert(version, found);
        }
        let files: Vec<_> = newest.files(FileQuery::default()).try_collect().await.map_err(|e| format!("files: {e}"))?;
        seen.files = files.iter().map(|batch| batch.len()).sum();
        Ok(Some(seen))
    }

    pub fn newest(&self) -> &Rows {
        self.rows.values().next_back().unwrap()
    }
}
