//! Vacuum on a scripted S3 that does not delete everything that it is asked to.

use super::*;
use crate::support::http::{Ask, Objects, Say, Server, dated_s3, s3, status};
use lakebed::{Clock, Env, StorageOptions, Timestamp};
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

/// A clock that stands where it is set, in seconds; the objects of the store are as old as it says.
#[derive(Debug, Default)]
struct Still(AtomicI64);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed) * 1000)
    }
    fn sleep(&self, _: std::time::Duration) -> futures::future::BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}

/// A table with 6 files that are a month out of use and one that is live, in an S3 that answers deletes as `delete` does. The table's place
/// and the options to reach it.
async fn aged(delete: impl Fn(&Ask, &Objects) -> Option<Say> + Send + Sync + 'static) -> (Server, Objects, Vec<(&'static str, String)>) {
    let clock = Arc::new(Still::default());
    let (hands, born) = (Arc::clone(&clock), Mutex::new(BTreeMap::<String, i64>::new()));
    let (server, objects) = s3(move |ask, _, objects| {
        // The scratch object by which a store is tried out goes in any case.
        let scripted = || keys_in(ask).iter().any(|key| key.contains("part-")).then(|| delete(ask, objects))?;
        if ask.method == "POST"
            && ask.query.contains("delete")
            && let Some(answer) = scripted()
        {
            return Some(answer);
        }
        if ask.method == "PUT" {
            born.lock().unwrap().insert(ask.path.clone(), hands.now().millis() / 1000);
        }
        Some(dated_s3(ask, objects, &|path| born.lock().unwrap().get(path).copied().unwrap_or_default()))
    });
    let keys = [("endpoint", server.url.clone()), ("access_key_id", "k".to_owned()), ("secret_access_key", "s".to_owned())];
    let keys = Vec::from_iter(keys.into_iter().chain([("max_retries", "0".to_owned())]));
    let options = keys.iter().fold(StorageOptions::new().environment([]), |options, (key, value)| options.set(*key, value));
    let env = Env::system().with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
    let today = Env::system().now().millis() / 1000;
    clock.0.store(today - 30 * 24 * 3600, Ordering::Relaxed);
    let table = Table::at("s3://lake/t").storage_options(options).env(env).open().unwrap();
    for id in 0..6 {
        append_ids(&table, &[id]).await.unwrap();
    }
    append(&table, vec![ids_and_texts(&[(7, None)])]).mode(lakebed::SaveMode::Overwrite).run().await.unwrap();
    clock.0.store(today, Ordering::Relaxed);
    (server, objects, keys)
}

/// Runs `lakebed vacuum`: the exit code and what it says.
fn vacuum(keys: &[(&str, String)]) -> (Option<i32>, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lakebed"));
    command.args(["vacuum", "s3://lake/t", "--format", "json"]).env_remove("RUST_LOG");
    for (key, value) in keys {
        command.args(["--storage-option", &format!("{key}={value}")]);
    }
    let ran = command.output().unwrap();
    let said = if ran.status.success() { ran.stdout } else { ran.stderr };
    (ran.status.code(), serde_json::from_slice(&said).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&said))))
}

fn data_files(objects: &Objects) -> usize {
    objects.lock().unwrap().keys().filter(|key| key.ends_with(".parquet") && !key.contains("_delta_log")).count()
}

fn last_commit(objects: &Objects) -> String {
    let objects = objects.lock().unwrap();
    let last = objects.keys().rfind(|key| key.contains("_delta_log/0") && key.ends_with(".json")).unwrap();
    String::from_utf8(objects[last].clone()).unwrap()
}

fn keys_in(ask: &Ask) -> Vec<String> {
    let body = String::from_utf8(ask.body.clone()).unwrap();
    body.split("<Key>").skip(1).filter_map(|rest| Some(rest.split_once("</Key>")?.0.to_owned())).collect()
}

// spec: VAC-14, VAC-15
#[tokio::test]
async fn what_a_bulk_delete_answers_with_errors_is_counted_and_the_second_run_finishes() {
    let first = Mutex::new(true);
    let (_server, objects, keys) = aged(move |ask, objects| {
        if !std::mem::take(&mut *first.lock().unwrap()) {
            return None;
        }
        // Of six objects two stay.
        let answers = keys_in(ask).into_iter().enumerate().map(|(at, key)| match at % 3 {
            2 => format!("<Error><Key>{key}</Key><Code>AccessDenied</Code><Message>scripted refusal</Message></Error>"),
            _ => {
                objects.lock().unwrap().remove(&format!("/lake/{key}"));
                format!("<Deleted><Key>{key}</Key></Deleted>")
            }
        });
        let body = format!("<?xml version=\"1.0\"?><DeleteResult>{}</DeleteResult>", answers.collect::<String>());
        Some(Say::Status(200, vec![], body.into_bytes()))
    })
    .await;
    assert_eq!(data_files(&objects), 7);
    let (code, said) = vacuum(&keys);
    assert_eq!((code, said["error"]["code"].as_str()), (Some(1), Some("LB-STORE")), "{said}");
    let context = &said["error"]["context"];
    assert_eq!((context["deleted"].as_str(), context["failed"].as_str()), (Some("4"), Some("2")), "{said}");
    assert!(said.to_string().contains("scripted refusal"), "{said}");
    assert_eq!(data_files(&objects), 3);
    let end = last_commit(&objects);
    assert!(end.contains("VACUUM END") && end.contains("FAILED") && end.contains("\"numDeletedFiles\":\"4\""), "{end}");

    let (code, said) = vacuum(&keys);
    assert_eq!((code, said["metrics"]["numDeletedFiles"].as_u64()), (Some(0), Some(2)), "{said}");
    assert_eq!(data_files(&objects), 1);
    assert!(last_commit(&objects).contains("COMPLETED"));
}

// spec: VAC-14, VAC-15
#[tokio::test]
async fn a_bulk_delete_that_fails_as_a_whole_counts_all_of_its_objects() {
    let first = Mutex::new(true);
    let (_server, objects, keys) = aged(move |_, _| std::mem::take(&mut *first.lock().unwrap()).then(|| status(503))).await;
    let (code, said) = vacuum(&keys);
    let context = &said["error"]["context"];
    assert_eq!((code, context["deleted"].as_str(), context["failed"].as_str()), (Some(1), Some("0"), Some("6")), "{said}");
    assert_eq!(data_files(&objects), 7);
    let (code, said) = vacuum(&keys);
    assert_eq!((code, said["metrics"]["numDeletedFiles"].as_u64()), (Some(0), Some(6)), "{said}");
    assert_eq!(data_files(&objects), 1);
}
