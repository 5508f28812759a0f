use super::super::state::tests::{field, metadata, protocol};
use super::*;

fn state(names: &[&str], before: &str) -> TableState {
    TableState::new(protocol(1, 7, &[], names), metadata(&field("id", r#""long""#, "{}"), &[(BEFORE, before)]), Vec::new())
        .expect("a state")
}

// spec: PROT-1
#[test]
fn the_protected_version_counts_only_where_the_feature_is_supported() {
    assert_eq!(state(&["checkpointProtection"], "9").protected_before().expect("a version"), Version(9));
    assert_eq!(state(&[], "9").protected_before().expect("a version"), Version(0));
    assert_eq!(state(&["checkpointProtection"], "nine").protected_before().expect_err("refused").code(), Code::PROPERTY);
    state(&["checkpointProtection"], "9").check_writable().expect("tables with protected checkpoints are written");
}

// spec: PROT-2, PROT-3
#[test]
fn history_below_the_protected_version_goes_at_once_or_not_at_all() {
    let table = state(&["checkpointProtection"], "9");
    table.check_history_removal(Version(9)).expect("everything protected goes");
    let error = table.check_history_removal(Version(8)).expect_err("a part of it");
    assert_eq!((error.code(), error.context()[0].1.as_str()), (Code::FEATURE_WRITE, "checkpointProtection"));
    state(&[], "9").check_history_removal(Version(4)).expect("nothing is protected");
}
