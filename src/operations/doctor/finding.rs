//! What the doctor can find. Kind: shape. Spec: DOC.
//!
//! Codes are stable and declared here and nowhere else; `spec/doctor.md` lists them. Invariant: of one code only the first ones are
//! kept, the others are counted, so that a ruined table does not fill the memory.

use serde::Serialize;
use std::collections::BTreeMap;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Rows or versions cannot be read, or are read wrongly.
    Error,
    /// Reads work; some reader, writer or promise will not.
    Warning,
    /// Nothing breaks; bytes or work are wasted.
    Info,
}

/// One thing that is wrong with a table.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// `LB-DOC-…`, listed in `spec/doctor.md`.
    pub code: &'static str,
    pub severity: Severity,
    /// What it concerns: a path inside the table, a version, a column, a property.
    pub object: String,
    /// What was found.
    pub message: String,
    /// What repairs it: what `Doctor::repair` does, or what to do by hand.
    pub repair: String,
    /// How `Doctor::repair` mends it.
    #[serde(skip)]
    pub(super) mend: Option<Mend>,
}

/// What a repair does about a finding.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mend {
    /// Takes a live file (as the log names it) out of the table.
    Drop,
    /// Names a live file again with its true size.
    Resize(i64),
    /// Names a live file again with statistics that say only how many rows it has.
    Recount(i64),
    /// Moves the object to the quarantine folder.
    Quarantine,
    /// The same, once the store's clock says that no running writer can still be about to name it.
    QuarantineOrphan,
    /// Records this as the highest row id.
    RaiseRowMark(i64),
}

/// A kind of damage: its code, how bad it is, and what mends it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub code: &'static str,
    pub severity: Severity,
    pub repair: &'static str,
}

macro_rules! kinds {
    ($($name:ident = $code:literal, $severity:ident, $repair:literal;)*) => {
        $(pub(super) const $name: Kind = Kind { code: $code, severity: Severity::$severity, repair: $repair };)*
        #[cfg(test)]
        pub(super) const ALL: &[Kind] = &[$($name),*];
    };
}

