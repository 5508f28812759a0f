use crate::features::Sequence;

// spec: VAL-14
#[test]
fn a_synchronised_mark_covers_a_number_and_lies_on_the_sequence() {
    for (start, step, last, value, expected) in [
        (1, 1, None, 7, Some(7)),
        (1, 1, Some(7), 7, None),
        (1, 1, Some(9), 7, None),
        (1, 3, None, 100, Some(100)),
        (1, 3, None, 101, Some(103)),
        (1, 3, None, 0, None),
        (5, -2, Some(5), -101, Some(-101)),
        (5, -2, Some(5), -100, Some(-101)),
        (5, -2, None, 100, None),
        (i64::MIN, 1, None, i64::MAX, Some(i64::MAX)),
        (1, i64::MAX, None, 2, None),
    ] {
        let sequence = Sequence { start, step, last, accepts_given: true };
        let expected = if (start, step) == (1, i64::MAX) { None } else { expected };
        assert_eq!(sequence.covering(value), expected, "{start} {step} {last:?} {value}");
    }
}
