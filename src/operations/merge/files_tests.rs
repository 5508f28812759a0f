use super::*;
use futures::{StreamExt, stream};
use serde_json::json;

fn file(path: &str) -> (FileTask, Add) {
    let add =
        json!({"path": path, "partitionValues": {}, "size": 7, "modificationTime": 1, "dataChange": true, "stats": "{\"numRecords\":3}"});
    let add: Add = serde_json::from_value(add).unwrap();
    (FileTask::of_add(&add).unwrap(), add)
}

// spec: MRG-18
#[tokio::test]
async fn files_whose_rows_wait_on_disk_are_held_without_their_statistics_and_found_again() {
    let mut files = Files::default();
    let known = files.known();
    for (number, path) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let (task, add) = file(path);
        known.began(number as u32, task, add);
    }
    files.touched(3).unwrap().going.insert(1);
    files.forget(0);
    files.set_aside(1);
    files.set_aside(2);
    let held = |files: &Files| files.known.lock().values().map(|(_, add)| usize::from(add.is_some())).collect::<Vec<_>>();
    assert_eq!(held(&files), [0, 0], "two wait on disk, neither as a whole action");
    files.touched(2).unwrap().going.insert(2);
    assert_eq!(files.touched(0).err().map(|e| e.code()), Some(Code::INTERNAL), "no row of it could go");
    let listed = || stream::iter(["d", "c", "b", "a"].map(|path| Ok(file(path)))).boxed();
    let found = found_again(std::mem::take(&mut files.touched).into_values(), Some(listed())).await.unwrap();
    let found: Vec<_> = found.iter().map(|(task, add, going)| (task.path.as_str(), add.stats.is_some(), going.max())).collect();
    assert_eq!(found, [("d", true, Some(1)), ("c", true, Some(2))]);
}

#[tokio::test]
async fn a_file_that_is_not_found_again_is_no_commit() {
    let mut other = file("a");
    let vector = crate::log::VectorDescriptor {
        storage_type: "u".to_owned(),
        path_or_inline_dv: "v".to_owned(),
        offset: None,
        size_in_bytes: 1,
        cardinality: 1,
    };
    other.0.vector = Some(vector);
    let touched = Touched { task: file("a").0, add: None, going: RoaringTreemap::new() };
    let e = found_again([touched].into_iter(), Some(stream::iter([Ok(other)]).boxed())).await.unwrap_err();
    assert_eq!(e.code(), Code::INTERNAL);
}
