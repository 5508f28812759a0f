//! Whole operations on a table in a scripted S3: lost answers, refused stores, uploads that end early, secrets.

use crate::support::http::{Ask, Objects, Say, Server, plain_s3, s3, status, unfinished};
use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use futures::stream::{self, BoxStream, StreamExt};
use lakebed::{Error, Report, Result, StorageOptions, Table, Version};
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const COMMIT: &str = "/lake/t/_delta_log/00000000000000000000.json";

fn table(server: &Server, cache: &tempfile::TempDir) -> Table {
    let options = StorageOptions::new()
        .environment([])
        .set("access_key_id", "AKIACANARY")
        .set("secret_access_key", "SECRETCANARY")
        .set("session_token", "TOKENCANARY")
        .set("endpoint", &server.url)
        .set("max_retries", "0")
        .set("cache_dir", cache.path().to_str().unwrap());
    Table::at("s3://lake/t").storage_options(options).open().unwrap()
}

fn ids(values: impl IntoIterator<Item = i64>) -> RecordBatch {
    RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from_iter_values(values)) as ArrayRef)]).unwrap()
}

/// A batch of 8 MiB that nothing can compress: with two of them an upload has begun.
pub fn bulky(seed: u64) -> RecordBatch {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    ids((0..1 << 20).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as i64
    }))
}

pub async fn append(table: &Table, batches: BoxStream<'static, Result<RecordBatch>>) -> Result<Report> {
    table.append(ids([]).schema(), batches).run().await
}

async fn append_one(table: &Table, id: i64) -> Result<Report> {
    append(table, stream::iter([Ok(ids([id]))]).boxed()).await
}

async fn count(table: &Table) -> u64 {
    table.snapshot().await.unwrap().scan().build().unwrap().count().await.unwrap()
}

fn is_commit(ask: &Ask) -> bool {
    ask.method == "PUT" && ask.path == COMMIT
}

// spec: STO-12
#[tokio::test]
async fn an_append_whose_answer_is_lost_or_wrong_lands_once() {
    type Script = fn(&Ask, &Objects) -> Say;
    let applied_then: [(&str, Script); 6] = [
        ("503 after it was applied", |ask, objects| {
            plain_s3(ask, objects);
            status(503)
        }),
        ("412 after it was applied", |ask, objects| {
            plain_s3(ask, objects);
            status(412)
        }),
        ("409 after it was applied", |ask, objects| {
            plain_s3(ask, objects);
            status(409)
        }),
        ("the connection ends after it was applied", |ask, objects| {
            plain_s3(ask, objects);
            Say::Hang
        }),
        ("409 and nothing was applied", |_, _| status(409)),
        ("429 and nothing was applied", |_, _| status(429)),
    ];
    for (name, script) in applied_then {
        let cache = tempfile::tempdir().unwrap();
        let (server, objects) = s3(move |ask, before, objects| (is_commit(ask) && before == 0).then(|| script(ask, objects)));
        let table = table(&server, &cache);
        assert_eq!(append_one(&table, 1).await.unwrap_or_else(|e| panic!("{name}: {e}")).version, Some(Version(0)), "{name}");
        assert_eq!(append_one(&table, 2).await.unwrap().version, Some(Version(1)), "{name}");
        assert_eq!(count(&table).await, 2, "{name}");
        let commits = objects.lock().unwrap().keys().filter(|k| k.ends_with(".json")).count();
        assert_eq!(commits, 2, "{name}");
    }
}

// spec: STO-12
#[tokio::test]
async fn an_append_that_lands_late_is_found_by_its_writer() {
    let cache = tempfile::tempdir().unwrap();
    let late: Arc<Mutex<Option<Ask>>> = Arc::default();
    // The write is held back when it arrives, and applied only after the version was found to be free.
    let (server, _) = s3(move |ask, before, objects| {
        if is_commit(ask) && before == 0 {
            *late.lock().unwrap() = Some(ask.clone());
            return Some(Say::Hang);
        }
        if ask.method == "GET" && ask.path == COMMIT {
            let answer = plain_s3(ask, objects);
            if let Some(late) = late.lock().unwrap().take() {
                plain_s3(&late, objects);
            }
            return Some(answer);
        }
        None
    });
    let table = table(&server, &cache);
    assert_eq!(append_one(&table, 1).await.unwrap().version, Some(Version(0)));
    assert_eq!(count(&table).await, 1);
    assert!(server.asked().iter().any(|a| a.method == "GET" && a.path == COMMIT));
}

