//! The ground a commit stands on, and how it moves past a winner. Kind: pure. Spec: COM.
//!
//! Invariant: `Base` describes exactly the version before the one that is tried next.

use super::footprint::Footprint;
use crate::env::Timestamp;
use crate::error::Result;
use crate::features::TableState;
use crate::log::{DomainMetadata, Metadata, Protocol, Version};
use std::sync::Arc;

/// The newest version that was judged, and the table there.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    /// `None` before the first commit of a table.
    pub version: Option<Version>,
    pub state: Arc<TableState>,
    /// The commit time of `version`, where the table keeps it in the log.
    pub timestamp: Option<Timestamp>,
}

impl Base {
    /// The version that a commit on this base gets.
    pub(crate) fn target(&self) -> Version {
        self.version.map_or(Version(0), Version::next)
    }
    /// The base after `winner`, which no rule excludes.
    pub(crate) fn advance(&self, winner: &Footprint) -> Result<Base> {
        let state = changed_state(&self.state, winner.protocol.as_ref(), winner.metadata.as_ref(), &winner.domains)?;
        Ok(Base { version: Some(winner.version), state, timestamp: winner.in_commit_timestamp.or(self.timestamp) })
    }
}

/// The state after a commit with these actions; the same one when there are none.
pub(crate) fn changed_state(
    state: &Arc<TableState>,
    protocol: Option<&Protocol>,
    metadata: Option<&Metadata>,
    domains: &[DomainMetadata],
) -> Result<Arc<TableState>> {
    if protocol.is_none() && metadata.is_none() && domains.is_empty() {
        return Ok(Arc::clone(state));
    }
    let live = state.domains().iter().filter(|old| domains.iter().all(|new| new.domain != old.domain));
    let live = live.chain(domains.iter().filter(|new| !new.removed)).cloned().collect();
    let protocol = protocol.unwrap_or(state.protocol()).clone();
    let metadata = metadata.unwrap_or(state.metadata()).clone();
    Ok(Arc::new(state.with(protocol, metadata, live)?))
}
