//! Rows that change in place: several actors append, delete, update, merge and overwrite rows of one table on one faulty store, with real
//! files. Each version must hold exactly the rows that its commits, in the order of the log, make of the table: nothing is lost, counted
//! twice or brought back. Money only moves, a counter counts every commit that says so, and no key comes twice; where the table records
//! changes they lead from version to version, and where it tracks rows each keeps its id.

use super::actors::{Actor, Stage, Way, on_a_clock_of_its_own};
use super::deeds::{ACCOUNTS, FIRST, Op, Rows, put};
use super::store::Counts;
use super::told::{Told, every_seed};
use crate::error::{Code, Error, Result};
use crate::expr::{col, lit};
use crate::features::HiddenColumn;
use crate::log::Version;
use crate::schema::{DataType, Field as Column, Struct};
use crate::snapshot::{At, Snapshot};
use crate::table::Table;
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use futures::TryStreamExt;
use futures::future::join_all;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const ACTORS: usize = 4;
const OPS: i64 = 3;

/// What the table keeps beside its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Files with such rows are written again.
    Rewrites,
    Vectors,
    /// Deletion vectors and a change feed.
    Feed,
    /// Deletion vectors and ids of rows.
    Ids,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::Rewrites, Kind::Vectors, Kind::Feed, Kind::Ids];

    fn properties(self) -> &'static [(&'static str, &'static str)] {
        const VECTORS: (&str, &str) = ("delta.enableDeletionVectors", "true");
        match self {
            Kind::Rewrites => &[("delta.checkpointInterval", "4")],
            Kind::Vectors => &[VECTORS, ("delta.checkpointInterval", "4")],
            Kind::Feed => &[VECTORS, ("delta.enableChangeDataFeed", "true")],
            Kind::Ids => &[VECTORS, ("delta.enableRowTracking", "true")],
        }
    }
}

#[derive(Clone, Debug)]
struct Done {
    name: String,
    op: Op,
    told: Told,
}

fn longs(batches: &[RecordBatch], column: &str) -> Vec<i64> {
    batches.iter().flat_map(|b| b[column].as_primitive::<Int64Type>().values().to_vec()).collect()
}

/// Key, value and, of a table that has them, the id of each row.
async fn rows_of(snapshot: &Arc<Snapshot>, kind: Kind) -> Result<Vec<(i64, i64, Option<i64>)>> {
    let ids: &[HiddenColumn] = if kind == Kind::Ids { &[HiddenColumn::RowId] } else { &[] };
    let scan = snapshot.scan().hidden(ids.iter().copied()).build()?;
    let id = scan.schema().fields().get(2).map(|f| f.name().clone());
    let batches: Vec<_> = scan.stream().try_collect().await?;
    let ids: Vec<Option<i64>> = match id {
        Some(name) => longs(&batches, &name).into_iter().map(Some).collect(),
        None => vec![None; batches.iter().map(RecordBatch::num_rows).sum()],
    };
    let mut rows: Vec<_> = longs(&batches, "id").into_iter().zip(longs(&batches, "n")).zip(ids).map(|((k, n), id)| (k, n, id)).collect();
    rows.sort_unstable();
    Ok(rows)
}

/// What the feed makes of the rows of the version before.
async fn fed(table: &Table, version: Version, before: &[(i64, i64)]) -> Result<Vec<(i64, i64)>> {
    let feed = table.changes(At::Version(version)).to(At::Version(version)).build().await?;
    let batches: Vec<_> = feed.stream().try_collect().await?;
    let mut rows = before.to_vec();
    let (mut came, mut gone) = (Vec::new(), Vec::new());
    let kinds = batches.iter().flat_map(|b| b["_change_type"].as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>());
    for ((id, n), kind) in longs(&batches, "id").into_iter().zip(longs(&batches, "n")).zip(kinds) {
        if matches!(kind.as_str(), "insert" | "update_postimage") { came.push((id, n)) } else { gone.push((id, n)) }
    }
    for row in gone {
        match rows.iter().position(|r| *r == row) {
            Some(at) => _ = rows.remove(at),
            None => return Err(Error::new(Code::INTERNAL, format!("{row:?} is said to be gone and was not there"))),
        }
    }
    rows.extend(came);
    rows.sort_unstable();
    Ok(rows)
}

