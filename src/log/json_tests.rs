use super::*;
use crate::log::LogFile;
use proptest::prelude::*;

const ADD: &str = r#"{"add":{"path":"a","partitionValues":{"p":null},"size":1,"modificationTime":2,"dataChange":true}}"#;

fn decode(body: &str) -> Result<Vec<Action>> {
    decode_commit("00000000000000000003.json", body.as_bytes())
}

fn context(e: &Error, key: &str) -> String {
    e.context().iter().find(|(k, _)| *k == key).map(|(_, v)| v.clone()).unwrap_or_default()
}

// spec: LOG-3
#[test]
fn blank_lines_crlf_and_a_missing_last_newline_are_read() {
    let body = format!("\r\n{ADD}\r\n\n  \n{ADD}");
    assert_eq!(decode(&body).expect("two actions").len(), 2);
}

// spec: LOG-3
#[test]
fn unknown_actions_unknown_fields_and_null_actions_are_no_actions() {
    let body = r#"{"newAction":{"x":[1,{"y":2}]}}
{"add":null}
{}
{"txn":{"appId":"a","version":3,"novel":{"deep":[true]}},"extra":7}
"#;
    let actions = decode(body).expect("one action");
    assert!(matches!(&actions[..], [Action::Txn(t)] if t.version == 3));
}

