//! Replay of the small facts: protocol, metadata, application versions, domains. Kind: pure. Spec: REC.
//!
//! Invariant: of each fact the newest entry counts, whatever kind of file it came from.

use super::{Action, CommitInfo, DomainMetadata, Metadata, Protocol, TailPiece, Txn, Version};
use crate::error::{Code, Error, Result};
use std::collections::BTreeMap;

/// What a version says besides its files. Apply actions oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SmallFacts {
    pub protocol: Option<Protocol>,
    pub metadata: Option<Metadata>,
    /// By application. Incomplete until the base that has them is read when `txns_known` is false.
    pub txns: BTreeMap<String, Txn>,
    pub txns_known: bool,
    /// By name, removed ones included: they hide older entries.
    pub domains: BTreeMap<String, DomainMetadata>,
    /// Who made the newest commit, when its file was read and says so.
    pub commit_info: Option<CommitInfo>,
}

impl SmallFacts {
    /// Facts before any log entry.
    pub fn empty() -> Self {
        SmallFacts { txns_known: true, ..SmallFacts::default() }
    }
    /// One newer action. File actions say nothing here.
    pub fn apply(&mut self, action: &Action) {
        match action {
            Action::Protocol(p) => self.protocol = Some(p.clone()),
            Action::Metadata(m) => self.metadata = Some(m.clone()),
            Action::Txn(t) => drop(self.txns.insert(t.app_id.clone(), t.clone())),
            Action::DomainMetadata(d) => drop(self.domains.insert(d.domain.clone(), d.clone())),
            _ => {}
        }
    }
    /// One newer commit, or a compaction that ends later than what was applied before.
    pub fn apply_piece(&mut self, piece: &TailPiece) {
        self.commit_info = None;
        for action in &piece.actions {
            match action {
                Action::CommitInfo(info) => self.commit_info = Some(info.clone()),
                other => self.apply(other),
            }
        }
    }
    /// Of a commit whose facts are known already, only who made it.
    pub fn note_commit_info(&mut self, piece: &TailPiece) {
        let info = piece.actions.iter().find_map(|a| if let Action::CommitInfo(info) = a { Some(info) } else { None });
        self.commit_info = info.cloned();
    }
    /// Protocol and metadata. `LB-LOG-STATE` when a version lacks one of them.
    pub fn state(&self, version: Version) -> Result<(Protocol, Metadata)> {
        let missing = |what: &str| {
            Error::new(Code::LOG_STATE, format!("no commit up to version {version} holds a {what} action"))
                .with("version", version)
                .help("the log does not begin as a Delta table does; restore it from a copy")
        };
        let protocol = self.protocol.clone().ok_or_else(|| missing("protocol"))?;
        let metadata = self.metadata.clone().ok_or_else(|| missing("metaData"))?;
        Ok((protocol, metadata))
    }
    /// Domains that are not removed.
    pub fn live_domains(&self) -> Vec<DomainMetadata> {
        self.domains.values().filter(|d| !d.removed).cloned().collect()
    }
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
