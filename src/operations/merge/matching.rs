//! Target rows against source rows: who matches whom, and which clause applies. Kind: edge. Spec: MRG, EXE.
//!
//! The target streams by once. While the source fits in memory, each target batch meets all of it at once; else both sides lie in
//! partitions on disk, and those of one number meet, the source's in parts that fit. Invariant: every target row is judged once.

use super::chunk::{Chunk, Pairs};
use super::files::Files;
use super::later::{Later, Run};
use super::plan::{Action, Clause, Plan};
use super::reads::Reads;
use super::source::{Rows as SourceRows, Source, bytes_of, keys_of, share};
use crate::data::scan::{Rows, Scan};
use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::exec::{Keys, Partition, Partitions, Progress, partition_count};
use crate::features::HiddenColumn;
use crate::operations::row_changes::RowChanges;
use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, UInt32Type};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use roaring::{RoaringBitmap, RoaringTreemap};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Names the file of a target row.
const FILE: &str = "\u{1}file";

/// What happened to rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub matched_updated: u64,
    pub matched_deleted: u64,
    pub by_source_updated: u64,
    pub by_source_deleted: u64,
    pub inserted: u64,
}

impl Counts {
    pub fn updated(&self) -> u64 {
        self.matched_updated + self.by_source_updated
    }
    pub fn deleted(&self) -> u64 {
        self.matched_deleted + self.by_source_deleted
    }
}

/// Target rows that meet the source or go without.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Matched = 0,
    BySource = 1,
}

/// A merge at work.
pub(super) struct Matching<'a> {
    pub plan: &'a Plan,
    pub reads: &'a Reads,
    pub env: &'a Env,
    pub changes: &'a RowChanges,
    pub files: Files,
    pub counts: Counts,
    /// New versions that wait for the rest of their row, when they need it.
    pub later: Option<Later>,
    /// Gives whole rows.
    pub whole: Scan,
}

/// A batch of target rows.
struct Target<'a> {
    rows: &'a RecordBatch,
    /// `None`: a column says it.
    file: Option<u32>,
}

impl Target<'_> {
    fn places(&self) -> Result<impl Fn(u32) -> (u32, u64)> {
        let lost = || Error::new(Code::INTERNAL, "rows of the target have lost their places");
        let positions = self.rows.column_by_name(HiddenColumn::RowIndex.name()).and_then(|p| p.as_primitive_opt::<Int64Type>().cloned());
        let positions = positions.ok_or_else(lost)?;
        let files = match self.file {
            Some(_) => None,
            None => Some(self.rows.column_by_name(FILE).and_then(|f| f.as_primitive_opt::<UInt32Type>().cloned()).ok_or_else(lost)?),
        };
        let file = self.file.unwrap_or_default();
        Ok(move |row: u32| {
            let row = row as usize;
            (files.as_ref().map_or(file, |f| f.value(row)), positions.value(row) as u64)
        })
    }
}

