//! The conflict rules: which commits of others exclude ours. Kind: pure. Spec: CON.
//!
//! A rule compares effects, never operations. Invariant: a commit that no rule excludes has the same meaning after the winner as it
//! had on its own base. `spec/conflicts.md` says each rule in prose.

use super::footprint::{Footprint, LostRows};
use super::matching::{matching_add, matching_remove};
use super::rebase::{Base, changed_state};
use super::{Intent, ReadSet, Work};
use crate::features::TableState;
use crate::log::Add;
use crate::log::seen::PathForm;
use std::borrow::Cow;
use std::collections::HashSet;

/// How strictly a transaction is kept apart from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    Serializable,
    /// Blind appends of others may come between, as if they had come after.
    WriteSerializable,
    /// What was read is not looked at; only what is written.
    Snapshot,
}

impl Isolation {
    /// The level of a transaction on a table of this state.
    pub(crate) fn of(intent: &Intent, state: &TableState) -> Isolation {
        match state.property("delta.isolationLevel") {
            _ if intent.only_rearranges() || intent.is_empty() => Isolation::Snapshot,
            Some(level) if level.eq_ignore_ascii_case("WriteSerializable") => Isolation::WriteSerializable,
            _ => Isolation::Serializable,
        }
    }
    /// The name in `commitInfo`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Isolation::Serializable => "Serializable",
            Isolation::WriteSerializable => "WriteSerializable",
            Isolation::Snapshot => "SnapshotIsolation",
        }
    }
}

/// Our side of a comparison.
pub(crate) struct Mine<'a> {
    pub intent: &'a Intent,
    pub reads: &'a ReadSet,
    pub base: &'a Base,
    pub paths: &'a PathForm,
    pub level: Isolation,
}

impl<'a> Mine<'a> {
    pub(crate) fn new(work: &'a Work, base: &'a Base) -> Self {
        Mine { intent: &work.intent, reads: &work.reads, base, paths: &work.paths, level: Isolation::of(&work.intent, &base.state) }
    }
    /// The files of these paths, however they are spelled.
    fn files(&self, paths: impl Iterator<Item = &'a str>) -> HashSet<Cow<'a, [u8]>> {
        paths.map(|path| self.paths.normalise(path)).collect()
    }
}

/// What a rule says about a winner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Ours means the same after it.
    Clear,
    /// It excludes us; what decided.
    Conflict(String),
    /// Both deleted rows of one file: ours means the same after it if no row is deleted by both, and must be united with theirs.
    Unite,
}

impl From<Option<String>> for Verdict {
    fn from(evidence: Option<String>) -> Verdict {
        evidence.map_or(Verdict::Clear, Verdict::Conflict)
    }
}

/// One conflict rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub id: &'static str,
    pub levels: &'static [Isolation],
    pub test: fn(&Mine<'_>, &Footprint) -> Verdict,
}

const ALL: &[Isolation] = &[Isolation::Serializable, Isolation::WriteSerializable, Isolation::Snapshot];
const READERS: &[Isolation] = &[Isolation::Serializable, Isolation::WriteSerializable];

/// Every rule, in the order in which they are asked.
pub(crate) static RULES: &[Rule] = &[
    Rule { id: "C1", levels: ALL, test: |mine, theirs| protocol_changed(mine, theirs).into() },
    Rule { id: "C2", levels: ALL, test: |mine, theirs| metadata_changed(mine, theirs).into() },
    Rule { id: "C3", levels: READERS, test: |mine, theirs| rows_added_to_what_we_read(mine, theirs).into() },
    Rule { id: "C4", levels: READERS, test: |mine, theirs| rows_removed_from_what_we_read(mine, theirs).into() },
    Rule { id: "C5", levels: ALL, test: |mine, theirs| same_file(mine, theirs).into() },
    Rule { id: "C6", levels: ALL, test: |mine, theirs| same_application(mine, theirs).into() },
    Rule { id: "C7", levels: ALL, test: |mine, theirs| same_domain(mine, theirs).into() },
    Rule { id: "C8", levels: READERS, test: |mine, theirs| rows_removed_from_the_table_we_read(mine, theirs).into() },
    Rule { id: "C9", levels: READERS, test: rows_of_a_file_deleted },
    Rule { id: "C10", levels: ALL, test: |mine, theirs| files_named_again(mine, theirs).into() },
];

fn protocol_changed(mine: &Mine<'_>, theirs: &Footprint) -> Option<String> {
    if mine.base.version.is_none() {
        return Some("the table was created".to_owned());
    }
    let protocol = theirs.protocol.as_ref()?;
    if mine.intent.protocol.is_some() {
        return Some("both change the protocol".to_owned());
    }
    let after = match changed_state(&mine.base.state, Some(protocol), theirs.metadata.as_ref(), &theirs.domains) {
        Ok(after) => after,
        Err(e) => return Some(format!("the new protocol cannot be used: {e}")),
    };
    match after.check_writable() {
        Err(e) => Some(format!("the new protocol cannot be written: {e}")),
        Ok(()) => mine.base.state.protocol_conflict(&after),
    }
}

