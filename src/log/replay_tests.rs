use super::*;
use crate::log::decode_commit;

fn piece(v: u64, body: &str) -> TailPiece {
    TailPiece { from: Version(v), to: Version(v), actions: decode_commit("c", body.as_bytes()).expect("JSON"), size: 0 }
}

const PROTOCOL: &str = r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#;
const METADATA: &str = r#"{"metaData":{"id":"one","format":{"provider":"parquet","options":{}},"schemaString":"{}","partitionColumns":[],"configuration":{}}}"#;

// spec: REC-3
#[test]
fn the_newest_entry_of_each_fact_counts() {
    let mut facts = SmallFacts::empty();
    facts.apply_piece(&piece(
        0,
        &format!(
            "{PROTOCOL}\n{METADATA}\n{}",
            r#"{"txn":{"appId":"a","version":9}}
{"commitInfo":{"operation":"CREATE TABLE"}}
{"domainMetadata":{"domain":"d","configuration":"old","removed":false}}
{"domainMetadata":{"domain":"e","configuration":"kept","removed":false}}"#
        ),
    ));
    facts.apply_piece(&piece(1, r#"{"metaData":{"id":"two","format":{"provider":"parquet","options":{}},"schemaString":"{}","partitionColumns":[],"configuration":{}}}
{"txn":{"appId":"a","version":4}}
{"txn":{"appId":"b","version":1}}
{"domainMetadata":{"domain":"d","configuration":"old","removed":true}}"#));
    let (protocol, metadata) = facts.state(Version(1)).expect("both");
    assert_eq!((protocol.min_writer_version, metadata.id.as_str()), (2, "two"));
    let txns: Vec<_> = facts.txns.values().map(|t| (t.app_id.as_str(), t.version)).collect();
    assert_eq!(txns, [("a", 4), ("b", 1)], "the newest entry, not the greatest");
    assert_eq!(facts.live_domains().iter().map(|d| d.domain.as_str()).collect::<Vec<_>>(), ["e"]);
    assert_eq!(facts.commit_info, None, "the newest commit has none");
}

// spec: REC-4
#[test]
fn a_log_without_protocol_or_metadata_is_no_table() {
    for (body, what) in [(METADATA, "protocol"), (PROTOCOL, "metaData"), ("\n", "protocol")] {
        let mut facts = SmallFacts::empty();
        facts.apply_piece(&piece(0, body));
        let e = facts.state(Version(3)).expect_err("incomplete");
        assert_eq!(e.code(), Code::LOG_STATE);
        assert!(e.message().contains(what), "{e}");
    }
}
