use super::*;

#[test]
fn quotients_of_decimals_have_sparks_precision() {
    // spec: SQL-5
    assert_eq!(quotient_type((2, 1), (2, 1)), (8, 6));
    assert_eq!(quotient_type((10, 2), (1, 0)), (14, 6));
    assert_eq!(quotient_type((38, 10), (38, 10)), (38, 6));
    assert_eq!(quotient_type((20, 0), (20, 0)), (38, 18));
}

#[test]
fn decimals_are_rounded_half_away_from_zero_and_cut_by_div() {
    assert_eq!(decimal_quotient(10, 30, 6, true), Some(333_333));
    assert_eq!(decimal_quotient(20, 30, 1, true), Some(7));
    assert_eq!(decimal_quotient(-1, 2, 0, true), Some(-1));
    assert_eq!(decimal_quotient(-7, 2, 0, false), Some(-3));
    assert_eq!(decimal_quotient(700, 2, -1, false), Some(35));
    assert_eq!(decimal_quotient(i128::MAX, 1, 38, true), None);
}
