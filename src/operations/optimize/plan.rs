//! What an optimisation will do: groups of files of one version, and what rewriting them costs. Kind: edge. Spec: OPT.
//!
//! A plan is plain data: it can be kept, shown, split by groups and carried out elsewhere, as long as its version can be read.

use super::layout::Layout;
use super::pack::{Pack, is_settled, living_bytes, living_rows};
use super::rewrite::WHOLE_BYTES;
use super::{Asked, COMMIT_BYTES, TARGET_BYTES};
use crate::data::vector;
use crate::data::write::Upload;
use crate::error::{Code, Error, Result};
use crate::expr::Expr;
use crate::features::TableState;
use crate::log::{Add, NullableMap, Version};
use crate::operations::partitions::scope_of;
use crate::operations::plan::Plan;
use crate::operations::run::Settings;
use crate::snapshot::{FileQuery, Snapshot};
use crate::transaction::ReadScope;
use futures::TryStreamExt;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes that a row group of a large file has, about.
const ROW_GROUP_BYTES: u64 = 64 << 20;

/// Rows of a file that is laid out by values, at least.
const ROWS_LEAST: u64 = 16;

/// A partition with so many small files is optimised after a commit that added to it, as Spark does it; at most so many partitions.
const AUTO_FILES: usize = 50;
const AUTO_PARTITIONS: usize = 128;

/// What an optimisation will do. Carried out by `Optimize::execute`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OptimizePlan {
    summary: Plan,
    pub(super) read_version: Version,
    pub(super) layout: Layout,
    /// The filter, as the history shows it.
    pub(super) predicate: Option<String>,
    pub(super) auto: bool,
    pub(super) target: u64,
    pub(super) commit_bytes: u64,
    pub(super) groups: Vec<Group>,
}

/// Files of one partition that are rewritten together. Independent of all other groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// As they stand in the log, their statistics cut to the count. In the order in which they are read.
    pub(super) files: Vec<Add>,
    /// Why.
    pub(super) reason: String,
}

impl Group {
    /// Bytes of the files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(size).sum()
    }
    /// How many rows are alive in them, where the log says it.
    pub(super) fn living_rows(&self) -> Option<u64> {
        self.files.iter().map(living_rows).sum()
    }
    /// How many files of about `target` bytes its rows become when they are laid out by values.
    pub(super) fn files_made(&self, target: u64) -> u64 {
        let rows = self.living_rows();
        let bytes: u64 = self.files.iter().map(living_bytes).sum();
        bytes.div_ceil(target.max(1)).min(rows.unwrap_or(u64::MAX) / ROWS_LEAST).max(u64::from(rows != Some(0)))
    }
    /// Paths of the files, as they stand in the log.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.path.as_str())
    }
}

impl OptimizePlan {
    /// Objects, bytes and requests.
    pub fn summary(&self) -> &Plan {
        &self.summary
    }
    /// The version that it stands on.
    pub fn read_version(&self) -> Version {
        self.read_version
    }
    /// What is rewritten.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }
    /// The same work as plans of one group each, which can be carried out anywhere, at once and in any order: each commits for itself by
    /// `Optimize::execute`, or all are committed at once by `Optimize::commit` when each was carried out by `Optimize::rewrite`.
    pub fn split(&self) -> Vec<OptimizePlan> {
        self.groups.iter().map(|group| self.with_groups(vec![group.clone()])).collect()
    }
    /// The same for other groups of its version.
    pub(super) fn with_groups(&self, groups: Vec<Group>) -> OptimizePlan {
        let plan = OptimizePlan::new(self.read_version, self.layout.clone(), (self.target, self.commit_bytes), groups);
        OptimizePlan { predicate: self.predicate.clone(), auto: self.auto, ..plan }
    }
    /// Whether both may be parts of one plan.
    pub(super) fn is_part_with(&self, other: &OptimizePlan) -> bool {
        let of = |plan: &OptimizePlan| (plan.read_version, plan.layout.clone(), plan.predicate.clone(), plan.auto, plan.target);
        of(self) == of(other)
    }
    pub(super) fn into_summary(self) -> Plan {
        self.summary
    }
    /// For these groups.
    pub(super) fn new(read_version: Version, layout: Layout, (target, commit_bytes): (u64, u64), groups: Vec<Group>) -> OptimizePlan {
        let mut summary = Plan::new(layout.operation(), Some(read_version));
        for group in &groups {
            cost_of(group, &layout, target, &mut summary);
        }
        let commits = summary.amount("remove").bytes.div_ceil(commit_bytes.max(1)).max(u64::from(!groups.is_empty()));
        summary.requests.put += commits;
        OptimizePlan { summary, read_version, layout, predicate: None, auto: false, target, commit_bytes, groups }
    }
}