// spec: LOG-3
#[test]
fn of_repeated_keys_the_last_one_counts() {
    let body = r#"{"txn":{"appId":"a","version":3,"version":4}}
{"txn":{"appId":"b","version":1},"txn":{"appId":"c","version":2}}
{"txn":{"appId":"d","version":5}}"#;
    let versions: Vec<_> = decode(body)
        .expect("three actions")
        .into_iter()
        .map(|a| match a {
            Action::Txn(t) => (t.app_id, t.version),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(versions, [("a".to_owned(), 4), ("c".to_owned(), 2), ("d".to_owned(), 5)]);
}

// spec: ACT-1
#[test]
fn what_old_writers_leave_out_has_the_meaning_that_spark_gives_it() {
    let body = r#"{"metaData":{"id":"m","partitionColumns":[]}}
{"add":{"path":"a","partitionValues":null,"size":1,"modificationTime":null}}
{"remove":{"path":"b"}}
{"metaData":{"id":"x","format":null,"schemaString":"{}","partitionColumns":null,"configuration":{"k":null,"n":5,"t":"x"}}}
{"add":{"path":"c","partitionValues":{"n":1,"b":true,"s":"x","z":null},"size":1,"modificationTime":3,"dataChange":true}}
"#;
    let actions = decode(body).expect("five actions");
    let [Action::Metadata(bare), Action::Add(a), Action::Remove(r), Action::Metadata(m), Action::Add(c)] = &actions[..] else {
        panic!("{actions:?}")
    };
    assert_eq!(bare.schema_string, r#"{"type":"struct","fields":[]}"#);
    assert!(a.partition_values.is_empty() && !a.data_change && a.modification_time == 0);
    assert!(r.data_change && r.size.is_none() && r.deletion_timestamp.is_none());
    assert_eq!(m.format.provider, "parquet");
    assert_eq!(m.configuration.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>(), ["n=5", "t=x"]);
    let values: Vec<_> = c.partition_values.iter().map(|(k, v)| (k.as_str(), v.as_deref())).collect();
    assert_eq!(values, [("b", Some("true")), ("n", Some("1")), ("s", Some("x")), ("z", None)]);
}

// spec: LOG-4
#[test]
fn a_commit_of_no_bytes_is_named_and_one_without_actions_is_fine() {
    let e = decode("").expect_err("no bytes");
    assert_eq!(e.code(), Code::LOG_EMPTY);
    assert_eq!(context(&e, "file"), "00000000000000000003.json");
    assert_eq!(decode("\n").expect("no actions"), []);
    assert_eq!(decode("{\"somethingNew\":{}}\n").expect("no actions"), []);
}

// spec: LOG-5
#[test]
fn what_is_not_json_is_named_with_file_line_and_column() {
    let nul = "\0".repeat(100);
    let cases: &[(&str, &str, &str)] = &[
        (&format!("{ADD}\n{}", &ADD[..40]), "2", "40"),
        (&format!("{ADD}\n\n{}", r#"{"add":{"size":1}}"#), "3", "17"),
        (&nul, "1", "1"),
        (&format!("{ADD}\n{nul}"), "2", "1"),
        (&format!("{ADD}{ADD}"), "1", &(ADD.len() + 1).to_string()),
        (&format!("\u{feff}{ADD}"), "1", "1"),
        ("[]", "1", "0"),
        ("{\"add\":{\"path\":\"a\n\"}}", "2", "0"),
        (r#"{"add":{"path":"a","size":1},"txn":{"appId":"a","version":1}}"#, "1", "61"),
    ];
    for (body, line, column) in cases {
        let e = decode(body).expect_err(body);
        assert_eq!(e.code(), Code::LOG_JSON, "{body}");
        assert_eq!((context(&e, "line").as_str(), context(&e, "column").as_str()), (*line, *column), "{body} {e}");
        assert_eq!(context(&e, "file"), "00000000000000000003.json");
    }
}

// spec: LOG-5
#[test]
fn a_commit_cut_anywhere_inside_a_line_is_an_error() {
    let body = format!("{ADD}\n{{\"commitInfo\":{{\"operation\":\"WRITE\"}}}}");
    let whole = decode(&body).expect("whole").len();
    for cut in 1..body.len() {
        match decode(&body[..cut]) {
            Ok(actions) => assert!(actions.len() < whole && (cut == ADD.len() || cut == ADD.len() + 1), "cut at {cut}"),
            Err(e) => assert_eq!(e.code(), Code::LOG_JSON),
        }
    }
}

#[test]
fn what_is_encoded_decodes_to_the_same_and_absent_stays_absent() {
    let body = r#"{"commitInfo":{"timestamp":1,"operation":"WRITE","operationParameters":{"mode":"Append"}}}
{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}
{"metaData":{"id":"x","format":{"provider":"parquet","options":{}},"schemaString":"{\"a\":\"\\u00e9\"}","partitionColumns":[],"configuration":{}}}
{"add":{"path":"a%20b","partitionValues":{"p":null},"size":1,"modificationTime":2,"dataChange":true,"stats":"{\"numRecords\":1}"}}
{"remove":{"path":"c","deletionTimestamp":5,"dataChange":false}}
{"cdc":{"path":"c","partitionValues":{},"size":5,"dataChange":false}}
{"txn":{"appId":"a","version":1}}
{"domainMetadata":{"domain":"d","configuration":"{}","removed":false}}
{"sidecar":{"path":"s","sizeInBytes":1,"modificationTime":2}}
{"checkpointMetadata":{"version":1}}
"#;
    let actions = decode(body).expect("ten actions");
    assert_eq!(actions.len(), 10);
    assert_eq!(String::from_utf8_lossy(&encode_commit(&actions).unwrap()), body);
}

/// Decodes a body that comes in pieces which end there.
fn decode_in_pieces(body: &[u8], ends: &[usize]) -> Result<Vec<Action>> {
    let mut decoder = CommitDecoder::new("f".to_owned(), body.len() as u64);
    let mut done = 0;
    for end in ends {
        done += decoder.decode(&body[done..*end], false)?;
    }
    decoder.decode(&body[done..], true)?;
    Ok(decoder.actions)
}

// spec: LOG-23
#[test]
fn a_commit_that_comes_in_pieces_decodes_as_the_whole() {
    let over_lines = ADD.replace(",\"size\"", ",\r\n\"size\"").replace(",\"modif", "\n,\"modif");
    let twice = "{\"txn\":{\"appId\":\"a\",\"version\":3,\"version\":4}\n}";
    for tail in ["", "\n", "\n\n{\"add\":{\"path\":\"x\"\n", "\n{} {}", "\n  {\"add\":1}\n{}"] {
        let body = format!("\n{over_lines}\r\n{ADD}\n{twice}\n{ADD}{tail}");
        let whole = format!("{:?}", decode_commit("f", body.as_bytes()));
        for first in 0..=body.len() {
            for second in (first..=body.len()).step_by(7) {
                assert_eq!(format!("{:?}", decode_in_pieces(body.as_bytes(), &[first, second])), whole, "{first} {second}");
            }
        }
    }
    assert_eq!(decode_in_pieces(b"", &[0, 0]).unwrap_err().code(), Code::LOG_EMPTY);
}

proptest! {
    #[test]
    fn no_body_makes_the_decoder_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode_commit(&LogFile::commit_name(crate::log::Version(0)), &body);
    }
    #[test]
    fn a_broken_commit_never_decodes_to_more_than_it_said(at in 0usize..300, byte in any::<u8>()) {
        let mut body = format!("{ADD}\n{ADD}\n").into_bytes();
        let len = body.len();
        body[at % len] = byte;
        if let Ok(actions) = decode_commit("f", &body) {
            prop_assert!(actions.len() <= 2);
        }
    }
}
