//! Columns that no schema names: where a row lies in its file, and who it is. Kind: pure. Spec: ROW.
//!
//! A row's id is the one that it carries, else its file's first id and its position; likewise the version of its last change.
//! Invariant: a row's position counts every row of the file, whatever pruning, vectors and filters leave out.

use super::task::FileTask;
use crate::data::columns::{Wanted, repeat};
use crate::error::{Code, Error, Result};
use crate::features::{HiddenColumn, MovedColumn, TableState};
use crate::schema::{DataType, Field as TableField};
use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType as ArrowType, Field, FieldRef, Int64Type};
use parquet::arrow::RowNumber;
use std::sync::Arc;

/// The Arrow field of a hidden column.
pub(super) fn field(column: HiddenColumn) -> FieldRef {
    let data_type = if column == HiddenColumn::FilePath { ArrowType::Utf8 } else { ArrowType::Int64 };
    Arc::new(Field::new(column.name(), data_type, true))
}

/// The columns that the decoder makes besides those of the file, after them: the rows' positions when one needs them.
pub(super) fn decoded(columns: &[HiddenColumn]) -> Vec<FieldRef> {
    let positions = || Arc::new(Field::new(HiddenColumn::RowIndex.name(), ArrowType::Int64, false).with_extension_type(RowNumber));
    columns.iter().any(|c| *c != HiddenColumn::FilePath).then(positions).into_iter().collect()
}

/// Whether a column tells who rows are.
pub(super) fn needs_ids(columns: &[HiddenColumn]) -> bool {
    columns.iter().any(|c| matches!(c, HiddenColumn::RowId | HiddenColumn::RowCommitVersion))
}

/// The columns of files that hidden columns are made from, id first; the last ones that a scan asks for. `LB-SCHEMA` when the rows of
/// the table have no ids.
pub(super) fn stored(columns: &[HiddenColumn], state: &TableState) -> Result<Vec<Wanted>> {
    if !needs_ids(columns) {
        return Ok(Vec::new());
    }
    let wanted = |column: MovedColumn| {
        let field = TableField::new(column.name, DataType::Long, true);
        Wanted::new(&field, &field, false, &|_| None)
    };
    state.stored_row_ids()?.into_iter().map(wanted).collect()
}

/// The hidden columns of a batch of the file of `task`; `positions` is what the decoder made.
pub(super) fn arrays(
    columns: &[HiddenColumn],
    task: &FileTask,
    positions: Option<&ArrayRef>,
    batch: &RecordBatch,
) -> Result<Vec<ArrayRef>> {
    let rows = batch.num_rows();
    let positions = || {
        let found = positions.filter(|p| p.len() == rows && *p.data_type() == ArrowType::Int64);
        found.cloned().ok_or_else(|| Error::new(Code::INTERNAL, "the decoder left out the rows' positions"))
    };
    let array = |column: &HiddenColumn| match column {
        HiddenColumn::FilePath => repeat(&(Arc::new(StringArray::from(vec![task.path.as_str()])) as ArrayRef), rows),
        HiddenColumn::RowIndex => positions(),
        HiddenColumn::RowId => {
            let positions = positions()?;
            let positions = positions.as_primitive::<Int64Type>();
            let id = |row: usize| task.base_row_id?.checked_add(positions.value(row));
            carried(batch, 2, id)
        }
        HiddenColumn::RowCommitVersion => carried(batch, 1, |_| task.default_row_commit_version),
    };
    columns.iter().map(array).collect()
}

/// What rows carry in the column that stands `from_end` places before the end, else what `otherwise` says.
fn carried(batch: &RecordBatch, from_end: usize, otherwise: impl Fn(usize) -> Option<i64>) -> Result<ArrayRef> {
    let column = batch.num_columns().checked_sub(from_end).and_then(|at| batch.column(at).as_primitive_opt::<Int64Type>());
    let column = column.ok_or_else(|| Error::new(Code::INTERNAL, "the ids of moved rows were not read"))?;
    let value = |row: usize| if column.is_valid(row) { Some(column.value(row)) } else { otherwise(row) };
    Ok(Arc::new((0..batch.num_rows()).map(value).collect::<Int64Array>()))
}

#[cfg(test)]
#[path = "hidden_tests.rs"]
mod tests;
