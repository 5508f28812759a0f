//! Rows deleted without rewriting their file. Kind: pure. Spec: FEA.

use super::spec::{Active, FeatureSpec, Hooks, Scope, Support};
use super::{TableFeature, TableState};
use crate::error::{Code, Error, Result};
use crate::log::Add;

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
    hooks: Hooks::NONE,
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
