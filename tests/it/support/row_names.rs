//! The names by which the rows of a table are known.

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use futures::TryStreamExt;
use lakebed::{HiddenColumn, Table};

/// Ids of rows, and the names by which they are known: row id and commit version.
pub async fn named(table: &Table) -> Vec<(i64, i64, i64)> {
    let scan = table.snapshot().await.unwrap().scan().columns(["id"]);
    let mut batches = scan.hidden([HiddenColumn::RowId, HiddenColumn::RowCommitVersion]).build().unwrap().stream();
    let mut out = Vec::new();
    while let Some(b) = batches.try_next().await.unwrap() {
        let column = |i: usize| b.column(i).as_primitive::<Int64Type>().values().to_vec();
        out.extend(column(0).into_iter().zip(column(1)).zip(column(2)).map(|((a, b), c)| (a, b, c)));
    }
    out.sort_unstable();
    out
}
