//! One plan that is carried out in several places and committed once. Kind: edge. Spec: OPT.
//!
//! Invariant: what is committed holds as many rows as the files that it replaces, and each of these is replaced once.

use super::commit::Ready;
use super::execute::{finish, rewrite};
use super::plan::OptimizePlan;
use super::rewrite::Rewritten;
use super::{Optimize, Report};
use crate::error::{Code, Error, Result};
use crate::snapshot::{At, Snapshot};
use crate::storage::Spent;
use crate::table::Table;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::sync::Arc;

/// A plan, or a part of one, whose rows are in new files that no commit names yet. Plain data, to be carried to where all parts are committed.
/// Files of one that is never committed are orphans, which vacuum finds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RewrittenPlan {
    plan: OptimizePlan,
    done: Vec<Rewritten>,
    spent: Spent,
}

impl Optimize {
    /// Carries out a plan, or a part of one that `OptimizePlan::split` gave, up to its commit.
    ///
    /// Reads, writes, checks and fails as `execute` does; after an error nothing of it is left.
    pub async fn rewrite(&self, plan: OptimizePlan) -> Result<RewrittenPlan> {
        let (table, meter) = self.table.metered();
        let base = at(&table, &plan).await?;
        let before = meter.spent();
        let done = rewrite(&base, &plan).await?;
        Ok(RewrittenPlan { plan, done, spent: meter.spent().since(before) })
    }
    /// Commits parts of one plan that were carried out anywhere, in one commit. What others did meanwhile counts as it does for `execute`:
    /// only groups whose files they changed are rewritten here once more and follow in commits of their own. New files that are not committed
    /// stay, since a part that is brought twice names files of the table. `LB-INPUT` for parts of
    /// different plans, for a file that is in two of them, and for new files that hold more or fewer rows than the old ones.
    pub async fn commit(&self, parts: Vec<RewrittenPlan>) -> Result<Report> {
        let started = self.table.env().now();
        let (table, meter) = self.table.metered();
        let Some(plan) = whole(&parts)? else { return Ok(Report::nothing("OPTIMIZE", table.env(), started)) };
        let base = at(&table, &plan).await?;
        let before = meter.spent();
        let elsewhere: Vec<Spent> = parts.iter().map(|part| part.spent).collect();
        let done = parts.into_iter().flat_map(|part| part.done);
        let ready = done.map(|done| Ready::brought(Arc::clone(&base), done)).collect();
        let done = finish(&base, plan.clone(), ready, &self.settings).await?;
        let spent = elsewhere.into_iter().fold(meter.spent().since(before), Spent::with);
        Ok(self.report(plan, done, spent, started))
    }
}

async fn at(table: &Table, plan: &OptimizePlan) -> Result<Arc<Snapshot>> {
    let base = table.snapshot_for_files().await?;
    if base.version() == plan.read_version { Ok(base) } else { table.snapshot_at(At::Version(plan.read_version)).await }
}

/// The plan of which these are parts; `None` without any.
fn whole(parts: &[RewrittenPlan]) -> Result<Option<OptimizePlan>> {
    let Some(first) = parts.first() else { return Ok(None) };
    let refused = |what: &str| Error::new(Code::INPUT, format!("these cannot be committed together: {what}"));
    let mut replaced = HashSet::new();
    for part in parts {
        if !part.plan.is_part_with(&first.plan) {
            return Err(refused("they are parts of different plans"));
        }
        for done in &part.done {
            if let Some(path) = done.group.paths().find(|path| !replaced.insert(*path)) {
                return Err(refused("a file is in two of them").with("path", path));
            }
            let written = done.adds.iter().map(|add| add.num_records()).sum::<Option<i64>>();
            if written.is_none() || done.group.living_rows().is_some_and(|rows| i64::try_from(rows).ok() != written) {
                return Err(refused("new files have another number of rows than the old ones")
                    .with("path", done.group.paths().next().unwrap_or("")));
            }
        }
    }
    let groups = parts.iter().flat_map(|part| &part.done).map(|done| done.group.clone()).collect();
    Ok(Some(first.plan.with_groups(groups)))
}
