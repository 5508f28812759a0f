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
