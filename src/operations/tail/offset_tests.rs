use super::*;

// spec: TAI-2
#[test]
fn offsets_are_written_and_read_as_spark_does() {
    let text = r#"{"sourceVersion":1,"reservoirId":"an id","reservoirVersion":4,"index":-1,"isStartingVersion":true}"#;
    let offset = TailOffset::from_json(text).unwrap();
    assert_eq!(offset, TailOffset { table_id: "an id".to_owned(), version: Version(4), index: -1, is_starting_version: true });
    assert_eq!(offset.to_json(), text);
    for index in ["-100", "-20", "-19", "-1"] {
        let third = text.replace("\"sourceVersion\":1", "\"sourceVersion\":3").replace("-1,", &format!("{index},"));
        assert_eq!(TailOffset::from_json(&third).unwrap(), offset, "{third}");
    }
    for wrong in [
        "",
        "{}",
        "7",
        &text.replace("\"sourceVersion\":1", "\"sourceVersion\":9"),
        &text.replace("-1,", "-2,"),
        &text.replace("4,", "-4,"),
    ] {
        assert_eq!(TailOffset::from_json(wrong).unwrap_err().code(), Code::INPUT, "{wrong}");
    }
}
