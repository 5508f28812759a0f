use super::*;
use crate::env::Env;
use arrow::array::{Int64Array, StringArray};
use arrow::datatypes::Int64Type;
use futures::TryStreamExt;

fn batch(from: i64, rows: i64) -> RecordBatch {
    let ids = Int64Array::from_iter_values(from..from + rows);
    let texts = StringArray::from_iter((from..from + rows).map(|i| (i % 3 > 0).then(|| format!("row {i}"))));
    RecordBatch::try_from_iter_with_nullable([("id", Arc::new(ids) as ArrayRef, true), ("text", Arc::new(texts) as ArrayRef, true)])
        .expect("a batch")
}

fn files_below(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path());
    entries.map(|p| if p.is_dir() { files_below(&p) } else { 1 }).sum()
}

// spec: EXE-2, EXE-3
#[tokio::test]
async fn rows_come_back_from_disk_with_their_keys_and_leave_no_file_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let env = Env::system().with_spill_folder(folder.path().to_path_buf());
    let runtime = Runtime::new(&env).expect("a runtime");
    let rows = batch(0, 5000);
    let count = partition_count(1);
    let mut parts = Partitions::new(&runtime, &rows.schema(), count).expect("partitions");
    for at in [0, 2000, 4000] {
        let slice = rows.slice(at, 2000.min(5000 - at));
        let keys = Keys::of(&[slice.column(0).clone()], &[false], slice.num_rows()).expect("keys");
        parts.push(&slice, &keys).expect("written");
    }
    let parts = parts.finish().expect("finished");
    assert_eq!(parts.len(), count);
    assert!(files_below(folder.path()) > 1, "rows were spread");
    let mut seen = Vec::new();
    for part in &parts {
        for _ in 0..2 {
            let read: Vec<_> = part.read().expect("a stream").try_collect().await.expect("rows");
            for (batch, keys) in &read {
                let again = Keys::of(&[batch.column(0).clone()], &[false], batch.num_rows()).expect("keys");
                assert_eq!(keys.0, again.0);
            }
        }
        let mut read = part.read().expect("a stream");
        while let Some((batch, _)) = read.try_next().await.expect("rows") {
            assert_eq!(batch.num_columns(), 2);
            seen.extend(batch.column(0).as_primitive::<Int64Type>().values().iter().copied());
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..5000).collect::<Vec<i64>>());
    drop((parts, runtime));
    assert_eq!(files_below(folder.path()), 0);
}

#[test]
fn a_folder_that_cannot_hold_files_is_named() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let env = Env::system().with_spill_folder(file.path().join("below"));
    let e = Runtime::new(&env).expect_err("no folder");
    assert_eq!(e.code(), Code::SPILL);
    assert!(e.to_string().contains("below"), "{e}");
}
