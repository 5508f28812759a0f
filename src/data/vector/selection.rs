//! Deleted rows -> which rows of the chosen row groups to decode. Kind: pure. Spec: DV.

use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use roaring::RoaringTreemap;

/// The rows of the chosen row groups that are not deleted; `None` when all are alive. `row_counts` are the rows of every row group
/// of the file, `chosen` the ascending indexes of those that are read.
pub(crate) fn live_rows(deleted: &RoaringTreemap, row_counts: &[u64], chosen: &[usize]) -> Option<RowSelection> {
    let selectors = selectors(deleted, true, row_counts, chosen);
    selectors.iter().any(|s| s.skip).then(|| RowSelection::from(selectors))
}

/// Only these rows, as far as they lie in the chosen row groups.
pub(crate) fn marked_rows(marked: &RoaringTreemap, row_counts: &[u64], chosen: &[usize]) -> RowSelection {
    RowSelection::from(selectors(marked, false, row_counts, chosen))
}

/// The chosen row groups with the rows of a vector skipped, or with all others skipped.
fn selectors(rows: &RoaringTreemap, skip: bool, row_counts: &[u64], chosen: &[usize]) -> Vec<RowSelector> {
    let mut selectors: Vec<RowSelector> = Vec::new();
    let mut start = 0u64;
    let mut chosen = chosen.iter().copied().peekable();
    let mut marked = rows.iter().peekable();
    for (group, &rows) in row_counts.iter().enumerate() {
        let end = start + rows;
        let read = chosen.next_if_eq(&group).is_some();
        let mut at = start;
        while let Some(row) = marked.next_if(|row| *row < end) {
            if read {
                push(&mut selectors, row - at, !skip);
                push(&mut selectors, 1, skip);
                at = row + 1;
            }
        }
        if read {
            push(&mut selectors, end - at, !skip);
        }
        start = end;
    }
    selectors
}

/// The row groups that hold one of these rows.
pub(crate) fn groups_with(rows: &RoaringTreemap, row_counts: &[u64]) -> Vec<usize> {
    let mut start = 0u64;
    let mut out = Vec::new();
    for (group, count) in row_counts.iter().enumerate() {
        let end = start + count;
        if rows.range_cardinality(start..end) > 0 {
            out.push(group);
        }
        start = end;
    }
    out
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