/// A table that holds these rows in one file, made while nothing goes wrong.
async fn made(stage: &Stage, kind: Kind, rows: &[(i64, i64)]) -> Result<Table> {
    let faults = stage.fate.calm();
    let table = stage.actor(100).table;
    let column = |name: &str| Column { name: name.to_owned(), data_type: DataType::Long, nullable: true, metadata: Default::default() };
    let schema = Struct { fields: vec![column("id"), column("n")] };
    let create = table.create(schema);
    kind.properties().iter().fold(create, |create, (key, value)| create.property(key, value)).run().await?;
    put(&table, rows, "first").await?;
    stage.fate.turn(faults);
    Ok(table)
}

async fn act(actor: Actor, number: i64, done: &Mutex<Vec<Done>>) {
    let fate = Arc::clone(&actor.stage.fate);
    for turn in 0..OPS {
        actor.idle().await;
        let op = fate.throw(|d| Op::draw(d, 100 + number * 10 + turn));
        let name = format!("{number}.{turn}");
        let crash = fate.throw(|d| d.chance(10).then(|| Duration::from_millis(d.below(400))));
        let ended = match crash {
            None => Ok(op.run(&actor.table, &name).await),
            Some(after) => tokio::time::timeout(after, op.run(&actor.table, &name)).await,
        };
        let told = match ended {
            Err(_) => Told::NotKnown,
            Ok(Ok(report)) => report.version.map_or(Told::Nothing, Told::Landed),
            Ok(Err(e)) if e.code() == Code::COMMIT_UNKNOWN => Told::NotKnown,
            Ok(Err(e)) => {
                fate.note(e.to_string());
                Told::Failed
            }
        };
        fate.note(format!("{name} {op:?} -> {told:?}"));
        let kind = |text: String| text.split(['(', ' ']).next().unwrap_or_default().to_owned();
        fate.count(format!("{} {}", kind(format!("{op:?}")), kind(format!("{told:?}"))));
        done.lock().unwrap().push(Done { name, op, told });
    }
}

async fn scene(seed: u64) -> (Vec<String>, Counts, Result<(), String>) {
    let stage = Stage::new(Way::Whole, seed, None);
    let kind = Kind::ALL[stage.fate.throw(|d| d.below(4)) as usize];
    stage.fate.count(format!("{kind:?}"));
    let table = made(&stage, kind, &FIRST).await.expect("a table");
    let done = Mutex::default();
    join_all((0..ACTORS).map(|n| act(stage.actor(n), n as i64, &done))).await;
    stage.settle().await;
    let done = done.into_inner().unwrap();
    let verdict = judge(&stage, (&table, kind), &done).await;
    (stage.fate.trace(), stage.fate.counts(), verdict)
}

