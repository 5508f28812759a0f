//! "Can this container of rows match?" over columnar statistics. Kind: pure. Spec: SKIP.

use super::BoundExpr;
use crate::error::Result;
use crate::schema::{FieldPath, Struct};
use arrow::array::{ArrayRef, BooleanArray, UInt64Array};

/// Statistics of many containers (files, row groups, pages), one row each. Everything may be unknown (`None`, or null in a row).
pub trait ColumnStats {
    /// How many containers.
    fn containers(&self) -> usize;
    /// A value that is <= every non-null value of the leaf column, in the column's Arrow type.
    fn min(&self, column: &FieldPath) -> Option<ArrayRef>;
    /// A value that is >= every non-null value.
    fn max(&self, column: &FieldPath) -> Option<ArrayRef>;
    /// How many values are null; null where that is not exactly known.
    fn null_count(&self, column: &FieldPath) -> Option<UInt64Array>;
    /// How many rows.
    fn row_count(&self) -> Option<UInt64Array>;
}

/// A predicate turned into a test over statistics.
#[derive(Clone, Debug)]
pub struct Pruner {}

impl Pruner {
    /// Prepares the test. Parts of the predicate that statistics cannot decide count as "may match".
    pub fn new(filter: &BoundExpr, schema: &Struct) -> Result<Pruner> {
        let _ = (filter, schema);
        todo!("expr room")
    }
    /// Leaf columns (logical paths) whose statistics the test reads. Empty: it keeps everything.
    pub fn columns(&self) -> &[FieldPath] {
        todo!("expr room")
    }
    /// One value a container: false only if no row in it can match.
    pub fn keep(&self, stats: &dyn ColumnStats) -> Result<BooleanArray> {
        let _ = stats;
        todo!("expr room")
    }
}
