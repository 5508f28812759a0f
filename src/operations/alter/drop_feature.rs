//! Removes a table feature and all its traces. Kind: edge. Spec: DRF.
//!
//! In steps, each a commit of its own that leaves a good table: stop the feature, rewrite what needs it, then take it off the protocol.
//! A run that is interrupted is simply run again. Invariant: the protocol loses a feature only in a commit whose base holds no trace.

use super::{Plan, commit, finish, rewrite, stage};
use crate::data::vector::file_name;
use crate::env::{Env, Timestamp};
use crate::error::{Code, Error, Result};
use crate::features::{Dropping, PROTECTED_BEFORE, TableChange};
use crate::log::{DomainMetadata, Remove, Version};
use crate::operations::{Report, refused};
use crate::snapshot::{At, Snapshot};
use crate::transaction::{CommitOutcome, CommitPolicy, Committed, OperationInfo, ReadScope};
use futures::TryStreamExt;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How often the last step looks again because another writer was faster.
const ROUNDS_MAX: u32 = 10;
/// How many protected checkpoints close off the history that is kept, as Spark does it.
const CHECKPOINTS: usize = 3;

pub(super) async fn run(base: Arc<Snapshot>, feature: &str, truncate_history: bool, started: Timestamp) -> Result<Report> {
    let env = base.table().env().clone();
    let dropping = Dropping::of(base.state(), feature)?;
    if truncate_history && !dropping.binds_readers() {
        return Err(Error::new(Code::INPUT, "history is truncated only for features that readers must know")
            .with("features", dropping.name())
            .help("drop it without truncating the history"));
    }
    let mut dropper = Dropper { base, dropping, truncate_history, attempts: 0, metrics: Map::new(), warnings: Vec::new() };
    dropper.stop().await?;
    for _ in 0..ROUNDS_MAX {
        dropper.remove_traces().await?;
        if dropping.binds_readers() {
            match truncate_history {
                true => dropper.truncate().await?,
                false => {
                    dropper.keep_side_files().await?;
                    dropper.close_off().await?;
                }
            }
        }
        if let Some(done) = dropper.drop(&env).await? {
            let Dropper { metrics, warnings, attempts, .. } = dropper;
            let mut report = Report::committed(OPERATION, done, metrics, &env, started);
            report.attempts += attempts;
            report.warnings.extend(warnings);
            return Ok(report);
        }
    }
    Err(Error::new(Code::LIMIT, "other writers kept changing the table; the feature is stopped but not dropped")
        .with("features", dropping.name())
        .with("rounds", ROUNDS_MAX)
        .help("run it again when the table is quiet"))
}

/// The removal of a file that was never a data file.
fn side_file(path: String, now: i64) -> Remove {
    Remove {
        path,
        deletion_timestamp: Some(now),
        data_change: false,
        extended_file_metadata: None,
        partition_values: None,
        size: None,
        stats: None,
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
    }
}

const OPERATION: &str = "DROP FEATURE";

struct Dropper {
    /// The newest version that is known.
    base: Arc<Snapshot>,
    dropping: Dropping,
    truncate_history: bool,
    attempts: u32,
    metrics: Map<String, Value>,
    warnings: Vec<String>,
}

impl Dropper {
    /// Notes a commit and moves on to its version.
    async fn after(&mut self, done: Option<Committed>) -> Result<()> {
        if let Some(done) = done {
            self.attempts += done.attempts;
            self.warnings.extend(done.warnings);
        }
        self.base = self.base.refresh().await?;
        Ok(())
    }

    /// Switches the feature off, so that nobody leaves new traces.
    async fn stop(&mut self) -> Result<()> {
        let (set, unset) = self.dropping.stops(self.base.state());
        let plan = if !set.is_empty() {
            super::properties::set(set)?
        } else if !unset.is_empty() {
            super::properties::unset_any(unset)
        } else {
            return Ok(());
        };
        let done = commit(&self.base, plan, CommitPolicy::default()).await?;
        self.after(done).await
    }

