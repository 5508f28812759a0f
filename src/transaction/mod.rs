//! Transactions: intent, rules, the one retry loop. Spec: COM, CON.
//!
//! `Transaction` collects an `Intent` and a `ReadSet`; `draft` turns them into the bytes of one version; `machine` decides what to
//! do with every answer of the log, asking `rules` about the commits of others; `drive` does it.

mod after;
mod check;
mod draft;
mod drive;
mod footprint;
mod intent;
mod machine;
mod matching;
mod outcome;
mod policy;
mod reads;
mod rebase;
mod row_delete;
mod rules;
mod union;

pub use outcome::{CommitOutcome, Committed, Conflicted, OperationInfo};
pub use policy::CommitPolicy;
pub use reads::ReadScope;

use crate::data::vector;
use crate::env::Timestamp;
use crate::error::Result;
use crate::features::TableState;
use crate::log::seen::PathForm;
use crate::log::{Add, Cdc, DomainMetadata, Metadata, Protocol, Remove, Txn, VectorDescriptor, Version};
use crate::snapshot::Snapshot;
use crate::table::Table;
use drive::NEWEST_FOR;
use intent::Intent;
pub(crate) use machine::{CommitMachine, Ending};
use reads::ReadSet;
pub(crate) use rebase::Base;
pub(crate) use row_delete::RowDelete;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

#[cfg(test)]
pub(crate) use {
    drive::{End, drive},
    footprint::Footprint,
    machine::{Event, Step, Winners},
    rules::{RULES, Rule, Verdict},
};

/// All that stays the same from the first attempt of a commit to the last.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub(crate) intent: Intent,
    pub(crate) reads: ReadSet,
    /// Names this commit in the log; the same in every attempt.
    txn_id: String,
    read_version: Option<Version>,
    /// The table on which it was prepared; `None` when that does not matter.
    prepared_on: Option<Arc<TableState>>,
    /// The vector files that were written for this transaction, by name; those that it does not name are left to vacuum.
    wrote: Vec<String>,
    /// Under which paths are compared: writers spell the same one in several ways.
    paths: PathForm,
}

impl Work {
    /// The work of a transaction on a table at `root`.
    pub(crate) fn new(txn_id: String, read_version: Option<Version>, operation: OperationInfo, root: &Url) -> Self {
        let paths = PathForm::new(root);
        Work {
            intent: Intent { operation, ..Intent::default() },
            reads: ReadSet::default(),
            txn_id,
            read_version,
            prepared_on: None,
            wrote: Vec::new(),
            paths,
        }
    }
    /// Remembers files that were written on the way.
    fn wrote(&mut self, vectors: &[VectorDescriptor]) {
        for file in vectors.iter().filter_map(vector::file_name) {
            if !self.wrote.contains(&file) {
                self.wrote.push(file);
            }
        }
    }
    /// The files that were written on the way and that the commit does not name, for vacuum to delete.
    fn left_behind(&self) -> Vec<&str> {
        let named: Vec<String> = self.intent.row_deletes.iter().filter_map(|r| vector::file_name(&r.vector)).collect();
        self.wrote.iter().filter(|file| !named.contains(file)).map(String::as_str).collect()
    }
}

/// What one writer wants to change, without anything that depends on the version it will get.
#[derive(Debug)]
pub struct Transaction {
    table: Table,
    /// `None` for the transaction that makes a table.
    base: Option<Arc<Snapshot>>,
    state: Arc<TableState>,
    /// When the base was the newest version, or no table was there; `None` when nobody knows.
    seen: Option<Timestamp>,
    work: Work,
    policy: CommitPolicy,
}

impl Snapshot {
    /// Starts a transaction on this version.
    pub fn begin(self: &Arc<Self>, operation: OperationInfo) -> Transaction {
        Transaction::new(self.table().clone(), Some(Arc::clone(self)), Arc::clone(self.state()), operation)
    }
}

impl Table {
    /// Starts the transaction that makes version 0 of a table of this state. It conflicts with whoever makes the table first.
    pub fn begin_create(&self, state: Arc<TableState>, operation: OperationInfo) -> Transaction {
        let mut transaction = Transaction::new(self.clone(), None, Arc::clone(&state), operation);
        transaction.set_protocol(state.protocol().clone()).set_metadata(state.metadata().clone());
        for domain in state.domains() {
            transaction.set_domain(domain.clone());
        }
        transaction
    }
}

