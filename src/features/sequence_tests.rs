use super::*;

fn sequence(start: i64, step: i64, last: Option<i64>) -> Sequence {
    Sequence { start, step, last, accepts_given: false }
}

// spec: VAL-10
#[test]
fn numbers_begin_at_the_start_and_go_on_behind_the_last() {
    for (start, step, last, expected) in [
        (1, 1, None, [1, 2, 3]),
        (1, 1, Some(7), [8, 9, 10]),
        (10, 5, Some(12), [15, 20, 25]),
        (10, 5, Some(15), [20, 25, 30]),
        (-1, -2, None, [-1, -3, -5]),
        (-1, -2, Some(-4), [-5, -7, -9]),
        (-1, -2, Some(-5), [-7, -9, -11]),
        // A last number before the start gives no number before it.
        (100, 10, Some(3), [100, 110, 120]),
        (-100, -10, Some(0), [-100, -110, -120]),
        (i64::MIN, i64::MAX, None, [i64::MIN, -1, i64::MAX - 1]),
    ] {
        let mut s = sequence(start, step, last);
        let mut all = s.take(2).expect("fits");
        all.extend(s.take(1).expect("fits"));
        assert_eq!(all, expected, "{start} {step} {last:?}");
        assert_eq!(s.last, Some(expected[2]));
    }
}

// spec: VAL-10
#[test]
fn numbers_that_do_not_fit_are_an_error_and_none_is_taken() {
    for (start, step, last) in [(1, 1, Some(i64::MAX - 1)), (0, i64::MIN, Some(i64::MIN)), (i64::MAX, 1, None)] {
        let mut s = sequence(start, step, last);
        let error = s.take(2).expect_err("too many");
        assert_eq!((error.code(), s.last), (Code::LIMIT, last));
    }
    let mut s = sequence(i64::MAX, 1, None);
    assert_eq!(s.take(1).expect("one fits"), [i64::MAX]);
    assert_eq!(s.take(1).expect_err("no more").code(), Code::LIMIT);
}

// spec: VAL-10
#[test]
fn taking_nothing_changes_nothing() {
    let mut s = sequence(1, 1, None);
    assert!(s.take(0).expect("nothing").is_empty());
    assert_eq!(s.last, None);
}
