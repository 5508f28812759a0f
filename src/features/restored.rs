//! A table that goes back to one of its older versions. Kind: pure. Spec: RST.
//!
//! Invariant: what describes the log and not the version stays: the id, what the protocol promises, ids and numbers that were given
//! (the commit keeps those), and since when commits carry their own time.

use super::in_commit_timestamp::SINCE;
use super::new_table::{check, live_domains};
use super::row_tracking::ROW_ID_PROPERTIES;
use super::versions::{AskedVersions, grown_protocol};
use super::{ChangedTable, PROTECTED_BEFORE, TableState};
use crate::error::{Code, Error, Result};
use crate::log::Metadata;
use std::sync::Arc;

impl TableState {
    /// This table with the columns, properties and clustering of `then`, an older version of it. The protocol only grows: it becomes
    /// the union of both. `LB-FEATURE-WRITE` when that needs what this build lacks.
    pub(crate) fn restored_to(&self, then: &TableState) -> Result<ChangedTable> {
        let mut metadata = Metadata { id: self.metadata().id.clone(), ..then.metadata().clone() };
        let mut keep = |key: &str| match self.property(key) {
            Some(value) => _ = metadata.configuration.insert(key.to_owned(), value.to_owned()),
            None => _ = metadata.configuration.remove(key),
        };
        keep(PROTECTED_BEFORE);
        if self.keeps_commit_times() && then.keeps_commit_times() {
            SINCE.into_iter().for_each(keep);
        }
        if then.keeps_row_ids() && !self.gives_row_ids() {
            // Rows have been written that have no ids, so nobody may be told that all have.
            metadata.configuration.retain(|key, _| !ROW_ID_PROPERTIES.contains(&key.as_str()));
        }
        let protocol = grown_protocol(self, &then.features().supported, AskedVersions::default())?;
        let domains: Vec<_> = self.clustered_as(then).into_iter().collect();
        let after = protocol.clone().unwrap_or_else(|| self.protocol().clone());
        let state = self.with(after, metadata.clone(), live_domains(self, &domains))?;
        if let Some(lost) = then.protocol_loss(&state) {
            return Err(Error::new(Code::FEATURE_WRITE, format!("the table cannot go back to that version: {lost} and is not known here")));
        }
        match check(None, then) {
            Ok(()) => {
                check(None, &state).map_err(|e| e.with("restoring", "what that version was, with what was done to the table since"))?
            }
            // What that version broke already it may break again.
            Err(_) => state.check_writable()?,
        }
        let same = metadata == *self.metadata()
            || self.differs_in_numbers_only(&self.with(self.protocol().clone(), metadata.clone(), Vec::new())?);
        Ok(ChangedTable { state: Arc::new(state), protocol, metadata: (!same).then_some(metadata), domains })
    }
}

#[cfg(test)]
#[path = "restored_tests.rs"]
mod tests;
