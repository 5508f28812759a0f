//! Commits rewritten groups, past what others did to their files meanwhile. Kind: edge. Spec: OPT.
//!
//! Invariant: a group is committed only on a version on which its files hold just the rows that its new files hold.

use super::carry::{Fate, fate};
use super::execute::{Done, Work};
use super::layout::Layout;
use super::plan::{Group, OptimizePlan};
use super::rewrite::{Rewritten, whole_rows};
use super::sizes::Sizes;
use crate::data::vector::{VectorWriter, discard_vectors};
use crate::data::write::discard;
use crate::error::{Code, Error, Result};
use crate::log::{Add, Version};
use crate::operations::manifest::renew_after;
use crate::operations::overwrite::remove_of;
use crate::operations::plan::Plan;
use crate::operations::run::Settings;
use crate::operations::{json_text, refused};
use crate::snapshot::{FileQuery, Snapshot};
use crate::table::Table;
use crate::transaction::{CommitOutcome, CommitPolicy, Committed, Conflicted, OperationInfo, ReadScope, RowDelete, Transaction};
use futures::TryStreamExt;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A group that waits for its commit.
pub(super) struct Ready {
    /// The version on which the rest holds.
    base: Arc<Snapshot>,
    done: Rewritten,
    tries: u32,
    /// Its files as they stand on that version.
    removes: Vec<Add>,
    /// The new files, without the rows that others have deleted since.
    adds: Vec<Add>,
    /// The vector files that say which these are.
    vectors: Vec<String>,
    /// Whether the new files came with a part of a plan: whoever brings it again may bring what some version has named.
    brought: bool,
}

impl Ready {
    pub(super) fn new(base: Arc<Snapshot>, done: Rewritten, tries: u32) -> Ready {
        let (removes, adds) = (done.group.files.clone(), done.adds.clone());
        Ready { base, done, tries, removes, adds, vectors: Vec::new(), brought: false }
    }
    /// The same for a group that was rewritten elsewhere.
    pub(super) fn brought(base: Arc<Snapshot>, done: Rewritten) -> Ready {
        Ready { brought: true, ..Ready::new(base, done, 0) }
    }
    /// Bytes of the files that go.
    pub(super) fn bytes(&self) -> u64 {
        self.done.group.bytes()
    }
    pub(super) fn into_rewritten(self) -> Rewritten {
        self.done
    }
    /// Deletes what was written for it here.
    pub(super) async fn discard(&self, table: &Table) {
        if !self.brought {
            self.done.discard(table).await;
        }
        discard_vectors(table.root(), &self.vectors).await;
    }
}

/// What was committed so far, and how to go on.
pub(super) struct Run<'a> {
    table: Table,
    layout: Layout,
    target: u64,
    settings: &'a Settings,
    operation: OperationInfo,
    done: Done,
    /// The newest conflict, and whether a group was given up for one.
    conflict: Option<Error>,
    gave_up: bool,
}

