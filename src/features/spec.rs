//! What is known of a table feature: its static record and its hooks. Kind: shape. Spec: FEA.

use super::{ColumnRule, CommitDraft, Downgrade, TableDraft, TableFeature, TableState, WritePlan};
use crate::error::Result;
use crate::expr::{BoundExpr, Expr};
use crate::log::Remove;

/// The static record of one table feature.
pub(crate) struct FeatureSpec {
    pub(crate) feature: TableFeature,
    /// The name in the protocol's lists.
    pub(crate) name: &'static str,
    /// Preview names and old names of the same feature.
    pub(crate) aliases: &'static [&'static str],
    pub(crate) scope: Scope,
    /// The protocol versions that imply it without a list.
    pub(crate) legacy: Option<LegacyVersions>,
    /// Features that must be supported with it.
    pub(crate) requires: &'static [TableFeature],
    pub(crate) active: Active,
    pub(crate) support: Support,
    /// Whether work that was prepared without the feature may be committed after another writer has taken it up.
    pub(crate) joins_quietly: bool,
    pub(crate) hooks: Hooks,
}

/// Who must understand the feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Writer,
    ReaderWriter,
}

/// The lowest protocol versions that imply a feature.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LegacyVersions {
    /// `None` for a feature that readers need not know.
    pub(crate) reader: Option<i32>,
    pub(crate) writer: i32,
}

/// When a supported feature is active, so that writers must carry out its rules.
pub(crate) enum Active {
    WhenSupported,
    /// While this property is `true`.
    WhenProperty(&'static str),
    When(fn(&TableState) -> bool),
}

impl Active {
    /// Whether schema, properties or domains switch the feature on, supported or not.
    pub(crate) fn is_asked(&self, state: &TableState) -> bool {
        match self {
            Active::WhenSupported => false,
            Active::WhenProperty(key) => state.is_true(key),
            Active::When(test) => test(state),
        }
    }
}

/// What this build does with the feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Support {
    /// Read, and written correctly by everything that this build can do.
    Full,
    /// Recognised only: not written while active and, when readers must understand it, not read.
    Recognised,
}

/// The closed list of places where a feature takes part. All are pure functions.
pub(crate) struct Hooks {
    /// Completes a new or changed schema and its properties.
    pub(crate) shape_table: Option<fn(&mut TableDraft<'_>) -> Result<()>>,
    /// How the feature is taken off a table; `None` when it cannot be.
    pub(crate) downgrade: Option<Downgrade>,
    /// Names the rules of the table that name columns.
    pub(crate) column_rules: Option<fn(&TableState, &mut Vec<ColumnRule>)>,
    /// Refuses a new or changed table (`None`: it is being made). Called for every feature, supported or not.
    pub(crate) check_table: Option<fn(Option<&TableState>, &TableState) -> Result<()>>,
    /// Refuses a table that cannot be read correctly although the feature is known.
    pub(crate) check_read: Option<fn(&TableState) -> Result<()>>,
    /// Refuses a table that cannot be written correctly although the feature is known. Called for every feature, supported or not.
    pub(crate) check_write: Option<fn(&TableState) -> Result<()>>,
    /// Adds what must be done to rows before they are written.
    pub(crate) write_stages: Option<fn(&TableState, &mut WritePlan) -> Result<()>>,
    /// What a filter says about other columns of the same row, for choosing files; never more than what follows from it.
    pub(crate) implied_filter: Option<fn(&TableState, &BoundExpr) -> Option<Expr>>,
    /// Refuses a removal that the table does not allow.
    pub(crate) check_remove: Option<fn(&TableState, &Remove) -> Result<()>>,
    /// Adds facts that depend on the version which an attempt tries to get. The states are those before and after
    /// the commit.
    pub(crate) stamp_commit: Option<fn(&TableState, &TableState, &mut CommitDraft) -> Result<()>>,
}

impl Hooks {
    pub(crate) const NONE: Hooks = Hooks {
        shape_table: None,
        downgrade: None,
        column_rules: None,
        check_table: None,
        check_read: None,
        check_write: None,
        write_stages: None,
        implied_filter: None,
        check_remove: None,
        stamp_commit: None,
    };
}

impl FeatureSpec {
    /// Whether this is its name or one of its aliases.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }
    /// Whether tables that support it can be read.
    pub(crate) fn is_readable(&self) -> bool {
        self.scope == Scope::Writer || self.support == Support::Full
    }
}
