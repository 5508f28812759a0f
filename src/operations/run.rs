//! The one way in which an operation that reads the table commits: plan, commit, plan anew when others were faster. Kind: edge. Spec: OPS.
//!
//! Invariant: files that a lost attempt wrote are deleted, unless it is unknown whether the commit that names them landed.

use super::manifest::renew_after;
use super::optimize::join_after;
use super::row_changes::RowEffects;
use super::vacuum::check_no_vacuum;
use super::{Report, refused};
use crate::data::write::WriteOptions;
use crate::env::Timestamp;
use crate::error::{Code, Error, Result};
use crate::log::{Metadata, Protocol, Version};
use crate::snapshot::Snapshot;
use crate::table::Table;
use crate::transaction::{CommitOutcome, CommitPolicy, OperationInfo, ReadScope};
use serde_json::{Map, Value};
use std::sync::Arc;

/// A change of rows that is planned on one version of the table.
pub(super) trait Operation: Sync {
    /// Spark's name of it.
    const NAME: &'static str;
    /// Reads `base` and writes files. When it fails it leaves none. May be called again, on a newer version.
    fn stage(&self, base: &Arc<Snapshot>) -> impl Future<Output = Result<Staged>> + Send;
}

/// What an operation has planned.
pub(super) struct Staged {
    pub effects: RowEffects,
    /// The table's metadata and protocol, as far as they change.
    pub metadata: Option<Metadata>,
    pub protocol: Option<Protocol>,
    pub reads: ReadScope,
    pub parameters: Map<String, Value>,
    pub metrics: Map<String, Value>,
}

/// What a caller can choose for every operation.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub if_version: Option<Version>,
    /// Rows of this version went into what is written: the operation stands on it, has read all of it, and is not planned anew.
    pub reading: Option<Arc<Snapshot>>,
    pub user_metadata: Option<String>,
    pub policy: CommitPolicy,
    pub options: WriteOptions,
}

/// Gives a builder, which has `settings`, the methods that set them.
macro_rules! chosen_by_settings {
    ($builder:ty) => {
        impl $builder {
            /// Free text that the history shows.
            pub fn user_metadata(mut self, text: &str) -> Self {
                self.settings.user_metadata = Some(text.to_owned());
                self
            }
            /// Refuses with `LB-CONFLICT` when the table is not at this version.
            pub fn if_version(mut self, version: Version) -> Self {
                self.settings.if_version = Some(version);
                self
            }
            /// How long the commit tries, and how often the work is planned anew.
            pub fn policy(mut self, policy: CommitPolicy) -> Self {
                self.settings.policy = policy;
                self
            }
            /// Sizes of files that are written.
            pub fn write_options(mut self, options: WriteOptions) -> Self {
                self.settings.options = options;
                self
            }
        }
    };
}
pub(super) use chosen_by_settings;

/// Adds how long looking for rows and writing took, in Spark's keys.
pub(super) fn put_times(metrics: &mut Map<String, Value>, started: Timestamp, scanned: Timestamp, ended: Timestamp) {
    let spent = |from: Timestamp, to: Timestamp| to.millis().saturating_sub(from.millis()).max(0);
    metrics.insert("scanTimeMs".to_owned(), spent(started, scanned).into());
    metrics.insert("rewriteTimeMs".to_owned(), spent(scanned, ended).into());
}

/// Runs an operation to its end. Nothing is committed when it changes nothing: the report's version is `None`.
///
/// `LB-TABLE`, `LB-CONFLICT` when the table is not at the version asked for, when others were faster as often as the policy allows, or when
/// files come back while a vacuum runs; then nothing was committed.
pub(super) async fn run<O: Operation>(table: &Table, operation: &O, settings: &Settings) -> Result<Report> {
    let env = table.env().clone();
    let started = env.now();
    let mut plans = 0;
    loop {
        plans += 1;
        let base = match &settings.reading {
            Some(base) => Arc::clone(base),
            None => table.snapshot().await?,
        };
        if let Some(wanted) = settings.if_version.filter(|wanted| *wanted != base.version()) {
            return Err(Error::moved_on(wanted).with("found", base.version()));
        }
        let mut staged = operation.stage(&base).await?;
        if !staged.effects.listed.is_empty()
            && let Err(e) = check_no_vacuum(&base, staged.effects.looked).await
        {
            staged.effects.discard(table).await;
            return Err(e);
        }
        let spent = env.now().millis().saturating_sub(started.millis()).max(0);
        staged.metrics.insert("executionTimeMs".to_owned(), spent.into());
        if staged.effects.is_empty() && staged.metadata.is_none() {
            let mut report = Report::nothing(O::NAME, &env, started);
            report.metrics = staged.metrics;
            return Ok(report);
        }
        let mut transaction = base.begin(OperationInfo {
            operation: O::NAME.to_owned(),
            parameters: staged.parameters,
            metrics: staged.metrics.clone(),
            user_metadata: settings.user_metadata.clone(),
        });
        transaction.read(staged.reads);
        if settings.reading.is_some() {
            transaction.read(ReadScope::Table);
        }
        if let Some(protocol) = staged.protocol {
            transaction.set_protocol(protocol);
        }
        if let Some(metadata) = staged.metadata {
            transaction.set_metadata(metadata);
        }
        staged.effects.stage(&mut transaction);

        let attempts_max = if settings.if_version.is_some() { 1 } else { settings.policy.attempts_max };
        transaction.policy(CommitPolicy { attempts_max, ..settings.policy.clone() });
        match transaction.commit().await {
            Ok(CommitOutcome::Committed(mut done)) => {
                done.warnings.extend(join_after(Some(&base), &staged.effects.adds).await);
                done.warnings.extend(renew_after(table, base.state(), done.version).await);
                return Ok(Report::committed(O::NAME, done, staged.metrics, &env, started));
            }
            Ok(CommitOutcome::Conflicted(conflict)) => {
                staged.effects.vector_files = conflict.wrote().to_vec();
                staged.effects.discard(table).await;
                let spent = env.now().millis().saturating_sub(started.millis());
                let in_time = u64::try_from(spent).is_ok_and(|ms| u128::from(ms) < settings.policy.time_max.as_millis());
                let only_here = settings.if_version.is_some() || settings.reading.is_some();
                if only_here || plans >= settings.policy.plans_max || !in_time {
                    return Err(refused(&conflict));
                }
                tracing::info!(rule = conflict.rule, winner = %conflict.winner, "another writer was faster; planning anew");
            }
            Err(e) => {
                if !e.may_have_landed() {
                    staged.effects.discard(table).await;
                }
                return match settings.if_version {
                    Some(version) if e.code() == Code::LIMIT => Err(Error::moved_on(version).caused_by(e)),
                    _ => Err(e),
                };
            }
        }
    }
}
