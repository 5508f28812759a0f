use super::*;

fn schema() -> Struct {
    Struct::from_sql("id BIGINT, `a b` STRUCT<x: INT, Y: STRING>, l ARRAY<STRUCT<p: INT>>, m MAP<SMALLINT, ARRAY<FLOAT>>")
        .expect("a schema")
}

fn path(text: &str) -> FieldPath {
    column_list(text).expect("paths").remove(0)
}

// spec: ALT-2
#[test]
fn a_path_is_followed_in_any_case_through_structs_arrays_and_maps() {
    let schema = schema();
    let at = schema.locate(&path("`A B`.y")).expect("a field");
    assert_eq!((at.path.join("/").as_str(), at.steps, at.data_type, at.repeated), ("a b/Y", 2, &DataType::String, false));
    let at = schema.locate(&path("l.element.p")).expect("a field");
    assert_eq!((at.steps, at.field.name.as_str(), at.repeated), (3, "p", true));
    let at = schema.locate(&path("m.value.element")).expect("a type");
    assert_eq!((at.steps, at.field.name.as_str(), at.data_type), (1, "m", &DataType::Float));
    for wrong in ["nope", "id.x", "l.p", "m.element", "`a b`.z"] {
        assert_eq!(schema.locate(&path(wrong)).map(|_| ()).expect_err(wrong).code(), Code::SCHEMA);
    }
}

// spec: ALT-2
#[test]
fn an_edit_changes_only_what_the_path_names() {
    let schema = schema();
    let at = schema.locate(&path("m.value.element")).expect("a type");
    let wider = schema.with_type(&at, &DataType::Double);
    assert_eq!(wider.fields[3].data_type.to_string(), "map<smallint,array<double>>");
    assert_eq!(wider.fields[..3], schema.fields[..3]);
    let at = schema.locate(&path("l.element.p")).expect("a field");
    let renamed = schema.edited(&at.path, &mut |fields, i| fields[i].name = "q".to_owned());
    assert_eq!(renamed.fields[2].data_type.to_string(), "array<struct<q:int>>");
    assert_eq!(renamed.fields[3], schema.fields[3]);
}

// spec: ALT-2
#[test]
fn paths_are_written_as_they_are_read() {
    for text in ["a", "a.b", "`a b`.c", "`x``y`.`1-2`"] {
        assert_eq!(quoted_path(&path(text)), text);
    }
    assert_eq!(column_list("a, b.c ,`d e`").expect("paths").len(), 3);
    assert_eq!(column_list(" a b , c d . e  f, ` g ` . h\t").expect("paths"), [vec!["a b"], vec!["c d", "e  f"], vec![" g ", "h"]]);
    assert_eq!((column_list("a,, b"), column_list("a. ,b"), column_list("  ")), (None, None, Some(Vec::new())));
    assert_eq!(column_list("`a"), None);
}
