//! Variants -> pieces in typed columns, as Parquet keeps them. Kind: pure. Spec: VAR.
//!
//! Values are sorted into columns by exactly their type; casts of the library, which read a 1 out of true, take no part. Invariant: the
//! pieces put together again say what the variant said; only integers and decimals may come back in a wider type.

mod build;
mod infer;
mod leaf;

use super::variant::parse;
use crate::error::{Code, Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType as ArrowType, Field as ArrowField, Fields};
use build::Piece;
use leaf::Leaf;
use std::sync::Arc;

pub(super) use infer::Budget;

/// Which columns the pieces of a variant go to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// One binary value.
    Whole,
    /// Values of this type have a column of their own.
    Leaf(Leaf),
    /// These fields of objects have columns of their own, in this order.
    Object(Vec<(String, Shape)>),
}

impl Shape {
    /// What the first of these variants call for; rows that are null in `parent` count for nothing.
    pub(super) fn of(variants: &ArrayRef, parent: Option<&NullBuffer>, budget: &mut Budget) -> Result<Shape> {
        let rows = Rows::new(variants, parent)?;
        infer::shape(&rows, budget)
    }
    /// The columns of a variant in this shape.
    pub(super) fn columns(&self) -> Fields {
        let metadata = ArrowField::new("metadata", ArrowType::Binary, false);
        std::iter::once(Arc::new(metadata)).chain(self.pieces().iter().cloned()).collect()
    }
    /// How many Parquet columns hold typed values and what lies in them.
    pub(super) fn typed_columns(&self) -> usize {
        match self {
            Shape::Whole => 0,
            Shape::Leaf(_) => 1,
            Shape::Object(fields) => fields.iter().map(|(_, shape)| 1 + shape.typed_columns()).sum(),
        }
    }
    /// The variants in this shape.
    pub(super) fn apply(&self, variants: &ArrayRef, parent: Option<&NullBuffer>) -> Result<ArrayRef> {
        let rows = Rows::new(variants, parent)?;
        let mut piece = Piece::new(self, rows.len());
        for row in 0..rows.len() {
            match rows.bytes(row) {
                Some((metadata, value)) => piece.push(&parse(metadata, value)?)?,
                None => piece.push_missing(),
            }
        }
        let (_, columns, _) = piece.finish()?.into_parts();
        let columns = std::iter::once(Arc::clone(rows.metadata)).chain(columns).collect();
        Ok(Arc::new(StructArray::try_new(self.columns(), columns, rows.whole.nulls().cloned())?))
    }
    /// The columns of a value in this shape.
    fn pieces(&self) -> Fields {
        let value = ArrowField::new("value", ArrowType::BinaryView, true);
        let typed = match self {
            Shape::Whole => None,
            Shape::Leaf(leaf) => Some(leaf.arrow()),
            Shape::Object(fields) => {
                let field = |(name, shape): &(String, Shape)| ArrowField::new(name, ArrowType::Struct(shape.pieces()), false);
                Some(ArrowType::Struct(fields.iter().map(field).collect()))
            }
        };
        let typed = typed.map(|typed| ArrowField::new("typed_value", typed, true));
        std::iter::once(value).chain(typed).collect()
    }
}

/// Variants that are whole.
struct Rows<'a> {
    whole: &'a StructArray,
    metadata: &'a ArrayRef,
    value: &'a ArrayRef,
    nulls: Option<NullBuffer>,
}

impl<'a> Rows<'a> {
    fn new(variants: &'a ArrayRef, parent: Option<&NullBuffer>) -> Result<Rows<'a>> {
        let unexpected = || Error::new(Code::INTERNAL, format!("a variant came as {}", variants.data_type()));
        let whole = variants.as_struct_opt().ok_or_else(unexpected)?;
        let piece = |name| whole.column_by_name(name).filter(|c| *c.data_type() == ArrowType::Binary).ok_or_else(unexpected);
        Ok(Rows { whole, metadata: piece("metadata")?, value: piece("value")?, nulls: NullBuffer::union(parent, whole.nulls()) })
    }
    fn len(&self) -> usize {
        self.whole.len()
    }
    /// Metadata and value; `None` where there is no variant.
    fn bytes(&self, row: usize) -> Option<(&'a [u8], &'a [u8])> {
        let there = self.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        there.then(|| (self.metadata.as_binary::<i32>().value(row), self.value.as_binary::<i32>().value(row)))
    }
}

#[cfg(test)]
#[path = "shred_tests.rs"]
mod tests;