/// The plan of what is asked for on this version.
pub(super) async fn plan(base: &Arc<Snapshot>, asked: &Asked, settings: &Settings) -> Result<OptimizePlan> {
    if let Some(wanted) = settings.if_version.filter(|wanted| *wanted != base.version()) {
        return Err(Error::moved_on(wanted).with("found", base.version()));
    }
    let state = base.state();
    state.check_writable()?;
    let target = asked.target.or(settings.options.target_file_size).or(state.target_file_size()?).unwrap_or(TARGET_BYTES).max(1);
    let layout = Layout::of(asked, state)?;
    let predicate = asked.filter.as_ref().map(|filter| by_partition(base, filter)).transpose()?;
    let mut scan = base.scan().columns(Vec::<String>::new());
    if let Some(filter) = &asked.filter {
        scan = scan.filter(filter.clone());
    }
    let files = scan.build()?.files().map_ok(|(task, add)| cut(add, task.num_records));
    let groups = divided(&layout, files.try_collect::<Vec<_>>().await?.into_iter(), target);
    // Who may commit only once commits everything at once.
    let commit_bytes = if settings.if_version.is_some() { u64::MAX } else { asked.commit_bytes.unwrap_or(COMMIT_BYTES) };
    let plan = OptimizePlan::new(base.version(), layout, (target, commit_bytes), groups);
    Ok(OptimizePlan { predicate, ..plan })
}

/// The plan that writes all of these files anew, in one commit.
pub(crate) fn every(base: &Snapshot, files: Vec<(Add, Option<i64>)>) -> OptimizePlan {
    let layout = Layout::Pack(Pack::Every);
    let files = files.into_iter().map(|(add, records)| cut(add, records.and_then(|n| u64::try_from(n).ok())));
    let groups = divided(&layout, files, TARGET_BYTES);
    OptimizePlan::new(base.version(), layout, (TARGET_BYTES, u64::MAX), groups)
}

/// Divides files, partition by partition, oldest first.
fn divided(layout: &Layout, files: impl Iterator<Item = Add>, target: u64) -> Vec<Group> {
    let mut partitions: BTreeMap<NullableKey, Vec<Add>> = BTreeMap::new();
    for file in files {
        partitions.entry(key(&file.partition_values)).or_default().push(file);
    }
    let mut groups = Vec::new();
    for mut files in partitions.into_values() {
        files.sort_by(|a, b| (a.modification_time, &a.path).cmp(&(b.modification_time, &b.path)));
        let divided = layout.divide(files, target);
        groups.extend(divided.into_iter().map(|(files, reason)| Group { files, reason: reason.to_owned() }));
    }
    groups
}

/// The plan that joins small files of the partitions in which a commit has left these, where they are many. Looks at the files of these
/// partitions only, and at more than their sizes only where so many are small.
pub(super) async fn after_commit(base: &Arc<Snapshot>, left: &[&Add]) -> Result<OptimizePlan> {
    let state = base.state();
    let target = state.target_file_size()?.unwrap_or(TARGET_BYTES).max(1);
    let mut names: Vec<&str> = state.partition_columns().iter().filter_map(|name| state.physical_name(name)).collect();
    names.sort_unstable();
    let of = |add: &Add| key_of(&names, |name| add.partition_values.get(name)?.as_deref());
    let mut small: BTreeMap<NullableKey, (&NullableMap, usize)> =
        left.iter().map(|add| (of(add), (&add.partition_values, 0))).take(AUTO_PARTITIONS).collect();
    let mut files = base.files(in_partitions(state, small.values().map(|(values, _)| *values))?);
    while let Some(batch) = files.try_next().await? {
        for row in (0..batch.len()).filter(|row| is_small(batch.size(*row), target)) {
            let found = small.get_mut(&key_of(&names, |name| batch.partition_value(row, name)));
            found.into_iter().for_each(|(_, count)| *count += 1);
        }
    }
    small.retain(|_, (_, count)| std::mem::take(count) >= AUTO_FILES);
    let mut kept = Vec::new();
    if !small.is_empty() {
        let mut files = base.files(in_partitions(state, small.values().map(|(values, _)| *values))?.full());
        while let Some(batch) = files.try_next().await? {
            for row in 0..batch.len() {
                let file = cut(batch.add(row), batch.num_records(row).and_then(|n| u64::try_from(n).ok()));
                // What is clustered stays together.
                let Some((_, count)) = small.get_mut(&of(&file)).filter(|_| file.clustering_provider.is_none()) else { continue };
                *count += usize::from(is_small(file.size, target) && !is_settled(&file, target));
                kept.push(file);
            }
        }
    }
    kept.retain(|file| small.get(&of(file)).is_some_and(|(_, count)| *count >= AUTO_FILES));
    let layout = Layout::Pack(Pack::Small);
    let groups = divided(&layout, kept.into_iter(), target);
    let plan = OptimizePlan::new(base.version(), layout, (target, COMMIT_BYTES), groups);
    Ok(OptimizePlan { auto: true, ..plan })
}

