use super::counts_in;

// spec: RST-2
#[test]
fn statistics_that_say_the_same_in_other_words_count_the_same() {
    let plain =
        r#"{"numRecords":3,"minValues":{"a":1.0,"t":"2024-01-01T00:00:00.000Z"},"maxValues":{"a":2},"nullCount":{"a":0,"s":{"x":2}}}"#;
    let same = r#"{"nullCount":{"s":{"x":2},"a":0},"maxValues":{"a":2.0},"minValues":{"t":"2024-01-01T00:00:00Z","a":1},"tightBounds":true,"numRecords":3}"#;
    assert_eq!(counts_in(plain), counts_in(same));
    let others = [
        r#"{"numRecords":3}"#,
        r#"{"numRecords":3,"minValues":{"a":1},"maxValues":{"a":2},"nullCount":{"a":0,"s":{"x":1}}}"#,
        r#"{"numRecords":3,"minValues":{"a":1},"maxValues":{"a":2},"nullCount":{"a":2,"s":{"x":0}}}"#,
        r#"{"numRecords":3,"minValues":{},"maxValues":{"a":2},"nullCount":{"a":0,"s":{"x":2}}}"#,
        r#"{"numRecords":3,"minValues":{"a":1},"maxValues":{"a":2},"nullCount":{"a":0,"s":{"x":2}},"tightBounds":false}"#,
    ];
    for other in others {
        assert_ne!(counts_in(plain), counts_in(other), "{other}");
    }
    assert_eq!(counts_in("no JSON"), None);
}
