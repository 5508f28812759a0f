//! What a commit did, as far as others must know. Kind: pure. Spec: CON, COM.

use crate::env::Timestamp;
use crate::error::Result;
use crate::log::{Action, Add, DomainMetadata, LogFile, Metadata, Protocol, Remove, Txn, Version, decode_commit};

/// What one commit of the log did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Footprint {
    pub version: Version,
    pub txn_id: Option<String>,
    pub in_commit_timestamp: Option<Timestamp>,
    /// The writer read nothing of the table. Only believed of a commit that removes nothing.
    pub blind_append: bool,
    pub protocol: Option<Protocol>,
    pub metadata: Option<Metadata>,
    pub apps: Vec<Txn>,
    pub domains: Vec<DomainMetadata>,
    pub removes: Vec<Remove>,
    pub adds: Vec<Add>,
}

impl Footprint {
    /// Reads the body of a commit; errors as `decode_commit`.
    pub(crate) fn read(version: Version, body: &[u8]) -> Result<Footprint> {
        let mut found = Footprint { version, ..Footprint::default() };
        let mut claims_blind = false;
        for action in decode_commit(&LogFile::commit_name(version), body)? {
            match action {
                Action::CommitInfo(info) => {
                    found.txn_id = info.txn_id().map(str::to_owned);
                    found.in_commit_timestamp = info.in_commit_timestamp().map(Timestamp);
                    claims_blind = info.is_blind_append();
                }
                Action::Protocol(p) => found.protocol = Some(p),
                Action::Metadata(m) => found.metadata = Some(m),
                Action::Txn(t) => found.apps.push(t),
                Action::DomainMetadata(d) => found.domains.push(d),
                Action::Remove(r) => found.removes.push(r),
                Action::Add(a) => found.adds.push(a),
                Action::Cdc(_) | Action::Sidecar(_) | Action::CheckpointMetadata(_) => {}
            }
        }
        found.blind_append = claims_blind && found.removes.is_empty();
        Ok(found)
    }
}
