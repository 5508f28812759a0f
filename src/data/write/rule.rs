//! One condition that rows must fulfil besides those of their table. Kind: pure. Spec: OPS.

use super::checks::Checks;
use super::stages::Conform;
use crate::error::Result;
use crate::features::{RowCheck, TableState};
use crate::schema::DataType;
use arrow::array::RecordBatch;
use std::sync::Arc;

/// A condition, with how many rows it has seen.
pub(crate) struct RowRule {
    state: Arc<TableState>,
    checks: Checks,
    conform: Option<Conform>,
    partition: Vec<usize>,
    rows: u64,
}

impl RowRule {
    /// For rows of tables of this state. `LB-FEATURE-WRITE` for a condition that does not fit its columns.
    pub(crate) fn new(state: &Arc<TableState>, check: RowCheck) -> Result<RowRule> {
        let stored = state.schema().fields.iter().filter(|f| f.data_type != DataType::Void).enumerate();
        let partition = stored.filter(|(_, f)| state.partition_columns().contains(&f.name)).map(|(i, _)| i).collect();
        Ok(RowRule { checks: Checks::new(&[check], state)?, state: Arc::clone(state), conform: None, partition, rows: 0 })
    }
    /// `LB-CONSTRAINT` names the first rows, counted over all batches, for which it is not TRUE.
    pub(crate) fn check(&mut self, batch: &RecordBatch) -> Result<()> {
        if !self.conform.as_ref().is_some_and(|c| c.fits(batch.schema_ref())) {
            self.conform = Some(Conform::new(batch.schema(), self.state.schema())?);
        }
        if let Some(conform) = &self.conform {
            self.checks.check(conform, batch, &[], &self.state, &self.partition, self.rows)?;
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }
}
