use super::*;
use crate::sim::build::add;

fn vector(name: &str, cardinality: i64) -> VectorDescriptor {
    VectorDescriptor { storage_type: "u".into(), path_or_inline_dv: name.into(), offset: Some(1), size_in_bytes: 40, cardinality }
}

fn of_file(stats: &str, old: Option<VectorDescriptor>, cardinality: i64) -> RowDelete {
    let mut file = add("a", false);
    file.stats = Some(stats.to_owned());
    file.deletion_vector = old;
    (file.base_row_id, file.default_row_commit_version) = (Some(10), Some(3));
    RowDelete { file, rows: Arc::new([1].into_iter().collect()), vector: vector("new", cardinality) }
}

// spec: COM-15
#[test]
fn row_delete_is_a_remove_of_the_old_vector_and_an_add_of_the_new_one() {
    let row_delete = of_file(r#"{"numRecords":4,"maxValues":{"d":12.340000,"n":9007199254740993}}"#, Some(vector("old", 1)), 2);
    let (remove, add) = (row_delete.remove(Timestamp(7)), row_delete.add().unwrap());
    assert_eq!((remove.deletion_vector, add.deletion_vector), (Some(vector("old", 1)), Some(vector("new", 2))));
    assert_eq!((remove.data_change, add.data_change), (true, true));
    assert_eq!((remove.base_row_id, add.base_row_id), (Some(10), Some(10)));
    assert_eq!((remove.default_row_commit_version, add.default_row_commit_version), (Some(3), Some(3)));
    assert_eq!((remove.stats.as_deref(), remove.deletion_timestamp), (Some(r#"{"numRecords":4}"#), Some(7)));
    // Numbers keep every digit.
    let stats = r#"{"maxValues":{"d":12.340000,"n":9007199254740993},"numRecords":4,"tightBounds":false}"#;
    assert_eq!(add.stats.as_deref(), Some(stats));
}

// spec: COM-15
#[test]
fn file_whose_rows_are_all_gone_is_only_removed() {
    assert!(of_file(r#"{"numRecords":2}"#, Some(vector("old", 1)), 2).add().is_none());
    assert!(of_file(r#"{"numRecords":3,"tightBounds":true}"#, None, 2).add().unwrap().stats.unwrap().contains(r#""tightBounds":false"#));
}
