//! Which conversions and functions have a value for every row. Kind: pure. Spec: EXP.
//!
//! Invariant: what is not known to have one may fail.

use arrow::datatypes::DataType;

/// Whether every value of a type converts to the other.
pub(crate) fn cast_is_total(from: &DataType, to: &DataType) -> bool {
    use DataType::{Boolean, Decimal128, Float16, Float32, Float64, LargeUtf8, Null, Utf8, Utf8View};
    let text = |t: &DataType| matches!(t, Utf8 | LargeUtf8 | Utf8View);
    match (from, to) {
        _ if from == to => true,
        (Null, _) => true,
        (from, to) if text(to) => from.is_numeric() || text(from) || *from == Boolean,
        (from, Float16 | Float32 | Float64) => from.is_numeric(),
        (Decimal128(p1, s1), Decimal128(p2, s2)) => s2 >= s1 && digits(*p2, *s2) >= digits(*p1, *s1),
        (from, Decimal128(p, s)) if from.is_integer() => *s >= 0 && whole_digits(from).is_some_and(|n| digits(*p, *s) >= n),
        (from, to) if from.is_signed_integer() && to.is_signed_integer() => from.primitive_width() <= to.primitive_width(),
        _ => false,
    }
}

/// Digits before the point.
fn digits(precision: u8, scale: i8) -> i16 {
    i16::from(precision) - i16::from(scale)
}

/// How many digits the numbers of an integer type have at most.
fn whole_digits(integer: &DataType) -> Option<i16> {
    integer.primitive_width().map(|bytes| [3, 5, 10, 20][bytes.ilog2().min(3) as usize])
}

/// Whether a function of the engine or of ours has a value for all arguments.
pub(crate) fn function_is_total(name: &str) -> bool {
    const TOTAL: &[&str] = &[
        "array",
        "btrim",
        "canonical_float",
        "character_length",
        "coalesce",
        "concat",
        "contains",
        "date_part",
        "ends_with",
        "get_field",
        "greatest",
        "isnan",
        "least",
        "left",
        "length",
        "lower",
        "ltrim",
        "make_array",
        "named_struct",
        "nullif",
        "octet_length",
        "replace",
        "right",
        "rtrim",
        "signum",
        "starts_with",
        "struct",
        "text",
        "trim",
        "upper",
    ];
    TOTAL.binary_search(&name).is_ok()
}

#[cfg(test)]
#[path = "total_tests.rs"]
mod tests;
