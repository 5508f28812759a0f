//! History that must stay readable by those who do not know a feature that was dropped. Kind: pure. Spec: PROT.
//!
//! Below the protected version B the checkpoints of the one who dropped the feature are what old readers go by. Invariant: nothing
//! here deletes; who deletes or writes below B asks first.

use super::spec::{Active, FeatureSpec, Hooks, Scope, Support};
use super::{TableFeature, TableState};
use crate::error::{Code, Error, Result};
use crate::log::{Protocol, Version};

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
    pub(crate) fn protected_before(&self) -> Result<Version> {
        if !self.is_supported(TableFeature::CheckpointProtection) {
            return Ok(Version(0));
        }
        let text = self.property(BEFORE).unwrap_or("0");
        let broken = || Error::new(Code::PROPERTY, format!("`{BEFORE}` is not a version: `{text}`"));
        text.trim().parse().map(Version).map_err(|_| broken())
    }
    /// Whether the log may lose everything below `first_kept`, when `protocols` are those of the versions from the oldest one to
    /// `first_kept`. `LB-FEATURE-WRITE` names what this build does not know there.
    pub(crate) fn check_log_cleanup<'a>(&self, first_kept: Version, protocols: impl IntoIterator<Item = &'a Protocol>) -> Result<()> {
        let before = self.protected_before()?;
        if first_kept >= before {
            return Ok(());
        }
        let unknown = protocols.into_iter().find_map(|protocol| unknown_in(protocol).transpose());
        match unknown.transpose()? {
            None => Ok(()),
            Some(features) => {
                Err(Error::new(Code::FEATURE_WRITE, "old versions are protected, and their protocol needs features that this build lacks")
                    .with("features", features)
                    .with("protected", format!("versions below {before}"))
                    .help("remove all protected versions at once, or none"))
            }
        }
    }
}

/// What a protocol needs and this build does not know, by name or version.
fn unknown_in(protocol: &Protocol) -> Result<Option<String>> {
    let set = super::resolve::resolve(protocol)?;
    if protocol.min_reader_version > super::resolve::READER_VERSION_MAX || protocol.min_writer_version > super::resolve::WRITER_VERSION_MAX
    {
        return Ok(Some(format!("protocol ({}, {})", protocol.min_reader_version, protocol.min_writer_version)));
    }
    let names = [set.unknown_reader, set.unknown_writer].concat();
    Ok((!names.is_empty()).then(|| names.join(", ")))
}

#[cfg(test)]
#[path = "checkpoint_protection_tests.rs"]
mod tests;
