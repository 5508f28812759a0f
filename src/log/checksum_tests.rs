use super::*;
use crate::log::decode_commit;
use proptest::prelude::*;

const STATE: &str = r#""metadata":{"id":"x","format":{"provider":"parquet","options":{}},"schemaString":"{}","partitionColumns":[],"configuration":{}},"protocol":{"minReaderVersion":1,"minWriterVersion":2}"#;

fn body(more: &str) -> String {
    format!("{{\"tableSizeBytes\":30,\"numFiles\":2,\"numMetadata\":1,\"numProtocol\":1,{STATE}{more}}}")
}
fn parse(more: &str) -> Result<Checksum, String> {
    Checksum::parse(body(more).as_bytes())
}
fn commit(text: &str) -> Vec<Action> {
    decode_commit("c", text.as_bytes()).expect("JSON")
}
fn add(path: &str, size: i64, data_change: bool) -> String {
    format!(
        "{{\"add\":{{\"path\":\"{path}\",\"partitionValues\":{{}},\"size\":{size},\"modificationTime\":1,\"dataChange\":{data_change}}}}}\n"
    )
}
fn remove(path: &str, size: i64) -> String {
    format!("{{\"remove\":{{\"path\":\"{path}\",\"deletionTimestamp\":1,\"dataChange\":true,\"size\":{size}}}}}\n")
}

// spec: CRC-1
#[test]
fn both_histogram_keys_are_read_and_the_new_one_is_written() {
    let bins = r#"{"sortedBinBoundaries":[0,100],"fileCounts":[2,0],"totalBytes":[30,0]}"#;
    for key in ["fileSizeHistogram", "histogramOpt"] {
        let crc = parse(&format!(",\"{key}\":{bins}")).expect(key);
        assert_eq!(crc.file_size_histogram.as_ref().map(|h| h.file_counts.clone()), Some(vec![2, 0]), "{key}");
        let text = String::from_utf8(crc.encode().expect("encoded").to_vec()).expect("text");
        assert!(text.contains("\"fileSizeHistogram\":{") && !text.contains("histogramOpt"), "{text}");
    }
}

// spec: CRC-2
#[test]
fn a_malformed_checksum_is_no_checksum() {
    let negative = body("").replace("\"numFiles\":2", "\"numFiles\":-2");
    let two = body("").replace("\"numProtocol\":1", "\"numProtocol\":2");
    let bad_list = body(",\"allFiles\":[]");
    for text in ["", "{", "[]", "{\"numFiles\":1}", "\0\0\0", &negative, &two, &bad_list] {
        assert!(Checksum::parse(text.as_bytes()).is_err(), "{text}");
    }
    let crc = parse(",\"fileSizeHistogram\":{\"sortedBinBoundaries\":[5],\"fileCounts\":[],\"totalBytes\":[1]},\"novel\":1")
        .expect("the rest is fine");
    assert_eq!(crc.file_size_histogram, None);
}

// spec: CRC-3
#[test]
fn a_checksum_advances_over_a_commit() {
    let start = parse(",\"setTransactions\":[{\"appId\":\"a\",\"version\":1}],\"domainMetadata\":[{\"domain\":\"d\",\"configuration\":\"\",\"removed\":false}],\"numDeletedRecordsOpt\":0,\"numDeletionVectorsOpt\":0").expect("start");
    let text = add("new", 7, true)
        + &remove("old", 20)
        + r#"{"txn":{"appId":"b","version":2}}
{"domainMetadata":{"domain":"d","configuration":"","removed":true}}
{"protocol":{"minReaderVersion":1,"minWriterVersion":4}}
{"commitInfo":{"inCommitTimestamp":77,"txnId":"t"}}
{"add":{"path":"v","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true,"deletionVector":{"storageType":"u","pathOrInlineDv":"x","sizeInBytes":1,"cardinality":12}}}"#;
    let next = start.advance(&commit(&text)).expect("advanced");
    assert_eq!((next.num_files, next.table_size_bytes), (3, 18));
    assert_eq!((next.num_deletion_vectors_opt, next.num_deleted_records_opt), (Some(1), Some(12)));
    assert_eq!(next.set_transactions.as_ref().map(Vec::len), Some(2));
    assert_eq!(next.domain_metadata, Some(vec![]));
    assert_eq!((next.protocol.min_writer_version, next.in_commit_timestamp_opt, next.txn_id.as_deref()), (4, Some(77), Some("t")));
}

// spec: CRC-3
#[test]
fn what_a_commit_does_not_say_makes_no_checksum() {
    let start = parse("").expect("start");
    let unsized_remove = r#"{"remove":{"path":"a","dataChange":false}}"#;
    for text in [unsized_remove.to_owned(), add("a", 1, false), remove("a", 1000), remove("a", 1) + &remove("b", 1) + &remove("c", 1)] {
        assert_eq!(start.clone().advance(&commit(&text)), None, "{text}");
    }
    // One file goes, another that is counted is named again.
    assert_eq!(start.clone().advance(&commit(&(add("a", 10, false) + &remove("b", 20)))), None);
    let rewritten = |path: &str, size: i64| remove(path, size).replace("\"dataChange\":true", "\"dataChange\":false");
    let rewrite = add("big", 30, false) + &rewritten("a", 10) + &rewritten("b", 20);
    assert!(start.advance(&commit(&rewrite)).is_some(), "a rewrite counts");
}

fn any_commits() -> impl Strategy<Value = Vec<Vec<(bool, u8, i64)>>> {
    proptest::collection::vec(proptest::collection::vec((any::<bool>(), 0u8..80, 0i64..9_000_000), 1..30), 1..6)
}

proptest! {
    // spec: CRC-3
    #[test]
    fn advancing_equals_counting_from_scratch(commits in any_commits(), listed in any::<bool>()) {
        let facts = SmallFacts::empty();
        let seed = parse("").expect("state");
        let mut live = std::collections::BTreeMap::<u8, i64>::new();
        let mut crc = Checksum::of(&facts, seed.protocol.clone(), seed.metadata.clone());
        crc.all_files = listed.then(Vec::new);
        for step in commits {
            let mut text = String::new();
            let mut touched = std::collections::BTreeSet::new();
            for (adds, id, size) in step {
                if !touched.insert(id) {
                    continue;
                }
                match live.get(&id).copied() {
                    None if adds => {
                        text += &add(&id.to_string(), size, true);
                        live.insert(id, size);
                    }
                    Some(old) if !adds => {
                        text += &remove(&id.to_string(), old);
                        live.remove(&id);
                    }
                    _ => {}
                }
            }
            crc = crc.advance(&commit(&(text + "\n"))).expect("sizes are known");
        }
        let mut scratch = Checksum::of(&facts, seed.protocol, seed.metadata);
        for size in live.values() {
            scratch.add(*size, None);
        }
        let files = crc.all_files.take();
        prop_assert!(files.is_none_or(|f| f.len() == live.len()));
        prop_assert_eq!(crc, scratch);
    }
}
