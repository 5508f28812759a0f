//! Reads the rows and holds them against what the log says of them. Kind: edge. Spec: DOC.
//!
//! The scan that answers queries reads them, file by file; of each file only counts are kept.

use super::checkpoints::is_damage;
use super::finding::{DATA, DATA_NULL, DATA_ROWS, DATA_RULE, DATA_STATS, Findings, Kind, Mend, UNREADABLE};
use crate::data::scan::{FileTask, Scan};
use crate::error::{Code, Result};
use crate::expr::BoundExpr;
use crate::log::Add;
use crate::log::batch::FileRows;
use crate::log::stats::{FileStats, StatsLeaf, StatsReader};
use crate::schema::{DataType, Struct};
use crate::snapshot::{Snapshot, bounds_of};
use crate::storage::is_missing;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, Scalar};
use arrow::buffer::NullBuffer;
use arrow::compute::kernels::cmp;
use arrow::compute::{CastOptions, cast_with_options};
use futures::TryStreamExt;
use std::sync::Arc;

/// What every file is asked.
struct Questions {
    scan: Scan,
    reader: StatsReader,
    /// Where the column of each leaf stands in a batch: child positions from the top.
    positions: Vec<Vec<usize>>,
    /// Top-level columns that must not be null.
    required: Vec<(usize, String)>,
    rules: Vec<(String, BoundExpr)>,
}

/// What one file answered.
type Answer = Vec<(Kind, String, Option<Mend>)>;

/// Reads every live file. Memory: as a scan.
pub(super) async fn read_all(snapshot: &Arc<Snapshot>, findings: &mut Findings) -> Result<()> {
    let questions = Arc::new(Questions::new(snapshot)?);
    let threads = snapshot.table().env().threads();
    let answers = questions.scan.files().map_ok(|(task, add)| {
        let questions = Arc::clone(&questions);
        async move { Ok((add.path.clone(), questions.ask(task, add).await?)) }
    });
    let mut answers = answers.try_buffer_unordered(threads);
    loop {
        let (path, answer) = match answers.try_next().await {
            Ok(Some(answered)) => answered,
            Ok(None) => return Ok(()),
            // An entry of the log that cannot be read was told by those who look at files.
            Err(e) if is_damage(&e) && findings.any_error() => return Ok(()),
            Err(e) if is_damage(&e) => {
                findings.add(UNREADABLE, "data files", format!("the files of the table cannot be read: {}", e.message()));
                return Ok(());
            }
            Err(e) => return Err(e),
        };
        for (kind, what, mend) in answer {
            match mend {
                Some(mend) => findings.mend(kind, path.clone(), what, mend),
                None => findings.add(kind, path.clone(), what),
            }
        }
    }
}

impl Questions {
    fn new(snapshot: &Arc<Snapshot>) -> Result<Questions> {
        let state = snapshot.state();
        let scan = snapshot.scan().build()?;
        let (mut leaves, mut positions) = (Vec::new(), Vec::new());
        collect(state.schema(), state.physical_schema(), &mut (Vec::new(), Vec::new()), &mut |physical, position, data_type| {
            let is_partition = position.len() == 1 && state.partition_columns().contains(&state.schema().fields[position[0]].name);
            if !is_partition {
                leaves.push((physical.to_vec(), data_type.clone()));
                positions.push(position.to_vec());
            }
        });
        let leaves = leaves.into_iter().map(|(path, data_type)| StatsLeaf::new(path, data_type)).collect::<Result<Vec<_>>>()?;
        let required = state.schema().fields.iter().enumerate().filter(|(_, f)| !f.nullable).map(|(i, f)| (i, f.name.clone())).collect();
        // A rule that does not bind is told elsewhere.
        let checks = state.write_plan().map(|plan| plan.checks).unwrap_or_default();
        let rules = checks.into_iter().filter_map(|c| Some((c.name, c.condition.bind_rule(state.schema()).ok()?))).collect();
        Ok(Questions { scan, reader: StatsReader::new(leaves), positions, required, rules })
    }

    async fn ask(&self, task: FileTask, add: Add) -> Result<Answer> {
        let stats = bounds_of(&self.reader, &FileRows::from_adds([&add])?);
        let mut seen = Seen { rows: 0, nulls: vec![0; self.positions.len()], outside: vec![0; self.positions.len()], ..Seen::default() };
        seen.required = vec![0; self.required.len()];
        seen.broken = vec![0; self.rules.len()];
        let mut batches = self.scan.read(task);
        loop {
            match batches.try_next().await {
                Ok(Some(batch)) => self.look(&batch, &stats, &mut seen),
                Ok(None) => break,
                // Told by those who look at files and vectors.
                Err(e) if is_missing(&e) || matches!(e.code(), Code::DV | Code::PATH | Code::PATH_FOREIGN) => return Ok(Vec::new()),
                Err(e) if matches!(e.code(), Code::FILE | Code::SCHEMA) => return Ok(vec![(DATA, e.message().to_owned(), None)]),
                Err(e) => return Err(e),
            }
        }
        Ok(self.judge(&add, &stats, &seen))
    }

