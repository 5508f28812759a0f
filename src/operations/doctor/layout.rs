//! What the names and sizes of a log's files show. Kind: pure. Spec: DOC.

use super::finding::{CKPT_BROKEN, CKPT_PARTS, COMMIT_EMPTY, COMPACTION, CRC_ALONE, CRC_BROKEN, Findings, GAP, GAP_OLD, Mend};
use crate::log::segment::{CheckpointFiles, compaction_end, complete_checkpoints};
use crate::log::{LogFile, LogFileKind, Version};
use std::collections::{BTreeMap, BTreeSet};

/// The files of a log, sorted by what they are.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// Commits without holes between them, oldest first; those without bytes are holes.
    pub runs: Vec<Vec<LogFile>>,
    /// Complete ones, oldest first.
    pub checkpoints: Vec<CheckpointFiles>,
    pub compactions: Vec<LogFile>,
    pub checksums: BTreeMap<Version, LogFile>,
    /// Versions whose commit cannot be read, as far as names and sizes show it.
    pub broken: BTreeSet<Version>,
    pub latest: Option<Version>,
}

/// The path of a file of the log inside the table.
pub(super) fn in_log(name: &str) -> String {
    format!("_delta_log/{name}")
}

/// Sorts a listing and says what is wrong with it.
pub(super) fn look(files: &[LogFile], findings: &mut Findings) -> Layout {
    let mut layout = Layout { checkpoints: complete_checkpoints(files), ..Layout::default() };
    let mut commits: BTreeMap<Version, &LogFile> = BTreeMap::new();
    for file in files {
        match &file.kind {
            LogFileKind::Commit => _ = commits.insert(file.version, file),
            LogFileKind::Checksum if file.size > 0 => _ = layout.checksums.insert(file.version, file.clone()),
            LogFileKind::Compaction { .. } if file.size > 0 => layout.compactions.push(file.clone()),
            LogFileKind::Checksum => findings.mend(CRC_BROKEN, in_log(&file.name), "the checksum has no bytes", Mend::Quarantine),
            LogFileKind::Compaction { .. } => {
                findings.mend(COMPACTION, in_log(&file.name), "the compaction has no bytes", Mend::Quarantine);
            }
            _ if file.size == 0 => findings.mend(CKPT_BROKEN, in_log(&file.name), "the checkpoint has no bytes", Mend::Quarantine),
            LogFileKind::CheckpointPart { parts, .. } => {
                let complete = layout.checkpoints.iter().any(|c| c.files.iter().any(|f| f.name == file.name));
                if !complete {
                    let what = format!("other parts of the {parts} of this checkpoint are missing");
                    findings.mend(CKPT_PARTS, in_log(&file.name), what, Mend::Quarantine);
                }
            }
            LogFileKind::Checkpoint | LogFileKind::UuidCheckpoint { .. } => {}
        }
    }
    let newest_checkpoint = layout.checkpoints.last().map(|c| c.version);
    layout.latest = commits.last_key_value().map(|(v, _)| *v).max(newest_checkpoint);
    holes(&commits, &mut layout, newest_checkpoint, findings);
    beyond(&layout, findings);
    layout
}

fn holes(commits: &BTreeMap<Version, &LogFile>, layout: &mut Layout, newest_checkpoint: Option<Version>, findings: &mut Findings) {
    let newest = commits.last_key_value().map(|(v, _)| *v);
    let mut expected = match commits.first_key_value() {
        // What a checkpoint covers may have been cleaned up.
        Some((first, _)) if first.0 == 0 || newest_checkpoint.is_some_and(|c| c.next() >= *first) => *first,
        _ => Version(0),
    };
    for (version, file) in commits {
        if *version > expected {
            let last = Version(version.0 - 1);
            let kind = if newest_checkpoint.is_some_and(|c| c >= last) { GAP_OLD } else { GAP };
            let what = match expected == last {
                true => format!("version {expected} is missing from the log"),
                false => format!("versions {expected} to {last} are missing from the log"),
            };
            findings.add(kind, in_log(&LogFile::commit_name(expected)), what);
            layout.broken.insert(expected);
        }
        if file.size == 0 {
            let (object, what) = (in_log(&file.name), "the commit has no bytes, as a power cut leaves it");
            // Only the newest may go: then no later commit stands on it.
            match Some(*version) == newest && version.0 > 0 {
                true => findings.mend(COMMIT_EMPTY, object, what, Mend::Quarantine),
                false => findings.add(COMMIT_EMPTY, object, what),
            }
            layout.broken.insert(*version);
        } else {
            let begins = *version > expected || layout.runs.last().and_then(|run| run.last()).is_none_or(|f| f.version.next() != *version);
            if begins {
                layout.runs.push(Vec::new());
            }
            if let Some(run) = layout.runs.last_mut() {
                run.push((*file).clone());
            }
        }
        expected = version.next();
    }
}

/// Files that speak of versions which are not there.
fn beyond(layout: &Layout, findings: &mut Findings) {
    let Some(latest) = layout.latest else { return };
    for file in layout.checksums.values().filter(|f| f.version > latest) {
        findings.mend(CRC_ALONE, in_log(&file.name), "the checksum belongs to a version that is not there", Mend::Quarantine);
    }
    for file in layout.compactions.iter().filter(|f| compaction_end(f).is_some_and(|to| to > latest)) {
        findings.mend(COMPACTION, in_log(&file.name), "the compaction covers versions that are not there", Mend::Quarantine);
    }
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
