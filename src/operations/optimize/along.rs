//! The rows of a group in new files along a curve. Kind: edge. Spec: ZOR.
//!
//! Two passes: the ordering columns alone, to know which share of the rows lies below a value; then whole rows, each with its place on the
//! curve, which are sorted by that one number, on disk when memory does not hold them. Invariant: what `written` proves; the rows of
//! each file are counted before they are mixed.

use super::cluster::Cluster;
use super::pack::settle;
use super::plan::Group;
use super::rewrite::{Counts, Rewritten, task, written};
use crate::data::scan::{FileTask, Scan};
use crate::error::{Code, Error, Result};
use crate::exec::{Curve, Ranges, Runtime, Sampler, bits, sorted};
use crate::expr::{BoundExpr, col};
use crate::schema::paths::quoted_path;
use crate::snapshot::Snapshot;
use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use futures::{StreamExt, TryStreamExt};
use std::sync::Arc;

/// The column that holds a row's place on the curve.
const PLACE: &str = "\u{1}place";
const FILES_AHEAD: usize = 4;

/// Writes the rows of a group along the curve of `cluster`, in files of about `target` bytes. Requests: each file is opened twice, first for the
/// ordering columns. Memory: the budget's half for sorting, and what a writer holds; the rest of the rows waits on disk.
pub(super) async fn laid_out(base: &Arc<Snapshot>, scan: &Scan, group: Group, cluster: &Cluster, target: u64) -> Result<Rewritten> {
    let env = base.table().env();
    let tasks = group.files.iter().map(task).collect::<Result<Vec<_>>>()?;
    let order = Arc::new(Order::find(base, cluster, tasks.clone()).await?);
    let runtime = Runtime::new(env)?;
    let schema = with_place(&scan.schema());
    let counts = Counts::new(&group);
    let placed_schema = Arc::clone(&schema);
    let placed = counts.watch(scan.read_in_order(tasks, FILES_AHEAD)).map(move |item| {
        let (_, batch) = item?;
        let places: ArrayRef = Arc::new(UInt64Array::from(order.places(&batch)?));
        let columns = batch.columns().iter().cloned().chain([places]).collect();
        Ok(RecordBatch::try_new(Arc::clone(&placed_schema), columns)?)
    });
    let rows = sorted(env, &runtime, &schema, placed.boxed(), &[PLACE])?.map(|batch| {
        let mut batch = batch?;
        let last = batch.num_columns().checked_sub(1).ok_or_else(|| Error::new(Code::INTERNAL, "a sorted row has lost its columns"))?;
        batch.remove_column(last);
        Ok(batch)
    });
    let mut adds = written(base, &group, rows.boxed(), &counts, target).await?;
    adds.iter_mut().for_each(|add| settle(add, target));
    cluster.tag(&mut adds, env);
    Ok(Rewritten { group, adds, order: None })
}

/// Where rows lie on the curve.
struct Order {
    columns: Vec<BoundExpr>,
    ranges: Ranges,
    curve: Curve,
}

impl Order {
    /// Reads the ordering columns of these files.
    async fn find(base: &Arc<Snapshot>, cluster: &Cluster, tasks: Vec<FileTask>) -> Result<Order> {
        let schema = base.state().schema();
        let columns = cluster.columns.iter().map(|path| col(&quoted_path(path)).bind(schema)).collect::<Result<Vec<_>>>()?;
        let mut names: Vec<String> = Vec::new();
        for name in cluster.columns.iter().filter_map(|path| path.first()) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        let scan = base.scan().columns(names).build()?;
        let mut sampler: Option<Sampler> = None;
        let mut batches = scan.read_in_order(tasks, FILES_AHEAD);
        while let Some((_, batch)) = batches.try_next().await? {
            let values = columns.iter().map(|column| column.evaluate(&batch)).collect::<Result<Vec<_>>>()?;
            let sampler = match &mut sampler {
                Some(sampler) => sampler,
                None => {
                    let types: Vec<DataType> = values.iter().map(|v| v.data_type().clone()).collect();
                    sampler.insert(Sampler::new(&types, base.table().env())?)
                }
            };
            sampler.push(&values)?;
        }
        let ranges = sampler.map(|sampler| sampler.finish(bits(columns.len()))).unwrap_or_default();
        Ok(Order { columns, ranges, curve: cluster.curve() })
    }
    fn places(&self, batch: &RecordBatch) -> Result<Vec<u64>> {
        let values = self.columns.iter().map(|column| column.evaluate(batch)).collect::<Result<Vec<_>>>()?;
        let places = self.curve.keys(&self.ranges.ranks(&values)?);
        if places.len() == batch.num_rows() {
            return Ok(places);
        }
        Err(Error::new(Code::INTERNAL, "rows were found that were not there when their order was looked for"))
    }
}

fn with_place(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|f| f.as_ref().clone()).chain([Field::new(PLACE, DataType::UInt64, false)]);
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
