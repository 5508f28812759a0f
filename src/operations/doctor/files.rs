//! What the log says of live files. Kind: pure, but for vectors, which are read. Spec: DOC.

use super::finding::{
    Findings, Kind, Mend, PARTITION_VALUE, PATH, PATH_FOREIGN, ROW_IDS_MISSING, ROW_MARK, STATS_BOUNDS, STATS_COUNT, STATS_TEXT, VECTOR,
    VECTOR_MISSING, VECTOR_RANGE,
};
use crate::data::vector;
use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::features::TableState;
use crate::log::stats::{FileStats, StatsLeaf, StatsReader, leaves_of};
use crate::log::{Add, VectorDescriptor};
use crate::schema::{DataType, Scalar};
use crate::snapshot::{FileBatch, bounds_of};
use crate::storage::{TableRoot, is_missing};
use arrow::array::{Array, BooleanArray};
use arrow::compute::kernels::cmp;
use futures::{StreamExt, stream};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Looks at the live files of one version.
pub(super) struct FileCheck {
    state: Arc<TableState>,
    reader: StatsReader,
    /// Physical name, type, logical name.
    partitions: Vec<(String, DataType, String)>,
    highest_row_id: Option<i64>,
}

/// A vector that must fit the file of this path.
pub(super) struct VectorOf {
    pub path: String,
    pub records: Option<i64>,
    pub vector: VectorDescriptor,
}

impl FileCheck {
    pub fn new(state: &Arc<TableState>) -> Result<FileCheck> {
        let partitions: Vec<(String, DataType, String)> = state
            .partition_columns()
            .iter()
            .filter_map(|name| {
                let at = state.schema().index_of(name)?;
                Some((state.physical_schema().fields[at].name.clone(), state.schema().fields[at].data_type.clone(), name.clone()))
            })
            .collect();
        let leaves = leaves_of(state.physical_schema()).into_iter().filter(|(path, _)| partitions.iter().all(|(p, ..)| *p != path[0]));
        let leaves = leaves.map(|(path, data_type)| StatsLeaf::new(path, data_type)).collect::<Result<Vec<_>>>()?;
        Ok(FileCheck { state: Arc::clone(state), reader: StatsReader::new(leaves), partitions, highest_row_id: None })
    }

    /// Some files; gives the vectors that are to be read.
    pub fn batch(&mut self, batch: &FileBatch, findings: &mut Findings) -> Vec<VectorOf> {
        let stats = bounds_of(&self.reader, batch.rows());
        let raw = batch.rows().stats().map(|texts| self.reader.read_json(texts));
        let crossed = self.crossed(&stats);
        let mut vectors = Vec::new();
        for row in 0..batch.len() {
            let add = batch.add(row);
            self.partition_values(&add, findings);
            if let (Some(text), Some(raw)) = (&add.stats, &raw) {
                self.text(&add.path, text, raw, row, findings);
            }
            let recount = batch.num_records(row).map(Mend::Recount);
            for name in crossed.iter().filter(|(_, rows)| rows.is_valid(row) && rows.value(row)).map(|(name, _)| name) {
                let what = format!("the least value of {name} is above the greatest");
                say(findings, STATS_BOUNDS, &add.path, what, recount.clone());
            }
            for (leaf, counts) in self.reader.leaves().iter().zip(&stats.leaves) {
                let too_many =
                    counts.nulls.is_valid(row) && stats.records.is_valid(row) && counts.nulls.value(row) > stats.records.value(row);
                if too_many {
                    let what = format!("{} has more nulls than the file has rows", leaf.path.join("."));
                    say(findings, STATS_BOUNDS, &add.path, what, recount.clone());
                }
            }
            self.counts(&add, batch.num_records(row), findings);
            if let Some(vector) = add.deletion_vector {
                vectors.push(VectorOf { path: add.path, records: batch.num_records(row), vector });
            }
        }
        vectors
    }

    /// Which rows have a least value above their greatest one, by column.
    fn crossed(&self, stats: &FileStats) -> Vec<(String, BooleanArray)> {
        let bounded = self.reader.leaves().iter().zip(&stats.leaves);
        let crossed = bounded.filter_map(|(leaf, found)| {
            let (min, max) = found.bounds.as_ref()?;
            cmp::gt(min, max).ok().filter(|rows| rows.true_count() > 0).map(|rows| (leaf.path.join("."), rows))
        });
        crossed.collect()
    }

    fn partition_values(&self, add: &Add, findings: &mut Findings) {
        for (physical, data_type, logical) in &self.partitions {
            match add.partition_values.get(physical) {
                None => findings.add(PARTITION_VALUE, &add.path, format!("the file has no value of the partition column {logical}")),
                Some(text) => {
                    if let Err(e) = Scalar::from_partition_text(text.as_deref(), data_type) {
                        findings.add(PARTITION_VALUE, &add.path, format!("{}: {}", logical, e.message()));
                    }
                }
            }
        }
        if let Some(key) = add.partition_values.keys().find(|key| self.partitions.iter().all(|(p, ..)| p != *key)) {
            findings.add(PARTITION_VALUE, &add.path, format!("the file has a value of {key}, which is no partition column"));
        }
    }

