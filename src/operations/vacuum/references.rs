//! What the table's versions, its recent commits and its clones name. Kind: edge. Spec: VAC.

use super::known::{Known, Role};
use crate::data::vector;
use crate::env::{Env, Timestamp};
use crate::error::{Code, Error, Result};
use crate::log::listing::list;
use crate::log::read::{parallel_reads, read_commit};
use crate::log::{Action, VectorDescriptor, Version};
use crate::snapshot::{FileQuery, Snapshot, adjusted};
use crate::storage::TableRoot;
use futures::FutureExt;
use futures::stream::{self, StreamExt, TryStreamExt};
use std::sync::Arc;

/// The file of a vector, as the log would name it. `LB-DV` for a vector whose place cannot be told: then nothing may go.
pub(super) fn vector_file(vector: &VectorDescriptor) -> Result<Option<String>> {
    match vector::file_name(vector) {
        None if vector.storage_type != "i" => Err(Error::new(Code::DV, "a deletion vector of the table does not say where it lies")
            .with("vector", vector.unique_id())
            .help("nothing is deleted while it is unknown which files are needed; run the doctor on this table")),
        name => Ok(name),
    }
}

/// `LB-LIMIT` when hashes of paths outgrow the memory limit.
pub(super) fn fits(bytes: u64, env: &Env) -> Result<()> {
    let limit = env.memory().limit();
    match bytes > limit {
        true => Err(Error::new(Code::LIMIT, format!("the paths of the table need more than the memory limit of {limit} bytes"))
            .help("raise the memory limit (--memory-limit)")),
        false => Ok(()),
    }
}

/// Notes a path of the log, when it lies inside the table.
fn note(known: &mut Known, root: &TableRoot, raw: &str, role: Role) {
    let Some(path) = root.inside(raw) else { return };
    known.note(&path, role);
    if path != raw && role != Role::Expired {
        known.note(raw, Role::Spelled);
    }
}

fn note_file(known: &mut Known, root: &TableRoot, path: &str, vector: Option<&VectorDescriptor>, role: Role) -> Result<()> {
    note(known, root, path, role);
    if let Some(file) = vector.map(vector_file).transpose()?.flatten() {
        note(known, root, &file, role);
    }
    Ok(())
}

/// Notes the files of a version and its vectors, and those that it remembers as removed: since `before`, or earlier. `LB-LIMIT` when they
/// outgrow the memory limit. Memory: eight bytes a path; requests as for `files`.
pub(super) async fn of_version(snapshot: &Arc<Snapshot>, before: i64, known: &mut Known) -> Result<()> {
    let (root, env) = (snapshot.table().root(), snapshot.table().env());
    let mut files = snapshot.files(FileQuery::default());
    while let Some(batch) = files.try_next().await? {
        for row in 0..batch.len() {
            note_file(known, root, batch.path(row), batch.vector(row).as_ref(), Role::Live)?;
        }
        fits(known.bytes(), env)?;
    }
    let mut removed = snapshot.tombstones();
    while let Some(batch) = removed.try_next().await? {
        for remove in &batch {
            // As Spark reads it, a removal without a time was long ago.
            let role = if remove.deletion_timestamp.unwrap_or(0) >= before { Role::Retained } else { Role::Expired };
            note_file(known, root, &remove.path, remove.deletion_vector.as_ref(), role)?;
        }
        fits(known.bytes(), env)?;
    }
    Ok(())
}

/// Notes what commits since `before` removed, and the change data that they wrote: a version within the retention needs it, however old
/// its files are and whatever checkpoints have forgotten. `LB-LIMIT` as for `of_version`. Requests: a listing of the
/// log, and one get a commit.
pub(super) async fn of_commits_since(snapshot: &Arc<Snapshot>, before: i64, known: &mut Known) -> Result<()> {
    let table = snapshot.table();
    let listing = list(table.log(), Version(0)).await?;
    let recent = adjusted(&listing.files).into_iter().filter(|(v, time)| *v <= snapshot.version() && *time >= Timestamp(before));
    let recent: Vec<Version> = recent.map(|(version, _)| version).collect();
    let mut commits = stream::iter(recent).map(|v| read_commit(table.log(), table.env(), v).boxed()).buffered(parallel_reads(table.env()));
    while let Some(commit) = commits.next().await {
        let commit = match commit {
            Ok(commit) => commit,
            // A cleanup was faster; nobody can read that version any more.
            Err(e) if e.code() == Code::LOG_GAP => continue,
            Err(e) => return Err(e),
        };
        for action in &commit.actions {
            match action {
                Action::Remove(r) => note_file(known, table.root(), &r.path, r.deletion_vector.as_ref(), Role::Retained)?,
                Action::Cdc(cdc) => note(known, table.root(), &cdc.path, Role::Retained),
                _ => {}
            }
        }
        fits(known.bytes(), table.env())?;
    }
    Ok(())
}

/// Notes what another table names inside this one. `LB-LIMIT` as for `of_version`.
pub(super) async fn of_clone(root: &TableRoot, clone: &Arc<Snapshot>, before: i64, known: &mut Known) -> Result<()> {
    let own = clone.table().root();
    let foreign = |path: &str, known: &mut Known| {
        if own.inside(path).is_none()
            && let Some(path) = root.inside(path)
        {
            known.note(&path, Role::Cloned);
        }
    };
    let mut files = clone.files(FileQuery::default());
    while let Some(batch) = files.try_next().await? {
        for row in 0..batch.len() {
            foreign(batch.path(row), known);
            if let Some(file) = batch.vector(row).as_ref().map(vector_file).transpose()?.flatten() {
                foreign(&file, known);
            }
        }
        fits(known.bytes(), clone.table().env())?;
    }
    let mut removed = clone.tombstones();
    while let Some(batch) = removed.try_next().await? {
        for remove in batch.iter().filter(|r| r.deletion_timestamp.unwrap_or(0) >= before) {
            foreign(&remove.path, known);
            if let Some(file) = remove.deletion_vector.as_ref().map(vector_file).transpose()?.flatten() {
                foreign(&file, known);
            }
        }
        fits(known.bytes(), clone.table().env())?;
    }
    Ok(())
}
