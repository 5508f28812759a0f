//! A table that begins as a copy of another one. Kind: pure. Spec: CPY.

use super::in_commit_timestamp::SINCE;
use super::row_tracking::name_columns_anew;
use super::{PROTECTED_BEFORE, TableState};
use crate::env::Env;
use crate::error::Result;
use crate::log::Metadata;

/// Properties that tie a table to whoever coordinates its commits.
const COORDINATION: [&str; 3] = ["delta.coordinatedCommits.", "io.unitycatalog.tableId", "ucTableId"];

impl TableState {
    /// The state of a copy of this table: another id, no name and comment, the same columns, clustering and protocol, and the
    /// properties that describe the table and not its log. A copy that is there already (`copy`) keeps the columns in which its moved
    /// rows carry their ids. `LB-FEATURE-WRITE` when this build cannot write such a table.
    pub(crate) fn cloned(&self, copy: Option<&TableState>, env: &Env) -> Result<TableState> {
        let mut metadata = Metadata { id: env.new_uuid().to_string(), name: None, description: None, ..self.metadata().clone() };
        metadata.configuration.retain(|key, _| {
            let of_log = key == PROTECTED_BEFORE || SINCE.contains(&key.as_str());
            !of_log && !COORDINATION.iter().any(|prefix| key.starts_with(prefix))
        });
        name_columns_anew(&mut metadata.configuration, copy, env);
        let domains = self.clustering_domain().cloned().into_iter().collect();
        let state = TableState::new(self.protocol().clone(), metadata, domains)?;
        state.check_writable()?;
        Ok(state)
    }
}
