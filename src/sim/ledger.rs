//! Rows that change in place: several actors append, delete and update rows of a table with deletion vectors on one faulty store, with real
//! files. Each version must hold exactly the rows that its commits, in the order of the log, make of the table: nothing is lost, counted
//! twice or brought back. Money only moves, a counter counts every commit that says so, and no key comes twice.

use super::actors::{Actor, Stage, Way, on_a_clock_of_its_own};
use super::store::{Counts, Dice};
use super::told::{Told, every_seed};
use crate::error::{Code, Error, Result};
use crate::expr::{Expr, col, lit};
use crate::log::Version;
use crate::operations::Report;
use crate::schema::{DataType, Field as Column, Struct};
use crate::snapshot::{At, Snapshot};
use crate::table::Table;
use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType as ArrowType, Field, Int64Type, Schema};
use futures::future::join_all;
use futures::{StreamExt, TryStreamExt};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const ACTORS: usize = 4;
const OPS: i64 = 3;
/// The counter is row 0, the accounts are these, all else are things that come and go.
const ACCOUNTS: std::ops::Range<i64> = 1..5;
const FIRST: [(i64, i64); 8] = [(0, 0), (1, 100), (2, 100), (3, 100), (4, 100), (10, 1), (11, 2), (12, 3)];

type Rows = BTreeMap<i64, i64>;

/// What a writer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Put(i64),
    Delete(i64),
    /// Moves five from an account to the next one.
    Transfer(i64),
    Count,
    /// Adds one to every thing that is below.
    Raise(i64),
}

#[derive(Clone, Debug)]
struct Done {
    name: String,
    op: Op,
    told: Told,
}

impl Op {
    fn draw(dice: &mut Dice, fresh: i64) -> Op {
        match dice.below(10) {
            0 | 1 => Op::Put(fresh),
            2 | 3 => Op::Delete(10 + dice.below(3) as i64),
            4 | 5 => Op::Transfer(1 + dice.below(3) as i64),
            6 | 7 => Op::Count,
            _ => Op::Raise(2 + dice.below(4) as i64),
        }
    }

    /// What it does to plain rows.
    fn apply(self, rows: &mut Rows) -> Result<(), String> {
        match self {
            Op::Put(id) => match rows.insert(id, 1) {
                None => {}
                Some(_) => return Err(format!("the key {id} came twice")),
            },
            Op::Delete(id) => _ = rows.remove(&id),
            Op::Transfer(from) => {
                rows.entry(from).and_modify(|n| *n -= 5);
                rows.entry(from + 1).and_modify(|n| *n += 5);
            }
            Op::Count => _ = rows.entry(0).and_modify(|n| *n += 1),
            Op::Raise(below) => rows.iter_mut().filter(|(id, n)| **id >= 10 && **n < below).for_each(|(_, n)| *n += 1),
        }
        Ok(())
    }

    async fn run(self, table: &Table, name: &str) -> Result<Report> {
        let is = |id: i64| col("id").eq(lit(id));
        let sql = |text: String| Expr::sql(&text);
        match self {
            Op::Put(id) => put(table, &[(id, 1)], name).await,
            Op::Delete(id) => table.delete().filter(is(id)).user_metadata(name).run().await,
            Op::Transfer(from) => {
                let moved = sql(format!("n + 5 * (2 * (id - {from}) - 1)"))?;
                let which = sql(format!("id = {from} OR id = {}", from + 1))?;
                table.update().filter(which).set("n", moved).user_metadata(name).run().await
            }
            Op::Count => table.update().filter(is(0)).set("n", sql("n + 1".to_owned())?).user_metadata(name).run().await,
            Op::Raise(below) => {
                let which = sql(format!("id >= 10 AND n < {below}"))?;
                table.update().filter(which).set("n", sql("n + 1".to_owned())?).user_metadata(name).run().await
            }
        }
    }
}

async fn put(table: &Table, rows: &[(i64, i64)], name: &str) -> Result<Report> {
    let schema = Arc::new(Schema::new(["id", "n"].map(|c| Field::new(c, ArrowType::Int64, true)).to_vec()));
    let ids = Int64Array::from_iter_values(rows.iter().map(|r| r.0));
    let values = Int64Array::from_iter_values(rows.iter().map(|r| r.1));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(ids), Arc::new(values)]).unwrap();
    table.append(schema, futures::stream::iter([Ok(batch)]).boxed()).user_metadata(name).run().await
}

