//! Carries groups out, several at once, and commits what is done in portions. Kind: edge. Spec: OPT.
//!
//! Invariant: a group that was committed stays committed, whatever becomes of the others.

use super::commit::{Ready, Run};
use super::plan::{Group, OptimizePlan};
use super::rewrite::whole_rows;
use super::sizes::Sizes;
use crate::data::scan::Scan;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::operations::plan::Plan;
use crate::operations::run::Settings;
use crate::snapshot::Snapshot;
use crate::transaction::Committed;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use std::collections::VecDeque;
use std::sync::Arc;

/// What a group that is being rewritten holds, about: rows and pages on their way from one file to another.
const GROUP_BYTES: u64 = 64 << 20;

/// What came of a plan.
#[derive(Debug)]
pub(crate) struct Done {
    /// The last commit, with the attempts and warnings of all; `None` when there was nothing to do.
    pub committed: Option<Committed>,
    pub sizes: Sizes,
    /// What others did meanwhile, and what became of it.
    pub notes: Vec<String>,
    /// Files that came and went.
    pub actual: Plan,
    /// A group that was given up because others kept changing its files.
    pub given_up: Option<Error>,
}

/// A group that is to be rewritten.
pub(super) struct Work {
    pub base: Arc<Snapshot>,
    pub scan: Scan,
    pub group: Group,
    /// How often it was planned anew.
    pub tries: u32,
}

/// Carries out a plan of the version `base`. `LB-CONFLICT` when others kept all of it from being committed; else what could not be done
/// is in the notes.
pub(crate) async fn execute(base: &Arc<Snapshot>, mut plan: OptimizePlan, settings: &Settings) -> Result<Done> {
    base.state().check_writable()?;
    let env = base.table().env().clone();
    let scan = whole_rows(base)?;
    let groups = std::mem::take(&mut plan.groups);
    let work = |group| Work { base: Arc::clone(base), scan: scan.clone(), group, tries: 0 };
    let mut waiting: VecDeque<Work> = groups.into_iter().map(work).collect();
    let mut run = Run::new(base.table(), &plan, settings);
    let mut running = FuturesUnordered::new();
    let (mut ready, mut bytes) = (Vec::new(), 0u64);
    let at_once = if plan.layout.is_alone() { 1 } else { groups_at_once(&env) };
    let failure = loop {
        while running.len() < at_once
            && let Some(work) = waiting.pop_front()
        {
            running.push(start(&env, &plan, work));
        }
        match running.next().await {
            Some(Ok(done)) => {
                bytes += done.bytes();
                ready.push(done);
            }
            Some(Err(e)) => break Some(e),
            None if ready.is_empty() => break None,
            None => {}
        }
        let is_last = running.is_empty() && waiting.is_empty();
        if bytes >= plan.commit_bytes || is_last && !ready.is_empty() {
            bytes = 0;
            match run.commit(std::mem::take(&mut ready)).await {
                Ok(again) => waiting.extend(again),
                Err(e) => break Some(e),
            }
        }
    };
    let Some(failure) = failure else { return run.end() };
    while let Some(done) = running.next().await {
        ready.extend(done);
    }
    for done in &ready {
        done.discard(base.table()).await;
    }
    Err(match run.version() {
        Some(version) => failure.with("committed", version),
        None => failure,
    })
}

/// Rewrites a group in a task of its own.
fn start(env: &Env, plan: &OptimizePlan, work: Work) -> impl Future<Output = Result<Ready>> + use<> {
    let (layout, target) = (plan.layout.clone(), plan.target);
    let task = env.spawn(async move {
        let Work { base, scan, group, tries } = work;
        let done = layout.rewrite(&base, &scan, group, target).await?;
        Ok(Ready::new(base, done, tries))
    });
    async move { task.await.unwrap_or_else(Err) }
}

/// As many as there are threads, and as memory allows.
fn groups_at_once(env: &Env) -> usize {
    let room = usize::try_from(env.memory().limit() / GROUP_BYTES).unwrap_or(usize::MAX);
    env.threads().min(room).max(1)
}
