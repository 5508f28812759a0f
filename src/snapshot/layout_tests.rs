use super::*;

fn even(files: usize, overlap: f64) -> (f64, f64) {
    let spans: Vec<(f64, f64)> = (0..files).map(|i| (i as f64, i as f64 + 0.999 + overlap)).collect();
    look_ups(&spans, &vec![10.0; files])
}

// spec: ZOR-12
#[test]
fn depth_is_one_where_nothing_overlaps_and_all_files_where_everything_does() {
    let (depth, percent) = even(1000, 0.0);
    assert!((depth - 1.0).abs() < 0.02, "{depth}");
    assert!((10.0..=12.5).contains(&percent), "one in a hundred of 1,000 files, and the edges: {percent}");
    assert_eq!(look_ups(&[(0.0, 9.0); 40], &[1.0; 40]), (40.0, 40.0));
    let (depth, _) = even(1000, 3.0);
    assert!((3.5..=4.5).contains(&depth), "{depth}");
    assert_eq!(look_ups(&[], &[]), (0.0, 0.0));
}

// spec: ZOR-12
#[test]
fn large_files_count_by_their_rows() {
    // Nearly all rows lie where two files overlap.
    let (depth, _) = look_ups(&[(0.0, 1.0), (0.0, 1.0), (2.0, 3.0)], &[1000.0, 1000.0, 1.0]);
    assert!(depth > 1.9, "{depth}");
}

#[test]
fn texts_are_compared_after_what_they_have_in_common() {
    let texts: Vec<(String, String)> =
        (0..100).map(|i| (format!("https://example.com/{i:03}"), format!("https://example.com/{i:03}z"))).collect();
    let (depth, percent) = look_ups(&places(&texts), &[1.0; 100]);
    assert!(depth < 1.1 && percent < 3.1, "{depth} {percent}");
}

// spec: ZOR-12
#[test]
fn files_without_bounds_are_read_always_and_files_of_nulls_never() {
    let spans = Spans { unknown: 3, numbers: vec![(0.0, 1.0)], weights: vec![1.0], ..Spans::default() };
    let judged = spans.judge("a".to_owned());
    assert_eq!((judged.depth, judged.files_of_one_percent), (4.0, 4.0));
    let bound = |v: Vec<Option<i64>>| Arc::new(arrow::array::Int64Array::from(v)) as ArrayRef;
    let nulls = arrow::array::Int64Array::from(vec![Some(5), None, Some(0)]);
    let leaf = LeafStats { bounds: Some((bound(vec![None, None, Some(1)]), bound(vec![None, None, Some(2)]))), nulls };
    let mut spans = Spans::default();
    spans.push(&leaf, &[Some(5), Some(5), Some(5)]).expect("bounds");
    assert_eq!((spans.unknown, spans.numbers), (1, vec![(1.0, 2.0)]));
}

#[test]
fn a_curve_through_more_columns_is_expected_to_skip_less_of_each() {
    assert_eq!(expected(1, 3), 1.0);
    let (one, two, three) = (expected(39, 1), expected(39, 2), expected(39, 3));
    assert!(one < two && two < three && three < 14.0, "{one} {two} {three}");
}