async fn rows_of(snapshot: &Arc<Snapshot>) -> Result<Vec<(i64, i64)>> {
    let batches: Vec<_> = snapshot.scan().build()?.stream().try_collect().await?;
    let mut rows = Vec::new();
    for batch in &batches {
        let (id, n) = (batch.column(0).as_primitive::<Int64Type>(), batch.column(1).as_primitive::<Int64Type>());
        rows.extend(id.iter().flatten().zip(n.iter().flatten()));
    }
    rows.sort_unstable();
    Ok(rows)
}

/// A table with vectors that holds these rows in one file, made while nothing goes wrong.
async fn made(stage: &Stage, rows: &[(i64, i64)]) -> Result<Table> {
    let faults = stage.fate.calm();
    let table = stage.actor(100).table;
    let column = |name: &str| Column { name: name.to_owned(), data_type: DataType::Long, nullable: true, metadata: Default::default() };
    let schema = Struct { fields: vec![column("id"), column("n")] };
    table.create(schema).property("delta.enableDeletionVectors", "true").run().await?;
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
    let table = made(&stage, &FIRST).await.expect("a table");
    let done = Mutex::default();
    join_all((0..ACTORS).map(|n| act(stage.actor(n), n as i64, &done))).await;
    stage.settle().await;
    let done = done.into_inner().unwrap();
    let verdict = judge(&stage, &table, &done).await;
    (stage.fate.trace(), stage.fate.counts(), verdict)
}

async fn judge(stage: &Stage, table: &Table, done: &[Done]) -> Result<(), String> {
    let mut landed: BTreeMap<&str, Vec<Version>> = BTreeMap::new();
    let mut model: Rows = FIRST.into();
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
        op.apply(&mut model)?;
        counted += i64::from(*op == Op::Count);
        let there = rows_of(&table.snapshot_at(At::Version(version)).await.map_err(failed)?).await.map_err(failed)?;
        let wanted: Vec<(i64, i64)> = model.iter().map(|(id, n)| (*id, *n)).collect();
        if there != wanted {
            return Err(format!("version {version} ({op:?}) has the rows {there:?}, not {wanted:?}"));
        }
        let money: i64 = there.iter().filter(|(id, _)| ACCOUNTS.contains(id)).map(|(_, n)| n).sum();
        if money != 400 || there.first() != Some(&(0, counted)) {
            return Err(format!("version {version} holds {money}, and {:?} after {counted} counts", there.first()));
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

// spec: CON-6, COM-16
#[test]
fn every_seed_of_rows_that_change_in_place_gives_each_version_exactly_its_rows() {
    let wanted = ["Put Landed", "Delete Landed", "Transfer Landed", "Count Landed", "Raise Landed", "rows changed past a winner"];
    every_seed(scene, &wanted);
}

// spec: CON-6, COM-10
#[test]
fn sixteen_deletes_of_one_row_each_on_one_file_all_land_within_three_tries_at_the_median() {
    for seed in 0..5 {
        let tries = on_a_clock_of_its_own(async {
            let stage = Stage::new(Way::Whole, seed, None);
            stage.fate.relent();
            let table = made(&stage, &(0..20).map(|id| (id, id)).collect::<Vec<_>>()).await.unwrap();
            let base = table.snapshot().await.unwrap();
            let delete = |id: i64| {
                let writer = stage.actor(id as usize).table;
                async move { writer.delete().filter(col("id").eq(lit(id))).run().await.unwrap().attempts }
            };
            let mut tries = join_all((0..16).map(delete)).await;
            let after = base.refresh().await.unwrap();
            assert_eq!(after.version(), Version(base.version().0 + 16));
            assert_eq!(rows_of(&after).await.unwrap(), [(16, 16), (17, 17), (18, 18), (19, 19)]);
            tries.sort_unstable();
            tries
        });
        println!("seed {seed}: {tries:?}");
        assert!(tries[8] <= 3, "seed {seed}: {tries:?}");
    }
}
