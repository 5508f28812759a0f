use super::*;
use proptest::prelude::*;

fn read(text: &str, data_type: DataType) -> Scalar {
    Scalar::from_partition_text(Some(text), &data_type).expect("a value")
}
fn write(value: Scalar) -> String {
    value.to_partition_text().expect("text").expect("not null")
}
fn refused(text: &str, data_type: DataType) {
    let e = Scalar::from_partition_text(Some(text), &data_type).expect_err(text);
    assert_eq!(e.code(), Code::SCHEMA);
    assert!(e.message().contains(text), "{e}");
}
fn decimal(value: i128, precision: u8, scale: u8) -> Scalar {
    Scalar::Decimal { value, precision, scale }
}

// spec: PV-1
#[test]
fn missing_and_empty_text_are_null_and_null_has_no_text() {
    for data_type in [DataType::String, DataType::Long, DataType::Binary, DataType::Timestamp] {
        assert_eq!(Scalar::from_partition_text(None, &data_type).expect("null"), Scalar::Null);
        assert_eq!(Scalar::from_partition_text(Some(""), &data_type).expect("null"), Scalar::Null);
    }
    for value in [Scalar::Null, Scalar::String(String::new()), Scalar::Binary(Vec::new())] {
        assert_eq!(value.to_partition_text().expect("null"), None);
    }
}

// spec: PV-2
#[test]
fn strings_are_kept_as_they_are() {
    for text in [" a b/c=%:+?#&\"é😀 ", "__HIVE_DEFAULT_PARTITION__", "\u{1}"] {
        assert_eq!(read(text, DataType::String), Scalar::String(text.to_owned()));
        assert_eq!(write(Scalar::String(text.to_owned())), text);
    }
}

// spec: PV-3
#[test]
fn floating_numbers_are_written_as_java_does() {
    for (value, text) in [
        (1.5, "1.5"),
        (-0.0, "-0.0"),
        (0.0, "0.0"),
        (100.0, "100.0"),
        (9_999_999.0, "9999999.0"),
        (1e7, "1.0E7"),
        (1.25e10, "1.25E10"),
        (0.001, "0.001"),
        (0.00123, "0.00123"),
        (0.0001, "1.0E-4"),
        (-1.234e-5, "-1.234E-5"),
        (f64::MAX, "1.7976931348623157E308"),
        (f64::INFINITY, "Infinity"),
        (f64::NEG_INFINITY, "-Infinity"),
        (f64::NAN, "NaN"),
    ] {
        assert_eq!(write(Scalar::Double(value)), text);
    }
    assert_eq!(write(Scalar::Float(f32::MAX)), "3.4028235E38");
    assert_eq!(write(Scalar::Float(0.1)), "0.1");
}

// spec: PV-4
#[test]
fn decimals_keep_their_scale_and_are_rescaled_without_loss() {
    assert_eq!(write(decimal(12_340_000, 20, 6)), "12.340000");
    assert_eq!(write(decimal(-1, 20, 6)), "-0.000001");
    assert_eq!(write(decimal(5, 5, 0)), "5");
    let of = |precision, scale| DataType::Decimal { precision, scale };
    assert_eq!(read("10", of(5, 2)), decimal(1000, 5, 2));
    assert_eq!(read("1.20E+2", of(5, 0)), decimal(120, 5, 0));
    assert_eq!(read("1200e-2", of(5, 0)), decimal(12, 5, 0));
    assert_eq!(read("0e99", of(5, 2)), decimal(0, 5, 2));
    assert_eq!(read("+.5", of(5, 2)), decimal(50, 5, 2));
    assert_eq!(read(&"9".repeat(38), of(38, 0)), decimal(10i128.pow(38) - 1, 38, 0));
    for text in ["1.005", "1000", "1e2147483647", "1e-2147483648", "x", ".", "-", "1.2.3", "1e", "٣"] {
        refused(text, of(5, 2));
    }
}

// spec: PV-5
#[test]
fn dates_are_read_padded_or_not_and_far_from_today() {
    assert_eq!(write(Scalar::Date(0)), "1970-01-01");
    assert_eq!(read("2020-1-1", DataType::Date), read("2020-01-01", DataType::Date));
    assert_eq!(write(read("0001-01-01", DataType::Date)), "0001-01-01");
    for (text, day) in [("+10000-01-01", 2_932_897), ("-0001-12-31", -719_529), ("0000-02-29", -719_469), ("2020-02-29", 18_321)] {
        assert_eq!(read(text, DataType::Date), Scalar::Date(day), "{text}");
        assert_eq!(write(Scalar::Date(day)), text);
    }
    for text in ["2021-02-29", "2020-13-01", "2020-00-10", "2020-01-32", "2020-01-0", "20200101", "2020-01-01x", "9999999-01-01"] {
        refused(text, DataType::Date);
    }
}

