use super::*;
use crate::log::{Format, Metadata, Protocol};
use crate::schema::Field;
use serde_json::json;

fn state(fields: Vec<Field>, partition: &[&str], mode: Option<&str>) -> TableState {
    let protocol = Protocol { min_reader_version: 2, min_writer_version: 5, reader_features: None, writer_features: None };
    let metadata = Metadata {
        id: "t".into(),
        name: None,
        description: None,
        format: Format::default(),
        schema_string: Struct { fields }.to_json(),
        partition_columns: partition.iter().map(|p| (*p).to_owned()).collect(),
        configuration: mode.iter().map(|mode| ("delta.columnMapping.mode".to_owned(), (*mode).to_owned())).collect(),
        created_time: None,
    };
    TableState::new(protocol, metadata, Vec::new()).expect("a state")
}

fn long(name: &str) -> Field {
    Field::new(name, DataType::Long, true)
}

fn typed(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}

fn mapped(name: &str, id: i32, physical: &str) -> Field {
    let mut field = long(name);
    field.metadata.insert("delta.columnMapping.id".to_owned(), json!(id));
    field.metadata.insert("delta.columnMapping.physicalName".to_owned(), json!(physical));
    field
}

fn nested(inner: Vec<Field>) -> DataType {
    let element = Box::new(DataType::Struct(Struct { fields: inner }));
    DataType::Map {
        key: Box::new(DataType::String),
        value: Box::new(DataType::Array { element, contains_null: true }),
        value_contains_null: true,
    }
}

// spec: CDF-9
#[test]
fn added_columns_and_wider_types_fit() {
    let old = state(vec![long("a"), typed("i", DataType::Integer), typed("m", nested(vec![typed("x", DataType::Short)]))], &[], None);
    let inner = nested(vec![typed("X", DataType::Long), long("y")]);
    let new = state(vec![long("first"), typed("I", DataType::Long), typed("m", inner), long("a"), long("b")], &[], None);
    assert_eq!(misfit(&old, &new), None);
    assert_eq!(misfit(&old, &old), None);
}

// spec: CDF-9
#[test]
fn dropped_columns_other_types_and_moved_partitions_do_not_fit() {
    let old = || state(vec![long("a"), long("b"), typed("m", nested(vec![long("x")]))], &["b"], None);
    let m = || typed("m", nested(vec![long("x")]));
    for (new, why) in [
        (state(vec![long("a"), m()], &[], None), "column b was dropped"),
        (state(vec![typed("a", DataType::Integer), long("b"), m()], &["b"], None), "type of column a was changed from bigint to int"),
        (state(vec![long("a"), long("b"), typed("m", nested(vec![long("z")]))], &["b"], None), "column m.value.element.x was dropped"),
        (state(vec![long("a"), long("b"), m()], &[], None), "column b became or was a partition column"),
        (state(vec![long("a"), long("b"), m()], &["a", "b"], None), "column a became or was a partition column"),
        (state(vec![long("a"), long("b"), m(), long("p")], &["b", "p"], None), "a partition column was added"),
    ] {
        let found = misfit(&old(), &new).unwrap_or_default();
        assert!(found.contains(why), "{found:?}, expected {why:?}");
    }
    let text = misfit(&state(vec![typed("a", DataType::String)], &[], None), &state(vec![long("a")], &[], None)).expect("another type");
    assert!(text.contains("from string to bigint"), "{text}");
}

// spec: CDF-9
#[test]
fn mapped_columns_are_known_by_their_physical_names() {
    let name = Some("name");
    let old = state(vec![mapped("a", 1, "p1"), mapped("b", 2, "p2")], &[], name);
    assert_eq!(misfit(&old, &state(vec![mapped("b", 2, "p2"), mapped("a", 1, "p1"), mapped("c", 3, "p3")], &[], name)), None);
    let renamed = misfit(&old, &state(vec![mapped("z", 1, "p1"), mapped("b", 2, "p2")], &[], name)).expect("renamed");
    assert!(renamed.contains("column a was renamed to z"), "{renamed}");
    let replaced = misfit(&old, &state(vec![mapped("a", 3, "p3"), mapped("b", 2, "p2")], &[], name)).expect("replaced");
    assert!(replaced.contains("column a was dropped, or replaced"), "{replaced}");
    // Mapping that was switched on later keeps the names that files have.
    let plain = state(vec![long("a"), long("b")], &[], None);
    assert_eq!(misfit(&plain, &state(vec![mapped("a", 1, "a"), mapped("b", 2, "b"), mapped("c", 3, "p3")], &[], name)), None);
}
