use super::*;
use serde_json::json;

fn column(data_type: DataType, declared: &str) -> Field {
    let mut field = Field::new("c", data_type, true);
    field.metadata.insert(metadata_key::CHAR_VARCHAR.to_owned(), json!(declared));
    field
}

fn limit(declared: &str) -> TextLimit {
    TextLimit::of(&column(DataType::String, declared)).unwrap().unwrap()
}

// spec: DAT-W9
#[test]
fn text_is_counted_in_characters_and_only_blanks_are_cut() {
    let varchar = limit("varchar(3)");
    for (text, stored) in [
        ("", Some("")),
        ("ab", Some("ab")),
        ("äöü", Some("äöü")),
        ("abc   ", Some("abc")),
        ("a     ", Some("a  ")),
        ("abcd", None),
        ("abc  d", None),
        ("abc\t", None),
    ] {
        assert_eq!(varchar.stored(text).as_deref(), stored, "{text:?}");
    }
}

// spec: DAT-W9
#[test]
fn char_is_filled_up_with_blanks() {
    let char = limit("CHAR( 3 )");
    for (text, stored) in [("", Some("   ")), ("ä", Some("ä  ")), ("abc", Some("abc")), ("abc ", Some("abc")), ("abcd", None)] {
        assert_eq!(char.stored(text).as_deref(), stored, "{text:?}");
    }
}

// spec: DAT-W9
#[test]
fn a_limit_that_cannot_be_kept_is_refused_with_its_column() {
    let refused = |field: Field| {
        let e = check_text_limits(&Struct { fields: vec![Field::new("id", DataType::Long, true), field] }).unwrap_err();
        assert_eq!(e.code(), Code::FEATURE_WRITE);
        assert!(e.context().contains(&("column", "c".to_owned())), "{e}");
    };
    for declared in ["varchar", "varchar(0)", "varchar(-1)", "char(99999999)", "text(3)", "array<char(3)>", "struct<a:varchar(3)>"] {
        refused(column(DataType::String, declared));
    }
    refused(column(DataType::Long, "char(3)"));
    refused(column(DataType::Array { element: Box::new(DataType::String), contains_null: true }, "array<varchar(3)>"));
    refused(Field::new("c", DataType::Struct(Struct { fields: vec![column(DataType::String, "varchar(3)")] }), true));
    check_text_limits(&Struct { fields: vec![column(DataType::String, "varchar(3)")] }).unwrap();
}