impl Matching<'_> {
    /// Runs the merge over the files of `scan`.
    pub async fn run(&mut self, source: &Source, scan: Option<&Scan>) -> Result<()> {
        match &source.held {
            SourceRows::Held { rows, .. } => {
                let mut chunk = Chunk::new(rows.clone(), Vec::new())?;
                if let Some(scan) = scan {
                    self.stream(&mut chunk, scan).await?;
                }
                self.insert(&chunk).await?;
            }
            SourceRows::Spilled(runtime, partitions) => {
                let target = match scan {
                    Some(scan) => {
                        let mut target = Partitions::new(runtime, &with_file(&scan.schema()), partition_count(self.plan.equalities.len()))?;
                        let mut batches = self.batches(scan);
                        let mut gave = RoaringBitmap::new();
                        while let Some((file, batch)) = batches.try_next().await? {
                            let Some(batch) = batch else {
                                match gave.contains(file) {
                                    true => self.files.set_aside(file),
                                    false => self.files.forget(file),
                                }
                                continue;
                            };
                            gave.insert(file);
                            let keys = keys_of(self.plan, &batch, false)?;
                            target.push(&file_column(batch, file)?, &keys)?;
                        }
                        drop(batches);
                        target.finish()?
                    }
                    None => Vec::new(),
                };
                for (at, source) in partitions.iter().enumerate() {
                    self.meet(source, target.get(at)).await?;
                }
            }
        }
        self.make_later().await
    }

    /// The rows of every file, several files at once; `None` stands where a file has ended.
    fn batches(&mut self, scan: &Scan) -> BoxStream<'static, Result<(u32, Option<RecordBatch>)>> {
        let (reader, known) = (scan.clone(), self.files.known());
        let streams = scan.files().enumerate().map(move |(number, file)| match file {
            Ok((task, add)) => {
                let number = number as u32;
                known.began(number, task.clone(), add);
                let rows = reader.read(task).map_ok(move |batch| (number, Some(batch)));
                rows.chain(futures::stream::once(async move { Ok((number, None)) })).boxed()
            }
            Err(e) => futures::stream::once(async move { Err(e) }).boxed(),
        });
        streams.flatten_unordered(self.env.threads()).boxed()
    }

    /// All of the source is in memory.
    async fn stream(&mut self, chunk: &mut Chunk, scan: &Scan) -> Result<()> {
        let mut batches = self.batches(scan);
        while let Some((file, batch)) = batches.try_next().await? {
            let Some(rows) = batch else {
                self.files.forget(file);
                continue;
            };
            let keys = keys_of(self.plan, &rows, false)?;
            let mut seen = vec![false; rows.num_rows()];
            let target = Target { rows: &rows, file: Some(file) };
            self.probe(chunk, &target, &keys, &mut seen).await?;
            self.by_source(&target, &seen).await?;
        }
        Ok(())
    }

    /// Partitions of one number, the source's in parts that fit.
    async fn meet(&mut self, source: &Partition, target: Option<&Partition>) -> Result<()> {
        let mut matched = RoaringTreemap::new();
        let mut rows = source.read()?;
        while let Some(mut chunk) = next_chunk(&mut rows, self.env).await? {
            if let Some(target) = target {
                let mut batches = target.read()?;
                let mut first = 0;
                while let Some((rows, keys)) = batches.try_next().await? {
                    let mut seen: Vec<bool> = (first..first + rows.num_rows() as u64).map(|row| matched.contains(row)).collect();
                    self.probe(&mut chunk, &Target { rows: &rows, file: None }, &keys, &mut seen).await?;
                    matched.extend(seen.iter().enumerate().filter(|(_, s)| **s).map(|(row, _)| first + row as u64));
                    first += rows.num_rows() as u64;
                }
            }
            self.insert(&chunk).await?;
        }
        let Some(target) = target.filter(|_| !self.plan.not_matched_by_source.is_empty()) else { return Ok(()) };
        let mut batches = target.read()?;
        let mut first = 0;
        while let Some((rows, _)) = batches.try_next().await? {
            let seen: Vec<bool> = (first..first + rows.num_rows() as u64).map(|row| matched.contains(row)).collect();
            self.by_source(&Target { rows: &rows, file: None }, &seen).await?;
            first += rows.num_rows() as u64;
        }
        Ok(())
    }

    /// Finds the pairs of a batch and applies the MATCHED clauses; `seen` says which target rows have matched.
    async fn probe(&mut self, chunk: &mut Chunk, target: &Target<'_>, keys: &Keys, seen: &mut [bool]) -> Result<()> {
        let mut progress = Progress::default();
        while let Some(mut pairs) = chunk.next_pairs(&self.plan.on, &self.reads.on, target.rows, keys, &mut progress)? {
            let mut again = vec![false; pairs.target.len()];
            for (row, again) in pairs.target.iter().zip(&mut again) {
                *again = std::mem::replace(&mut seen[*row as usize], true);
            }
            if again.contains(&true) {
                if !self.plan.may_match_twice() {
                    let row = again.iter().position(|a| *a).map_or(0, |at| pairs.target[at]);
                    return Err(self.matches_twice(target, row));
                }
                let mut at = again.iter();
                pairs.target.retain(|_| !at.next().is_some_and(|a| *a));
                let mut at = again.iter();
                pairs.source.retain(|_| !at.next().is_some_and(|a| *a));
            }
            if self.plan.matched.is_empty() || pairs.target.is_empty() {
                continue;
            }
            let joint = chunk.joint(&self.reads.matched, target.rows, &pairs)?;
            let decided = decide(&self.plan.matched, &joint)?;
            for (clause, rows) in decided.into_iter().enumerate() {
                let pick = |all: &[u32]| rows.iter().map(|row| all[*row as usize]).collect();
                let own = Pairs { target: pick(&pairs.target), source: pick(&pairs.source) };
                self.apply(Kind::Matched, clause, target, own, chunk).await?;
            }
        }
        Ok(())
    }

    /// Applies the NOT MATCHED BY SOURCE clauses to the rows that have matched nothing.
    async fn by_source(&mut self, target: &Target<'_>, seen: &[bool]) -> Result<()> {
        if self.plan.not_matched_by_source.is_empty() {
            return Ok(());
        }
        let rows: Vec<u32> = (0..seen.len()).filter(|row| !seen[*row]).map(|row| row as u32).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let left = take_record_batch(target.rows, &UInt32Array::from(rows))?;
        let target = Target { rows: &left, file: target.file };
        let nothing = Chunk::new(Vec::new(), Vec::new())?;
        for (clause, rows) in decide(&self.plan.not_matched_by_source, &left)?.into_iter().enumerate() {
            let source = vec![0; rows.len()];
            self.apply(Kind::BySource, clause, &target, Pairs { target: rows, source }, &nothing).await?;
        }
        Ok(())
    }

    async fn apply(&mut self, kind: Kind, clause: usize, target: &Target<'_>, pairs: Pairs, chunk: &Chunk) -> Result<()> {
        if pairs.target.is_empty() {
            return Ok(());
        }
        let place = target.places()?;
        let plan = self.plan;
        let rows = pairs.target.len() as u64;
        let clauses = if kind == Kind::Matched { &plan.matched } else { &plan.not_matched_by_source };
        let number = (if kind == Kind::Matched { clause } else { plan.matched.len() + clause }) as u32;
        match &clauses[clause].action {
            Action::Delete => {
                let places: Vec<(u32, u64)> = pairs.target.iter().map(|row| place(*row)).collect();
                for (file, position) in &places {
                    self.files.touched(*file)?.going.insert(*position);
                }
                if let Some(later) = self.later.as_mut().filter(|_| self.changes.wants_deleted_rows()) {
                    later.push(&places, number, None).await?;
                }
                *if kind == Kind::Matched { &mut self.counts.matched_deleted } else { &mut self.counts.by_source_deleted } += rows;
            }
            Action::Make(image) => {
                let places: Vec<(u32, u64)> = pairs.target.iter().map(|row| place(*row)).collect();
                for (file, position) in &places {
                    self.files.touched(*file)?.going.insert(*position);
                }
                *if kind == Kind::Matched { &mut self.counts.matched_updated } else { &mut self.counts.by_source_updated } += rows;
                match &mut self.later {
                    Some(later) if kind == Kind::Matched => {
                        let source = chunk.joint(&self.reads.of_updates, target.rows, &pairs)?;
                        later.push(&places, number, Some(&source)).await?;
                    }
                    Some(later) => later.push(&places, number, None).await?,
                    None => {
                        let joint = chunk.joint(&self.reads.images[kind as usize][clause], target.rows, &pairs)?;
                        self.changes.update_rows(&joint, image.of(&joint)?).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads the rows that get new versions and makes those, file by file.
    async fn make_later(&mut self) -> Result<()> {
        let Some(later) = self.later.take() else { return Ok(()) };
        let mut runs = later.finish();
        while let Some(run) = runs.next().await? {
            let positions: RoaringTreemap = run.positions.values().iter().map(|p| *p as u64).collect();
            let task = self.files.touched(run.file)?.task.clone();
            let mut batches = self.whole.read_rows(task, Rows::Only(Arc::new(positions)));
            let mut at = 0;
            while let Some(rows) = batches.try_next().await? {
                let end = at + rows.num_rows();
                let found = rows.column_by_name(HiddenColumn::RowIndex.name()).and_then(|p| p.as_primitive_opt::<Int64Type>());
                let same = end <= run.positions.len() && found.is_some_and(|p| p.values() == &run.positions.values()[at..end]);
                if !same {
                    return Err(Error::new(Code::INTERNAL, "other rows were read than those that change"));
                }
                self.make(&rows, &run, at).await?;
                at = end;
            }
            if at != run.positions.len() {
                return Err(Error::new(Code::INTERNAL, format!("{} rows were to be changed, {at} were found again", run.positions.len())));
            }
        }
        Ok(())
    }

    /// New versions of whole rows, which are those of `run` from `at` on.
    async fn make(&mut self, rows: &RecordBatch, run: &Run, at: usize) -> Result<()> {
        let source = run.source.slice(at, rows.num_rows());
        let mut whole = rows.clone();
        if let Some((place, _)) = rows.schema_ref().column_with_name(HiddenColumn::RowIndex.name()) {
            whole.remove_column(place);
        }
        let mut groups: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (row, clause) in run.clauses.values()[at..at + rows.num_rows()].iter().enumerate() {
            groups.entry(*clause).or_default().push(row as u32);
        }
        let plan = self.plan;
        for (number, own) in groups {
            let number = number as usize;
            let (kind, clause) = if number < plan.matched.len() { (0, number) } else { (1, number - plan.matched.len()) };
            let clauses = if kind == 0 { &plan.matched } else { &plan.not_matched_by_source };
            let own = UInt32Array::from(own);
            let pick = |all: &RecordBatch| if own.len() == rows.num_rows() { Ok(all.clone()) } else { take_record_batch(all, &own) };
            let before = pick(&whole)?;
            match clauses[clause].image() {
                None => self.changes.deleted_rows(&before).await?,
                Some(image) => {
                    let joint = pick(&self.reads.images[kind][clause].of(rows, &source)?)?;
                    self.changes.update_rows(&before, image.of(&joint)?).await?;
                }
            }
        }
        Ok(())
    }

    /// Applies the NOT MATCHED clauses to the source rows that have matched nothing.
    async fn insert(&mut self, chunk: &Chunk) -> Result<()> {
        if self.plan.not_matched.is_empty() {
            return Ok(());
        }
        for batch in chunk.unmatched() {
            let batch = batch?;
            let own = batch.project(&positions_of(&batch, &self.reads.insert.source))?;
            for (clause, rows) in decide(&self.plan.not_matched, &own)?.into_iter().enumerate() {
                let Some(image) = self.plan.not_matched[clause].image().filter(|_| !rows.is_empty()) else { continue };
                self.counts.inserted += rows.len() as u64;
                let rows = if rows.len() == own.num_rows() { own.clone() } else { take_record_batch(&own, &UInt32Array::from(rows))? };
                self.changes.insert_rows(image.of(&rows)?).await?;
            }
        }
        Ok(())
    }

    fn matches_twice(&self, target: &Target<'_>, row: u32) -> Error {
        let keys = self.plan.equalities.iter().filter_map(|e| {
            let key = e.target.evaluate(&target.rows.slice(row as usize, 1)).ok()?;
            let text = arrow::util::display::array_value_to_string(&key, 0).ok()?;
            Some(format!("{} = {text}", e.target.to_sql()))
        });
        let keys: Vec<String> = keys.collect();
        let error = Error::new(Code::MERGE_MULTI, "several source rows match one row of the table");
        let error = if keys.is_empty() { error } else { error.with("row", keys.join(", ")) };
        error.help("let one source row at most match each row: remove duplicate keys from the source, or make the ON condition stricter")
    }
}

fn positions_of(batch: &RecordBatch, names: &[String]) -> Vec<usize> {
    (0..batch.num_columns()).filter(|i| names.contains(batch.schema_ref().field(*i).name())).collect()
}

/// The rows to which each clause applies: the first one whose condition is TRUE. Later conditions see only rows that are left.
fn decide(clauses: &[Clause], joint: &RecordBatch) -> Result<Vec<Vec<u32>>> {
    let mut left: Vec<u32> = (0..joint.num_rows() as u32).collect();
    let mut out = Vec::with_capacity(clauses.len());
    for clause in clauses {
        let Some(condition) = clause.condition.as_ref().filter(|_| !left.is_empty()) else {
            out.push(std::mem::take(&mut left));
            continue;
        };
        let rows = if left.len() == joint.num_rows() { joint.clone() } else { take_record_batch(joint, &UInt32Array::from(left.clone()))? };
        let holds = condition.matches(&rows)?;
        let (taken, rest): (Vec<_>, Vec<_>) = left.iter().zip(holds.values().iter()).partition(|(_, holds)| *holds);
        out.push(taken.into_iter().map(|(row, _)| *row).collect());
        left = rest.into_iter().map(|(row, _)| *row).collect();
    }
    Ok(out)
}

/// As much of a partition as may be held at once.
async fn next_chunk(rows: &mut BoxStream<'static, Result<(RecordBatch, Keys)>>, env: &Env) -> Result<Option<Chunk>> {
    let (mut held, mut memory, mut bytes) = (Vec::new(), Vec::new(), 0);
    while bytes < share(env) / 2 {
        let Some((batch, keys)) = rows.try_next().await? else { break };
        let size = bytes_of(&batch);
        bytes += size;
        memory.extend(env.memory().try_reserve(size));
        held.push((batch, keys));
    }
    if held.is_empty() { Ok(None) } else { Chunk::new(held, memory).map(Some) }
}

fn with_file(schema: &SchemaRef) -> SchemaRef {
    let mut fields: Vec<Field> = schema.fields().iter().map(|f| f.as_ref().clone()).collect();
    fields.push(Field::new(FILE, DataType::UInt32, true));
    Arc::new(Schema::new(fields))
}

fn file_column(batch: RecordBatch, file: u32) -> Result<RecordBatch> {
    let mut columns = batch.columns().to_vec();
    columns.push(Arc::new(UInt32Array::from_value(file, batch.num_rows())) as ArrayRef);
    Ok(RecordBatch::try_new(with_file(&batch.schema()), columns)?)
}
