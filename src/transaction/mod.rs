//! Transactions: intent, rules, the one retry loop. Spec: COM, CON.

mod outcome;

pub use outcome::{CommitOutcome, Committed, Conflicted, OperationInfo};

use crate::error::Result;
use crate::expr::BoundExpr;
use crate::features::TableState;
use crate::log::{Add, DomainMetadata, Metadata, Protocol, Remove};
use crate::snapshot::Snapshot;
use crate::table::Table;
use std::sync::Arc;

/// What a transaction has read.
#[derive(Clone, Debug)]
pub enum ReadScope {
    /// The whole table.
    Table,
    /// Rows for which this may be TRUE.
    Predicate(BoundExpr),
    /// These files, by path as in the log.
    Files(Vec<String>),
    /// The version that an application recorded.
    App(String),
}

/// What one writer wants to change, without anything that depends on the version it will get.
pub struct Transaction {}

impl Snapshot {
    /// Starts a transaction on this version.
    pub fn begin(self: &Arc<Self>, operation: OperationInfo) -> Transaction {
        let _ = operation;
        todo!("transaction room")
    }
}

impl Table {
    /// Starts the transaction that makes version 0 of a table of this state.
    pub fn begin_create(&self, state: Arc<TableState>, operation: OperationInfo) -> Transaction {
        let _ = (state, operation);
        todo!("transaction room")
    }
}

impl Transaction {
    /// Records what was read. Required before `remove`.
    pub fn read(&mut self, scope: ReadScope) -> &mut Self {
        let _ = scope;
        todo!("transaction room")
    }
    pub fn add(&mut self, file: Add) -> &mut Self {
        let _ = file;
        todo!("transaction room")
    }
    pub fn remove(&mut self, file: Remove) -> &mut Self {
        let _ = file;
        todo!("transaction room")
    }
    pub fn set_metadata(&mut self, metadata: Metadata) -> &mut Self {
        let _ = metadata;
        todo!("transaction room")
    }
    pub fn set_protocol(&mut self, protocol: Protocol) -> &mut Self {
        let _ = protocol;
        todo!("transaction room")
    }
    pub fn set_domain(&mut self, domain: DomainMetadata) -> &mut Self {
        let _ = domain;
        todo!("transaction room")
    }
    pub fn set_app_version(&mut self, app_id: &str, version: i64) -> &mut Self {
        let _ = (app_id, version);
        todo!("transaction room")
    }
    /// Commits, trying again past winners that do not conflict. A conflict is an outcome; `LB-COMMIT-UNKNOWN` is an error.
    pub async fn commit(self) -> Result<CommitOutcome> {
        todo!("transaction room")
    }
}
