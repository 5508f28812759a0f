//! Columns that no schema names: where a row lies in its file. Kind: pure. Spec: ROW.
//!
//! Invariant: a row's position counts every row of the file, whatever pruning, vectors and filters leave out.

use crate::data::columns::repeat;
use crate::error::{Code, Error, Result};
use crate::features::HiddenColumn;
use arrow::array::{Array, ArrayRef, StringArray};
use arrow::datatypes::{DataType as ArrowType, Field, FieldRef};
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

/// The hidden columns of a batch of the file at `path`; `positions` is what the decoder made.
pub(super) fn arrays(columns: &[HiddenColumn], path: &str, positions: Option<&ArrayRef>, rows: usize) -> Result<Vec<ArrayRef>> {
    let positions = || {
        let found = positions.filter(|p| p.len() == rows && *p.data_type() == ArrowType::Int64);
        found.cloned().ok_or_else(|| Error::new(Code::INTERNAL, "the decoder left out the rows' positions"))
    };
    let array = |column: &HiddenColumn| match column {
        HiddenColumn::FilePath => repeat(&(Arc::new(StringArray::from(vec![path])) as ArrayRef), rows),
        HiddenColumn::RowIndex => positions(),
        other => Err(Error::new(Code::SCHEMA, "the table keeps no row ids").with("column", other.name())),
    };
    columns.iter().map(array).collect()
}

#[cfg(test)]
#[path = "hidden_tests.rs"]
mod tests;
