//! Which variants of a file are kept in pieces, and the file's schema then. Kind: pure. Spec: VAR.
//!
//! The first rows of a file decide for all of it. Variants at the top and within structs are looked at; those in lists and maps stay
//! whole. Invariant: every field but the variants is that of the plan, in the same order.

use crate::data::shred::{Budget, Shape};
use crate::error::Result;
use crate::schema::is_variant;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType as ArrowType, Field, FieldRef, Fields, Schema, SchemaRef};
use std::sync::Arc;

/// How the variants of one file are kept in pieces.
#[derive(Debug)]
pub(super) struct Shredding {
    columns: Vec<Node>,
    schema: SchemaRef,
}

/// What becomes of a field.
#[derive(Debug)]
enum Node {
    Same,
    Variant(Shape),
    Struct(Vec<Node>),
}

/// Whether variants of these fields may be kept in pieces.
pub(super) fn has_variants(fields: &Fields) -> bool {
    fields.iter().any(|field| match field.data_type() {
        _ if is_variant(field) => true,
        ArrowType::Struct(inner) => has_variants(inner),
        _ => false,
    })
}

impl Shredding {
    /// What the first rows of a file call for; `None` when their variants are better off whole.
    pub(super) fn of(first: &RecordBatch) -> Result<Option<Shredding>> {
        let mut budget = Budget::default();
        let schema = first.schema();
        let columns = nodes(schema.fields(), first.columns(), None, &mut budget)?;
        if columns.iter().all(|node| matches!(node, Node::Same)) {
            return Ok(None);
        }
        let fields: Fields = schema.fields().iter().zip(&columns).map(|(field, node)| node.field(field)).collect();
        Ok(Some(Shredding { columns, schema: Arc::new(Schema::new(fields)) }))
    }
    /// The schema of the file.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }
    /// Rows as the file holds them.
    pub(super) fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let columns = self.columns.iter().zip(self.schema.fields()).zip(batch.columns());
        let columns = columns.map(|((node, field), column)| node.apply(field, column, None)).collect::<Result<Vec<_>>>()?;
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
    /// The places among the plan's Parquet columns at which variants begin that take more columns here, and how many more.
    pub(super) fn extra_columns(&self) -> Vec<(usize, usize)> {
        let (mut at, mut extra) = (0, Vec::new());
        for (node, field) in self.columns.iter().zip(self.schema.fields()) {
            node.extra_columns(field.data_type(), &mut at, &mut extra);
        }
        extra
    }
}

fn nodes(fields: &Fields, columns: &[ArrayRef], parent: Option<&NullBuffer>, budget: &mut Budget) -> Result<Vec<Node>> {
    fields.iter().zip(columns).map(|(field, column)| Node::of(field, column, parent, budget)).collect()
}

impl Node {
    fn of(field: &FieldRef, column: &ArrayRef, parent: Option<&NullBuffer>, budget: &mut Budget) -> Result<Node> {
        if is_variant(field) {
            return Ok(match Shape::of(column, parent, budget)? {
                Shape::Whole => Node::Same,
                shape => Node::Variant(shape),
            });
        }
        let Some(inner) = column.as_struct_opt() else { return Ok(Node::Same) };
        let nulls = NullBuffer::union(parent, inner.nulls());
        let inside = nodes(inner.fields(), inner.columns(), nulls.as_ref(), budget)?;
        Ok(if inside.iter().all(|node| matches!(node, Node::Same)) { Node::Same } else { Node::Struct(inside) })
    }
    fn field(&self, field: &FieldRef) -> FieldRef {
        let data_type = match (self, field.data_type()) {
            (Node::Variant(shape), _) => ArrowType::Struct(shape.columns()),
            (Node::Struct(inside), ArrowType::Struct(fields)) => {
                ArrowType::Struct(fields.iter().zip(inside).map(|(field, node)| node.field(field)).collect())
            }
            _ => return Arc::clone(field),
        };
        Arc::new(Field::clone(field).with_data_type(data_type))
    }
    fn apply(&self, field: &FieldRef, column: &ArrayRef, parent: Option<&NullBuffer>) -> Result<ArrayRef> {
        match (self, column.as_struct_opt(), field.data_type()) {
            (Node::Variant(shape), ..) => shape.apply(column, parent),
            (Node::Struct(inside), Some(whole), ArrowType::Struct(fields)) => {
                let nulls = NullBuffer::union(parent, whole.nulls());
                let columns = inside.iter().zip(fields).zip(whole.columns());
                let columns = columns.map(|((node, field), column)| node.apply(field, column, nulls.as_ref()));
                let columns = columns.collect::<Result<Vec<_>>>()?;
                Ok(Arc::new(StructArray::try_new(fields.clone(), columns, whole.nulls().cloned())?))
            }
            _ => Ok(Arc::clone(column)),
        }
    }
    /// Counts on to the Parquet column after this field, as the plan has them.
    fn extra_columns(&self, data_type: &ArrowType, at: &mut usize, extra: &mut Vec<(usize, usize)>) {
        match (self, data_type) {
            (Node::Variant(shape), _) => {
                extra.push((*at, shape.typed_columns()));
                *at += 2;
            }
            (Node::Struct(inside), ArrowType::Struct(fields)) => {
                inside.iter().zip(fields).for_each(|(node, field)| node.extra_columns(field.data_type(), at, extra));
            }
            _ => *at += parquet_columns(data_type),
        }
    }
}

/// How many Parquet columns an Arrow type takes.
fn parquet_columns(data_type: &ArrowType) -> usize {
    match data_type {
        ArrowType::Struct(fields) => fields.iter().map(|field| parquet_columns(field.data_type())).sum(),
        ArrowType::List(inner) | ArrowType::Map(inner, _) => parquet_columns(inner.data_type()),
        _ => 1,
    }
}

#[cfg(test)]
#[path = "shred_tests.rs"]
mod tests;
