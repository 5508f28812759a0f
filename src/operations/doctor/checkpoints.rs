//! Checkpoints, the hint and compactions against the commits. Kind: edge. Spec: DOC.
//!
//! The files of a checkpoint are compared with a replay that does without it, by sums of hashes: only where those differ are names kept.

use super::finding::{CKPT_BROKEN, CKPT_DIFFERS, CKPT_FORM, COMPACTION, Findings, HINT, Kind, Mend};
use super::layout::{Layout, in_log};
use crate::error::{Code, Error, ErrorKind, Result};
use crate::features::TableState;
use crate::log::checkpoint::{FirstFile, read_small};
use crate::log::hint::{LAST_CHECKPOINT, LastCheckpoint};
use crate::log::read::read_commits;
use crate::log::seen::PathForm;
use crate::log::segment::{CheckpointFiles, compaction_end};
use crate::log::{Action, LogFile, LogFileKind, Version, compaction, decode_commit};
use crate::snapshot::{At, FileBatch, FileQuery, Snapshot};
use crate::storage::get;
use crate::table::Table;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// Into how many sums the files of a version are spread.
const SUMS: usize = 4096;
/// So many files are held by name at most to say which ones differ.
const NAMES_MAX: usize = 20_000;
/// So many differing files are named.
const NAMED: usize = 5;

/// Whether a failure is the table's and not the store's.
pub(super) fn is_damage(e: &Error) -> bool {
    !matches!(e.kind(), ErrorKind::Storage | ErrorKind::Cancelled | ErrorKind::LimitExceeded | ErrorKind::Internal)
}

/// Whether something can take the place of a checkpoint: an older one or the first commit, and all commits after it.
fn stands_in(layout: &Layout, checkpoint: &CheckpointFiles) -> bool {
    let run = layout.runs.iter().find(|run| run.last().is_some_and(|last| last.version >= checkpoint.version));
    let Some(first) = run.and_then(|run| run.first()).map(|f| f.version).filter(|first| *first <= checkpoint.version) else { return false };
    let other = |c: &&CheckpointFiles| c.name() != checkpoint.name() && c.version <= checkpoint.version && c.version.next() >= first;
    first.0 == 0 || layout.checkpoints.iter().any(|c| other(&c))
}

/// One that a repair moves away where something stands in.
fn say(findings: &mut Findings, kind: Kind, layout: &Layout, checkpoint: &CheckpointFiles, what: String) {
    for file in &checkpoint.files {
        if findings.has(kind, &in_log(&file.name)) {
            continue;
        }
        match stands_in(layout, checkpoint) {
            true => findings.mend(kind, in_log(&file.name), what.clone(), Mend::Quarantine),
            false => findings.add(kind, in_log(&file.name), what.clone()),
        }
    }
}

/// The small actions of a checkpoint; `None` when it does not read, which is then said.
pub(super) async fn small_actions(
    table: &Table,
    layout: &Layout,
    checkpoint: &CheckpointFiles,
    findings: &mut Findings,
) -> Result<Option<Vec<Action>>> {
    let actions = match read_small(table.root(), table.env(), checkpoint, &FirstFile::default()).await {
        Ok(actions) => actions,
        Err(e) if is_damage(&e) => {
            say(findings, CKPT_BROKEN, layout, checkpoint, e.message().to_owned());
            return Ok(None);
        }
        Err(e) => return Err(e),
    };
    let protocol = actions.iter().find_map(|a| if let Action::Protocol(p) = a { Some(p) } else { None });
    let metadata = actions.iter().find_map(|a| if let Action::Metadata(m) = a { Some(m) } else { None });
    let (Some(protocol), Some(metadata)) = (protocol, metadata) else {
        say(findings, CKPT_BROKEN, layout, checkpoint, "the checkpoint lacks protocol or metadata".to_owned());
        return Ok(None);
    };
    let mark = actions.iter().find_map(|a| if let Action::CheckpointMetadata(m) = a { Some(m.version) } else { None });
    let is_uuid = matches!(checkpoint.files.first().map(|f| &f.kind), Some(LogFileKind::UuidCheckpoint { .. }));
    let allowed = TableState::new(protocol.clone(), metadata.clone(), Vec::new()).map_or(true, |state| state.allows_v2_checkpoints());
    let wrong = match mark {
        Some(version) if u64::try_from(version) != Ok(checkpoint.version.0) => {
            Some(format!("the checkpoint says that it is of version {version}"))
        }
        _ if (mark.is_some() || is_uuid) && !allowed => Some("the protocol of the table does not allow such a checkpoint".to_owned()),
        None if is_uuid => Some("a checkpoint of this name must say of which version it is".to_owned()),
        _ => None,
    };
    if let Some(what) = wrong {
        say(findings, CKPT_FORM, layout, checkpoint, what);
    }
    Ok(Some(actions))
}