    fn text(&self, path: &str, text: &str, raw: &FileStats, row: usize, findings: &mut Findings) {
        let stats: Map<String, Value> = match serde_json::from_str(text) {
            Ok(stats) => stats,
            Err(e) => return findings.add(STATS_TEXT, path, format!("the statistics are no JSON object: {e}")),
        };
        if stats.get("numRecords").is_some_and(|n| !n.is_null() && n.as_i64().is_none_or(|n| n < 0)) {
            findings.add(STATS_TEXT, path, "`numRecords` is not a number of rows");
        }
        for top in ["minValues", "maxValues", "nullCount"] {
            if stats.get(top).is_some_and(|part| !part.is_null() && !part.is_object()) {
                findings.add(STATS_TEXT, path, format!("`{top}` is no object"));
            }
        }
        for (leaf, found) in self.reader.leaves().iter().zip(&raw.leaves) {
            let Some((min, max)) = &found.bounds else { continue };
            for (top, bound) in [("minValues", min), ("maxValues", max)] {
                let told = leaf.path.iter().try_fold(stats.get(top), |at, step| at.map(|at| at.get(step))).flatten();
                if bound.is_null(row) && told.is_some_and(|told| !told.is_null()) {
                    findings.add(STATS_TEXT, path, format!("`{top}` of {} is not a {}", leaf.path.join("."), leaf.data_type));
                }
            }
        }
    }

    fn counts(&mut self, add: &Add, records: Option<i64>, findings: &mut Findings) {
        if records.is_none() && (add.deletion_vector.is_some() || self.state.needs_record_counts()) {
            findings.add(STATS_COUNT, &add.path, "the file must say how many rows it has, and does not");
        }
        match add.base_row_id {
            None if self.state.relies_on_row_ids() => findings.add(ROW_IDS_MISSING, &add.path, "the rows of the file have no ids"),
            Some(base) => {
                let last = base.saturating_add(records.unwrap_or(0).max(1) - 1);
                self.highest_row_id = self.highest_row_id.max(Some(last));
            }
            None => {}
        }
        if let (Some(vector), Some(records)) = (&add.deletion_vector, records)
            && (vector.cardinality < 0 || vector.cardinality > records)
        {
            let what = format!("the vector deletes {} rows of a file that has {records}", vector.cardinality);
            findings.add(VECTOR_RANGE, &add.path, what);
        }
    }

    /// What only all files together show.
    pub fn finish(self, findings: &mut Findings) {
        if let (Some(mark), Some(highest)) = (self.state.highest_row_id(), self.highest_row_id)
            && mark < highest
        {
            let what = format!("a live row has the id {highest}, the highest on record is {mark}");
            findings.mend(ROW_MARK, "delta.rowTracking", what, Mend::RaiseRowMark(highest));
        }
    }
}

fn say(findings: &mut Findings, kind: Kind, path: &str, what: String, mend: Option<Mend>) {
    match mend {
        Some(mend) => findings.mend(kind, path, what, mend),
        None => findings.add(kind, path, what),
    }
}

/// A path of the log that must not be followed.
pub(super) fn refused(path: &str, e: &Error, findings: &mut Findings) {
    let kind = if e.code() == Code::PATH_FOREIGN { PATH_FOREIGN } else { PATH };
    if !findings.has(kind, path) {
        findings.add(kind, path, e.message().to_owned());
    }
}

/// Reads vectors, several at once, and looks whether they are whole and fit their files.
pub(super) async fn vectors(root: &TableRoot, env: &Env, vectors: Vec<VectorOf>, findings: &mut Findings) -> Result<()> {
    let width = crate::log::read::parallel_reads(env);
    let loads = stream::iter(vectors).map(|v| async move { (vector::load(root, &v.vector).await, v) });
    let mut loads = std::pin::pin!(loads.buffered(width));
    while let Some((loaded, of)) = loads.next().await {
        match loaded {
            Ok(rows) => {
                let last = rows.max().and_then(|last| i64::try_from(last).ok());
                if let (Some(last), Some(records)) = (last, of.records.filter(|records| *records >= of.vector.cardinality))
                    && last >= records
                {
                    findings.add(VECTOR_RANGE, &of.path, format!("the vector names row {last} of a file that has {records}"));
                }
            }
            Err(e) if e.code() == Code::DV && is_missing(&e) => {
                findings.add(VECTOR_MISSING, &of.path, "the file of its deletion vector is missing");
            }
            Err(e) if matches!(e.code(), Code::PATH | Code::PATH_FOREIGN) => refused(&of.vector.path_or_inline_dv, &e, findings),
            Err(e) if e.code() == Code::DV => findings.add(VECTOR, &of.path, e.message().to_owned()),
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
