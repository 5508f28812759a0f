//! Random histories of all commands together, some of which die in the middle: no object that a retained version or a copy needs is ever
//! missing, every version has its rows, and after a clean vacuum nothing is left that is older than the retention and not needed.

mod ops;

use crate::support::mortal::Disk;
use crate::support::random::{Random, seeds};
use crate::support::vectors::hex_of;
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use futures::TryStreamExt;
use lakebed::{At, Code, DataType, Error, Field, FileQuery, Severity, Struct, Table, Version, column_path};
use ops::{Op, Tables};
use std::collections::{BTreeMap, BTreeSet};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// Of files and of the log.
const RETENTION: i64 = 7 * DAY;

type Rows = BTreeMap<i64, i64>;
type Verdict<T = ()> = Result<T, String>;

/// A table and what must be true of it.
struct History {
    disk: Disk,
    is_clustered: bool,
    has_feed: bool,
    /// What each version holds, and when it was made.
    rows: BTreeMap<u64, Rows>,
    times: BTreeMap<u64, i64>,
    /// What the copies hold, once they are there.
    deep: Option<Rows>,
    shallow: Option<BTreeSet<String>>,
    died: usize,
}

async fn rows_of(table: &Table, at: At) -> lakebed::Result<Rows> {
    let snapshot = table.snapshot_at(at).await?;
    let batches: Vec<_> = snapshot.scan().columns(["id", "n"]).build()?.stream().try_collect().await?;
    let mut rows = Rows::new();
    for batch in &batches {
        let [id, n] = ["id", "n"].map(|name| batch[name].as_primitive::<Int64Type>().values().to_vec());
        for (id, n) in id.into_iter().zip(n) {
            assert_eq!(rows.insert(id, n), None, "{at:?} has the key {id} twice");
        }
    }
    Ok(rows)
}

/// What a version names: data files by path, vectors by the hexadecimal digits in the names of their files.
async fn named(table: &Table, at: At) -> lakebed::Result<BTreeSet<String>> {
    let batches: Vec<_> = table.snapshot_at(at).await?.files(FileQuery::default().full()).try_collect().await?;
    let mut names = BTreeSet::new();
    for (batch, row) in batches.iter().flat_map(|batch| (0..batch.len()).map(move |row| (batch, row))) {
        names.insert(batch.path(row).trim_start_matches("memory:///t/").to_owned());
        names.extend(batch.vector(row).and_then(|vector| match vector.storage_type.as_str() {
            "u" => Some(hex_of(&vector.path_or_inline_dv)),
            "p" => Some(vector.path_or_inline_dv.trim_start_matches("memory:///t/").to_owned()),
            _ => None,
        }));
    }
    Ok(names)
}

/// Whether an object is one of those that are named.
fn is_named(object: &str, named: &BTreeSet<String>) -> bool {
    let bare = object.strip_suffix(".bin").map(|name| name.replace('-', ""));
    named.contains(object) || bare.is_some_and(|bare| named.iter().any(|id| bare.ends_with(id)))
}

impl History {
    async fn new(random: &mut Random) -> History {
        let disk = Disk::new(1_800_000_000_000);
        let (is_clustered, has_feed) = (random.below(4) == 0, random.below(4) == 0);
        let fields = ["id", "n"].map(|name| Field::new(name, DataType::Long, true));
        let (_, table) = disk.process("t", None);
        let mut create = table.create(Struct { fields: fields.to_vec() });
        if is_clustered {
            create = create.cluster_by([column_path("n").unwrap()]);
        }
        for (key, values) in [
            ("delta.checkpointInterval", &["5", "3", "10"][..]),
            ("delta.logRetentionDuration", &["interval 7 days"]),
            ("delta.enableDeletionVectors", &["true", "true", "false"]),
            ("delta.checkpointPolicy", &["classic", "v2"]),
            ("delta.enableRowTracking", &["false", "false", "true"]),
            ("delta.enableInCommitTimestamps", &["false", "true"]),
        ] {
            create = create.property(key, random.pick(values));
        }
        create.property("delta.enableChangeDataFeed", if has_feed { "true" } else { "false" }).run().await.unwrap();
        let times = [(0, disk.clock.millis())].into();
        History { disk, is_clustered, has_feed, rows: [(0, Rows::new())].into(), times, deep: None, shallow: None, died: 0 }
    }

    fn newest(&self) -> u64 {
        *self.rows.keys().next_back().unwrap()
    }

