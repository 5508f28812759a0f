//! Finding rows by key: hashes in, pairs of rows out that may have equal keys. Kind: pure. Spec: EXE.
//!
//! Invariant: every pair of rows with equal keys is among the candidates; the caller looks again, so that equality has one meaning.

use crate::error::{Code, Error, Result};
use crate::expr::canonical_values;
use arrow::array::{Array, ArrayRef, UInt64Array};
use arrow::buffer::NullBuffer;
use datafusion_common::hash_utils::{RandomState, create_hashes};

/// What stands for the key of each row: its hash, or null when the key has a null that equals nothing.
#[derive(Clone, Debug)]
pub(crate) struct Keys(pub UInt64Array);

impl Keys {
    /// Of the key columns of `rows` rows; `null_safe` says of each column whether null equals null. Without columns all rows are alike.
    pub fn of(columns: &[ArrayRef], null_safe: &[bool], rows: usize) -> Result<Keys> {
        if columns.is_empty() {
            return Ok(Keys(UInt64Array::from(vec![0; rows])));
        }
        let canonical: Vec<ArrayRef> = columns.iter().map(canonical_values).collect();
        let mut hashes = vec![0; rows];
        create_hashes(&canonical, &RandomState::with_seed(0x1a4e_bed0), &mut hashes)
            .map_err(|e| Error::new(Code::EXPR, format!("a key of the join cannot be hashed: {}", e.strip_backtrace())))?;
        let decisive = canonical.iter().zip(null_safe).filter(|(_, safe)| !**safe).map(|(column, _)| column.logical_nulls());
        let nulls = decisive.fold(None, |all, nulls| NullBuffer::union(all.as_ref(), nulls.as_ref()));
        Ok(Keys(UInt64Array::new(hashes.into(), nulls)))
    }
}

/// The rows of one side by key.
pub(crate) struct KeyIndex {
    hashes: Vec<u64>,
    /// For each bucket one more than its first row, 0 when it is empty.
    first: Vec<u32>,
    /// For each row one more than the next one of its bucket.
    next: Vec<u32>,
}

/// How far the search for candidates has come.
#[derive(Default)]
pub(crate) struct Progress {
    row: usize,
    /// One more than the row of the index to look at next; 0 at the beginning of a probing row.
    at: u32,
    begun: bool,
}

impl KeyIndex {
    /// `LB-LIMIT` when there are more rows than 32 bits can number.
    pub fn new(keys: &[Keys]) -> Result<KeyIndex> {
        let rows: usize = keys.iter().map(|k| k.0.len()).sum();
        if u32::try_from(rows + 1).is_err() {
            return Err(
                Error::new(Code::LIMIT, "a join holds too many rows at once").help("give it less memory, so that it spills earlier")
            );
        }
        let buckets = rows.next_power_of_two().max(2);
        let mut index = KeyIndex { hashes: Vec::with_capacity(rows), first: vec![0; buckets], next: vec![0; rows] };
        index.hashes.extend(keys.iter().flat_map(|k| k.0.values().iter().copied()));
        // From the last to the first, so that the rows of a bucket stand in ascending order.
        let mut row = rows;
        for keys in keys.iter().rev() {
            for at in (0..keys.0.len()).rev() {
                row -= 1;
                if keys.0.is_valid(at) {
                    let bucket = index.bucket(index.hashes[row]);
                    index.next[row] = index.first[bucket];
                    index.first[bucket] = row as u32 + 1;
                }
            }
        }
        Ok(index)
    }
    /// An estimate of what the index of one row holds, in bytes.
    pub const ROW_BYTES: u64 = 24;

    fn bucket(&self, hash: u64) -> usize {
        hash as usize & (self.first.len() - 1)
    }

    /// The next pairs (probing row, row of the index) with equal hashes, at most `limit`, ascending by both; empty at the end.
    pub fn candidates(&self, probe: &Keys, progress: &mut Progress, limit: usize) -> (Vec<u32>, Vec<u32>) {
        let (mut probing, mut found) = (Vec::new(), Vec::new());
        let hashes = probe.0.values();
        while progress.row < hashes.len() {
            let hash = hashes[progress.row];
            if !progress.begun {
                progress.at = if probe.0.is_valid(progress.row) { self.first[self.bucket(hash)] } else { 0 };
                progress.begun = true;
            }
            while progress.at > 0 {
                let row = progress.at - 1;
                if self.hashes[row as usize] == hash {
                    if probing.len() == limit {
                        return (probing, found);
                    }
                    probing.push(progress.row as u32);
                    found.push(row);
                }
                progress.at = self.next[row as usize];
            }
            progress.row += 1;
            progress.begun = false;
        }
        (probing, found)
    }
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
