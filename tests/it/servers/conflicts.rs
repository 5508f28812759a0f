//! Who excludes whom, beside Spark: each holds the same statement between its snapshot and its commit, while a winner commits. Tables are
//! `Serializable`.

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

/// The table of `spec/conflicts.md` is what is tried.
const BEGIN: &str = "<!-- beside Spark: begin -->";
const END: &str = "<!-- beside Spark: end -->";

/// One line of it.
struct Case<'a> {
    /// The properties of the table.
    table: &'a str,
    held: &'static str,
    winner: Winner<'a>,
    /// What becomes of the held statement: `lands`, or the name of Spark's exception; here `refused`, or `anew` when it is planned anew.
    spark: &'a str,
    here: &'a str,
    line: &'a str,
}

#[derive(Clone, Copy)]
struct Winner<'a> {
    by_spark: bool,
    sql: &'a str,
}

/// The statements that are held, where `HOLD` stands, before they have read their last row.
const HELD: [(&str, &str); 7] = [
    ("insert", "INSERT INTO {t} SELECT 9L, HOLD(n), 'a' FROM (VALUES (1L)) AS q(n)"),
    ("insert from itself", "INSERT INTO {t} SELECT k + 10L, HOLD(v), p FROM {t} WHERE p = 'a'"),
    ("overwrite", "INSERT OVERWRITE {t} SELECT 9L, HOLD(n), 'a' FROM (VALUES (1L)) AS q(n)"),
    ("update", "UPDATE {t} SET v = HOLD(v) + 10 WHERE k = 1 AND p = 'a'"),
    ("delete", "DELETE FROM {t} WHERE HOLD(k) = 1 AND p = 'a'"),
    (
        "merge",
        "MERGE INTO {t} t USING (SELECT k, HOLD(k) AS v FROM (VALUES (1L)) AS q(k)) s ON t.k = s.k AND t.p = 'a' \
         WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT (k, v, p) VALUES (s.k, s.v, 'a')",
    ),
    (
        "merge from itself",
        "MERGE INTO {t} t USING (SELECT k, HOLD(v) + 1L AS v FROM {t} WHERE k = 3) s ON t.k = s.k AND t.p = 'b' \
         WHEN MATCHED THEN UPDATE SET v = s.v",
    ),
];

/// `p = 'a'` holds 1 and 2 in one file and 5 in another, `p = 'b'` holds 3 and 4.
const TABLE: [&str; 3] = [
    "CREATE TABLE {t} (k BIGINT, v BIGINT, p STRING) USING delta PARTITIONED BY (p) TBLPROPERTIES (PROPERTIES)",
    "INSERT INTO {t} SELECT /*+ COALESCE(1) */ * FROM VALUES (1L, 1L, 'a'), (2L, 2L, 'a'), (3L, 3L, 'b'), (4L, 4L, 'b')",
    "INSERT INTO {t} VALUES (5L, 5L, 'a')",
];

const EXCEPTIONS: [&str; 7] = [
    "ConcurrentAppend",
    "ConcurrentDeleteRead",
    "ConcurrentDeleteDelete",
    "ConcurrentTransaction",
    "MetadataChanged",
    "ProtocolChanged",
    "ConcurrentWrite",
];

fn cases(page: &str) -> Vec<Case<'_>> {
    let (_, rest) = page.split_once(BEGIN).expect("the table begins");
    let (table, _) = rest.split_once(END).expect("the table ends");
    let lines = table.lines().filter(|line| line.starts_with('|')).skip(2);
    lines
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [table, held, winner, spark, here, _] = cells[..] else { panic!("not six cells: {line}") };
            let (by, sql) = winner.split_once(": ").expect("who: what");
            let held = HELD.iter().find(|(name, _)| *name == held).unwrap_or_else(|| panic!("{held}?")).1;
            let winner = Winner { by_spark: by == "Spark", sql: sql.trim_matches('`') };
            Case { table, held, winner, spark, here, line }
        })
        .collect()
}

async fn run(session: &Session, sql: &str) -> Result<()> {
    if let Answer::Rows(rows) = session.sql(sql).await? {
        rows.batches.try_collect::<Vec<_>>().await?;
    }
    Ok(())
}

