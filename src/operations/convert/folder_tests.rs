use super::*;

fn file(name: &str, partitions: &str) -> Result<Option<Found>> {
    let columns = if partitions.is_empty() { Struct::default() } else { Struct::from_sql(partitions).unwrap() };
    found(name, 7, 5, &columns)
}

fn values(name: &str, partitions: &str) -> Vec<(String, Option<String>)> {
    file(name, partitions).unwrap().unwrap().partition_values.into_iter().collect()
}

// spec: CVT-2
#[test]
fn hidden_files_are_left_out_unless_their_folder_is_a_partition() {
    for hidden in ["_SUCCESS", ".part.crc", "_delta_log/0.json", "a/.tmp/x.parquet", "_symlink_format_manifest/manifest", "_q=1/x.parquet"]
    {
        assert_eq!(file(hidden, "").unwrap(), None, "{hidden}");
    }
    assert_eq!(values("_q=1/x.parquet", "_q INT"), [("_q".to_owned(), Some("1".to_owned()))]);
    assert_eq!(file("x.parquet", "").unwrap().unwrap().path, "x.parquet");
    assert_eq!(file("sub/x y.parquet", "").unwrap().unwrap().path, "sub/x%20y.parquet");
}

// spec: CVT-3
#[test]
fn folders_give_values_and_other_folders_are_refused() {
    let text = |v: &str| Some(v.to_owned());
    let of = |name: &str, partitions: &str| values(name, partitions).into_iter().map(|(_, v)| v).collect::<Vec<_>>();
    assert_eq!(of("p=x%3Dy%2F%25/d=01/f", "p STRING, d INT"), [text("1"), text("x=y/%")], "a value is written as the log has it");
    assert_eq!(of("P=a b/f", "p STRING"), [text("a b")], "in any case of letters");
    assert_eq!(file("p=x%3Dy/f", "p STRING").unwrap().unwrap().path, "p=x%253Dy/f", "the name in the store has the escape");
    assert_eq!(of("p=__HIVE_DEFAULT_PARTITION__/f", "p INT"), [None]);
    assert_eq!(of("p=/f", "p STRING"), [None]);
    for (name, partitions, code) in [
        ("p=1/f", "", Code::SCHEMA),
        ("f", "p INT", Code::SCHEMA),
        ("q=1/f", "p INT", Code::SCHEMA),
        ("a/p=1/f", "p INT", Code::SCHEMA),
        ("p=1/q=2/f", "q INT, p INT", Code::SCHEMA),
        ("p=one/f", "p INT", Code::SCHEMA),
        ("p=__HIVE_DEFAULT_PARTITION__/f", "p INT NOT NULL", Code::CONSTRAINT),
    ] {
        let e = file(name, partitions).unwrap_err();
        assert!(e.code() == code && e.context().iter().any(|(key, path)| *key == "path" && path == name), "{name}: {e}");
    }
}
