use super::super::state::tests::{field, metadata, protocol};
use super::*;

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
