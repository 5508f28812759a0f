use super::*;
use arrow::array::{Array, AsArray, Int64Array};
use arrow::datatypes::Int64Type;

// spec: ROW-13
#[test]
fn changed_row_keeps_its_id_and_loses_its_commit_version() {
    let longs = |values: Vec<i64>| Arc::new(Int64Array::from(values)) as ArrayRef;
    let (id, version) = (HiddenColumn::RowId.name(), HiddenColumn::RowCommitVersion.name());
    let rows = RecordBatch::try_from_iter_with_nullable([
        ("a", longs(vec![1, 2]), true),
        (id, longs(vec![7, 8]), true),
        (version, longs(vec![3, 3]), true),
    ]);
    let changed = as_changed(rows.unwrap()).unwrap();
    let column = |name: &str| changed.column_by_name(name).unwrap();
    assert_eq!(column(id).as_primitive::<Int64Type>().values(), &[7, 8]);
    assert_eq!((column(version).null_count(), column("a").null_count()), (2, 0));
}

// spec: ROW-8
#[test]
fn file_with_a_vector_says_how_many_rows_it_has() {
    let text = r#"{"path":"a","partitionValues":{},"size":7,"modificationTime":0,"dataChange":true}"#;
    let file = |stats: Option<&str>| Add { stats: stats.map(str::to_owned), ..serde_json::from_str(text).unwrap() };
    for stats in [None, Some("no JSON"), Some(r#"{"minValues":{"x":1.10}}"#), Some(r#"{"numRecords":9}"#), Some(r#"{"numRecords":-4}"#)] {
        let counted = counted(file(stats), 9);
        assert_eq!(counted.num_records(), Some(9), "{stats:?}");
        let kept = stats.is_some_and(|s| s.contains("1.10"));
        assert_eq!(counted.stats.unwrap().contains("1.10"), kept, "numbers keep their digits");
    }
}
