//! Who excludes whom, beside Spark: the same statement is held by both between its snapshot and its commit, while lakebed commits
//! another one. Tables are `Serializable`.

use crate::support::folders::copy_folder;
use crate::support::peers::{ask, spark};
use crate::support::stores::{Faulty, Kind};
use futures::TryStreamExt;
use lakebed::{Answer, Code, Env, PathLogStore, Result, Session, StorageOptions, Table, TableRoot};
use object_store::path::Path as Key;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What becomes of the statement that is held.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    Lands,
    Excluded,
}
use Verdict::{Excluded, Lands};

/// Rules (of `spec/conflicts.md`) that decide, what is held, what comes between, and what becomes of it in Spark and here.
struct Case(&'static str, &'static str, &'static str, Verdict, Verdict);

const INSERT: &str = "INSERT INTO {t} SELECT 9L, HOLD(n), 'a' FROM (VALUES (1L)) AS q(n)";
const UPDATE: &str = "UPDATE {t} SET v = HOLD(v) + 10 WHERE k = 1 AND p = 'a'";
const OVERWRITE: &str = "INSERT OVERWRITE {t} SELECT 9L, HOLD(n), 'a' FROM (VALUES (1L)) AS q(n)";
const MERGE: &str = "MERGE INTO {t} t USING (SELECT k, HOLD(k) AS v FROM (VALUES (1L)) AS q(k)) s ON t.k = s.k AND t.p = 'a' \
                     WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT (k, v, p) VALUES (s.k, s.v, 'a')";

/// `p = 'a'` holds 1 and 2 in one file and 5 in another, `p = 'b'` holds 3 and 4.
const TABLE: [&str; 3] = [
    "CREATE TABLE {t} (k BIGINT, v BIGINT, p STRING) USING delta PARTITIONED BY (p) TBLPROPERTIES (PROPERTIES)",
    "INSERT INTO {t} SELECT /*+ COALESCE(1) */ * FROM VALUES (1L, 1L, 'a'), (2L, 2L, 'a'), (3L, 3L, 'b'), (4L, 4L, 'b')",
    "INSERT INTO {t} VALUES (5L, 5L, 'a')",
];

async fn run(session: &Session, sql: &str) -> Result<()> {
    if let Answer::Rows(rows) = session.sql(sql).await? {
        rows.batches.try_collect::<Vec<_>>().await?;
    }
    Ok(())
}

/// Lakebed commits this, on a thread and a runtime of its own.
fn between(table: &Path, sql: &str) {
    let sql = sql.replace("{t}", &format!("delta.`{}`", table.display()));
    let done = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { run(&Session::new(Env::system()), &sql).await.unwrap_or_else(|e| panic!("{sql}: {e}")) })
    });
    done.join().unwrap();
}

fn newest(table: &Path) -> u64 {
    let names = std::fs::read_dir(table.join("_delta_log")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    names.filter_map(|n| n.strip_suffix(".json").and_then(|n| n.parse().ok())).max().unwrap()
}

fn in_spark(table: &Path, held: &str, winner: &str) -> Verdict {
    let holds = tempfile::tempdir().unwrap();
    let hold = |sql: String, x: &&str| sql.replace(&format!("HOLD({x})"), &format!("hold({x}, '{}')", holds.path().display()));
    let sql = ["k", "v", "n"].iter().fold(held.to_owned(), hold).replace("{t}", &format!("delta.`{}`", table.display()));
    let statement = std::thread::spawn(move || ask(json!({"op": "sql", "sql": [sql]})));
    let began = Instant::now();
    while !holds.path().join("began").exists() {
        assert!(!statement.is_finished() && began.elapsed() < Duration::from_secs(120), "{held}: {:?}", statement.join());
        std::thread::yield_now();
    }
    between(table, winner);
    std::fs::write(holds.path().join("go"), "").unwrap();
    match statement.join().unwrap() {
        Ok(_) => Lands,
        Err(e) if ["ConcurrentAppend", "ConcurrentDelete", "MetadataChanged", "ProtocolChanged"].iter().any(|name| e.contains(name)) => {
            Excluded
        }
        Err(e) => panic!("{held}: {e}"),
    }
}

async fn here(table: &Path, held: &str, winner: &'static str) -> Verdict {
    let env = Env::system();
    let plain = TableRoot::open(table.to_str().unwrap(), &StorageOptions::new().environment([]), &env).unwrap();
    let prefix = Key::from(plain.key("x").as_ref().trim_end_matches('x'));
    let (base, first, place) = (newest(table), AtomicBool::new(true), table.to_owned());
    let store = Faulty::new(Arc::clone(plain.store()), move |kind, key, _| {
        let is_commit = kind == Kind::Create && key.contains("_delta_log/0") && key.ends_with(".json");
        if is_commit && first.swap(false, Ordering::SeqCst) {
            between(&place, winner);
        }
        None
    });
    let root = TableRoot::with_store(plain.url().clone(), store, prefix);
    let session = Session::new(env.clone());
    session.register("held", Table::with_log(root.clone(), Arc::new(PathLogStore::new(root)), env));
    match run(&session, &held.replace("HOLD", "").replace("{t}", "held")).await {
        Err(e) if e.code() == Code::CONFLICT => Excluded,
        Err(e) => panic!("{held}: {e}"),
        // What is excluded and can be planned anew has read the winner when it lands.
        Ok(()) => {
            let text = std::fs::read_to_string(table.join(format!("_delta_log/{:020}.json", newest(table)))).unwrap();
            let info =
                text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).find_map(|action| action.get("commitInfo").cloned());
            let read = info.unwrap()["readVersion"].as_u64().unwrap();
            assert!(newest(table) > base + 1, "{held}: both are in the log");
            if read == base { Lands } else { Excluded }
        }
    }
}

