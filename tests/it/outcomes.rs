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
    let options = StorageOptions::new()
        .environment([])
        .set("access_key_id", "AKIACANARY")
        .set("AWS_SECRET_ACCESS_KEY", "SECRETCANARY")
        .set("session-token", "TOKENCANARY")
        .set("aws_endpoint", &server.url)
        .set("max_retries", "1")
        .set("init_backoff", "1ms")
        .set("cache_dir", cache.path().to_str().unwrap());
    TableRoot::open("s3://lake/t", &more(options), &Env::system())
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
async fn the_probe_runs_once_per_store_and_its_verdict_outlives_the_process() {
    let cache = tempfile::tempdir().unwrap();
    let (server, objects) = s3(|_, _, _| None);
    let probes = |server: &Server| server.asked().iter().filter(|a| a.method == "PUT" && a.path.contains("_lakebed_probe_")).count();
    log(&server, &cache).put_commit(Version(0), Bytes::new()).await;
    log(&server, &cache).put_commit(Version(1), Bytes::new()).await;
    assert_eq!(probes(&server), 2);
    assert!(server.asked().iter().any(|a| a.method == "DELETE" || a.query.contains("delete")), "the scratch object is deleted");
    let kept: Vec<_> =
        std::fs::read_dir(cache.path().join("stores")).unwrap().map(|e| std::fs::read_to_string(e.unwrap().path()).unwrap()).collect();
    assert_eq!(kept.len(), 1);
    assert!(kept[0].contains(&format!("{}/lake", server.url)) && kept[0].contains("true"), "{kept:?}");
    assert!(!kept[0].contains("CANARY"));
    drop(objects);
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
    assert_eq!(code(log(&server, &cache).put_commit(Version(1), Bytes::new()).await), "LB-STORE-LOCK");
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
