use super::super::state::tests::{field, metadata, protocol};
use super::*;
use crate::schema::Field;

fn readable(change: &str) -> Result<()> {
    let names = ["typeWidening-preview"];
    let column = field("c", r#""long""#, &format!(r#"{{"delta.typeChanges":{change}}}"#));
    TableState::new(protocol(3, 7, &names, &names), metadata(&column, &[]), Vec::new()).expect("a state").check_readable()
}

// spec: FEA-10
#[test]
fn recorded_widenings_are_read() {
    for (from, to) in [
        ("byte", "short"),
        ("short", "integer"),
        ("integer", "long"),
        ("byte", "double"),
        ("float", "double"),
        ("date", "timestamp_ntz"),
        ("decimal(5,2)", "decimal(7,2)"),
        ("decimal(5,2)", "decimal(9,4)"),
        ("integer", "decimal(10,0)"),
        ("short", "decimal(12,2)"),
        ("long", "decimal(20,0)"),
        ("void", "string"),
    ] {
        readable(&format!(r#"[{{"toType":"{to}","fromType":"{from}","tableVersion":3,"fieldPath":"element"}}]"#)).expect(from);
    }
}

// spec: FEA-10
#[test]
fn any_other_recorded_change_stops_the_read_with_its_column() {
    for change in [
        r#"[{"fromType":"byte","toType":"decimal(4,1)"}]"#,
        r#"[{"fromType":"long","toType":"double"}]"#,
        r#"[{"fromType":"long","toType":"integer"}]"#,
        r#"[{"fromType":"decimal(5,2)","toType":"decimal(6,4)"}]"#,
        r#"[{"fromType":"long","toType":"decimal(19,0)"}]"#,
        r#"[{"fromType":"integer","toType":"long"},{"fromType":"long"}]"#,
        r#""nonsense""#,
    ] {
        let error = readable(change).expect_err(change);
        assert_eq!((error.code(), error.context()), (Code::FEATURE_READ, [("column", "c".to_owned())].as_slice()));
    }
}

use crate::env::Env;
use crate::features::TableChange;

fn table(schema: &str, enabled: bool) -> TableState {
    let names = ["typeWidening"];
    let properties: &[(&str, &str)] = if enabled { &[("delta.enableTypeWidening", "true")] } else { &[] };
    let text = Struct::from_sql(schema).expect("a schema").to_json();
    let mut metadata = metadata("", properties);
    metadata.schema_string = text;
    TableState::new(protocol(3, 7, &names, &names), metadata, Vec::new()).expect("a state")
}

fn change(state: &TableState, to: &str) -> Result<Struct> {
    let schema = Some(Struct::from_sql(to).expect("a schema"));
    let changed = TableChange { schema, ..TableChange::default() }.apply(state, &Env::system())?;
    Ok(changed.state.schema().clone())
}

// spec: TW-1 TW-2
#[test]
fn changes_at_every_depth_are_recorded_at_the_nearest_field() {
    let state = table("a BYTE, s STRUCT<x: FLOAT>, l ARRAY<MAP<SHORT, DATE>>, d DECIMAL(5,2), v VOID", true);
    let after = change(&state, "a INT, s STRUCT<x: DOUBLE>, l ARRAY<MAP<LONG, TIMESTAMP_NTZ>>, d DECIMAL(7,4), v STRING").expect("wider");
    let changes = |field: &Field| field.metadata.get(metadata_key::TYPE_CHANGES).cloned().unwrap_or_default();
    assert_eq!(changes(&after.fields[0]), json!([{"toType": "integer", "fromType": "byte"}]));
    assert_eq!(changes(&after.fields[1]), Value::Null);
    let DataType::Struct(inner) = &after.fields[1].data_type else { panic!("a struct") };
    assert_eq!(changes(&inner.fields[0]), json!([{"toType": "double", "fromType": "float"}]));
    assert_eq!(
        changes(&after.fields[2]),
        json!([
            {"toType": "long", "fromType": "short", "fieldPath": "element.key"},
            {"toType": "timestamp_ntz", "fromType": "date", "fieldPath": "element.value"}
        ])
    );
    assert_eq!(changes(&after.fields[4]), Value::Null, "no file holds a value of void");
}

// spec: TW-1 TW-3
#[test]
fn other_changes_and_changes_without_the_property_are_refused() {
    for (from, to, enabled) in [
        ("a BYTE", "a SHORT", false),
        ("a LONG", "a INT", true),
        ("a LONG", "a DOUBLE", true),
        ("a INT", "a DECIMAL(9,0)", true),
        ("a INT", "a STRING", true),
        ("a ARRAY<INT>", "a ARRAY<STRING>", true),
        ("a STRUCT<x: INT>", "a INT", true),
    ] {
        let error = change(&table(from, enabled), to).expect_err(to);
        assert_eq!(error.code(), Code::SCHEMA, "{from} to {to}");
    }
    let schema = Some(Struct::from_sql("a STRING").expect("a schema"));
    let replaced = TableChange { schema, replaces_rows: true, ..TableChange::default() };
    replaced.apply(&table("a BYTE", false), &Env::system()).expect("all rows go");
}
