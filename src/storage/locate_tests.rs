use super::*;
use object_store::ObjectStoreExt;

fn open(location: &str) -> Result<TableRoot> {
    TableRoot::open(location, &StorageOptions::new(), &Env::system())
}

// spec: STO-1
#[tokio::test]
async fn one_local_table_is_found_by_all_its_names() {
    let dir = tempfile::tempdir().unwrap();
    let name = dir.path().join("a b%20+é#");
    std::fs::create_dir(&name).unwrap();
    let plain = name.to_str().unwrap().to_owned();
    let url = Url::from_directory_path(&name).unwrap();
    std::fs::write(name.join("x"), "1").unwrap();
    for location in
        [plain.clone(), format!("{plain}/"), format!("{plain}/sub/.."), url.to_string(), url.as_str().replace("file:///", "file:/")]
    {
        let root = open(&location).unwrap();
        assert_eq!(root.url().as_str(), open(&plain).unwrap().url().as_str(), "{location}");
        assert_eq!(root.store().get(&root.key("x")).await.unwrap().bytes().await.unwrap(), "1", "{location}");
    }
}

// spec: STO-1
#[tokio::test]
async fn memory_tables_of_one_name_are_one_table() {
    let (a, b) = (open("memory:///locate/t").unwrap(), open("memory:///locate/t/").unwrap());
    a.store().put(&a.key("p=%/x y"), "1".into()).await.unwrap();
    assert_eq!(b.store().get(&b.key("p=%/x y")).await.unwrap().bytes().await.unwrap(), "1");
    assert_eq!(a.key("x").as_ref(), "locate/t/x");
    assert_eq!(a.log_key("y").as_ref(), "locate/t/_delta_log/y");
}

// spec: STO-1
#[test]
fn bad_locations_are_refused_with_a_next_step() {
    for location in [
        "",
        "s3:///x",
        "s3://key:secret@b/x",
        "s3://b/a/../x",
        "s3://b/x?y",
        "ftp://x/y",
        "http://x/y",
        "s3://b//x",
        "file://host/x",
        "memory:///t/_delta_log",
    ] {
        let e = open(location).unwrap_err();
        assert_eq!(e.code(), Code::STORE_CONFIG, "{location}");
        assert!(e.next_step().is_some(), "{location}");
        assert!(!format!("{e:?}").contains("secret"), "{e:?}");
    }
}

// spec: STO-8
#[tokio::test]
async fn an_allowed_local_root_is_opened_from_a_memory_table() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("x"), "1").unwrap();
    let url = Url::from_directory_path(dir.path()).unwrap();
    let options = StorageOptions::new().allow_root(url.as_str());
    let root = TableRoot::open("memory:///locate/allowed", &options, &Env::system()).unwrap();
    let (store, key) = root.resolve(&format!("{url}x")).unwrap();
    assert_eq!(store.get(&key).await.unwrap().bytes().await.unwrap(), "1");
    assert_eq!(open("memory:///locate/allowed").unwrap().resolve(&format!("{url}x")).unwrap_err().code(), Code::PATH_FOREIGN);
}

// spec: STO-9
#[test]
fn a_root_reached_through_a_link_knows_both_of_its_names() {
    let dir = tempfile::tempdir().unwrap();
    let real = dir.path().canonicalize().unwrap().join("real");
    std::fs::create_dir(&real).unwrap();
    std::os::unix::fs::symlink(&real, dir.path().join("link")).unwrap();
    let root = open(dir.path().join("link").to_str().unwrap()).unwrap();
    assert_eq!(root.resolve(&format!("{}/x", real.display())).unwrap().1.as_ref(), "x");
    assert_eq!(root.resolve(&format!("{}/link/x", dir.path().display())).unwrap().1.as_ref(), "x");
}

// spec: SQL-12
#[test]
fn one_place_is_known_under_all_its_names() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_str().unwrap();
    std::fs::create_dir_all(dir.path().join("real/t")).unwrap();
    std::os::unix::fs::symlink(dir.path().join("real"), dir.path().join("link")).unwrap();
    let plain = open(&format!("{folder}/real/t")).unwrap();
    for same in ["real/t/", "./real//t", "real/other/../t", "link/t"] {
        for start in ["", "file://", "file:"] {
            let location = format!("{start}{folder}/{same}");
            // URLs have no dot segments and no empty ones.
            let Ok(root) = open(&location) else { continue };
            assert!(root.same_place(&plain) && plain.same_place(&root), "{location}");
        }
    }
    for other in ["real", "real/t/t", "t", "link/T"] {
        assert!(!open(&format!("{folder}/{other}")).unwrap().same_place(&plain), "{other}");
    }
    let options = |endpoint: &str| StorageOptions::new().set("aws_endpoint", endpoint).set("aws_region", "x").set("aws_allow_http", "true");
    let remote = |location: &str, endpoint: &str| TableRoot::open(location, &options(endpoint), &Env::system()).unwrap();
    let bucket = remote("s3://bucket/t", "http://localhost:1");
    assert!(bucket.same_place(&remote("s3a://bucket/t/", "http://localhost:1")));
    assert!(!bucket.same_place(&remote("s3://bucket/t", "http://localhost:2")));
    assert!(!bucket.same_place(&remote("s3://bucket/u", "http://localhost:1")));
}
