//! The commands of a history: how they are drawn, what they mean, how they are run.

use super::Rows;
use crate::support::random::Random;
use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use futures::StreamExt;
use lakebed::{At, Error, Expr, InputRows, MergeClause, Result, SaveMode, Table, Version};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Append(i64),
    Delete(i64),
    Update(i64),
    Merge(i64),
    Replace(i64),
    Overwrite(i64),
    Optimize,
    Purge,
    /// On a clustered table: all of it anew.
    Order,
    Checkpoint,
    CompactLog,
    CleanLog,
    Vacuum,
    VacuumLate,
    VacuumLite,
    Restore(u64),
    DeepCopy,
    ShallowCopy,
    Repair,
}

fn batch(rows: &[(i64, i64)]) -> RecordBatch {
    let column = |of: fn(&(i64, i64)) -> i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values(rows.iter().map(of))) };
    RecordBatch::try_from_iter_with_nullable([("id", column(|r| r.0), true), ("n", column(|r| r.1), true)]).unwrap()
}

fn rows_for(key: i64) -> Vec<(i64, i64)> {
    (key..key + 6).map(|id| (id, id * 31 % 17)).collect()
}

/// The tables that a command works on.
pub struct Tables {
    pub table: Table,
    pub deep: Table,
    pub shallow: Table,
    pub is_clustered: bool,
    /// Whether the shallow copy is there.
    pub has_shallow: bool,
}

impl Op {
    pub fn draw(random: &mut Random, fresh: i64, newest: u64) -> Op {
        // What it adds never reaches the keys of the next append.
        let some = random.below((fresh - 5).max(1).unsigned_abs()) as i64;
        match random.below(29) {
            0..=3 => Op::Append(fresh),
            4..=6 => Op::Delete(some),
            7..=8 => Op::Update(some),
            9..=10 => Op::Merge(some),
            11 => Op::Replace(some),
            12 => Op::Overwrite(some),
            13..=14 => Op::Optimize,
            15 => Op::Purge,
            16 => Op::Order,
            17 => Op::Checkpoint,
            18 => Op::CompactLog,
            19..=20 => Op::CleanLog,
            21..=22 => Op::Vacuum,
            23 => Op::VacuumLate,
            24 => Op::VacuumLite,
            25 => Op::Restore(newest - random.below(newest.min(8) + 1)),
            26 => Op::DeepCopy,
            27 => Op::ShallowCopy,
            _ => Op::Repair,
        }
    }

    /// The rows after it.
    pub fn apply(self, versions: &BTreeMap<u64, Rows>) -> Rows {
        let mut rows = versions.values().next_back().cloned().unwrap_or_default();
        match self {
            Op::Append(key) => rows.extend(rows_for(key)),
            Op::Delete(key) => rows.retain(|id, _| !(key..key + 3).contains(id)),
            Op::Update(key) => rows.iter_mut().filter(|(id, _)| (key..key + 3).contains(*id)).for_each(|(_, n)| *n += 100),
            Op::Merge(key) => rows_for(key).into_iter().for_each(|(id, n)| _ = rows.insert(id, n)),
            Op::Replace(key) => {
                rows.retain(|id, _| !(key..key + 6).contains(id));
                rows.extend(rows_for(key));
            }
            Op::Overwrite(key) => rows = rows_for(key).into_iter().collect(),
            Op::Restore(version) => rows = versions[&version].clone(),
            _ => {}
        }
        rows
    }

    pub async fn run(self, tables: &Tables) -> Result<()> {
        let within = |key: i64, width: i64| Expr::sql(&format!("id >= {key} AND id < {}", key + width));
        let rows = |key: i64| {
            let batch = batch(&rows_for(key));
            InputRows { schema: batch.schema(), batches: futures::stream::iter([Ok::<_, Error>(batch)]).boxed() }
        };
        let table = &tables.table;
        let vacuum = || match tables.has_shallow {
            true => table.vacuum().keep_for(tables.shallow.clone()),
            false => table.vacuum(),
        };
        match self {
            Op::Append(key) => table.append(rows(key).schema, rows(key).batches).run().await,
            Op::Delete(key) => table.delete().filter(within(key, 3)?).run().await,
            Op::Update(key) => table.update().filter(within(key, 3)?).set("n", Expr::sql("n + 100")?).run().await,
            Op::Merge(key) => {
                let merge = table.merge(rows(key), Expr::sql("t.id = s.id")?);
                let clauses = ["WHEN MATCHED THEN UPDATE SET *", "WHEN NOT MATCHED THEN INSERT *"];
                clauses.iter().try_fold(merge, |merge, text| Ok::<_, Error>(merge.when(MergeClause::sql(text)?)))?.run().await
            }
            Op::Replace(key) => table.append(rows(key).schema, rows(key).batches).replace_where(within(key, 6)?).run().await,
            Op::Overwrite(key) => table.append(rows(key).schema, rows(key).batches).mode(SaveMode::Overwrite).run().await,
            Op::Optimize => table.optimize().run().await,
            Op::Purge => table.optimize().purge().run().await,
            Op::Order if tables.is_clustered => table.optimize().full().run().await,
            Op::Order => table.optimize().zorder_by(["n", "id"]).run().await,
            Op::Checkpoint => table.checkpoint().run().await,
            Op::CompactLog => table.compact_log().run().await,
            Op::CleanLog => table.cleanup_log().run().await,
            Op::Vacuum => vacuum().run().await,
            Op::VacuumLate => vacuum().retain(Duration::from_secs(10 * 24 * 3600)).run().await,
            Op::VacuumLite => vacuum().lite().run().await,
            Op::Restore(version) => table.restore(At::Version(Version(version))).run().await,
            Op::DeepCopy => table.snapshot().await?.clone_to(&tables.deep).deep().run().await,
            Op::ShallowCopy => table.snapshot().await?.clone_to(&tables.shallow).run().await,
            Op::Repair => table.doctor().repair().await,
        }
        .map(drop)
    }
}
