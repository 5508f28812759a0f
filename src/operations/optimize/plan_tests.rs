use super::*;

fn file(path: &str, size: u64, p: Option<&str>) -> Add {
    let mut add: Add = serde_json::from_str(&format!(
        r#"{{"path":"{path}","partitionValues":{{}},"size":{size},"modificationTime":0,"dataChange":true,"stats":"{{\"numRecords\":3,\"maxValues\":{{\"a\":1}}}}"}}"#
    ))
    .unwrap();
    add.partition_values.insert("p".to_owned(), p.map(str::to_owned));
    add
}

// spec: OPT-2
#[test]
fn files_of_different_partitions_are_never_joined() {
    let files = [file("a", 1, Some("x")), file("b", 1, None), file("c", 1, Some("x")), file("d", 1, Some("")), file("e", 1, None)];
    let groups = divided(&Layout::Pack(Pack::Small), files.into_iter(), 100);
    let names: Vec<Vec<&str>> = groups.iter().map(|group| group.paths().collect()).collect();
    assert_eq!(names, [vec!["b", "e"], vec!["a", "c"]]);
}

// spec: OPT-8
#[test]
fn cost_of_small_and_large_files_is_told() {
    let mut summary = Plan::new("OPTIMIZE", None);
    cost_of(
        &Group { files: vec![file("a%20b", 100, None), file("c", 3 << 20, None)], reason: "why".to_owned() },
        &Layout::Pack(Pack::Small),
        TARGET_BYTES,
        &mut summary,
    );
    assert_eq!((summary.requests.get, summary.requests.put, summary.requests.head), (3, 1, 0));
    assert_eq!((summary.bytes_read, summary.amount("remove").count, summary.amount("add").count), (100 + (3 << 20), 2, 1));
    assert_eq!((summary.items[0].path.as_str(), summary.items[0].reason.as_str()), ("a b", "why"));
    let mut large = Plan::new("OPTIMIZE", None);
    cost_of(
        &Group { files: vec![file("c", 100 << 20, None)], reason: String::new() },
        &Layout::Pack(Pack::Small),
        TARGET_BYTES,
        &mut large,
    );
    assert_eq!((large.requests.get, large.requests.put, large.requests.head), (3, 15, 1));
    assert_eq!(cut(file("a", 1, None), Some(3)).stats.as_deref(), Some("{\"numRecords\":3}"));
}