fn metadata_changed(mine: &Mine<'_>, theirs: &Footprint) -> Option<String> {
    let metadata = theirs.metadata.as_ref()?;
    if mine.intent.metadata.is_some() {
        return Some("both change the metadata".to_owned());
    }
    match changed_state(&mine.base.state, theirs.protocol.as_ref(), Some(metadata), &theirs.domains) {
        Ok(after) => mine.base.state.metadata_conflict(&after),
        Err(e) => Some(format!("the new metadata cannot be used: {e}")),
    }
}

fn rows_added_to_what_we_read(mine: &Mine<'_>, theirs: &Footprint) -> Option<String> {
    let forgiven = mine.level == Isolation::WriteSerializable && mine.intent.metadata.is_none() && theirs.blind_append;
    let added: Vec<_> = theirs.adds.iter().filter(|a| a.data_change).collect();
    if forgiven || added.is_empty() {
        return None;
    }
    if mine.reads.whole_table() {
        return Some(added[0].path.clone());
    }
    mine.reads.predicates().find_map(|p| matching_add(p, &mine.base.state, &added)).map(|a| a.path.clone())
}

fn rows_removed_from_what_we_read(mine: &Mine<'_>, theirs: &Footprint) -> Option<String> {
    // Also one whose rows were only moved: what happens to them next cannot be told by the path that we know.
    let read = mine.files(mine.reads.files());
    let by_path = theirs.removes.iter().find(|r| read.contains(&mine.paths.normalise(&r.path)));
    let removed: Vec<_> = theirs.removes.iter().filter(|r| r.data_change).collect();
    let found = by_path.or_else(|| mine.reads.kept_predicates().find_map(|p| matching_remove(p, &mine.base.state, &removed)));
    found.map(|r| r.path.clone())
}

fn same_file(mine: &Mine<'_>, theirs: &Footprint) -> Option<String> {
    let removes = mine.intent.removes.iter().map(|r| r.path.as_str());
    let adds = mine.intent.adds.iter().map(|a| a.path.as_str());
    let replaced = mine.files(removes.chain(adds));
    let touched: HashSet<_> = mine.files(mine.intent.row_deletes.iter().map(|r| r.file.path.as_str()));
    let is_in = |files: &HashSet<_>, path: &str| files.contains(&mine.paths.normalise(path));
    let mut whole = theirs.removes.iter().map(|r| &r.path).chain(theirs.adds.iter().map(|a| &a.path));
    let whole = whole.find(|path| is_in(&replaced, path) || is_in(&touched, path));
    whole.or_else(|| theirs.lost_rows.iter().map(|l| &l.file.path).find(|path| is_in(&replaced, path))).cloned()
}

fn same_application(mine: &Mine<'_>, theirs: &Footprint) -> Option<String> {
    let ours = |id: &str| mine.reads.has_app(id) || mine.intent.apps.iter().any(|a| a.app_id == id);
    theirs.apps.iter().find(|a| ours(&a.app_id)).map(|a| format!("application {} is at version {}", a.app_id, a.version))
}

fn same_domain(mine: &Mine<'_>, theirs: &Footprint) -> Option<String> {
    let ours = |name: &str| mine.intent.domains.iter().any(|d| d.domain == name);
    theirs.domains.iter().find(|d| ours(&d.domain)).map(|d| format!("domain {}", d.domain))
}

fn rows_removed_from_the_table_we_read(mine: &Mine<'_>, theirs: &Footprint) -> Option<String> {
    if !mine.reads.whole_table() {
        return None;
    }
    let removed = theirs.removes.iter().find(|r| r.data_change).map(|r| r.path.clone());
    // Rows that we meant to remove live on where they were moved to.
    let moved = || theirs.adds.iter().find(|a| !a.data_change && mine.intent.removes_anything()).map(|a| a.path.clone());
    removed.or_else(moved)
}

fn rows_of_a_file_deleted(mine: &Mine<'_>, theirs: &Footprint) -> Verdict {
    let lost: Vec<&Add> = theirs.lost_rows.iter().map(|l| &l.file).collect();
    if lost.is_empty() {
        return Verdict::Clear;
    }
    let is_in = |files: &HashSet<_>, file: &Add| files.contains(&mine.paths.normalise(&file.path));
    let read = mine.files(mine.reads.files());
    // Which rows went is not known here, so a file that may have held rows that we read has lost some of them.
    let held: Vec<Add> = theirs.lost_rows.iter().map(LostRows::file_with_all_rows).collect();
    let held: Vec<&Add> = held.iter().collect();
    let found = if mine.reads.whole_table() {
        lost.first().copied()
    } else {
        let by_path = lost.iter().copied().find(|file| is_in(&read, file));
        by_path.or_else(|| mine.reads.kept_predicates().find_map(|p| matching_add(p, &mine.base.state, &held)))
    };
    if let Some(file) = found {
        return Verdict::Conflict(file.path.clone());
    }
    let ours = mine.files(mine.intent.row_deletes.iter().map(|r| r.file.path.as_str()));
    if lost.iter().any(|file| is_in(&ours, file)) { Verdict::Unite } else { Verdict::Clear }
}

/// A winner that changes no file may be a vacuum, which is about to delete what we saw.
fn files_named_again(mine: &Mine<'_>, theirs: &Footprint) -> Option<String> {
    let may_be_start = theirs.adds.is_empty() && theirs.removes.is_empty() && theirs.lost_rows.is_empty();
    (mine.intent.names_again && may_be_start).then(|| format!("files come back that were seen before version {}", theirs.version))
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
