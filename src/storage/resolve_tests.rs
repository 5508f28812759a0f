use super::*;

fn place(uri: &str) -> Place {
    let (scheme, rest) = scheme(uri).unwrap();
    place_of_uri(&scheme, rest).unwrap()
}

fn at(raw: &str, root: &str, allowed: &[&str]) -> Result<Target> {
    let allowed: Vec<Place> = allowed.iter().map(|a| place(a)).collect();
    target(raw, &[place(root)], &allowed)
}

fn inside(raw: &str) -> String {
    match at(raw, "s3://b/t/", &[]).unwrap() {
        Target::Inside(s) => s.join("/"),
        other => panic!("{other:?}"),
    }
}

// spec: STO-7
#[test]
fn relative_paths_are_decoded_exactly_once() {
    for (raw, key) in [
        ("part-0.parquet", "part-0.parquet"),
        ("p=a%20b/x", "p=a b/x"),
        ("p=a b/x", "p=a b/x"),
        ("p=2020-01-01%2000%253A00%253A00/f", "p=2020-01-01 00%3A00%3A00/f"),
        ("p=1+2/f", "p=1+2/f"),
        ("p=%C3%A9/f", "p=é/f"),
        ("p=é/😀", "p=é/😀"),
        ("p=100%/f", "p=100%/f"),
        ("p=%zz/f", "p=%zz/f"),
        ("a%23b%3Fc", "a#b?c"),
        ("a#b?c", "a#b?c"),
        ("time=1971-07-22T03:06:40.000000Z/part", "time=1971-07-22T03:06:40.000000Z/part"),
        ("a%2Fb", "a/b"),
        ("s3://b/t/x%20y", "x y"),
        ("s3a://b/t/x", "x"),
        ("S3N://b/t/x", "x"),
        ("/t/d/x", "d/x"),
    ] {
        assert_eq!(inside(raw), key, "{raw}");
    }
}

// spec: STO-8
#[test]
fn paths_that_could_leave_the_table_are_refused() {
    for raw in [
        "",
        "/",
        "..",
        "../x",
        "a/../x",
        "./x",
        "a/./x",
        "a//x",
        "a/",
        "%2e%2e/x",
        "%2E%2e",
        "a/%2e/x",
        "%252e%252e/x",
        "a%2F..%2Fx",
        "a%00b",
        "a\0b",
        "a\\b",
        "a%5Cb",
        "a%0Ab",
        "%FF",
        "//h/x",
        "/t",
        "/t/",
        "/other/x",
        "/t-evil/x",
        "/t/../other/x",
        "s3://b/t-evil/x",
        "s3://b/t",
        "s3://b/t/../u/x",
        "s3://b/t/%2e%2e/u/x",
        "s3://b/",
    ] {
        let e = at(raw, "s3://b/t/", &[]).expect_err(raw);
        assert_eq!(e.code(), Code::PATH, "{raw}: {e}");
    }
}

// spec: STO-8
#[test]
fn paths_to_other_stores_are_refused() {
    for raw in [
        "http://169.254.169.254/latest/meta-data",
        "https://x/t/f",
        "s3://other/t/x",
        "gs://b/t/x",
        "file:///etc/passwd",
        "file:/etc/passwd",
        "FILE:///etc/passwd",
        "ftp://x/y",
        "data:/x",
        "hdfs://n/x",
        "C:/x/y".replace("C:", "cc:").as_str(),
        "s3://u:p@b/t/x",
        "s3:///t/x",
        "abfss://c@a.dfs.core.windows.net/t/x",
        "memory:///t/x",
        "javascript:/x",
        "s3://b%2ft/x",
    ] {
        let e = at(raw, "s3://b/t/", &[]).expect_err(raw);
        assert_eq!(e.code(), Code::PATH_FOREIGN, "{raw}: {e}");
    }
    assert!(!at("s3://user:hunter2@b/x", "s3://b/t/", &[]).unwrap_err().to_string().contains("hunter2"));
}

