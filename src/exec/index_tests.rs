use super::*;
use arrow::array::{Float64Array, Int64Array, StringArray};
use std::sync::Arc;

fn keys(values: &[Option<i64>]) -> Keys {
    Keys::of(&[Arc::new(Int64Array::from(values.to_vec())) as ArrayRef], &[false], values.len()).expect("keys")
}

fn all(index: &KeyIndex, probe: &Keys, limit: usize) -> Vec<(u32, u32)> {
    let (mut progress, mut out) = (Progress::default(), Vec::new());
    loop {
        let (a, b) = index.candidates(probe, &mut progress, limit);
        assert!(a.len() <= limit);
        if a.is_empty() {
            return out;
        }
        out.extend(a.into_iter().zip(b));
    }
}

// spec: EXE-1
#[test]
fn equal_keys_meet_whatever_the_limit_and_null_keys_never_do() {
    let index = KeyIndex::new(&[keys(&[Some(1), Some(2), None]), keys(&[Some(1), None, Some(7)])]).expect("index");
    let probe = keys(&[Some(1), None, Some(7), Some(9), Some(1)]);
    let expected = vec![(0, 0), (0, 3), (2, 5), (4, 0), (4, 3)];
    for limit in [1, 2, 3, 100] {
        assert_eq!(all(&index, &probe, limit), expected, "limit {limit}");
    }
}

#[test]
fn null_equals_null_only_where_it_is_said() {
    let column = |values: Vec<Option<&str>>| Arc::new(StringArray::from(values)) as ArrayRef;
    let of = |a: Vec<Option<&str>>, b: Vec<Option<&str>>, safe: &[bool]| {
        let rows = a.len();
        Keys::of(&[column(a), column(b)], safe, rows).expect("keys")
    };
    let (a, b) = (vec![None, Some("x")], vec![Some("y"), None]);
    let safe = of(a.clone(), b.clone(), &[true, true]);
    assert_eq!(all(&KeyIndex::new(std::slice::from_ref(&safe)).expect("index"), &safe, 9), vec![(0, 0), (1, 1)]);
    let half = of(a, b, &[true, false]);
    assert_eq!(all(&KeyIndex::new(std::slice::from_ref(&half)).expect("index"), &half, 9), vec![(0, 0)]);
}

#[test]
fn without_key_columns_every_pair_is_a_candidate() {
    let index = KeyIndex::new(&[Keys::of(&[], &[], 2).expect("keys"), Keys::of(&[], &[], 1).expect("keys")]).expect("index");
    let pairs = all(&index, &Keys::of(&[], &[], 2).expect("keys"), 4);
    assert_eq!(pairs, vec![(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]);
}

#[test]
fn numbers_that_compare_equal_have_one_key() {
    let column = |values: Vec<f64>| Arc::new(Float64Array::from(values)) as ArrayRef;
    let build = Keys::of(&[column(vec![0.0, f64::NAN])], &[false], 2).expect("keys");
    let probe = Keys::of(&[column(vec![-0.0, -f64::NAN])], &[false], 2).expect("keys");
    assert_eq!(all(&KeyIndex::new(&[build]).expect("index"), &probe, 9), vec![(0, 0), (1, 1)]);
}
