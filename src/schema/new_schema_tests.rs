use super::*;

fn check(fields: Vec<Field>, partition_columns: &[&str]) -> Result<Vec<String>> {
    let columns: Vec<String> = partition_columns.iter().map(|name| (*name).to_owned()).collect();
    check_new_schema(&Struct { fields }, &columns, ColumnNames::Plain)
}
fn long(name: &str) -> Field {
    Field::new(name, DataType::Long, true)
}
fn inside(name: &str, fields: Vec<Field>) -> Field {
    let element = Box::new(DataType::Struct(Struct { fields }));
    Field::new(name, DataType::Array { element, contains_null: true }, true)
}
fn column(result: Result<Vec<String>>) -> String {
    let error = result.expect_err("refused");
    assert_eq!(error.code(), Code::SCHEMA);
    error.context().first().map_or(String::new(), |(_, value)| value.clone())
}

// spec: SCH-9
#[test]
fn names_that_differ_only_in_case_are_refused_at_every_level() {
    assert_eq!(column(check(vec![long("a"), long("A")], &[])), "A");
    assert_eq!(column(check(vec![inside("x", vec![long("é"), long("É")])], &[])), "x.element.É");
    check(vec![long("a"), inside("x", vec![long("a")])], &[]).expect("different levels");
}

// spec: SCH-10
#[test]
fn characters_that_parquet_cannot_carry_need_column_mapping() {
    for name in ["a b", "a,b", "a;b", "a{b", "a}b", "a(b", "a)b", "a\nb", "a\tb", "a=b"] {
        assert_eq!(column(check(vec![inside("x", vec![long(name)])], &[])), format!("x.element.{name}"));
        check_new_schema(&Struct { fields: vec![long(name)] }, &[], ColumnNames::Free).expect("free names");
    }
    assert_eq!(column(check(vec![long("")], &[])), "");
}

// spec: SCH-11
#[test]
fn partition_columns_must_exist_once_and_have_a_text_form() {
    let fields = || vec![long("a"), long("b"), inside("c", vec![long("d")])];
    assert_eq!(check(fields(), &["B"]).expect("columns"), ["b"]);
    assert_eq!(column(check(fields(), &["x"])), "x");
    assert_eq!(column(check(fields(), &["a", "A"])), "A");
    assert_eq!(column(check(fields(), &["c"])), "c");
    assert_eq!(column(check(vec![long("a")], &["a"])), "");
}

// spec: SCH-12
#[test]
fn void_stands_only_beside_columns_that_are_stored() {
    let void = |name: &str| Field::new(name, DataType::Void, true);
    check(vec![long("a"), void("v")], &[]).expect("one stored column");
    assert_eq!(column(check(vec![void("v")], &[])), "");
    assert_eq!(column(check(vec![inside("x", vec![void("v")])], &[])), "x.element");
    let list = Field::new("l", DataType::Array { element: Box::new(DataType::Void), contains_null: true }, true);
    assert_eq!(column(check(vec![long("a"), list], &[])), "l.element");
}

// spec: SCH-4
#[test]
fn unknown_types_empty_structs_and_empty_schemas_are_refused() {
    let unknown = DataType::Unknown(Box::new(serde_json::Value::String("interval day".into())));
    assert_eq!(column(check(vec![Field::new("u", unknown, true)], &[])), "u");
    assert_eq!(column(check(vec![Field::new("s", DataType::Struct(Struct::default()), true)], &[])), "s");
    assert_eq!(column(check(vec![], &[])), "");
}
