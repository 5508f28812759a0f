//! Change files: the rows of a table with what happened to them, for readers of the feed. Kind: edge. Spec: ROW.
//!
//! They lie under `_change_data/` in folders like those of data files, have no statistics that anyone reads, and never belong to the
//! table itself.

use super::stages::{Conform, schema_of};
use super::{DataWriter, Layout, WriteOptions};
use crate::error::Result;
use crate::features::{CHANGE_TYPE, HiddenColumn, TableState};
use crate::table::Table;
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType as ArrowType, Field as ArrowField};
use std::sync::Arc;

const FOLDER: &str = "_change_data/";

/// What happened to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    Insert,
    Delete,
    UpdatePreimage,
    UpdatePostimage,
}

impl ChangeKind {
    fn as_str(self) -> &'static str {
        match self {
            ChangeKind::Insert => "insert",
            ChangeKind::Delete => "delete",
            ChangeKind::UpdatePreimage => "update_preimage",
            ChangeKind::UpdatePostimage => "update_postimage",
        }
    }
}

impl DataWriter {
    /// A writer of change files for tables of this state; errors as `new`. What `finish` gives are no files of the table.
    pub(crate) fn of_changes(table: &Table, state: Arc<TableState>, options: WriteOptions) -> Result<Self> {
        let mut writer = DataWriter::new(table, state, options)?;
        writer.layout.take_changes();
        Ok(writer)
    }
    /// Takes rows as they stood in the table or stand there now: complete, and checked before.
    pub(crate) async fn write_change(&mut self, kind: ChangeKind, batch: RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let batch = without_hidden(&batch)?;
        let fits = self.conform.as_ref().is_some_and(|c| c.fits(batch.schema_ref()));
        if !fits {
            self.conform = Some(Conform::new(batch.schema(), self.state.schema())?);
        }
        let Some(conform) = &self.conform else { return Ok(()) };
        let mut columns = conform.apply(&batch, self.state.schema(), &self.layout.stored, &self.layout.partition, self.rows)?;
        columns.push(Arc::new(StringArray::from(vec![kind.as_str(); batch.num_rows()])) as ArrayRef);
        self.rows += batch.num_rows() as u64;
        for part in self.layout.split(columns, None, batch.num_rows())? {
            self.write_part(part).await?;
        }
        self.keep_within_memory().await
    }
}

impl Layout {
    /// Makes it that of change files: one column more, under another folder and name.
    fn take_changes(&mut self) {
        self.folder = FOLDER;
        self.prefix = "cdc";
        self.stored.push(ArrowField::new(CHANGE_TYPE, ArrowType::Utf8, true));
        self.in_files.push(self.stored.len() - 1);
        self.plan.schema = schema_of(self.in_files.iter().map(|i| self.stored[*i].clone()).collect());
    }
}

/// The columns of the table alone.
fn without_hidden(batch: &RecordBatch) -> Result<RecordBatch> {
    let is_hidden = |name: &str| HiddenColumn::ALL.iter().any(|hidden| hidden.name() == name);
    let shown: Vec<usize> = (0..batch.num_columns()).filter(|i| !is_hidden(batch.schema_ref().field(*i).name())).collect();
    Ok(batch.project(&shown)?)
}
