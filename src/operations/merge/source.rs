//! The source, read once: kept in memory while it fits its share of the budget, then on disk. Kind: edge. Spec: MRG, EXE.
//!
//! Only columns that something reads are kept, under their joint names.

use super::plan::Plan;
use super::reads::Reads;
use crate::data::input::InputRows;
use crate::env::{Env, Reservation};
use crate::error::{Code, Error, Result};
use crate::exec::{KeyIndex, Keys, Partition, Partitions, Runtime, partition_count};
use crate::expr::{Expr, typed_literal};
use crate::schema::{DataType, Scalar, Struct};
use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{Field as ArrowField, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use futures::StreamExt;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How many different keys are remembered one by one.
const KEYS_MAX: usize = 1_000;
/// Which part of the budget the source may hold.
const SHARE: u64 = 4;

/// All rows of the source with their keys.
pub(super) struct Source {
    pub schema: SchemaRef,
    pub rows: u64,
    pub held: Rows,
    /// What a target row's key must be for it to match, as far as that is known.
    pub filter: Option<Expr>,
}

pub(super) enum Rows {
    Held {
        rows: Vec<(RecordBatch, Keys)>,
        _memory: Vec<Reservation>,
    },
    /// In partitions on disk.
    Spilled(Runtime, Vec<Partition>),
}

/// How many bytes of source rows may be held at once.
pub(super) fn share(env: &Env) -> u64 {
    env.memory().limit() / SHARE
}

/// What a batch and its keys hold.
pub(super) fn bytes_of(batch: &RecordBatch) -> u64 {
    batch.get_array_memory_size() as u64 + batch.num_rows() as u64 * KeyIndex::ROW_BYTES
}

/// The keys of joint rows.
pub(super) fn keys_of(plan: &Plan, joint: &RecordBatch, of_source: bool) -> Result<Keys> {
    let columns = plan.equalities.iter().map(|e| if of_source { &e.source } else { &e.target }.evaluate(joint));
    let null_safe: Vec<bool> = plan.equalities.iter().map(|e| e.null_safe).collect();
    Keys::of(&columns.collect::<Result<Vec<_>>>()?, &null_safe, joint.num_rows())
}

impl Source {
    /// Reads every batch.
    pub async fn read(plan: &Plan, rows: InputRows, env: &Env) -> Result<Source> {
        let columns = Columns::new(plan, &Reads::new(plan).source, &rows.schema)?;
        let mut batches = rows.batches;
        let mut ranges: Vec<Range> = plan.equalities.iter().map(|e| Range::new(e.source.data_type())).collect::<Result<_>>()?;
        let (mut held, mut memory, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut spilling: Option<(Runtime, Partitions)> = None;
        let mut rows = 0;
        while let Some(batch) = batches.next().await {
            let joint = columns.of(&batch?)?;
            if joint.num_rows() == 0 {
                continue;
            }
            rows += joint.num_rows() as u64;
            let keys = keys_of(plan, &joint, true)?;
            for (equality, range) in plan.equalities.iter().zip(&mut ranges) {
                range.widen(&equality.source.evaluate(&joint)?)?;
            }
            if let Some((_, partitions)) = &mut spilling {
                partitions.push(&joint, &keys)?;
                continue;
            }
            let size = bytes_of(&joint);
            bytes += size;
            let reserved = if bytes > share(env) { None } else { env.memory().try_reserve(size) };
            held.push((joint, keys));
            match reserved {
                Some(reserved) => memory.push(reserved),
                None => {
                    let runtime = Runtime::new(env)?;
                    let mut partitions = Partitions::new(&runtime, &columns.schema, partition_count(plan.equalities.len()))?;
                    held.drain(..).try_for_each(|(batch, keys)| partitions.push(&batch, &keys))?;
                    memory.clear();
                    spilling = Some((runtime, partitions));
                }
            }
        }
        let held = match spilling {
            Some((runtime, partitions)) => Rows::Spilled(runtime, partitions.finish()?),
            None => Rows::Held { rows: held, _memory: memory },
        };
        let joint = plan.sides.joint();
        let terms = plan.equalities.iter().zip(ranges).filter(|(e, _)| !e.null_safe).map(|(e, range)| range.of(&e.target_value, &joint));
        let terms = terms.collect::<Result<Vec<_>>>()?;
        let filter = terms.into_iter().flatten().reduce(Expr::and);
        Ok(Source { schema: columns.schema, rows, held, filter })
    }
}

/// Which columns of the source are kept, and as what.
struct Columns {
    /// The name of each in the batches that come, and the field that it is here.
    kept: Vec<(String, ArrowField)>,
    schema: SchemaRef,
}

impl Columns {
    fn new(plan: &Plan, needed: &BTreeSet<String>, schema: &SchemaRef) -> Result<Columns> {
        let source: &Struct = &plan.sides.source.schema;
        let mut kept = Vec::new();
        for (at, field) in source.fields.iter().enumerate() {
            let joint = plan.sides.joint_name(&field.name);
            if !needed.contains(&joint) {
                continue;
            }
            let given = schema.fields().get(at).ok_or_else(|| Error::new(Code::INTERNAL, "a column of the source was lost"))?;
            // Leaves come in the form in which expressions take them; what is nested stays as it is.
            let data_type = if given.data_type().is_nested() { given.data_type().clone() } else { field.data_type.to_arrow()? };
            kept.push((field.name.clone(), ArrowField::new(joint, data_type, true).with_metadata(given.metadata().clone())));
        }
        let schema = Arc::new(Schema::new(kept.iter().map(|(_, f)| f.clone()).collect::<Vec<_>>()));
        Ok(Columns { kept, schema })
    }
    fn of(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let array = |(name, field): &(String, ArrowField)| -> Result<ArrayRef> {
            let Some(array) = batch.column_by_name(name) else { return Ok(new_null_array(field.data_type(), batch.num_rows())) };
            let unfit = |e: ArrowError| Error::new(Code::SCHEMA, "values of the source differ in type").with("column", name).caused_by(e);
            Ok(if array.data_type() == field.data_type() { Arc::clone(array) } else { cast(array, field.data_type()).map_err(unfit)? })
        };
        let arrays = self.kept.iter().map(array).collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)?)
    }
}

