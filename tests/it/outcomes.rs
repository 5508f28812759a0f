//! What a store's answers to a commit mean, and which stores are refused. Every store here is a scripted S3 on loopback.

use crate::support::http::{Ask, Objects, Say, Server, plain_s3, s3, status};
use bytes::Bytes;
use lakebed::{Env, LogStore, PathLogStore, PutOutcome, StorageOptions, TableRoot, Version};

const COMMIT: &str = "/lake/t/_delta_log/00000000000000000000.json";

/// A table on a scripted S3. The cache folder is the test's own, so that verdicts are not shared.
fn log(server: &Server, cache: &tempfile::TempDir) -> PathLogStore {
    PathLogStore::new(root(server, cache, |o| o).unwrap())
}

fn root(server: &Server, cache: &tempfile::TempDir, more: impl Fn(StorageOptions) -> StorageOptions) -> lakebed::Result<TableRoot> {
    TableRoot::open("s3://lake/t", &more(options(server, cache)), &Env::system())
}

fn options(server: &Server, cache: &tempfile::TempDir) -> StorageOptions {
    StorageOptions::new()
        .environment([])
        .set("access_key_id", "AKIACANARY")
        .set("AWS_SECRET_ACCESS_KEY", "SECRETCANARY")
        .set("session-token", "TOKENCANARY")
        .set("aws_endpoint", &server.url)
        .set("max_retries", "1")
        .set("init_backoff", "1ms")
        .set("cache_dir", cache.path().to_str().unwrap())
}

async fn commit(script: impl Fn(&Ask, usize, &Objects) -> Option<Say> + Send + Sync + 'static) -> (PutOutcome, Server, Objects) {
    let cache = tempfile::tempdir().unwrap();
    let (server, objects) = s3(script);
    let outcome = log(&server, &cache).put_commit(Version(0), Bytes::from_static(b"{}\n")).await;
    (outcome, server, objects)
}

fn is_commit(ask: &Ask) -> bool {
    ask.method == "PUT" && ask.path == COMMIT
}

fn sent(server: &Server) -> usize {
    server.asked().iter().filter(|a| is_commit(a)).count()
}

// spec: STO-12
#[tokio::test]
async fn a_free_version_is_created_and_a_taken_one_exists() {
    let cache = tempfile::tempdir().unwrap();
    let (server, objects) = s3(|_, _, _| None);
    let log = log(&server, &cache);
    assert!(matches!(log.put_commit(Version(0), Bytes::from_static(b"a")).await, PutOutcome::Created));
    assert!(matches!(log.put_commit(Version(0), Bytes::from_static(b"b")).await, PutOutcome::Exists));
    assert_eq!(objects.lock().unwrap()[COMMIT], b"a");
    assert_eq!(log.read_commit(Version(0)).await.unwrap().unwrap(), "a");
    assert!(log.read_commit(Version(1)).await.unwrap().is_none());
}

// spec: STO-12
#[tokio::test]
async fn a_409_before_anything_landed_is_exists_and_the_next_try_creates() {
    let cache = tempfile::tempdir().unwrap();
    let (server, objects) = s3(|ask, before, _| (is_commit(ask) && before == 0).then(|| status(409)));
    let log = log(&server, &cache);
    assert!(matches!(log.put_commit(Version(0), Bytes::from_static(b"a")).await, PutOutcome::Exists));
    assert!(!objects.lock().unwrap().contains_key(COMMIT));
    assert!(log.read_commit(Version(0)).await.unwrap().is_none());
    assert!(matches!(log.put_commit(Version(0), Bytes::from_static(b"a")).await, PutOutcome::Created));
}

// spec: STO-12
#[tokio::test]
async fn a_412_after_the_write_was_applied_is_exists_and_the_commit_can_be_read_back() {
    let cache = tempfile::tempdir().unwrap();
    let (server, _) = s3(|ask, _, objects| {
        is_commit(ask).then(|| {
            plain_s3(ask, objects);
            status(412)
        })
    });
    let log = log(&server, &cache);
    assert!(matches!(log.put_commit(Version(0), Bytes::from_static(b"mine")).await, PutOutcome::Exists));
    assert_eq!(log.read_commit(Version(0)).await.unwrap().unwrap(), "mine");
}

