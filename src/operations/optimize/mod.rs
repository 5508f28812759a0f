//! Lays files of a table out anew, without changing its rows. Kind: edge. Spec: OPT.
//!
//! `plan` looks at the files of one version and says which are rewritten together (`Group`); `execute` rewrites the groups, which are
//! independent, and commits what is done in portions, so that a run that is killed leaves behind all that it has committed. How files
//! become groups, and what order the rows of a group get, is the layout's word alone (`layout.rs`).
//!
//! Invariant: the rows of the table are the same before and after every commit.

mod along;
mod apart;
mod auto;
mod bins;
mod carry;
mod cluster;
mod commit;
mod execute;
mod gain;
mod layout;
mod pack;
mod plan;
mod rewrite;
mod sizes;

pub use apart::RewrittenPlan;
pub use gain::Gain;
pub use plan::{Group, OptimizePlan};

pub(super) use auto::join_after;
pub(super) use execute::execute;
pub(super) use plan::every;

use super::Report;
use super::run::{Settings, chosen_by_settings};
use crate::data::write::WriteOptions;
use crate::env::Timestamp;
use crate::error::Result;
use crate::expr::Expr;
use crate::log::Version;
use crate::snapshot::{At, Snapshot};
use crate::storage::{Meter, Spent};
use crate::table::Table;
use crate::transaction::CommitPolicy;
use execute::Done;
use std::sync::Arc;

/// The size of files when neither the caller nor the table names one.
const TARGET_BYTES: u64 = 128 << 20;
/// Bytes of old files that one commit replaces.
const COMMIT_BYTES: u64 = 16 << 30;

/// Lays files of a table out anew.
pub struct Optimize {
    table: Table,
    asked: Asked,
    settings: Settings,
}

/// What the caller asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub filter: Option<Expr>,
    pub target: Option<u64>,
    pub purge: bool,
    pub zorder_by: Vec<String>,
    pub full: bool,
    pub cube_bytes: Option<u64>,
    pub commit_bytes: Option<u64>,
}

chosen_by_settings!(Optimize);

impl Table {
    /// Starts laying files out anew: small ones are joined, and those of which many rows are deleted are written without these.
    pub fn optimize(&self) -> Optimize {
        Optimize { table: self.clone(), asked: Asked::default(), settings: Settings::default() }
    }
}

impl Optimize {
    /// Only files of partitions for which this is TRUE. It may name partition columns alone, else `LB-INPUT`.
    pub fn filter(mut self, predicate: Expr) -> Self {
        self.asked.filter = Some(predicate);
        self
    }
    /// The size of files in bytes; else `delta.targetFileSize`, else 128 MiB.
    pub fn target_size(mut self, bytes: u64) -> Self {
        self.asked.target = Some(bytes);
        self
    }
    /// Instead of joining small files, writes every file that has a deletion vector without its deleted rows.
    pub fn purge(mut self) -> Self {
        self.asked.purge = true;
        self
    }
    /// Orders the rows of each partition by all of these columns at once, so that files can be skipped by any of them. Rewrites every
    /// file, whenever it is asked for. Not for a table that declares clustering columns: there every run orders rows by those.
    pub fn zorder_by<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.asked.zorder_by = columns.into_iter().map(Into::into).collect();
        self
    }
    /// On a table that declares clustering columns: takes along files that were clustered by other columns or by another program.
    pub fn full(mut self) -> Self {
        self.asked.full = true;
        self
    }
    /// On a table that declares clustering columns: what was clustered together stays when it has so many bytes; 100 GiB unless set.
    pub fn cube_bytes(mut self, bytes: u64) -> Self {
        self.asked.cube_bytes = Some(bytes);
        self
    }
    /// Commits whenever old files of so many bytes are replaced; 16 GiB unless set. Work that is committed survives whatever follows.
    pub fn commit_bytes(mut self, bytes: u64) -> Self {
        self.asked.commit_bytes = Some(bytes);
        self
    }
    /// What `run` would do. Reads the log, and no data. `LB-INPUT` for a filter over other than partition columns, `LB-CONFLICT` when
    /// the table is not at the version asked for, `LB-FEATURE-WRITE`. Memory: an action for each file that would be rewritten.
    pub async fn plan(&self) -> Result<OptimizePlan> {
        let base = self.table.snapshot_for_files().await?;
        plan::plan(&base, &self.asked, &self.settings).await
    }
    /// Carries a plan out, on the version that it stands on: the plan of `plan`, perhaps read from where it was kept, or a part of it.
    ///
    /// Groups are rewritten several at once, file after file, within the memory budget; for each it is proven that as many rows are
    /// written as were read and as the log says. What others have appended meanwhile is no conflict. Rows of a file that others deleted
    /// by a vector while it was rewritten are deleted from the new file as well; a group whose files changed otherwise is planned anew,
    /// and left as it is when that happens too often: the report's warnings say so. `LB-CONFLICT` when therefore nothing could be
    /// committed. After another error, what was committed before stays.
    pub async fn execute(&self, plan: OptimizePlan) -> Result<Report> {
        let started = self.table.env().now();
        let (table, meter) = self.table.metered();
        let version = plan.read_version();
        let base = table.snapshot_for_files().await?;
        let base = if base.version() == version { base } else { table.snapshot_at(At::Version(version)).await? };
        self.carry_out(&base, plan, &meter, started).await
    }
    /// Plans and carries out. The report's version is the last one that was made, `None` when there was nothing to do.
    pub async fn run(self) -> Result<Report> {
        let started = self.table.env().now();
        let (table, meter) = self.table.metered();
        let base = table.snapshot_for_files().await?;
        let plan = plan::plan(&base, &self.asked, &self.settings).await?;
        self.carry_out(&base, plan, &meter, started).await
    }
    /// What the plan's work alone takes is held against the plan.
    async fn carry_out(&self, base: &Arc<Snapshot>, plan: OptimizePlan, meter: &Meter, started: Timestamp) -> Result<Report> {
        let before = meter.spent();
        let done = execute(base, plan.clone(), &self.settings).await?;
        Ok(self.report(plan, done, meter.spent().since(before), started))
    }
    fn report(&self, plan: OptimizePlan, done: Done, spent: Spent, started: Timestamp) -> Report {
        let env = self.table.env();
        let operation = plan.summary().operation.clone();
        let actual = done.actual.metered(spent);
        let mut report = match done.committed {
            Some(committed) => Report::committed(&operation, committed, done.sizes.metrics(), env, started),
            None => Report { metrics: done.sizes.metrics(), ..Report::nothing(&operation, env, started) },
        };
        report.warnings.extend(done.notes);
        Report { planned: Some(plan.into_summary()), actual: Some(actual), ..report }
    }
}