    /// Rewrites files, takes entries of files down to what all readers know, drops domains.
    async fn remove_traces(&mut self) -> Result<()> {
        let downgrade = self.dropping.downgrade;
        if let Some(needs) = downgrade.rewrites {
            let files = rewrite::selected(&self.base, &needs).await?;
            self.rewrite(files).await?;
        }
        if downgrade.rewrites_narrower.is_some_and(|may| may(self.base.state())) {
            let files = rewrite::narrower(&self.base).await?;
            self.rewrite(files).await?;
        }
        if let Some(strip) = downgrade.strips
            && let Some(done) = rewrite::strip(&self.base, strip).await?
        {
            self.after(Some(done)).await?;
        }
        let domains = self.dropping.domains(self.base.state());
        // Where the table still knows domains afterwards, they go with the feature.
        if !domains.is_empty() && self.domain_removals().is_empty() {
            let info = OperationInfo { operation: "DOMAIN METADATA CLEANUP".to_owned(), ..OperationInfo::default() };
            let mut transaction = self.base.begin(info);
            transaction.operation().metrics.insert("domainMetadataRemovedCount".to_owned(), domains.len().into());
            for domain in domains {
                let configuration = self.base.state().domain(&domain).map(|d| d.configuration.clone()).unwrap_or_default();
                transaction.set_domain(DomainMetadata { domain, configuration, removed: true });
            }
            let done = finish(transaction).await?;
            self.after(Some(done)).await?;
        }
        Ok(())
    }

    async fn rewrite(&mut self, files: rewrite::Files) -> Result<()> {
        match rewrite::rewrite(&self.base, files, &mut self.metrics).await? {
            Some(done) => self.after(Some(done)).await,
            None => Ok(()),
        }
    }

    /// The domains that the last commit drops: those of the feature that the protocol which is left still allows.
    fn domain_removals(&self) -> Vec<DomainMetadata> {
        let state = self.base.state();
        let Ok(after) = state.with(self.dropping.protocol(state), state.metadata().clone(), state.domains().to_vec()) else {
            return Vec::new();
        };
        let removal = |domain: String| {
            let configuration = state.domain(&domain).map(|d| d.configuration.clone()).unwrap_or_default();
            DomainMetadata { domain, configuration, removed: true }
        };
        self.dropping.domains(state).into_iter().map(removal).filter(|domain| after.check_domain(domain).is_ok()).collect()
    }

    /// Lists the files of the history that lie beside its data files as removed now: whoever vacuums the table without knowing what
    /// they are takes them for orphans otherwise, and the versions that need them would be lost before their time.
    async fn keep_side_files(&mut self) -> Result<()> {
        let Some(operation) = self.dropping.downgrade.side_files else { return Ok(()) };
        let (mut files, mut listed) = (BTreeSet::new(), BTreeSet::new());
        let mut removed = self.base.tombstones();
        while let Some(batch) = removed.try_next().await? {
            for remove in batch {
                files.extend(remove.deletion_vector.as_ref().and_then(file_name));
                listed.insert(remove.path);
            }
        }
        let missing: Vec<String> = files.difference(&listed).cloned().collect();
        if missing.is_empty() {
            return Ok(());
        }
        let mut transaction = self.base.begin(OperationInfo { operation: operation.to_owned(), ..OperationInfo::default() });
        let now = self.base.table().env().now().millis();
        transaction.read(ReadScope::Files(missing.to_vec()));
        for path in missing {
            transaction.remove(side_file(path, now));
        }
        let done = finish(transaction).await?;
        self.after(Some(done)).await
    }

    /// Puts checkpoints between the history that needs the feature and what follows, so that nobody must replay it.
    async fn close_off(&mut self) -> Result<()> {
        for _ in 0..CHECKPOINTS {
            self.empty_commit().await?;
        }
        Ok(())
    }

