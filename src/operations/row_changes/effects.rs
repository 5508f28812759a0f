//! What a change of rows leaves behind: actions for the commit, counts for the report, and the sum that must add up. Kind: pure.
//! Spec: ROW.

use crate::data::vector::discard_vectors;
use crate::data::write::discard_paths;
use crate::env::Timestamp;
use crate::error::{Code, Error, Result};
use crate::log::{Add, Cdc, DomainMetadata, Metadata, Protocol, Remove};
use crate::operations::plan::action_bytes;
use crate::table::Table;
use crate::transaction::{RowDelete, Transaction};
use serde_json::{Map, Value};
use std::collections::HashSet;

/// What happened to rows and files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RowCounts {
    /// Rows that went, or whose file holds an older version of them now; unknown when a file went that does not say how many it has.
    pub gone: Option<u64>,
    /// Rows that were copied from one file to another.
    pub copied: u64,
    /// Rows that came: new versions and new rows.
    pub written: u64,
    pub files_added: u64,
    pub files_removed: u64,
    pub bytes_added: u64,
    pub bytes_removed: u64,
    /// Vectors that files have now and had not, or longer ones.
    pub vectors_added: u64,
    /// Vectors that files had and have not any more, or shorter ones.
    pub vectors_removed: u64,
    /// Those that count as both.
    pub vectors_updated: u64,
    pub change_files: u64,
}

/// What a change of rows leaves behind.
#[derive(Debug, Default)]
pub(crate) struct RowEffects {
    pub removes: Vec<Remove>,
    pub row_deletes: Vec<RowDelete>,
    pub adds: Vec<Add>,
    /// Files that come and that nobody wrote for this: they are never deleted.
    pub listed: Vec<Add>,
    /// Since when these were looked at, by the local clock.
    pub looked: Timestamp,
    pub cdcs: Vec<Cdc>,
    pub domains: Vec<DomainMetadata>,
    /// Versions of applications to record, when anything else is committed.
    pub apps: Vec<(String, i64)>,
    pub counts: RowCounts,
    /// Vector files that were written.
    pub vector_files: Vec<String>,
    /// The table's metadata after numbers were given to new rows.
    pub metadata: Option<Metadata>,
}

impl RowCounts {
    /// The keys that Spark's DELETE and UPDATE share; `gone_key` names the rows that went.
    pub(crate) fn metrics(&self, gone_key: &str) -> Map<String, Value> {
        let mut out = Map::new();
        let mut put = |key: &str, value: u64| _ = out.insert(key.to_owned(), value.into());
        put("numRemovedFiles", self.files_removed);
        put("numRemovedBytes", self.bytes_removed);
        put("numAddedFiles", self.files_added);
        put("numAddedBytes", self.bytes_added);
        put("numDeletionVectorsAdded", self.vectors_added);
        put("numDeletionVectorsRemoved", self.vectors_removed);
        put("numDeletionVectorsUpdated", self.vectors_updated);
        put("numAddedChangeFiles", self.change_files);
        put("numCopiedRows", self.copied);
        if let Some(gone) = self.gone {
            put(gone_key, gone);
        }
        out
    }
}

impl RowCounts {
    /// Proves that every row that went has come back as a new version of itself, as far as it is known how many went. `LB-INTERNAL`.
    pub(crate) fn check_replaced(&self) -> Result<()> {
        match self.gone {
            Some(gone) if gone != self.written => Err(Error::new(Code::INTERNAL, "the rows of an update do not add up")
                .with("gone", gone)
                .with("written", self.written)
                .help("nothing was committed; please report this")),
            _ => Ok(()),
        }
    }
}

impl RowEffects {
    /// Whether nothing of the table changes.
    pub(crate) fn is_empty(&self) -> bool {
        let no_files = self.removes.is_empty() && self.row_deletes.is_empty() && self.adds.is_empty();
        no_files && self.listed.is_empty() && self.domains.is_empty()
    }
    /// Adds its actions to a transaction.
    pub(crate) fn stage(&self, transaction: &mut Transaction) {
        if let Some(metadata) = &self.metadata {
            transaction.set_metadata(metadata.clone());
        }
        for remove in &self.removes {
            transaction.remove(remove.clone());
        }
        for rows in &self.row_deletes {
            transaction.delete_rows(rows.clone());
        }
        for add in self.adds.iter().chain(&self.listed) {
            transaction.add(add.clone());
        }
        if !self.listed.is_empty() {
            transaction.names_again();
        }
        for domain in &self.domains {
            transaction.set_domain(domain.clone());
        }
        for (app, version) in &self.apps {
            transaction.set_app_version(app, *version);
        }
        for cdc in &self.cdcs {
            transaction.change_file(cdc.clone());
        }
    }
    /// Bytes of its actions in a commit, about: what depends on the version that it gets is left out.
    pub(crate) fn commit_bytes(&self, metadata: Option<&Metadata>, protocol: Option<&Protocol>) -> u64 {
        let files = self.removes.iter().map(action_bytes).chain(self.adds.iter().chain(&self.listed).map(action_bytes)).sum::<u64>();
        let table = metadata.map_or(0, action_bytes) + protocol.map_or(0, action_bytes);
        files + table + self.domains.iter().map(action_bytes).sum::<u64>()
    }
    /// Deletes the files that were written for it: no commit names them. What cannot be deleted is left to vacuum.
    pub(crate) async fn discard(&self, table: &Table) {
        let data = self.adds.iter().map(|a| a.path.as_str());
        discard_paths(table, data.chain(self.cdcs.iter().map(|c| c.path.as_str()))).await;
        discard_vectors(table.root(), &self.vector_files).await;
    }
    /// Proves that the actions say what the counts say. `LB-INTERNAL` names the first sum that does not add up; then nothing must be
    /// committed.
    pub(super) fn check(&self) -> Result<()> {
        let wrong = |what: &str, found: &dyn std::fmt::Display, counted: &dyn std::fmt::Display| {
            Err(Error::new(Code::INTERNAL, format!("the rows of a change do not add up: {what}"))
                .with("found", found)
                .with("counted", counted)
                .help("nothing was committed; please report this"))
        };
        let in_files = self.adds.iter().map(|add| add.num_records()).collect::<Option<Vec<_>>>().map(|n| n.into_iter().sum::<i64>());
        let counted = self.counts.copied + self.counts.written;
        match in_files {
            Some(rows) if u64::try_from(rows) == Ok(counted) => {}
            rows => return wrong("rows in new files", &rows.unwrap_or(-1), &counted),
        }
        let mut paths = HashSet::new();
        let touched = self.removes.iter().map(|r| r.path.as_str()).chain(self.row_deletes.iter().map(|r| r.file.path.as_str()));
        if let Some(twice) = touched.into_iter().find(|path| !paths.insert(*path)) {
            return wrong("a file was changed twice", &twice, &1);
        }
        for rows in &self.row_deletes {
            let before = rows.file.deletion_vector.as_ref().map_or(0, |v| v.cardinality);
            let now = i64::try_from(rows.rows.len()).unwrap_or(i64::MAX).saturating_add(before);
            if now != rows.vector.cardinality || rows.rows.is_empty() {
                return wrong("rows of a vector", &rows.vector.cardinality, &now);
            }
        }
        Ok(())
    }
}

/// The action of a change file that a writer made.
pub(super) fn change_file(file: Add) -> Cdc {
    Cdc { path: file.path, partition_values: file.partition_values, size: file.size, data_change: false, tags: None }
}

#[cfg(test)]
#[path = "effects_tests.rs"]
mod tests;
