//! Where features take part in a commit: what they stamp, refuse, and tolerate from others. Kind: pure. Spec: FEA, CON.
//!
//! Invariant: pure functions of the states before and after; called again at every attempt.

use super::TableState;
use crate::env::Timestamp;
use crate::error::Result;
use crate::log::{Add, DomainMetadata, Metadata, Remove, StringMap, Version};
use std::sync::Arc;

/// What features may set in a commit, and what they may know of it.
#[derive(Debug, Default)]
pub(crate) struct CommitDraft {
    pub version: Version,
    pub now: Timestamp,
    /// The time of the commit before this one.
    pub previous_timestamp: Option<Timestamp>,
    pub in_commit_timestamp: Option<Timestamp>,
    /// The metadata action of this commit, if it has one.
    pub metadata: Option<Metadata>,
    /// The domain actions of this commit.
    pub domains: Vec<DomainMetadata>,
    /// The files that this commit adds; those of which only rows go come first and keep what their last `add` said.
    pub adds: Vec<Add>,
    /// Whether it also removes files, or rows of files.
    pub removes: bool,
    /// The table on which its rows were prepared, when others have changed it since.
    pub prepared_on: Option<Arc<TableState>>,
    /// What `commitInfo` says about the commit to other engines.
    pub tags: StringMap,
}

impl TableState {
    /// Adds what the features of this state, the one after the commit, require of it.
    pub(crate) fn stamp_commit(&self, before: &TableState, draft: &mut CommitDraft) -> Result<()> {
        self.active().filter_map(|spec| spec.hooks.stamp_commit).try_for_each(|stamp| stamp(before, self, draft))
    }
    /// Refuses a `remove` that a feature forbids.
    pub(crate) fn check_remove(&self, remove: &Remove) -> Result<()> {
        self.active().filter_map(|spec| spec.hooks.check_remove).try_for_each(|check| check(self, remove))
    }
    /// What this protocol says and that of `after` does not.
    pub(crate) fn protocol_loss(&self, after: &TableState) -> Option<String> {
        let lost = self.features().supported.difference(&after.features().supported).next();
        let unknown = || has_lost_unknown(self, after).map(str::to_owned);
        lost.map(|feature| feature.spec().name.to_owned()).or_else(unknown).map(|name| format!("feature {name} was dropped"))
    }
    /// Why work that was prepared on this state must not be committed on `after`, whose protocol another commit brought.
    pub(crate) fn protocol_conflict(&self, after: &TableState) -> Option<String> {
        if let Some(loss) = self.protocol_loss(after) {
            return Some(loss);
        }
        let (had, has) = (self.features(), after.features());
        // Taking up a feature is harmless for what was prepared before, unless the feature has a say in what files must hold.
        let added = has.supported.difference(&had.supported).map(|feature| feature.spec());
        let harmful = added.into_iter().find(|spec| !spec.joins_quietly).map(|spec| spec.name.to_owned());
        let unknown = || has.unknown_reader.iter().chain(&has.unknown_writer).find(|name| !had.is_unknown(name)).cloned();
        harmful.or_else(unknown).map(|name| format!("feature {name} was added"))
    }
    /// Why work that was prepared on this state must not be committed on `after`, whose metadata another commit brought.
    pub(crate) fn metadata_conflict(&self, after: &TableState) -> Option<String> {
        let (ours, theirs) = (self.metadata(), after.metadata());
        if theirs != ours && self.differs_in_numbers_only(after) {
            return None;
        }
        let takes_up_names = self.takes_up_names_only(after);
        if theirs.schema_string != ours.schema_string && !takes_up_names {
            return Some("the schema was changed".to_owned());
        }
        if theirs.partition_columns != ours.partition_columns || theirs.id != ours.id {
            return Some("the partitioning or the identity of the table was changed".to_owned());
        }
        if (&theirs.name, &theirs.description, &theirs.format) != (&ours.name, &ours.description, &ours.format) {
            return Some("the name, the description or the format of the table was changed".to_owned());
        }
        if let Some(key) = ours.configuration.keys().find(|key| !theirs.configuration.contains_key(*key)) {
            return Some(format!("property {key} was dropped"));
        }
        let harmful = |(key, value): &(&String, &String)| {
            let before = ours.configuration.get(*key);
            before != Some(value)
                && !HARMLESS_PROPERTIES.iter().any(|(name, to)| {
                    *name == key.as_str()
                        && match to {
                            To::Any => true,
                            To::Value(to) => *to == value.as_str(),
                            To::New => before.is_none(),
                            To::Names => takes_up_names,
                        }
                })
        };
        theirs.configuration.iter().find(harmful).map(|(key, _)| format!("property {key} was changed"))
    }
}

/// A feature that this build does not know and that only the first protocol has.
fn has_lost_unknown<'a>(before: &'a TableState, after: &TableState) -> Option<&'a str> {
    let had = before.features();
    let mut names = had.unknown_reader.iter().chain(&had.unknown_writer).map(String::as_str);
    names.find(|name| !after.features().is_unknown(name))
}

/// To what a property may change while another writer is at work.
enum To {
    Any,
    Value(&'static str),
    /// Anything, where it was not set before.
    New,
    /// What comes with names for columns that are those of the files.
    Names,
}

/// Properties that may change while another writer is at work, as Spark has it.
const HARMLESS_PROPERTIES: &[(&str, To)] = &[
    ("delta.enableDeletionVectors", To::Value("true")),
    ("delta.checkpointPolicy", To::Value("v2")),
    ("delta.enableInCommitTimestamps", To::Value("true")),
    ("delta.inCommitTimestampEnablementVersion", To::Any),
    ("delta.inCommitTimestampEnablementTimestamp", To::Any),
    ("delta.enableRowTracking", To::Value("true")),
    ("delta.rowTracking.materializedRowIdColumnName", To::New),
    ("delta.rowTracking.materializedRowCommitVersionColumnName", To::New),
    ("delta.columnMapping.mode", To::Names),
    ("delta.columnMapping.maxColumnId", To::Names),
];
