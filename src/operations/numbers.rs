//! Bringing the numbers of a column in line with the rows. Kind: edge. Spec: VAL.

use crate::error::Result;
use crate::expr::column;
use crate::features::Sequence;
use crate::log::Metadata;
use crate::snapshot::Snapshot;
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use futures::TryStreamExt;
use std::sync::Arc;

/// The metadata after which no number of the table's rows is given again; `None` when it says so already. `LB-SCHEMA` when the table
/// does not number the column. Reads the column; the transaction that sets the metadata must have read the table.
pub(crate) async fn synchronised(base: &Arc<Snapshot>, name: &str) -> Result<Option<Metadata>> {
    let (name, sequence) = base.state().sequence(name)?;
    let filter = column(&name).is_not_null();
    let mut batches = base.scan().columns([name.clone()]).filter(filter).build()?.stream();
    let mut last = None;
    while let Some(batch) = batches.try_next().await? {
        let values = batch.column(0).as_primitive::<Int64Type>();
        let furthest = if sequence.step > 0 { arrow::compute::max(values) } else { arrow::compute::min(values) };
        last = [last, furthest].into_iter().flatten().reduce(|a, b| if sequence.is_beyond(a, b) { a } else { b });
    }
    match last.and_then(|last| sequence.covering(last)) {
        Some(mark) => base.state().record_numbers(&[(name, mark)]),
        None => Ok(None),
    }
}

impl Sequence {
    /// The number of the sequence that is `value` or the first beyond it, when that is beyond the last one.
    fn covering(&self, value: i64) -> Option<i64> {
        if self.is_beyond(self.start, value) {
            return None;
        }
        let step = i128::from(self.step);
        let steps = ((i128::from(value) - i128::from(self.start)) * step.signum()).div_euclid(step.abs());
        let exact = i128::from(self.start) + steps * i128::from(self.step) == i128::from(value);
        let at = i128::from(self.start) + (steps + i128::from(!exact)) * i128::from(self.step);
        let mark = i64::try_from(at).ok()?;
        self.last.is_none_or(|last| self.is_beyond(mark, last)).then_some(mark)
    }
}

#[cfg(test)]
#[path = "numbers_tests.rs"]
mod tests;
