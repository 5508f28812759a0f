//! What a layout is good for: how many files a small range of a column's values reads, before and after. Kind: edge. Spec: ZOR.

use super::layout::Layout;
use super::{Optimize, OptimizePlan};
use crate::error::Result;
use crate::snapshot::{At, FileLayout, FileQuery, expected};
use serde::{Deserialize, Serialize};

/// What skipping by one column gains: files read of files that there are, by a range of values that holds one row in a hundred.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gain {
    pub column: String,
    /// Files that such a range reads on average: now, and about, when the plan is carried out. A layout that makes more and smaller files may
    /// read more of them, and less of the table.
    pub before: f64,
    pub after: f64,
    /// How many files there are.
    pub files_before: u64,
    pub files_after: u64,
    /// The share of the files that is read, from 0 to 1: what can be compared where the number of files changes.
    pub share_before: f64,
    pub share_after: f64,
}

impl Optimize {
    /// What a plan of this gains, by the columns that it orders rows by, else by those of the table. Reads the statistics of every file.
    pub async fn gains(&self, plan: &OptimizePlan) -> Result<Vec<Gain>> {
        let base = self.table.snapshot_at(At::Version(plan.read_version())).await?;
        let columns = match &plan.layout {
            Layout::Cluster(cluster) => Some(cluster.columns.as_slice()),
            Layout::Pack(_) => None,
        };
        let layout = base.layout(FileQuery::default(), columns).await?;
        let made: Vec<u64> = plan.groups().iter().map(|group| plan.layout.files_made(group, plan.target)).collect();
        let files_after = stay(&layout, plan) + made.iter().sum::<u64>();
        let gain = |column: &crate::snapshot::Skipping| {
            let (before, after) = (column.files_of_one_percent, after(&layout, plan, &made, column.files_of_one_percent));
            Gain {
                column: column.column.clone(),
                before,
                after,
                files_before: layout.files,
                files_after,
                share_before: share(before, layout.files),
                share_after: share(after, files_after),
            }
        };
        Ok(layout.columns.iter().map(gain).collect())
    }
}

/// Files that no group takes.
fn stay(layout: &FileLayout, plan: &OptimizePlan) -> u64 {
    layout.files.saturating_sub(plan.groups().iter().map(|group| group.paths().count() as u64).sum())
}

/// Files that stay are read as often as before; those that are joined go in proportion; those that are laid out by values are read as their
/// cells lie.
fn after(layout: &FileLayout, plan: &OptimizePlan, made: &[u64], before: f64) -> f64 {
    let of_all = |files: u64| before * files as f64 / layout.files.max(1) as f64;
    let new = made.iter().copied();
    let come: f64 = match &plan.layout {
        Layout::Cluster(cluster) => new.map(|files| expected(files, cluster.columns.len())).sum(),
        Layout::Pack(_) => new.map(of_all).sum(),
    };
    rounded(of_all(stay(layout, plan)) + come, 100.0)
}

fn share(read: f64, files: u64) -> f64 {
    rounded((read / files.max(1) as f64).min(1.0), 10_000.0)
}

fn rounded(number: f64, parts: f64) -> f64 {
    (number * parts).round() / parts
}
