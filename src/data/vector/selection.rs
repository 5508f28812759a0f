//! Deleted rows -> which rows of the chosen row groups to decode. Kind: pure. Spec: DV.

use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use roaring::RoaringTreemap;

/// The rows of the chosen row groups that are not deleted; `None` when all are alive. `row_counts` are the rows of every row group
/// of the file, `chosen` the ascending indexes of those that are read.
pub(crate) fn live_rows(deleted: &RoaringTreemap, row_counts: &[u64], chosen: &[usize]) -> Option<RowSelection> {
    let mut selectors: Vec<RowSelector> = Vec::new();
    let mut start = 0u64;
    let mut chosen = chosen.iter().copied().peekable();
    let mut dead = deleted.iter().peekable();
    for (group, &rows) in row_counts.iter().enumerate() {
        let end = start + rows;
        let read = chosen.next_if_eq(&group).is_some();
        let mut at = start;
        while let Some(row) = dead.next_if(|row| *row < end) {
            if read {
                push(&mut selectors, row - at, false);
                push(&mut selectors, 1, true);
                at = row + 1;
            }
        }
        if read {
            push(&mut selectors, end - at, false);
        }
        start = end;
    }
    selectors.iter().any(|s| s.skip).then(|| RowSelection::from(selectors))
}

fn push(selectors: &mut Vec<RowSelector>, rows: u64, skip: bool) {
    let rows = rows as usize;
    match selectors.last_mut() {
        _ if rows == 0 => {}
        Some(last) if last.skip == skip => last.row_count += rows,
        _ => selectors.push(if skip { RowSelector::skip(rows) } else { RowSelector::select(rows) }),
    }
}

#[cfg(test)]
#[path = "selection_tests.rs"]
mod tests;
