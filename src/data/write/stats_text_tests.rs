use super::*;
use proptest::prelude::*;

fn text_max(s: &str) -> Option<String> {
    truncated_max(s, 32)
}

fn int_text(v: i128, t: DataType) -> String {
    max(&Bound::Int(v), &t, 32).unwrap()
}

#[test]
fn short_text_is_kept_whole() {
    // spec: STA-6
    let s = "x".repeat(32);
    assert_eq!(text_max(&s).unwrap(), s);
    assert_eq!(min(&Bound::Text(s.clone()), &DataType::String, 32).unwrap(), quoted(&s));
}

#[test]
fn a_cut_maximum_ends_in_a_character_above_the_one_that_was_cut() {
    // spec: STA-6
    let p = "x".repeat(32);
    assert_eq!(text_max(&format!("{p}yz")).unwrap(), format!("{p}\u{7f}"));
    assert_eq!(text_max(&format!("{p}\u{7f}")).unwrap(), format!("{p}{}", char::MAX));
    assert_eq!(text_max(&format!("{p}é")).unwrap(), format!("{p}{}", char::MAX));
}

#[test]
fn greatest_characters_are_taken_along_and_too_many_give_no_maximum() {
    // spec: STA-6
    let (p, top) = ("x".repeat(32), char::MAX);
    assert_eq!(text_max(&format!("{p}{top}{top}a")).unwrap(), format!("{p}{top}{top}\u{7f}"));
    assert_eq!(text_max(&format!("{p}{top}")).unwrap(), format!("{p}{top}"));
    assert_eq!(text_max(&format!("{p}{}", top.to_string().repeat(17))), None);
}

#[test]
fn a_surrogate_pair_is_never_cut() {
    // spec: STA-6
    let odd = format!("{}😀tail", "x".repeat(31));
    assert_eq!(text_max(&odd).unwrap(), format!("{}😀\u{7f}", "x".repeat(31)));
    let pairs = "😀".repeat(20);
    assert_eq!(text_max(&pairs).unwrap(), format!("{}{}", "😀".repeat(16), char::MAX), "32 units are 16 of these");
    assert_eq!(
        min(&Bound::Text("😀".repeat(40)), &DataType::String, 32).unwrap(),
        quoted(&"😀".repeat(32)),
        "the minimum counts characters"
    );
}

#[test]
fn decimals_are_plain_digits_at_their_scale() {
    // spec: STA-5
    let t = |precision, scale| DataType::Decimal { precision, scale };
    assert_eq!(int_text(12_340_000, t(10, 6)), "12.340000");
    assert_eq!(int_text(-1, t(10, 6)), "-0.000001");
    assert_eq!(int_text(0, t(10, 6)), "0.000000");
    assert_eq!(int_text(-(10i128.pow(38) - 1), t(38, 38)), format!("-0.{}", "9".repeat(38)));
    assert_eq!(int_text(10i128.pow(38) - 1, t(38, 0)), "9".repeat(38));
}

#[test]
fn times_are_floored_to_milliseconds() {
    // spec: STA-7
    assert_eq!(int_text(-1, DataType::Timestamp), "\"1969-12-31T23:59:59.999Z\"");
    assert_eq!(int_text(999_999, DataType::TimestampNtz), "\"1970-01-01T00:00:00.999\"");
    assert_eq!(int_text(253_402_300_800_000_000, DataType::Timestamp), "\"+10000-01-01T00:00:00.000Z\"");
    assert_eq!(max(&Bound::Int(i128::from(i64::MAX)), &DataType::Timestamp, 32), None, "beyond what can be written is left out");
}

#[test]
fn dates_have_years_of_four_digits_or_a_sign() {
    // spec: STA-5
    assert_eq!(int_text(-719_162, DataType::Date), "\"0001-01-01\"");
    assert_eq!(int_text(2_932_897, DataType::Date), "\"+10000-01-01\"");
    assert_eq!(int_text(-719_893, DataType::Date), "\"-0001-01-01\"");
}

#[test]
fn floats_are_shortest_and_special_ones_are_named() {
    // spec: STA-8
    let float = |v, t| float(v, &t).unwrap();
    assert_eq!(float(f64::from(0.1f32), DataType::Float), "0.1");
    assert_eq!(float(16_777_216.0, DataType::Float), "1.6777216E7");
    assert_eq!(float(-0.0, DataType::Double), "-0.0");
    assert_eq!(float(f64::NAN, DataType::Double), "\"NaN\"");
    assert_eq!(float(f64::NEG_INFINITY, DataType::Float), "\"-Infinity\"");
    let back: f64 = serde_json::from_str(&float(f64::MAX, DataType::Double)).unwrap();
    assert_eq!(back, f64::MAX);
}

proptest! {
    #[test]
    fn truncated_bounds_enclose_the_text(s in "[a-c\u{7e}\u{7f}é\u{ffff}😀\u{10ffff}]{0,80}", prefix in 1usize..40) {
        // spec: STA-6
        let low: String = serde_json::from_str(&min(&Bound::Text(s.clone()), &DataType::String, prefix).unwrap()).unwrap();
        prop_assert!(low.as_bytes() <= s.as_bytes());
        if let Some(high) = truncated_max(&s, prefix) {
            prop_assert!(high.as_bytes() >= s.as_bytes());
            prop_assert!(high.encode_utf16().count() <= 2 * prefix + 2);
        }
    }
}
