use super::super::state::tests::{field, metadata, protocol};
use super::*;

fn mapped(id: i64, name: &str) -> String {
    format!(r#"{{"{}":{id},"{}":"{name}"}}"#, metadata_key::MAPPING_ID, metadata_key::MAPPING_NAME)
}

fn table(reader: i32, writer: i32, mode: &str, fields: &[String]) -> Result<TableState> {
    TableState::new(protocol(reader, writer, &[], &[]), metadata(&fields.join(","), &[("delta.columnMapping.mode", mode)]), Vec::new())
}

fn nested() -> Vec<String> {
    let inner = format!(
        r#"{{"type":"array","containsNull":true,"elementType":{{"type":"struct","fields":[{}]}}}}"#,
        field("x", r#""long""#, &mapped(2, "p2"))
    );
    vec![field("a", &inner, &mapped(1, "p1")), field("b", r#""string""#, &mapped(3, "p3"))]
}

// spec: CM-1
#[test]
fn physical_names_replace_logical_names_at_every_level() {
    for mode in ["name", "ID"] {
        let state = table(2, 5, mode, &nested()).expect("a state");
        assert_eq!(state.physical_name("A"), Some("p1"));
        assert_eq!(state.physical_schema().fields[0].data_type.to_string(), "array<struct<p2:bigint>>");
        assert_eq!(state.schema().fields[0].data_type.to_string(), "array<struct<x:bigint>>");
        let by_id = state.field_id(&state.physical_schema().fields[1]);
        assert_eq!(by_id, (mode == "ID").then_some(3));
    }
}

// spec: CM-2
#[test]
fn mapping_metadata_is_ignored_where_mapping_is_off_or_not_supported() {
    for (reader, writer, mode) in [(2, 5, "none"), (1, 2, "name"), (1, 6, "name")] {
        let state = table(reader, writer, mode, &nested()).expect("a state");
        assert_eq!(state.physical_name("a"), Some("a"));
        assert_eq!(state.field_id(&state.physical_schema().fields[0]), None);
    }
}

// spec: CM-3
#[test]
fn missing_or_doubled_ids_and_names_are_refused() {
    let long = |name: &str, metadata: &str| field(name, r#""long""#, metadata);
    for fields in [
        vec![long("a", "{}")],
        vec![long("a", r#"{"delta.columnMapping.id":1}"#)],
        vec![long("a", r#"{"delta.columnMapping.physicalName":"p"}"#)],
        vec![long("a", &mapped(i64::MAX, "p"))],
        vec![long("a", &mapped(1, ""))],
        vec![long("a", &mapped(1, "p")), long("b", &mapped(1, "q"))],
        vec![long("a", &mapped(1, "p")), long("b", &mapped(2, "p"))],
    ] {
        assert_eq!(table(2, 5, "name", &fields).expect_err("broken").code(), Code::LOG_STATE, "{fields:?}");
    }
    assert_eq!(table(2, 5, "sideways", &nested()).expect_err("no mode").code(), Code::PROPERTY);
}
