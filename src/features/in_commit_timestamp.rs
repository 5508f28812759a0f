//! Commits that carry their own time, strictly rising. Kind: pure. Spec: ICT.

use super::commit::CommitDraft;
use super::spec::{Active, FeatureSpec, Hooks, Scope, Support};
use super::{Downgrade, TableFeature, TableState};
use crate::env::Timestamp;
use crate::error::{Code, Error, Result};
use crate::log::Version;

const ENABLED: &str = "delta.enableInCommitTimestamps";
const SINCE_VERSION: &str = "delta.inCommitTimestampEnablementVersion";
const SINCE_TIME: &str = "delta.inCommitTimestampEnablementTimestamp";

pub(super) const SPEC: FeatureSpec = FeatureSpec {
    feature: TableFeature::InCommitTimestamp,
    name: "inCommitTimestamp",
    aliases: &["inCommitTimestamp-preview"],
    scope: Scope::Writer,
    legacy: None,
    requires: &[],
    active: Active::WhenProperty(ENABLED),
    support: Support::Full,
    joins_quietly: true,
    hooks: Hooks {
        stamp_commit: Some(stamp_commit),
        downgrade: Some(Downgrade { set: &[(ENABLED, "false")], leftovers: &[SINCE_VERSION, SINCE_TIME], ..Downgrade::NONE }),
        ..Hooks::NONE
    },
};

/// Sets a time above the one before; the commit that turns the feature on for a table that exists also says so in the properties.
fn stamp_commit(before: &TableState, _: &TableState, draft: &mut CommitDraft) -> Result<()> {
    let floor = draft.previous_timestamp.map_or(i64::MIN, |previous| previous.millis().saturating_add(1));
    let time = Timestamp(draft.now.millis().max(floor));
    draft.in_commit_timestamp = Some(time);
    if draft.version > Version(0) && !before.keeps_commit_times() {
        let metadata = draft.metadata.as_mut().ok_or_else(|| {
            Error::new(Code::INPUT, "in-commit timestamps begin with a commit that does not write the metadata")
                .help("set the metadata, with the property that turns them on, in the same commit")
        })?;
        metadata.configuration.insert(SINCE_VERSION.to_owned(), draft.version.to_string());
        metadata.configuration.insert(SINCE_TIME.to_owned(), time.millis().to_string());
    }
    Ok(())
}

/// Properties that say since when; they describe the log, not a version of the table.
pub(super) const SINCE: [&str; 2] = [SINCE_VERSION, SINCE_TIME];

impl TableState {
    /// Whether commits on this state carry their own time, so that the time of the commit before is needed.
    pub(crate) fn keeps_commit_times(&self) -> bool {
        self.is_active(TableFeature::InCommitTimestamp)
    }
    /// The first version that carries its own time, and that time when it is recorded; `None` when commits do not. Without a record
    /// the table has done so from its start. `LB-LOG-STATE` for a record that is not a number.
    pub(crate) fn commit_times_since(&self) -> Result<Option<(Version, Option<Timestamp>)>> {
        if !self.keeps_commit_times() {
            return Ok(None);
        }
        let number = |key: &str| {
            let text = self.property(key);
            text.map(|text| {
                let broken = || Error::new(Code::LOG_STATE, format!("the property `{key}` is not a number: `{text}`"));
                text.parse::<i64>().ok().filter(|n| *n >= 0).ok_or_else(broken)
            })
        };
        let version = number(SINCE_VERSION).transpose()?.map_or(Version(0), |v| Version(v.unsigned_abs()));
        Ok(Some((version, number(SINCE_TIME).transpose()?.map(Timestamp))))
    }
}

#[cfg(test)]
#[path = "in_commit_timestamp_tests.rs"]
mod tests;
