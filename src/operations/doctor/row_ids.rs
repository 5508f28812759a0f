//! Whether the ids of rows overlap between live files. Kind: edge. Spec: DOC.
//!
//! Files are sorted by their first id, on disk when memory does not hold them.

use super::finding::{Findings, ROW_IDS_OVERLAP};
use crate::error::{Code, Error, Result};
use crate::exec::{Runtime, sorted};
use crate::snapshot::{FileBatch, FileQuery, Snapshot};
use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use futures::{StreamExt, TryStreamExt};
use std::sync::Arc;

pub(super) async fn overlaps(snapshot: &Arc<Snapshot>, findings: &mut Findings) -> Result<()> {
    let long = |name: &str| Field::new(name, DataType::Int64, false);
    let schema = Arc::new(Schema::new(vec![long("first"), long("last"), Field::new("path", DataType::Utf8, false)]));
    let of = Arc::clone(&schema);
    let ranges = snapshot.files(FileQuery::default().records().row_ids()).map(move |batch| ranges(&of, &batch?)).boxed();
    let env = snapshot.table().env();
    let mut batches = sorted(env, &Runtime::new(env)?, &schema, ranges, &["first"])?;
    let lost = || Error::new(Code::INTERNAL, "row ids came back in another form");
    let mut before: Option<(i64, String)> = None;
    while let Some(batch) = batches.try_next().await? {
        let first = batch.column(0).as_primitive_opt::<Int64Type>().ok_or_else(lost)?;
        let last = batch.column(1).as_primitive_opt::<Int64Type>().ok_or_else(lost)?;
        let paths = batch.column(2).as_string_opt::<i32>().ok_or_else(lost)?;
        for row in 0..batch.num_rows() {
            let (first, last, path) = (first.value(row), last.value(row), paths.value(row));
            match &before {
                Some((highest, other)) if *highest >= first => {
                    findings.add(ROW_IDS_OVERLAP, path, format!("its ids begin at {first}, those of {other} go up to {highest}"));
                }
                _ => {}
            }
            if before.as_ref().is_none_or(|(highest, _)| *highest < last) {
                before = Some((last, path.to_owned()));
            }
        }
    }
    Ok(())
}

/// First and last id of every file that has rows and ids.
fn ranges(schema: &SchemaRef, batch: &FileBatch) -> Result<RecordBatch> {
    let range = |row: usize| {
        let first = batch.row_ids(row).0?;
        let rows = batch.num_records(row).filter(|rows| *rows > 0)?;
        Some((first, first.saturating_add(rows - 1), batch.path(row)))
    };
    let found: Vec<_> = (0..batch.len()).filter_map(range).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(found.iter().map(|(first, ..)| *first).collect::<Int64Array>()),
        Arc::new(found.iter().map(|(_, last, _)| *last).collect::<Int64Array>()),
        Arc::new(StringArray::from_iter_values(found.iter().map(|(.., path)| *path))),
    ];
    Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
}