    /// Whether a version was the newest at some time within the retention.
    fn retains(&self, version: u64) -> bool {
        let until = self.times.get(&(version + 1)).copied().unwrap_or(i64::MAX);
        until > self.disk.clock.millis() - RETENTION
    }

    fn retained(&self) -> Vec<u64> {
        self.rows.keys().copied().filter(|version| self.retains(*version)).collect()
    }

    /// Does it, perhaps in a process that dies, and looks at what is there.
    async fn step(&mut self, op: Op, dies: Option<u64>) -> Verdict {
        let (process, table) = self.disk.process("t", dies);
        let copy = |name| process.table(name);
        let tables = Tables {
            table,
            deep: copy("deep"),
            shallow: copy("shallow"),
            is_clustered: self.is_clustered,
            has_shallow: self.shallow.is_some(),
        };
        let ended = process.live(op.run(&tables)).await;
        self.died += usize::from(ended.is_none());
        let after = op.apply(&self.rows);
        let (_, table) = self.disk.process("t", None);
        self.take_new_versions(&table, &after).await?;
        match &ended {
            Some(Ok(())) if self.rows[&self.newest()] != after => {
                return Err(format!("the table has the rows {:?}, not {after:?}", self.rows[&self.newest()]));
            }
            Some(Ok(())) if matches!(op, Op::Vacuum) => self.check_nothing_old(&table).await?,
            Some(Err(e)) if !self.permits(op, e) => return Err(e.to_string()),
            _ => {}
        }
        self.check_retained(&table).await?;
        self.check_copies(op, matches!(ended, Some(Ok(())))).await?;
        let found = table.doctor().run().await.map_err(|e| format!("the doctor: {e}"))?;
        let damage = found.iter().find(|finding| finding.severity != Severity::Info);
        damage.map_or(Ok(()), |damage| Err(format!("damage: {damage:?}")))
    }

    /// New versions have the rows of before or after.
    async fn take_new_versions(&mut self, table: &Table, after: &Rows) -> Verdict {
        let before = self.rows[&self.newest()].clone();
        let newest = table.snapshot().await.map_err(|e| format!("the table does not open: {e}"))?.version().0;
        for version in self.newest() + 1..=newest {
            let found = rows_of(table, At::Version(Version(version))).await.map_err(|e| format!("new version {version}: {e}"))?;
            if found != before && found != *after {
                return Err(format!("version {version} has the rows {found:?}, neither {before:?} nor {after:?}"));
            }
            self.rows.insert(version, found);
            self.times.insert(version, self.disk.clock.millis());
        }
        Ok(())
    }

    async fn check_retained(&self, table: &Table) -> Verdict {
        for version in self.retained() {
            let at = At::Version(Version(version));
            let found = rows_of(table, at).await.map_err(|e| format!("retained version {version}: {e}"))?;
            if found != self.rows[&version] {
                return Err(format!("retained version {version} has the rows {found:?}, not {:?}", self.rows[&version]));
            }
            if self.has_feed && self.times[&version] > self.disk.clock.millis() - RETENTION {
                let changes = async { table.changes(at).to(at).build().await?.stream().try_collect::<Vec<_>>().await };
                changes.await.map_err(|e| format!("the changes of version {version}: {e}"))?;
            }
        }
        Ok(())
    }

    /// A deep copy has the rows of the last time, a shallow one its files.
    async fn check_copies(&mut self, op: Op, done: bool) -> Verdict {
        let (process, _) = self.disk.process("t", None);
        let (mine, at) = (&self.rows[&self.newest()], At::Latest);
        match rows_of(&process.table("deep"), at).await {
            Ok(found) if op == Op::DeepCopy && found == *mine => self.deep = Some(found),
            Ok(found) if Some(&found) == self.deep.as_ref() && !(done && op == Op::DeepCopy) => {}
            Err(e) if e.code() == Code::TABLE && self.deep.is_none() && !(done && op == Op::DeepCopy) => {}
            found => return Err(format!("the deep copy has the rows {found:?}, not {mine:?} or {:?}", self.deep)),
        }
        match named(&process.table("shallow"), at).await {
            Ok(found) if self.shallow.is_none() && op == Op::ShallowCopy => self.shallow = Some(found),
            Ok(found) if Some(&found) == self.shallow.as_ref() => {}
            Err(e) if e.code() == Code::TABLE && self.shallow.is_none() && !(done && op == Op::ShallowCopy) => {}
            found => return Err(format!("the shallow copy names {found:?}, not {:?}", self.shallow)),
        }
        let objects = self.objects().await;
        let gone = self.shallow.iter().flatten().find(|name| !objects.contains(*name));
        gone.map_or(Ok(()), |name| Err(format!("the shallow copy has lost {name}")))
    }

