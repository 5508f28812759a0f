use super::*;
use arrow::array::{BinaryArray, ListArray, new_null_array};
use arrow::buffer::OffsetBuffer;

/// Two names: `a` and `b`.
const METADATA: &[u8] = b"\x01\x02\x00\x01\x02ab";

/// A null within lists of one element.
fn lists(depth: usize) -> Vec<u8> {
    let mut value = Vec::new();
    for inside in (0..depth).rev() {
        value.extend([3 | 3 << 2, 1, 0, 0, 0, 0]);
        value.extend((inside as u32 * 10 + 1).to_le_bytes());
    }
    value.push(0);
    value
}

/// A null within objects of two fields, both of which are the same bytes.
fn twins(depth: usize) -> Vec<u8> {
    let mut value = vec![0];
    for _ in 0..depth {
        let length = (value.len() as u32).to_le_bytes();
        let head = [&[2 | 3 << 2, 2, 0, 1][..], &[0; 8], &length].concat();
        value.splice(0..0, head);
    }
    value
}

fn pair(value: &[u8]) -> ArrayRef {
    let pieces: [(&str, ArrayRef); 2] =
        [("metadata", Arc::new(BinaryArray::from_vec(vec![METADATA]))), ("value", Arc::new(BinaryArray::from_vec(vec![value])))];
    Arc::new(StructArray::from(pieces.map(|(name, a)| (Arc::new(ArrowField::new(name, ArrowType::Binary, false)), a)).to_vec()))
}

/// The value as the only element of a list that is shredded.
fn shredded(value: &[u8]) -> ArrayRef {
    let element = StructArray::from(vec![
        (Arc::new(ArrowField::new("value", ArrowType::Binary, true)), Arc::new(BinaryArray::from_vec(vec![value])) as ArrayRef),
        (Arc::new(ArrowField::new("typed_value", ArrowType::Int64, true)), new_null_array(&ArrowType::Int64, 1)),
    ]);
    let item = Arc::new(ArrowField::new("element", element.data_type().clone(), false));
    let list = ListArray::new(item, OffsetBuffer::from_lengths([1]), Arc::new(element), None);
    Arc::new(StructArray::from(vec![
        (Arc::new(ArrowField::new("metadata", ArrowType::Binary, false)), Arc::new(BinaryArray::from_vec(vec![METADATA])) as ArrayRef),
        (Arc::new(ArrowField::new("value", ArrowType::Binary, true)), new_null_array(&ArrowType::Binary, 1)),
        (Arc::new(ArrowField::new("typed_value", list.data_type().clone(), true)), Arc::new(list)),
    ]))
}

// spec: VAR-3
#[test]
fn a_value_as_deep_as_may_be_has_its_text_and_one_level_more_is_damaged() {
    let text = json_text(&pair(&lists(DEPTH_MAX)), 0).unwrap().unwrap();
    assert_eq!(text, format!("{}null{}", "[".repeat(DEPTH_MAX), "]".repeat(DEPTH_MAX)));
    for depth in [DEPTH_MAX + 1, 20_000] {
        assert_eq!(json_text(&pair(&lists(depth)), 0).unwrap_err().code(), Code::FILE);
    }
}

// spec: VAR-3
#[test]
fn a_deep_value_in_a_shredded_piece_is_damaged_too() {
    let whole = unshredded(&shredded(&lists(DEPTH_MAX - 1))).unwrap();
    assert!(json_text(&whole, 0).unwrap().unwrap().starts_with("[[["));
    assert_eq!(unshredded(&shredded(&lists(20_000))).unwrap_err().code(), Code::FILE);
}

// spec: VAR-3
#[test]
fn values_that_share_bytes_are_refused_before_they_are_walked_for_ever() {
    assert_eq!(json_text(&pair(&twins(1)), 0).unwrap().unwrap(), r#"{"a":null,"b":null}"#);
    assert_eq!(json_text(&pair(&twins(60)), 0).unwrap_err().code(), Code::FILE);
}

// spec: VAR-3
#[test]
fn headers_that_promise_more_than_there_is_are_damaged() {
    let deep = lists(3);
    for end in 0..deep.len() {
        assert!(json_text(&pair(&deep[..end]), 0).is_err(), "{end} bytes");
    }
    for header in 0..=255u8 {
        let value = [&[header][..], &[0xff; 40]].concat();
        let _ = json_text(&pair(&value), 0);
    }
}