// spec: STO-12, STO-13
#[tokio::test]
async fn server_errors_leave_the_outcome_unknown_and_the_write_is_sent_once() {
    for code in [500, 502, 503, 504, 429, 408] {
        let (outcome, server, _) = commit(move |ask, _, _| is_commit(ask).then(|| status(code))).await;
        assert!(matches!(outcome, PutOutcome::Unknown(_)), "{code}: {outcome:?}");
        assert_eq!(sent(&server), 1, "{code}");
    }
}

// spec: STO-12, STO-13
#[tokio::test]
async fn a_503_after_the_write_was_applied_is_not_retried_into_exists() {
    let (outcome, server, objects) = commit(|ask, before, objects| {
        (is_commit(ask) && before == 0).then(|| {
            plain_s3(ask, objects);
            status(503)
        })
    })
    .await;
    assert!(matches!(outcome, PutOutcome::Unknown(_)), "{outcome:?}");
    assert_eq!(sent(&server), 1);
    assert!(objects.lock().unwrap().contains_key(COMMIT));
}

// spec: STO-12, STO-13
#[tokio::test]
async fn a_connection_that_ends_after_the_write_was_applied_leaves_the_outcome_unknown() {
    let (outcome, server, objects) = commit(|ask, _, objects| {
        is_commit(ask).then(|| {
            plain_s3(ask, objects);
            Say::Hang
        })
    })
    .await;
    assert!(matches!(outcome, PutOutcome::Unknown(_)), "{outcome:?}");
    assert_eq!(sent(&server), 1);
    assert!(objects.lock().unwrap().contains_key(COMMIT));
}

// spec: STO-12
#[tokio::test]
async fn definite_refusals_are_failures() {
    for code in [400, 401, 403, 404, 413, 301] {
        let (outcome, server, _) = commit(move |ask, _, _| is_commit(ask).then(|| status(code))).await;
        assert!(matches!(outcome, PutOutcome::Failed(_)), "{code}: {outcome:?}");
        assert_eq!(sent(&server), 1, "{code}");
    }
}

// spec: STO-12
#[tokio::test]
async fn a_store_that_cannot_be_reached_is_a_failure() {
    let cache = tempfile::tempdir().unwrap();
    let outcome = log(&Server::unreachable(), &cache).put_commit(Version(0), Bytes::new()).await;
    assert!(matches!(outcome, PutOutcome::Failed(_)), "{outcome:?}");
}

fn code(outcome: PutOutcome) -> &'static str {
    match outcome {
        PutOutcome::Failed(e) => e.code().as_str(),
        other => panic!("{other:?}"),
    }
}

// spec: STO-14
#[tokio::test]
async fn a_store_that_ignores_the_condition_is_refused_before_the_commit() {
    let (outcome, server, objects) = commit(|ask, _, objects| {
        (ask.method == "PUT").then(|| {
            objects.lock().unwrap().insert(ask.path.clone(), ask.body.clone());
            Say::Status(200, vec![("etag", "\"1\"".to_owned())], vec![])
        })
    })
    .await;
    assert_eq!(code(outcome), "LB-STORE-NOCAS");
    assert_eq!(sent(&server), 0);
    assert!(!objects.lock().unwrap().contains_key(COMMIT));
}

// spec: STO-14
#[tokio::test]
async fn a_store_that_does_not_know_the_condition_is_refused() {
    let (outcome, _, _) = commit(|ask, _, _| (ask.header("if-none-match") == "*").then(|| status(501))).await;
    assert_eq!(code(outcome), "LB-STORE-NOCAS");
}