kinds! {
    GAP = "LB-DOC-GAP", Error, "restore the commit file from a copy; versions before it stay readable";
    GAP_OLD = "LB-DOC-GAP-OLD", Warning, "restore the commit file from a copy; a later checkpoint keeps the newest version readable";
    COMMIT_EMPTY = "LB-DOC-COMMIT-EMPTY", Error, "restore the commit file from a copy; the newest one may be moved to the quarantine by --repair";
    COMMIT_TORN = "LB-DOC-COMMIT-TORN", Error, "restore the commit file from a copy; the newest one may be moved to the quarantine by --repair";
    COMMIT_TWICE = "LB-DOC-COMMIT-TWICE", Warning, "none is needed while all readers agree; find out who wrote the commit";
    COMMIT_INFO = "LB-DOC-COMMIT-INFO", Error, "find out who wrote the commit; in-commit timestamps need `commitInfo` in the first line";
    COMMIT_TIME = "LB-DOC-COMMIT-TIME", Error, "travel by version around these commits; find out who wrote them";
    TIME_BACK = "LB-DOC-TIME-BACK", Warning, "travel by version around these commits, or switch in-commit timestamps on";
    FIRST_COMMIT = "LB-DOC-FIRST-COMMIT", Error, "restore the first commit from a copy";
    TABLE_ID = "LB-DOC-TABLE-ID", Warning, "find out whether two tables were written into one folder";
    PROTOCOL = "LB-DOC-PROTOCOL", Error, "let the engine that wrote the protocol repair it";
    PROTOCOL_LOSS = "LB-DOC-PROTOCOL-LOSS", Warning, "older versions may need the feature; restore it with `alter add-feature`";
    FEATURE_UNKNOWN = "LB-DOC-FEATURE-UNKNOWN", Warning, "use the engine that switched the feature on, or a newer lakebed";
    FEATURE_UNLISTED = "LB-DOC-FEATURE-UNLISTED", Warning, "`alter add-feature`, or unset the property: it has no effect as it is";
    FEATURE_REQUIRES = "LB-DOC-FEATURE-REQUIRES", Warning, "`alter add-feature` with the feature that is named";
    SCHEMA = "LB-DOC-SCHEMA", Error, "restore a version with a good schema";
    COLUMN_TWICE = "LB-DOC-COLUMN-TWICE", Warning, "rename one of the columns";
    MAPPING = "LB-DOC-MAPPING", Error, "let the engine that wrote the metadata repair the ids and names of the columns";
    PARTITION_COLUMN = "LB-DOC-PARTITION-COLUMN", Error, "restore a version with good metadata";
    PROPERTY = "LB-DOC-PROPERTY", Warning, "`alter set-property` with a value that engines understand";
    RULE = "LB-DOC-RULE", Warning, "drop the rule and add it anew";
    DOMAIN = "LB-DOC-DOMAIN", Warning, "let the engine that wrote the domain repair it";
    ROW_MARK = "LB-DOC-ROW-MARK", Error, "--repair records the highest row id in a commit";
    IDENTITY_MARK = "LB-DOC-IDENTITY-MARK", Warning, "`alter sync-identity`";
    APPEND_ONLY = "LB-DOC-APPEND-ONLY", Warning, "restore the rows if they were not meant to go; find out who wrote the commit";
    PATH = "LB-DOC-PATH", Error, "find out who wrote the log; --allow-root URL permits another root that you trust";
    PATH_FOREIGN = "LB-DOC-PATH-FOREIGN", Warning, "--allow-root URL permits another root that you trust";
    PARTITION_VALUE = "LB-DOC-PARTITION-VALUE", Error, "write the rows of the file anew with the engine that wrote it";
    STATS_TEXT = "LB-DOC-STATS-TEXT", Warning, "write the file anew; statistics that do not read only cost time";
    STATS_BOUNDS = "LB-DOC-STATS-BOUNDS", Error, "--deep tells whether rows contradict them; with it --repair names the file again with its row count alone";
    STATS_COUNT = "LB-DOC-STATS-COUNT", Warning, "write the file anew";
    FILE_MISSING = "LB-DOC-FILE-MISSING", Error, "restore the file from a copy; --repair takes it out of the table in a commit, and its rows are lost";
    FILE_SIZE = "LB-DOC-FILE-SIZE", Error, "restore the file from a copy; --repair names it again with its true size when it reads as Parquet";
    FILE_TWICE = "LB-DOC-FILE-TWICE", Error, "delete the rows of one of the two entries with the engine that wrote them";
    ORPHAN = "LB-DOC-ORPHAN", Info, "`vacuum` deletes it; --repair moves it to the quarantine";
    CHANGE_FILE = "LB-DOC-CHANGE-FILE", Warning, "restore the file from a copy; the change feed fails at that version";
    VECTOR_MISSING = "LB-DOC-VECTOR-MISSING", Error, "restore the vector file, or the version before it";
    VECTOR = "LB-DOC-VECTOR", Error, "restore the vector file, or the version before it";
    VECTOR_RANGE = "LB-DOC-VECTOR-RANGE", Error, "restore the version before it";
    CKPT_BROKEN = "LB-DOC-CKPT-BROKEN", Warning, "--repair moves it to the quarantine when something stands in";
    CKPT_PARTS = "LB-DOC-CKPT-PARTS", Info, "--repair moves the parts to the quarantine";
    CKPT_DIFFERS = "LB-DOC-CKPT-DIFFERS", Error, "--repair moves it to the quarantine, because the commits stand in";
    CKPT_FORM = "LB-DOC-CKPT-FORM", Warning, "--repair moves it to the quarantine when something stands in";
    SIDECAR = "LB-DOC-SIDECAR", Error, "restore the sidecar from a copy; --repair moves the checkpoint to the quarantine when something stands in";
    SIDECAR_ORPHAN = "LB-DOC-SIDECAR-ORPHAN", Info, "`log cleanup` deletes it; --repair moves it to the quarantine";
    HINT = "LB-DOC-HINT", Warning, "--repair moves it to the quarantine; the next checkpoint writes it anew";
    COMPACTION = "LB-DOC-COMPACTION", Warning, "--repair moves it to the quarantine, because the commits stand in";
    CRC_BROKEN = "LB-DOC-CRC-BROKEN", Warning, "--repair moves it to the quarantine";
    CRC_DIFFERS = "LB-DOC-CRC-DIFFERS", Error, "--repair moves it to the quarantine";
    CRC_ALONE = "LB-DOC-CRC-ALONE", Info, "--repair moves it to the quarantine";
    ROW_IDS_OVERLAP = "LB-DOC-ROW-IDS-OVERLAP", Error, "let the engine that wrote the files give their rows new ids";
    ROW_IDS_MISSING = "LB-DOC-ROW-IDS-MISSING", Warning, "`alter add-feature rowTracking` gives ids to files that have none";
    DATA = "LB-DOC-DATA", Error, "restore the file from a copy";
    DATA_ROWS = "LB-DOC-DATA-ROWS", Error, "--repair names the file again with its true row count";
    DATA_STATS = "LB-DOC-DATA-STATS", Error, "--repair names the file again with its row count alone";
    DATA_NULL = "LB-DOC-DATA-NULL", Warning, "delete or correct the rows";
    DATA_RULE = "LB-DOC-DATA-RULE", Warning, "delete or correct the rows";
    UNREADABLE = "LB-DOC-UNREADABLE", Error, "look at the other findings";
}

