//! What writers of the ledger mean, once on plain rows and once on the table.

use super::store::Dice;
use crate::data::input::InputRows;
use crate::error::Result;
use crate::expr::{Expr, MergeClause, col, lit};
use crate::operations::Report;
use crate::table::Table;
use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use futures::StreamExt;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The counter is row 0, the accounts are these; all else are things that come and go.
pub(super) const ACCOUNTS: std::ops::Range<i64> = 1..5;
pub(super) const FIRST: [(i64, i64); 8] = [(0, 0), (1, 100), (2, 100), (3, 100), (4, 100), (10, 1), (11, 2), (20, 3)];

pub(super) type Rows = BTreeMap<i64, i64>;

/// What a writer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Put(i64),
    Delete(i64),
    /// Moves five from an account to the next one.
    Transfer(i64),
    Count,
    /// Adds one to every thing that is below.
    Raise(i64),
    /// MERGE that adds one to these two rows, or inserts them.
    Upsert(i64),
    /// MERGE after which of the keys of upserts only this one is there.
    Sync(i64),
    /// Overwrites the rows from 30 on by this one and another.
    Replace(i64),
}

impl Op {
    pub(super) fn draw(dice: &mut Dice, fresh: i64) -> Op {
        match dice.below(16) {
            0 | 1 => Op::Put(fresh),
            2 | 3 => Op::Delete(10 + dice.below(2) as i64),
            4 | 5 => Op::Transfer(1 + dice.below(3) as i64),
            6 | 7 => Op::Count,
            8 => Op::Raise(2 + dice.below(4) as i64),
            9..=11 => Op::Upsert(20 + dice.below(3) as i64),
            12 | 13 => Op::Sync(20 + dice.below(4) as i64),
            _ => Op::Replace(30 + dice.below(3) as i64),
        }
    }

    /// What it does to plain rows.
    pub(super) fn apply(self, rows: &mut Rows) -> Result<(), String> {
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
            Op::Upsert(key) => [key, key + 1].into_iter().for_each(|id| *rows.entry(id).or_insert(0) += 1),
            Op::Sync(key) => {
                rows.retain(|id, _| !(20..30).contains(id) || *id == key);
                rows.insert(key, 7);
            }
            Op::Replace(key) => {
                rows.retain(|id, _| !(30..40).contains(id));
                rows.extend([(key, key), (key + 1, 1)]);
            }
        }
        Ok(())
    }

    /// Whether the rows that are there before and after are other rows with the same keys.
    pub(super) fn makes_rows_anew(self, id: i64) -> bool {
        matches!(self, Op::Replace(_)) && (30..40).contains(&id)
    }

    /// Does it; the commit carries `name`.
    pub(super) async fn run(self, table: &Table, name: &str) -> Result<Report> {
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
            Op::Upsert(key) => {
                let clauses = ["WHEN MATCHED THEN UPDATE SET n = t.n + s.n", "WHEN NOT MATCHED THEN INSERT *"];
                merge(table, &[(key, 1), (key + 1, 1)], &clauses, name).await
            }
            Op::Sync(key) => {
                let clauses = [
                    "WHEN MATCHED THEN UPDATE SET *",
                    "WHEN NOT MATCHED THEN INSERT *",
                    "WHEN NOT MATCHED BY SOURCE AND t.id >= 20 AND t.id < 30 THEN DELETE",
                ];
                merge(table, &[(key, 7)], &clauses, name).await
            }
            Op::Replace(key) => {
                let batch = batch(&[(key, key), (key + 1, 1)]);
                let append = table.append(batch.schema(), futures::stream::iter([Ok(batch)]).boxed()).user_metadata(name);
                append.replace_where(sql("id >= 30 AND id < 40".to_owned())?).run().await
            }
        }
    }
}

fn batch(rows: &[(i64, i64)]) -> RecordBatch {
    let schema = Arc::new(Schema::new(["id", "n"].map(|c| Field::new(c, DataType::Int64, true)).to_vec()));
    let column = |of: fn(&(i64, i64)) -> i64| Arc::new(Int64Array::from_iter_values(rows.iter().map(of)));
    RecordBatch::try_new(schema, vec![column(|r| r.0), column(|r| r.1)]).unwrap()
}

pub(super) async fn put(table: &Table, rows: &[(i64, i64)], name: &str) -> Result<Report> {
    let batch = batch(rows);
    table.append(batch.schema(), futures::stream::iter([Ok(batch)]).boxed()).user_metadata(name).run().await
}

async fn merge(table: &Table, rows: &[(i64, i64)], clauses: &[&str], name: &str) -> Result<Report> {
    let batch = batch(rows);
    let source = InputRows { schema: batch.schema(), batches: futures::stream::iter([Ok(batch)]).boxed() };
    let mut merge = table.merge(source, Expr::sql("t.id = s.id")?).user_metadata(name);
    for clause in clauses {
        merge = merge.when(MergeClause::sql(clause)?);
    }
    merge.run().await
}
