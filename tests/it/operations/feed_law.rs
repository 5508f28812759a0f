//! The law of the change feed: rows of a version = rows of the one before + what came − what went, as multisets, over random histories.

use super::*;
use crate::support::digest::Rows;
use crate::support::random::{Random, seeds};
use futures::TryStreamExt;
use lakebed::{At, Expr, SaveMode, Version, WriteOptions};
use std::collections::BTreeMap;

const ALL: usize = 1 << 20;
const COLUMNS: [&str; 4] = ["id", "k", "s", "p"];

/// How often each row is there.
type Bag = BTreeMap<String, i64>;

fn rows(first: i64, many: u64, k: Option<i64>, p: Option<&'static str>, random: &mut Random) -> RecordBatch {
    let ids = Int64Array::from_iter_values(first..first + many as i64);
    let ks = Int64Array::from_iter((0..many).map(|_| k.or_else(|| Some(random.below(5) as i64).filter(|k| *k > 0))));
    let texts = StringArray::from_iter((0..many).map(|_| Some(format!("s{}", random.below(3))).filter(|t| t != "s0")));
    let ps = StringArray::from_iter((0..many).map(|_| p.or_else(|| random.pick(&[None, Some("a b/%"), Some("x")]))));
    let columns: [ArrayRef; 4] = [Arc::new(ids), Arc::new(ks), Arc::new(texts), Arc::new(ps)];
    RecordBatch::try_from_iter(COLUMNS.into_iter().zip(columns)).unwrap()
}

fn at(version: u64) -> At {
    At::Version(Version(version))
}

async fn rows_at(table: &Table, version: u64) -> Bag {
    let mut batches = table.snapshot_at(at(version)).await.unwrap().scan().columns(COLUMNS).build().unwrap().stream();
    let mut found = Rows::default();
    while let Some(batch) = batches.try_next().await.unwrap() {
        found.push(&batch);
    }
    let mut bag = Bag::new();
    found.sample(ALL).iter().for_each(|row| *bag.entry(row.clone()).or_default() += 1);
    bag
}

/// The changes of a range: what happened, version, row.
async fn changes_of(table: &Table, from: u64, to: u64) -> Vec<(String, String, String)> {
    let columns = ["_change_type", "_commit_version"].into_iter().chain(COLUMNS);
    let mut batches = table.changes(at(from)).to(at(to)).columns(columns).build().await.unwrap().stream();
    let mut found = Rows::default();
    while let Some(batch) = batches.try_next().await.unwrap() {
        found.push(&batch);
    }
    let split = |row: &String| {
        let (kind, rest) = row[2..].split_once("\",").unwrap();
        let (version, row) = rest.split_once(',').unwrap();
        (kind.to_owned(), version.to_owned(), format!("[{row}"))
    };
    found.sample(ALL).iter().map(split).collect()
}

/// `before` with changes applied; rows of which nothing is left are left out.
fn applied(mut before: Bag, changes: &[(String, String, String)]) -> Bag {
    for (kind, _, row) in changes {
        *before.entry(row.clone()).or_default() += match kind.as_str() {
            "insert" | "update_postimage" => 1,
            "delete" | "update_preimage" => -1,
            other => panic!("a change of kind {other}"),
        };
    }
    before.retain(|_, n| *n != 0);
    before
}

fn id(row: &str) -> &str {
    row[1..].split(',').next().unwrap()
}

struct History {
    place: Place,
    random: Random,
    next: i64,
    log: Vec<String>,
}

