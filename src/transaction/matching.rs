//! Whether a file that another commit added or removed may hold rows that we read. Kind: pure. Spec: CON.
//!
//! Invariant: what cannot be decided matches.

use crate::error::Result;
use crate::expr::{BoundExpr, ColumnStats, Pruner};
use crate::features::TableState;
use crate::log::{Add, NullableMap, Remove};
use crate::schema::{FieldPath, Scalar};
use arrow::array::{Array, ArrayRef, UInt64Array};
use arrow::compute::concat;

/// The first of `adds` that may hold rows for which `predicate` is TRUE.
pub(super) fn matching_add<'a>(predicate: &BoundExpr, state: &TableState, adds: &[&'a Add]) -> Option<&'a Add> {
    let values: Vec<_> = adds.iter().map(|a| Some(&a.partition_values)).collect();
    first_match(predicate, state, &values).map(|i| adds[i])
}

/// The first of `removes` that may hold such rows.
pub(super) fn matching_remove<'a>(predicate: &BoundExpr, state: &TableState, removes: &[&'a Remove]) -> Option<&'a Remove> {
    let values: Vec<_> = removes.iter().map(|r| r.partition_values.as_ref()).collect();
    first_match(predicate, state, &values).map(|i| removes[i])
}

fn first_match(predicate: &BoundExpr, state: &TableState, values: &[Option<&NullableMap>]) -> Option<usize> {
    if let Some(unknown) = values.iter().position(Option::is_none) {
        return Some(unknown);
    }
    let values: Vec<_> = values.iter().flatten().copied().collect();
    if values.is_empty() {
        return None;
    }
    let kept = Pruner::new(predicate, state.schema()).and_then(|pruner| pruner.keep(&PartitionStats { state, files: &values }));
    match kept {
        Ok(kept) => (0..values.len()).find(|&i| i >= kept.len() || kept.is_null(i) || kept.value(i)),
        Err(_) => Some(0),
    }
}

/// Partition values as statistics: each is the minimum and the maximum of its file.
struct PartitionStats<'a> {
    state: &'a TableState,
    files: &'a [&'a NullableMap],
}

impl PartitionStats<'_> {
    fn scalars(&self, column: &FieldPath) -> Option<Result<(Vec<Scalar>, ArrayRef)>> {
        let [name] = column.as_slice() else { return None };
        if !self.state.partition_columns().iter().any(|p| p.eq_ignore_ascii_case(name)) {
            return None;
        }
        let physical = self.state.physical_name(name)?;
        let data_type = &self.state.schema().field(name)?.data_type;
        if self.files.iter().any(|f| !f.contains_key(physical)) {
            return None;
        }
        let read = || -> Result<_> {
            let texts = self.files.iter().map(|f| f.get(physical).and_then(|v| v.as_deref()));
            let scalars = texts.map(|t| Scalar::from_partition_text(t, data_type)).collect::<Result<Vec<_>>>()?;
            let arrays = scalars.iter().map(|s| s.to_array(data_type, 1)).collect::<Result<Vec<_>>>()?;
            let parts: Vec<&dyn Array> = arrays.iter().map(|a| a.as_ref()).collect();
            Ok((scalars, concat(&parts)?))
        };
        Some(read())
    }
}

impl ColumnStats for PartitionStats<'_> {
    fn containers(&self) -> usize {
        self.files.len()
    }
    fn min(&self, column: &FieldPath) -> Option<ArrayRef> {
        self.scalars(column)?.ok().map(|(_, array)| array)
    }
    fn max(&self, column: &FieldPath) -> Option<ArrayRef> {
        self.min(column)
    }
    /// A null partition value makes every row null, any other none; the number of rows stands for "all".
    fn null_count(&self, column: &FieldPath) -> Option<UInt64Array> {
        let (scalars, _) = self.scalars(column)?.ok()?;
        Some(scalars.iter().map(|s| Some(u64::from(*s == Scalar::Null))).collect())
    }
    fn row_count(&self) -> Option<UInt64Array> {
        Some(UInt64Array::from(vec![1; self.files.len()]))
    }
}
