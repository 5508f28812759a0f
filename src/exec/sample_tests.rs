use super::*;
use arrow::array::{
    BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray, StringViewArray,
    TimestampMicrosecondArray,
};
use std::sync::Arc;

const BITS: u32 = 10;

fn ranks_of(columns: &[ArrayRef]) -> Vec<Vec<u32>> {
    let types: Vec<DataType> = columns.iter().map(|c| c.data_type().clone()).collect();
    let mut sampler = Sampler::new(&types, &Env::system()).expect("a sampler");
    sampler.push(columns).expect("sampled");
    let mut ranks = sampler.finish().0.ranks(columns).expect("ranks");
    ranks.iter_mut().flatten().for_each(|rank| *rank >>= rank_bits(columns.len()) - BITS);
    ranks
}

fn never_against(column: ArrayRef) {
    // Arrow's own order of the values, null first.
    let order = arrow::compute::sort_to_indices(&column, None, None).expect("an order");
    let ranks = ranks_of(&[Arc::clone(&column)]).remove(0);
    let sorted: Vec<u32> = order.values().iter().map(|row| ranks[*row as usize]).collect();
    assert!(sorted.is_sorted(), "{:?}: {sorted:?}", column.data_type());
    assert!(sorted.first() < sorted.last(), "{:?} is told apart", column.data_type());
}

// spec: ZOR-2
#[test]
fn ranks_follow_the_order_of_every_type_with_null_first() {
    let texts = [Some("b"), None, Some(""), Some("a"), Some("z\u{10ffff}"), Some("a")];
    never_against(Arc::new(StringArray::from(texts.to_vec())));
    never_against(Arc::new(StringViewArray::from(texts.to_vec())));
    never_against(Arc::new(BinaryArray::from(vec![Some(&b"\xff"[..]), None, Some(b""), Some(b"\x00")])));
    never_against(Arc::new(BooleanArray::from(vec![Some(true), None, Some(false), Some(true)])));
    never_against(Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(0), Some(-1), Some(i64::MAX)])));
    never_against(Arc::new(Date32Array::from(vec![Some(-5), Some(7), None])));
    never_against(Arc::new(TimestampMicrosecondArray::from(vec![Some(-1), None, Some(1)]).with_timezone("UTC")));
    let floats = vec![Some(f64::NAN), Some(-0.0), Some(f64::NEG_INFINITY), None, Some(1.5), Some(-2.0), Some(f64::INFINITY)];
    never_against(Arc::new(Float64Array::from(floats)));
    for precision in [18, 38] {
        let numbers = Decimal128Array::from(vec![Some(-10i128.pow(17)), None, Some(5), Some(10i128.pow(17)), Some(-5)]);
        never_against(Arc::new(numbers.with_precision_and_scale(precision, 2).expect("a decimal")));
    }
}

#[test]
fn a_type_without_an_order_is_refused() {
    let list = DataType::new_list(DataType::Int64, true);
    assert_eq!(Sampler::new(&[list], &Env::system()).err().map(|e| e.code()), Some(Code::SCHEMA));
}

// spec: ZOR-3
#[test]
fn a_frequent_value_has_a_range_of_its_own_and_its_neighbours_keep_theirs() {
    // Nine rows of ten are 500; the others are spread over 0 to 999.
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values((0..10_000).map(|i| if i % 10 == 0 { i / 10 } else { 500 })));
    let ranks = ranks_of(&[Arc::clone(&column)]).remove(0);
    let of = |value: i64| {
        let row = (0..10_000).find(|i| (if i % 10 == 0 { i / 10 } else { 500 }) == value).expect("a row");
        ranks[row as usize]
    };
    assert!(of(499) < of(500) && of(500) < of(501), "{} {} {}", of(499), of(500), of(501));
    assert!((480..=544).contains(&of(500)), "it lies in the middle: {}", of(500));
    assert!(of(0) < 2 && of(999) > 1020);
}

// spec: ZOR-3
#[test]
fn two_values_differ_in_the_leading_bit() {
    let column: ArrayRef = Arc::new(StringArray::from_iter_values((0..1000).map(|i| if i % 2 == 0 { "no" } else { "yes" })));
    let ranks = ranks_of(&[column]).remove(0);
    assert_eq!((ranks[0] >> (BITS - 1), ranks[1] >> (BITS - 1)), (0, 1));
}

#[test]
fn all_values_alike_or_none_at_all_have_one_rank() {
    let column: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>; 50]));
    assert_eq!(ranks_of(&[column]), [vec![512; 50]]);
    let sampler = Sampler::new(&[DataType::Int64], &Env::system()).expect("a sampler");
    let ranges = sampler.finish().0;
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    assert_eq!(ranges.ranks(&[column]).expect("ranks").remove(0).len(), 2);
}

// spec: ZOR-2
#[test]
fn a_bounded_sample_of_many_rows_cuts_them_evenly_wherever_they_stand() {
    let mut sampler = Sampler::new(&[DataType::Int64, DataType::Utf8], &Env::system()).expect("a sampler");
    let rows = 400_000i64;
    // Sorted input: a sample of the first rows would miss most values.
    let batch = |from: i64| -> [ArrayRef; 2] {
        let numbers = from..from + 8_000;
        [
            Arc::new(Int64Array::from_iter_values(numbers.clone())),
            Arc::new(StringArray::from_iter_values(numbers.map(|i| format!("{}{i:09}", "prefix".repeat(4))))),
        ]
    };
    for from in (0..rows).step_by(8_000) {
        sampler.push(&batch(from)).expect("sampled");
    }
    assert_eq!(sampler.seen, rows as u64);
    let kept = sampler.kept.iter().map(|v| match v {
        Values::Words(v) => v.len(),
        Values::Bytes(v) => v.len(),
    });
    assert_eq!(kept.collect::<Vec<_>>(), [VALUES_MAX / 5; 2], "a text counts as four numbers");
    let (ranges, sample) = sampler.finish();
    assert!(sample.iter().all(|ranks| ranks.len() == VALUES_MAX / 5 && ranks.iter().any(|rank| *rank > 1000)));
    for from in (0..rows).step_by(80_000) {
        let expected = from * 1024 / rows;
        for (column, ranks) in ranges.ranks(&batch(from)).expect("ranks").iter().enumerate() {
            let off = (i64::from(ranks[0]) - expected).abs();
            assert!(off <= 25, "column {column} at {from}: rank {} instead of {expected}", ranks[0]);
        }
    }
}
