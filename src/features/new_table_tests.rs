use super::*;
use crate::env::SeededEntropy;
use crate::error::Code;
use crate::schema::{DataType, Field};
use std::sync::Arc;

fn env() -> Env {
    Env::system().with_entropy(Arc::new(SeededEntropy::new(7)))
}

fn make(schema: &str, partition_columns: &[&str], properties: &[(&str, &str)]) -> Result<(Protocol, Metadata)> {
    let new = NewTable {
        schema: Struct::from_json(&format!(r#"{{"type":"struct","fields":[{schema}]}}"#)).expect("a schema"),
        partition_columns: partition_columns.iter().map(|name| (*name).to_owned()).collect(),
        properties: properties.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        ..NewTable::default()
    };
    new_table(new, &env()).map(|state| (state.protocol().clone(), state.metadata().clone()))
}

fn column(name: &str, data_type: &str) -> String {
    format!(r#"{{"name":"{name}","type":"{data_type}","nullable":true,"metadata":{{}}}}"#)
}

fn protocol_of(schema: &str, properties: &[(&str, &str)]) -> (i32, i32, Vec<String>, Vec<String>) {
    let (protocol, _) = make(schema, &[], properties).expect("a table");
    let mut lists = (protocol.reader_features.unwrap_or_default(), protocol.writer_features.unwrap_or_default());
    lists.0.sort();
    lists.1.sort();
    (protocol.min_reader_version, protocol.min_writer_version, lists.0, lists.1)
}

/// The protocol and metadata after a change of the schema.
fn change_table(state: &TableState, schema: Struct, env: &Env) -> (Option<Protocol>, Metadata) {
    let changed = TableChange { schema: Some(schema), ..TableChange::default() }.apply(state, env).expect("a change");
    (changed.protocol.clone(), changed.state.metadata().clone())
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

// spec: FEA-12
#[test]
fn a_plain_table_has_the_lowest_legacy_protocol() {
    assert_eq!(protocol_of(&column("id", "long"), &[]), (1, 2, vec![], vec![]));
    assert_eq!(protocol_of(&column("id", "long"), &[("delta.appendOnly", "true"), ("own", "x")]), (1, 2, vec![], vec![]));
}

// spec: FEA-13
#[test]
fn a_feature_that_is_switched_on_is_listed_with_the_defaults() {
    let id = column("id", "long");
    let vectors = names(&["appendOnly", "deletionVectors", "invariants"]);
    assert_eq!(protocol_of(&id, &[("delta.enableDeletionVectors", "true")]), (3, 7, names(&["deletionVectors"]), vectors));
    let mapping = names(&["appendOnly", "columnMapping", "invariants"]);
    assert_eq!(protocol_of(&id, &[("delta.columnMapping.mode", "name")]), (2, 7, vec![], mapping));
    let times = names(&["appendOnly", "inCommitTimestamp", "invariants"]);
    assert_eq!(protocol_of(&id, &[("delta.enableInCommitTimestamps", "TRUE")]), (1, 7, vec![], times));
    let ntz = names(&["appendOnly", "invariants", "timestampNtz"]);
    assert_eq!(protocol_of(&column("t", "timestamp_ntz"), &[]), (3, 7, names(&["timestampNtz"]), ntz));
    let both = [("delta.columnMapping.mode", "id"), ("delta.checkpointPolicy", "v2")];
    let all = names(&["appendOnly", "columnMapping", "invariants", "v2Checkpoint"]);
    assert_eq!(protocol_of(&id, &both), (3, 7, names(&["columnMapping", "v2Checkpoint"]), all));
}

// spec: FEA-14
#[test]
fn protocol_properties_are_consumed_and_obeyed() {
    let asked = [
        ("delta.feature.VACUUMprotocolCheck", "supported"),
        ("delta.minReaderVersion", "3"),
        ("delta.minWriterVersion", "7"),
        ("delta.ignoreProtocolDefaults", "true"),
    ];
    let (protocol, metadata) = make(&column("id", "long"), &[], &asked).expect("a table");
    assert_eq!(protocol.reader_features, Some(names(&["vacuumProtocolCheck"])));
    assert!(metadata.configuration.is_empty());
    assert_eq!(protocol_of(&column("id", "long"), &[("delta.minWriterVersion", "4")]), (1, 4, vec![], vec![]));
    assert_eq!(
        protocol_of(&column("id", "long"), &[("delta.minReaderVersion", "2"), ("delta.minWriterVersion", "5")]),
        (2, 5, vec![], vec![])
    );
    let error = make(&column("id", "long"), &[], &[("delta.feature.nonsense", "supported")]).expect_err("unknown");
    assert_eq!((error.code(), error.context()), (Code::FEATURE_WRITE, [("features", "nonsense".to_owned())].as_slice()));
    assert_eq!(make(&column("id", "long"), &[], &[("delta.minReaderVersion", "4")]).expect_err("too new").code(), Code::PROPERTY);
}

// spec: FEA-15
#[test]
fn what_would_switch_on_an_unbuilt_feature_is_refused_by_name() {
    let (property, feature) = (("delta.feature.catalogManaged", "supported"), "catalogManaged");
    let error = make(&column("id", "long"), &[], &[property]).expect_err(feature);
    assert_eq!(error.code(), Code::FEATURE_WRITE, "{error}");
    assert!(error.context().iter().any(|(_, value)| value.split(", ").any(|name| name == feature)), "{error}");
    make(&column("id", "long"), &[], &[("delta.feature.checkConstraints", "supported")]).expect("supported is not active");
}

// spec: FEA-13
#[test]
fn metadata_of_a_new_table_is_complete() {
    let (_, metadata) =
        make(&[column("id", "long"), column("Part", "date")].join(","), &["part"], &[("Delta.CheckpointInterval", "5")]).expect("a table");
    assert_eq!(metadata.partition_columns, ["Part"]);
    assert_eq!(metadata.configuration, [("delta.checkpointInterval".to_owned(), "5".to_owned())].into());
    assert_eq!(metadata.format.provider, "parquet");
    assert!(metadata.created_time.is_some() && uuid::Uuid::parse_str(&metadata.id).is_ok());
}

// spec: FEA-16
#[test]
fn a_new_column_type_raises_the_protocol_and_keeps_what_was_implied() {
    let (_, metadata) = make(&column("id", "long"), &[], &[]).expect("a table");
    let old = Protocol { min_reader_version: 1, min_writer_version: 4, reader_features: None, writer_features: None };
    let state = TableState::new(old, metadata, Vec::new()).expect("a state");
    let mut schema = state.schema().clone();
    schema.fields.push(Field::new("later", DataType::Long, true));
    let (protocol, changed) = change_table(&state, schema.clone(), &env());
    assert_eq!((protocol, changed.id.as_str()), (None, state.metadata().id.as_str()));
    schema.fields.push(Field::new("at", DataType::TimestampNtz, true));
    let (protocol, _) = change_table(&state, schema, &env());
    let protocol = protocol.expect("a new protocol");
    assert_eq!((protocol.min_reader_version, protocol.min_writer_version), (3, 7));
    assert_eq!(protocol.reader_features, Some(names(&["timestampNtz"])));
    let mut listed = protocol.writer_features.expect("a list");
    listed.sort();
    assert_eq!(listed, names(&["appendOnly", "changeDataFeed", "checkConstraints", "generatedColumns", "invariants", "timestampNtz"]));
}

// spec: FEA-16
#[test]
fn growing_a_protocol_keeps_listed_names_as_they_are_spelled() {
    let (_, metadata) = make(&column("id", "long"), &[], &[]).expect("a table");
    let old = Protocol {
        min_reader_version: 3,
        min_writer_version: 7,
        reader_features: Some(names(&["typeWidening-preview"])),
        writer_features: Some(names(&["typeWidening-preview"])),
    };
    let state = TableState::new(old, metadata, Vec::new()).expect("a state");
    let mut schema = state.schema().clone();
    schema.fields.push(Field::new("at", DataType::TimestampNtz, true));
    let protocol = change_table(&state, schema, &env()).0.expect("a new protocol");
    assert_eq!(protocol.reader_features, Some(names(&["typeWidening-preview", "timestampNtz"])));
    assert_eq!(protocol.reader_features, protocol.writer_features);
}

// spec: CM-4
#[test]
fn mapped_tables_get_ids_in_order_and_fresh_physical_names_for_every_field() {
    let nested = r#"{"name":"s p","type":{"type":"struct","fields":[{"name":"in,ner","type":"long","nullable":true,"metadata":{"delta.columnMapping.id":99}}]},"nullable":true,"metadata":{"comment":"c"}}"#;
    let (protocol, metadata) =
        make(&[nested.to_owned(), column("b", "long")].join(","), &[], &[("delta.columnMapping.mode", "NAME")]).expect("a table");
    assert_eq!(metadata.configuration["delta.columnMapping.maxColumnId"], "3");
    let state = TableState::new(protocol, metadata, Vec::new()).expect("a state");
    let (logical, physical) = (state.schema(), state.physical_schema());
    assert_eq!(logical.fields[0].name, "s p");
    assert!(physical.fields.iter().all(|field| field.name.starts_with("col-")));
    let DataType::Struct(inner) = &physical.fields[0].data_type else { panic!("a struct") };
    let ids: Vec<_> = [&physical.fields[0], &inner.fields[0], &physical.fields[1]].map(super::super::column_mapping::field_id).into();
    assert_eq!(ids, [Some(1), Some(2), Some(3)]);
    assert_eq!(state.field_id(&physical.fields[0]), None, "columns are found by name");

    let mut grown = logical.clone();
    grown.fields.push(Field::new("new", DataType::Long, true));
    let (_, changed) = change_table(&state, grown, &env().with_entropy(Arc::new(SeededEntropy::new(8))));
    assert_eq!(changed.configuration["delta.columnMapping.maxColumnId"], "4");
    let after = Struct::from_json(&changed.schema_string).expect("a schema");
    assert_eq!(after.fields[..2], logical.fields[..], "columns that were there keep their ids and names");
}

fn changed(state: &TableState, set: &[(&str, &str)]) -> Result<ChangedTable> {
    let set = set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    TableChange { set, ..TableChange::default() }.apply(state, &env())
}

// spec: ALT-10 ALT-11
#[test]
fn a_protocol_grows_to_the_lowest_that_does() {
    let plain = |min_writer_version| Protocol { min_reader_version: 1, min_writer_version, reader_features: None, writer_features: None };
    let state = |protocol: Protocol| {
        let (_, metadata) = make(&column("id", "long"), &[], &[]).expect("a table");
        TableState::new(protocol, metadata, Vec::new()).expect("a state")
    };
    let after = |set: &[(&str, &str)]| changed(&state(plain(2)), set).expect("a change").protocol;
    assert_eq!(after(&[("delta.minWriterVersion", "4")]), Some(plain(4)));
    assert_eq!(after(&[("delta.minReaderVersion", "2"), ("delta.minWriterVersion", "5")]).map(|p| p.min_reader_version), Some(2));
    assert_eq!(after(&[("delta.feature.checkConstraints", "supported")]), Some(plain(3)));
    for nothing in
        [("delta.minWriterVersion", "7"), ("delta.minReaderVersion", "2"), ("delta.minWriterVersion", "1"), ("delta.appendOnly", "true")]
    {
        assert_eq!(after(&[nothing]), None, "{nothing:?}");
    }
    let listed = after(&[("delta.enableDeletionVectors", "true")]).expect("a protocol");
    assert_eq!((listed.min_reader_version, listed.min_writer_version), (3, 7));
    assert_eq!(listed.reader_features, Some(names(&["deletionVectors"])));
    let odd =
        Protocol { min_reader_version: 1, min_writer_version: 7, reader_features: None, writer_features: Some(names(&["appendOnly"])) };
    let grown = changed(&state(odd), &[("delta.feature.invariants", "supported")]).expect("a change").protocol;
    assert_eq!(grown, Some(plain(2)), "versions come back where they say the same");
}

// spec: DRF-1 DRF-3
#[test]
fn a_protocol_without_a_feature_is_the_lowest_that_is_left() {
    let (protocol, metadata) = make(&column("id", "long"), &[], &[("delta.enableDeletionVectors", "true")]).expect("a table");
    let state = TableState::new(protocol, metadata, Vec::new()).expect("a state");
    let dropping = crate::features::Dropping::of(&state, "DeletionVectors").expect("it is there");
    let left = dropping.protocol(&state);
    assert_eq!((left.min_reader_version, left.min_writer_version, left.writer_features), (1, 2, None));
    let kept = dropping.protocol_with_history(&state);
    assert_eq!((kept.min_reader_version, kept.min_writer_version, kept.reader_features), (1, 7, None));
    assert!(kept.writer_features.is_some_and(|names| names.contains(&"checkpointProtection".to_owned())));
    for (feature, why, code) in [
        ("nonsense", "unknown", Code::FEATURE_WRITE),
        ("v2Checkpoint", "not there", Code::INPUT),
        ("appendOnly", "not droppable", Code::FEATURE_WRITE),
    ] {
        assert_eq!(crate::features::Dropping::of(&state, feature).map(|_| ()).expect_err(why).code(), code);
    }
}
