//! What a transaction wants, free of the version it will get. Kind: shape. Spec: COM.
//!
//! Invariant: nothing here depends on the version, on earlier commits or on the clock; `draft` adds that at every attempt.

use super::{OperationInfo, RowDelete};
use crate::log::{Add, Cdc, DomainMetadata, Metadata, Protocol, Remove, Txn};

/// What a transaction wants to write.
#[derive(Clone, Debug, Default)]
pub(crate) struct Intent {
    pub operation: OperationInfo,
    pub protocol: Option<Protocol>,
    pub metadata: Option<Metadata>,
    pub apps: Vec<Txn>,
    pub domains: Vec<DomainMetadata>,
    pub removes: Vec<Remove>,
    pub adds: Vec<Add>,
    pub row_deletes: Vec<RowDelete>,
    pub cdcs: Vec<Cdc>,
    /// Whether files that nobody wrote for this are among the adds: they were seen in the store, and may be deleted at any time.
    pub names_again: bool,
    /// Whether the protocol may lose a feature, of which the base holds no trace.
    pub drops_feature: bool,
    /// What follows the commit deletes nothing of the log.
    pub keeps_log: bool,
}

impl Intent {
    /// Whether rows of the table go, or files.
    pub(crate) fn removes_anything(&self) -> bool {
        !self.removes.is_empty() || !self.row_deletes.is_empty()
    }
    /// Whether it says nothing but that it happened.
    pub(crate) fn is_empty(&self) -> bool {
        let facts = self.protocol.is_none() && self.metadata.is_none() && self.apps.is_empty() && self.domains.is_empty();
        facts && self.adds.is_empty() && self.cdcs.is_empty() && !self.removes_anything()
    }
    /// Whether all it does is to move rows between files.
    pub(crate) fn only_rearranges(&self) -> bool {
        let changes = !self.row_deletes.is_empty() || self.adds.iter().any(|a| a.data_change) || self.removes.iter().any(|r| r.data_change);
        let files = !self.adds.is_empty() || !self.removes.is_empty();
        let only_files = self.protocol.is_none() && self.metadata.is_none() && self.apps.is_empty() && self.domains.is_empty();
        files && only_files && !changes
    }
}
