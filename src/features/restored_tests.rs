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
