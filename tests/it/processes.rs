//! Real writer processes on one table, some of them killed: what was acknowledged is there exactly once, and nobody sees half a commit.
//!
//! A writer is this test binary started again with one hidden test and its task in a variable. Each commit adds two rows in two files, so
//! half a commit would show. Writers with an even number name an application version in each commit and repeat the one that a kill left in
//! doubt; those with an odd number go on with the next one. A diary per writer says what was begun and what was acknowledged.

use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use futures::{StreamExt, TryStreamExt};
use lakebed::{Entropy, Env, FileQuery, SeededEntropy, Table};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

const TASK: &str = "LAKEBED_TEST_WRITER";
const WRITERS: i64 = 8;
/// The writers with lower numbers are killed, each so often.
const VICTIMS: i64 = 4;
const KILLS: usize = 3;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(["writer", "k", "half"].map(|name| Field::new(name, DataType::Int64, true)).to_vec()))
}

fn rows(writer: i64, k: i64) -> RecordBatch {
    let columns = [[writer, writer], [k, k], [0, 1]].map(|values| Arc::new(Int64Array::from(values.to_vec())) as _);
    RecordBatch::try_new(schema(), columns.to_vec()).unwrap()
}

/// What one writer began and what it was told: `k` to the version of its commit (`None` when it had landed before the writer was killed).
#[derive(Debug, Default)]
struct Diary {
    begun: i64,
    done: BTreeMap<i64, Option<u64>>,
}

impl Diary {
    fn read(path: &Path) -> Diary {
        let mut diary = Diary::default();
        for line in std::fs::read_to_string(path).unwrap_or_default().lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let k = words[1].parse().unwrap();
            match words[0] {
                "begin" => diary.begun = k,
                _ => drop(diary.done.insert(k, words[2].parse().ok())),
            }
        }
        diary
    }
}

/// The hidden test's body: writes what its task says. Nothing when it was not started as a writer.
pub async fn write(open: impl Fn(&str) -> Table) {
    let Ok(task) = std::env::var(TASK) else { return };
    let task: Value = serde_json::from_str(&task).unwrap();
    let (writer, commits) = (task["writer"].as_i64().unwrap(), task["commits"].as_i64().unwrap());
    let path = PathBuf::from(task["diary"].as_str().unwrap());
    let before = Diary::read(&path);
    let mut diary = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    let table = open(task["table"].as_str().unwrap());
    let repeats = writer % 2 == 0;
    let first = if repeats { before.done.keys().max().map_or(0, |k| k + 1) } else { before.begun + 1 };
    for k in first..commits {
        diary.write_all(format!("begin {k}\n").as_bytes()).unwrap();
        let mut append =
            table.append(schema(), futures::stream::iter([Ok(rows(writer, k))]).boxed()).user_metadata(&format!("{writer} {k}"));
        if repeats {
            append = append.app_version(&format!("writer-{writer}"), k);
        }
        let report = append.run().await.unwrap();
        let version = report.version.map_or_else(|| "before".to_owned(), |v| v.0.to_string());
        diary.write_all(format!("done {k} {version}\n").as_bytes()).unwrap();
        println!("done {k}");
    }
}

/// A writer from its first process to its last.
fn live(hidden_test: &str, task: &Value, mut kills: usize, mut dice: impl FnMut(u64) -> u64) {
    loop {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([hidden_test, "--exact", "--nocapture", "--test-threads=1"]).env(TASK, task.to_string());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap).filter(|line| line.contains("done "));
        if kills > 0 {
            kills -= 1;
            let acknowledged = 1 + dice(task["commits"].as_u64().unwrap() / 5) as usize;
            if lines.by_ref().take(acknowledged).count() == acknowledged {
                // A moment that no step of the writer decides.
                std::thread::sleep(Duration::from_micros(dice(20_000)));
                child.kill().unwrap();
                child.wait().unwrap();
                continue;
            }
        }
        lines.for_each(drop);
        assert!(child.wait().unwrap().success(), "{task} failed");
        return;
    }
}

