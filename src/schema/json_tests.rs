use super::*;

fn error(text: &str) -> Error {
    Struct::from_json(text).expect_err("must be refused")
}

fn one(data_type: &str) -> DataType {
    let text = format!(r#"{{"type":"struct","fields":[{{"name":"c","type":{data_type},"nullable":true,"metadata":{{}}}}]}}"#);
    Struct::from_json(&text).expect("a schema").fields.remove(0).data_type
}

// spec: SCH-1
#[test]
fn schema_text_with_unknown_metadata_round_trips_exactly() {
    let text = concat!(
        r#"{"type":"struct","fields":["#,
        r#"{"name":"id","type":"long","nullable":false,"metadata":{"delta.columnMapping.id":1,"z":{"b":[1,2.5,null],"a":"ü"}}},"#,
        r#"{"name":"v","type":"string","nullable":true,"metadata":{"__CHAR_VARCHAR_TYPE_STRING":"varchar(10)"}},"#,
        r#"{"name":"m","type":{"type":"map","keyType":"string","valueType":{"type":"array","elementType":"decimal(10,2)","containsNull":true},"valueContainsNull":false},"nullable":true,"metadata":{}},"#,
        r#"{"name":"s","type":{"type":"struct","fields":[{"name":"a","type":"timestamp_ntz","nullable":true,"metadata":{"comment":"x"}}]},"nullable":true,"metadata":{}},"#,
        r#"{"name":"u","type":{"type":"udt","class":"org.example.Point","sqlType":"double"},"nullable":true,"metadata":{}},"#,
        r#"{"name":"g","type":"geometry(OGC:CRS84)","nullable":true,"metadata":{}}]}"#
    );
    assert_eq!(Struct::from_json(text).expect("a schema").to_json(), text);
}

// spec: SCH-2
#[test]
fn every_primitive_name_is_known_and_written_back() {
    for name in [
        "string",
        "long",
        "integer",
        "short",
        "byte",
        "float",
        "double",
        "boolean",
        "binary",
        "date",
        "timestamp",
        "timestamp_ntz",
        "void",
        "variant",
        "decimal(38,18)",
    ] {
        let data_type = one(&format!("\"{name}\""));
        assert!(!matches!(data_type, DataType::Unknown(_)), "{name}");
        assert_eq!(data_type.to_json_value(), Value::String(name.to_owned()));
    }
}

// spec: SCH-3
#[test]
fn loose_spellings_of_decimal_and_variant_are_accepted() {
    assert_eq!(one(r#""decimal(6, 2)""#), DataType::Decimal { precision: 6, scale: 2 });
    assert_eq!(one(r#""decimal""#), DataType::Decimal { precision: 10, scale: 0 });
    assert_eq!(one(r#""decimal(7)""#), DataType::Decimal { precision: 7, scale: 0 });
    assert_eq!(one(r#"{"type":"variant"}"#), DataType::Variant);
    assert_eq!(one(r#""null""#), DataType::Void);
}

// spec: SCH-4
#[test]
fn foreign_types_are_kept_as_unknown() {
    for text in [r#""interval day to second""#, r#""int""#, r#"{"type":"udt","sqlType":"long"}"#, r#""timestamp_nanos""#] {
        assert!(matches!(one(text), DataType::Unknown(_)), "{text}");
        assert_eq!(one(text).to_json_value().to_string(), text);
    }
}

// spec: SCH-5
#[test]
fn a_malformed_field_is_refused_with_its_path() {
    let text = r#"{"type":"struct","fields":[{"name":"a","type":{"type":"array","elementType":{"type":"struct","fields":[
        {"name":"b","type":"decimal(39,1)","nullable":true,"metadata":{}}]},"containsNull":true},"nullable":true,"metadata":{}}]}"#;
    let e = error(text);
    assert_eq!(e.code(), Code::SCHEMA);
    assert_eq!(e.context(), [("column", "a.element.b".to_owned())]);
    for text in [
        "",
        "nonsense",
        "[]",
        r#""long""#,
        r#"{"type":"struct"}"#,
        r#"{"type":"struct","fields":[1]}"#,
        r#"{"type":"struct","fields":[{"name":"a","type":"long"}]}"#,
        r#"{"type":"struct","fields":[{"name":"a","nullable":true}]}"#,
        r#"{"type":"struct","fields":[{"name":"a","type":"long","nullable":true,"metadata":7}]}"#,
        r#"{"type":"struct","fields":[{"name":"a","type":{"type":"array"},"nullable":true}]}"#,
        r#"{"type":"struct","fields":[{"name":"a","type":"decimal(2,5)","nullable":true}]}"#,
        r#"{"type":"struct","fields":[{"name":"a","type":null,"nullable":true}]}"#,
    ] {
        assert_eq!(error(text).code(), Code::SCHEMA, "{text}");
    }
}

// spec: SCH-6
#[test]
fn nesting_beyond_the_limit_is_refused_without_exhausting_the_stack() {
    let nest = |levels: usize| {
        let open = r#"{"type":"array","containsNull":true,"elementType":"#.repeat(levels);
        let close = "}".repeat(levels);
        format!(r#"{{"type":"struct","fields":[{{"name":"c","type":{open}"long"{close},"nullable":true}}]}}"#)
    };
    assert!(Struct::from_json(&nest(DEPTH_MAX - 1)).is_ok());
    assert_eq!(error(&nest(DEPTH_MAX)).code(), Code::SCHEMA);
    assert_eq!(error(&nest(100_000)).code(), Code::SCHEMA);
    let mut structs = Struct { fields: vec![Field::new("leaf", DataType::Long, true)] };
    for _ in 1..DEPTH_MAX {
        structs = Struct { fields: vec![Field::new("s", DataType::Struct(structs), true)] };
    }
    assert_eq!(Struct::from_json(&structs.to_json()).expect("the deepest schema that is allowed"), structs);
}