// spec: STO-14
#[tokio::test]
async fn a_refusal_of_the_probe_for_another_reason_is_no_verdict_on_the_store() {
    let cache = tempfile::tempdir().unwrap();
    // The number must not be read as a status where it is part of a name.
    let (server, _) = s3(|ask, _, _| (ask.method == "PUT").then(|| status(403)));
    let log = PathLogStore::new(TableRoot::open("s3://lake/t501", &options(&server, &cache), &Env::system()).unwrap());
    assert_eq!(code(log.put_commit(Version(0), Bytes::new()).await), "LB-STORE");
    assert!(!cache.path().join("stores").exists());
}

fn probes(server: &Server) -> usize {
    server.asked().iter().filter(|a| a.method == "PUT" && a.path.contains("_lakebed_probe_")).count()
}

fn kept(cache: &tempfile::TempDir) -> Vec<String> {
    let files = std::fs::read_dir(cache.path().join("stores")).map(|d| d.map(|e| e.unwrap().path()).collect::<Vec<_>>());
    files.unwrap_or_default().iter().map(|f| std::fs::read_to_string(f).unwrap()).collect()
}

/// The file in which the verdict on a store is kept.
fn verdict_file(server: &Server, cache: &tempfile::TempDir) -> std::path::PathBuf {
    use md5::Digest;
    let name: String = md5::Md5::digest(format!("{}/lake", server.url)).iter().map(|b| format!("{b:02x}")).collect();
    cache.path().join(format!("stores/{name}.json"))
}

// spec: STO-14
#[tokio::test]
async fn the_probe_runs_once_per_store_leaves_nothing_there_and_its_verdict_in_the_cache_folder() {
    let cache = tempfile::tempdir().unwrap();
    let (server, objects) = s3(|_, _, _| None);
    assert!(log(&server, &cache).read_commit(Version(0)).await.unwrap().is_none());
    assert_eq!(probes(&server), 0, "readers do not probe");
    log(&server, &cache).put_commit(Version(0), Bytes::new()).await;
    log(&server, &cache).put_commit(Version(1), Bytes::new()).await;
    assert_eq!(probes(&server), 2);
    assert_eq!(objects.lock().unwrap().len(), 2, "two commits and no scratch object");
    let kept = kept(&cache);
    assert_eq!(kept.len(), 1);
    assert!(kept[0].contains(&format!("{}/lake", server.url)) && kept[0].contains("true"), "{kept:?}");
    assert!(!kept[0].contains("CANARY"));
    assert_eq!(std::fs::read_to_string(verdict_file(&server, &cache)).unwrap(), kept[0]);
}

// spec: STO-14
#[tokio::test]
async fn a_kept_verdict_is_believed_unless_it_is_broken_old_or_about_another_store() {
    let now = Env::system().now().millis();
    let day = 24 * 3600 * 1000;
    let verdict = |store: &str, at: i64| serde_json::json!({"store": store, "createOnlyWrites": true, "checkedAt": at}).to_string();
    for (name, text, expected) in [
        ("of another process", verdict("URL/lake", now - day), 0),
        ("broken", "{\"store\":".to_owned(), 2),
        ("not JSON at all", "\0\u{1}".to_owned(), 2),
        ("empty", String::new(), 2),
        ("of another shape", "[1]".to_owned(), 2),
        ("old", verdict("URL/lake", now - 31 * day), 2),
        ("of the future", verdict("URL/lake", now + day), 2),
        ("about another store", verdict("URL/pond", now - day), 2),
        ("bad", verdict("URL/lake", now - day).replace("true", "false"), 2),
    ] {
        let cache = tempfile::tempdir().unwrap();
        let (server, objects) = s3(|_, _, _| None);
        let file = verdict_file(&server, &cache);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text.replace("URL", &server.url)).unwrap();
        let outcome = log(&server, &cache).put_commit(Version(0), Bytes::from_static(b"a")).await;
        assert!(matches!(outcome, PutOutcome::Created), "{name}: {outcome:?}");
        assert_eq!(probes(&server), expected, "{name}");
        assert_eq!(objects.lock().unwrap().len(), 1, "{name}");
        assert!(kept(&cache)[0].contains(&format!("\"store\":\"{}/lake\"", server.url)), "{name}");
    }
}