// spec: STO-14, STO-15
#[tokio::test]
async fn a_store_that_is_refused_gets_no_data_file() {
    let cache = tempfile::tempdir().unwrap();
    let (ignorant, objects) = s3(|ask, _, objects| {
        (ask.method == "PUT").then(|| {
            objects.lock().unwrap().insert(ask.path.clone(), ask.body.clone());
            Say::Status(200, vec![("etag", "\"1\"".to_owned())], vec![])
        })
    });
    assert_eq!(append_one(&table(&ignorant, &cache), 1).await.unwrap_err().code().as_str(), "LB-STORE-NOCAS");
    assert_eq!(objects.lock().unwrap().len(), 0);
    let (locked, objects) = s3(|_, _, _| None);
    let trace = "/lake/t/_delta_log/.tmp/00000000000000000001.json.abc".to_owned();
    objects.lock().unwrap().insert(trace, vec![]);
    assert_eq!(append_one(&table(&locked, &cache), 1).await.unwrap_err().code().as_str(), "LB-STORE-LOCK");
    assert_eq!(objects.lock().unwrap().len(), 1);
}

/// Two batches, by which an upload has begun, and then what `end` gives.
pub fn two_batches_and(end: BoxStream<'static, Result<RecordBatch>>) -> BoxStream<'static, Result<RecordBatch>> {
    stream::iter([1, 2, 3]).map(|n| Ok(bulky(n))).chain(end).boxed()
}

pub fn failing() -> BoxStream<'static, Result<RecordBatch>> {
    let broken = || Err::<RecordBatch, Error>(arrow::error::ArrowError::ComputeError("the input breaks off".to_owned()).into());
    stream::once(async move { broken() }).boxed()
}

fn begun(server: &Server) -> bool {
    server.asked().iter().any(|a| a.method == "POST" && a.query.contains("uploads"))
}

fn aborted(server: &Server) -> bool {
    server.asked().iter().any(|a| a.method == "DELETE" && a.query.contains("uploadId"))
}

// spec: STO-5
#[tokio::test]
async fn an_append_that_fails_or_is_dropped_takes_its_parts_back() {
    let cache = tempfile::tempdir().unwrap();
    let (server, objects) = s3(|_, _, _| None);
    let failed = append(&table(&server, &cache), two_batches_and(failing())).await;
    assert!(failed.is_err());
    assert!(begun(&server), "the file was too small for an upload in parts");
    assert_eq!(objects.lock().unwrap().len(), 0);

    let (server, objects) = s3(|_, _, _| None);
    let table = table(&server, &cache);
    let limit = Instant::now() + Duration::from_secs(60);
    let mut work = Box::pin(append(&table, two_batches_and(stream::pending().boxed())));
    // Dropped before the answer to the first request of the upload has been seen.
    while !begun(&server) {
        assert!(futures::poll!(&mut work).is_pending() && Instant::now() < limit);
        tokio::task::yield_now().await;
    }
    drop(work);
    while !aborted(&server) {
        assert!(Instant::now() < limit, "nobody aborted the upload");
        tokio::task::yield_now().await;
    }
    let limit = Instant::now() + Duration::from_secs(60);
    while !unfinished(&objects).is_empty() {
        assert!(Instant::now() < limit);
    }
    assert_eq!(objects.lock().unwrap().len(), 0);
}

/// What was logged, at every level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

// spec: STO-16
#[tokio::test]
async fn no_secret_is_logged_or_said_whatever_the_store_echoes() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let cache = tempfile::tempdir().unwrap();
    let echo = |ask: &Ask| {
        let headers = format!("{}{}", ask.header("x-amz-security-token"), ask.header("authorization"));
        Say::Status(
            403,
            vec![],
            format!("<?xml version=\"1.0\"?><Error><Code>InvalidToken</Code><Message>no</Message><Token-0>{headers}</Token-0></Error>")
                .into_bytes(),
        )
    };
    let mut said = String::new();
    for refused in ["list-type=2", "_probe_", ".parquet", ".json", "uploads", "partNumber", "uploadId", "GET /lake/t/part"] {
        let (server, objects) = s3(move |ask, _, _| {
            let line = format!("{} {}?{}", ask.method, ask.path, ask.query);
            line.contains(refused).then(|| echo(ask))
        });
        let table = table(&server, &cache);
        let ended = match refused {
            "uploads" | "partNumber" | "uploadId" => append(&table, two_batches_and(stream::empty().boxed())).await.map(|_| ()),
            _ => append_one(&table, 1).await.map(|_| ()),
        };
        let ended = match ended {
            Ok(()) => table.snapshot().await.unwrap().scan().build().unwrap().stream().next().await.unwrap().map(|_| ()),
            Err(e) => Err(e),
        };
        let e = ended.expect_err(refused);
        said.push_str(&format!("{e} {e:?} {:?}\n", std::error::Error::source(&e)));
        assert!(e.to_string().contains("InvalidToken"), "{refused}: {e:?}");
        drop(objects);
    }
    let logged = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(logged.contains("object_store"), "nothing was logged");
    for (what, text) in [("said", &said), ("logged", &logged)] {
        if let Some(line) = text.lines().find(|l| l.contains("SECRETCANARY") || l.contains("TOKENCANARY")) {
            panic!("{what}: {line}");
        }
    }
}
