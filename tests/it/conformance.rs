//! One suite for every store that can hold a table. Memory and the local disk here; real servers in `servers/`.

use bytes::Bytes;
use futures::TryStreamExt;
use lakebed::{Env, LogFileKind, LogStore, PathLogStore, PutOutcome, StorageOptions, TableRoot, Version};
use object_store::{ObjectStoreExt, PutMode};

/// Everything the engine asks of a store. The table is new and is left behind.
pub async fn suite(location: &str, options: &StorageOptions) {
    let env = Env::system();
    let root = TableRoot::open(location, options, &env).unwrap();
    names(&root).await;
    ranges(&root).await;
    multipart(&root).await;
    log(&root).await;
    listing_stops_at_sub_folders(&root).await;
    race(&root).await;
}

// spec: STO-2, STO-7
async fn names(root: &TableRoot) {
    let names = ["a b", "100%", "%20", "x:y", "#", "?", "p=1+2", "é", "😀", "=", "a&b;c", "p=2020-01-01 00%3A00%3A00"];
    for name in names {
        let key = root.key(&format!("d/{name}/f"));
        root.store().put(&key, name.into()).await.unwrap_or_else(|e| panic!("{name}: {e}"));
        let encoded = format!("d/{}/f", percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC));
        let (store, resolved) = root.resolve(&encoded).unwrap();
        assert_eq!(resolved, key);
        assert_eq!(store.get(&resolved).await.unwrap().bytes().await.unwrap(), name);
    }
    let mut found: Vec<String> = root.store().list(Some(&root.key("d"))).map_ok(|m| m.location.to_string()).try_collect().await.unwrap();
    found.sort();
    let mut expected: Vec<String> = names.iter().map(|n| root.key(&format!("d/{n}/f")).to_string()).collect();
    expected.sort();
    assert_eq!(found, expected);
}

// spec: STO-10
async fn ranges(root: &TableRoot) {
    let key = root.key("r/file");
    assert!(matches!(root.store().head(&key).await, Err(object_store::Error::NotFound { .. })));
    assert!(matches!(root.store().get(&key).await, Err(object_store::Error::NotFound { .. })));
    root.store().put(&key, "0123456789".into()).await.unwrap();
    assert_eq!(root.store().head(&key).await.unwrap().size, 10);
    assert_eq!(root.store().get_range(&key, 2..5).await.unwrap(), "234");
    assert_eq!(root.store().get_ranges(&key, &[0..1, 9..10]).await.unwrap(), ["0", "9"]);
    root.store().put(&key, "over".into()).await.unwrap();
    assert_eq!(root.store().get(&key).await.unwrap().bytes().await.unwrap(), "over");
    root.store().delete(&key).await.unwrap();
    assert!(matches!(root.store().head(&key).await, Err(object_store::Error::NotFound { .. })));
}

// spec: STO-5
async fn multipart(root: &TableRoot) {
    let key = root.key("m/file");
    let part = Bytes::from(vec![7u8; 5 << 20]);
    let mut upload = root.store().put_multipart(&key).await.unwrap();
    upload.put_part(part.clone().into()).await.unwrap();
    upload.put_part("tail".into()).await.unwrap();
    assert!(root.store().head(&key).await.is_err(), "a file in the making is not in view");
    upload.complete().await.unwrap();
    assert_eq!(root.store().head(&key).await.unwrap().size, (5 << 20) + 4);
    let mut upload = root.store().put_multipart(&root.key("m/gone")).await.unwrap();
    upload.put_part(part.into()).await.unwrap();
    upload.abort().await.unwrap();
    assert!(root.store().head(&root.key("m/gone")).await.is_err());
}

// spec: STO-12
async fn log(root: &TableRoot) {
    let log = PathLogStore::new(root.clone());
    assert!(log.list(Version(0)).try_collect::<Vec<_>>().await.unwrap().is_empty());
    assert!(log.read_commit(Version(0)).await.unwrap().is_none());
    for version in 0..12 {
        let outcome = log.put_commit(Version(version), Bytes::from(version.to_string())).await;
        assert!(matches!(outcome, PutOutcome::Created), "{version}: {outcome:?}");
    }
    let outcome = log.put_commit(Version(3), Bytes::from_static(b"again")).await;
    assert!(matches!(outcome, PutOutcome::Exists), "{outcome:?}");
    assert_eq!(log.read_commit(Version(3)).await.unwrap().unwrap(), "3");
    let files: Vec<_> = log.list(Version(9)).try_collect().await.unwrap();
    assert_eq!(files.iter().map(|f| f.version.0).collect::<Vec<_>>(), [9, 10, 11]);
    assert!(files.iter().all(|f| f.kind == LogFileKind::Commit && f.size > 0 && f.modified > 0));
    assert_eq!(log.read(&files[1]).await.unwrap(), "10");
}

// spec: STO-11
async fn listing_stops_at_sub_folders(root: &TableRoot) {
    let log = PathLogStore::new(root.clone());
    let odd = [
        "_last_checkpoint",
        "_sidecars/x.parquet",
        "_staged_commits/00000000000000000009.u.json",
        ".00000000000000000010.json.crc",
        "x.tmp",
    ];
    for name in odd {
        root.store().put(&root.log_key(name), "x".into()).await.unwrap();
    }
    root.store().put(&root.log_key("00000000000000000010.checkpoint.parquet"), "x".into()).await.unwrap();
    root.store().put(&root.log_key("00000000000000000010.crc"), "x".into()).await.unwrap();
    let files: Vec<_> = log.list(Version(10)).try_collect().await.unwrap();
    let names: Vec<_> = files.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(
        names,
        ["00000000000000000010.checkpoint.parquet", "00000000000000000010.crc", "00000000000000000010.json", "00000000000000000011.json"]
    );
}

// spec: STO-4
async fn race(root: &TableRoot) {
    for round in 0..5 {
        let key = root.key(&format!("race/{round}"));
        let creators = (0..8).map(|n: u32| {
            let (store, key) = (root.store().clone(), key.clone());
            tokio::spawn(async move { store.put_opts(&key, n.to_string().into(), PutMode::Create.into()).await.is_ok().then_some(n) })
        });
        let mut winners = Vec::new();
        for creator in futures::future::join_all(creators).await {
            winners.extend(creator.unwrap());
        }
        assert_eq!(winners.len(), 1, "round {round}");
        assert_eq!(root.store().get(&key).await.unwrap().bytes().await.unwrap(), winners[0].to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory() {
    suite("memory:///conformance/a b%/t", &StorageOptions::new().environment([])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn local_disk() {
    let dir = tempfile::tempdir().unwrap();
    suite(dir.path().join("a b%20é/t").to_str().unwrap(), &StorageOptions::new().environment([])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn local_disk_without_syncs() {
    let dir = tempfile::tempdir().unwrap();
    let options = StorageOptions::new().environment([]).durability(lakebed::Durability::Fast);
    suite(dir.path().to_str().unwrap(), &options).await;
}
