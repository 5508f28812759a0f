//! Empties a table. Kind: edge. Spec: ROW.

use super::Report;
use super::delete::delete_matching;
use super::positions::Matcher;
use super::row_changes::{Does, RowChanges};
use super::run::{Operation, Settings, Staged, chosen_by_settings, run};
use crate::data::write::WriteOptions;
use crate::error::Result;
use crate::log::Version;
use crate::snapshot::Snapshot;
use crate::table::Table;
use crate::transaction::CommitPolicy;
use serde_json::Map;
use std::sync::Arc;

/// Deletes all rows.
pub struct Truncate {
    table: Table,
    settings: Settings,
}

chosen_by_settings!(Truncate);

impl Table {
    /// Starts deleting all rows, as SQL's TRUNCATE does: by their files, none of which is read.
    pub fn truncate(&self) -> Truncate {
        Truncate { table: self.clone(), settings: Settings::default() }
    }
}

impl Truncate {
    /// Removes all files and commits. The report counts them (`numRemovedFiles`); its version is `None` when there were none.
    /// `LB-CONSTRAINT` for an append-only table, `LB-CONFLICT`.
    pub async fn run(self) -> Result<Report> {
        run(&self.table, &self, &self.settings).await
    }
}

impl Operation for Truncate {
    const NAME: &'static str = "TRUNCATE";

    async fn stage(&self, base: &Arc<Snapshot>) -> Result<Staged> {
        let matcher = Matcher::new(base, None)?;
        let changes = RowChanges::new(base, Does::Files, self.settings.options.clone())?;
        if let Err(e) = delete_matching(&matcher, &changes, base.table().env().threads()).await {
            changes.abort().await;
            return Err(e);
        }
        let effects = changes.finish().await?;
        let metrics = Map::from_iter([("numRemovedFiles".to_owned(), effects.counts.files_removed.into())]);
        Ok(Staged { metadata: None, protocol: None, effects, reads: matcher.reads(), parameters: Map::new(), metrics })
    }
}
