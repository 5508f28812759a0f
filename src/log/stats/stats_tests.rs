use super::*;
use arrow::datatypes::{Date32Type, Decimal128Type, Float64Type, TimestampMicrosecondType};

fn reader(leaves: &[(&str, DataType)]) -> StatsReader {
    let leaf = |(path, t): &(&str, DataType)| StatsLeaf::new(path.split('.').map(str::to_owned).collect(), t.clone()).unwrap();
    StatsReader::new(leaves.iter().map(leaf).collect())
}
fn read(column: &str, data_type: DataType, text: &str) -> FileStats {
    reader(&[(column, data_type)]).read_json(&StringViewArray::from(vec![text]))
}
fn bounds(stats: &FileStats, leaf: usize) -> (ArrayRef, ArrayRef) {
    stats.leaves[leaf].bounds.clone().unwrap()
}

// spec: SKIP-3
#[test]
fn picks_the_wanted_columns_out_of_nested_and_escaped_text() {
    let text = r#" {"numRecords" : 3, "other":{"minValues":{"a":99},"x":"}\"{"},
        "minValues":{"z":"\\\"","s":{"a":-5,"b":{"c":"q\"\u00e9"}},"a":1},"maxValues":{"s":{"a":7,"b":{"c":"z"}},"a":2},
        "nullCount":{"s":{"a":0,"b":{"c":1}},"a":null},"tightBounds":false} "#;
    let reader = reader(&[("s.a", DataType::Long), ("s.b.c", DataType::String), ("a", DataType::Integer)]);
    let stats = reader.read_json(&StringViewArray::from(vec![text]));
    assert_eq!(stats.records.value(0), 3);
    assert!(!stats.tight.value(0) && stats.tight.is_valid(0));
    assert_eq!(bounds(&stats, 0).0.as_primitive::<Int64Type>().value(0), -5);
    assert_eq!(bounds(&stats, 1).0.as_string::<i32>().value(0), "q\"é");
    assert_eq!(bounds(&stats, 1).1.as_string::<i32>().value(0), "z");
    assert_eq!(stats.leaves[1].nulls.value(0), 1);
    assert!(stats.leaves[2].nulls.is_null(0));
}

