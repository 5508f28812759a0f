//! Numbers that are given to rows, each once. Kind: pure. Spec: VAL.
//!
//! Invariant: every number is start + k·step and lies beyond the last one in the direction of the step, so none comes twice.

use crate::error::{Code, Error, Result};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The numbers of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sequence {
    pub(crate) start: i64,
    /// Never 0.
    pub(crate) step: i64,
    /// The number that was given last; `None` before the first.
    pub(crate) last: Option<i64>,
    /// Whether rows may bring numbers of their own.
    pub(crate) accepts_given: bool,
}

impl Sequence {
    /// The next `count` numbers. `LB-LIMIT` when 64 bits do not hold them; then none was taken.
    pub(crate) fn take(&mut self, count: usize) -> Result<Vec<i64>> {
        let first = self.first();
        let steps = i128::try_from(count).unwrap_or(i128::MAX).saturating_sub(1).max(0);
        let end = steps.checked_mul(i128::from(self.step)).and_then(|rest| first.checked_add(rest));
        let (Ok(first), Some(Ok(end))) = (i64::try_from(first), end.map(i64::try_from)) else {
            return Err(Error::new(Code::LIMIT, "the numbers of the column are used up: the next one does not fit into 64 bits")
                .with("last", self.last.map_or("none".to_owned(), |last| last.to_string()))
                .with("step", self.step));
        };
        if count > 0 {
            self.last = Some(end);
        }
        // Every value lies between two that fit.
        Ok((0..count as i64).map(|k| first.wrapping_add(k.wrapping_mul(self.step))).collect())
    }
    /// The first number beyond the last one; never before the start, however a table came to say so.
    fn first(&self) -> i128 {
        let (start, step) = (i128::from(self.start), i128::from(self.step));
        let Some(last) = self.last else { return start };
        let passed = if step > 0 { (i128::from(last) - start).div_euclid(step) } else { (start - i128::from(last)).div_euclid(-step) };
        start + (passed + 1).max(0) * step
    }
    /// Whether `a` lies beyond `b` in the direction of the step.
    pub(crate) fn is_beyond(&self, a: i64, b: i64) -> bool {
        if self.step > 0 { a > b } else { a < b }
    }
}

/// The sequences of a table's columns, as the writers of one commit share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers(Arc<Mutex<BTreeMap<String, Sequence>>>);

impl Numbers {
    /// Begins the numbers of a column.
    pub(crate) fn start(&self, column: &str, sequence: Sequence) {
        self.sequences().insert(column.to_owned(), sequence);
    }
    /// The next numbers of a column. `LB-LIMIT` as `Sequence::take`.
    pub(crate) fn take(&self, column: &str, count: usize) -> Result<Vec<i64>> {
        let mut sequences = self.sequences();
        let sequence = sequences.get_mut(column).ok_or_else(|| Error::new(Code::INTERNAL, "a column has no numbers"));
        sequence.and_then(|sequence| sequence.take(count)).map_err(|e| e.with("column", column))
    }
    /// The last number of each column that has any, given here or before.
    pub(crate) fn last(&self) -> Vec<(String, i64)> {
        self.sequences().iter().filter_map(|(column, sequence)| Some((column.clone(), sequence.last?))).collect()
    }
    fn sequences(&self) -> MutexGuard<'_, BTreeMap<String, Sequence>> {
        // A sequence is changed in one step, so a writer that failed leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "sequence_tests.rs"]
mod tests;
