//! Lists of data files for engines that read no log: symlink manifests, on demand and after commits. Kind: edge. Spec: MAN.
//!
//! Invariant: a manifest is replaced as a whole; the manifest of a partition that has no file any more is deleted after the others are
//! written.

use super::Report;
use crate::data::write::partition_folder;
use crate::error::{Code, Error, Result};
use crate::features::TableState;
use crate::log::read::{parallel_reads, read_commit};
use crate::log::{Action, Version};
use crate::schema::Field;
use crate::snapshot::{FileQuery, Snapshot};
use crate::storage::{TableRoot, failure};
use crate::table::Table;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const FOLDER: &str = "_symlink_format_manifest";
const FILE: &str = "manifest";

/// Writes symlink manifests of the newest version.
pub struct GenerateManifest {
    table: Table,
}

impl Table {
    /// Starts writing symlink manifests.
    pub fn generate_manifest(&self) -> GenerateManifest {
        GenerateManifest { table: self.clone() }
    }
}

impl GenerateManifest {
    /// Writes one manifest, or one for each partition, and deletes those of partitions that are gone. Nothing is committed; the report's
    /// metrics count (`numManifests`, `numFiles`, `numDeletedManifests`). `LB-FEATURE-WRITE` for a table whose files alone do not say
    /// what its rows are: one with deletion vectors or with column mapping. Memory: a line for each file. Requests: one for each
    /// manifest, and a listing of those that are there.
    pub async fn run(self) -> Result<Report> {
        let env = self.table.env();
        let started = env.now();
        let snapshot = self.table.snapshot().await?;
        let root = self.table.root();
        root.check_writable().await?;
        let manifests = manifests(&snapshot, None).await?;
        let files: usize = manifests.values().map(Vec::len).sum();
        let written: BTreeSet<Path> = manifests.keys().map(|folder| key(root, folder)).collect();
        write(&self.table, manifests).await?;
        let deleted = delete_others(root, &written).await?;
        let metrics = [("numManifests", written.len()), ("numFiles", files), ("numDeletedManifests", deleted)];
        Ok(Report {
            attempts: 1,
            metrics: metrics.into_iter().map(|(key, count)| (key.to_owned(), Value::from(count))).collect::<Map<_, _>>(),
            warnings: snapshot.warnings().to_vec(),
            ..Report::nothing("GENERATE", env, started)
        })
    }
}

/// Renews the manifests of the partitions that a commit has changed, where the table (`state`, as it was or is made) asks for it; what went
/// wrong, for the report: it never undoes the commit. No request when the table does not ask; else the commit is read, the files of the
/// newest version, and one manifest for each of these partitions is written or deleted.
pub(super) async fn renew_after(table: &Table, state: &TableState, version: Version) -> Vec<String> {
    let renewed = async { if state.renews_manifests()? { renew(table, version).await } else { Ok(()) } };
    // Boxed, so that whoever waits for a commit need not know what it holds.
    match renewed.boxed().await {
        Ok(()) => Vec::new(),
        Err(e) => vec![format!("the commit stands, but its symlink manifests were not renewed: {e}")],
    }
}

async fn renew(table: &Table, version: Version) -> Result<()> {
    let commit = read_commit(table.log(), table.env(), version).await?;
    let snapshot = table.snapshot().await?;
    let names = partition_fields(snapshot.state());
    let changed = commit.actions.iter().filter_map(|action| match action {
        Action::Add(add) => Some(partition_folder(&names, &add.partition_values)),
        Action::Remove(remove) => remove.partition_values.as_ref().map(|values| partition_folder(&names, values)),
        _ => None,
    });
    let changed: BTreeSet<String> = changed.collect();
    if changed.is_empty() {
        return Ok(());
    }
    let manifests = manifests(&snapshot, Some(&changed)).await?;
    let gone: Vec<Path> =
        changed.iter().filter(|folder| !manifests.contains_key(*folder)).map(|folder| key(table.root(), folder)).collect();
    write(table, manifests).await?;
    for key in &gone {
        match table.root().store().delete(key).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(e) => return Err(failure(e, "deleting a manifest", key.as_ref())),
        }
    }
    Ok(())
}

/// Writes manifests, each as a whole.
async fn write(table: &Table, manifests: BTreeMap<String, Vec<String>>) -> Result<()> {
    let root = table.root();
    let writes = stream::iter(manifests.into_iter().map(|(folder, lines)| {
        let (store, key) = (Arc::clone(root.store()), key(root, &folder));
        async move {
            let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
            store.put(&key, text.into()).await.map(|_| ()).map_err(|e| failure(e, "writing a manifest", key.as_ref()))
        }
    }));
    writes.buffer_unordered(parallel_reads(table.env())).try_for_each(|()| std::future::ready(Ok(()))).await
}

fn partition_fields(state: &TableState) -> Vec<Field> {
    state.partition_columns().iter().filter_map(|name| state.physical_schema().field(name)).cloned().collect()
}

fn key(root: &TableRoot, folder: &str) -> Path {
    root.key(&format!("{FOLDER}/{folder}{FILE}"))
}

/// The lines of each manifest, by the folder of the partition; of all of them, or of these.
async fn manifests(snapshot: &Arc<Snapshot>, only: Option<&BTreeSet<String>>) -> Result<BTreeMap<String, Vec<String>>> {
    let state = snapshot.state();
    state.check_readable()?;
    let refused = |why: &str| Error::new(Code::FEATURE_WRITE, format!("the table cannot be listed by manifests: {why}"));
    if state.schema() != state.physical_schema() {
        return Err(refused("its files have other column names than the table"));
    }
    let names = partition_fields(state);
    let root = snapshot.table().root();
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if names.is_empty() {
        out.insert(String::new(), Vec::new());
    }
    let mut batches = snapshot.files(FileQuery::default().full());
    while let Some(batch) = batches.try_next().await? {
        for row in 0..batch.len() {
            let folder = partition_folder(&names, &batch.add(row).partition_values);
            if only.is_some_and(|only| !only.contains(&folder)) {
                continue;
            }
            if batch.vector(row).is_some() {
                return Err(refused("rows of its files are deleted by vectors")
                    .with("path", batch.path(row))
                    .help("write the files anew without the deleted rows (REORG … PURGE), then generate manifests"));
            }
            out.entry(folder).or_default().push(root.absolute_name(batch.path(row))?);
        }
    }
    out.values_mut().for_each(|lines| lines.sort());
    Ok(out)
}

/// Deletes manifests that were not written now; gives how many.
async fn delete_others(root: &TableRoot, written: &BTreeSet<Path>) -> Result<usize> {
    let store = root.store();
    let found: Vec<Path> = store
        .list(Some(&root.key(FOLDER)))
        .map_err(|e| failure(e, "listing manifests", FOLDER))
        .try_filter_map(|object| {
            let gone = object.location.filename() == Some(FILE) && !written.contains(&object.location);
            std::future::ready(Ok(gone.then_some(object.location)))
        })
        .try_collect()
        .await?;
    for key in &found {
        store.delete(key).await.map_err(|e| failure(e, "deleting a manifest", key.as_ref()))?;
    }
    Ok(found.len())
}
