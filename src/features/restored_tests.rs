use super::*;
use crate::log::{DomainMetadata, Protocol, StringMap};
use serde_json::{Value, json};

fn state(protocol: Value, properties: &[(&str, &str)], schema: Value, clustering: Option<&str>) -> TableState {
    let protocol: Protocol = serde_json::from_value(protocol).unwrap();
    let configuration: StringMap = properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let schema_string = json!({"type": "struct", "fields": schema}).to_string();
    let metadata = json!({"id": "the id", "schemaString": schema_string, "partitionColumns": [], "configuration": configuration});
    let domain = |columns: &str| DomainMetadata {
        domain: "delta.clustering".to_owned(),
        configuration: format!("{{\"clusteringColumns\":{columns},\"domainName\":\"delta.clustering\"}}"),
        removed: false,
    };
    TableState::new(protocol, serde_json::from_value(metadata).unwrap(), clustering.map(domain).into_iter().collect()).unwrap()
}

fn with_features(writer: &[&str]) -> Value {
    json!({"minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": writer})
}

fn id() -> Value {
    json!([{"name": "id", "type": "long", "nullable": true, "metadata": {}}])
}

// spec: RST-4
#[test]
fn the_protocol_becomes_the_union_and_never_less() {
    let now = state(with_features(&["appendOnly", "invariants", "rowTracking", "domainMetadata"]), &[], id(), None);
    let then = state(json!({"minReaderVersion": 1, "minWriterVersion": 2}), &[], id(), None);
    let back = now.restored_to(&then).unwrap();
    assert!(back.protocol.is_none() && back.metadata.is_none() && back.is_same(), "nothing is taken off");
    let back = then.restored_to(&now).unwrap();
    let names = back.protocol.unwrap().writer_features.unwrap();
    assert!(["rowTracking", "domainMetadata", "appendOnly"].iter().all(|f| names.iter().any(|n| n == f)), "{names:?}");
    let unknown = state(with_features(&["newest thing"]), &[], id(), None);
    let e = then.restored_to(&unknown).unwrap_err();
    assert!(e.code() == Code::FEATURE_WRITE && e.message().contains("newest thing"), "{e}");
}

// spec: RST-5, RST-6
#[test]
fn what_describes_the_log_stays_and_clustering_goes_back() {
    let protocol = with_features(&["inCommitTimestamp", "clustering", "domainMetadata", "checkpointProtection"]);
    let times = |since: &'static str| [("delta.enableInCommitTimestamps", "true"), ("delta.inCommitTimestampEnablementVersion", since)];
    let now_properties = [&times("8")[..], &[("delta.requireCheckpointProtectionBeforeVersion", "7"), ("owner", "me")]].concat();
    let now = state(protocol.clone(), &now_properties, id(), None);
    let then = state(protocol.clone(), &times("2"), id(), Some("[[\"id\"]]"));
    let back = now.restored_to(&then).unwrap();
    let properties = back.metadata.unwrap().configuration;
    assert_eq!(properties["delta.inCommitTimestampEnablementVersion"], "8", "since when commits carry their time is the log's to say");
    assert_eq!(properties["delta.requireCheckpointProtectionBeforeVersion"], "7");
    assert!(!properties.contains_key("owner"));
    assert_eq!(back.state.clustering_columns().unwrap().unwrap(), [["id"]]);
    // The other way clustering ends, by an empty list.
    let back = then.restored_to(&now).unwrap();
    assert_eq!(back.state.clustering_columns().unwrap(), Some(Vec::new()));
    assert!(back.domains[0].configuration.contains("\"clusteringColumns\":[]"));
}

// spec: RST-5
#[test]
fn numbers_alone_are_no_difference() {
    let column = |mark: i64| json!([{"name": "id", "type": "long", "nullable": true, "metadata": {"delta.identity.start": 1, "delta.identity.step": 1, "delta.identity.highWaterMark": mark, "delta.identity.allowExplicitInsert": false}}]);
    let protocol = json!({"minReaderVersion": 1, "minWriterVersion": 6});
    let (then, now) = (state(protocol.clone(), &[], column(3), None), state(protocol, &[], column(9), None));
    assert!(now.restored_to(&then).unwrap().is_same(), "the mark would not go back anyway");
}

fn mapped() -> Value {
    json!([{"name": "id", "type": "long", "nullable": true, "metadata": {"delta.columnMapping.id": 1, "delta.columnMapping.physicalName": "id"}}])
}

// spec: RST-10
#[test]
fn what_both_versions_together_must_not_be_is_refused() {
    let properties = |more: &[(&'static str, &'static str)]| {
        [&[("delta.columnMapping.mode", "name"), ("delta.columnMapping.maxColumnId", "1")], more].concat()
    };
    let features = |more: &[&str]| {
        let writer = [&["columnMapping", "domainMetadata", "invariants", "appendOnly"], more].concat();
        let reader: Vec<&str> = writer.iter().copied().filter(|f| ["columnMapping", "deletionVectors"].contains(f)).collect();
        json!({"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": reader, "writerFeatures": writer})
    };
    let plain = state(features(&[]), &properties(&[]), mapped(), None);
    // Version 1 of Iceberg's rules excludes vectors, which the protocol has gained since.
    let then = state(features(&["icebergCompatV1"]), &properties(&[("delta.enableIcebergCompatV1", "true")]), mapped(), None);
    assert!(plain.restored_to(&then).is_ok());
    let e = state(features(&["deletionVectors"]), &properties(&[]), mapped(), None).restored_to(&then).unwrap_err();
    assert!(e.code() == Code::PROPERTY && e.message().contains("deletion vectors"), "{e}");
    // Version 3 needs row ids, which were dropped since and cannot be promised again.
    let ids = [
        ("delta.enableIcebergCompatV3", "true"),
        ("delta.enableRowTracking", "true"),
        ("delta.rowTracking.materializedRowIdColumnName", "_row-id"),
        ("delta.rowTracking.materializedRowCommitVersionColumnName", "_row-version"),
    ];
    let then = state(features(&["icebergCompatV3", "rowTracking"]), &properties(&ids), mapped(), None);
    assert!(then.restored_to(&then).is_ok());
    let e = plain.restored_to(&then).unwrap_err();
    assert!(e.code() == Code::PROPERTY && e.message().contains("needs row tracking"), "{e}");
    // A mapping that was taken up since goes again, with the files that it named.
    let unmapped = state(features(&[]), &[], id(), None);
    assert_eq!(plain.restored_to(&unmapped).unwrap().metadata.unwrap().configuration.len(), 0);
    // What the older version broke already is no reason.
    let broken =
        state(features(&["icebergCompatV1", "deletionVectors"]), &properties(&[("delta.enableIcebergCompatV1", "true")]), mapped(), None);
    assert!(plain.restored_to(&broken).is_ok());
}