    /// The objects of the table, without its log and what was put aside.
    async fn objects(&self) -> BTreeSet<String> {
        let names = self.disk.names().await;
        let own = names.iter().filter_map(|name| name.strip_prefix("t/"));
        own.filter(|name| !name.starts_with("_delta_log/") && !name.starts_with("_quarantine/")).map(str::to_owned).collect()
    }

    /// No object is older than the retention, but those that a retained version or a copy needs.
    async fn check_nothing_old(&self, table: &Table) -> Verdict {
        let mut needed = self.shallow.clone().unwrap_or_default();
        for version in self.retained() {
            needed.extend(named(table, At::Version(Version(version))).await.map_err(|e| e.to_string())?);
        }
        let before = self.disk.clock.millis() - RETENTION;
        let old = self.objects().await.into_iter().find(|name| self.disk.born(&format!("t/{name}")) < before && !is_named(name, &needed));
        old.map_or(Ok(()), |name| Err(format!("a vacuum has left {name}")))
    }

    /// Whether it may refuse: what it needs is older than the retention, or it was done before.
    fn permits(&self, op: Op, e: &Error) -> bool {
        match op {
            Op::VacuumLite => e.code() == Code::VERSION,
            Op::Restore(version) => [Code::VERSION, Code::FILE].contains(&e.code()) && !self.retains(version),
            Op::ShallowCopy => e.code() == Code::TABLE_EXISTS && self.shallow.is_some(),
            _ => false,
        }
    }

    /// Long after, one vacuum leaves what the newest version needs, and one clean-up of the log what a checkpoint does not stand for.
    async fn end(&mut self) -> Verdict {
        self.disk.clock.forward(30 * DAY);
        self.step(Op::Vacuum, None).await?;
        let (_, table) = self.disk.process("t", None);
        let mut needed = named(&table, At::Latest).await.map_err(|e| e.to_string())?;
        let objects = self.objects().await;
        let vectors = objects.iter().filter(|name| name.ends_with(".bin") && is_named(name, &needed)).count();
        if needed.iter().filter(|name| !objects.contains(*name)).count() != vectors {
            return Err(format!("after a vacuum there are {objects:?}, and not all of {needed:?}"));
        }
        needed.extend(self.shallow.iter().flatten().cloned());
        if let Some(name) = objects.iter().find(|name| !is_named(name, &needed)) {
            return Err(format!("after a vacuum there is {name} where {needed:?} are needed"));
        }
        self.step(Op::Checkpoint, None).await?;
        self.disk.clock.forward(10 * DAY);
        self.step(Op::CleanLog, None).await?;
        let needed = format!("t/_delta_log/{:020}", self.newest());
        let old: Vec<String> =
            self.disk.names().await.into_iter().filter(|name| name.starts_with("t/_delta_log/0") && *name < needed).collect();
        if old.is_empty() { Ok(()) } else { Err(format!("after a clean-up of the log there are {old:?}")) }
    }
}

// spec: OPS-41
#[tokio::test]
async fn after_any_mix_of_commands_every_retained_version_reads_and_one_vacuum_leaves_nothing_old() {
    let many = if std::env::var_os("LAKEBED_TEST_FULL").is_some() { 60 } else { 6 };
    let (mut died, mut ran) = (0, BTreeMap::new());
    println!("seeds {:?}", seeds(many));
    for seed in seeds(many) {
        let mut random = Random::new(seed);
        let mut history = History::new(&mut random).await;
        let mut told = Vec::new();
        for turn in 0..20 {
            history.disk.clock.forward(1 + random.below(36 * HOUR as u64) as i64);
            let op = if turn == 0 { Op::Append(0) } else { Op::draw(&mut random, 12 * turn, history.newest()) };
            let dies = (random.below(4) == 0).then(|| 1 + random.below(30));
            told.push((op, dies));
            *ran.entry(format!("{op:?}").split('(').next().unwrap().to_owned()).or_insert(0) += 1;
            if random.below(6) == 0 {
                history.disk.put(&format!("t/part-of-nobody-{turn}.parquet"), "nothing").await;
            }
            history.step(op, dies).await.unwrap_or_else(|what| panic!("LAKEBED_SEED={seed}: {told:?}: {what}"));
        }
        history.end().await.unwrap_or_else(|what| panic!("LAKEBED_SEED={seed}: {told:?}, at the end: {what}"));
        died += history.died;
    }
    println!("{died} processes died; commands: {ran:?}");
    assert!(died > 0);
}
