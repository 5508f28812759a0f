//! The objects of the table against everything that names them. Kind: edge. Spec: DOC.
//!
//! One listing of the whole table: a page of it costs as much as one look at one file and shows a thousand.

use super::finding::{CHANGE_FILE, FILE_MISSING, FILE_SIZE, FILE_TWICE, Findings, Mend, ORPHAN, SIDECAR, SIDECAR_ORPHAN};
use super::ledger::{Entry, Ledger, Mention, inside};
use crate::error::Result;
use crate::operations::vacuum::decide::{Hidden, other_table};
use crate::snapshot::Snapshot;
use crate::storage::failure;
use crate::table::Table;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use std::collections::BTreeSet;
use std::sync::Arc;

const SIDECARS: &str = "_delta_log/_sidecars/";

/// Whether there is nothing at all where the log should be.
pub(super) async fn log_is_absent(table: &Table) -> Result<bool> {
    let prefix = table.root().key("_delta_log");
    let first = table.root().store().list(Some(&prefix)).try_next().await.map_err(|e| failure(e, "listing", prefix.as_ref()))?;
    Ok(first.is_none())
}

/// A live file outside of the table, which no listing shows.
pub(super) struct Outside {
    pub raw: String,
    pub bytes: i64,
    pub store: Arc<dyn ObjectStore>,
    pub key: Path,
}

/// Looks at such files, several at once.
pub(super) async fn look_outside(files: Vec<Outside>, width: usize, findings: &mut Findings) -> Result<()> {
    let looks = stream::iter(files).map(|file| async move { (file.store.head(&file.key).await, file) });
    let mut looks = std::pin::pin!(looks.buffered(width));
    while let Some((found, Outside { raw, bytes, key, .. })) = looks.next().await {
        match found {
            Ok(meta) if i64::try_from(meta.size) == Ok(bytes) => {}
            Ok(meta) => findings.add(FILE_SIZE, raw, format!("the log says {bytes} bytes, the file has {}", meta.size)),
            Err(object_store::Error::NotFound { .. }) => findings.add(FILE_MISSING, raw, "the file is not there"),
            Err(e) => return Err(failure(e, "looking at a data file", key.as_ref())),
        }
    }
    Ok(())
}

/// Lists the table and compares. With `orphans`, what nobody names and is older than so many milliseconds is told too.
pub(super) async fn compare(
    table: &Table,
    mut ledger: Ledger,
    orphans: Option<i64>,
    snapshot: &Arc<Snapshot>,
    findings: &mut Findings,
) -> Result<()> {
    let root = table.root();
    let prefix = Some(root.prefix()).filter(|prefix| !prefix.as_ref().is_empty());
    let mut other_tables = BTreeSet::new();
    let mut objects = root.store().list(prefix);
    while let Some(object) = objects.try_next().await.map_err(|e| failure(e, "listing", root.prefix().as_ref()))? {
        let Some(path) = inside(root, &object.location) else { continue };
        if let Some(other) = other_table(&path) {
            other_tables.insert(other.to_owned());
        }
        let bytes = i64::try_from(object.size).unwrap_or(i64::MAX);
        ledger.say(&path, Mention::Stored { bytes, modified: object.last_modified.timestamp_millis() })?;
    }
    let oldest = |age: i64| table.env().now().millis().saturating_sub(age);
    let state = snapshot.state();
    let rules = Rules {
        orphans_before: orphans.map(oldest),
        changes_since: oldest(state.deleted_file_retention_ms().unwrap_or(i64::MAX)),
        hidden: Hidden::of(state),
        other_tables,
    };
    ledger.read(table.env(), |entry| rules.judge(&entry, findings)).await
}

struct Rules {
    /// What was written before and nobody names is an orphan.
    orphans_before: Option<i64>,
    /// Change files of older commits may have been vacuumed.
    changes_since: i64,
    /// What vacuum passes over.
    hidden: Hidden,
    /// Folders of tables that lie inside this one.
    other_tables: BTreeSet<String>,
}

impl Rules {
    fn judge(&self, entry: &Entry, findings: &mut Findings) {
        let path = entry.path.as_str();
        let stored =
            entry.mentions.iter().find_map(|m| if let Mention::Stored { bytes, modified } = m { Some((*bytes, *modified)) } else { None });
        let live: Vec<i64> =
            entry.mentions.iter().filter_map(|m| if let Mention::Live { bytes } = m { Some(*bytes) } else { None }).collect();
        if live.len() > 1 {
            findings.add(FILE_TWICE, path, format!("the file is live {} times, with different deletion vectors", live.len()));
        }
        if let Some(bytes) = live.first() {
            match stored {
                None => findings.mend(FILE_MISSING, path, "the store does not list the file", Mend::Drop),
                Some((found, _)) if found != *bytes => {
                    findings.mend(FILE_SIZE, path, format!("the log says {bytes} bytes, the file has {found}"), Mend::Resize(found));
                }
                Some(_) => {}
            }
            return;
        }
        for mention in &entry.mentions {
            match mention {
                Mention::Change { bytes, committed } if *committed > self.changes_since => match stored {
                    None => findings.add(CHANGE_FILE, path, "a file of the change feed is not there"),
                    Some((found, _)) if found != *bytes => {
                        findings.add(CHANGE_FILE, path, format!("the log says {bytes} bytes, the file of the change feed has {found}"));
                    }
                    Some(_) => {}
                },
                Mention::Sidecar { bytes } => match stored {
                    None => findings.add(SIDECAR, path, "a sidecar of a checkpoint is not there"),
                    Some((found, _)) if found != *bytes => {
                        findings.add(SIDECAR, path, format!("the checkpoint says {bytes} bytes, its sidecar has {found}"));
                    }
                    Some(_) => {}
                },
                _ => {}
            }
        }
        if let ([Mention::Stored { bytes, modified }], Some(before)) = (entry.mentions.as_slice(), self.orphans_before)
            && *modified < before
        {
            let what = format!("nothing names the object ({bytes} bytes)");
            match path.starts_with(SIDECARS) {
                true => findings.mend(SIDECAR_ORPHAN, path, what, Mend::QuarantineOrphan),
                false if self.hidden.hides(path) || self.other_tables.iter().any(|folder| path.starts_with(folder.as_str())) => {}
                false => findings.mend(ORPHAN, path, what, Mend::QuarantineOrphan),
            }
        }
    }
}

#[cfg(test)]
#[path = "objects_tests.rs"]
mod tests;