impl History {
    async fn new(seed: u64) -> History {
        let mut random = Random::new(seed);
        let place = place();
        let types = [DataType::Long, DataType::Long, DataType::String, DataType::String];
        let schema = Struct { fields: COLUMNS.into_iter().zip(types).map(|(name, t)| Field::new(name, t, true)).collect() };
        let mut create =
            place.table.create(schema).property("delta.enableChangeDataFeed", "true").property("delta.checkpointInterval", "3");
        let mut log = Vec::new();
        if random.below(2) == 0 {
            create = create.property("delta.enableDeletionVectors", "true");
            log.push("vectors".to_owned());
        }
        if random.below(2) == 0 {
            create = create.partition_by(["p"]);
            log.push("partitioned".to_owned());
        }
        if let Some(mode) = random.pick(&[None, Some("name"), Some("id")]) {
            create = create.property("delta.columnMapping.mode", mode);
            log.push(format!("mapped by {mode}"));
        }
        create.run().await.unwrap();
        History { place, random, next: 0, log }
    }
    fn new_rows(&mut self, k: Option<i64>, p: Option<&'static str>) -> Append {
        let many = 1 + self.random.below(6);
        let batch = rows(self.next, many, k, p, &mut self.random);
        self.next += many as i64;
        append(&self.place.table, vec![batch]).write_options(WriteOptions { target_file_size: Some(4096), ..WriteOptions::default() })
    }
    fn predicate(&mut self) -> String {
        let n = self.random.below(self.next.max(1) as u64 + 1);
        match self.random.below(6) {
            0 => format!("id = {n}"),
            1 => format!("id % 3 = {}", n % 3),
            2 => format!("k > {}", n % 5),
            3 => "p = 'x'".to_owned(),
            4 => format!("p IS NULL OR id < {}", n / 2),
            _ => "s = 's1' AND k IS NOT NULL".to_owned(),
        }
    }
    async fn step(&mut self) {
        let predicate = self.predicate();
        let condition = || Expr::sql(&predicate).unwrap();
        let (what, done) = match self.random.below(9) {
            0..=2 => ("append".to_owned(), self.new_rows(None, None).run().await),
            3 if self.random.below(3) == 0 => ("overwrite".to_owned(), self.new_rows(None, None).mode(SaveMode::Overwrite).run().await),
            3 => ("dynamic".to_owned(), self.new_rows(None, Some("x")).mode(SaveMode::Overwrite).dynamic_partitions().run().await),
            4 if self.random.below(2) == 0 => {
                let replaced = self.new_rows(None, Some("x")).replace_where(Expr::sql("p = 'x'").unwrap());
                ("replace p = 'x'".to_owned(), replaced.run().await)
            }
            4 => ("replace k = 2".to_owned(), self.new_rows(Some(2), None).replace_where(Expr::sql("k = 2").unwrap()).run().await),
            5 | 6 => (format!("delete {predicate}"), self.place.table.delete().filter(condition()).run().await),
            _ => {
                let update = self.place.table.update().set("k", Expr::sql("coalesce(k, 0) + 1").unwrap());
                let update = if self.random.below(2) == 0 { update.set("p", Expr::sql("'y'").unwrap()) } else { update };
                (format!("update {predicate}"), update.filter(condition()).run().await)
            }
        };
        self.log.push(what);
        done.unwrap_or_else(|e| panic!("{:?}: {e:?}", self.log));
    }
    async fn check(&mut self) {
        let table = &self.place.table;
        let latest = table.snapshot().await.unwrap().version().0;
        let mut bags = Vec::new();
        for version in 0..=latest {
            bags.push(rows_at(table, version).await);
        }
        for version in 1..=latest {
            let changes = changes_of(table, version, version).await;
            let expected = &bags[version as usize];
            let found = applied(bags[version as usize - 1].clone(), &changes);
            assert_eq!(&found, expected, "{:?}, version {version}: {changes:?}", self.log);
            let images = |kind: &str| {
                let mut ids: Vec<&str> = changes.iter().filter(|(k, ..)| k == kind).map(|(.., row)| id(row)).collect();
                ids.sort_unstable();
                ids
            };
            assert_eq!(images("update_preimage"), images("update_postimage"), "{:?}, version {version}", self.log);
        }
        for _ in 0..3 {
            let from = 1 + self.random.below(latest.max(1));
            let to = from + self.random.below(latest - from.min(latest) + 1);
            let changes = changes_of(table, from, to).await;
            assert_eq!(applied(bags[from as usize - 1].clone(), &changes), bags[to as usize], "{:?}, {from} to {to}", self.log);
            assert!(changes.iter().all(|(_, v, _)| (from..=to).contains(&v.parse().unwrap())));
        }
    }
}

// spec: CDF-5, CDF-6, CDF-17, CDF-18
#[tokio::test]
async fn rows_of_a_version_are_those_of_the_one_before_with_its_changes() {
    let mut kinds = std::collections::BTreeSet::new();
    for seed in seeds(40) {
        let mut history = History::new(seed).await;
        for _ in 0..9 {
            history.step().await;
        }
        println!("seed {seed}: {:?}", history.log);
        history.check().await;
        kinds.extend(history.log.iter().map(|step| step.split(' ').next().unwrap().to_owned()));
    }
    if std::env::var_os("LAKEBED_SEED").is_none() {
        assert!(kinds.len() >= 9, "{kinds:?}");
    }
}
