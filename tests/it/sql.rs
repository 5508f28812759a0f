//! SQL as text: every `tests/sql/*.slt` runs in a session and a folder of its own, in which locations lie.

use crate::support::folders::copy_folder;
use crate::support::stores::{Faulty, Kind};
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt};
use lakebed::{Answer, Code, Env, Error, PathLogStore, Session, Table, TableRoot, columns_as_text};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

struct Lake {
    session: Session,
    _folder: tempfile::TempDir,
}

impl Lake {
    fn new() -> Lake {
        let folder = tempfile::tempdir().unwrap();
        let env = Env::system().with_memory_limit(256 << 20).with_threads(2);
        let (root, own) = (folder.path().to_owned(), env.clone());
        let open = move |location: &str| Table::at(root.join(location).to_str().unwrap()).env(own.clone()).open();
        Lake { session: Session::new(env).opening(open), _folder: folder }
    }
}

#[async_trait]
impl AsyncDB for Lake {
    type Error = Error;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Error> {
        let answer = match self.session.sql(sql).await? {
            Answer::Rows(answer) => answer,
            Answer::Report(_) => return Ok(DBOutput::StatementComplete(0)),
        };
        let types = vec![DefaultColumnType::Any; answer.schema.fields().len()];
        let batches: Vec<_> = answer.batches.try_collect().await?;
        let mut rows = Vec::new();
        for batch in batches {
            let columns = columns_as_text(&batch)?;
            for row in 0..batch.num_rows() {
                let cell = |c: &arrow::array::StringArray| match arrow::array::Array::is_null(c, row) {
                    true => "NULL".to_owned(),
                    false if c.value(row).is_empty() => "(empty)".to_owned(),
                    false => c.value(row).to_owned(),
                };
                rows.push(columns.iter().map(cell).collect());
            }
        }
        Ok(DBOutput::Rows { types, rows })
    }
    async fn shutdown(&mut self) {}
    fn engine_name(&self) -> &str {
        "lakebed"
    }
}

async fn file(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sql").join(format!("{name}.slt"));
    let mut runner = Runner::new(|| async { Ok(Lake::new()) });
    runner.run_file_async(&path).await.unwrap_or_else(|e| panic!("{}", e.display(false)));
}

macro_rules! files {
    ($($name:ident)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            file(stringify!($name)).await;
        })*

        #[test]
        fn every_slt_file_is_listed() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sql");
            let mut found: Vec<String> = std::fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().to_str().unwrap().trim_end_matches(".slt").to_owned())
                .collect();
            found.sort();
            let mut listed = vec![$(stringify!($name).to_owned()),*];
            listed.sort();
            assert_eq!(found, listed);
        }
    };
}

// `types.slt`, `select.slt`, `insert.slt` and `names.slt`:
// spec: SQL-1, SQL-5, SQL-6, SQL-7, SQL-11, MRG-17, ALT-13
// `functions.slt`:
// spec: SQL-13, SQL-9
// `guards.slt`:
// spec: EXP-25
files! { select types copies time_travel skipping insert replace dml merge alter changes hidden describe errors defaults nulls names variants optimize vacuum guards functions }

impl Lake {
    async fn ok(&self, sql: &str) -> Vec<arrow::array::RecordBatch> {
        match self.session.sql(sql).await.unwrap_or_else(|e| panic!("{sql}: {e}")) {
            Answer::Rows(rows) => rows.batches.try_collect().await.unwrap_or_else(|e| panic!("{sql}: {e}")),
            Answer::Report(_) => Vec::new(),
        }
    }
    /// All cells, joined by bars; rows by line breaks.
    async fn text(&self, sql: &str) -> String {
        let mut lines = Vec::new();
        for batch in self.ok(sql).await {
            let columns = columns_as_text(&batch).unwrap();
            lines.extend((0..batch.num_rows()).map(|row| columns.iter().map(|c| c.value(row)).collect::<Vec<_>>().join("|")));
        }
        lines.join("\n")
    }
}

