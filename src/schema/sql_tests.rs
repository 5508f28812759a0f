use super::*;

fn shown(text: &str) -> Vec<String> {
    let schema = Struct::from_sql(text).expect(text);
    let shown = |f: &Field| format!("{} {}{}", f.name, f.data_type, if f.nullable { "" } else { " not null" });
    schema.fields.iter().map(shown).collect()
}

// spec: SCH-13
#[test]
fn every_type_name_and_alias_is_known_in_any_case() {
    let text = "a BIGINT, b long, c INT, d Integer, e SMALLINT, f short, g TINYINT, h byte, i FLOAT, j REAL, k DOUBLE, l BOOLEAN, m STRING,
        n BINARY, o DATE, p TIMESTAMP, q TIMESTAMP_LTZ, r TIMESTAMP_NTZ, s VOID, t VARIANT, u DECIMAL(12, 3), v DEC, w NUMERIC(5)";
    assert_eq!(
        shown(text),
        [
            "a bigint",
            "b bigint",
            "c int",
            "d int",
            "e smallint",
            "f smallint",
            "g tinyint",
            "h tinyint",
            "i float",
            "j float",
            "k double",
            "l boolean",
            "m string",
            "n binary",
            "o date",
            "p timestamp",
            "q timestamp",
            "r timestamp_ntz",
            "s void",
            "t variant",
            "u decimal(12,3)",
            "v decimal(10,0)",
            "w decimal(5,0)",
        ]
    );
}

// spec: SCH-13
#[test]
fn nested_types_names_in_backticks_and_not_null_are_read() {
    assert_eq!(
        shown("`odd ``name` array<map<string,struct<a: int not null, `b c` decimal(4,1)>>> NOT NULL,x struct<y:struct<z:int>>"),
        ["odd `name array<map<string,struct<a:int,b c:decimal(4,1)>>> not null", "x struct<y:struct<z:int>>"]
    );
}

// spec: SCH-13
#[test]
fn comments_and_limited_text_become_metadata() {
    let schema = Struct::from_sql("a VARCHAR( 10 ) COMMENT 'it''s \\'so\\'' NOT NULL, b CHARACTER(3), comment STRING").expect("columns");
    let of = |i: usize, key: &str| schema.fields[i].metadata.get(key).and_then(Value::as_str).map(str::to_owned);
    assert_eq!(of(0, metadata_key::CHAR_VARCHAR).as_deref(), Some("varchar(10)"));
    assert_eq!(of(0, metadata_key::COMMENT).as_deref(), Some("it's 'so'"));
    assert_eq!(of(1, metadata_key::CHAR_VARCHAR).as_deref(), Some("char(3)"));
    assert_eq!((schema.fields[0].data_type.clone(), schema.fields[0].nullable), (DataType::String, false));
    assert_eq!(schema.fields[2].name, "comment");
}

// spec: SCH-13
#[test]
fn what_does_not_parse_is_refused_with_its_position() {
    let deep = format!("a {}int{}", "array<".repeat(100), ">".repeat(100));
    for (text, position) in [
        ("", 1),
        ("a", 2),
        ("é blob", 3),
        ("a int,", 7),
        ("a int b", 7),
        ("a array<int", 12),
        ("a array<varchar(3)>", 9),
        ("a struct<x varchar(3)>", 12),
        ("a decimal(39)", 14),
        ("a varchar", 10),
        ("a int NOT 5", 11),
        ("a int COMMENT x", 15),
        ("a int COMMENT 'x", 17),
        ("`a int", 7),
        ("a interval day", 3),
        (&deep, 243),
    ] {
        let error = Struct::from_sql(text).expect_err(text);
        assert_eq!((error.code(), error.context()), (Code::SCHEMA, [("position", position.to_string())].as_slice()), "{text}: {error}");
    }
}