impl Transaction {
    fn new(table: Table, base: Option<Arc<Snapshot>>, state: Arc<TableState>, operation: OperationInfo) -> Self {
        let work = Work::new(table.env().new_uuid().to_string(), base.as_ref().map(|b| b.version()), operation, table.root().url());
        let work = Work { prepared_on: Some(Arc::clone(&state)), ..work };
        let seen = base.as_ref().map_or_else(|| Some(table.env().now()), |base| base.newest_at());
        Transaction { table, base, state, seen, work, policy: CommitPolicy::default() }
    }
    /// Says how long the commit may try.
    pub fn policy(&mut self, policy: CommitPolicy) -> &mut Self {
        self.policy = policy;
        self
    }
    /// Says when it was seen that no table is there, if that was longer ago than the transaction.
    pub(crate) fn seen_missing(&mut self, at: Timestamp) -> &mut Self {
        self.seen = Some(at);
        self
    }
    /// What `commitInfo` will say; metrics are often known only now.
    pub fn operation(&mut self) -> &mut OperationInfo {
        &mut self.work.intent.operation
    }
    /// The name of this commit in the log (`txnId`).
    pub fn id(&self) -> &str {
        &self.work.txn_id
    }
    /// The version that it stands on; `None` when it makes the table.
    pub fn base(&self) -> Option<&Arc<Snapshot>> {
        self.base.as_ref()
    }
    /// Records what was read. Required before `remove`.
    pub fn read(&mut self, scope: ReadScope) -> &mut Self {
        self.work.reads.push(scope);
        self
    }
    /// Adds a file.
    pub fn add(&mut self, file: Add) -> &mut Self {
        self.work.intent.adds.push(file);
        self
    }
    /// Says that files come that nobody wrote for this. What was seen of them in the store holds on the base only. (C10)
    pub(crate) fn names_again(&mut self) -> &mut Self {
        self.work.intent.names_again = true;
        self
    }
    /// Removes a file; its deletion vector, if it has one, must be copied into the action.
    pub fn remove(&mut self, file: Remove) -> &mut Self {
        self.work.intent.removes.push(file);
        self
    }
    /// Deletes rows of a file by a longer vector, which is written already. At most one for each file.
    pub(crate) fn delete_rows(&mut self, rows: RowDelete) -> &mut Self {
        self.work.wrote(std::slice::from_ref(&rows.vector));
        self.work.intent.row_deletes.push(rows);
        self
    }
    /// Adds a change data file.
    pub(crate) fn change_file(&mut self, file: Cdc) -> &mut Self {
        self.work.intent.cdcs.push(file);
        self
    }
    /// Replaces the table's metadata.
    pub fn set_metadata(&mut self, metadata: Metadata) -> &mut Self {
        self.work.intent.metadata = Some(metadata);
        self
    }
    /// Replaces the table's protocol.
    pub fn set_protocol(&mut self, protocol: Protocol) -> &mut Self {
        self.work.intent.protocol = Some(protocol);
        self
    }
    /// Lets the new protocol lack a feature that the table has. Whoever calls this has seen that nothing of the base needs it.
    pub(crate) fn permit_dropped_feature(&mut self) -> &mut Self {
        self.work.intent.drops_feature = true;
        self
    }
    /// Leaves the log as it is even when a clean-up is due after the commit: what is done next still needs old commits.
    pub(crate) fn keep_log(&mut self) -> &mut Self {
        self.work.intent.keeps_log = true;
        self
    }
    /// Sets or (with `removed`) drops a domain.
    pub(crate) fn set_domain(&mut self, domain: DomainMetadata) -> &mut Self {
        self.work.intent.domains.push(domain);
        self
    }
    /// Sets or (with `removed`) drops a domain of the user's own; what a dropped one said is kept in the log. `LB-INPUT` for a domain of
    /// the protocol, for one to drop that is not there, and for a table whose protocol knows no domains.
    pub fn set_user_domain(&mut self, domain: DomainMetadata) -> Result<&mut Self> {
        self.state.check_user_domain(&domain)?;
        Ok(self.set_domain(domain))
    }
    /// Records the version of an application; excludes whoever records one for the same application meanwhile.
    pub fn set_app_version(&mut self, app_id: &str, version: i64) -> &mut Self {
        let last_updated = Some(self.table.env().now().millis());
        self.work.intent.apps.push(Txn { app_id: app_id.to_owned(), version, last_updated });
        self
    }
    /// Commits, trying again past winners that do not conflict. One request when nobody else commits.
    ///
    /// A conflict is an outcome. `LB-COMMIT-UNKNOWN` (with the transaction id) is the only error after which the commit may be in the
    /// log; `LB-LIMIT` says that the policy's bounds were reached and that nothing is there.
    pub async fn commit(self) -> Result<CommitOutcome> {
        let Transaction { table, base, state, seen, work, policy } = self;
        let work = Arc::new(work);
        let timestamp = match &base {
            Some(snapshot) if keeps_commit_times(&state, &work.intent) => Some(snapshot.timestamp().await?),
            _ => None,
        };
        let ground = Base { version: work.read_version, state: Arc::clone(&state), timestamp };
        let mut machine = CommitMachine::new(Arc::clone(&work), ground, policy.clone(), table.env().random_u64());
        let retention = Duration::from_millis(u64::try_from(state.log_retention_ms().unwrap_or(0)).unwrap_or(0));
        let end = drive::End { seen, holds: NEWEST_FOR.min(retention / 2) };
        match drive::drive(|event, now| machine.on(event, now), &table, end).await? {
            Ending::Committed { version, attempts } => {
                let mut committed = Committed { version, attempts, warnings: Vec::new() };
                match after::run(&table, base.as_ref(), &committed, work.intent.keeps_log).await {
                    Ok(warnings) => committed.warnings.extend(warnings),
                    Err(e) => committed.warnings.push(e.to_string()),
                }
                Ok(CommitOutcome::Committed(committed))
            }
            Ending::Conflicted { rule, winner, evidence, wrote } => {
                let work = Work { wrote, ..Arc::unwrap_or_clone(work) };
                let transaction = Box::new(Transaction { table, base, state, seen, work, policy });
                Ok(CommitOutcome::Conflicted(Conflicted { rule, winner, evidence, transaction }))
            }
        }
    }
}

/// Whether a commit of `intent` needs the time of the commit before it.
fn keeps_commit_times(state: &Arc<TableState>, intent: &Intent) -> bool {
    let after = rebase::changed_state(state, intent.protocol.as_ref(), intent.metadata.as_ref(), &[]);
    state.keeps_commit_times() || after.is_ok_and(|s| s.keeps_commit_times())
}
