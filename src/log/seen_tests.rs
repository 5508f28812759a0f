use super::*;

fn set(root: &str) -> SeenFiles {
    SeenFiles::new(&Url::parse(root).unwrap())
}
fn key(path: &str) -> FileKey<'_> {
    FileKey { path, vector: None }
}
fn with_vector(path: &str, offset: Option<i32>) -> FileKey<'_> {
    FileKey { path, vector: Some(VectorKey { storage_type: "u", path_or_inline: "ab", offset }) }
}

// spec: REC-24
#[test]
fn spellings_of_one_path_are_one_key() {
    let mut seen = set("file:///data/my%20table/");
    assert!(seen.insert(key("p=a%20b/x.parquet")));
    for same in [
        "p=a b/x.parquet",
        "p=a%20b/x%2Eparquet",
        "/data/my%20table/p=a%20b/x.parquet",
        "/data/my table/p=a b/x.parquet",
        "file:/data/my%20table/p=a%20b/x.parquet",
        "file:///data/my%20table/p=a%20b/x.parquet",
        "FILE:///data/my%20table/p=a%20b/x.parquet",
    ] {
        assert!(seen.contains(key(same)), "{same}");
        assert!(!seen.insert(key(same)), "{same}");
    }
    for other in
        ["p=a%2520b/x.parquet", "p=a+b/x.parquet", "/data/my%20table2/p=a%20b/x.parquet", "s3://b/data/my%20table/p=a%20b/x.parquet"]
    {
        assert!(!seen.contains(key(other)), "{other}");
    }
}

// spec: REC-24
#[test]
fn absolute_paths_outside_the_table_stay_absolute() {
    let mut seen = set("s3://bucket/t/");
    assert!(seen.insert(key("s3a://bucket/t/x")));
    assert!(!seen.insert(key("x")));
    assert!(!seen.insert(key("/t/x")));
    assert!(seen.insert(key("s3://other/t/x")));
    assert!(seen.insert(key("s3://bucket/u/x")));
    assert!(!seen.insert(key("/u/x")));
}

// spec: REC-24
#[test]
fn a_colon_in_a_partition_is_not_a_scheme() {
    let form = PathForm::new(&Url::parse("file:///t/").unwrap());
    assert_eq!(&*form.normalise("time=1971-07-22T03:06:40/x"), b"time=1971-07-22T03:06:40/x");
    assert_eq!(&*form.normalise("a:b/x"), b"a:b/x");
}

// spec: REC-23
#[test]
fn the_vector_is_part_of_the_key() {
    let mut seen = set("memory:///t/");
    assert!(seen.insert(key("x")));
    assert!(seen.insert(with_vector("x", None)));
    assert!(seen.insert(with_vector("x", Some(1))));
    assert!(!seen.insert(with_vector("x", Some(1))));
    assert!(seen.insert(with_vector("x", Some(2))));
    // The border between path and id counts.
    assert!(!seen.contains(key("xuab")));
}

#[test]
fn many_keys_stay_exact() {
    let mut seen = set("memory:///t/");
    for i in 0..20_000 {
        assert!(seen.insert(key(&format!("part-{i:05}.parquet"))));
    }
    for i in 0..20_000 {
        assert!(seen.contains(key(&format!("part-{i:05}.parquet"))));
        assert!(!seen.contains(key(&format!("part-{i:05}.parquets"))));
    }
}
