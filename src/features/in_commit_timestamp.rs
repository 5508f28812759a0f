//! In-commit timestamps: commits carry a time that always rises. Kind: pure. Spec: ICT.

use super::TableState;
use super::commit::CommitDraft;
use crate::env::Timestamp;

const NAME: &str = "inCommitTimestamp";
const ENABLED: &str = "delta.enableInCommitTimestamps";
const ENABLEMENT_VERSION: &str = "delta.inCommitTimestampEnablementVersion";
const ENABLEMENT_TIMESTAMP: &str = "delta.inCommitTimestampEnablementTimestamp";

/// Whether commits on this state carry their time.
pub(super) fn is_active(state: &TableState) -> bool {
    let listed = state.protocol().writer_features.iter().flatten().any(|f| f == NAME);
    listed && state.property(ENABLED).is_some_and(|v| v.eq_ignore_ascii_case("true"))
}

/// Sets a time above the one before; the commit that turns the feature on for a table that exists also says so in the properties.
pub(super) fn stamp(before: &TableState, after: &TableState, draft: &mut CommitDraft) {
    if !is_active(after) {
        return;
    }
    let after_previous = draft.previous_timestamp.map_or(Timestamp(i64::MIN), |t| Timestamp(t.millis().saturating_add(1)));
    let time = draft.now.max(after_previous);
    draft.in_commit_timestamp = Some(time);
    let turned_on = draft.version.0 > 0 && !is_active(before);
    if let (true, Some(metadata)) = (turned_on, &mut draft.metadata) {
        metadata.configuration.insert(ENABLEMENT_VERSION.to_owned(), draft.version.to_string());
        metadata.configuration.insert(ENABLEMENT_TIMESTAMP.to_owned(), time.millis().to_string());
    }
}
