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
        "abfss://c@acct.evil.example/t",
        "abfss://c@acct.dfs.core.windows.net.evil.example/t",
        "abfss://c@acct.dfs.core.windows.net:443/t",
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

fn azure(location: &str, options: &[(&str, &str)]) -> Result<TableRoot> {
    let key = ("azure_storage_account_key", "bm9uZQ==");
    let none = StorageOptions::new().environment([]);
    let options = options.iter().chain([&key]).fold(none, |all, (key, value)| all.set(*key, *value));
    TableRoot::open(location, &options, &Env::system())
}

// spec: STO-21
#[test]
fn requests_go_to_the_host_that_an_azure_location_names() {
    for (location, identity) in [
        ("abfss://c@acct.dfs.core.windows.net/t", "azure/acct/c"),
        ("abfss://c@acct.blob.core.windows.net/t", "azure/acct/c"),
        ("abfss://c@acct.dfs.core.usgovcloudapi.net/t", "https://acct.blob.core.usgovcloudapi.net/acct/c"),
        ("abfss://c@acct.dfs.core.chinacloudapi.cn/t", "https://acct.blob.core.chinacloudapi.cn/acct/c"),
        ("abfss://c@acct.z07.dfs.storage.azure.net/t", "https://acct.z07.blob.storage.azure.net/acct/c"),
        ("abfss://ws@onelake.dfs.fabric.microsoft.com/lh.Lakehouse/Tables/t", "https://onelake.blob.fabric.microsoft.com/onelake/ws"),
    ] {
        let root = azure(location, &[("account_name", "another")]).expect(location);
        assert_eq!(root.inner.identity.as_deref(), Some(identity), "{location}");
    }
    let switches = [("azure_use_fabric_endpoint", "true"), ("azure_storage_use_emulator", "true")];
    let public = azure("abfss://c@acct.dfs.core.windows.net/t", &switches).unwrap();
    assert!(!format!("{:?}", public.store()).contains("fabric") && !format!("{:?}", public.store()).contains("127.0.0.1"), "{public:?}");
    let own = azure("abfss://c@acct.mine.example/t", &[("azure_endpoint", "https://acct.mine.example")]).unwrap();
    assert_eq!(own.inner.identity.as_deref(), Some("https://acct.mine.example/acct/c"));
    let two = azure("abfss://c@acct.dfs.core.windows.net/t", &[("azure_endpoint", "https://other.blob.core.windows.net")]).unwrap_err();
    assert_eq!(two.code(), Code::STORE_CONFIG, "{two}");
}

// spec: STO-8
#[test]
fn a_table_without_a_named_account_takes_paths_of_the_configured_one_only() {
    for options in [&[("account_name", "acct")][..], &[("account_name", "acct"), ("azure_endpoint", "https://acct.blob.core.windows.net")]]
    {
        let root = azure("az://c/t", options).unwrap();
        assert_eq!(root.resolve("abfss://c@acct.dfs.core.windows.net/t/x").unwrap().1.as_ref(), "t/x");
        assert_eq!(root.resolve("az://c/t/x").unwrap().1.as_ref(), "t/x");
        assert_eq!(root.resolve("abfss://c@OTHER.dfs.core.windows.net/t/x").unwrap_err().code(), Code::PATH_FOREIGN);
        assert_eq!(root.url().as_str(), "az://c/t/");
    }
}

// spec: STO-22
#[tokio::test]
async fn the_table_that_a_place_lies_inside_of_is_found_with_one_request() {
    let outer = open("memory:///enclosing/t").unwrap();
    outer.store().put(&outer.log_key("00000000000000000000.json"), "1".into()).await.unwrap();
    for (location, found) in [
        ("memory:///enclosing/t/month=1", Some("memory:///enclosing/t/")),
        ("memory:///enclosing/t/month=1/day=2", Some("memory:///enclosing/t/")),
        ("memory:///enclosing/t/sub", Some("memory:///enclosing/t/")),
        ("memory:///enclosing/t", None),
        ("memory:///enclosing/t2/month=1", None),
        ("memory:///enclosing", None),
    ] {
        let meter = Meter::default();
        let root = open(location).unwrap().metered(&meter);
        assert_eq!(root.enclosing().await.unwrap().as_ref().map(Url::as_str), found, "{location}");
        assert!(meter.spent().requests.list <= 1 && meter.spent().requests.get == 0, "{location}: {:?}", meter.spent());
        assert_eq!(root.enclosing_local().unwrap(), None);
    }
    let partition = open("memory:///enclosing/x/a=1/b=2").unwrap();
    assert_eq!(partition.partitioned().unwrap().as_ref().map(Url::as_str), Some("memory:///enclosing/x/"));
    assert_eq!(open("memory:///enclosing/t/sub").unwrap().partitioned().unwrap(), None);
}

// spec: STO-22
#[tokio::test]
async fn on_local_disk_every_folder_above_is_looked_at_for_a_log() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("t/a/b/c");
    std::fs::create_dir_all(&deep).unwrap();
    let found = || open(deep.to_str().unwrap()).unwrap().enclosing_local().unwrap();
    std::fs::create_dir(dir.path().join("t/_delta_log")).unwrap();
    assert_eq!(found(), None, "a log without anything is none");
    std::fs::write(dir.path().join("t/_delta_log/00000000000000000000.json"), "").unwrap();
    assert_eq!(found(), Some(Url::from_directory_path(dir.path().join("t")).unwrap()));
    assert_eq!(open(deep.to_str().unwrap()).unwrap().enclosing().await.unwrap(), found());
}

// spec: STO-23
#[tokio::test]
async fn a_store_that_the_caller_provides_is_asked_nothing_before_the_first_write() {
    let meter = Meter::default();
    let store = meter.wrap(&(Arc::new(InMemory::new()) as Arc<dyn ObjectStore>));
    let root = TableRoot::with_store(Url::parse("s3://b/t/month=1/").unwrap(), store, Path::from("t/month=1"));
    root.check_writable().await.unwrap();
    assert_eq!(root.enclosing().await.unwrap(), None);
    assert_eq!(meter.spent().requests, Default::default());
}