async fn judge(stage: &Stage, (table, kind): (&Table, Kind), done: &[Done]) -> Result<(), String> {
    let mut landed: BTreeMap<&str, Vec<Version>> = BTreeMap::new();
    let mut model: Rows = FIRST.into();
    let mut ids: BTreeMap<i64, i64> = BTreeMap::new();
    let mut counted = 0;
    let failed = |e: Error| format!("a version cannot be read: {e}");
    for (version, body) in stage.commits().await.into_iter().skip(2) {
        let first: serde_json::Value = serde_json::Deserializer::from_slice(&body).into_iter().next().ok_or("an empty commit")?.unwrap();
        let info = &first["commitInfo"];
        if info["leftBehind"].is_array() {
            stage.fate.count("left behind");
        }
        if info["readVersion"].as_u64().is_some_and(|read| read + 1 < version.0) && info["isBlindAppend"] == false {
            stage.fate.count("rows changed past a winner");
        }
        let name = info["userMetadata"].as_str().ok_or("a commit of nobody")?;
        let Done { name, op, .. } = done.iter().find(|d| d.name == name).ok_or("a commit of nobody")?;
        landed.entry(name).or_default().push(version);
        let before: Vec<(i64, i64)> = model.iter().map(|(id, n)| (*id, *n)).collect();
        op.apply(&mut model)?;
        counted += i64::from(*op == Op::Count);
        let found = rows_of(&table.snapshot_at(At::Version(version)).await.map_err(failed)?, kind).await.map_err(failed)?;
        let there: Vec<(i64, i64)> = found.iter().map(|(key, n, _)| (*key, *n)).collect();
        let wanted: Vec<(i64, i64)> = model.iter().map(|(id, n)| (*id, *n)).collect();
        if there != wanted {
            return Err(format!("version {version} ({op:?}) has the rows {there:?}, not {wanted:?}"));
        }
        let money: i64 = there.iter().filter(|(id, _)| ACCOUNTS.contains(id)).map(|(_, n)| n).sum();
        if money != 400 || there.first() != Some(&(0, counted)) {
            return Err(format!("version {version} holds {money}, and {:?} after {counted} counts", there.first()));
        }
        if kind == Kind::Feed {
            let fed = fed(table, version, &before).await.map_err(failed)?;
            if fed != there {
                return Err(format!("the feed of version {version} ({op:?}) leads to {fed:?}, not {there:?}"));
            }
        }
        if kind == Kind::Ids {
            let now: BTreeMap<i64, i64> = found.iter().filter_map(|(key, _, id)| Some((*key, (*id)?))).collect();
            let distinct: std::collections::BTreeSet<_> = now.values().collect();
            let changed = now.iter().find(|(key, id)| ids.get(*key).is_some_and(|old| old != *id) && !op.makes_rows_anew(**key));
            if distinct.len() != there.len() || changed.is_some() {
                return Err(format!("version {version} ({op:?}) has the row ids {now:?} after {ids:?}"));
            }
            ids = now;
        }
    }
    for Done { name, op, told } in done {
        let at = landed.get(name.as_str()).map_or(&[][..], Vec::as_slice);
        if !told.holds(at) {
            return Err(format!("{name} {op:?} was told {told:?} and is in the log at {at:?}"));
        }
    }
    Ok(())
}

// spec: CON-6, COM-16, MRG-15
#[test]
fn every_seed_of_rows_that_change_in_place_gives_each_version_exactly_its_rows() {
    let ops = ["Put", "Delete", "Transfer", "Count", "Raise", "Upsert", "Sync", "Replace"].map(|op| format!("{op} Landed"));
    let kinds = Kind::ALL.map(|kind| format!("{kind:?}"));
    let mut wanted: Vec<&str> = ops.iter().chain(&kinds).map(String::as_str).collect();
    wanted.push("rows changed past a winner");
    every_seed(scene, &wanted);
}

// spec: CON-6, COM-10
#[test]
fn sixteen_deletes_of_one_row_each_on_one_file_all_land_within_three_tries_at_the_median() {
    for seed in 0..5 {
        let tries = on_a_clock_of_its_own(async {
            let stage = Stage::new(Way::Whole, seed, None);
            stage.fate.relent();
            let table = made(&stage, Kind::Vectors, &(0..20).map(|id| (id, id)).collect::<Vec<_>>()).await.unwrap();
            let base = table.snapshot().await.unwrap();
            let delete = |id: i64| {
                let writer = stage.actor(id as usize).table;
                async move { writer.delete().filter(col("id").eq(lit(id))).run().await.unwrap().attempts }
            };
            let mut tries = join_all((0..16).map(delete)).await;
            let after = base.refresh().await.unwrap();
            assert_eq!(after.version(), Version(base.version().0 + 16));
            assert_eq!(rows_of(&after, Kind::Vectors).await.unwrap(), [16, 17, 18, 19].map(|k| (k, k, None)));
            tries.sort_unstable();
            tries
        });
        println!("seed {seed}: {tries:?}");
        assert!(tries[8] <= 3, "seed {seed}: {tries:?}");
    }
}