/// Findings as they come in.
pub(super) struct Findings {
    each_max: usize,
    found: Vec<Finding>,
    counts: BTreeMap<&'static str, usize>,
}

impl Findings {
    /// Keeps the first `each_max` of every code.
    pub fn new(each_max: usize) -> Findings {
        Findings { each_max: each_max.max(1), found: Vec::new(), counts: BTreeMap::new() }
    }
    pub fn add(&mut self, kind: Kind, object: impl Into<String>, message: impl Into<String>) {
        self.push(kind, object.into(), message.into(), None);
    }
    /// One that a repair mends.
    pub fn mend(&mut self, kind: Kind, object: impl Into<String>, message: impl Into<String>, mend: Mend) {
        self.push(kind, object.into(), message.into(), Some(mend));
    }
    fn push(&mut self, kind: Kind, object: String, message: String, mend: Option<Mend>) {
        let count = self.counts.entry(kind.code).or_default();
        *count += 1;
        if *count <= self.each_max {
            let Kind { code, severity, repair } = kind;
            self.found.push(Finding { code, severity, object, message, repair: repair.to_owned(), mend });
        }
    }
    /// Whether something was found that keeps rows or versions from being read.
    pub fn any_error(&self) -> bool {
        self.found.iter().any(|f| f.severity == Severity::Error)
    }
    pub fn has_any(&self, kind: Kind) -> bool {
        self.counts.contains_key(kind.code)
    }
    pub fn has(&self, kind: Kind, object: &str) -> bool {
        self.found.iter().any(|f| f.code == kind.code && f.object == object)
    }
    /// The worst first, then by code and object; of a code that came too often the last entry says how many are not shown.
    pub fn finish(mut self) -> Vec<Finding> {
        for (code, count) in self.counts.iter().filter(|(_, count)| **count > self.each_max) {
            let Some(like) = self.found.iter().rev().find(|f| f.code == *code).cloned() else { continue };
            let more = format!("{} more of this kind are not shown", count - self.each_max);
            self.found.push(Finding { object: "\u{2026}".to_owned(), message: more, mend: None, ..like });
        }
        self.found.sort_by(|a, b| (a.severity, a.code, &a.object).cmp(&(b.severity, b.code, &b.object)));
        self.found
    }
}

#[cfg(test)]
#[path = "finding_tests.rs"]
mod tests;
