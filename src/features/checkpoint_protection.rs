//! History that must stay readable by those who do not know a feature that was dropped. Kind: pure. Spec: PROT.
//!
//! Below the protected version B the checkpoints of the one who dropped the feature are what old readers go by. Invariant: nothing
//! here deletes; who deletes or writes below B asks first.

use super::spec::{Active, FeatureSpec, Hooks, Scope, Support};
use super::{TableFeature, TableState};
use crate::error::{Code, Error, Result};
use crate::log::Version;

const BEFORE: &str = "delta.requireCheckpointProtectionBeforeVersion";

pub(super) const SPEC: FeatureSpec = FeatureSpec {
    feature: TableFeature::CheckpointProtection,
    name: "checkpointProtection",
    aliases: &[],
    scope: Scope::Writer,
    legacy: None,
    requires: &[],
    active: Active::When(|state| state.property(BEFORE).is_some_and(|version| version.trim() != "0")),
    support: Support::Full,
    joins_quietly: false,
    hooks: Hooks::NONE,
};

impl TableState {
    /// B: checkpoints of versions below it are protected; 0 when none is. `LB-PROPERTY` for what is not a number.
    fn protected_before(&self) -> Result<Version> {
        if !self.is_supported(TableFeature::CheckpointProtection) {
            return Ok(Version(0));
        }
        let text = self.property(BEFORE).unwrap_or("0");
        let broken = || Error::new(Code::PROPERTY, format!("`{BEFORE}` is not a version: `{text}`"));
        text.trim().parse().map(Version).map_err(|_| broken())
    }
    /// Whether the log may lose everything below `first_kept`: protected versions go all at once, or stay. `LB-FEATURE-WRITE` otherwise.
    pub(crate) fn check_history_removal(&self, first_kept: Version) -> Result<()> {
        let before = self.protected_before()?;
        if first_kept >= before {
            return Ok(());
        }
        Err(Error::new(Code::FEATURE_WRITE, "old versions are protected, for their protocol may need features that not every engine has")
            .with("features", SPEC.name)
            .with("protected", format!("versions below {before}"))
            .help("remove all protected versions at once, or none"))
    }
}

#[cfg(test)]
#[path = "checkpoint_protection_tests.rs"]
mod tests;
