use super::*;
use DataType::{Binary, Date32, Decimal128, Float64, Int8, Int32, Int64, Utf8};

#[test]
fn a_conversion_is_total_only_where_every_value_fits() {
    // spec: EXP-25
    for (from, to) in [
        (Int32, Int64),
        (Int64, Float64),
        (Int64, Decimal128(22, 2)),
        (Int8, Decimal128(3, 0)),
        (Decimal128(5, 2), Decimal128(7, 3)),
        (Decimal128(38, 10), Float64),
        (Float64, Utf8),
        (Date32, Date32),
    ] {
        assert!(cast_is_total(&from, &to), "{from} {to}");
    }
    for (from, to) in [
        (Int64, Int32),
        (Utf8, Int32),
        (Utf8, Date32),
        (Float64, Int64),
        (Int64, Decimal128(21, 2)),
        (Decimal128(5, 2), Decimal128(6, 4)),
        (Decimal128(5, 2), Decimal128(7, 1)),
        (Binary, Utf8),
    ] {
        assert!(!cast_is_total(&from, &to), "{from} {to}");
    }
}

#[test]
fn functions_are_found_by_name_and_unknown_ones_may_fail() {
    assert!(["array", "get_field", "upper", "text"].iter().all(|name| function_is_total(name)));
    assert!(!["/", "%", "+", "element_at", "no_such", "quotient"].iter().any(|name| function_is_total(name)));
}