/// Lets all writers write `commits` commits each into the table at `url`, kills some, and judges what is there.
pub async fn judge(hidden_test: &'static str, url: &str, table: Table, commits: i64) {
    let seed = std::env::var("LAKEBED_SEED").map_or_else(|_| Env::system().random_u64(), |seed| seed.parse().unwrap());
    println!("replay with LAKEBED_SEED={seed}");
    let diaries = tempfile::tempdir().unwrap();
    let diary = |writer: i64| diaries.path().join(writer.to_string());
    let none = futures::stream::empty().boxed();
    table.append(schema(), none).partition_by(["half"]).property("delta.checkpointInterval", "25").run().await.unwrap();
    let lives: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let task = json!({"writer": writer, "commits": commits, "table": url, "diary": diary(writer)});
            let entropy = SeededEntropy::new(seed ^ writer as u64);
            let dice = move |n: u64| {
                let mut bytes = [0; 8];
                entropy.fill(&mut bytes);
                u64::from_le_bytes(bytes) % n.max(1)
            };
            let kills = if writer < VICTIMS { KILLS } else { 0 };
            std::thread::spawn(move || live(hidden_test, &task, kills, dice))
        })
        .collect();

    let mut newest = table.snapshot().await.unwrap();
    while lives.iter().any(|l| !l.is_finished()) {
        let next = newest.refresh().await.unwrap();
        assert!(next.version() >= newest.version());
        newest = next;
        let batches: Vec<_> = newest.files(FileQuery::default()).try_collect().await.unwrap();
        let files: usize = batches.iter().map(|b| b.len()).sum();
        assert_eq!(files as u64, 2 * newest.version().0, "version {} does not hold whole commits", newest.version());
    }
    for life in lives {
        life.join().unwrap();
    }

    let last = table.snapshot().await.unwrap();
    let entries: Vec<_> = table.history(None).try_collect().await.unwrap();
    let mut landed = BTreeMap::new();
    for entry in entries.iter().filter(|e| e.version.0 > 0) {
        let info = entry.commit_info.as_ref().unwrap();
        let name = info.0["userMetadata"].as_str().unwrap().to_owned();
        assert_eq!(landed.insert(name.clone(), entry.version.0), None, "{name} landed twice");
    }
    assert_eq!(landed.len() as u64, last.version().0);
    let mut found = BTreeSet::new();
    let batches: Vec<_> = last.scan().build().unwrap().stream().try_collect().await.unwrap();
    for batch in &batches {
        let [writer, k, half] = ["writer", "k", "half"].map(|name| batch.column_by_name(name).unwrap().as_primitive::<Int64Type>());
        for row in 0..batch.num_rows() {
            let row = (writer.value(row), k.value(row), half.value(row));
            assert!(found.insert(row), "{row:?} is there twice");
        }
    }
    assert_eq!(found.len(), 2 * landed.len());
    let mut acknowledged = 0;
    for writer in 0..WRITERS {
        let diary = Diary::read(&diary(writer));
        acknowledged += diary.done.len();
        for (k, version) in &diary.done {
            let at = landed.get(&format!("{writer} {k}"));
            assert!(at.is_some(), "commit {k} of writer {writer} was acknowledged and is not there");
            assert!(version.is_none_or(|v| at == Some(&v)), "commit {k} of writer {writer} is at {at:?}, not at {version:?}");
            assert!(
                found.contains(&(writer, *k, 0)) && found.contains(&(writer, *k, 1)),
                "rows of commit {k} of writer {writer} are not there"
            );
        }
        if writer % 2 == 0 {
            assert_eq!(diary.done.len() as i64, commits, "writer {writer} acknowledged another number of commits");
        }
    }
    println!("{acknowledged} commits were acknowledged, {} landed", landed.len());
}

/// How many commits each writer makes.
pub fn commits() -> i64 {
    if std::env::var_os("LAKEBED_TEST_FULL").is_some() { 200 } else { 10 }
}

#[tokio::test]
async fn writer_process() {
    write(|url| Table::at(url).env(Env::system().with_threads(1)).open().unwrap()).await;
}

// spec: COM-4, COM-5, COM-9, COM-13
#[tokio::test]
async fn killed_processes_on_one_local_table_leave_every_acknowledged_commit_exactly_once() {
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().to_str().unwrap();
    judge("processes::writer_process", url, Table::at(url).open().unwrap(), commits()).await;
}