// spec: PV-6
#[test]
fn timestamps_are_written_in_utc_and_read_in_every_form() {
    assert_eq!(write(Scalar::Timestamp(0)), "1970-01-01T00:00:00.000000Z");
    assert_eq!(write(Scalar::Timestamp(-1)), "1969-12-31T23:59:59.999999Z");
    let noon = Scalar::Timestamp(1_577_880_000_000_000);
    for text in [
        "2020-01-01T12:00:00.000000Z",
        "2020-01-01 12:00:00",
        "2020-01-01 12:00",
        "2020-01-01T12:00:00.0Z",
        "2020-01-01 13:00:00+01:00",
        "2020-01-01 04:00:00.000000000-0800",
        "2020-1-1 12:00:00 UTC",
    ] {
        assert_eq!(read(text, DataType::Timestamp), noon, "{text}");
    }
    assert_eq!(read("2020-01-01", DataType::Timestamp), Scalar::Timestamp(1_577_836_800_000_000));
    assert_eq!(read("1969-12-31 23:59:59.9999995", DataType::Timestamp), Scalar::Timestamp(-1));
    for text in [
        "2020-01-01 24:00:00",
        "2020-01-01 12:60:00",
        "2020-01-01 12:00:00.0000000000",
        "2020-01-01 12",
        "2020-01-01 12:00:00 Mars/Base",
        "2020-01-01 12:00:00+99:00",
        "999999-01-01 00:00:00",
        "é",
    ] {
        refused(text, DataType::Timestamp);
    }
}

// spec: PV-7
#[test]
fn local_timestamps_have_no_zone_and_no_zero_fraction() {
    assert_eq!(write(Scalar::TimestampNtz(0)), "1970-01-01 00:00:00");
    assert_eq!(write(read("2020-06-01 12:34:56.123456", DataType::TimestampNtz)), "2020-06-01 12:34:56.123456");
    assert_eq!(write(read("2020-06-01T12:34:56.100", DataType::TimestampNtz)), "2020-06-01 12:34:56.1");
    for micros in [i64::MIN, i64::MAX] {
        assert_eq!(read(&write(Scalar::TimestampNtz(micros)), DataType::TimestampNtz), Scalar::TimestampNtz(micros));
        assert_eq!(read(&write(Scalar::Timestamp(micros)), DataType::Timestamp), Scalar::Timestamp(micros));
    }
    assert_eq!(write(read("9999-12-31 23:59:59.999999", DataType::TimestampNtz)), "9999-12-31 23:59:59.999999");
}

// spec: PV-8
#[test]
fn booleans_are_read_in_any_case() {
    for text in ["true", "True", "TRUE"] {
        assert_eq!(read(text, DataType::Boolean), Scalar::Boolean(true));
    }
    assert_eq!(read("FALSE", DataType::Boolean), Scalar::Boolean(false));
    refused("yes", DataType::Boolean);
}

// spec: PV-9
#[test]
fn binary_is_the_utf8_text_of_the_bytes_and_other_bytes_are_refused() {
    assert_eq!(write(Scalar::Binary(vec![1, 0x41])), "\u{1}A");
    assert_eq!(read("é", DataType::Binary), Scalar::Binary("é".as_bytes().to_vec()));
    assert_eq!(Scalar::Binary(vec![0xff]).to_partition_text().expect_err("not UTF-8").code(), Code::SCHEMA);
}

// spec: PV-10
#[test]
fn text_of_another_type_and_nested_types_are_refused() {
    refused("300", DataType::Byte);
    refused("1.5", DataType::Long);
    refused("abc", DataType::Double);
    let array = DataType::Array { element: Box::new(DataType::Long), contains_null: true };
    assert_eq!(Scalar::from_partition_text(Some("[1]"), &array).expect_err("nested").code(), Code::SCHEMA);
}

fn any_value() -> impl Strategy<Value = (Scalar, DataType)> {
    prop_oneof![
        any::<i64>().prop_map(|v| (Scalar::Long(v), DataType::Long)),
        any::<i8>().prop_map(|v| (Scalar::Byte(v), DataType::Byte)),
        any::<i32>().prop_map(|v| (Scalar::Date(v), DataType::Date)),
        any::<i64>().prop_map(|v| (Scalar::Timestamp(v), DataType::Timestamp)),
        any::<i64>().prop_map(|v| (Scalar::TimestampNtz(v), DataType::TimestampNtz)),
        any::<u64>().prop_map(|v| (Scalar::Double(f64::from_bits(v)), DataType::Double)),
        any::<u32>().prop_map(|v| (Scalar::Float(f32::from_bits(v)), DataType::Float)),
        ".+".prop_map(|v| (Scalar::String(v), DataType::String)),
        ".+".prop_map(|v| (Scalar::Binary(v.into_bytes()), DataType::Binary)),
        (1u8..=38, any::<i128>(), 0u8..=38).prop_map(|(precision, v, scale)| {
            let scale = scale.min(precision);
            (decimal(v % 10i128.pow(u32::from(precision)), precision, scale), DataType::Decimal { precision, scale })
        }),
    ]
}

proptest! {
    // spec: PV-11
    #[test]
    fn every_value_is_read_back_equal((value, data_type) in any_value()) {
        let text = value.to_partition_text().expect("text");
        let back = Scalar::from_partition_text(text.as_deref(), &data_type).expect("a value");
        let equal = back == value || matches!((&back, &value), (Scalar::Double(a), Scalar::Double(b)) if a.is_nan() && b.is_nan())
            || matches!((&back, &value), (Scalar::Float(a), Scalar::Float(b)) if a.is_nan() && b.is_nan());
        prop_assert!(equal, "{value:?} -> {text:?} -> {back:?}");
    }

    // spec: PV-11
    #[test]
    fn any_text_is_a_value_or_an_error(text in "[-+0-9.eE:TZ /a-z]{0,40}|.{0,20}") {
        for data_type in [DataType::Date, DataType::Timestamp, DataType::TimestampNtz, DataType::Decimal { precision: 38, scale: 38 },
            DataType::Double, DataType::Boolean] {
            let _ = Scalar::from_partition_text(Some(&text), &data_type);
        }
    }
}