    /// Commits nothing and makes a checkpoint of it. Others may have committed since; gives the version with the checkpoint.
    async fn empty_commit(&mut self) -> Result<Version> {
        let info = OperationInfo { operation: "Empty Commit".to_owned(), ..OperationInfo::default() };
        let done = finish(self.base.begin(info)).await?;
        let version = done.version;
        self.after(Some(done)).await?;
        self.checkpoint(version).await?;
        Ok(version)
    }

    async fn checkpoint(&mut self, version: Version) -> Result<()> {
        let snapshot = match self.base.version() == version {
            true => Arc::clone(&self.base),
            false => self.base.table().snapshot_at(At::Version(version)).await?,
        };
        let written = snapshot.write_checkpoint().await?;
        self.warnings.extend(written.warnings);
        Ok(())
    }

    /// Removes the history that needs the feature from the log. `LB-FEATURE-WRITE` while it is too young.
    async fn truncate(&mut self) -> Result<()> {
        let Some(last) = super::history::last_trace(&self.base, self.dropping).await? else { return Ok(()) };
        let retention = self.base.state().truncation_retention_ms()?;
        let now = self.base.table().env().now().millis();
        let free_at = last.modified.saturating_add(retention);
        if free_at > now {
            return Err(Error::new(
                Code::FEATURE_WRITE,
                "the feature is stopped, but the history still needs it and is too young to be removed",
            )
            .with("features", self.dropping.name())
            .with("version", last.version)
            .with("wait_ms", free_at - now)
            .help("run it again later, lower `delta.dropFeatureTruncateHistory.retentionDuration`, or keep the history"));
        }
        let cut = self.empty_commit().await?;
        let removed = super::history::remove_before(&self.base, cut).await?;
        self.metrics.insert("numRemovedLogFiles".to_owned(), removed.into());
        self.base = self.base.table().snapshot().await?;
        Ok(())
    }

    /// Takes the feature off the protocol; `None` when another writer was faster.
    async fn drop(&mut self, env: &Env) -> Result<Option<Committed>> {
        let state = self.base.state();
        let version = self.base.version().next();
        let keeps_history = self.dropping.binds_readers() && !self.truncate_history;
        let cleaned = self.dropping.cleaned(state.schema())?;
        let change = TableChange {
            schema: (cleaned != *state.schema()).then_some(cleaned),
            unset: self.dropping.downgrade.leftovers.iter().map(|key| (*key).to_owned()).collect(),
            domains: self.domain_removals(),
            set: if keeps_history { [(PROTECTED_BEFORE.to_owned(), version.to_string())].into() } else { Default::default() },
            ..TableChange::default()
        };
        let mut changed = change.apply(state, env)?;
        let protocol = if keeps_history { self.dropping.protocol_with_history(state) } else { self.dropping.protocol(state) };
        changed.protocol = Some(protocol);
        let plan = Plan::new(OPERATION, TableChange::default()).parameter("featureName", self.dropping.name());
        let mut transaction = self.base.begin(plan.parameter("truncateHistory", self.truncate_history).info());
        // What was looked at is this base; the recorded version is the next.
        transaction.policy(CommitPolicy { attempts_max: 1, ..CommitPolicy::default() }).permit_dropped_feature();
        stage(&mut transaction, changed);
        match transaction.commit().await {
            Ok(CommitOutcome::Committed(done)) => {
                let version = done.version;
                self.after(None).await?;
                if self.dropping.binds_readers() {
                    self.checkpoint(version).await?;
                }
                Ok(Some(done))
            }
            Ok(CommitOutcome::Conflicted(conflict)) => {
                self.warnings.push(refused(&conflict).to_string());
                self.after(None).await?;
                Ok(None)
            }
            Err(e) if e.code() == Code::LIMIT => {
                self.after(None).await?;
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }
}
