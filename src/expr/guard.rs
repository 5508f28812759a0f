//! AND and OR whose terms are computed one after the other, each for the rows that those before it have not decided. Kind: pure. Spec: EXP.
//!
//! Invariant: every term is computed at most once for a row, however deep such chains lie in each other.

use arrow::array::{Array, BooleanArray, RecordBatch};
use arrow::compute::{and_kleene, or_kleene};
use arrow::datatypes::{DataType, Schema};
use datafusion_common::Result;
use datafusion_common::cast::as_boolean_array;
use datafusion_expr::{ColumnarValue, Operator};
use datafusion_physical_expr::PhysicalExpr;
use std::fmt;
use std::sync::Arc;

/// A chain of one operator.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Guarded {
    /// AND or OR.
    op: Operator,
    terms: Vec<Arc<dyn PhysicalExpr>>,
}

impl Guarded {
    pub(super) fn new(op: Operator, terms: Vec<Arc<dyn PhysicalExpr>>) -> Guarded {
        Guarded { op, terms }
    }
    /// The rows that can still become another value.
    fn open(&self, known: &BooleanArray) -> BooleanArray {
        let decided = if self.op == Operator::Or { known.values().clone() } else { !known.values() };
        let decided = known.nulls().map_or(decided.clone(), |nulls| &decided & nulls.inner());
        BooleanArray::new(!&decided, None)
    }
}

impl fmt::Display for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, term) in self.terms.iter().enumerate() {
            let separator = if i == 0 { String::new() } else { format!(" {} ", self.op) };
            write!(f, "{separator}({term})")?;
        }
        Ok(())
    }
}

impl PhysicalExpr for Guarded {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(DataType::Boolean)
    }
    fn nullable(&self, _: &Schema) -> Result<bool> {
        Ok(true)
    }
    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let mut known = BooleanArray::from(vec![self.op == Operator::And; batch.num_rows()]);
        for term in &self.terms {
            let open = self.open(&known);
            if !open.has_true() {
                break;
            }
            let value = term.evaluate_selection(batch, &open)?.into_array(batch.num_rows())?;
            let value = as_boolean_array(&value)?;
            known = if self.op == Operator::And { and_kleene(&known, value)? } else { or_kleene(&known, value)? };
        }
        Ok(ColumnarValue::Array(Arc::new(known)))
    }
    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        self.terms.iter().collect()
    }
    fn with_new_children(self: Arc<Self>, terms: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        Ok(Arc::new(Guarded { op: self.op, terms }))
    }
    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