// spec: SQL-4, SQL-3, EXP-25
#[tokio::test]
async fn explain_shows_files_kept_of_total() {
    let lake = Lake::new();
    lake.ok("CREATE TABLE t (id INT, p STRING) USING DELTA PARTITIONED BY (p) LOCATION 't'").await;
    lake.ok("INSERT INTO t VALUES (1, 'a'), (2, 'b')").await;
    lake.ok("INSERT INTO t VALUES (10, 'a'), (20, 'b')").await;
    for (query, files) in [
        ("SELECT * FROM t", "files: 4 of 4"),
        ("SELECT id FROM t WHERE p = 'a'", "files: 2 of 4"),
        ("SELECT id FROM t WHERE id >= 15", "files: 1 of 4"),
        ("SELECT id FROM t WHERE id + 1 >= 15", "files: 4 of 4"),
        ("SELECT id FROM t WHERE p = 'a' AND abs(id) = 3", "files: 2 of 4"),
        ("SELECT id FROM t WHERE upper(p) = 'A'", "files: 2 of 4"),
        ("SELECT id FROM t WHERE startswith(p, 'b') AND round(id) > 0", "files: 2 of 4"),
        ("SELECT id FROM t WHERE id > CAST('14' AS INT)", "files: 1 of 4"),
        ("SELECT id FROM t WHERE 10 / (id - 1) > 3 AND id >= 15", "files: 1 of 4"),
        ("SELECT id, 10 / id FROM t WHERE p = 'b' AND (id > 1 OR 10 / id > 3) AND id < 5", "files: 1 of 4"),
    ] {
        let plan = lake.text(&format!("EXPLAIN {query}")).await;
        assert!(plan.contains(files), "{query}: {plan}");
    }
    let plan = lake.text("EXPLAIN SELECT id FROM t WHERE id >= 15").await;
    assert!(plan.contains("FilterExec") && plan.contains("columns: [id]"), "{plan}");
    // Counting rows reads none of them.
    let plan = lake.text("EXPLAIN SELECT count(*) FROM t").await;
    assert!(!plan.contains("DeltaScan"), "{plan}");
}

// spec: SQL-2
#[tokio::test]
async fn times_pick_the_version_that_was_newest_then() {
    let lake = Lake::new();
    lake.ok("CREATE TABLE t (id INT) USING DELTA LOCATION 't'").await;
    lake.ok("INSERT INTO t VALUES (1)").await;
    let time = lake.text("SELECT CAST(max(id) AS STRING) FROM t").await;
    assert_eq!(time, "1");
    let history = lake.text("DESCRIBE HISTORY t LIMIT 1").await;
    let time = history.split('|').nth(1).unwrap().to_owned();
    lake.ok("INSERT INTO t VALUES (2)").await;
    assert_eq!(lake.text(&format!("SELECT count(*) FROM t TIMESTAMP AS OF '{time}'")).await, "1");
    let earlier = format!("SELECT count(*) FROM t TIMESTAMP AS OF TIMESTAMP '{time}' + INTERVAL '0' DAY");
    assert_eq!(lake.text(&earlier).await, "1");
}

// spec: SQL-10
#[tokio::test]
async fn a_sort_larger_than_the_budget_spills() {
    let lake = Lake::new();
    let env = Env::system().with_memory_limit(24 << 20).with_threads(2);
    let folder = lake._folder.path().to_owned();
    let own = env.clone();
    let small = Session::new(env).opening(move |l| Table::at(folder.join(l).to_str().unwrap()).env(own.clone()).open());
    let query = "SELECT count(*) AS n, max(r) AS r FROM (SELECT row_number() OVER (ORDER BY md5(CAST(value AS STRING))) AS r FROM range(0, 400000))";
    let Answer::Rows(rows) = small.sql(query).await.unwrap() else { panic!() };
    let batches: Vec<_> = rows.batches.try_collect().await.unwrap();
    assert_eq!(columns_as_text(&batches[0]).unwrap()[0].value(0), "400000");
}

/// A table that this store holds, as `t`.
fn session_on(store: Arc<dyn ObjectStore>) -> Session {
    let env = Env::system().with_memory_limit(256 << 20).with_threads(2);
    let root = TableRoot::with_store(url::Url::parse("memory:///t").unwrap(), store, object_store::path::Path::from("t"));
    let session = Session::new(env.clone());
    session.register("t", Table::with_log(root.clone(), Arc::new(PathLogStore::new(root)), env));
    session
}

async fn rows_of(session: &Session, sql: &str) -> Result<usize, Error> {
    let Answer::Rows(rows) = session.sql(sql).await? else { return Ok(0) };
    let batches: Vec<_> = rows.batches.try_collect().await?;
    Ok(batches.iter().map(|batch| batch.num_rows()).sum())
}

