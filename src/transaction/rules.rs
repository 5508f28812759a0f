//! The conflict rules: which commits of others exclude ours. Kind: pure. Spec: CON.
//!
//! A rule compares effects, never operations. Invariant: a commit that no rule excludes has the same meaning after the winner as it
//! had on its own base. `spec/conflicts.md` says each rule in prose.

use super::footprint::Footprint;
use super::matching::{matching_add, matching_remove};
use super::rebase::{Base, changed_state};
use super::{Intent, ReadSet, Work};
use crate::features::TableState;
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
            _ if intent.only_rearranges() => Isolation::Snapshot,
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

/// One conflict rule. The test gives the evidence when the winner excludes us.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub id: &'static str,
    pub levels: &'static [Isolation],
    pub test: fn(&Mine<'_>, &Footprint) -> Option<String>,
}

const ALL: &[Isolation] = &[Isolation::Serializable, Isolation::WriteSerializable, Isolation::Snapshot];
const READERS: &[Isolation] = &[Isolation::Serializable, Isolation::WriteSerializable];

/// Every rule, in the order in which they are asked.
pub(crate) static RULES: &[Rule] = &[
    Rule { id: "C1", levels: ALL, test: protocol_changed },
    Rule { id: "C2", levels: ALL, test: metadata_changed },
    Rule { id: "C3", levels: READERS, test: rows_added_to_what_we_read },
    Rule { id: "C4", levels: READERS, test: rows_removed_from_what_we_read },
    Rule { id: "C5", levels: ALL, test: same_file },
    Rule { id: "C6", levels: ALL, test: same_application },
    Rule { id: "C7", levels: ALL, test: same_domain },
    Rule { id: "C8", levels: READERS, test: rows_removed_from_the_table_we_read },
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
    mine.base.state.metadata_conflict(metadata)
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
    let shortened = mine.intent.row_deletes.iter().map(|r| r.file.path.as_str());
    let touched = mine.files(removes.chain(shortened).chain(mine.intent.adds.iter().map(|a| a.path.as_str())));
    let mut theirs = theirs.removes.iter().map(|r| &r.path).chain(theirs.adds.iter().map(|a| &a.path));
    theirs.find(|path| touched.contains(&mine.paths.normalise(path))).cloned()
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

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
