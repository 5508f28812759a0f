//! Lists of data files for engines that read no log: symlink manifests. Kind: edge. Spec: MAN.
//!
//! Invariant: a manifest is replaced as a whole; the manifest of a partition that has no file any more is deleted after the others are
//! written.

use super::Report;
use crate::data::write::partition_folder;
use crate::error::{Code, Error, Result};
use crate::log::read::parallel_reads;
use crate::schema::Field;
use crate::snapshot::{FileQuery, Snapshot};
use crate::storage::{TableRoot, failure};
use crate::table::Table;
use futures::{StreamExt, TryStreamExt, stream};
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
        let manifests = manifests(&snapshot).await?;
        let files: usize = manifests.values().map(Vec::len).sum();
        let written: BTreeSet<Path> = manifests.keys().map(|folder| key(root, folder)).collect();
        let writes = stream::iter(manifests.into_iter().map(|(folder, lines)| {
            let (store, key) = (Arc::clone(root.store()), key(root, &folder));
            async move {
                let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
                store.put(&key, text.into()).await.map(|_| ()).map_err(|e| failure(e, "writing a manifest", key.as_ref()))
            }
        }));
        writes.buffer_unordered(parallel_reads(env)).try_for_each(|()| std::future::ready(Ok(()))).await?;
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

fn key(root: &TableRoot, folder: &str) -> Path {
    root.key(&format!("{FOLDER}/{folder}{FILE}"))
}

/// The lines of each manifest, by the folder of the partition.
async fn manifests(snapshot: &Arc<Snapshot>) -> Result<BTreeMap<String, Vec<String>>> {
    let state = snapshot.state();
    state.check_readable()?;
    let refused = |why: &str| Error::new(Code::FEATURE_WRITE, format!("the table cannot be listed by manifests: {why}"));
    if state.schema() != state.physical_schema() {
        return Err(refused("its files have other column names than the table"));
    }
    let names: Vec<Field> = state.partition_columns().iter().filter_map(|name| state.physical_schema().field(name)).cloned().collect();
    let root = snapshot.table().root();
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if names.is_empty() {
        out.insert(String::new(), Vec::new());
    }
    let mut batches = snapshot.files(FileQuery::default().full());
    while let Some(batch) = batches.try_next().await? {
        for row in 0..batch.len() {
            if batch.vector(row).is_some() {
                return Err(refused("rows of its files are deleted by vectors")
                    .with("path", batch.path(row))
                    .help("write the files anew without the deleted rows (REORG … PURGE), then generate manifests"));
            }
            let folder = partition_folder(&names, &batch.add(row).partition_values);
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
