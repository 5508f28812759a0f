//! The rows of a group in new files, those that are near each other in some columns together. Kind: edge. Spec: ZOR.
//!
//! Two passes: the ordering columns alone, to divide the rows into cells of one file each; then whole rows, each with its place, which are
//! sorted by that one number, on disk when memory does not hold them. A place is the cell, and within it the place on a curve, so that
//! parts of a file can be skipped too. Invariant: what `written` proves; the rows of each file are counted before they are mixed.

use super::cluster::Cluster;
use super::pack::settle;
use super::plan::Group;
use super::rewrite::{Counts, Rewritten, WHOLE_BYTES, task, written};
use crate::data::scan::{FileTask, Scan};
use crate::error::{Code, Error, Result};
use crate::exec::{Bricks, Curve, Ranges, Runtime, Sampler, bits, rank_bits, sorted};
use crate::expr::{BoundExpr, col};
use crate::schema::paths::quoted_path;
use crate::snapshot::Snapshot;
use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt64Type};
use futures::{StreamExt, TryStreamExt, stream};
use std::sync::Arc;

/// The column that holds a row's place: the cell in the high bits, and so many for the curve.
const PLACE: &str = "\u{1}place";
const CURVE_BITS: u32 = 40;
const FILES_AHEAD: usize = 4;

/// Writes the rows of a group into files of about `target` bytes by the columns of `cluster`. Requests: each file is opened twice, first
/// for the ordering columns. Memory: the budget's half for sorting, and what a writer holds; the rest of the rows waits on disk.
pub(super) async fn laid_out(base: &Arc<Snapshot>, scan: &Scan, group: Group, cluster: &Cluster, target: u64) -> Result<Rewritten> {
    let env = base.table().env();
    let tasks = group.files.iter().map(task).collect::<Result<Vec<_>>>()?;
    let order = Arc::new(Order::find(base, cluster, tasks.clone(), group.files_made(target)).await?);
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
    let rows = sorted(env, &runtime, &schema, placed.boxed(), &[PLACE])?;
    let rows = rows.and_then(|batch| futures::future::ready(cells_of(batch))).map_ok(|cells| stream::iter(cells.into_iter().map(Ok)));
    // Cells are about equal; one of a value that fills many files is cut by its bytes.
    let mut adds = written(base, &group, rows.try_flatten().boxed(), &counts, target.saturating_mul(2)).await?;
    adds.iter_mut().for_each(|add| settle(add, target));
    cluster.tag(&mut adds, env);
    Ok(Rewritten { group, adds, order: None })
}

/// Sorted rows by their cells, without their places.
fn cells_of(mut batch: RecordBatch) -> Result<Vec<(u32, RecordBatch)>> {
    let lost = || Error::new(Code::INTERNAL, "a sorted row has lost its place");
    let last = batch.num_columns().checked_sub(1).ok_or_else(lost)?;
    let places = batch.remove_column(last);
    let mut cells = Vec::new();
    let mut from = 0;
    for rows in places.as_primitive_opt::<UInt64Type>().ok_or_else(lost)?.values().chunk_by(|a, b| a >> CURVE_BITS == b >> CURVE_BITS) {
        cells.push(((rows[0] >> CURVE_BITS) as u32, batch.slice(from, rows.len())));
        from += rows.len();
    }
    Ok(cells)
}

/// Where rows go.
struct Order {
    columns: Vec<BoundExpr>,
    ranges: Ranges,
    bricks: Bricks,
    curve: Curve,
}

impl Order {
    /// Reads the ordering columns of these files, whose rows become so many.
    async fn find(base: &Arc<Snapshot>, cluster: &Cluster, tasks: Vec<FileTask>, files: u64) -> Result<Order> {
        let schema = base.state().schema();
        let columns = cluster.columns.iter().map(|path| col(&quoted_path(path)).bind(schema)).collect::<Result<Vec<_>>>()?;
        let mut names: Vec<String> = Vec::new();
        for name in cluster.columns.iter().filter_map(|path| path.first()) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        let scan = base.scan().columns(names).whole_files(WHOLE_BYTES).build()?;
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
        let (bits, files) = (rank_bits(columns.len()), usize::try_from(files).unwrap_or(usize::MAX));
        let divided = base.table().env().spawn_blocking(move || {
            let (ranges, sample) = sampler.map(Sampler::finish).unwrap_or_default();
            let bricks = Bricks::of(&sample, bits, files);
            (ranges, bricks)
        });
        let (ranges, bricks) = divided.await?;
        Ok(Order { columns, ranges, bricks, curve: cluster.curve() })
    }
    fn places(&self, batch: &RecordBatch) -> Result<Vec<u64>> {
        let values = self.columns.iter().map(|column| column.evaluate(batch)).collect::<Result<Vec<_>>>()?;
        let mut ranks = self.ranges.ranks(&values)?;
        let cells = self.bricks.of_rows(&ranks);
        let (columns, bits) = (ranks.len(), bits(ranks.len()));
        let finer = rank_bits(columns).saturating_sub(bits);
        ranks.iter_mut().flatten().for_each(|rank| *rank >>= finer);
        let beyond = (bits * columns as u32).saturating_sub(CURVE_BITS);
        let place = |(cell, key): (u32, u64)| u64::from(cell) << CURVE_BITS | key >> beyond;
        let places: Vec<u64> = cells.into_iter().zip(self.curve.keys(&ranks)).map(place).collect();
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
