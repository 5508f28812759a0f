//! Values into the columns of a shape, one after the other. Kind: pure. Spec: VAR.

use super::leaf::{decimal, long};
use super::{Leaf, Shape};
use crate::error::Result;
use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float32Builder, Float64Builder, Int64Builder,
    NullBufferBuilder, StringBuilder, StructArray, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType as ArrowType, Date32Type, Decimal128Type, DecimalType, Fields};
use parquet_variant::{ObjectBuilder, ReadOnlyMetadataBuilder, Variant, VariantObject};
use parquet_variant_compute::VariantValueArrayBuilder;
use std::collections::HashMap;
use std::sync::Arc;

/// The columns of one value, being filled.
pub(super) struct Piece {
    fields: Fields,
    rows: usize,
    /// What no typed column takes.
    values: VariantValueArrayBuilder,
    typed: Typed,
}

enum Typed {
    None,
    Leaf(Column),
    Object { names: HashMap<String, usize>, fields: Fields, pieces: Vec<Piece>, nulls: NullBufferBuilder },
}

impl Piece {
    pub(super) fn new(shape: &Shape, capacity: usize) -> Piece {
        let fields = shape.pieces();
        let typed = match shape {
            Shape::Whole => Typed::None,
            Shape::Leaf(leaf) => Typed::Leaf(Column::new(*leaf)),
            Shape::Object(children) => Typed::Object {
                names: children.iter().enumerate().map(|(i, (name, _))| (name.clone(), i)).collect(),
                fields: match fields.last().map(|typed| typed.data_type()) {
                    Some(ArrowType::Struct(fields)) => fields.clone(),
                    _ => Fields::empty(),
                },
                pieces: children.iter().map(|(_, shape)| Piece::new(shape, capacity)).collect(),
                nulls: NullBufferBuilder::new(capacity),
            },
        };
        Piece { fields, rows: 0, values: VariantValueArrayBuilder::new(capacity), typed }
    }
    /// There is no value.
    pub(super) fn push_missing(&mut self) {
        self.rows += 1;
        self.values.append_null();
        self.typed.push_null();
    }
    pub(super) fn push(&mut self, value: &Variant<'_, '_>) -> Result<()> {
        self.rows += 1;
        match (&mut self.typed, value) {
            (Typed::Leaf(column), value) => match column.push(value) {
                true => self.values.append_null(),
                false => {
                    column.push_null();
                    self.values.append_value(value.clone());
                }
            },
            (Typed::Object { names, pieces, nulls, .. }, Variant::Object(object)) => {
                nulls.append_non_null();
                let rows = self.rows;
                let mut rest = Vec::new();
                for (name, value) in object.iter() {
                    match names.get(name).and_then(|at| pieces.get_mut(*at)) {
                        Some(piece) => piece.push(&value)?,
                        None => rest.push((name, value)),
                    }
                }
                pieces.iter_mut().filter(|piece| piece.rows < rows).for_each(Piece::push_missing);
                self.push_rest(object, rest)?;
            }
            (typed, value) => {
                typed.push_null();
                self.values.append_value(value.clone());
            }
        }
        Ok(())
    }
    /// Keeps the fields of an object that have no columns.
    fn push_rest(&mut self, object: &VariantObject<'_, '_>, rest: Vec<(&str, Variant<'_, '_>)>) -> Result<()> {
        if rest.is_empty() {
            self.values.append_null();
            return Ok(());
        }
        let metadata = object.metadata.clone();
        let mut names = ReadOnlyMetadataBuilder::new(&metadata);
        let mut builder = ObjectBuilder::new(self.values.parent_state(&mut names), false);
        for (name, value) in rest {
            builder.try_insert_bytes(name, value)?;
        }
        builder.finish();
        Ok(())
    }
    /// The columns; there is a value in every row, if only a missing one.
    pub(super) fn finish(self) -> Result<StructArray> {
        let Piece { fields, values, typed, .. } = self;
        let typed: Option<ArrayRef> = match typed {
            Typed::None => None,
            Typed::Leaf(mut column) => Some(column.finish()),
            Typed::Object { fields, pieces, mut nulls, .. } => {
                let pieces = pieces.into_iter().map(|piece| Ok(Arc::new(piece.finish()?) as ArrayRef)).collect::<Result<Vec<_>>>()?;
                Some(Arc::new(StructArray::try_new(fields, pieces, nulls.finish())?))
            }
        };
        let values: ArrayRef = Arc::new(values.build()?);
        Ok(StructArray::try_new(fields, std::iter::once(values).chain(typed).collect(), None)?)
    }
}

