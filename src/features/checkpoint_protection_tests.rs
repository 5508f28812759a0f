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
fn history_below_the_protected_version_goes_at_once_or_only_when_it_is_understood() {
    let table = state(&["checkpointProtection"], "9");
    let (plain, unknown) = (protocol(1, 2, &[], &[]), protocol(1, 7, &[], &["futureThing"]));
    table.check_log_cleanup(Version(9), [&unknown]).expect("everything protected goes");
    table.check_log_cleanup(Version(4), [&plain, &plain]).expect("all of it is understood");
    let error = table.check_log_cleanup(Version(4), [&plain, &unknown]).expect_err("refused");
    assert_eq!((error.code(), error.context()[0].1.as_str()), (Code::FEATURE_WRITE, "futureThing"));
    let newer = Protocol { min_writer_version: 8, ..unknown };
    assert_eq!(table.check_log_cleanup(Version(4), [&newer]).expect_err("refused").code(), Code::FEATURE_WRITE);
    state(&[], "9").check_log_cleanup(Version(4), [&newer]).expect("nothing is protected");
}
