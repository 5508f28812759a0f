use super::super::state::tests::{field, metadata, protocol};
use super::*;
use crate::log::{NullableMap, Version};

const COLUMNS: [(&str, &str); 2] = [(ID_COLUMN, "_row-id-col-1"), (VERSION_COLUMN, "_row-commit-version-col-1")];

fn state(properties: &[(&str, &str)], mark: Option<&str>) -> TableState {
    let domain = mark.map(|text| DomainMetadata { domain: DOMAIN.into(), configuration: text.into(), removed: false });
    let protocol = protocol(1, 7, &[], &["rowTracking", "domainMetadata"]);
    TableState::new(protocol, metadata(&field("id", r#""long""#, "{}"), properties), domain.into_iter().collect()).expect("a state")
}

fn add(path: &str, rows: Option<i64>) -> Add {
    Add {
        path: path.into(),
        partition_values: NullableMap::new(),
        size: 1,
        modification_time: 0,
        data_change: true,
        stats: rows.map(|rows| format!("{{\"numRecords\":{rows}}}")),
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    }
}

fn stamped(before: &TableState, after: &TableState, version: u64, adds: Vec<Add>) -> CommitDraft {
    let mut draft = CommitDraft { version: Version(version), adds, ..CommitDraft::default() };
    after.stamp_commit(before, &mut draft).expect("stamped");
    draft
}

fn ids(draft: &CommitDraft) -> Vec<(Option<i64>, Option<i64>)> {
    draft.adds.iter().map(|add| (add.base_row_id, add.default_row_commit_version)).collect()
}

// spec: RID-1, RID-2
#[test]
fn new_files_get_the_ids_above_the_mark_and_the_version_of_the_commit() {
    let first = state(&[], None);
    let draft = stamped(&first, &first, 1, vec![add("a", Some(3)), add("b", Some(0)), add("c", Some(2))]);
    assert_eq!(ids(&draft), [(Some(0), Some(1)), (Some(3), Some(1)), (Some(3), Some(1))]);
    assert_eq!(draft.domains[0].configuration, r#"{"rowIdHighWaterMark":4,"domainName":"delta.rowTracking"}"#);
    let later = state(&[], Some(r#"{"rowIdHighWaterMark":9,"somethingElse":1}"#));
    assert_eq!(ids(&stamped(&later, &later, 7, vec![add("d", Some(1))])), [(Some(10), Some(7))]);
}

// spec: RID-3
#[test]
fn files_that_were_there_keep_their_ids_and_the_mark_stands() {
    let state = state(&[], Some(r#"{"rowIdHighWaterMark":9}"#));
    let old = Add { base_row_id: Some(4), default_row_commit_version: Some(2), ..add("a", Some(3)) };
    let draft = stamped(&state, &state, 8, vec![old.clone()]);
    assert_eq!((ids(&draft), draft.domains.len()), (vec![(Some(4), Some(2))], 0));
    // One that lies above the mark raises it, so that no id is given twice.
    let draft = stamped(&state, &state, 8, vec![Add { base_row_id: Some(20), ..old }, add("b", Some(1))]);
    assert_eq!(ids(&draft), [(Some(20), Some(2)), (Some(23), Some(8))]);
    assert!(draft.domains[0].configuration.contains(":23,"), "{:?}", draft.domains);
}

// spec: RID-2
#[test]
fn a_file_without_a_count_is_refused_and_a_broken_mark_too() {
    let counted = state(&[], None);
    let mut draft = CommitDraft { adds: vec![add("a", None)], ..CommitDraft::default() };
    assert_eq!(counted.stamp_commit(&counted, &mut draft).expect_err("refused").code(), Code::INPUT);
    let broken = state(&[], Some("{}"));
    assert_eq!(broken.stamp_commit(&broken, &mut CommitDraft::default()).expect_err("refused").code(), Code::LOG_STATE);
    let full = state(&[], Some(&format!(r#"{{"rowIdHighWaterMark":{}}}"#, i64::MAX - 1)));
    let mut draft = CommitDraft { adds: vec![add("a", Some(5))], ..CommitDraft::default() };
    assert_eq!(full.stamp_commit(&full, &mut draft).expect_err("refused").code(), Code::LIMIT);
}

// spec: RID-4
#[test]
fn while_it_is_suspended_or_unsupported_nothing_is_stamped() {
    let suspended = state(&[(SUSPENDED, "true")], None);
    assert_eq!(ids(&stamped(&suspended, &suspended, 1, vec![add("a", None)])), [(None, None)]);
    let plain = TableState::new(protocol(1, 2, &[], &[]), metadata(&field("id", r#""long""#, "{}"), &[(ENABLED, "true")]), Vec::new());
    let plain = plain.expect("a state");
    assert_eq!(ids(&stamped(&plain, &plain, 1, vec![add("a", None)])), [(None, None)]);
    assert!(plain.moved_columns().is_empty());
}

// spec: RID-5
#[test]
fn moved_rows_carry_their_ids_only_while_the_feature_is_enabled() {
    let supported = state(&COLUMNS, None);
    assert!(supported.moved_columns().is_empty() && supported.write_plan().expect("a plan").moved.is_empty());
    let enabled = state(&[(ENABLED, "true"), COLUMNS[0], COLUMNS[1]], None);
    assert_eq!(enabled.moved_columns(), [HiddenColumn::RowId, HiddenColumn::RowCommitVersion]);
    let names: Vec<String> = enabled.write_plan().expect("a plan").moved.into_iter().map(|column| column.name).collect();
    assert_eq!(names, ["_row-id-col-1", "_row-commit-version-col-1"]);
    let nameless = state(&[(ENABLED, "true")], None);
    assert_eq!(nameless.write_plan().expect_err("refused").code(), Code::LOG_STATE);
    let clash = state(&[(ENABLED, "true"), (ID_COLUMN, "id"), COLUMNS[1]], None);
    assert_eq!(clash.write_plan().expect_err("refused").code(), Code::LOG_STATE);
}

// spec: RID-6
#[test]
fn a_commit_that_moves_rows_says_that_they_kept_their_ids() {
    let enabled = state(&[(ENABLED, "true"), COLUMNS[0], COLUMNS[1]], None);
    let mut draft = CommitDraft { adds: vec![add("a", Some(1))], removes: true, ..CommitDraft::default() };
    enabled.stamp_commit(&enabled, &mut draft).expect("stamped");
    assert_eq!(draft.tags.get(PRESERVED).map(String::as_str), Some("true"));
    assert!(stamped(&enabled, &enabled, 1, vec![add("a", Some(1))]).tags.is_empty());
}