// spec: STO-8
#[test]
fn an_azure_path_is_inside_only_when_its_whole_host_is_that_of_the_table() {
    let root = "abfss://c@acct.dfs.core.windows.net/t/";
    for raw in [
        "abfss://c@acct.dfs.core.windows.net/t/x",
        "abfss://c@acct.blob.core.windows.net/t/x",
        "ABFSS://c@ACCT.DFS.core.windows.net/t/x",
        "abfs://c@acct/t/x",
    ] {
        assert_eq!(at(raw, root, &[]).expect(raw), Target::Inside(vec!["x".into()]), "{raw}");
    }
    for raw in [
        "abfss://c@other.dfs.core.windows.net/t/x",
        "abfss://c@acct.dfs.core.usgovcloudapi.net/t/x",
        "abfss://c@acct.dfs.fabric.microsoft.com/t/x",
        "abfss://c@acct.evil.example/t/x",
        "abfss://c@acct.dfs.core.windows.net.evil.example/t/x",
        "abfss://d@acct.dfs.core.windows.net/t/x",
        "abfss://c@acct:443/t/x",
        "abfss://c@/t/x",
        "az://c/t/x",
    ] {
        assert_eq!(at(raw, root, &[]).expect_err(raw).code(), Code::PATH_FOREIGN, "{raw}");
    }
}

// spec: STO-8
#[test]
fn an_unnamed_azure_account_is_the_configured_one_and_no_other() {
    let named = |host: &str| place(&format!("abfss://c@{host}/t/"));
    let ours = "acct.dfs.core.windows.net";
    assert_eq!(place("az://c/t/").alias(Some(ours)), Some(named(ours)));
    assert_eq!(named(ours).alias(Some(ours)), Some(place("az://c/t/")));
    assert_eq!(named(ours).alias(None), Some(place("az://c/t/")), "there is no other account");
    assert_eq!(named("other.dfs.core.windows.net").alias(Some(ours)), None);
    assert_eq!(place("az://c/t/").alias(None), None);
    assert_eq!(place("s3://c/t/").alias(Some(ours)), None);
}

// spec: STO-8
#[test]
fn an_allowed_root_permits_what_lies_below_it_and_nothing_else() {
    let allowed = ["s3://other/base/", "file:///data/shared"];
    assert_eq!(at("s3://other/base/x%20y", "s3://b/t/", &allowed).unwrap(), Target::Allowed(0, vec!["x y".into()]));
    assert_eq!(at("file:/data/shared/d/x", "s3://b/t/", &allowed).unwrap(), Target::Allowed(1, vec!["d".into(), "x".into()]));
    for raw in ["s3://other/base-evil/x", "s3://other/x", "file:///data/sharedx", "file:///data/shared", "http://other/base/x"] {
        assert!(at(raw, "s3://b/t/", &allowed).is_err(), "{raw}");
    }
}

// spec: STO-7
#[test]
fn absolute_local_paths_inside_the_root_are_relative() {
    for raw in ["/data/my table/p/x", "file:/data/my%20table/p/x", "file:///data/my%20table/p/x", "file://localhost/data/my%20table/p/x"] {
        assert_eq!(at(raw, "file:///data/my%20table/", &[]).unwrap(), Target::Inside(vec!["p".into(), "x".into()]), "{raw}");
    }
    assert_eq!(at("file://host/data/x", "file:///data/", &[]).unwrap_err().code(), Code::PATH_FOREIGN);
}

#[test]
fn a_root_is_shown_as_a_url_that_leads_back_to_it() {
    for uri in [
        "s3://b/a%20b/%25/%C3%A9/",
        "gs://b/",
        "memory:///x/",
        "file:///a%3Fb/",
        "az://c/t/",
        "abfss://c@acct.dfs.core.windows.net/t/",
        "abfss://ws@onelake.dfs.fabric.microsoft.com/lh.Lakehouse/Tables/t/",
    ] {
        let url = place(uri).url().unwrap();
        assert_eq!(place(url.as_str()), place(uri));
        assert!(url.as_str().ends_with('/'), "{url}");
    }
}

proptest::proptest! {
    // spec: STO-8
    #[test]
    fn whatever_resolves_lies_strictly_below_the_root(raw in r"(s3://b/|s3a://b/t/|/t/|file:/)?([a-z./%2eE5cC0F:?# \\]|%2e|%2F|\.\./){0,24}") {
        if let Ok(Target::Inside(segments)) = at(&raw, "s3://b/t/", &[]) {
            proptest::prop_assert!(!segments.is_empty());
            let key = format!("t/{}", segments.join("/"));
            let parsed = object_store::path::Path::parse(&key).unwrap();
            proptest::prop_assert_eq!(parsed.as_ref(), key.as_str());
            proptest::prop_assert!(segments.iter().all(|s| s != "." && s != ".." && !s.is_empty() && !s.contains('\\')));
        }
    }
}