// spec: SQL-12
#[tokio::test(flavor = "multi_thread")]
async fn rows_computed_from_a_table_are_refused_beside_a_change_of_it() {
    let cases = [
        ("INSERT INTO t SELECT k + 10, v FROM t", false),
        ("INSERT INTO t REPLACE WHERE k = 1 SELECT 1, max(v) FROM t", false),
        ("MERGE INTO t USING (SELECT k, v + 1 AS v FROM t WHERE k = 1) s ON t.k = s.k WHEN MATCHED THEN UPDATE SET v = s.v", false),
        ("CREATE OR REPLACE TABLE t USING DELTA AS SELECT k, v + 1 AS v FROM t", false),
        ("INSERT INTO t SELECT k + 10, v FROM t VERSION AS OF 1", true),
        ("INSERT INTO t VALUES (7, 7), (8, 8)", true),
    ];
    for (sql, lands) in cases {
        let store = Arc::new(InMemory::new());
        let plain = session_on(Arc::clone(&store) as Arc<dyn ObjectStore>);
        rows_of(&plain, "CREATE TABLE t (k BIGINT, v BIGINT) USING DELTA").await.unwrap();
        rows_of(&plain, "INSERT INTO t VALUES (1, 1), (2, 2)").await.unwrap();
        let (inner, first) = (Arc::clone(&store) as Arc<dyn ObjectStore>, AtomicBool::new(true));
        let faulty = Faulty::new(Arc::clone(&inner), move |kind, key, _| {
            if kind == Kind::Create && key.ends_with("02.json") && first.swap(false, Ordering::SeqCst) {
                let inner = Arc::clone(&inner);
                let winner = std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    runtime.block_on(rows_of(&session_on(inner), "UPDATE t SET v = 100 WHERE k = 1")).unwrap();
                });
                winner.join().unwrap();
            }
            None
        });
        let ended = rows_of(&session_on(faulty), sql).await;
        assert_eq!(ended.as_ref().err().map(|e| e.code()), (!lands).then_some(Code::CONFLICT), "{sql}: {ended:?}");
        assert_eq!(rows_of(&plain, "SELECT * FROM t WHERE k = 1 AND v = 100").await.unwrap(), 1, "{sql}");
        assert_eq!(rows_of(&plain, "SELECT * FROM t").await.unwrap(), if lands { 4 } else { 2 }, "{sql}");
    }
}

// spec: SQL-12
#[tokio::test(flavor = "multi_thread")]
async fn rows_computed_from_a_table_under_another_name_are_refused_beside_a_change_of_it() {
    for (read, lands) in [("t/", false), ("./t", false), ("u/../t", false), ("link", false), ("copy", true)] {
        let folder = tempfile::tempdir().unwrap();
        let name = |location: &str| format!("delta.`{}/{location}`", folder.path().to_str().unwrap());
        let env = Env::system().with_memory_limit(256 << 20).with_threads(2);
        let plain = Session::new(env.clone());
        rows_of(&plain, &format!("CREATE TABLE {} (k BIGINT, v BIGINT) USING DELTA", name("t"))).await.unwrap();
        rows_of(&plain, &format!("INSERT INTO {} VALUES (1, 1), (2, 2)", name("t"))).await.unwrap();
        std::os::unix::fs::symlink("t", folder.path().join("link")).unwrap();
        copy_folder(&folder.path().join("t"), &folder.path().join("copy"));
        // The winner commits when the rows begin to flow.
        let update = format!("UPDATE {} SET v = 100 WHERE k = 1", name("t"));
        let winner = plain.clone();
        let session = Session::new(env).watching(move |rows| {
            let (winner, update) = (winner.clone(), update.clone());
            let first = tokio::spawn(async move { rows_of(&winner, &update).await });
            let first = futures::stream::once(async move { first.await.unwrap() });
            first.try_filter_map(|_| std::future::ready(Ok(None))).chain(rows).boxed()
        });
        let ended = rows_of(&session, &format!("INSERT INTO {} SELECT k + 10, v FROM {}", name("t"), name(read))).await;
        assert_eq!(ended.as_ref().err().map(|e| e.code()), (!lands).then_some(Code::CONFLICT), "{read}: {ended:?}");
        assert_eq!(rows_of(&plain, &format!("SELECT * FROM {}", name("t"))).await.unwrap(), if lands { 4 } else { 2 }, "{read}");
    }
}
