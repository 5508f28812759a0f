use super::*;
use crate::log::Format;

pub(crate) fn protocol(reader: i32, writer: i32, reader_features: &[&str], writer_features: &[&str]) -> Protocol {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    Protocol {
        min_reader_version: reader,
        min_writer_version: writer,
        reader_features: (reader == 3).then(|| list(reader_features)),
        writer_features: (writer == 7).then(|| list(writer_features)),
    }
}

pub(crate) fn metadata(fields: &str, properties: &[(&str, &str)]) -> Metadata {
    Metadata {
        id: "5fba94ed-9794-4965-ba6e-6ee3c0d22af9".into(),
        name: None,
        description: None,
        format: Format { provider: "parquet".into(), options: Default::default() },
        schema_string: format!(r#"{{"type":"struct","fields":[{fields}]}}"#),
        partition_columns: Vec::new(),
        configuration: properties.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        created_time: None,
    }
}

pub(crate) fn field(name: &str, data_type: &str, metadata: &str) -> String {
    format!(r#"{{"name":"{name}","type":{data_type},"nullable":true,"metadata":{metadata}}}"#)
}

fn id() -> String {
    field("id", r#""long""#, "{}")
}

fn state(protocol: Protocol, metadata: Metadata) -> TableState {
    TableState::new(protocol, metadata, Vec::new()).expect("a state")
}

fn features(error: &Error) -> &str {
    error.context().iter().find(|(key, _)| *key == "features").map_or("", |(_, value)| value)
}

// spec: FEA-6
#[test]
fn an_unknown_reader_feature_stops_reads_and_writes_by_name() {
    let state = state(protocol(3, 7, &["deletionVectors", "futureThing"], &["deletionVectors", "futureThing"]), metadata(&id(), &[]));
    for (error, code) in
        [(state.check_readable().expect_err("read"), Code::FEATURE_READ), (state.check_writable().expect_err("write"), Code::FEATURE_WRITE)]
    {
        assert_eq!((error.code(), features(&error)), (code, "futureThing"));
    }
}

// spec: FEA-7
#[test]
fn an_unknown_writer_feature_stops_writes_only() {
    let state = state(protocol(1, 7, &[], &["futureThing"]), metadata(&id(), &[]));
    state.check_readable().expect("readable");
    assert_eq!(features(&state.check_writable().expect_err("write")), "futureThing");
}

// spec: FEA-8
#[test]
fn every_final_and_preview_reader_feature_is_read() {
    let names = [
        "columnMapping",
        "deletionVectors",
        "timestampNtz",
        "timestampWithoutTimezone",
        "typeWidening",
        "typeWidening-preview",
        "v2Checkpoint",
        "vacuumProtocolCheck",
        "variantType",
        "variantType-preview",
        "variantShredding",
        "variantShredding-preview",
    ];
    state(protocol(3, 7, &names, &names), metadata(&id(), &[])).check_readable().expect("readable");
}

// spec: FEA-9
#[test]
fn a_table_of_a_catalog_is_refused_with_the_next_step() {
    for name in ["catalogManaged", "catalogOwned", "catalogOwned-preview"] {
        let names = [name, "vacuumProtocolCheck"];
        let state = state(protocol(3, 7, &names, &["inCommitTimestamp", names[0], names[1]]), metadata(&id(), &[]));
        let error = state.check_readable().expect_err("a catalog's table");
        assert_eq!((error.code(), features(&error)), (Code::FEATURE_READ, "catalogManaged"));
        assert!(error.next_step().expect("a next step").contains("catalog"));
        assert_eq!(state.check_writable().expect_err("write").code(), Code::FEATURE_WRITE);
    }
}

// spec: FEA-11
#[test]
fn features_that_are_not_built_stop_writes_only_while_they_are_active() {
    let with = |properties: &[(&str, &str)], column: &str| {
        state(protocol(2, 6, &[], &[]), metadata(&field("id", r#""long""#, column), properties))
    };
    with(&[], "{}").check_writable().expect("nothing is active");
    with(&[("delta.appendOnly", "true")], "{}").check_writable().expect("built");
    with(&[("delta.constraints.c", "id > 0")], r#"{"delta.identity.start":1}"#).check_writable().expect("built");
}

// spec: FEA-11
#[test]
fn listed_features_that_are_not_built_stop_writes_by_every_switch() {
    let (feature, fields) = ("collations", field("id", r#""string""#, r#"{"__COLLATIONS":{"id":"ICU.de"}}"#));
    let table = TableState::new(protocol(1, 7, &[], &[feature]), metadata(&fields, &[]), Vec::new()).expect("a state");
    table.check_readable().expect("readable");
    assert_eq!(features(&table.check_writable().expect_err(feature)), feature);
    let removed = vec![DomainMetadata { domain: "delta.clustering".into(), configuration: "{}".into(), removed: true }];
    let plain = metadata(&field("id", r#""long""#, "{}"), &[]);
    TableState::new(protocol(1, 7, &[], &["clustering"]), plain, removed).expect("a state").check_writable().expect("not active");
}

// spec: FEA-17
#[test]
fn newer_versions_other_formats_and_unknown_types_are_refused_and_still_described() {
    let plain = || metadata(&id(), &[]);
    let newer_reader = state(protocol(4, 8, &[], &[]), plain());
    assert_eq!(newer_reader.check_readable().expect_err("reader 4").code(), Code::FEATURE_READ);
    let newer_writer = state(Protocol { writer_features: Some(vec![]), ..protocol(3, 8, &[], &[]) }, plain());
    newer_writer.check_readable().expect("readers need not know");
    assert_eq!(newer_writer.check_writable().expect_err("writer 8").code(), Code::FEATURE_WRITE);
    let orc = Metadata { format: Format { provider: "orc".into(), options: Default::default() }, ..plain() };
    assert_eq!(state(protocol(1, 2, &[], &[]), orc).check_readable().expect_err("orc").code(), Code::FEATURE_READ);
    let geometry = format!(r#"{{"type":"array","containsNull":true,"elementType":{}}}"#, r#""geometry(OGC:CRS84)""#);
    let table = state(protocol(1, 2, &[], &[]), metadata(&[id(), field("g", &geometry, "{}")].join(","), &[]));
    for error in [table.check_readable().expect_err("geometry"), table.check_writable().expect_err("geometry")] {
        assert_eq!(error.context(), [("column", "g".to_owned())]);
        assert!(error.message().contains("geometry(OGC:CRS84)"));
    }
}

// spec: FEA-18
#[test]
fn partition_columns_take_the_spelling_of_the_schema_and_must_be_there_once() {
    let with = |columns: &[&str]| {
        let partition_columns = columns.iter().map(|name| (*name).to_owned()).collect();
        TableState::new(protocol(1, 2, &[], &[]), Metadata { partition_columns, ..metadata(&id(), &[]) }, Vec::new())
    };
    assert_eq!(with(&["ID"]).expect("a state").partition_columns(), ["id"]);
    assert_eq!(with(&["other"]).expect_err("missing").code(), Code::LOG_STATE);
    assert_eq!(with(&["id", "ID"]).expect_err("twice").code(), Code::LOG_STATE);
}

// spec: FEA-19
#[test]
fn append_only_tables_refuse_to_remove_rows_but_not_to_rearrange_them() {
    let remove = |data_change| crate::log::Remove {
        path: "f".into(),
        deletion_timestamp: None,
        data_change,
        extended_file_metadata: None,
        partition_values: None,
        size: None,
        stats: None,
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
    };
    let on = state(protocol(1, 2, &[], &[]), metadata(&id(), &[("delta.appendOnly", "true")]));
    assert_eq!(on.check_remove(&remove(true)).expect_err("append-only").code(), Code::CONSTRAINT);
    on.check_remove(&remove(false)).expect("rearranged");
    let off = state(protocol(1, 7, &[], &[]), metadata(&id(), &[("delta.appendOnly", "true")]));
    off.check_remove(&remove(true)).expect("not supported, so without effect");
}
