use super::*;
use crate::log::decode_commit;

fn trusted(body: &str) -> bool {
    is_reconciled(&decode_commit("c", body.as_bytes()).expect("JSON"))
}

// spec: REC-2
#[test]
fn a_reconciled_compaction_is_trusted() {
    let body = r#"{"add":{"path":"a","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true}}
{"remove":{"path":"b","deletionTimestamp":1,"dataChange":true}}
{"add":{"path":"c","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true,"deletionVector":{"storageType":"u","pathOrInlineDv":"x","offset":1,"sizeInBytes":1,"cardinality":1}}}
{"remove":{"path":"c","deletionTimestamp":1,"dataChange":true}}
{"txn":{"appId":"a","version":1}}
{"domainMetadata":{"domain":"d","configuration":"","removed":true}}"#;
    assert!(trusted(body));
}

// spec: REC-2
#[test]
fn an_unreconciled_compaction_is_not_trusted() {
    let add = r#"{"add":{"path":"a","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true}}"#;
    let remove = r#"{"remove":{"path":"a","deletionTimestamp":1,"dataChange":true}}"#;
    let cdc = r#"{"cdc":{"path":"a","partitionValues":{},"size":1,"dataChange":false}}"#;
    for body in [format!("{add}\n{remove}"), format!("{add}\n{add}"), format!("{add}\n{cdc}"), "{\"commitInfo\":{}}".to_owned()] {
        assert!(!trusted(&body), "{body}");
    }
}
