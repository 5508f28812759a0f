//! Which rows of which files a commit changed. Kind: pure. Spec: CDF.
//!
//! Invariant: rows before the commit, plus those that came, less those that went, are the rows after it.

use crate::data::scan::{Changed, FileTask};
use crate::error::{Code, Error, Result};
use crate::log::seen::PathForm;
use crate::log::{Action, Add, Cdc, CommitInfo, NullableMap, Remove, TailPiece, VectorDescriptor};
use std::collections::BTreeMap;

/// What a commit did to one file.
#[derive(Default)]
struct Fate<'a> {
    add: Option<&'a Add>,
    remove: Option<&'a Remove>,
}

/// What a commit changed. A removed file whose partition values the log does not say has none here: see `lacks_values`.
/// `LB-LOG-STATE` when the commit adds or removes a file twice.
pub(super) fn changed(commit: &TailPiece, paths: &PathForm) -> Result<Changed> {
    let listed: Vec<&Cdc> = commit.actions.iter().filter_map(|a| if let Action::Cdc(c) = a { Some(c) } else { None }).collect();
    if !listed.is_empty() {
        return Ok(Changed::Listed(listed.into_iter().map(of_listed).collect::<Result<_>>()?));
    }
    if commit.actions.iter().any(|a| matches!(a, Action::CommitInfo(info) if merged_nothing(info))) {
        return Ok(Changed::Files(Vec::new()));
    }
    let twice =
        |path: &str| Error::new(Code::LOG_STATE, "a commit adds or removes a file twice").with("path", path).with("version", commit.to);
    let mut fates: BTreeMap<Vec<u8>, Fate<'_>> = BTreeMap::new();
    for action in &commit.actions {
        let replaced = match action {
            Action::Add(add) if add.data_change => {
                let fate = fates.entry(paths.normalise(&add.path).into_owned()).or_default();
                fate.add.replace(add).map(|old| &old.path)
            }
            Action::Remove(remove) if remove.data_change => {
                let fate = fates.entry(paths.normalise(&remove.path).into_owned()).or_default();
                fate.remove.replace(remove).map(|old| &old.path)
            }
            _ => None,
        };
        if let Some(path) = replaced {
            return Err(twice(path));
        }
    }
    let mut tasks = Vec::new();
    for fate in fates.into_values() {
        match (fate.add, fate.remove) {
            (Some(add), None) => tasks.push((true, of_add(add)?)),
            (None, Some(remove)) => tasks.push((false, of_remove(remove)?)),
            (Some(add), Some(remove)) => {
                let (now, before) = (&add.deletion_vector, &remove.deletion_vector);
                if now.as_ref().map(VectorDescriptor::unique_id) == before.as_ref().map(VectorDescriptor::unique_id) {
                    continue;
                }
                let only = |only: &Option<VectorDescriptor>, less: &Option<VectorDescriptor>| -> Result<Option<FileTask>> {
                    let Some(only) = only else { return Ok(None) };
                    Ok(Some(FileTask { only: Some(only.clone()), vector: less.clone(), ..of_add(add)? }))
                };
                tasks.extend(only(now, before)?.map(|task| (false, task)));
                tasks.extend(only(before, now)?.map(|task| (true, task)));
            }
            (None, None) => {}
        }
    }
    Ok(Changed::Files(tasks))
}

/// Older engines write whole files anew in a merge that changes no row.
fn merged_nothing(info: &CommitInfo) -> bool {
    let metric = |name: &str| info.0.get("operationMetrics").and_then(|m| m.get(name)).and_then(|v| v.as_str());
    info.0.get("operation").and_then(|o| o.as_str()) == Some("MERGE")
        && ["numTargetRowsInserted", "numTargetRowsUpdated", "numTargetRowsDeleted"].iter().all(|name| metric(name) == Some("0"))
}

fn of_listed(file: &Cdc) -> Result<FileTask> {
    task(&file.path, Some(file.size), file.partition_values.clone(), None)
}

fn of_add(file: &Add) -> Result<FileTask> {
    task(&file.path, Some(file.size), file.partition_values.clone(), file.deletion_vector.clone())
}

fn of_remove(file: &Remove) -> Result<FileTask> {
    task(&file.path, file.size, file.partition_values.clone().unwrap_or_default(), file.deletion_vector.clone())
}

fn task(path: &str, size: Option<i64>, partition_values: NullableMap, vector: Option<VectorDescriptor>) -> Result<FileTask> {
    // A removal may leave out the size; the store knows it.
    let size = u64::try_from(size.unwrap_or(0))
        .map_err(|_| Error::new(Code::LOG_STATE, "a file of the log has a negative size").with("path", path))?;
    Ok(FileTask { path: path.to_owned(), size, partition_values, vector, ..FileTask::default() })
}

/// Removed files of which the commit does not say the partition: old writers left that out.
pub(super) fn lacks_values(commit: &TailPiece) -> bool {
    commit.actions.iter().any(|a| matches!(a, Action::Remove(r) if r.data_change && r.partition_values.is_none()))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