// spec: STO-14
#[tokio::test]
async fn a_cache_folder_that_cannot_be_made_costs_a_probe_and_no_commit() {
    let cache = tempfile::tempdir().unwrap();
    std::fs::write(cache.path().join("stores"), "a file").unwrap();
    let (server, _) = s3(|_, _, _| None);
    assert!(matches!(log(&server, &cache).put_commit(Version(0), Bytes::new()).await, PutOutcome::Created));
    assert_eq!(probes(&server), 2);
}

// spec: STO-14
#[tokio::test]
async fn a_bad_verdict_is_not_kept_and_the_store_is_asked_again() {
    let cache = tempfile::tempdir().unwrap();
    let (server, objects) = s3(|ask, before, objects| {
        // Ignores the condition until it is upgraded.
        (ask.path.contains("_probe_") && ask.method == "PUT" && before == 1 && objects.lock().unwrap().len() == 1).then(|| {
            objects.lock().unwrap().insert("/lake/upgraded".to_owned(), vec![]);
            Say::Status(200, vec![("etag", "\"1\"".to_owned())], vec![])
        })
    });
    assert_eq!(code(log(&server, &cache).put_commit(Version(0), Bytes::new()).await), "LB-STORE-NOCAS");
    assert!(kept(&cache).is_empty());
    assert_eq!(objects.lock().unwrap().keys().cloned().collect::<Vec<_>>(), ["/lake/upgraded"], "the scratch object is gone");
    assert!(matches!(log(&server, &cache).put_commit(Version(0), Bytes::new()).await, PutOutcome::Created));
    assert_eq!(kept(&cache).len(), 1);
}

// spec: STO-14, STO-15
#[tokio::test]
async fn a_warm_commit_is_exactly_one_request() {
    let cache = tempfile::tempdir().unwrap();
    let (server, _) = s3(|_, _, _| None);
    let log = log(&server, &cache);
    log.put_commit(Version(0), Bytes::new()).await;
    let before = server.asked().len();
    log.put_commit(Version(1), Bytes::new()).await;
    let asked: Vec<String> = server.asked()[before..].iter().map(|a| format!("{} {}", a.method, a.path)).collect();
    assert_eq!(asked, ["PUT /lake/t/_delta_log/00000000000000000001.json"]);
    assert_eq!(server.asked().last().unwrap().header("if-none-match"), "*");
}

// spec: STO-15
#[tokio::test]
async fn another_locking_scheme_refuses_writes_and_permits_reads() {
    let cache = tempfile::tempdir().unwrap();
    let (server, objects) = s3(|_, _, _| None);
    objects.lock().unwrap().insert(COMMIT.to_owned(), b"x".to_vec());
    let by_option = PathLogStore::new(root(&server, &cache, |o| o.set("AWS_S3_LOCKING_PROVIDER", "dynamodb")).unwrap());
    assert_eq!(code(by_option.put_commit(Version(1), Bytes::new()).await), "LB-STORE-LOCK");
    assert_eq!(by_option.read_commit(Version(0)).await.unwrap().unwrap(), "x");
    let variable = [("AWS_S3_LOCKING_PROVIDER".to_owned(), "dynamodb".to_owned())];
    let by_environment = PathLogStore::new(root(&server, &cache, |o| o.environment(variable.clone())).unwrap());
    assert_eq!(code(by_environment.put_commit(Version(1), Bytes::new()).await), "LB-STORE-LOCK");
    objects.lock().unwrap().insert("/lake/t/_delta_log/.tmp/00000000000000000001.json.abc".to_owned(), b"x".to_vec());
    let by_trace = log(&server, &cache);
    assert_eq!(code(by_trace.put_commit(Version(1), Bytes::new()).await), "LB-STORE-LOCK");
    assert_eq!(by_trace.read_commit(Version(0)).await.unwrap().unwrap(), "x");
    assert_eq!(server.asked().iter().filter(|a| a.method == "PUT").count(), 0);
}

