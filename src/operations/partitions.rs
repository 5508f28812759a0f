//! What it takes to replace the partitions that new rows fall into. Kind: edge. Spec: OPS.

use super::overwrite::{Removal, remove_of};
use crate::error::Result;
use crate::expr::{Expr, col, lit};
use crate::features::TableState;
use crate::log::{Add, NullableMap};
use crate::schema::{DataType, Scalar};
use crate::snapshot::{FileQuery, Snapshot};
use crate::transaction::ReadScope;
use futures::TryStreamExt;
use std::collections::BTreeMap;
use std::sync::Arc;

/// With more partitions than this the whole table counts as read.
const PARTITIONS_NAMED: usize = 500;

/// The values of a partition, by the text that stands for each of them; null is `None`.
type Key = Vec<Option<String>>;

/// Every file of this version that lies in a partition of `adds`, as the action that removes it, and what was read to find them.
/// Partitions are equal when their values are, null too, however they are spelled. `LB-CONSTRAINT` when the table forbids removing rows.
pub(super) async fn remove_partitions_of(base: &Arc<Snapshot>, adds: &[Add]) -> Result<(Removal, ReadScope)> {
    let partitions = Partitions::new(base.state());
    let mut wanted: BTreeMap<Key, Vec<Scalar>> = BTreeMap::new();
    for add in adds {
        let values = partitions.values(&add.partition_values)?;
        wanted.insert(key(&values)?, values);
    }
    let now = base.table().env().now().millis();
    let mut out = Removal::default();
    let mut files = base.files(FileQuery::default().full());
    while let Some(batch) = files.try_next().await? {
        for row in 0..batch.len() {
            let add = batch.add(row);
            if !wanted.contains_key(&key(&partitions.values(&add.partition_values)?)?) {
                continue;
            }
            out.bytes += u64::try_from(add.size).unwrap_or(0);
            let remove = remove_of(add, batch.num_records(row), now);
            base.state().check_remove(&remove)?;
            out.removes.push(remove);
        }
    }
    Ok((out, partitions.scope(wanted.into_values(), base.state())?))
}

/// Where the files of these partitions are looked for.
pub(super) fn scope_of<'a>(state: &TableState, partitions: impl Iterator<Item = &'a NullableMap>) -> Result<ReadScope> {
    let columns = Partitions::new(state);
    let values = partitions.map(|values| columns.values(values)).collect::<Result<Vec<_>>>()?;
    columns.scope(values.into_iter(), state)
}

fn key(values: &[Scalar]) -> Result<Key> {
    values.iter().map(Scalar::to_partition_text).collect()
}

/// The partition columns of a table: logical and physical name, type.
struct Partitions(Vec<(String, String, DataType)>);

impl Partitions {
    fn new(state: &TableState) -> Partitions {
        let column = |name: &String| {
            let at = state.schema().index_of(name)?;
            Some((name.clone(), state.physical_schema().fields[at].name.clone(), state.schema().fields[at].data_type.clone()))
        };
        Partitions(state.partition_columns().iter().filter_map(column).collect())
    }
    fn values(&self, texts: &NullableMap) -> Result<Vec<Scalar>> {
        let text = |physical: &String| texts.get(physical).and_then(|text| text.as_deref());
        self.0
            .iter()
            .map(|(name, physical, t)| Scalar::from_partition_text(text(physical), t).map_err(|e| e.with("column", name)))
            .collect()
    }
    /// Rows of one of these partitions.
    fn scope(&self, partitions: impl ExactSizeIterator<Item = Vec<Scalar>>, state: &TableState) -> Result<ReadScope> {
        if self.0.is_empty() || partitions.len() > PARTITIONS_NAMED {
            return Ok(ReadScope::Table);
        }
        let is_in = |values: Vec<Scalar>| {
            let named = self.0.iter().zip(values).map(|((name, ..), value)| {
                let column = col(&format!("`{}`", name.replace('`', "``")));
                if value == Scalar::Null { column.is_null() } else { column.eq(lit(value)) }
            });
            named.reduce(Expr::and)
        };
        match partitions.filter_map(is_in).reduce(Expr::or) {
            Some(predicate) => Ok(ReadScope::Predicate(predicate.bind(state.schema())?)),
            None => Ok(ReadScope::Files(Vec::new())),
        }
    }
}
