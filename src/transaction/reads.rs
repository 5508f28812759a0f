//! What a transaction has read, so that later commits can be judged against it. Kind: shape. Spec: CON.
//!
//! Invariant: a read is what was asked for (a predicate, the whole table), never only what was found.

use crate::expr::BoundExpr;

/// What a transaction has read.
#[derive(Clone, Debug)]
pub enum ReadScope {
    /// The whole table.
    Table,
    /// Rows for which this may be TRUE.
    Predicate(BoundExpr),
    /// Rows for which this may be TRUE, of which only those mattered that this transaction deletes or rewrites: without any of the
    /// others it would have done just the same. So DELETE and UPDATE read; a MERGE does not, for a row that it matches and leaves alone may
    /// keep it from inserting another (`Predicate`).
    Target(BoundExpr),
    /// These files, by path as in the log.
    Files(Vec<String>),
    /// The version that an application recorded.
    App(String),
}

/// Everything that a transaction has read.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadSet(Vec<ReadScope>);

impl ReadSet {
    pub(crate) fn push(&mut self, scope: ReadScope) {
        self.0.push(scope);
    }
    /// Whether rows of the table were read in any way.
    pub(crate) fn reads_rows(&self) -> bool {
        self.0.iter().any(|s| !matches!(s, ReadScope::App(_)))
    }
    pub(crate) fn whole_table(&self) -> bool {
        self.0.iter().any(|s| matches!(s, ReadScope::Table))
    }
    /// What a new row must not match.
    pub(crate) fn predicates(&self) -> impl Iterator<Item = &BoundExpr> {
        self.0.iter().filter_map(|s| if let ReadScope::Predicate(p) | ReadScope::Target(p) = s { Some(p) } else { None })
    }
    /// What a row that goes must not match, whoever touched its file.
    pub(crate) fn kept_predicates(&self) -> impl Iterator<Item = &BoundExpr> {
        self.0.iter().filter_map(|s| if let ReadScope::Predicate(p) = s { Some(p) } else { None })
    }
    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        let paths = self.0.iter().filter_map(|s| if let ReadScope::Files(paths) = s { Some(paths) } else { None });
        paths.flatten().map(String::as_str)
    }
    pub(crate) fn has_app(&self, app_id: &str) -> bool {
        self.0.iter().any(|s| matches!(s, ReadScope::App(id) if id == app_id))
    }
}
