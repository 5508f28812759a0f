use super::*;

fn file(size: i64) -> Add {
    serde_json::from_str(&format!(r#"{{"path":"f{size}","partitionValues":{{}},"size":{size},"modificationTime":0,"dataChange":false}}"#))
        .unwrap()
}

// spec: OPT-9
#[test]
fn metrics_are_those_of_spark() {
    let mut sizes = Sizes::default();
    sizes.count(&[file(1), file(2), file(3)], &[file(30), file(10), file(20), file(40)]);
    let metrics = sizes.metrics();
    let of = |key: &str| metrics[key].as_i64().unwrap();
    assert_eq!((of("numAddedFiles"), of("numRemovedFiles"), of("numAddedBytes"), of("numRemovedBytes")), (4, 3, 100, 6));
    let keys = ["minFileSize", "p25FileSize", "p50FileSize", "p75FileSize", "maxFileSize"];
    assert_eq!(keys.map(of), [10, 20, 30, 40, 40]);
    assert_eq!(Sizes::default().metrics()["p50FileSize"], 0);
}
