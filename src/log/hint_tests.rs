use super::*;
use proptest::prelude::*;

// spec: LOG-20
#[test]
fn the_canonical_form_and_its_md5_match_the_published_vector() {
    let body = r#"{"k0":"'v 0'", "checksum": "adsaskfljadfkjadfkj", "k1":{"k2": 2, "k3": ["v3", [1, 2], {"k4": "v4", "k5": ["v5", "v6", "v7"]}]}}"#;
    let raw: &RawValue = serde_json::from_str(body).expect("JSON");
    let mut leaves = Vec::new();
    let claimed = flatten(raw, &mut String::new(), 0, &mut leaves).expect("flat");
    assert_eq!(claimed.as_deref(), Some("adsaskfljadfkjadfkj"));
    assert_eq!(leaves.iter().filter(|(p, v)| p == r#""k1"+"k3"+2+"k5"+0"# && v == "\"v5\"").count(), 1);
    assert_eq!(checksum(&mut leaves, false), "6a92d155a59bf2eecbd4b4ec7fd1f875");
}

// spec: LOG-20
#[test]
fn a_hint_with_a_right_checksum_is_read_and_a_changed_one_is_not() {
    let hint = LastCheckpoint { version: 20, size: 12, num_of_add_files: Some(9), ..LastCheckpoint::default() };
    let body = String::from_utf8(hint.encode().expect("encoded").to_vec()).expect("text");
    let read = LastCheckpoint::parse(body.as_bytes()).expect("a good hint");
    assert!(read.checksum.is_some());
    assert_eq!(LastCheckpoint { checksum: None, ..read }, hint);
    let changed = body.replace("\"version\":20", "\"version\":30");
    assert_eq!(LastCheckpoint::parse(changed.as_bytes()), Err("its checksum does not match".to_owned()));
}

// spec: LOG-21
#[test]
fn a_hint_without_checksum_or_with_unknown_parts_still_says_its_version() {
    for body in [r#"{"version":3,"size":10}"#, r#"{"version":3,"size":"many","novel":{"a":[1]}}"#, r#"{"size":-1,"version":3,"parts":2}"#] {
        assert_eq!(LastCheckpoint::parse(body.as_bytes()).expect(body).start(), Version(3), "{body}");
    }
}

// spec: LOG-21
#[test]
fn torn_stale_or_ambiguous_hints_are_no_hints() {
    let deep = format!("{{\"version\":1,\"x\":{}1{}}}", "[".repeat(500), "]".repeat(500));
    for body in [
        "",
        "{",
        r#"{"version":10,"si"#,
        "[]",
        "7",
        r#"{"version":-1}"#,
        r#"{"version":1.5}"#,
        r#"{"version":"1"}"#,
        r#"{"size":1}"#,
        r#"{"version":1,"version":1}"#,
        r#"{"version":1,"tags":{"a":"b","a":"b"}}"#,
        r#"{"version":1} trailing"#,
        &deep,
    ] {
        assert!(LastCheckpoint::parse(body.as_bytes()).is_err(), "{body}");
    }
}

proptest! {
    #[test]
    fn no_body_makes_the_hint_parser_panic(body in "[\\{\\}\\[\\]\",:a-z0-9 \\\\]{0,60}") {
        let _ = LastCheckpoint::parse(body.as_bytes());
    }
}
