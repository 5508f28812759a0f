//! Deletions that raced the rewriting of their files, carried over to the new files. Kind: pure and edge. Spec: OPT.
//!
//! The new files hold the living rows of the old ones one after the other. So the row at physical position `p` of an old file, which had
//! `d` deleted rows before it when it was read, is the row `p - d` of that file's share. Invariant: a row is deleted from a new file
//! exactly when its old self was deleted since.

use super::rewrite::Rewritten;
use crate::data::vector::load;
use crate::error::{Code, Error, Result};
use crate::log::{Add, VectorDescriptor};
use crate::table::Table;
use roaring::RoaringTreemap;
use std::collections::HashMap;

/// What others did to a group while it was rewritten.
#[derive(Debug)]
pub(super) enum Fate {
    /// Nothing.
    Untouched,
    /// Rows of some files were deleted: these of each new file.
    LostRows(Vec<RoaringTreemap>),
    /// More than that can be told from here; what.
    Touched(String),
}

/// One old file: the deleted rows when it was read, those that are deleted now, and how many rows it gave.
struct Share {
    then: RoaringTreemap,
    now: RoaringTreemap,
    rows: u64,
}

/// Compares a group with its files as they stand now, by path. Two requests for each file that has lost rows.
pub(super) async fn fate(table: &Table, done: &Rewritten, live: &HashMap<String, Add>, may_mark: bool) -> Result<Fate> {
    let mut lost = Vec::new();
    for (at, read) in done.group.files.iter().enumerate() {
        let Some(now) = live.get(&read.path) else { return Ok(Fate::Touched(format!("{} is gone", read.path))) };
        if now.deletion_vector == read.deletion_vector && same_file(read, now) {
            continue;
        }
        let cardinality = |file: &Add| file.deletion_vector.as_ref().map_or(0, |v| v.cardinality);
        if !same_file(read, now) || cardinality(now) <= cardinality(read) {
            return Ok(Fate::Touched(format!("{} was changed", read.path)));
        }
        if !may_mark || done.order.is_none() {
            return Ok(Fate::Touched(format!("rows of {} were deleted", read.path)));
        }
        lost.push((at, now));
    }
    let Some(order) = done.order.as_ref().filter(|_| !lost.is_empty()) else { return Ok(Fate::Untouched) };
    let mut shares: Vec<Share> =
        order.iter().map(|rows| Share { then: RoaringTreemap::new(), now: RoaringTreemap::new(), rows: *rows }).collect();
    for (at, now) in lost {
        let (then, now) = futures::try_join!(rows(table, &done.group.files[at].deletion_vector), rows(table, &now.deletion_vector))?;
        if !then.is_subset(&now) {
            return Ok(Fate::Touched(format!("deleted rows of {} came back", done.group.files[at].path)));
        }
        (shares[at].then, shares[at].now) = (then, now);
    }
    let lengths: Option<Vec<u64>> = done.adds.iter().map(|add| u64::try_from(add.num_records()?).ok()).collect();
    let broken = || Error::new(Code::INTERNAL, "deleted rows of a file have no place in the new one");
    Ok(Fate::LostRows(lengths.and_then(|lengths| carried(&shares, &lengths)).ok_or_else(broken)?))
}

async fn rows(table: &Table, vector: &Option<VectorDescriptor>) -> Result<RoaringTreemap> {
    match vector {
        Some(vector) => load(table.root(), vector).await,
        None => Ok(RoaringTreemap::new()),
    }
}

/// Whether both are the same file, its vector aside.
fn same_file(a: &Add, b: &Add) -> bool {
    let facts = |f: &Add| (f.size, f.base_row_id, f.default_row_commit_version);
    facts(a) == facts(b) && a.partition_values == b.partition_values
}

/// The deleted rows of each new file, of `lengths` rows. `None` when a row has no place in them.
fn carried(shares: &[Share], lengths: &[u64]) -> Option<Vec<RoaringTreemap>> {
    let ends: Vec<u64> = lengths
        .iter()
        .scan(0, |end, rows| {
            *end += rows;
            Some(*end)
        })
        .collect();
    let mut out = vec![RoaringTreemap::new(); lengths.len()];
    let mut before = 0;
    for share in shares {
        for position in &share.now - &share.then {
            let within = position - share.then.rank(position);
            let row = Some(before + within).filter(|_| within < share.rows)?;
            let file = ends.partition_point(|end| *end <= row);
            out.get_mut(file)?.insert(row - (ends[file] - lengths[file]));
        }
        before += share.rows;
    }
    Some(out)
}

#[cfg(test)]
#[path = "carry_tests.rs"]
mod tests;
