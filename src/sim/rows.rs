//! The engine as its callers see it: several actors append, overwrite and read rows on one faulty store, with real Parquet files. Each
//! version must hold exactly the rows that its commits, in log order, make of the table.
//!
//! Encoding runs on a thread, so a busy machine may order two requests of one instant otherwise: a seed mostly, not always, gives the same
//! schedule again. The trace of a failing one is printed whole.

use super::actors::{Actor, Stage, Way};
use super::store::Counts;
use super::told::{Told, every_seed};
use crate::error::{Code, Result};
use crate::log::Version;
use crate::operations::SaveMode;
use crate::snapshot::{At, Snapshot};
use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use futures::future::join_all;
use futures::{StreamExt, TryStreamExt};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const ACTORS: usize = 3;
const OPS: i64 = 4;

/// One write: the row that it adds, in which way, and what came of it.
#[derive(Clone, Debug)]
struct Written {
    row: i64,
    overwrites: bool,
    told: Told,
}

/// What actors did and saw.
#[derive(Default)]
struct Records {
    writes: Mutex<Vec<Written>>,
    looks: Mutex<Vec<(Version, Vec<i64>)>>,
}

fn batch(row: i64) -> RecordBatch {
    let schema = Schema::new(vec![Field::new("id", DataType::Int64, true)]);
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(Int64Array::from(vec![row]))]).unwrap()
}

async fn rows_of(snapshot: &Arc<Snapshot>) -> Result<Vec<i64>> {
    let batches: Vec<_> = snapshot.scan().build()?.stream().try_collect().await?;
    let mut rows: Vec<i64> = batches.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().iter().flatten()).collect();
    rows.sort_unstable();
    Ok(rows)
}

async fn act(actor: Actor, number: i64, records: &Records) {
    let fate = Arc::clone(&actor.stage.fate);
    for op in 0..OPS {
        actor.idle().await;
        if fate.throw(|d| d.chance(40)) {
            let _ = look(&actor, records).await;
        }
        let row = number * 100 + op;
        let (overwrites, app) = fate.throw(|d| (d.chance(25), d.chance(25)));
        let rows = batch(row);
        let mut append = actor.table.append(rows.schema(), futures::stream::iter([Ok(rows)]).boxed()).user_metadata(&row.to_string());
        if overwrites {
            append = append.mode(SaveMode::Overwrite);
        }
        if app {
            append = append.app_version("etl", op);
        }
        let crash = fate.throw(|d| d.chance(10).then(|| Duration::from_millis(d.below(200))));
        let ended = match crash {
            None => Ok(append.run().await),
            Some(after) => tokio::time::timeout(after, append.run()).await,
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
        fate.note(format!("{} writes {row}, overwrites: {overwrites} -> {told:?}", actor.name));
        fate.count(format!("{} {}", if overwrites { "overwrite" } else { "append" }, format!("{told:?}").split('(').next().unwrap()));
        records.writes.lock().unwrap().push(Written { row, overwrites, told });
    }
}

/// Reads some version whole.
async fn look(actor: &Actor, records: &Records) -> Result<()> {
    let mut snapshot = actor.table.snapshot().await?;
    if actor.stage.fate.throw(|d| d.chance(30)) {
        let version = Version(actor.stage.fate.throw(|d| d.below(snapshot.version().0 + 1)));
        snapshot = actor.table.snapshot_at(At::Version(version)).await?;
    }
    let rows = rows_of(&snapshot).await?;
    actor.stage.fate.count("rows read");
    records.looks.lock().unwrap().push((snapshot.version(), rows));
    Ok(())
}

async fn scene(seed: u64) -> (Vec<String>, Counts, Result<(), String>) {
    let stage = Stage::new(Way::Whole, seed, None);
    let records = Records::default();
    join_all((0..ACTORS).map(|n| act(stage.actor(n), n as i64, &records))).await;
    stage.settle().await;
    let verdict = judge(&stage, &records).await;
    (stage.fate.trace(), stage.fate.counts(), verdict)
}

async fn judge(stage: &Stage, records: &Records) -> Result<(), String> {
    let writes = records.writes.lock().unwrap().clone();
    let mut landed: BTreeMap<i64, Vec<Version>> = BTreeMap::new();
    let mut versions: Vec<Vec<i64>> = Vec::new();
    for (version, body) in stage.commits().await {
        if version != Version(versions.len() as u64) {
            return Err(format!("version {version} follows {} commits", versions.len()));
        }
        let first: serde_json::Value = serde_json::Deserializer::from_slice(&body).into_iter().next().ok_or("an empty commit")?.unwrap();
        let row: i64 = first["commitInfo"]["userMetadata"].as_str().and_then(|text| text.parse().ok()).ok_or("a commit of nobody")?;
        let write = writes.iter().find(|w| w.row == row).ok_or("a commit of nobody")?;
        landed.entry(row).or_default().push(version);
        let mut rows = if write.overwrites { Vec::new() } else { versions.last().cloned().unwrap_or_default() };
        rows.push(row);
        rows.sort_unstable();
        versions.push(rows);
    }
    for write in &writes {
        let at = landed.get(&write.row).map_or(&[][..], Vec::as_slice);
        if !write.told.holds(at) {
            return Err(format!("{write:?} is in the log at {at:?}"));
        }
    }
    for (version, rows) in records.looks.lock().unwrap().iter() {
        if versions.get(version.0 as usize) != Some(rows) {
            return Err(format!("a reader of version {version} saw {rows:?}, not {:?}", versions.get(version.0 as usize)));
        }
    }
    let table = stage.actor(ACTORS).table;
    for (version, rows) in versions.iter().enumerate() {
        let at = At::Version(Version(version as u64));
        let there = async { rows_of(&table.snapshot_at(at).await?).await }.await.map_err(|e| format!("version {version}: {e}"))?;
        if there != *rows {
            return Err(format!("version {version} has the rows {there:?}, not {rows:?}"));
        }
    }
    Ok(())
}

// spec: COM-4, COM-5, COM-6
#[test]
fn every_seed_of_real_rows_gives_each_version_exactly_its_rows() {
    let wanted = ["append Landed", "append Failed", "overwrite Landed", "overwrite Failed", "rows read", "put AnswerLost"];
    every_seed(scene, &wanted);
}