async fn check(properties: &str, cases: &[Case]) {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made");
    let create: Vec<String> = TABLE.iter().map(|sql| sql.replace("(PROPERTIES)", &format!("({properties})"))).collect();
    spark(made.to_str().unwrap(), &create.iter().map(String::as_str).collect::<Vec<_>>());
    let mut wrong = Vec::new();
    for (i, Case(rules, held, winner, theirs, ours)) in cases.iter().enumerate() {
        let (x, y) = (folder.path().join(format!("{i}-spark")), folder.path().join(format!("{i}-lakebed")));
        copy_folder(&made, &x);
        copy_folder(&made, &y);
        let found = (in_spark(&x, held, winner), here(&y, held, winner).await);
        if found != (*theirs, *ours) {
            wrong.push(format!(
                "{rules}: {held}\n  after {winner}\n  Spark {:?}, expected {theirs:?}; lakebed {:?}, expected {ours:?}",
                found.0, found.1
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

// spec: CON-7 C1 C2 C3 C4 C5 C8
#[tokio::test(flavor = "multi_thread")]
async fn statements_exclude_each_other_as_in_spark() {
    check(
        "'own'='1'",
        &[
            Case("CON-1", INSERT, "INSERT INTO {t} VALUES (6L, 6L, 'a')", Lands, Lands),
            Case("CON-1", INSERT, "DELETE FROM {t} WHERE k = 2", Lands, Lands),
            Case("C3", UPDATE, "INSERT INTO {t} VALUES (6L, 6L, 'b')", Lands, Lands),
            Case("C3", UPDATE, "INSERT INTO {t} VALUES (1L, 6L, 'a')", Excluded, Excluded),
            Case("C3", MERGE, "INSERT INTO {t} VALUES (1L, 6L, 'a')", Excluded, Excluded),
            Case("C3", OVERWRITE, "INSERT INTO {t} VALUES (6L, 6L, 'b')", Excluded, Excluded),
            // Spark looks at partitions alone; statistics say that no row of the new file matches.
            Case("C3", UPDATE, "INSERT INTO {t} VALUES (6L, 6L, 'a')", Excluded, Lands),
            Case("C4", UPDATE, "DELETE FROM {t} WHERE k = 3", Lands, Lands),
            Case("C4 C5", UPDATE, "DELETE FROM {t} WHERE k = 2", Excluded, Excluded),
            Case("C8", OVERWRITE, "DELETE FROM {t} WHERE k = 3", Excluded, Excluded),
            Case("C4 C5", UPDATE, "OPTIMIZE {t}", Excluded, Excluded),
            Case("CON-1", INSERT, "OPTIMIZE {t}", Lands, Lands),
            Case("C2", INSERT, "ALTER TABLE {t} SET TBLPROPERTIES ('own'='2')", Excluded, Excluded),
            Case("C2", INSERT, "ALTER TABLE {t} SET TBLPROPERTIES ('delta.enableDeletionVectors'='true')", Lands, Lands),
            Case("C1 C2", INSERT, "ALTER TABLE {t} SET TBLPROPERTIES ('delta.columnMapping.mode'='name')", Lands, Lands),
            Case("C1 C2", UPDATE, "ALTER TABLE {t} SET TBLPROPERTIES ('delta.columnMapping.mode'='name')", Lands, Lands),
            Case("C1 C2", INSERT, "ALTER TABLE {t} SET TBLPROPERTIES ('delta.enableRowTracking'='true')", Lands, Lands),
            // The files are listed again with ids, which Spark copies into what it commits after.
            Case("C4 C5", UPDATE, "ALTER TABLE {t} SET TBLPROPERTIES ('delta.enableRowTracking'='true')", Lands, Excluded),
            Case("C1 C2", INSERT, "ALTER TABLE {t} ADD CONSTRAINT c CHECK (k > 0)", Excluded, Excluded),
        ],
    )
    .await;
}

// spec: CON-6 CON-7
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_one_file_exclude_each_other_in_spark_and_not_here() {
    check("'delta.enableDeletionVectors'='true'", &[Case("C5 C9", UPDATE, "DELETE FROM {t} WHERE k = 2", Excluded, Lands)]).await;
}
