use super::*;
use crate::schema::DataType;
use arrow::array::{Int32Array, StringArray};
use std::sync::Arc;

fn field(name: &str) -> Field {
    Field::new(name, DataType::String, true)
}

fn path_of(value: Option<&str>) -> String {
    let values = NullableMap::from([("s".to_owned(), value.map(str::to_owned))]);
    log_path(&directory(&[field("s")], &values))
}

#[test]
fn special_characters_are_escaped_for_the_folder_then_for_the_uri() {
    // spec: PV-20, PV-21
    assert_eq!(path_of(Some("a b/c=%:+?#&\"é😀")), "s=a%20b%252Fc%253D%2525%253A+%253F%2523&%2522é😀/");
    assert_eq!(path_of(Some("2020-01-01 00:00:00")), "s=2020-01-01%2000%253A00%253A00/");
    assert_eq!(path_of(Some("é%")), "s=é%2525/");
    assert_eq!(path_of(Some("a\u{1}\u{7f}\u{a0}<>|`}")), "s=a%2501%257F%C2%A0%3C%3E%7C%60%7D/");
}

#[test]
fn null_and_empty_share_the_null_folder() {
    // spec: PV-22
    assert_eq!(path_of(None), "s=__HIVE_DEFAULT_PARTITION__/");
    assert_eq!(path_of(Some("")), "s=__HIVE_DEFAULT_PARTITION__/");
}

#[test]
fn a_log_path_decoded_once_is_the_name_in_the_store() {
    // spec: PV-21
    for value in ["a b", "100%", "%41", "x/y", "..", "+", "日本 語", "a\nb", "\u{2028}"] {
        let values = NullableMap::from([("s".to_owned(), Some(value.to_owned()))]);
        let name = directory(&[field("s")], &values);
        let decoded = percent_encoding::percent_decode_str(&log_path(&name)).decode_utf8().unwrap().into_owned();
        assert_eq!(decoded, name);
    }
}

#[test]
fn rows_are_split_by_all_columns_and_keys_compare_over_batches() {
    // spec: PV-23
    let mut splitter = Splitter::new(vec![ArrowType::Utf8, ArrowType::Int32]).unwrap();
    let batch = |s: Vec<Option<&str>>, i: Vec<Option<i32>>| -> Vec<ArrayRef> {
        vec![Arc::new(StringArray::from(s)), Arc::new(Int32Array::from(i))]
    };
    let first = splitter.split(&batch(vec![Some("a"), None, Some("a"), Some("a")], vec![Some(1), None, Some(1), Some(2)])).unwrap();
    let rows: Vec<_> = first.iter().map(|s| s.rows.as_ref().unwrap().values().to_vec()).collect();
    assert_eq!(rows, [vec![0, 2], vec![1], vec![3]]);
    let second = splitter.split(&batch(vec![None], vec![None])).unwrap();
    assert!(second[0].key == first[1].key);
    assert!(second[0].rows.is_none(), "a batch of one partition is not copied");
}

#[test]
fn empty_text_becomes_null_and_other_values_stay() {
    // spec: PV-22
    let column: ArrayRef = Arc::new(StringArray::from(vec![Some(""), Some("x"), None]));
    let out = empty_to_null(&column).unwrap();
    assert_eq!(out.as_string::<i32>(), &StringArray::from(vec![None, Some("x"), None]));
}
