//! Rows deleted without rewriting their file. Kind: pure. Spec: FEA.

use super::spec::{Active, FeatureSpec, Hooks, Scope, Support};
use super::{Downgrade, TableFeature, TableState};
use crate::error::{Code, Error, Result};
use crate::log::{Action, Add};

pub(super) const SPEC: FeatureSpec = FeatureSpec {
    feature: TableFeature::DeletionVectors,
    name: "deletionVectors",
    aliases: &[],
    scope: Scope::ReaderWriter,
    legacy: None,
    requires: &[],
    active: Active::WhenProperty("delta.enableDeletionVectors"),
    support: Support::Full,
    joins_quietly: true,
    hooks: Hooks { downgrade: Some(DOWNGRADE), ..Hooks::NONE },
};

const DOWNGRADE: Downgrade = Downgrade {
    unset: &["delta.enableDeletionVectors"],
    rewrites: Some(|add| add.deletion_vector.is_some()),
    side_files: Some("Deletion Vector Tombstones"),
    is_trace: Some(|action| match action {
        Action::Add(add) => add.deletion_vector.is_some(),
        Action::Remove(remove) => remove.deletion_vector.is_some(),
        _ => false,
    }),
    ..Downgrade::NONE
};

impl TableState {
    /// Whether rows may be deleted by new vectors. Those that files have are honoured in any case.
    pub(crate) fn writes_vectors(&self) -> bool {
        self.is_active(TableFeature::DeletionVectors)
    }
    /// Refuses a file with a vector in a table whose protocol knows none: its readers would show the deleted rows.
    pub(crate) fn check_add(&self, add: &Add) -> Result<()> {
        if add.deletion_vector.is_none() || self.is_supported(TableFeature::DeletionVectors) {
            return Ok(());
        }
        Err(Error::new(Code::INPUT, "the table's protocol does not allow deletion vectors")
            .with("path", &add.path)
            .help("add the feature `deletionVectors` to the protocol in the same commit"))
    }
}