impl<'a> Run<'a> {
    pub(super) fn new(table: &Table, plan: &OptimizePlan, settings: &'a Settings) -> Run<'a> {
        let predicate: Vec<String> = plan.predicate.iter().cloned().collect();
        let mut parameters: Map<String, Value> = [("predicate".to_owned(), json_text(&predicate))].into_iter().collect();
        parameters.extend(plan.layout.parameters(plan.auto));
        let operation = plan.layout.operation().to_owned();
        let actual = Plan::new(&operation, Some(plan.read_version));
        let done = Done { committed: None, sizes: Sizes::default(), notes: Vec::new(), actual, given_up: None };
        let operation = OperationInfo { operation, parameters, user_metadata: settings.user_metadata.clone(), metrics: Map::new() };
        Run {
            table: table.clone(),
            layout: plan.layout.clone(),
            target: plan.target,
            settings,
            operation,
            done,
            conflict: None,
            gave_up: false,
        }
    }
    /// The newest version that it made.
    pub(super) fn version(&self) -> Option<Version> {
        self.done.committed.as_ref().map(|c| c.version)
    }
    /// All that came of it.
    pub(super) fn end(self) -> Result<Done> {
        let given_up = self.conflict.filter(|_| self.gave_up);
        match (self.done, given_up) {
            (Done { committed: None, .. }, Some(e)) => Err(e),
            (done, given_up) => Ok(Done { given_up, ..done }),
        }
    }
    /// Commits groups at once; gives those of which others changed files meanwhile, planned anew. After an error none of them was committed.
    pub(super) async fn commit(&mut self, mut batch: Vec<Ready>) -> Result<Vec<Work>> {
        let mut again = Vec::new();
        let Some(mut base) = batch.iter().map(|ready| &ready.base).max_by_key(|base| base.version()).cloned() else { return Ok(again) };
        let mut stale = batch.iter().any(|ready| ready.base.version() != base.version());
        for _ in 0..self.settings.policy.plans_max.max(1) {
            if stale {
                batch = self.renew(&base, batch, &mut again).await?;
            }
            if batch.is_empty() {
                return Ok(again);
            }
            match self.transaction(&base, &batch).commit().await {
                Ok(CommitOutcome::Committed(mut done)) => {
                    done.warnings.extend(renew_after(base.table(), base.state(), done.version).await);
                    self.count(done, batch).await;
                    return Ok(again);
                }
                Ok(CommitOutcome::Conflicted(conflict)) => {
                    if self.settings.if_version.is_some() {
                        self.discard(&batch).await;
                        return Err(refused(&conflict));
                    }
                    self.lost(&conflict);
                }
                Err(e) => {
                    if !e.may_have_landed() {
                        self.discard(&batch).await;
                    }
                    return Err(match self.settings.if_version {
                        Some(version) if e.code() == Code::LIMIT => Error::moved_on(version).caused_by(e),
                        _ => e,
                    });
                }
            }
            match base.refresh().await {
                Ok(newest) => base = newest,
                Err(e) => {
                    self.discard(&batch).await;
                    return Err(e);
                }
            }
            stale = true;
        }
        self.gave_up = true;
        self.note(format!("{} groups of files were left as they are: others kept changing the table", batch.len()));
        self.discard(&batch).await;
        Ok(again)
    }
    fn transaction(&self, base: &Arc<Snapshot>, batch: &[Ready]) -> Transaction {
        let mut sizes = Sizes::default();
        batch.iter().for_each(|ready| sizes.count(&ready.removes, &ready.adds));
        let mut transaction = base.begin(OperationInfo { metrics: sizes.metrics(), ..self.operation.clone() });
        let once = self.settings.if_version.is_some();
        let attempts_max = if once { 1 } else { self.settings.policy.attempts_max };
        transaction.policy(CommitPolicy { attempts_max, ..self.settings.policy.clone() });
        let removed = || batch.iter().flat_map(|ready| &ready.removes);
        transaction.read(ReadScope::Files(removed().map(|file| file.path.clone()).collect()));
        let now = self.table.env().now().millis();
        for file in removed() {
            let mut remove = remove_of(file.clone(), file.num_records(), now);
            remove.data_change = false;
            transaction.remove(remove);
        }
        for add in batch.iter().flat_map(|ready| &ready.adds) {
            transaction.add(add.clone());
        }
        transaction
    }
    async fn count(&mut self, committed: Committed, batch: Vec<Ready>) {
        for ready in &batch {
            self.done.sizes.count(&ready.removes, &ready.adds);
            let decoded = |path: &str| percent_decode_str(path).decode_utf8_lossy().into_owned();
            let bytes = |file: &Add| u64::try_from(file.size).unwrap_or(0);
            for (kind, files) in [("remove", &ready.removes), ("add", &ready.adds)] {
                files.iter().for_each(|file| self.done.actual.act(kind, bytes(file)));
            }
            for file in &ready.adds {
                self.done.actual.item(&decoded(&file.path), bytes(file), "was written");
            }
            // A new file all of whose rows are gone again is none.
            let kept: HashSet<&str> = ready.adds.iter().map(|add| add.path.as_str()).collect();
            let empty: Vec<Add> = ready.done.adds.iter().filter(|add| !kept.contains(add.path.as_str())).cloned().collect();
            if !ready.brought {
                discard(&self.table, &empty).await;
            }
        }
        let earlier = self.done.committed.take();
        let (attempts, mut warnings) = earlier.map_or((0, Vec::new()), |c| (c.attempts, c.warnings));
        warnings.extend(committed.warnings);
        self.done.committed = Some(Committed { version: committed.version, attempts: attempts + committed.attempts, warnings });
    }
    fn lost(&mut self, conflict: &Conflicted) {
        tracing::info!(rule = conflict.rule, winner = %conflict.winner, "another writer was faster; looking what became of the files");
        self.conflict = Some(refused(conflict));
    }
    fn note(&mut self, note: String) {
        self.done.notes.push(note);
    }
    async fn discard(&self, batch: &[Ready]) {
        for ready in batch {
            ready.discard(&self.table).await;
        }
    }

    /// The groups as they can be committed on `base`. Those whose files others changed are planned anew. After an error none is left.
    async fn renew(&mut self, base: &Arc<Snapshot>, batch: Vec<Ready>, again: &mut Vec<Work>) -> Result<Vec<Ready>> {
        let live = match live_files(base, &batch).await {
            Ok(live) => live,
            Err(e) => {
                self.discard(&batch).await;
                return Err(e);
            }
        };
        let mut kept = Vec::new();
        let mut left = batch.into_iter();
        while let Some(ready) = left.next() {
            match self.renewed(base, ready, &live, again).await {
                Ok(ready) => kept.extend(ready),
                Err(e) => {
                    kept.extend(left);
                    self.discard(&kept).await;
                    return Err(e);
                }
            }
        }
        Ok(kept)
    }
    async fn renewed(
        &mut self,
        base: &Arc<Snapshot>,
        ready: Ready,
        live: &HashMap<String, Add>,
        again: &mut Vec<Work>,
    ) -> Result<Option<Ready>> {
        discard_vectors(self.table.root(), &ready.vectors).await;
        // What it was marked with is gone: each look begins with the files as they were written.
        let mut ready = Ready { adds: ready.done.adds.clone(), vectors: Vec::new(), ..ready };
        let (then, now) = (ready.base.state(), base.state());
        let fate = match then.metadata() == now.metadata() && then.protocol() == now.protocol() {
            true => fate(&self.table, &ready.done, live, now.writes_vectors()).await,
            false => Ok(Fate::Touched("the table was altered".to_owned())),
        };
        let marked = match fate {
            Ok(Fate::Untouched) => Ok(()),
            Ok(Fate::LostRows(rows)) => self.mark(&mut ready, &rows).await,
            Ok(Fate::Touched(what)) => {
                ready.discard(&self.table).await;
                self.plan_anew(base, ready, live, &what, again)?;
                return Ok(None);
            }
            Err(e) => Err(e),
        };
        if let Err(e) = marked {
            ready.discard(&self.table).await;
            return Err(e);
        }
        ready.removes = ready.done.group.files.iter().filter_map(|file| live.get(&file.path)).cloned().collect();
        ready.base = Arc::clone(base);
        Ok(Some(ready))
    }
    /// Deletes rows of the new files that others deleted from the old ones.
    async fn mark(&mut self, ready: &mut Ready, rows: &[roaring::RoaringTreemap]) -> Result<()> {
        let mut writer = VectorWriter::new(self.table.root(), self.table.env());
        let mut adds = Vec::new();
        for (add, rows) in ready.done.adds.iter().zip(rows) {
            if rows.is_empty() {
                adds.push(add.clone());
                continue;
            }
            let vector = match writer.write(rows).await {
                Ok(vector) => vector,
                Err(e) => {
                    writer.abort().await;
                    return Err(e);
                }
            };
            let marked = RowDelete { file: add.clone(), rows: Arc::new(rows.clone()), vector }.add();
            adds.extend(marked.map(|add| Add { data_change: false, ..add }));
        }
        ready.vectors = writer.finish().await?;
        ready.adds = adds;
        let count: u64 = rows.iter().map(roaring::RoaringTreemap::len).sum();
        self.note(format!("{count} rows were deleted while their files were rewritten; they are deleted from the new files too"));
        Ok(())
    }
    /// Divides what is left of a group's files once more.
    fn plan_anew(
        &mut self,
        base: &Arc<Snapshot>,
        ready: Ready,
        live: &HashMap<String, Add>,
        what: &str,
        again: &mut Vec<Work>,
    ) -> Result<()> {
        let tries = ready.tries + 1;
        if tries >= self.settings.policy.plans_max {
            self.gave_up = true;
            self.note(format!("{what} while its group of files was rewritten, again and again: the group was left as it is"));
            return Ok(());
        }
        let files = ready.done.group.files.iter().filter_map(|file| live.get(&file.path)).cloned().collect();
        let scan = whole_rows(base)?;
        let groups = self.layout.divide(files, self.target);
        let fate = if groups.is_empty() { "nothing is left to do in it" } else { "it is rewritten again" };
        self.note(format!("{what} while its group of files was rewritten: {fate}"));
        let work = |(files, reason): (Vec<Add>, &str)| {
            let group = Group { files, reason: reason.to_owned() };
            Work { base: Arc::clone(base), scan: scan.clone(), group, tries }
        };
        again.extend(groups.into_iter().map(work));
        Ok(())
    }
}

/// The files of these groups as far as they are live, their statistics cut to the count.
async fn live_files(base: &Arc<Snapshot>, batch: &[Ready]) -> Result<HashMap<String, Add>> {
    let wanted: HashSet<&str> = batch.iter().flat_map(|ready| ready.done.group.paths()).collect();
    let mut live = HashMap::new();
    let mut files = base.files(FileQuery::default().full());
    while let Some(found) = files.try_next().await? {
        for row in (0..found.len()).filter(|row| wanted.contains(found.path(*row))) {
            let records = found.num_records(row).and_then(|n| u64::try_from(n).ok());
            let add = super::plan::cut(found.add(row), records);
            live.insert(add.path.clone(), add);
        }
    }
    Ok(live)
}
