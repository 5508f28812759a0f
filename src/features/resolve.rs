//! A protocol -> the features that it supports. Kind: pure. Spec: FEA.
//!
//! Invariant: what a protocol contradicts itself about is refused here, so that nobody has to choose which half to believe.

use super::spec::{FeatureSpec, LegacyVersions, Scope};
use super::{ALL, TableFeature};
use crate::error::{Code, Error, Result};
use crate::log::Protocol;
use std::collections::BTreeSet;

/// The newest versions that this build speaks.
pub(super) const READER_VERSION_MAX: i32 = 3;
pub(super) const WRITER_VERSION_MAX: i32 = 7;

/// What a protocol supports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FeatureSet {
    pub(super) supported: BTreeSet<TableFeature>,
    /// Names that readers must understand and this build does not know.
    pub(super) unknown_reader: Vec<String>,
    /// Names that only writers must understand and this build does not know.
    pub(super) unknown_writer: Vec<String>,
}

/// The features that versions imply without a list.
pub(super) fn implied(reader: i32, writer: i32) -> impl Iterator<Item = TableFeature> {
    let is_implied = move |spec: &&FeatureSpec| match spec.legacy {
        None => false,
        // A reader version below 3 speaks for the feature whatever the writers' side says.
        Some(LegacyVersions { reader: Some(version), .. }) => reader < READER_VERSION_MAX && reader >= version,
        Some(LegacyVersions { reader: None, writer: version }) => writer < WRITER_VERSION_MAX && writer >= version,
    };
    ALL.iter().filter(is_implied).map(|spec| spec.feature)
}

impl FeatureSet {
    pub(super) fn is_unknown(&self, name: &str) -> bool {
        self.unknown_reader.iter().chain(&self.unknown_writer).any(|other| other == name)
    }
}

/// `LB-LOG-STATE` for a protocol that contradicts itself. Versions above those of this build are no contradiction.
pub(super) fn resolve(protocol: &Protocol) -> Result<FeatureSet> {
    let (reader, writer) = (protocol.min_reader_version, protocol.min_writer_version);
    let listed_reader = protocol.reader_features.as_deref().unwrap_or_default();
    let listed_writer = protocol.writer_features.as_deref().unwrap_or_default();
    check(protocol)?;

    let mut set = FeatureSet::default();
    set.supported.extend(implied(reader, writer));
    for name in listed_reader {
        match TableFeature::named(name) {
            Some(feature) => _ = set.supported.insert(feature),
            None => set.unknown_reader.push(name.clone()),
        }
    }
    for name in listed_writer {
        match TableFeature::named(name) {
            Some(feature) => _ = set.supported.insert(feature),
            None if listed_reader.contains(name) => {}
            None => set.unknown_writer.push(name.clone()),
        }
    }
    Ok(set)
}

fn check(protocol: &Protocol) -> Result<()> {
    let (reader, writer) = (protocol.min_reader_version, protocol.min_writer_version);
    let broken = |what: String| {
        Err(Error::new(Code::LOG_STATE, format!("the protocol contradicts itself: {what}"))
            .with("protocol", format!("({reader}, {writer})")))
    };
    if reader < 1 || writer < 1 {
        return broken("versions start at 1".to_owned());
    }
    if reader > READER_VERSION_MAX || writer > WRITER_VERSION_MAX {
        return Ok(());
    }
    let listed_reader = protocol.reader_features.as_deref();
    let listed_writer = protocol.writer_features.as_deref();
    if reader == READER_VERSION_MAX && writer != WRITER_VERSION_MAX {
        return broken(format!("reader version {reader} needs writer version {WRITER_VERSION_MAX}"));
    }
    if reader == READER_VERSION_MAX && listed_reader.is_none() {
        return broken(format!("reader version {reader} needs a list of reader features"));
    }
    if writer == WRITER_VERSION_MAX && listed_writer.is_none() {
        return broken(format!("writer version {writer} needs a list of writer features"));
    }
    if reader < READER_VERSION_MAX && listed_reader.is_some_and(|names| !names.is_empty()) {
        return broken(format!("reader version {reader} has a list of reader features"));
    }
    if writer < WRITER_VERSION_MAX && listed_writer.is_some_and(|names| !names.is_empty()) {
        return broken(format!("writer version {writer} has a list of writer features"));
    }
    let (readers, writers) = (listed_reader.unwrap_or_default(), listed_writer.unwrap_or_default());
    if let Some(name) = readers.iter().find(|name| !lists(writers, name)) {
        return broken(format!("the feature {name} is required of readers but not of writers"));
    }
    for name in writers {
        let Some(spec) = TableFeature::named(name).map(TableFeature::spec) else { continue };
        if spec.scope == Scope::Writer || lists(readers, name) {
            continue;
        }
        let implied = spec.legacy.and_then(|legacy| legacy.reader).is_some_and(|version| reader < READER_VERSION_MAX && reader >= version);
        if !implied {
            return broken(format!("the feature {name} is required of writers but not of readers"));
        }
    }
    Ok(())
}

/// Whether the list has this name or another name of the same feature.
fn lists(names: &[String], name: &str) -> bool {
    match TableFeature::named(name).map(TableFeature::spec) {
        Some(spec) => names.iter().any(|other| spec.is_named(other)),
        None => names.iter().any(|other| other == name),
    }
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