/// Compares the files of a checkpoint with what the version holds without it.
pub(super) async fn against_replay(table: &Table, layout: &Layout, checkpoint: &CheckpointFiles, findings: &mut Findings) -> Result<()> {
    if !stands_in(layout, checkpoint) {
        return Ok(());
    }
    let damage = |e: Error| if is_damage(&e) { Ok(None) } else { Err(e) };
    let at = match table.snapshot_at(At::Version(checkpoint.version)).await {
        Ok(at) => at,
        Err(e) => return damage(e).map(|_: Option<()>| ()),
    };
    if at.segment().checkpoint.as_ref().map(CheckpointFiles::name) != Some(checkpoint.name()) {
        return Ok(());
    }
    let why = Error::new(Code::CKPT, "it is compared with the commits");
    let without = match at.without_checkpoint(why).await {
        Ok(without) => without,
        Err(e) => return damage(e).map(|_: Option<()>| ()),
    };
    let paths = PathForm::new(table.root().url());
    let mut sums = vec![0u128; SUMS];
    match sum(at.checkpoint_files(FileQuery::default().full()), &paths, &mut sums, 1).await {
        Ok(()) => {}
        Err(e) if is_damage(&e) => {
            say(findings, CKPT_BROKEN, layout, checkpoint, e.message().to_owned());
            return Ok(());
        }
        Err(e) => return Err(e),
    }
    match sum(without.files(FileQuery::default().full()), &paths, &mut sums, -1).await {
        Ok(()) => {}
        Err(e) => return damage(e).map(|_: Option<()>| ()),
    }
    if sums.iter().all(|sum| *sum == 0) {
        return Ok(());
    }
    let what = differing(&at, &without, &paths, &sums).await?;
    say(findings, CKPT_DIFFERS, layout, checkpoint, what);
    Ok(())
}

fn key_of(batch: &FileBatch, row: usize, paths: &PathForm) -> (Vec<u8>, Option<String>) {
    (paths.normalise(batch.path(row)).into_owned(), batch.vector(row).map(|v| v.unique_id()))
}

/// Two independent 64-bit hashes of the file, and the sum that it belongs to.
fn hash_of(batch: &FileBatch, row: usize, paths: &PathForm) -> (usize, u128) {
    let key = key_of(batch, row, paths);
    let hash = |salt: u8, whole: bool| {
        let mut hasher = DefaultHasher::new();
        (salt, &key).hash(&mut hasher);
        if whole {
            (batch.size(row), batch.row_ids(row), batch.vector(row)).hash(&mut hasher);
            batch.add(row).partition_values.iter().for_each(|entry| entry.hash(&mut hasher));
        }
        hasher.finish()
    };
    (hash(0, false) as usize % SUMS, u128::from(hash(1, true)) << 64 | u128::from(hash(2, true)))
}

async fn sum(mut files: BoxStream<'static, Result<FileBatch>>, paths: &PathForm, sums: &mut [u128], sign: i8) -> Result<()> {
    while let Some(batch) = files.try_next().await? {
        for row in 0..batch.len() {
            let (at, hash) = hash_of(&batch, row, paths);
            sums[at] = if sign > 0 { sums[at].wrapping_add(hash) } else { sums[at].wrapping_sub(hash) };
        }
    }
    Ok(())
}

