//! Which objects may go, and why. Kind: pure. Spec: VAC.
//!
//! Invariant: an object that the newest version or a version within the retention names never goes; one that nothing names goes only when
//! no writer can still be about to name it.

use super::known::Role;
use crate::features::TableState;
use serde::{Deserialize, Serialize};

/// Why an object goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dead {
    /// Removed from the table longer ago than the retention.
    Tombstoned,
    /// Nothing that the log remembers names it.
    Orphan,
    /// Change data of versions before the retention.
    ChangeData,
    /// A deletion vector that nothing names.
    Vector,
    /// What a writer of lakebed left that died.
    Leftover,
}

impl Dead {
    /// The kind of action in a plan.
    pub(super) fn action(self) -> &'static str {
        match self {
            Dead::Tombstoned => "delete_tombstoned",
            Dead::Orphan => "delete_orphan",
            Dead::ChangeData => "delete_change_data",
            Dead::Vector => "delete_vector",
            Dead::Leftover => "delete_leftover",
        }
    }
    pub(super) fn reason(self) -> &'static str {
        match self {
            Dead::Tombstoned => "removed from the table longer ago than the retention",
            Dead::Orphan => "no version within the retention names it, and it is older than that",
            Dead::ChangeData => "change data of versions before the retention",
            Dead::Vector => "a deletion vector that no version within the retention names",
            Dead::Leftover => "a temporary file of a writer that died",
        }
    }
}

/// Why an object stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kept {
    Live,
    Retained,
    Cloned,
    Young,
    Hidden,
    OtherTable,
    /// The plan is full; the next run takes it.
    NextRun,
}

impl Kept {
    /// The name of the class in a plan.
    pub(super) fn class(self) -> &'static str {
        match self {
            Kept::Live => "live",
            Kept::Retained => "retained",
            Kept::Cloned => "cloned",
            Kept::Young => "young",
            Kept::Hidden => "hidden",
            Kept::OtherTable => "other_table",
            Kept::NextRun => "next_run",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Goes(Dead),
    Stays(Kept),
}

/// What decides besides an object's own facts. Times are the store's, in milliseconds.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// What was removed before this is needed by no version within the retention.
    pub(super) before: i64,
    /// What was written before this and is not named belongs to no running writer.
    pub(super) unnamed_before: i64,
    pub(super) hidden: Hidden,
}

/// Which names Spark's rule hides.
#[derive(Clone, Debug)]
pub(in crate::operations) struct Hidden {
    /// `column=` of every partition column, by both its names.
    pub(in crate::operations) partitions: Vec<String>,
    /// Whether another format keeps its own metadata in the folder `metadata`.
    pub(in crate::operations) metadata: bool,
}

impl Hidden {
    pub(in crate::operations) fn of(state: &TableState) -> Hidden {
        let logical = state.partition_columns().iter();
        let physical = logical.clone().filter_map(|name| state.physical_name(name));
        let formats = state.property("delta.universalFormat.enabledFormats");
        Hidden {
            partitions: logical.map(String::as_str).chain(physical).map(|name| format!("{name}=")).collect(),
            metadata: formats.is_some_and(|formats| !formats.trim().is_empty()),
        }
    }
    /// Whether any part of the path is hidden: its name begins with `_` or `.`, unless it is a partition, change data or a Bloom filter
    /// index.
    pub(in crate::operations) fn hides(&self, path: &str) -> bool {
        let part = |name: &str| {
            let odd = name.starts_with(['_', '.']);
            odd && !name.starts_with("_change_data")
                && !name.starts_with("_delta_index")
                && !self.partitions.iter().any(|p| name.starts_with(p.as_str()))
        };
        path.split('/').any(part) || self.metadata && path.starts_with("metadata/")
    }
}

impl Rules {
    /// What becomes of an object: its decoded path inside the table, when it was last modified, and what the log says about it.
    pub(super) fn fate(&self, path: &str, modified: i64, role: Option<Role>) -> Fate {
        if is_of_log(path) {
            return Fate::Stays(Kept::Hidden);
        }
        match role {
            Some(Role::Live) => return Fate::Stays(Kept::Live),
            Some(Role::Retained | Role::Spelled) => return Fate::Stays(Kept::Retained),
            Some(Role::Cloned) => return Fate::Stays(Kept::Cloned),
            Some(Role::Expired) if modified < self.before => return Fate::Goes(Dead::Tombstoned),
            Some(Role::Expired) => return Fate::Stays(Kept::Young),
            None => {}
        }
        let dead = match () {
            () if is_leftover(path) => Dead::Leftover,
            () if self.hidden.hides(path) => return Fate::Stays(Kept::Hidden),
            () if is_change_data(path) => Dead::ChangeData,
            () if name(path).starts_with("deletion_vector_") && path.ends_with(".bin") => Dead::Vector,
            () => Dead::Orphan,
        };
        if modified < self.unnamed_before { Fate::Goes(dead) } else { Fate::Stays(Kept::Young) }
    }
}

/// Whether a path lies in the log; whatever an action may say of it, it is not the business of vacuum.
pub(super) fn is_of_log(path: &str) -> bool {
    path.split('/').any(|part| part == "_delta_log") && !is_leftover(path)
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether a path looks like one of change data; that it does not, proves nothing.
pub(super) fn is_change_data(path: &str) -> bool {
    path.starts_with("_change_data/") || name(path).starts_with("cdc-")
}

/// Temporary names of lakebed: `.lakebed-<32 hex digits>.tmp` in any folder, and the scratch object of the store's probe.
fn is_leftover(path: &str) -> bool {
    let hex = |digits: &str| digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    let temporary = |name: &str| name.strip_prefix(".lakebed-")?.strip_suffix(".tmp").map(hex);
    temporary(name(path)) == Some(true) || path.strip_prefix("_lakebed_probe_").is_some_and(hex)
}

/// The folder of another table that lies inside this one, when the path is one of its log.
pub(in crate::operations) fn other_table(path: &str) -> Option<&str> {
    path.find("/_delta_log/").map(|at| &path[..=at])
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
