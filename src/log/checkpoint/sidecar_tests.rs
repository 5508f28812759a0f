use super::*;
use object_store::memory::InMemory;

fn key(path: &str) -> Result<String> {
    let root = TableRoot::with_store("memory:///t/".parse().unwrap(), Arc::new(InMemory::new()), Path::from("t"));
    sidecar_key(&root, path).map(|(_, key)| key.to_string())
}

// spec: CKP-6
#[test]
fn names_stay_in_their_folder_and_paths_in_their_table() {
    let there = "t/_delta_log/_sidecars/a b.parquet";
    for path in
        ["a%20b.parquet", "_sidecars/a%20b.parquet", "_delta_log/_sidecars/a%20b.parquet", "memory:///t/_delta_log/_sidecars/a%20b.parquet"]
    {
        assert_eq!(key(path).unwrap(), there, "{path}");
    }
    for path in [
        "",
        ".",
        "..",
        "%2e%2e",
        "..%2fx.parquet",
        "a%5Cb",
        "%00",
        "../x.parquet",
        "_sidecars/../../../x",
        "_delta_log/../../x",
        "/elsewhere/x",
        "memory:///other/x",
        "%ff",
    ] {
        assert!(key(path).is_err_and(|e| e.code() == Code::PATH), "{path}");
    }
    assert!(key("s3://elsewhere/x").is_err_and(|e| e.code() == Code::PATH_FOREIGN));
}
