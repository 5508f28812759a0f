use super::*;
use crate::log::{Version, decode_commit};
use serde_json::{Value, json};
use url::Url;

fn commit(actions: &[Value]) -> TailPiece {
    let body: String = actions.iter().map(|a| format!("{a}\n")).collect();
    let actions = decode_commit("7.json", body.as_bytes()).expect("actions");
    TailPiece { from: Version(7), to: Version(7), actions, size: body.len() as u64 }
}

fn paths() -> PathForm {
    PathForm::new(&Url::parse("file:///t/").expect("a URL"))
}

fn vector(id: &str) -> Value {
    json!({"storageType": "u", "pathOrInlineDv": id, "offset": 1, "sizeInBytes": 34, "cardinality": 1})
}

fn file(kind: &str, path: &str, change: bool, dv: Option<&str>) -> Value {
    let mut action = json!({"path": path, "size": 10, "dataChange": change, "partitionValues": {"p": "1"}, "modificationTime": 0});
    if let Some(dv) = dv {
        action["deletionVector"] = vector(dv);
    }
    json!({kind: action})
}

/// Came or went, path, only rows of this vector, not rows of that one.
fn files(actions: &[Value]) -> Vec<(bool, String, Option<String>, Option<String>)> {
    let name = |v: Option<VectorDescriptor>| v.map(|v| v.path_or_inline_dv);
    match changed(&commit(actions), &paths()).expect("changes") {
        Changed::Files(tasks) => tasks.into_iter().map(|(came, t)| (came, t.path, name(t.only), name(t.vector))).collect(),
        Changed::Listed(_) => panic!("nothing is listed"),
    }
}

fn text(s: &str) -> Option<String> {
    Some(s.to_owned())
}

// spec: CDF-5
#[test]
fn files_that_came_or_went_changed_with_all_their_valid_rows() {
    let actions = [file("add", "a", true, None), file("add", "b", true, Some("v")), file("remove", "c", true, Some("w"))];
    let expected = [(true, "a".to_owned(), None, None), (true, "b".to_owned(), None, text("v")), (false, "c".to_owned(), None, text("w"))];
    assert_eq!(files(&actions), expected);
}

// spec: CDF-6
#[test]
fn another_vector_changes_the_rows_in_which_both_differ() {
    let both = |old, new| files(&[file("remove", "a%20b", true, old), file("add", "file:///t/a b", true, new)]);
    let path = || "file:///t/a b".to_owned();
    assert_eq!(both(None, Some("v")), [(false, path(), text("v"), None)]);
    assert_eq!(both(Some("v"), None), [(true, path(), text("v"), None)]);
    assert_eq!(both(Some("v"), Some("w")), [(false, path(), text("w"), text("v")), (true, path(), text("v"), text("w"))]);
    assert_eq!(both(Some("v"), Some("v")), [], "the same rows");
    assert_eq!(both(None, None), [], "the same rows");
}

// spec: CDF-4
#[test]
fn change_files_say_everything() {
    let listed = json!({"cdc": {"path": "_change_data/x", "partitionValues": {"p": "1"}, "size": 3, "dataChange": false}});
    let actions = [file("add", "a", true, None), listed, file("remove", "c", true, None)];
    let Changed::Listed(tasks) = changed(&commit(&actions), &paths()).expect("changes") else { panic!("they are listed") };
    assert_eq!(tasks.iter().map(|t| (t.path.as_str(), t.size)).collect::<Vec<_>>(), [("_change_data/x", 3)]);
}

// spec: CDF-5
#[test]
fn rearranged_files_changed_nothing() {
    assert_eq!(files(&[file("add", "a", false, None), file("remove", "b", false, Some("v"))]), []);
    let half = [file("add", "a", true, Some("v")), file("remove", "a", false, None)];
    assert_eq!(files(&half), [(true, "a".to_owned(), None, text("v"))]);
}

// spec: CDF-7
#[test]
fn a_merge_that_counts_no_changed_row_changed_nothing() {
    let merge = |updated: &str| {
        let metrics = json!({"numTargetRowsInserted": "0", "numTargetRowsUpdated": updated, "numTargetRowsDeleted": "0"});
        files(&[json!({"commitInfo": {"operation": "MERGE", "operationMetrics": metrics}}), file("add", "a", true, None)]).len()
    };
    assert_eq!((merge("0"), merge("1")), (0, 1));
    let unknown = [json!({"commitInfo": {"operation": "MERGE"}}), file("add", "a", true, None)];
    assert_eq!(files(&unknown).len(), 1, "what is not counted may have changed");
}

// spec: CDF-8
#[test]
fn a_file_twice_in_one_commit_is_refused() {
    for kind in ["add", "remove"] {
        let actions = [file(kind, "a", true, Some("v")), file(kind, "./a", true, Some("w")), file(kind, "a", true, Some("w"))];
        let error = changed(&commit(&actions), &paths()).expect_err("twice");
        assert_eq!(error.code(), Code::LOG_STATE);
    }
    let negative = json!({"add": {"path": "a", "size": -1, "dataChange": true, "partitionValues": {}, "modificationTime": 0}});
    assert_eq!(changed(&commit(&[negative]), &paths()).expect_err("negative").code(), Code::LOG_STATE);
}

// spec: CDF-8
#[test]
fn removals_without_partition_or_size_are_known() {
    let bare = json!({"remove": {"path": "a", "dataChange": true, "deletionTimestamp": 1}});
    let commit = commit(&[bare]);
    assert!(lacks_values(&commit));
    let Changed::Files(tasks) = changed(&commit, &paths()).expect("changes") else { panic!("files") };
    assert_eq!((tasks[0].0, tasks[0].1.size, tasks[0].1.partition_values.len()), (false, 0, 0));
}