/// The values that a key has, in a form of which bytes compare like values.
struct Range {
    data_type: DataType,
    converter: RowConverter,
    bounds: Option<(Box<[u8]>, Box<[u8]>)>,
    /// The values, while there are few.
    values: Option<BTreeSet<Box<[u8]>>>,
}

impl Range {
    fn new(data_type: &DataType) -> Result<Range> {
        let converter = RowConverter::new(vec![SortField::new(data_type.to_arrow()?)])?;
        Ok(Range { data_type: data_type.clone(), converter, bounds: None, values: Some(BTreeSet::new()) })
    }
    fn widen(&mut self, column: &ArrayRef) -> Result<()> {
        let rows = self.converter.convert_columns(std::slice::from_ref(column))?;
        let nulls = column.logical_nulls();
        for at in (0..rows.num_rows()).filter(|at| nulls.as_ref().is_none_or(|n| n.is_valid(*at))) {
            let row = rows.row(at);
            let value: &[u8] = row.as_ref();
            match &mut self.bounds {
                None => self.bounds = Some((value.into(), value.into())),
                Some((min, _)) if *value < **min => *min = value.into(),
                Some((_, max)) if *value > **max => *max = value.into(),
                Some(_) => {}
            }
            if let Some(values) = &mut self.values
                && !values.contains(value)
            {
                values.insert(value.into());
                if values.len() > KEYS_MAX {
                    self.values = None;
                }
            }
        }
        Ok(())
    }
    /// What `value` must be to equal one of them; `None` when that cannot be said.
    fn of(self, value: &Expr, joint: &Struct) -> Result<Option<Expr>> {
        let own = value.bind(joint)?;
        // What is converted to be compared, or compared otherwise than it is ordered here, says nothing.
        let comparable = *own.data_type() == self.data_type || (is_integer(own.data_type()) && is_integer(&self.data_type));
        if !comparable || matches!(self.data_type, DataType::Float | DataType::Double) {
            return Ok(None);
        }
        let Some((min, max)) = &self.bounds else { return Ok(Some(value.clone().in_list([]))) };
        let parser = self.converter.parser();
        let literal = |bytes: &[u8]| -> Result<Expr> {
            let arrays = self.converter.convert_rows([parser.parse(bytes)])?;
            let array = arrays.first().ok_or_else(|| Error::new(Code::INTERNAL, "a key was lost"))?;
            Ok(typed_literal(Scalar::from_array(array, 0)?, &self.data_type))
        };
        if let Some(values) = &self.values {
            return Ok(Some(value.clone().in_list(values.iter().map(|v| literal(v)).collect::<Result<Vec<_>>>()?)));
        }
        Ok(Some(value.clone().between(literal(min)?, literal(max)?)))
    }
}

fn is_integer(t: &DataType) -> bool {
    matches!(t, DataType::Byte | DataType::Short | DataType::Integer | DataType::Long)
}
