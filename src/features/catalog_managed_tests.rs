use super::super::state::tests::{field, metadata, protocol};
use super::*;

fn state(features: &[&str], properties: &[(&str, &str)], by_catalog: bool) -> TableState {
    let readers: Vec<&str> = features.iter().copied().filter(|name| *name != "inCommitTimestamp").collect();
    let metadata = metadata(&field("id", r#""long""#, "{}"), properties);
    TableState::new(protocol(3, 7, &readers, features), metadata, Vec::new()).expect("a state").reached_by_catalog(by_catalog)
}

const TIMES: (&str, &str) = ("delta.enableInCommitTimestamps", "true");

// spec: CAT-1
#[test]
fn a_table_of_a_catalog_is_used_through_the_catalog_only() {
    for name in ["catalogManaged", "catalogOwned", "catalogOwned-preview"] {
        let features = [name, "inCommitTimestamp", "vacuumProtocolCheck"];
        let by_path = state(&features, &[TIMES], false);
        let (read, write) = (by_path.check_readable().expect_err("read"), by_path.check_writable().expect_err("write"));
        assert_eq!((read.code(), write.code()), (Code::FEATURE_READ, Code::FEATURE_WRITE));
        for error in [read, write] {
            assert!(error.next_step().is_some_and(|help| help.contains("through the catalog")), "{error}");
        }
        let by_catalog = state(&features, &[TIMES], true);
        by_catalog.check_readable().expect("read");
        by_catalog.check_writable().expect("written");
        let grown = by_catalog.with(by_catalog.protocol().clone(), by_catalog.metadata().clone(), Vec::new()).expect("a state");
        grown.check_writable().expect("a state that follows is reached in the same way");
    }
}

// spec: CAT-2
#[test]
fn what_a_catalog_does_not_manage_is_not_written_through_one() {
    let other = state(&["inCommitTimestamp", "vacuumProtocolCheck"], &[TIMES], true);
    assert_eq!(other.check_writable().expect_err("not managed").code(), Code::FEATURE_WRITE);
    other.check_readable().expect("what the catalog ratified is read");
}

// spec: CAT-3
#[test]
fn commit_times_and_the_check_before_vacuum_are_required() {
    for (features, properties) in [
        (&["catalogManaged", "inCommitTimestamp", "vacuumProtocolCheck"][..], &[][..]),
        (&["catalogManaged", "inCommitTimestamp"][..], &[TIMES][..]),
    ] {
        assert_eq!(state(features, properties, true).check_writable().expect_err("refused").code(), Code::LOG_STATE);
    }
}
