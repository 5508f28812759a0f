use super::super::state::tests::{field, metadata, protocol};
use super::*;
use crate::features::CommitDraft;

fn state(properties: &[(&str, &str)]) -> TableState {
    let names = ["inCommitTimestamp"];
    TableState::new(protocol(1, 7, &[], &names), metadata(&field("id", r#""long""#, "{}"), properties), Vec::new()).expect("a state")
}

fn draft(version: u64, now: i64, previous: Option<i64>) -> CommitDraft {
    CommitDraft { version: Version(version), now: Timestamp(now), previous_timestamp: previous.map(Timestamp), ..CommitDraft::default() }
}

// spec: ICT-1
#[test]
fn a_commit_is_stamped_with_now_or_just_above_the_commit_before() {
    let on = state(&[(ENABLED, "true")]);
    for (now, previous, expected) in [(100, None, 100), (100, Some(99), 100), (100, Some(100), 101), (100, Some(500), 501)] {
        let mut draft = draft(5, now, previous);
        on.stamp_commit(&on, &mut draft).expect("stamped");
        assert_eq!(draft.in_commit_timestamp, Some(Timestamp(expected)));
    }
}

// spec: ICT-2
#[test]
fn the_commit_that_turns_it_on_records_where_it_starts() {
    let (off, on) = (state(&[]), state(&[(ENABLED, "true")]));
    let mut draft = CommitDraft { metadata: Some(on.metadata().clone()), ..draft(3, 100, Some(200)) };
    on.stamp_commit(&off, &mut draft).expect("stamped");
    let metadata = draft.metadata.expect("metadata");
    assert_eq!((metadata.configuration[SINCE_VERSION].as_str(), metadata.configuration[SINCE_TIME].as_str()), ("3", "201"));
}

// spec: ICT-3
#[test]
fn a_table_that_starts_with_it_records_nothing() {
    let on = state(&[(ENABLED, "true")]);
    let mut draft = CommitDraft { metadata: Some(on.metadata().clone()), ..draft(0, 100, None) };
    on.stamp_commit(&on, &mut draft).expect("stamped");
    assert!(!draft.metadata.expect("metadata").configuration.contains_key(SINCE_VERSION));
    assert_eq!(on.commit_times_since().expect("a start"), Some((Version(0), None)));
}

// spec: ICT-4
#[test]
fn readers_learn_from_which_version_commits_carry_their_time() {
    let later = state(&[(ENABLED, "true"), (SINCE_VERSION, "3"), (SINCE_TIME, "201")]);
    assert_eq!(later.commit_times_since().expect("a start"), Some((Version(3), Some(Timestamp(201)))));
    assert_eq!(state(&[(ENABLED, "false"), (SINCE_VERSION, "3")]).commit_times_since().expect("none"), None);
    assert_eq!(state(&[(ENABLED, "true"), (SINCE_VERSION, "-3")]).commit_times_since().expect_err("broken").code(), Code::LOG_STATE);
}

// spec: ICT-5
#[test]
fn the_property_alone_means_nothing_without_support() {
    let metadata = metadata(&field("id", r#""long""#, "{}"), &[(ENABLED, "true")]);
    let state = TableState::new(protocol(1, 2, &[], &[]), metadata, Vec::new()).expect("a state");
    assert!(!state.keeps_commit_times());
    let mut draft = draft(5, 100, None);
    state.stamp_commit(&state, &mut draft).expect("nothing to do");
    assert_eq!(draft.in_commit_timestamp, None);
}

// spec: ICT-2
#[test]
fn turning_it_on_without_metadata_is_refused() {
    let (off, on) = (state(&[]), state(&[(ENABLED, "true")]));
    assert_eq!(on.stamp_commit(&off, &mut draft(3, 100, Some(200))).expect_err("refused").code(), Code::INPUT);
}
