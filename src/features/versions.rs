//! Features -> the lowest protocol that supports them. Kind: pure. Spec: FEA.
//!
//! Invariant: a protocol that grows keeps every feature that it had, and every listed name as it is spelled.

use super::resolve::{FeatureSet, READER_VERSION_MAX, WRITER_VERSION_MAX, implied, resolve};
use super::spec::{LegacyVersions, Scope};
use super::{ALL, TableFeature, TableState};
use crate::error::{Code, Error, Result};
use crate::log::Protocol;
use std::collections::BTreeSet;

/// The versions that imply features without a list, lowest first.
const LEGACY: [(i32, i32); 6] = [(1, 1), (1, 2), (1, 3), (1, 4), (2, 5), (2, 6)];

/// Versions that a user asks for through properties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AskedVersions {
    pub(super) reader: Option<i32>,
    pub(super) writer: Option<i32>,
}

impl AskedVersions {
    /// `LB-PROPERTY` for a pair that no protocol has.
    pub(super) fn check(self) -> Result<()> {
        if self.reader == Some(READER_VERSION_MAX) && self.writer.is_some_and(|writer| writer != WRITER_VERSION_MAX) {
            return Err(Error::new(Code::PROPERTY, "reader version 3 needs writer version 7").with("property", "delta.minReaderVersion"));
        }
        Ok(())
    }
}

/// What the schema, the properties and the domains switch on, with all that this requires.
pub(super) fn asked_for(state: &TableState) -> BTreeSet<TableFeature> {
    let mut asked: BTreeSet<TableFeature> = ALL.iter().filter(|spec| spec.active.is_asked(state)).map(|spec| spec.feature).collect();
    close(&mut asked);
    asked
}

/// Adds what the features require.
pub(super) fn close(features: &mut BTreeSet<TableFeature>) {
    let mut open: Vec<TableFeature> = features.iter().copied().collect();
    while let Some(feature) = open.pop() {
        open.extend(feature.spec().requires.iter().filter(|required| features.insert(**required)));
    }
}

/// The protocol of a new table.
pub(super) fn new_protocol(mut features: BTreeSet<TableFeature>, versions: AskedVersions) -> Result<Protocol> {
    versions.check()?;
    close(&mut features);
    let (reader, writer) = (versions.reader.unwrap_or(1), versions.writer.unwrap_or(2));
    // What writer 2 implies is what Spark lists for every table, too.
    features.extend(implied(reader.min(2), writer.clamp(2, 6)).filter(|feature| writer < WRITER_VERSION_MAX || is_default(*feature)));
    if reader < READER_VERSION_MAX
        && writer < WRITER_VERSION_MAX
        && let Some(legacy) = legacy(&features)
    {
        return Ok(legacy);
    }
    Ok(listed(features.iter().map(|feature| feature.spec().name.to_owned()).collect(), reader, &features))
}

/// The protocol with features added, and those that versions which were asked for imply; `None` when it supports them already. It is
/// the lowest that does, as Spark has it: old versions come back where one of them implies exactly what is needed.
pub(super) fn grown_protocol(state: &TableState, asked: &BTreeSet<TableFeature>, versions: AskedVersions) -> Result<Option<Protocol>> {
    versions.check()?;
    let (protocol, has) = (state.protocol(), state.features());
    let mut features: BTreeSet<TableFeature> = has.supported.union(asked).copied().collect();
    if versions != AskedVersions::default() {
        let reader = versions.reader.unwrap_or(protocol.min_reader_version);
        let writer = versions.writer.unwrap_or(protocol.min_writer_version);
        let is_implied =
            |legacy: &LegacyVersions| writer < WRITER_VERSION_MAX && legacy.writer <= writer && legacy.reader.unwrap_or(1) <= reader;
        features.extend(ALL.iter().filter(|spec| spec.legacy.as_ref().is_some_and(is_implied)).map(|spec| spec.feature));
    }
    close(&mut features);
    Ok((features != has.supported).then(|| lowest(protocol, has, &features)))
}

/// The lowest protocol that supports what `state` does except `dropped`, and `taken_up`.
pub(super) fn protocol_without(state: &TableState, dropped: TableFeature, taken_up: Option<TableFeature>) -> Protocol {
    let mut features = state.features().supported.clone();
    features.remove(&dropped);
    features.extend(taken_up);
    lowest(state.protocol(), state.features(), &features)
}

/// The lowest protocol with these features and what `has` holds that this build does not know. Names stay as they are spelled.
fn lowest(protocol: &Protocol, has: &FeatureSet, features: &BTreeSet<TableFeature>) -> Protocol {
    let is_known = has.unknown_reader.is_empty() && has.unknown_writer.is_empty();
    if let Some(legacy) = legacy(features).filter(|_| is_known) {
        return legacy;
    }
    let is_kept = |name: &&String| TableFeature::named(name).is_none_or(|feature| features.contains(&feature));
    let mut names: Vec<String> = protocol.writer_features.iter().flatten().filter(is_kept).cloned().collect();
    // What the old versions implied must be listed from now on.
    for feature in features {
        if !names.iter().any(|name| feature.spec().is_named(name)) {
            names.push(feature.spec().name.to_owned());
        }
    }
    let mut lowest = listed(names, if has.unknown_reader.is_empty() { 1 } else { READER_VERSION_MAX }, features);
    for name in &has.unknown_reader {
        lowest.reader_features.get_or_insert_default().push(name.clone());
    }
    debug_assert!(resolve(&lowest).is_ok());
    lowest
}

/// The old versions that imply exactly these features.
fn legacy(features: &BTreeSet<TableFeature>) -> Option<Protocol> {
    let (reader, writer) = LEGACY.into_iter().find(|(reader, writer)| implied(*reader, *writer).collect::<BTreeSet<_>>() == *features)?;
    Some(Protocol { min_reader_version: reader, min_writer_version: writer, reader_features: None, writer_features: None })
}

fn is_default(feature: TableFeature) -> bool {
    implied(1, 2).any(|default| default == feature)
}

/// The protocol that lists `names`; `at_least` is the reader version that it must have.
fn listed(names: Vec<String>, at_least: i32, features: &BTreeSet<TableFeature>) -> Protocol {
    let reader = features
        .iter()
        .map(|feature| feature.spec())
        .filter(|spec| spec.scope == Scope::ReaderWriter)
        .map(|spec| spec.legacy.and_then(|legacy| legacy.reader).unwrap_or(READER_VERSION_MAX))
        .fold(at_least, i32::max);
    let for_readers = |name: &&String| TableFeature::named(name).is_some_and(|feature| feature.spec().scope == Scope::ReaderWriter);
    Protocol {
        min_reader_version: reader,
        min_writer_version: WRITER_VERSION_MAX,
        reader_features: (reader == READER_VERSION_MAX).then(|| names.iter().filter(for_readers).cloned().collect()),
        writer_features: Some(names),
    }
}
