//! What a layout is good for: how many files a small range of a column's values reads, before and after. Kind: edge. Spec: ZOR.

use super::layout::Layout;
use super::{Optimize, OptimizePlan};
use crate::error::Result;
use crate::snapshot::{At, FileLayout, FileQuery, expected};
use serde::{Deserialize, Serialize};

/// What skipping by one column gains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gain {
    pub column: String,
    /// Files that a range of values reads that holds one row in a hundred, on average; now, and about, when the plan is carried out.
    pub before: f64,
    pub after: f64,
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
        let gain = |column: &crate::snapshot::Skipping| Gain {
            column: column.column.clone(),
            before: column.files_of_one_percent,
            after: after(&layout, plan, column.files_of_one_percent),
        };
        Ok(layout.columns.iter().map(gain).collect())
    }
}

/// Files that stay are read as often as before; those that are joined go in proportion.
fn after(layout: &FileLayout, plan: &OptimizePlan, before: f64) -> f64 {
    let taken: u64 = plan.groups().iter().map(|group| group.paths().count() as u64).sum();
    let of_all = |files: u64| before * files as f64 / layout.files.max(1) as f64;
    let stay = of_all(layout.files.saturating_sub(taken));
    let new = plan.groups().iter().map(|group| plan.layout.files_made(group, plan.target));
    let come: f64 = match &plan.layout {
        Layout::Cluster(cluster) => new.map(|files| expected(files, cluster.columns.len())).sum(),
        Layout::Pack(_) => new.map(of_all).sum(),
    };
    ((stay + come).min(before) * 100.0).round() / 100.0
}
