//! Vacuum without a listing: what the log says was removed since the last time. Kind: edge. Spec: VAC.

use super::decide::Dead;
use super::references::{fits, vector_file};
use crate::env::Timestamp;
use crate::error::{Code, Error, Result};
use crate::log::listing::list;
use crate::log::read::{parallel_reads, read_commit};
use crate::log::seen::hash;
use crate::log::{Action, Version};
use crate::snapshot::{Snapshot, adjusted, own_time};
use crate::storage::{failure, get};
use crate::table::Table;
use futures::FutureExt;
use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::sync::Arc;

/// Where Spark and lakebed note up to which version removed files are gone.
const INFO: &str = "_last_vacuum_info";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LastVacuum {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    latest_commit_version_outside_of_retention_window: Option<u64>,
}

/// A file that a commit removed from the table.
pub(super) struct Removed {
    pub(super) path: String,
    pub(super) bytes: u64,
    pub(super) dead: Dead,
}

/// Hands over what commits before the retention removed or wrote as change data, each path once, as it comes. Gives the last of these
/// commits. `LB-VERSION` when the log no longer has commits that no vacuum has seen, `LB-LIMIT`. Requests: one get a commit that no lite
/// vacuum has seen. Memory: the hash of each path.
pub(super) async fn removed(snapshot: &Arc<Snapshot>, before: i64, mut found: impl FnMut(Removed) + Send) -> Result<Option<Version>> {
    let table = snapshot.table();
    let commits = adjusted(&list(table.log(), Version(0)).await?.files);
    let old = commits.iter().rev().filter(|(version, time)| *version <= snapshot.version() && *time < Timestamp(before));
    let mut last = None;
    for (version, _) in old {
        if !snapshot.state().keeps_commit_times() || own_time(table, *version).await.is_ok_and(|time| time < Timestamp(before)) {
            last = Some(*version);
            break;
        }
    }
    let Some(last) = last else { return Ok(None) };
    let first = read_info(table).await?.map_or(Version(0), Version::next);
    let earliest = commits.first().map_or(last, |(version, _)| *version);
    if first < earliest && earliest <= last {
        return Err(Error::new(Code::VERSION, format!("the log no longer has version {first}, and no vacuum has seen what it removed"))
            .with("version", first)
            .with("earliest", earliest)
            .help("run a full vacuum instead"));
    }
    let mut seen = HashSet::new();
    let mut note = |raw: &str, bytes: u64, dead: Dead| {
        if let Some(path) = table.root().inside(raw)
            && seen.insert(hash(0, path.as_bytes()))
        {
            found(Removed { path: path.into_owned(), bytes, dead });
        }
        fits(seen.capacity() as u64 * size_of::<u64>() as u64, table.env())
    };
    let reads = stream::iter(first.0..=last.0).map(|v| read_commit(table.log(), table.env(), Version(v)).boxed());
    let mut reads = reads.buffered(parallel_reads(table.env()));
    while let Some(commit) = reads.try_next().await? {
        for action in &commit.actions {
            match action {
                Action::Remove(remove) => {
                    note(&remove.path, u64::try_from(remove.size.unwrap_or(0)).unwrap_or(0), Dead::Tombstoned)?;
                    if let Some(file) = remove.deletion_vector.as_ref().map(vector_file).transpose()?.flatten() {
                        note(&file, 0, Dead::Vector)?;
                    }
                }
                Action::Cdc(cdc) => note(&cdc.path, u64::try_from(cdc.size).unwrap_or(0), Dead::ChangeData)?,
                _ => {}
            }
        }
    }
    // What was noted before needs no other note.
    Ok((first <= last).then_some(last))
}

/// Up to which version removed files are gone. What does not parse is no information.
async fn read_info(table: &Table) -> Result<Option<Version>> {
    let body = get(table.root().store().as_ref(), &table.root().log_key(INFO)).await?;
    let info = body.and_then(|body| serde_json::from_slice::<LastVacuum>(&body).ok());
    Ok(info.and_then(|info| info.latest_commit_version_outside_of_retention_window).map(Version))
}

/// Notes that what commits up to this version removed is gone; never takes a note back.
pub(super) async fn write_info(table: &Table, version: Version) -> Result<()> {
    if read_info(table).await? >= Some(version) {
        return Ok(());
    }
    let info = LastVacuum { latest_commit_version_outside_of_retention_window: Some(version.0) };
    let body = serde_json::to_vec(&info).map_err(|e| Error::new(Code::INTERNAL, format!("a note does not encode: {e}")))?;
    let key = table.root().log_key(INFO);
    table.root().store().put(&key, body.into()).await.map_err(|e| failure(e, "noting how far vacuum came", key.as_ref()))?;
    Ok(())
}