/// Whether a file counts as small after a commit.
pub(super) fn is_small(size: i64, target: u64) -> bool {
    size.unsigned_abs() < target / 2
}

fn in_partitions<'a>(state: &TableState, partitions: impl Iterator<Item = &'a NullableMap>) -> Result<FileQuery> {
    Ok(match scope_of(state, partitions)? {
        ReadScope::Predicate(predicate) => FileQuery::default().filter(predicate),
        _ => FileQuery::default(),
    })
}

/// The text of a filter, which must read partition columns alone.
fn by_partition(base: &Snapshot, filter: &Expr) -> Result<String> {
    let state = base.state();
    let bound = filter.bind(state.schema())?;
    let columns = state.partition_columns();
    if bound.reads_only(columns) {
        return Ok(bound.to_sql());
    }
    let other = bound.columns().iter().find(|name| !columns.contains(name)).cloned().unwrap_or_default();
    let help = match columns {
        [] => "the table has no partition columns: leave the condition out".to_owned(),
        some => format!("name partition columns only: {}", some.join(", ")),
    };
    Err(Error::new(Code::INPUT, "files are chosen by partition columns only").with("column", other).help(help))
}

type NullableKey = Vec<(String, Option<String>)>;

fn key_of<'a>(names: &[&str], value: impl Fn(&str) -> Option<&'a str>) -> NullableKey {
    names.iter().map(|name| ((*name).to_owned(), value(name).map(str::to_owned))).collect()
}

fn key(values: &NullableMap) -> NullableKey {
    values.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The action without its statistics, which a plan of many files need not hold.
pub(super) fn cut(add: Add, records: Option<u64>) -> Add {
    Add { stats: records.map(|n| format!("{{\"numRecords\":{n}}}")), ..add }
}

fn size(file: &Add) -> u64 {
    u64::try_from(file.size).unwrap_or(0)
}

/// What rewriting a group takes, as it is told before. What files will hold to which others are joined is taken to be what these held.
fn cost_of(group: &Group, layout: &Layout, target: u64, summary: &mut Plan) {
    for file in &group.files {
        let bytes = size(file);
        // The share of a large file that each time it is opened is read.
        for (share, of) in layout.reads() {
            summary.requests.get += 1;
            if bytes > WHOLE_BYTES {
                summary.requests.get += bytes.div_ceil(ROW_GROUP_BYTES);
                summary.bytes_read += (u128::from(bytes) * share as u128 / of as u128) as u64;
            } else {
                summary.bytes_read += bytes;
            }
            let (requests, bytes) = file.deletion_vector.as_ref().map_or((0, 0), vector::cost);
            summary.requests.get += requests;
            summary.bytes_read += bytes;
        }
        summary.act("remove", bytes);
        summary.item(&percent_decode_str(&file.path).decode_utf8_lossy(), bytes, &group.reason);
    }
    let written: u64 = group.files.iter().map(living_bytes).sum();
    let files = layout.files_made(group, target);
    for file in 0..files {
        let bytes = written / files + u64::from(file < written % files);
        summary.requests = summary.requests.with(Upload::requests(bytes));
        summary.act("add", bytes);
    }
    summary.bytes_written += written;
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
