use super::*;
use crate::error::Code;
use crate::features::TableState;
use crate::log::{Add, DomainMetadata, Metadata, Protocol, Txn, Version};
use crate::sim::build::{add, metadata, protocol, remove, root};
use crate::transaction::{OperationInfo, ReadScope};
use std::sync::Arc;

fn base(timestamp: i64) -> Base {
    let state = Arc::new(TableState::new(protocol(), metadata(), Vec::new()).unwrap());
    Base { version: Some(Version(4)), state, timestamp: Some(Timestamp(timestamp)) }
}

fn work(how: impl FnOnce(&mut Work)) -> Work {
    let operation = OperationInfo {
        operation: "WRITE".into(),
        parameters: serde_json::from_str(r#"{"mode":"Append","partitionBy":"[]"}"#).unwrap(),
        metrics: serde_json::from_str(r#"{"numFiles":1,"numOutputRows":"7"}"#).unwrap(),
        user_metadata: Some("mine".into()),
    };
    let mut work = Work::new("id".into(), Some(Version(4)), operation, &root());
    how(&mut work);
    work
}

fn lines(work: &Work, base: &Base) -> Vec<Value> {
    let body = draft(work, base, "id", Timestamp(100)).unwrap();
    body.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(|l| serde_json::from_slice(l).unwrap()).collect()
}

// spec: COM-1, COM-2
#[test]
fn commit_info_is_the_first_line_with_sparks_keys_in_sparks_order() {
    let lines = lines(&work(|w| w.intent.adds.push(add("a", true))), &base(7));
    let expected = concat!(
        r#"{"commitInfo":{"inCommitTimestamp":100,"timestamp":100,"operation":"WRITE","#,
        r#""operationParameters":{"mode":"Append","partitionBy":"[]"},"readVersion":4,"isolationLevel":"Serializable","#,
        r#""isBlindAppend":true,"operationMetrics":{"numFiles":"1","numOutputRows":"7"},"userMetadata":"mine","#,
    );
    let expected = format!(r#"{expected}"engineInfo":"lakebed/{}","txnId":"id"}}}}"#, env!("CARGO_PKG_VERSION"));
    assert_eq!(lines[0].to_string(), expected);
}

// spec: COM-1
#[test]
fn actions_follow_in_one_order_whatever_the_order_they_came_in() {
    let work = work(|w| {
        w.reads.push(ReadScope::Table);
        w.intent.adds.push(add("a", true));
        w.intent.removes.push(remove("b", true));
        w.intent.apps.push(Txn { app_id: "etl".into(), version: 1, last_updated: None });
        w.intent.protocol = Some(protocol());
        w.intent.metadata = Some(metadata());
    });
    let lines = lines(&work, &base(7));
    let keys: Vec<_> = lines.iter().map(|l| l.as_object().unwrap().keys().next().unwrap().as_str()).collect();
    assert_eq!(keys, ["commitInfo", "metaData", "protocol", "txn", "remove", "add"]);
    assert_eq!(lines[0]["commitInfo"]["isBlindAppend"], false);
}

// spec: COM-7
#[test]
fn in_commit_timestamp_rises_above_the_commit_before_whatever_the_clock_says() {
    let time =
        |previous| lines(&work(|w| w.intent.adds.push(add("a", true))), &base(previous))[0]["commitInfo"]["inCommitTimestamp"].clone();
    assert_eq!((time(7), time(5_000)), (100.into(), 5_001.into()));
}

// spec: COM-2
#[test]
fn table_without_in_commit_timestamps_gets_none() {
    let mut table = metadata();
    table.configuration.clear();
    let state = Arc::new(TableState::new(protocol(), table, Vec::new()).unwrap());
    let base = Base { version: None, state, timestamp: None };
    let work = Work::new("id".into(), None, OperationInfo::default(), &root());
    let mut work = Work { ..work };
    work.intent.protocol = Some(protocol());
    work.intent.metadata = Some(base.state.metadata().clone());
    let info = &lines(&work, &base)[0]["commitInfo"];
    assert!(info.get("inCommitTimestamp").is_none() && info.get("readVersion").is_none());
}

fn refusal(work: &Work, base: &Base) -> Code {
    draft(work, base, "id", Timestamp(100)).unwrap_err().code()
}

// spec: COM-3
#[test]
fn what_must_not_stand_in_one_commit_is_refused() {
    let twice = work(|w| w.intent.adds.extend([add("a", true), add("a", true)]));
    let and_back = work(|w| {
        w.reads.push(ReadScope::Table);
        w.intent.adds.push(add("a", true));
        w.intent.removes.push(remove("a", true));
    });
    let removed_twice = work(|w| {
        w.reads.push(ReadScope::Table);
        w.intent.removes.extend([remove("a", true), remove("a", true)]);
    });
    let apps = work(|w| w.intent.apps.extend([1, 2].map(|version| Txn { app_id: "etl".into(), version, last_updated: None })));
    for work in [twice, and_back, removed_twice, apps] {
        assert_eq!(refusal(&work, &base(7)), Code::INPUT);
    }
}

// spec: COM-3
#[test]
fn what_the_protocol_of_the_table_does_not_allow_is_refused() {
    let vector: crate::log::VectorDescriptor =
        serde_json::from_str(r#"{"storageType":"u","pathOrInlineDv":"ab","offset":1,"sizeInBytes":4,"cardinality":1}"#).unwrap();
    let domain = work(|w| w.intent.domains.push(DomainMetadata { domain: "d".into(), configuration: "{}".into(), removed: false }));
    let with_vector = work(|w| w.intent.adds.push(Add { deletion_vector: Some(vector), ..add("a", true) }));
    let renamed = work(|w| w.intent.metadata = Some(Metadata { id: "other".into(), ..metadata() }));
    let lowered = Protocol { min_reader_version: 1, min_writer_version: 2, reader_features: None, writer_features: None };
    let lowered = work(|w| w.intent.protocol = Some(lowered));
    let dropped = work(|w| w.intent.protocol = Some(Protocol { writer_features: Some(Vec::new()), ..protocol() }));
    for work in [&domain, &with_vector, &renamed, &lowered, &dropped] {
        assert_eq!(refusal(work, &base(7)), Code::INPUT);
    }
    let able = |w: Work| Work {
        intent: super::super::Intent {
            protocol: Some(Protocol {
                min_reader_version: 3,
                reader_features: Some(vec!["deletionVectors".into()]),
                writer_features: Some(["inCommitTimestamp", "domainMetadata", "deletionVectors"].map(str::to_owned).into()),
                ..protocol()
            }),
            ..w.intent
        },
        ..w
    };
    for work in [domain, with_vector] {
        draft(&able(work), &base(7), "id", Timestamp(100)).unwrap();
    }
}

/// A table with vectors, and work that deletes rows 1 and 2 of a file of 4 rows.
fn with_vectors() -> (Base, crate::transaction::RowDelete) {
    let both = ["inCommitTimestamp", "deletionVectors", "appendOnly"].map(str::to_owned);
    let protocol = Protocol {
        min_reader_version: 3,
        reader_features: Some(vec!["deletionVectors".into()]),
        writer_features: Some(both.into()),
        ..protocol()
    };
    let state = Arc::new(TableState::new(protocol, metadata(), Vec::new()).unwrap());
    let vector = r#"{"storageType":"u","pathOrInlineDv":"ab","offset":1,"sizeInBytes":4,"cardinality":2}"#;
    let file = Add { stats: Some(r#"{"numRecords":4}"#.into()), ..add("a", true) };
    let rows = Arc::new([1u64, 2].into_iter().collect());
    (Base { state, ..base(7) }, crate::transaction::RowDelete { file, rows, vector: serde_json::from_str(vector).unwrap() })
}

fn deleting(rows: crate::transaction::RowDelete) -> Work {
    work(|w| {
        w.reads.push(ReadScope::Table);
        w.intent.row_deletes.push(rows);
    })
}

// spec: COM-15
#[test]
fn deleted_rows_are_written_as_a_pair_and_the_commit_is_no_blind_append() {
    let (base, rows) = with_vectors();
    let lines = lines(&deleting(rows), &base);
    let keys: Vec<_> = lines.iter().map(|l| l.as_object().unwrap().keys().next().unwrap().as_str()).collect();
    assert_eq!(keys, ["commitInfo", "remove", "add"]);
    assert_eq!(lines[0]["commitInfo"]["isBlindAppend"], false);
    assert!(lines[1]["remove"].get("deletionVector").is_none() && lines[2]["add"]["deletionVector"]["cardinality"] == 2);
}

// spec: COM-15
#[test]
fn deleted_rows_that_contradict_their_vector_or_the_commit_are_refused() {
    let (base, rows) = with_vectors();
    let twice = work(|w| {
        w.reads.push(ReadScope::Table);
        w.intent.row_deletes.extend([rows.clone(), rows.clone()]);
    });
    let mut and_removed = deleting(rows.clone());
    and_removed.intent.removes.push(remove("a", true));
    let mut and_added = deleting(rows.clone());
    and_added.intent.adds.push(add("a", true));
    let mut unread = deleting(rows.clone());
    unread.reads = Default::default();
    for work in [twice, and_removed, and_added, unread] {
        assert_eq!(refusal(&work, &base), Code::INPUT);
    }
    let of = |positions: &[u64]| Arc::new(positions.iter().copied().collect());
    let small = crate::transaction::RowDelete { rows: of(&[1]), ..rows.clone() };
    let none = crate::transaction::RowDelete { rows: of(&[]), ..rows.clone() };
    let beyond = crate::transaction::RowDelete { rows: of(&[1, 4]), ..rows.clone() };
    let uncounted = crate::transaction::RowDelete { file: add("a", true), ..rows.clone() };
    for rows in [small, none, beyond, uncounted] {
        assert_eq!(refusal(&deleting(rows), &base), Code::INTERNAL);
    }
    let mut only = base.state.metadata().clone();
    only.configuration.insert("delta.appendOnly".into(), "true".into());
    let state = Arc::new(TableState::new(base.state.protocol().clone(), only, Vec::new()).unwrap());
    assert_eq!(refusal(&deleting(rows), &Base { state, ..base }), Code::CONSTRAINT);
}

// spec: COM-3
#[test]
fn one_path_in_two_spellings_is_one_path() {
    let twice = work(|w| w.intent.adds.extend([add("a%20b", true), add("a b", true)]));
    assert_eq!(refusal(&twice, &base(7)), Code::INPUT);
}

// spec: COM-3
#[test]
fn removal_without_a_read_is_refused() {
    assert_eq!(refusal(&work(|w| w.intent.removes.push(remove("a", true))), &base(7)), Code::INPUT);
}

// spec: COM-3
#[test]
fn first_commit_without_protocol_or_metadata_is_refused() {
    let empty = Base { version: None, timestamp: None, ..base(0) };
    assert_eq!(refusal(&work(|w| w.intent.metadata = Some(metadata())), &empty), Code::INPUT);
    assert_eq!(refusal(&work(|w| w.intent.protocol = Some(protocol())), &empty), Code::INPUT);
}

// spec: COM-3
#[test]
fn table_that_we_cannot_write_is_refused() {
    let foreign = Protocol { writer_features: Some(vec!["featureOfTheFuture".into()]), ..protocol() };
    let state = Arc::new(TableState::new(foreign, metadata(), Vec::new()).unwrap());
    assert_eq!(refusal(&work(|w| w.intent.adds.push(add("a", true))), &Base { state, ..base(7) }), Code::FEATURE_WRITE);
}

// spec: COM-3
#[test]
fn removal_of_rows_from_an_append_only_table_is_refused() {
    let mut table = metadata();
    table.configuration.insert("delta.appendOnly".into(), "true".into());
    let only = Protocol { writer_features: Some(vec!["appendOnly".into(), "inCommitTimestamp".into()]), ..protocol() };
    let state = Arc::new(TableState::new(only, table, Vec::new()).unwrap());
    let work = work(|w| {
        w.reads.push(ReadScope::Table);
        w.intent.removes.push(remove("a", true));
    });
    assert_eq!(refusal(&work, &Base { state, ..base(7) }), Code::CONSTRAINT);
}
