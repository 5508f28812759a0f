//! A store at rest, and what a reader sees of its tables.

use super::tables::all;
use crate::support::mortal::Disk;
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use futures::TryStreamExt;
use lakebed::{At, Code, Env, FileQuery, Severity, Table, Version};
use std::collections::{BTreeMap, BTreeSet};

/// Keys and values, sorted.
pub type Rows = Vec<(i64, i64)>;

/// A store at rest: what is there, and since when (seconds). Tables lie under their names.
#[derive(Clone, Default)]
pub struct World {
    pub objects: BTreeMap<String, Vec<u8>>,
    pub born: BTreeMap<String, i64>,
}

pub fn now() -> i64 {
    Env::system().now().millis() / 1000
}

impl World {
    pub async fn new() -> World {
        all().await
    }

    /// Only these tables.
    pub fn of(&self, names: &[&str]) -> World {
        let one = |key: &String| names.iter().any(|name| key.strip_prefix(name).is_some_and(|rest| rest.starts_with('/')));
        let objects = self.objects.iter().filter(|(key, _)| one(key)).map(|(key, body)| (key.clone(), body.clone())).collect();
        let born = self.born.iter().filter(|(key, _)| one(key)).map(|(key, time)| (key.clone(), *time)).collect();
        World { objects, born }
    }

    /// What lies in a store in memory.
    pub async fn of_disk(disk: &Disk) -> World {
        let mut world = World::default();
        for name in disk.names().await {
            world.put(&name, disk.get(&name).await, disk.born(&name) / 1000);
        }
        world
    }

    pub fn put(&mut self, key: &str, body: impl Into<Vec<u8>>, born: i64) {
        self.objects.insert(key.to_owned(), body.into());
        self.born.insert(key.to_owned(), born);
    }

    /// Copies all objects whose names begin so to names that begin otherwise.
    pub fn copy(&mut self, from: &str, to: &str) {
        let found: Vec<(String, Vec<u8>)> =
            self.objects.iter().filter_map(|(key, body)| Some((key.strip_prefix(from)?.to_owned(), body.clone()))).collect();
        for (rest, body) in found {
            self.put(&format!("{to}{rest}"), body, self.born[&format!("{from}{rest}")]);
        }
    }

    /// The table of a name. A shallow copy is read as if the files that it names were its own.
    pub async fn table(&self, name: &str) -> Table {
        let disk = Disk::new(0);
        let mut shown = self.of(&[name]);
        let flat: Vec<_> = shown.objects.iter().filter_map(|(key, body)| Some((key.clone(), flattened(body, name)?))).collect();
        if !flat.is_empty() {
            let mut source = self.of(&["t"]);
            source.objects.retain(|key, _| !key.contains("_delta_log"));
            source.copy("t/", &format!("{name}/"));
            shown.objects.extend(source.objects);
            shown.born.extend(source.born);
            shown.objects.extend(flat);
        }
        for (key, body) in shown.objects {
            disk.clock.set(shown.born[&key] * 1000);
            disk.put(&key, body).await;
        }
        disk.clock.set(now() * 1000);
        disk.process(name, None).1
    }

    /// How many objects have each of these in their names.
    pub fn count(&self, parts: &[&str]) -> Vec<usize> {
        parts.iter().map(|part| self.objects.keys().filter(|key| key.contains(part)).count()).collect()
    }
}

/// A commit that names files of the table `t` by its place in a run, with names of this table instead.
fn flattened(body: &[u8], name: &str) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    let (first, rest) = text.split_once("\"s3://lake/run")?;
    let own = |part: &str| format!("\"memory:///{name}/{}", part.split_once("/t/").expect("a file of t").1);
    Some(std::iter::once(first.to_owned()).chain(rest.split("\"s3://lake/run").map(own)).collect::<String>().into_bytes())
}

async fn rows(table: &Table, version: u64) -> lakebed::Result<Rows> {
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
    /// What the doctor finds, but for bytes that are wasted.
    pub damage: BTreeSet<String>,
}

impl Seen {
    /// Reads every version from `first` on; `None` when there is no table.
    pub async fn of(table: &Table, first: u64) -> Result<Option<Seen>, String> {
        let newest = match table.snapshot().await {
            Ok(newest) => newest,
            Err(e) if e.code() == Code::TABLE => return Ok(None),
            Err(e) => return Err(format!("the table does not open: {e}")),
        };
        let mut seen = Seen { rows: BTreeMap::new(), files: 0, damage: BTreeSet::new() };
        for version in first.min(newest.version().0)..=newest.version().0 {
            let found = rows(table, version).await.map_err(|e| format!("version {version} cannot be read: {e}"))?;
            seen.rows.insert(version, found);
        }
        let files: Vec<_> = newest.files(FileQuery::default()).try_collect().await.map_err(|e| format!("files: {e}"))?;
        seen.files = files.iter().map(|batch| batch.len()).sum();
        let found = table.doctor().run().await.map_err(|e| format!("the doctor: {e}"))?;
        let damage = found.iter().filter(|finding| finding.severity != Severity::Info);
        seen.damage = damage.map(|finding| format!("{} {}: {}", finding.code, finding.object, finding.message)).collect();
        Ok(Some(seen))
    }

    pub fn newest(&self) -> &Rows {
        self.rows.values().next_back().unwrap()
    }
}