/// Names some of the files that only one side has, or that differ.
async fn differing(at: &Arc<Snapshot>, without: &Arc<Snapshot>, paths: &PathForm, sums: &[u128]) -> Result<String> {
    let mut sides: [BTreeMap<(Vec<u8>, Option<String>), u128>; 2] = Default::default();
    let streams = [at.checkpoint_files(FileQuery::default().full()), without.files(FileQuery::default().full())];
    for (side, mut files) in sides.iter_mut().zip(streams) {
        while let Some(batch) = files.try_next().await? {
            for row in 0..batch.len() {
                let (sum, hash) = hash_of(&batch, row, paths);
                if sums[sum] != 0 && side.len() < NAMES_MAX {
                    *side.entry(key_of(&batch, row, paths)).or_default() = hash;
                }
            }
        }
    }
    let [checkpoint, replay] = &sides;
    let name = |(path, _): &(Vec<u8>, Option<String>)| String::from_utf8_lossy(path).into_owned();
    let only = |a: &BTreeMap<_, u128>, b: &BTreeMap<_, u128>| a.keys().filter(|k| !b.contains_key(*k)).map(name).collect::<Vec<_>>();
    let lists = [
        ("only in the checkpoint", only(checkpoint, replay)),
        ("only in the commits", only(replay, checkpoint)),
        (
            "described differently",
            checkpoint.iter().filter(|(k, v)| replay.get(*k).is_some_and(|w| w != *v)).map(|(k, _)| name(k)).collect(),
        ),
    ];
    let told = lists.iter().filter(|(_, names)| !names.is_empty());
    let told =
        told.map(|(what, names)| format!("{} {what} ({})", names.len(), names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ")));
    Ok(format!("the checkpoint does not hold the files that the commits make: {}", told.collect::<Vec<_>>().join("; ")))
}

/// Whether `_last_checkpoint` leads to a checkpoint.
pub(super) async fn hint(table: &Table, layout: &Layout, findings: &mut Findings) -> Result<()> {
    let Some(body) = get(table.root().store().as_ref(), &table.root().log_key(LAST_CHECKPOINT)).await? else { return Ok(()) };
    let wrong = match LastCheckpoint::parse(&body) {
        Err(why) => Some(format!("the hint cannot be trusted: {why}")),
        Ok(hint) if layout.checkpoints.iter().all(|c| c.version != hint.start()) => {
            Some(format!("the hint names a checkpoint of version {} that is not there", hint.start()))
        }
        Ok(_) => None,
    };
    match (wrong, layout.latest) {
        (Some(what), Some(_)) => findings.mend(HINT, in_log(LAST_CHECKPOINT), what, Mend::Quarantine),
        // It is all that is left of the log.
        (Some(what), None) => findings.add(HINT, in_log(LAST_CHECKPOINT), what),
        (None, _) => {}
    }
    Ok(())
}

/// Whether a compaction says what its commits say. Memory: the files that they speak of.
pub(super) async fn against_commits(table: &Table, layout: &Layout, file: &LogFile, findings: &mut Findings) -> Result<()> {
    let mut wrong = |what: String| findings.mend(COMPACTION, in_log(&file.name), what, Mend::Quarantine);
    let Some(to) = compaction_end(file) else { return Ok(()) };
    let actions = match decode_commit(&file.name, &table.log().read(file).await?) {
        Ok(actions) => actions,
        Err(e) => {
            wrong(format!("the compaction does not read: {}", e.message()));
            return Ok(());
        }
    };
    if !compaction::is_reconciled(&actions) {
        wrong("the compaction is not reconciled: it speaks twice of a file, or holds what only commits may".to_owned());
        return Ok(());
    }
    let covered = layout
        .runs
        .iter()
        .any(|run| run.first().is_some_and(|first| first.version <= file.version) && run.last().is_some_and(|last| last.version >= to));
    if !covered {
        return Ok(());
    }
    let before = file.version.0.checked_sub(1).map(Version);
    let commits = match read_commits(table.log(), table.env(), before, to).await {
        Ok(commits) => commits,
        Err(e) if is_damage(&e) => return Ok(()),
        Err(e) => return Err(e),
    };
    let paths = PathForm::new(table.root().url());
    let mut expected = BTreeMap::new();
    commits.iter().for_each(|piece| piece.actions.iter().for_each(|action| note(action, &paths, &mut expected)));
    let mut found = BTreeMap::new();
    actions.iter().for_each(|action| note(action, &paths, &mut found));
    if expected != found {
        wrong("the compaction does not leave the files that its commits leave".to_owned());
    }
    Ok(())
}

/// Which files are there and which are not, the later word counting.
fn note(action: &Action, paths: &PathForm, files: &mut BTreeMap<(Vec<u8>, Option<String>), bool>) {
    let (path, vector, is_there) = match action {
        Action::Add(add) => (&add.path, &add.deletion_vector, true),
        Action::Remove(remove) => (&remove.path, &remove.deletion_vector, false),
        _ => return,
    };
    files.insert((paths.normalise(path).into_owned(), vector.as_ref().map(|v| v.unique_id())), is_there);
}