    fn look(&self, batch: &RecordBatch, stats: &FileStats, seen: &mut Seen) {
        seen.rows += batch.num_rows() as i64;
        for (at, (position, leaf)) in self.positions.iter().zip(&stats.leaves).enumerate() {
            let (array, nulls) = child(batch, position);
            seen.nulls[at] += nulls.as_ref().map_or(0, |n| n.null_count() as i64);
            let Some((min, max)) = &leaf.bounds else { continue };
            seen.outside[at] += outside(&array, nulls.as_ref(), min, max);
        }
        for (at, (column, _)) in self.required.iter().enumerate() {
            seen.required[at] += batch.column(*column).logical_null_count() as i64;
        }
        for (at, (_, rule)) in self.rules.iter().enumerate() {
            // An expression that fails on these rows says nothing about them.
            let fulfilled = rule.matches(batch).map_or(batch.num_rows(), |rows| rows.true_count());
            seen.broken[at] += (batch.num_rows() - fulfilled) as i64;
        }
    }

    fn judge(&self, add: &Add, stats: &FileStats, seen: &Seen) -> Answer {
        let mut answer = Answer::new();
        let deleted = add.deletion_vector.as_ref().map_or(0, |v| v.cardinality);
        let records = stats.records.is_valid(0).then(|| stats.records.value(0));
        let rows = seen.rows.saturating_add(deleted);
        if let Some(records) = records.filter(|records| *records != rows) {
            answer.push((DATA_ROWS, format!("the file has {rows} rows, the log says {records}"), Some(Mend::Recount(rows))));
        }
        for (at, (leaf, counts)) in self.reader.leaves().iter().zip(&stats.leaves).enumerate() {
            let name = || leaf.path.join(".");
            if seen.outside[at] > 0 {
                let what = format!("{} rows of {} lie outside of the values that the log gives", seen.outside[at], name());
                answer.push((DATA_STATS, what, Some(Mend::Recount(rows))));
            }
            let told = counts.nulls.is_valid(0).then(|| counts.nulls.value(0)).filter(|_| leaf.has_bounds());
            let lies = match told {
                Some(0) => seen.nulls[at] > 0,
                Some(n) if records == Some(n) => seen.nulls[at] != seen.rows,
                // Which of them are deleted is not known.
                Some(n) => deleted == 0 && n != seen.nulls[at],
                None => false,
            };
            if lies {
                let what = format!("{} has {} nulls, the log says {}", name(), seen.nulls[at], told.unwrap_or_default());
                answer.push((DATA_STATS, what, Some(Mend::Recount(rows))));
            }
        }
        for ((_, name), nulls) in self.required.iter().zip(&seen.required).filter(|(_, nulls)| **nulls > 0) {
            answer.push((DATA_NULL, format!("{nulls} rows have no {name}, which must not be null"), None));
        }
        for ((name, _), rows) in self.rules.iter().zip(&seen.broken).filter(|(_, rows)| **rows > 0) {
            answer.push((DATA_RULE, format!("{rows} rows break {name}"), None));
        }
        answer
    }
}

/// What the rows of one file have shown so far.
#[derive(Default)]
struct Seen {
    rows: i64,
    nulls: Vec<i64>,
    outside: Vec<i64>,
    required: Vec<i64>,
    broken: Vec<i64>,
}

/// Every leaf column with its physical path and its position.
fn collect(logical: &Struct, physical: &Struct, at: &mut (Vec<String>, Vec<usize>), found: &mut dyn FnMut(&[String], &[usize], &DataType)) {
    for (i, (l, p)) in logical.fields.iter().zip(&physical.fields).enumerate() {
        at.0.push(p.name.clone());
        at.1.push(i);
        match (&l.data_type, &p.data_type) {
            (DataType::Struct(l), DataType::Struct(p)) => collect(l, p, at, found),
            (data_type, _) => found(&at.0, &at.1, data_type),
        }
        at.0.pop();
        at.1.pop();
    }
}

/// A nested column and where it, or what it is inside of, is null.
fn child(batch: &RecordBatch, position: &[usize]) -> (ArrayRef, Option<NullBuffer>) {
    let mut array = Arc::clone(batch.column(position[0]));
    let mut nulls = array.logical_nulls();
    for step in &position[1..] {
        let Some(inside) = array.as_struct_opt().map(|s| Arc::clone(s.column(*step))) else { break };
        nulls = NullBuffer::union(nulls.as_ref(), inside.logical_nulls().as_ref());
        array = inside;
    }
    (array, nulls)
}

/// How many values lie below the least or above the greatest. A bound that is null, or of a type that does not compare, says nothing.
fn outside(array: &ArrayRef, nulls: Option<&NullBuffer>, min: &ArrayRef, max: &ArrayRef) -> i64 {
    let Ok(array) = cast_with_options(array, min.data_type(), &CastOptions { safe: true, ..CastOptions::default() }) else { return 0 };
    let mut total = 0;
    for (bound, is_min) in [(min, true), (max, false)] {
        if bound.is_null(0) {
            continue;
        }
        let bound = Scalar::new(bound.slice(0, 1));
        let beyond: Option<BooleanArray> = if is_min { cmp::lt(&array, &bound) } else { cmp::gt(&array, &bound) }.ok();
        let is_there = |row: usize| nulls.is_none_or(|nulls| nulls.is_valid(row));
        total += beyond.map_or(0, |b| (0..b.len()).filter(|row| b.is_valid(*row) && b.value(*row) && is_there(*row)).count() as i64);
    }
    total
}