// spec: STO-16
#[tokio::test]
async fn secrets_are_in_no_error_and_no_debug_text() {
    let cache = tempfile::tempdir().unwrap();
    let echo = |ask: &Ask| {
        let said = format!(
            "<?xml version=\"1.0\"?><Error><Code>InvalidToken</Code><Message>bad</Message><Token-0>{}</Token-0></Error>",
            ask.header("x-amz-security-token")
        );
        Say::Status(403, vec![], said.into_bytes())
    };
    let (server, _) = s3(move |ask, _, _| Some(echo(ask)));
    let table = root(&server, &cache, |o| o).unwrap();
    let log = PathLogStore::new(table.clone());
    let mut said = vec![format!("{table:?}"), format!("{log:?}")];
    said.push(format!("{:?}", log.read_commit(Version(0)).await.unwrap_err()));
    said.push(format!("{:?}", log.put_commit(Version(0), Bytes::new()).await));
    said.push(format!("{:?}", root(&server, &cache, |o| o.set("aws_endpoint", "http://u:URLCANARY@host")).unwrap_err()));
    said.push(format!("{:?}", root(&server, &cache, |o| o.set("timeout", "CANARYtime")).map(|_| ())));
    said.push(format!("{:?}", StorageOptions::new().set("aws_secret_access_key", "SECRETCANARY").set("odd", "ODDCANARY")));
    for text in &said[..5] {
        assert!(!text.contains("CANARY"), "{text}");
    }
    assert!(!said[6].contains("CANARY"), "{}", said[6]);
    assert!(server.asked().iter().any(|a| a.header("x-amz-security-token") == "TOKENCANARY"));
}

// spec: STO-10
#[tokio::test]
async fn a_body_that_ends_early_is_completed_by_range_and_a_lasting_one_is_an_error() {
    let cache = tempfile::tempdir().unwrap();
    let cut = |body: &[u8], at: usize| {
        Say::Short(
            200,
            vec![("etag", "\"1\"".to_owned()), ("last-modified", "Sat, 21 Nov 2026 00:00:00 GMT".to_owned())],
            body[..at].to_vec(),
            body.len(),
        )
    };
    let (server, objects) =
        s3(move |ask, before, _| (ask.method == "GET" && ask.path == COMMIT && before == 0).then(|| cut(b"0123456789", 4)));
    objects.lock().unwrap().insert(COMMIT.to_owned(), b"0123456789".to_vec());
    let answer = log(&server, &cache).read_commit(Version(0)).await;
    // The tail is asked for with the first answer's ETag; ours differs, so the mixture is refused.
    assert!(answer.is_err(), "{answer:?}");
    let etag = |body: &[u8]| format!("\"{:x}\"", crc32fast::hash(body));
    let cut = move |body: &[u8], at: usize| {
        Say::Short(
            200,
            vec![("etag", etag(body)), ("last-modified", "Sat, 21 Nov 2026 00:00:00 GMT".to_owned())],
            body[..at].to_vec(),
            body.len(),
        )
    };
    let (server, objects) =
        s3(move |ask, before, _| (ask.method == "GET" && ask.path == COMMIT && before == 0).then(|| cut(b"0123456789", 4)));
    objects.lock().unwrap().insert(COMMIT.to_owned(), b"0123456789".to_vec());
    assert_eq!(log(&server, &cache).read_commit(Version(0)).await.unwrap().unwrap(), "0123456789");
}

// spec: STO-8
#[tokio::test]
async fn a_refused_path_makes_no_request() {
    let cache = tempfile::tempdir().unwrap();
    let (server, _) = s3(|_, _, _| None);
    let table = root(&server, &cache, |o| o).unwrap();
    for raw in [
        format!("{}/lake/t/x", server.url),
        "../x".into(),
        "s3://lake/other/x".into(),
        "file:///etc/passwd".into(),
        "http://169.254.169.254/x".into(),
    ] {
        assert!(table.resolve(&raw).is_err(), "{raw}");
    }
    assert_eq!(server.asked().len(), 0);
}
