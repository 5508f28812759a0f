//! Carries groups out, several at once, and commits what is done in portions. Kind: edge. Spec: OPT.
//!
//! Invariant: a group that was committed stays committed, whatever becomes of the others.

use super::commit::{Ready, Run};
use super::plan::{Group, OptimizePlan};
use super::rewrite::{Rewritten, whole_rows};
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
pub(crate) async fn execute(base: &Arc<Snapshot>, plan: OptimizePlan, settings: &Settings) -> Result<Done> {
    let groups = plan.groups.clone();
    carry_out(base, plan, (groups, Vec::new()), settings).await
}

/// The same for a plan whose groups are rewritten and only wait for their commit.
pub(super) async fn finish(base: &Arc<Snapshot>, plan: OptimizePlan, ready: Vec<Ready>, settings: &Settings) -> Result<Done> {
    carry_out(base, plan, (Vec::new(), ready), settings).await
}

/// Rewrites the groups of a plan of the version `base` without a commit. After an error nothing of them is left.
pub(super) async fn rewrite(base: &Arc<Snapshot>, plan: &OptimizePlan) -> Result<Vec<Rewritten>> {
    base.state().check_writable()?;
    let (env, scan) = (base.table().env(), whole_rows(base)?);
    let work = |group: &Group| Work { base: Arc::clone(base), scan: scan.clone(), group: group.clone(), tries: 0 };
    let mut waiting = plan.groups.iter().map(|group| start(env, plan, work(group)));
    let mut running: FuturesUnordered<_> = waiting.by_ref().take(plan.groups_at_once(env)).collect();
    let (mut done, mut failure) = (Vec::new(), None);
    while let Some(ended) = running.next().await {
        match ended {
            Ok(ready) => done.push(ready.into_rewritten()),
            Err(e) => failure = failure.or(Some(e)),
        }
        if failure.is_none() {
            running.extend(waiting.next());
        }
    }
    let Some(failure) = failure else { return Ok(done) };
    for done in &done {
        done.discard(base.table()).await;
    }
    Err(failure)
}

/// Rewrites groups, and commits them and those that are ready.
async fn carry_out(
    base: &Arc<Snapshot>,
    plan: OptimizePlan,
    (groups, mut ready): (Vec<Group>, Vec<Ready>),
    settings: &Settings,
) -> Result<Done> {
    base.state().check_writable()?;
    let env = base.table().env().clone();
    let scan = whole_rows(base)?;
    let work = |group| Work { base: Arc::clone(base), scan: scan.clone(), group, tries: 0 };
    let mut waiting: VecDeque<Work> = groups.into_iter().map(work).collect();
    let mut run = Run::new(base.table(), &plan, settings);
    let mut running = FuturesUnordered::new();
    let mut bytes = 0u64;
    let at_once = plan.groups_at_once(&env);
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

impl OptimizePlan {
    /// How many groups are rewritten at once: as many as there are threads, and as memory allows.
    fn groups_at_once(&self, env: &Env) -> usize {
        let room = usize::try_from(env.memory().limit() / GROUP_BYTES).unwrap_or(usize::MAX);
        if self.layout.is_alone() { 1 } else { env.threads().min(room).max(1) }
    }
}
