use super::*;
use crate::features::state::tests::{field, metadata, protocol};

fn kinds(protocol: &Protocol, metadata: &Metadata) -> Vec<(Nonsense, String)> {
    diagnose(protocol, metadata, &[]).into_iter().map(|(kind, object, _)| (kind, object)).collect()
}
fn plain() -> String {
    field("id", "\"long\"", "{}")
}
fn found(kind: Nonsense, object: &str) -> (Nonsense, String) {
    (kind, object.to_owned())
}

#[test]
fn a_sound_table_has_no_nonsense() {
    // spec: DOC-7
    let names = ["deletionVectors"];
    let asked = metadata(&plain(), &[("delta.enableDeletionVectors", "true"), ("delta.checkpointInterval", "7"), ("mine", "x")]);
    assert_eq!(kinds(&protocol(3, 7, &names, &names), &asked), []);
    assert_eq!(kinds(&protocol(1, 2, &[], &[]), &metadata(&plain(), &[])), []);
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    // spec: DOC-7, DOC-11
    let mut bad = metadata(&[plain(), field("ID", "\"long\"", "{}")].join(","), &[("delta.checkpointInterval", "often")]);
    bad.partition_columns = vec!["p".to_owned()];
    let all = kinds(&protocol(3, 7, &["deletionVectors"], &[]), &bad);
    for wanted in [
        found(Nonsense::Protocol, "protocol"),
        found(Nonsense::Property, "delta.checkpointInterval"),
        found(Nonsense::ColumnTwice, "ID"),
        found(Nonsense::Partition, "p"),
    ] {
        assert!(all.contains(&wanted), "{wanted:?} is not among {all:?}");
    }
    let unknown = protocol(3, 7, &["fromTheFuture"], &["fromTheFuture", "clustering"]);
    let asked = metadata(&plain(), &[("delta.enableChangeDataFeed", "true")]);
    let all = kinds(&unknown, &asked);
    assert_eq!(
        all,
        [found(Nonsense::Unknown, "fromTheFuture"), found(Nonsense::Unlisted, "changeDataFeed"), found(Nonsense::Requires, "clustering")]
    );
    let torn = Metadata { schema_string: "{".to_owned(), ..metadata(&plain(), &[]) };
    assert_eq!(kinds(&protocol(1, 2, &[], &[]), &torn), [found(Nonsense::Schema, "schemaString")]);
}
