use super::super::state::tests::protocol;
use super::*;

fn supported(protocol: &Protocol) -> Vec<&'static str> {
    let mut names: Vec<_> = resolve(protocol).expect("a protocol").supported.iter().map(|feature| feature.spec().name).collect();
    names.sort();
    names
}

// spec: FEA-1
#[test]
fn old_versions_imply_their_features() {
    for (reader, writer, names) in [
        (1, 1, vec![]),
        (1, 2, vec!["appendOnly", "invariants"]),
        (1, 3, vec!["appendOnly", "checkConstraints", "invariants"]),
        (1, 4, vec!["appendOnly", "changeDataFeed", "checkConstraints", "generatedColumns", "invariants"]),
        (2, 5, vec!["appendOnly", "changeDataFeed", "checkConstraints", "columnMapping", "generatedColumns", "invariants"]),
        (
            2,
            6,
            vec!["appendOnly", "changeDataFeed", "checkConstraints", "columnMapping", "generatedColumns", "identityColumns", "invariants"],
        ),
    ] {
        assert_eq!(supported(&protocol(reader, writer, &[], &[])), names, "({reader}, {writer})");
    }
    // Mapping needs reader version 2, whatever writers must do.
    assert!(!supported(&protocol(1, 6, &[], &[])).contains(&"columnMapping"));
}

// spec: FEA-2
#[test]
fn writer_version_seven_supports_only_what_it_lists() {
    assert_eq!(supported(&protocol(1, 7, &[], &["appendOnly"])), ["appendOnly"]);
    assert_eq!(supported(&protocol(2, 7, &[], &["columnMapping"])), ["columnMapping"]);
    assert_eq!(supported(&protocol(3, 7, &[], &[])), Vec::<&str>::new());
}

// spec: FEA-3
#[test]
fn preview_and_old_names_are_the_same_feature() {
    for (alias, name) in [
        ("variantType-preview", "variantType"),
        ("typeWidening-preview", "typeWidening"),
        ("variantShredding-preview", "variantShredding"),
        ("timestampWithoutTimezone", "timestampNtz"),
        ("catalogOwned-preview", "catalogManaged"),
    ] {
        assert_eq!(supported(&protocol(3, 7, &[alias], &[alias])), [name]);
        assert_eq!(supported(&protocol(3, 7, &[alias], &[name])), [name]);
    }
    assert_eq!(supported(&protocol(1, 7, &[], &["inCommitTimestamp-preview"])), ["inCommitTimestamp"]);
    // Names in the log are compared exactly.
    assert_eq!(resolve(&protocol(1, 7, &[], &["APPENDONLY"])).expect("a protocol").unknown_writer, ["APPENDONLY"]);
}

// spec: FEA-4
#[test]
fn protocols_that_contradict_themselves_are_refused() {
    let list = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    let broken = [
        protocol(0, 2, &[], &[]),
        protocol(1, -1, &[], &[]),
        protocol(3, 6, &[], &[]),
        Protocol { reader_features: None, ..protocol(3, 7, &[], &[]) },
        Protocol { writer_features: None, ..protocol(1, 7, &[], &[]) },
        Protocol { reader_features: list(&["deletionVectors"]), ..protocol(2, 7, &[], &["deletionVectors"]) },
        Protocol { writer_features: list(&["appendOnly"]), ..protocol(1, 2, &[], &[]) },
        protocol(3, 7, &["deletionVectors"], &[]),
        protocol(3, 7, &["future"], &[]),
        protocol(3, 7, &[], &["deletionVectors"]),
        protocol(1, 7, &[], &["columnMapping"]),
        protocol(2, 7, &[], &["deletionVectors"]),
    ];
    for protocol in broken {
        assert_eq!(resolve(&protocol).expect_err("broken").code(), Code::LOG_STATE, "{protocol:?}");
    }
    resolve(&Protocol { reader_features: list(&[]), ..protocol(1, 2, &[], &[]) }).expect("an empty list says nothing");
}

// spec: FEA-5
#[test]
fn unknown_names_are_kept_apart_by_who_must_know_them() {
    let set = resolve(&protocol(3, 7, &["future"], &["future", "later"])).expect("a protocol");
    assert_eq!((set.unknown_reader, set.unknown_writer), (vec!["future".to_owned()], vec!["later".to_owned()]));
}