/// The winner commits, lakebed on a thread and a runtime of its own.
fn between(table: &Path, winner: Winner<'_>) {
    if winner.by_spark {
        spark(table.to_str().unwrap(), &[winner.sql]);
        return;
    }
    let sql = winner.sql.replace("{t}", &format!("delta.`{}`", table.display()));
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

fn in_spark(table: &Path, held: &str, winner: Winner<'_>) -> String {
    let holds = tempfile::tempdir().unwrap();
    let hold = |sql: String, x: &&str| sql.replace(&format!("HOLD({x})"), &format!("hold({x}, '{}')", holds.path().display()));
    let sql = ["k", "v", "n"].iter().fold(held.to_owned(), hold).replace("{t}", &format!("delta.`{}`", table.display()));
    let statement = std::thread::spawn(move || ask(json!({"op": "sql", "sql": [sql]})));
    let began = Instant::now();
    while !holds.path().join("began").exists() {
        assert!(!statement.is_finished() && began.elapsed() < Duration::from_secs(120), "{held}: {:?}", statement.join());
        std::thread::park_timeout(Duration::from_millis(5));
    }
    between(table, winner);
    std::fs::write(holds.path().join("go"), "").unwrap();
    match statement.join().unwrap() {
        Ok(_) => "lands".to_owned(),
        Err(e) => EXCEPTIONS.iter().find(|name| e.contains(*name)).unwrap_or_else(|| panic!("{held}: {e}")).to_string(),
    }
}

/// The statement stands on the version that its session has read; the winner commits just before it asks for the next one.
async fn here(table: &Path, held: &str, winner: Winner<'_>) -> &'static str {
    let env = Env::system();
    let plain = TableRoot::open(table.to_str().unwrap(), &StorageOptions::new().environment([]), &env).unwrap();
    let prefix = Key::from(plain.key("x").as_ref().trim_end_matches('x'));
    let (base, first, place) = (newest(table), AtomicBool::new(true), table.to_owned());
    let (by_spark, sql) = (winner.by_spark, winner.sql.to_owned());
    let store = Faulty::new(Arc::clone(plain.store()), move |kind, key, _| {
        let is_commit = kind == Kind::Create && key.contains("_delta_log/0") && key.ends_with(".json");
        if is_commit && first.swap(false, Ordering::SeqCst) {
            between(&place, Winner { by_spark, sql: &sql });
        }
        None
    });
    let root = TableRoot::with_store(plain.url().clone(), store, prefix);
    let session = Session::new(env.clone());
    session.register("held", Table::with_log(root.clone(), Arc::new(PathLogStore::new(root)), env));
    match run(&session, &held.replace("HOLD", "").replace("{t}", "held")).await {
        Err(e) if e.code() == Code::CONFLICT => "refused",
        Err(e) => panic!("{held}: {e}"),
        // What was planned anew has read the winner, and has perhaps found nothing left to do.
        Ok(()) => {
            let text = std::fs::read_to_string(table.join(format!("_delta_log/{:020}.json", newest(table)))).unwrap();
            let info =
                text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).find_map(|action| action.get("commitInfo").cloned());
            let read = info.unwrap()["readVersion"].as_u64().unwrap();
            let ours = newest(table) > base + 1;
            if ours && read == base { "lands" } else { "anew" }
        }
    }
}

// spec: CON-7 C1 C2 C3 C4 C5 C8 C9
#[tokio::test(flavor = "multi_thread")]
async fn statements_exclude_each_other_as_the_page_says_of_spark_and_of_lakebed() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("spec/conflicts.md")).unwrap();
    let (cases, folder) = (cases(&page), tempfile::tempdir().unwrap());
    let mut wrong = Vec::new();
    for (i, Case { table, held, winner, spark: theirs, here: ours, line }) in cases.iter().enumerate() {
        let made = folder.path().join(table);
        if !made.exists() {
            let properties = if *table == "vectors" { "'delta.enableDeletionVectors'='true'" } else { "'own'='1'" };
            let create: Vec<String> = TABLE.iter().map(|sql| sql.replace("PROPERTIES)", &format!("{properties})"))).collect();
            spark(made.to_str().unwrap(), &create.iter().map(String::as_str).collect::<Vec<_>>());
        }
        let (x, y) = (folder.path().join(format!("{i}-spark")), folder.path().join(format!("{i}-lakebed")));
        copy_folder(&made, &x);
        copy_folder(&made, &y);
        let began = Instant::now();
        let found = (in_spark(&x, held, *winner), here(&y, held, *winner).await);
        println!("{:?} {line}", began.elapsed());
        if (found.0.as_str(), found.1) != (*theirs, *ours) {
            wrong.push(format!("{line}\n  Spark: {}; here: {}", found.0, found.1));
        }
    }
    assert!(cases.len() > 20 && wrong.is_empty(), "{} cases; wrong:\n{}", cases.len(), wrong.join("\n"));
}
