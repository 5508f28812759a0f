use super::*;
use crate::env::Env;
use arrow::array::{BooleanArray, Int64Array, StringArray, TimestampMicrosecondArray};
use std::sync::Arc;

#[test]
fn rows_become_files_of_the_table_and_no_name_is_decoded() {
    // spec: VAC-17
    let root = TableRoot::open("s3://lake/a b/t", &crate::storage::StorageOptions::new().environment([]), &Env::system()).unwrap();
    let batch = RecordBatch::try_from_iter([
        ("modificationtime", Arc::new(TimestampMicrosecondArray::from(vec![7_000, 7_000, 7_000, 7_000, 7_000])) as ArrayRef),
        (
            "path",
            Arc::new(StringArray::from(vec![
                "s3a://lake/a b/t/p=x%3Ay/f",
                "s3://lake/a b/t",
                "s3://lake/other",
                "p/q",
                "s3://lake/a b/t/d",
            ])),
        ),
        ("length", Arc::new(StringArray::from(vec!["1", "2", "3", "4", "5"]))),
        ("isDir", Arc::new(BooleanArray::from(vec![false, false, false, false, true]))),
    ]);
    let files = files(&root, &batch.unwrap()).unwrap();
    let listed = |path: &str, size| Listed { path: path.to_owned(), size, modified: 7 };
    assert_eq!(files, [listed("p=x%3Ay/f", 1), listed("p/q", 4)]);
    let bad = RecordBatch::try_from_iter([
        ("path", Arc::new(StringArray::from(vec!["x"])) as ArrayRef),
        ("length", Arc::new(Int64Array::from(vec![None]))),
        ("isDir", Arc::new(BooleanArray::from(vec![false]))),
        ("modificationTime", Arc::new(Int64Array::from(vec![1]))),
    ]);
    assert_eq!(super::files(&root, &bad.unwrap()).unwrap_err().code(), Code::INPUT);
}