impl Typed {
    fn push_null(&mut self) {
        match self {
            Typed::None => {}
            Typed::Leaf(column) => column.push_null(),
            Typed::Object { pieces, nulls, .. } => {
                nulls.append_null();
                pieces.iter_mut().for_each(Piece::push_missing);
            }
        }
    }
}

/// A typed column, being filled.
enum Column {
    Boolean(BooleanBuilder),
    Long(Int64Builder),
    Float(Float32Builder),
    Double(Float64Builder),
    Decimal(Decimal128Builder, u8, u8),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
    TimestampNtz(TimestampMicrosecondBuilder),
    Text(StringBuilder),
    Binary(BinaryBuilder),
}

/// Does the same with every kind of column.
macro_rules! each {
    ($column:expr, $builder:ident => $does:expr) => {
        match $column {
            Column::Boolean($builder) => $does,
            Column::Long($builder) => $does,
            Column::Float($builder) => $does,
            Column::Double($builder) => $does,
            Column::Decimal($builder, ..) => $does,
            Column::Date($builder) => $does,
            Column::Timestamp($builder) | Column::TimestampNtz($builder) => $does,
            Column::Text($builder) => $does,
            Column::Binary($builder) => $does,
        }
    };
}

impl Column {
    fn new(leaf: Leaf) -> Column {
        let micros = || TimestampMicrosecondBuilder::new().with_data_type(leaf.arrow());
        match leaf {
            Leaf::Boolean => Column::Boolean(BooleanBuilder::new()),
            Leaf::Long => Column::Long(Int64Builder::new()),
            Leaf::Float => Column::Float(Float32Builder::new()),
            Leaf::Double => Column::Double(Float64Builder::new()),
            Leaf::Decimal(..) => match leaf.arrow() {
                ArrowType::Decimal128(precision, scale) => {
                    Column::Decimal(Decimal128Builder::new().with_data_type(leaf.arrow()), precision, scale.unsigned_abs())
                }
                _ => Column::Decimal(Decimal128Builder::new(), Decimal128Type::MAX_PRECISION, 0),
            },
            Leaf::Date => Column::Date(Date32Builder::new()),
            Leaf::Timestamp => Column::Timestamp(micros()),
            Leaf::TimestampNtz => Column::TimestampNtz(micros()),
            Leaf::Text => Column::Text(StringBuilder::new()),
            Leaf::Binary => Column::Binary(BinaryBuilder::new()),
        }
    }
    /// Takes the value if it is one of this column.
    fn push(&mut self, value: &Variant<'_, '_>) -> bool {
        match (self, value) {
            (Column::Boolean(to), Variant::BooleanTrue) => to.append_value(true),
            (Column::Boolean(to), Variant::BooleanFalse) => to.append_value(false),
            (Column::Long(to), value) => match long(value) {
                Some(value) => to.append_value(value),
                None => return false,
            },
            (Column::Float(to), Variant::Float(value)) => to.append_value(*value),
            (Column::Double(to), Variant::Double(value)) => to.append_value(*value),
            (Column::Decimal(to, precision, scale), value) => match rescaled(value, *precision, *scale) {
                Some(value) => to.append_value(value),
                None => return false,
            },
            (Column::Date(to), Variant::Date(value)) => to.append_value(Date32Type::from_naive_date(*value)),
            (Column::Timestamp(to), Variant::TimestampMicros(value)) => to.append_value(value.timestamp_micros()),
            (Column::TimestampNtz(to), Variant::TimestampNtzMicros(value)) => to.append_value(value.and_utc().timestamp_micros()),
            (Column::Text(to), Variant::String(value)) => to.append_value(value),
            (Column::Text(to), Variant::ShortString(value)) => to.append_value(value.as_str()),
            (Column::Binary(to), Variant::Binary(value)) => to.append_value(value),
            _ => return false,
        }
        true
    }
    fn push_null(&mut self) {
        each!(self, builder => builder.append_null());
    }
    fn finish(&mut self) -> ArrayRef {
        each!(self, builder => Arc::new(builder.finish()))
    }
}

/// The digits of a number with so many of them behind the point, if it is exactly that number.
fn rescaled(value: &Variant<'_, '_>, precision: u8, scale: u8) -> Option<i128> {
    let (unscaled, from) = decimal(value)?;
    let digits = unscaled.checked_mul(10i128.checked_pow(u32::from(scale.checked_sub(from)?))?)?;
    (digits.unsigned_abs() < 10u128.checked_pow(u32::from(precision))?).then_some(digits)
}
