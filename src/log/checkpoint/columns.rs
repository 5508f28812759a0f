//! `stats_parsed` and `partitionValues_parsed`: statistics and partition values as typed columns. Kind: pure. Spec: CKP.
//!
//! Invariant: names are physical, types are the table's, and a value that is unknown is null.

use crate::error::{Code, Error, Result};
use crate::log::batch::FileRows;
use crate::log::stats::{FileStats, LeafStats, StatsReader, partition_column};
use crate::schema::{DataType, Field};
use arrow::array::{Array, ArrayRef, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{Field as ArrowField, Fields};
use arrow::error::ArrowError;
use std::sync::Arc;

/// The `stats_parsed` column of files whose statistics are `stats`. (CKP-9)
pub(crate) fn stats_struct(reader: &StatsReader, stats: &FileStats) -> Result<StructArray> {
    let mut min = Node::default();
    let mut max = Node::default();
    let mut nulls = Node::default();
    for (leaf, stats) in reader.leaves().iter().zip(&stats.leaves) {
        // Spark keeps no bounds of booleans.
        if let (Some((least, greatest)), false) = (&stats.bounds, leaf.data_type == DataType::Boolean) {
            min.insert(&leaf.path, Arc::clone(least));
            max.insert(&leaf.path, Arc::clone(greatest));
        }
        nulls.insert(&leaf.path, Arc::new(stats.nulls.clone()));
    }
    let mut top = Node::default();
    let at = |name: &str| [name.to_owned()];
    top.insert(&at("numRecords"), Arc::new(stats.records.clone()));
    for (name, node) in [("minValues", min), ("maxValues", max), ("nullCount", nulls)] {
        if !node.children.is_empty() {
            top.insert(&at(name), Arc::new(node.build()?));
        }
    }
    top.insert(&at("tightBounds"), Arc::new(stats.tight.clone()));
    // Where nothing is known there are no statistics, not empty ones.
    let known = |row: usize| {
        let leaf = |l: &LeafStats| {
            l.nulls.is_valid(row) || l.bounds.as_ref().is_some_and(|(least, greatest)| least.is_valid(row) || greatest.is_valid(row))
        };
        stats.records.is_valid(row) || stats.tight.is_valid(row) || stats.leaves.iter().any(leaf)
    };
    let known: Vec<bool> = (0..stats.records.len()).map(known).collect();
    let (fields, columns, _) = top.build()?.into_parts();
    StructArray::try_new(fields, columns, Some(NullBuffer::from(known))).map_err(misaligned)
}

/// The `partitionValues_parsed` column; `None` when the table has no partitions. Fields carry physical names.
pub(crate) fn partition_struct(rows: &FileRows, columns: &[Field]) -> Result<Option<StructArray>> {
    let mut top = Node::default();
    for column in columns {
        top.insert(std::slice::from_ref(&column.name), partition_column(rows, &column.name, &column.data_type)?.values);
    }
    if columns.is_empty() { Ok(None) } else { top.build().map(Some) }
}

/// A struct under construction, children in the order of insertion.
#[derive(Default)]
struct Node {
    children: Vec<(String, Child)>,
}

enum Child {
    Leaf(ArrayRef),
    Inside(Node),
}

impl Node {
    fn insert(&mut self, path: &[String], array: ArrayRef) {
        let Some((name, rest)) = path.split_first() else { return };
        if rest.is_empty() {
            self.children.push((name.clone(), Child::Leaf(array)));
            return;
        }
        if let Some((_, Child::Inside(inner))) = self.children.iter_mut().find(|(n, _)| n == name) {
            return inner.insert(rest, array);
        }
        let mut inner = Node::default();
        inner.insert(rest, array);
        self.children.push((name.clone(), Child::Inside(inner)));
    }
    fn build(self) -> Result<StructArray> {
        let mut fields = Vec::new();
        let mut arrays: Vec<ArrayRef> = Vec::new();
        for (name, child) in self.children {
            let array: ArrayRef = match child {
                Child::Leaf(array) => array,
                Child::Inside(inner) => Arc::new(inner.build()?),
            };
            fields.push(ArrowField::new(name, array.data_type().clone(), true));
            arrays.push(array);
        }
        StructArray::try_new(Fields::from(fields), arrays, None).map_err(misaligned)
    }
}

fn misaligned(cause: ArrowError) -> Error {
    Error::new(Code::INTERNAL, "statistics columns do not line up").caused_by(cause)
}