// spec: SKIP-3
#[test]
fn texts_of_every_length_end_where_they_end() {
    for length in 0..40 {
        for special in ["", "\"", "\\", "\u{1}", "\u{80}\u{a2}\u{dc}", "!#[]"] {
            let value = format!("{}{special}{}", "x".repeat(length), "y".repeat(length % 7));
            let quoted = serde_json::Value::from(value.as_str());
            let text = format!(r#"{{"minValues":{{"other":{quoted},"a":{quoted}}},"numRecords":{length}}}"#);
            let stats = read("a", DataType::String, &text);
            assert_eq!(bounds(&stats, 0).0.as_string::<i32>().value(0), value);
            assert_eq!(stats.records.value(0), length as i64);
            let torn = &text[..text.len() - 2 - length.to_string().len() - 14];
            assert!(read("a", DataType::String, torn).records.is_null(0), "{torn}");
        }
    }
}

// spec: SKIP-3
#[test]
fn text_that_is_no_object_says_nothing() {
    for text in ["", "null", "[1]", "{", r#"{"numRecords":1"#, r#"{"numRecords":1}x"#, r#"{"numRecords"}"#, r#"{numRecords:1}"#, "{\"a\\"] {
        let stats = read("a", DataType::Long, text);
        assert!(stats.records.is_null(0), "{text}");
    }
    assert_eq!(read("a", DataType::Long, "{\"numRecords\":1}").records.value(0), 1);
}

// spec: SKIP-3
#[test]
fn values_of_the_wrong_type_are_unknown() {
    for bad in ["\"x\"", "1.5", "99999999999", "true", "{}", "[1]", "1e3"] {
        let stats = read("a", DataType::Integer, &format!(r#"{{"minValues":{{"a":{bad}}}}}"#));
        assert!(bounds(&stats, 0).0.is_null(0), "{bad}");
    }
    let quoted = read("a", DataType::Integer, r#"{"minValues":{"a":"12"},"maxValues":{"a":-9}}"#);
    assert_eq!(bounds(&quoted, 0).0.as_primitive::<arrow::datatypes::Int32Type>().value(0), 12);
}

// spec: SKIP-3
#[test]
fn keys_match_without_regard_to_case() {
    let stats = read("Id", DataType::Long, r#"{"minValues":{"ID":4}}"#);
    assert_eq!(bounds(&stats, 0).0.as_primitive::<Int64Type>().value(0), 4);
    let stats = read("ÄB", DataType::Long, r#"{"minValues":{"äb":4}}"#);
    assert_eq!(bounds(&stats, 0).0.as_primitive::<Int64Type>().value(0), 4);
}

// spec: SKIP-4
#[test]
fn decimals_come_from_their_text_and_round_outwards() {
    let wide = DataType::Decimal { precision: 38, scale: 2 };
    let stats = read("a", wide.clone(), r#"{"minValues":{"a":123456789012345678901234567890.12},"maxValues":{"a":"1.5E+3"}}"#);
    assert_eq!(bounds(&stats, 0).0.as_primitive::<Decimal128Type>().value(0), 12345678901234567890123456789012);
    assert_eq!(bounds(&stats, 0).1.as_primitive::<Decimal128Type>().value(0), 150_000);
    let stats = read("a", wide, r#"{"minValues":{"a":-1.239},"maxValues":{"a":-1.231}}"#);
    assert_eq!(bounds(&stats, 0).0.as_primitive::<Decimal128Type>().value(0), -124);
    assert_eq!(bounds(&stats, 0).1.as_primitive::<Decimal128Type>().value(0), -123);
}

// spec: SKIP-4
#[test]
fn floats_may_be_quoted_or_bare_words() {
    let stats = read("a", DataType::Double, r#"{"minValues":{"a":"-Infinity"},"maxValues":{"a":NaN}}"#);
    assert_eq!(bounds(&stats, 0).0.as_primitive::<Float64Type>().value(0), f64::NEG_INFINITY);
    assert!(bounds(&stats, 0).1.as_primitive::<Float64Type>().value(0).is_nan());
    let stats = read("a", DataType::Double, r#"{"minValues":{"a":-0.0},"maxValues":{"a":1.5E10}}"#);
    assert!(bounds(&stats, 0).0.as_primitive::<Float64Type>().value(0).is_sign_negative());
    assert_eq!(bounds(&stats, 0).1.as_primitive::<Float64Type>().value(0), 1.5e10);
}

// spec: SKIP-4
#[test]
fn dates_and_times_in_all_their_forms() {
    let date = |text: &str| {
        let stats = read("a", DataType::Date, &format!(r#"{{"minValues":{{"a":"{text}"}}}}"#));
        let min = bounds(&stats, 0).0;
        min.is_valid(0).then(|| min.as_primitive::<Date32Type>().value(0))
    };
    assert_eq!(date("1970-01-02"), Some(1));
    assert_eq!(date("0001-01-01"), Some(-719_162));
    assert_eq!(date("+10000-01-01"), Some(2_932_897));
    assert_eq!(date("2020-13-01"), None);
    let time = |text: &str| {
        let stats = read("a", DataType::Timestamp, &format!(r#"{{"minValues":{{"a":"{text}"}}}}"#));
        let min = bounds(&stats, 0).0;
        min.is_valid(0).then(|| min.as_primitive::<TimestampMicrosecondType>().value(0))
    };
    assert_eq!(time("1970-01-01T00:00:01.5Z"), Some(1_500_000));
    assert_eq!(time("1970-01-01 00:00:01"), Some(1_000_000));
    assert_eq!(time("1969-12-31T16:00:00.001-08:00"), Some(1_000));
    assert_eq!(time("1970-01-01T01:00:00.000001234+0100"), Some(1));
    assert_eq!(time("1970-01-02"), Some(86_400_000_000));
    assert_eq!(time("1970-01-01T25:00:00Z"), None);
    assert_eq!(time("1970-01-01T00:00:00Q"), None);
}

// spec: CKP-9
#[test]
fn parsed_statistics_round_trip_through_their_text() {
    let leaves = [
        ("l", DataType::Long),
        ("d", DataType::Decimal { precision: 10, scale: 3 }),
        ("f", DataType::Double),
        ("t", DataType::Timestamp),
        ("n", DataType::TimestampNtz),
        ("y", DataType::Date),
        ("s", DataType::String),
    ];
    let text = r#"{"numRecords":7,"minValues":{"l":-1,"d":-0.005,"f":"NaN","t":"2020-01-01T00:00:00.000001Z","n":"2020-01-01T00:00:00.5","y":"1969-12-31","s":"a\"b"},"maxValues":{"l":5},"nullCount":{"l":0,"s":7},"tightBounds":false}"#;
    let reader = reader(&leaves);
    let first = reader.read_json(&StringViewArray::from(vec![text]));
    let again = stats_text(&super::super::checkpoint::stats_struct(&reader, &first).unwrap(), 0).unwrap();
    let second = reader.read_json(&StringViewArray::from(vec![again.as_str()]));
    assert_eq!(format!("{first:?}"), format!("{second:?}"), "{again}");
}
