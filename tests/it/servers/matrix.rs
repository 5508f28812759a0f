//! Every writer feature, both ways: Spark makes a table and lakebed changes it, lakebed makes the same table and Spark changes it
//! by the same statements. Rows, row ids, changes, history and what the table is agree at every version, whoever reads.

use super::alter::shape;
use crate::support::peers::{ask, spark};
use futures::TryStreamExt;
use lakebed::{Answer, Code, Env, Result, Session, Table};
use serde_json::{Map, Value, json};
use std::path::Path;

/// One statement; `{t}` stands for the table.
#[derive(Clone, Copy)]
enum Step {
    Does(&'static str),
    /// Both refuse it, lakebed with this code.
    Refused(&'static str, Code),
}
use Step::{Does, Refused};

/// A table with a writer feature and what happens to it.
struct Case {
    /// The features that it is about.
    name: &'static str,
    columns: &'static str,
    /// PARTITIONED BY or CLUSTER BY.
    layout: &'static str,
    properties: &'static str,
    /// By who makes the table, after making it.
    filled: &'static [&'static str],
    /// By the other one.
    steps: &'static [Step],
    /// What is read of every version.
    select: &'static str,
    feed: bool,
}

const PLAIN: Case = Case {
    name: "",
    columns: "id BIGINT, v STRING",
    layout: "",
    properties: "'own'='1'",
    filled: &[FILL],
    steps: STEPS,
    select: "*",
    feed: false,
};

const FILL: &str =
    "INSERT INTO {t} (id, v) SELECT /*+ COALESCE(1) */ * FROM (VALUES (1L, 'a'), (2L, 'b'), (3L, 'c'), (4L, 'd'), (5L, 'e'), (6L, 'f'))";
const INSERT: Step = Does("INSERT INTO {t} (id, v) VALUES (10L, 'k')");
const UPDATE: Step = Does("UPDATE {t} SET v = concat(v, '!') WHERE id IN (2, 5)");
const DELETE: Step = Does("DELETE FROM {t} WHERE id = 3");
const MERGE: Step = Does(
    "MERGE INTO {t} t USING (SELECT id, v FROM (VALUES (1L, 'm'), (4L, 'gone'), (20L, 'new')) AS q(id, v)) s ON t.id = s.id \
     WHEN MATCHED AND s.v = 'gone' THEN DELETE WHEN MATCHED THEN UPDATE SET v = s.v \
     WHEN NOT MATCHED THEN INSERT (id, v) VALUES (s.id, s.v) WHEN NOT MATCHED BY SOURCE AND t.id = 6 THEN UPDATE SET v = 'alone'",
);
const ADD: Step = Does("ALTER TABLE {t} ADD COLUMNS (late INT COMMENT 'c')");
const AFTER: Step = Does("INSERT INTO {t} (id, v, late) VALUES (30L, 'z', 7)");
const STEPS: &[Step] = &[INSERT, UPDATE, DELETE, MERGE, ADD, AFTER];

/// Rows in the JSON of both engines, sorted.
fn sorted(mut rows: Vec<Value>) -> Vec<Value> {
    rows.sort_by_key(Value::to_string);
    rows
}

async fn run(session: &Session, sql: &str) -> Result<Vec<Value>> {
    let Answer::Rows(rows) = session.sql(sql).await? else { return Ok(Vec::new()) };
    let batches: Vec<_> = rows.batches.try_collect().await?;
    let mut writer = arrow::json::WriterBuilder::new().with_explicit_nulls(true).build::<_, arrow::json::writer::JsonArray>(Vec::new());
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish().unwrap();
    let text = writer.into_inner();
    Ok(sorted(if text.is_empty() { Vec::new() } else { serde_json::from_slice(&text).unwrap() }))
}

fn named(sql: &str, table: &str) -> String {
    sql.replace("{t}", &format!("delta.`{table}`"))
}

/// The operations of the history, oldest first.
fn history(table: &str) -> Vec<String> {
    let log = Path::new(table).join("_delta_log");
    let mut names: Vec<_> = std::fs::read_dir(log).unwrap().map(|e| e.unwrap().path()).collect();
    names.retain(|p| p.extension().is_some_and(|e| e == "json") && p.file_stem().is_some_and(|s| s.len() == 20));
    names.sort();
    let operation = |p: &std::path::PathBuf| {
        let text = std::fs::read_to_string(p).unwrap();
        let infos = text.lines().map(|l| serde_json::from_str::<Map<String, Value>>(l).unwrap());
        infos.into_iter().find_map(|a| a.get("commitInfo").map(|i| i["operation"].as_str().unwrap().to_owned())).unwrap()
    };
    names.iter().map(operation).collect()
}

/// All rows of these versions by Spark.
fn spark_rows(table: &str, select: &str, versions: impl Iterator<Item = usize>) -> Vec<Vec<Value>> {
    let versions: Vec<usize> = versions.collect();
    let one = |v: &usize| {
        format!("SELECT {v} AS n, to_json(struct({select}), map('ignoreNullFields', 'false')) AS j FROM delta.`{table}` VERSION AS OF {v}")
    };
    let all = spark(table, &[&versions.iter().map(one).collect::<Vec<_>>().join(" UNION ALL ")]);
    let parsed = |r: &Value| serde_json::from_str(r["j"].as_str().unwrap()).unwrap();
    versions.iter().map(|v| sorted(all.iter().filter(|r| r["n"] == json!(v)).map(parsed).collect())).collect()
}

/// The change feed without times, or that there is none.
fn spark_feed(table: &str, last: usize) -> Vec<Value> {
    without_times(spark(table, &[&format!("SELECT * FROM table_changes_by_path('{table}', 0, {last})")]))
}

fn without_times(rows: Vec<Value>) -> Vec<Value> {
    let strip = |mut row: Value| {
        row.as_object_mut().unwrap().remove("_commit_timestamp");
        row
    };
    sorted(rows.into_iter().map(strip).collect())
}

/// Ids of rows that MERGE inserts follow from the layout of files, which is each engine's own.
fn without_new_ids(mut rows: Vec<Value>) -> Vec<Value> {
    for row in rows.iter_mut().filter(|row| row["id"].as_i64() >= Some(20)) {
        row.as_object_mut().unwrap().remove("row_id");
    }
    sorted(rows)
}

/// What differs, as text.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn same<T: PartialEq + std::fmt::Debug>(&mut self, about: &str, ours: &T, theirs: &T) {
        if ours != theirs {
            self.0.push(format!("{about}:\n  ours   {ours:?}\n  theirs {theirs:?}"));
        }
    }
}

/// `x` is made by Spark and changed by lakebed, `y` the other way round.
async fn both_ways(case: &Case, folder: &Path) -> Differences {
    let mut found = Differences::default();
    let session = Session::new(Env::system());
    let path = |name: &str| folder.join(format!("{}-{name}", case.name.replace(' ', "-"))).to_str().unwrap().to_owned();
    let (x, y) = (path("x"), path("y"));
    let create = format!("CREATE TABLE {{t}} ({}) USING DELTA {} TBLPROPERTIES ({})", case.columns, case.layout, case.properties);
    let make: Vec<&str> = std::iter::once(create.as_str()).chain(case.filled.iter().copied()).collect();
    spark(&x, &make);
    for sql in &make {
        if let Err(e) = run(&session, &named(sql, &y)).await {
            found.0.push(format!("lakebed cannot make the table: {sql}: {e}"));
            return found;
        }
    }
    for step in case.steps {
        let (Does(sql) | Refused(sql, _)) = step;
        let ours = run(&session, &named(sql, &x)).await;
        let theirs = ask(json!({"op": "sql", "sql": [named(sql, &y)]}));
        match (step, ours, theirs) {
            (Does(_), Ok(_), Ok(_)) => {}
            (Refused(_, code), Err(e), Err(_)) if e.code() == *code => {}
            (_, ours, theirs) => {
                let (ours, theirs) = (ours.map(|_| ()).map_err(|e| e.to_string()), theirs.map(|_| ()));
                found.0.push(format!("{sql}:\n  lakebed {ours:?}\n  spark   {theirs:?}"));
            }
        }
    }
    found.same("history", &history(&x), &history(&y));
    if !found.0.is_empty() {
        return found;
    }
    let (mut ours, mut theirs) = (shape(Path::new(&x)), shape(Path::new(&y)));
    // Spark takes up some features under the names of their previews, which mean the same.
    for names in [&mut ours, &mut theirs].into_iter().flat_map(|s| [&mut s.protocol.2, &mut s.protocol.3]) {
        *names = names.iter().map(|name| name.trim_end_matches("-preview").to_owned()).collect();
    }
    // What Spark promises of its own Iceberg writer when it makes a table.
    ours.configuration.as_object_mut().unwrap().remove("delta.universalFormat.iceberg.atomicConversion.supported");
    found.same("the table", &ours, &theirs);
    let last = history(&x).len() - 1;
    let at = |table: &str, v: usize| format!("SELECT {} FROM delta.`{table}` VERSION AS OF {v}", case.select);
    for (v, theirs) in spark_rows(&x, case.select, 0..=last).into_iter().enumerate() {
        let read = async |table: &str| run(&session, &at(table, v)).await.unwrap_or_else(|e| panic!("{}: {v}: {e}", case.name));
        found.same(&format!("version {v}: we and Spark read ours"), &read(&x).await, &theirs);
        found.same(&format!("version {v}: ours and Spark's"), &without_new_ids(theirs), &without_new_ids(read(&y).await));
    }
    let theirs = spark_rows(&y, case.select, last..=last).remove(0);
    found.same("we and Spark read Spark's", &run(&session, &at(&y, last)).await.unwrap(), &theirs);
    if case.feed {
        let (a, b) = (spark_feed(&x, last), spark_feed(&y, last));
        found.same("changes: Spark reads both", &a, &b);
        for (table, theirs) in [(&x, a), (&y, b)] {
            let sql = format!("SELECT * FROM table_changes('{table}', 0, {last})");
            let ours = run(&session, &sql).await.map(without_times);
            found.same("changes", &ours.map_err(|e| e.to_string()), &Ok(theirs));
        }
    }
    // Both go on where the other stopped.
    let insert = "INSERT INTO {t} (id, v) VALUES (99L, 'both')";
    if !case.steps.iter().any(|step| matches!(step, Does(sql) if sql.contains("RENAME COLUMN"))) {
        spark(&x, &[insert]);
        if let Err(e) = run(&session, &named(insert, &y)).await {
            found.0.push(format!("after Spark: {e}"));
        }
        let count = async |t: &str| Table::at(t).open().unwrap().snapshot().await.unwrap().version().0;
        found.same("versions", &count(&x).await, &count(&y).await);
    }
    found
}

async fn check(cases: &[Case]) {
    let folder = tempfile::Builder::new().prefix("matrix-").tempdir().unwrap();
    let mut told = Vec::new();
    for case in cases {
        let found = both_ways(case, folder.path()).await;
        told.extend(found.0.into_iter().map(|text| format!("{}: {text}", case.name)));
    }
    assert!(told.is_empty(), "{} differences:\n{}", told.len(), told.join("\n"));
}

// spec: FEA-25
#[tokio::test(flavor = "multi_thread")]
async fn rules_about_rows_hold_for_both() {
    check(&[
        Case {
            name: "appendOnly",
            properties: "'delta.appendOnly'='true'",
            steps: &[
                INSERT,
                Refused("DELETE FROM {t} WHERE id = 3", Code::CONSTRAINT),
                Refused("UPDATE {t} SET v = 'x' WHERE id = 3", Code::CONSTRAINT),
                Refused("INSERT OVERWRITE {t} VALUES (1L, 'x')", Code::CONSTRAINT),
                Does("MERGE INTO {t} t USING (SELECT id, v FROM (VALUES (1L, 'm'), (20L, 'n')) AS q(id, v)) s ON t.id = s.id WHEN NOT MATCHED THEN INSERT *"),
                Refused(
                    "MERGE INTO {t} t USING (SELECT id, v FROM (VALUES (1L, 'm')) AS q(id, v)) s ON t.id = s.id WHEN MATCHED THEN DELETE",
                    Code::CONSTRAINT,
                ),
                ADD,
                AFTER,
                Does("ALTER TABLE {t} SET TBLPROPERTIES ('delta.appendOnly'='false')"),
                DELETE,
            ],
            ..PLAIN
        },
        Case {
            name: "invariants checkConstraints",
            columns: "id BIGINT NOT NULL, v STRING",
            filled: &[FILL, "ALTER TABLE {t} ADD CONSTRAINT short CHECK (length(v) < 8)"],
            steps: &[
                INSERT,
                Refused("INSERT INTO {t} VALUES (NULL, 'x')", Code::CONSTRAINT),
                Refused("INSERT INTO {t} VALUES (7L, 'much too long')", Code::CONSTRAINT),
                Refused("UPDATE {t} SET v = 'much too long' WHERE id = 2", Code::CONSTRAINT),
                Refused("UPDATE {t} SET id = NULL WHERE id = 2", Code::CONSTRAINT),
                Refused(
                    "MERGE INTO {t} t USING (SELECT id, v FROM (VALUES (1L, 'much too long')) AS q(id, v)) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET *",
                    Code::CONSTRAINT,
                ),
                Refused(
                    "MERGE INTO {t} t USING (SELECT id, v FROM (VALUES (1L, 'm')) AS q(id, v)) s ON false WHEN NOT MATCHED THEN INSERT (v) VALUES (s.v)",
                    Code::CONSTRAINT,
                ),
                UPDATE,
                DELETE,
                MERGE,
                Refused("INSERT INTO {t} VALUES (40L, NULL)", Code::CONSTRAINT),
                Does("ALTER TABLE {t} DROP CONSTRAINT short"),
                Does("ALTER TABLE {t} ALTER COLUMN id DROP NOT NULL"),
                Does("INSERT INTO {t} VALUES (NULL, 'much too long')"),
                ADD,
            ],
            ..PLAIN
        },
    ])
    .await;
}

// spec: FEA-25
#[tokio::test(flavor = "multi_thread")]
async fn values_that_tables_give_are_the_same() {
    const COMPUTED: &[Step] = &[
        INSERT,
        UPDATE,
        Does("UPDATE {t} SET id = id + 100 WHERE id = 2"),
        Refused("INSERT INTO {t} (id, v, tenth) VALUES (1L, 'x', 77L)", Code::CONSTRAINT),
        Refused("UPDATE {t} SET tenth = 77 WHERE id = 1", Code::CONSTRAINT),
        DELETE,
        MERGE,
        Does(
            "MERGE INTO {t} t USING (SELECT id FROM (VALUES (1L), (50L)) AS q(id)) s ON t.id = s.id \
             WHEN MATCHED THEN UPDATE SET id = s.id + 200 WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id)",
        ),
        Refused(
            "MERGE INTO {t} t USING (SELECT id FROM (VALUES (5L)) AS q(id)) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET tenth = 1",
            Code::CONSTRAINT,
        ),
        Refused(
            "MERGE INTO {t} t USING (SELECT id FROM (VALUES (60L)) AS q(id)) s ON t.id = s.id WHEN NOT MATCHED THEN INSERT (id, tenth) VALUES (s.id, 1)",
            Code::CONSTRAINT,
        ),
        ADD,
        AFTER,
    ];
    let computed =
        "id BIGINT, v STRING, tenth BIGINT GENERATED ALWAYS AS (CAST(id / 10 AS BIGINT)), big STRING GENERATED ALWAYS AS (upper(v))";
    check(&[
        Case { name: "generatedColumns", columns: computed, steps: COMPUTED, ..PLAIN },
        Case {
            name: "generatedColumns partitioned changeDataFeed",
            columns: computed,
            layout: "PARTITIONED BY (tenth)",
            properties: "'delta.enableChangeDataFeed'='true','delta.enableDeletionVectors'='true'",
            steps: COMPUTED,
            feed: true,
            ..PLAIN
        },
    ])
    .await;
}

// spec: FEA-25
#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_tables_give_are_the_same() {
    check(&[Case {
        name: "identityColumns",
        columns: "id BIGINT, v STRING, n BIGINT GENERATED ALWAYS AS IDENTITY (START WITH 5 INCREMENT BY 5), m BIGINT GENERATED BY DEFAULT AS IDENTITY",
        properties: "'delta.enableChangeDataFeed'='true'",
        steps: &[
            INSERT,
            Refused("INSERT INTO {t} (id, v, n) VALUES (1L, 'x', 7L)", Code::CONSTRAINT),
            Refused("UPDATE {t} SET n = 7 WHERE id = 1", Code::CONSTRAINT),
            Refused("UPDATE {t} SET m = 7 WHERE id = 1", Code::CONSTRAINT),
            UPDATE,
            DELETE,
            Does("INSERT INTO {t} (id, v, m) VALUES (11L, 'given', 1000L)"),
            Does(
                "MERGE INTO {t} t USING (SELECT id, v FROM (VALUES (1L, 'm'), (21L, 'new')) AS q(id, v)) s ON t.id = s.id \
                 WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT (id, v) VALUES (s.id, s.v)",
            ),
            Refused(
                "MERGE INTO {t} t USING (SELECT id FROM (VALUES (5L)) AS q(id)) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET n = 1",
                Code::CONSTRAINT,
            ),
            Refused(
                "MERGE INTO {t} t USING (SELECT id FROM (VALUES (5L)) AS q(id)) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET m = 1",
                Code::CONSTRAINT,
            ),
            Refused(
                "MERGE INTO {t} t USING (SELECT id FROM (VALUES (61L)) AS q(id)) s ON t.id = s.id WHEN NOT MATCHED THEN INSERT (id, n) VALUES (s.id, 1)",
                Code::CONSTRAINT,
            ),
            Does(
                "MERGE INTO {t} t USING (SELECT id FROM (VALUES (61L)) AS q(id)) s ON t.id = s.id WHEN NOT MATCHED THEN INSERT (id, m) VALUES (s.id, 2000)",
            ),
            Does("ALTER TABLE {t} ALTER COLUMN m SYNC IDENTITY"),
            Does("INSERT INTO {t} (id, v) VALUES (12L, 'after')"),
            ADD,
            AFTER,
        ],
        feed: true,
        ..PLAIN
    }])
    .await;
}

// spec: FEA-25
#[tokio::test(flavor = "multi_thread")]
async fn defaults_are_the_same() {
    check(&[Case {
        name: "allowColumnDefaults",
        columns: "id BIGINT, v STRING DEFAULT 'none', n INT DEFAULT 6 * 7",
        properties: "'delta.feature.allowColumnDefaults'='supported'",
        steps: &[
            INSERT,
            Does("INSERT INTO {t} VALUES (11L, DEFAULT, DEFAULT), (12L, 'given', 1)"),
            Does("INSERT INTO {t} (n, id) VALUES (DEFAULT, 13L)"),
            UPDATE,
            Does("UPDATE {t} SET v = DEFAULT, n = DEFAULT WHERE id IN (5, 12)"),
            DELETE,
            MERGE,
            // Spark fails where a MERGE names DEFAULT itself; columns that it leaves out get theirs.
            Does(
                "MERGE INTO {t} t USING (SELECT id FROM (VALUES (1L), (50L)) AS q(id)) s ON t.id = s.id \
                 WHEN MATCHED THEN UPDATE SET v = 'w' WHEN NOT MATCHED THEN INSERT (id) VALUES (s.id)",
            ),
            Does("ALTER TABLE {t} ALTER COLUMN v SET DEFAULT 'other'"),
            Does("ALTER TABLE {t} ALTER COLUMN n DROP DEFAULT"),
            Does("ALTER TABLE {t} ALTER COLUMN id SET DEFAULT 7"),
            Refused("ALTER TABLE {t} ALTER COLUMN n SET DEFAULT 'no number'", Code::SQL),
            Refused("ALTER TABLE {t} ALTER COLUMN n SET DEFAULT id", Code::SQL),
            Does("INSERT INTO {t} (n) VALUES (3)"),
            Does("INSERT INTO {t} (id) VALUES (14L)"),
            ADD,
            AFTER,
        ],
        ..PLAIN
    }])
    .await;
}

// spec: FEA-25
#[tokio::test(flavor = "multi_thread")]
async fn mapped_columns_are_the_same() {
    check(&[
        Case {
            name: "columnMapping",
            columns: "id BIGINT, v STRING, s STRUCT<x: INT, y: STRING>, p INT",
            layout: "PARTITIONED BY (p)",
            properties: "'delta.columnMapping.mode'='name'",
            steps: &[
                INSERT,
                UPDATE,
                DELETE,
                MERGE,
                Does("ALTER TABLE {t} ADD COLUMNS (`a b` INT, s.z INT)"),
                Does("INSERT INTO {t} VALUES (31L, 'n', named_struct('x', 1, 'y', 'y', 'z', 2), 4, 5)"),
                Does("ALTER TABLE {t} RENAME COLUMN v TO w"),
                Does("ALTER TABLE {t} RENAME COLUMN s.x TO xx"),
                Does("ALTER TABLE {t} DROP COLUMN s.y"),
                Does("UPDATE {t} SET w = 'renamed', s.z = 9 WHERE id IN (1, 31)"),
                Does("ALTER TABLE {t} RENAME COLUMN p TO q"),
                Does(
                    "MERGE INTO {t} t USING (SELECT id, w FROM (VALUES (1L, 'm'), (32L, 'n')) AS q(id, w)) s ON t.id = s.id \
                     WHEN MATCHED THEN UPDATE SET q = 8 WHEN NOT MATCHED THEN INSERT (id, w) VALUES (s.id, s.w)",
                ),
                Does("DELETE FROM {t} WHERE q = 4"),
                Does("ALTER TABLE {t} DROP COLUMN `a b`"),
            ],
            ..PLAIN
        },
        Case {
            name: "columnMapping later",
            properties: "'delta.enableChangeDataFeed'='true'",
            steps: &[
                INSERT,
                Does("ALTER TABLE {t} SET TBLPROPERTIES ('delta.columnMapping.mode'='name')"),
                UPDATE,
                DELETE,
                MERGE,
                ADD,
                AFTER,
            ],
            feed: true,
            ..PLAIN
        },
    ])
    .await;
}

/// Rows with what tells them apart through all changes.
const TRACKED: &str = "*, _metadata.row_id AS row_id, _metadata.row_commit_version AS row_commit_version";

// spec: FEA-25
#[tokio::test(flavor = "multi_thread")]
async fn rows_keep_their_ids_alike() {
    check(&[
        Case {
            name: "rowTracking domainMetadata",
            properties: "'delta.enableRowTracking'='true','delta.enableDeletionVectors'='false'",
            select: TRACKED,
            ..PLAIN
        },
        Case {
            name: "rowTracking deletionVectors changeDataFeed",
            properties: "'delta.enableRowTracking'='true','delta.enableDeletionVectors'='true','delta.enableChangeDataFeed'='true'",
            select: TRACKED,
            feed: true,
            ..PLAIN
        },
        Case {
            name: "rowTracking later",
            properties: "'delta.enableDeletionVectors'='true'",
            steps: &[
                INSERT,
                Does("ALTER TABLE {t} SET TBLPROPERTIES ('delta.enableRowTracking'='true')"),
                UPDATE,
                DELETE,
                MERGE,
                ADD,
                AFTER,
            ],
            ..PLAIN
        },
    ])
    .await;
}

// spec: FEA-25
#[tokio::test(flavor = "multi_thread")]
async fn layouts_and_logs_are_the_same() {
    check(&[
        Case {
            name: "clustering",
            layout: "CLUSTER BY (id)",
            steps: &[
                INSERT,
                UPDATE,
                DELETE,
                MERGE,
                Does("ALTER TABLE {t} CLUSTER BY (v)"),
                Does("INSERT INTO {t} VALUES (33L, 'c')"),
                Does("ALTER TABLE {t} CLUSTER BY NONE"),
                ADD,
                AFTER,
            ],
            ..PLAIN
        },
        Case {
            name: "v2Checkpoint inCommitTimestamp vacuumProtocolCheck materializePartitionColumns",
            columns: "id BIGINT, v STRING, p STRING",
            layout: "PARTITIONED BY (p)",
            properties: "'delta.checkpointPolicy'='v2','delta.checkpointInterval'='3','delta.enableInCommitTimestamps'='true',\
                         'delta.feature.vacuumProtocolCheck'='supported','delta.feature.materializePartitionColumns'='supported'",
            ..PLAIN
        },
        Case {
            name: "checkpointProtection",
            properties: "'delta.enableDeletionVectors'='true'",
            filled: &[FILL, "DELETE FROM {t} WHERE id = 6", "ALTER TABLE {t} DROP FEATURE deletionVectors"],
            ..PLAIN
        },
        Case {
            name: "TRUNCATE and overwrite",
            properties: "'delta.enableChangeDataFeed'='true'",
            steps: &[INSERT, Does("TRUNCATE TABLE {t}"), INSERT, Does("INSERT OVERWRITE {t} VALUES (7L, 'o')"), UPDATE, ADD, AFTER],
            feed: true,
            ..PLAIN
        },
    ])
    .await;
}

// spec: FEA-25
#[tokio::test(flavor = "multi_thread")]
async fn types_are_the_same() {
    const VARIANT: &[Step] = &[
        Does(r#"INSERT INTO {t} SELECT 10L, 'k', parse_json('{"a": 1, "b": ["x", 2.5], "c": {"d": null}}')"#),
        Does(r#"INSERT INTO {t} SELECT 11L, 'k', parse_json('{"a": "text", "b": true}')"#),
        UPDATE,
        DELETE,
        MERGE,
        Does("UPDATE {t} SET x = NULL WHERE id = 10"),
        Does(r#"UPDATE {t} SET x = parse_json(concat('{"u": ', id, ', "w": [true, 1.50]}')) WHERE id < 3"#),
        Does(
            "MERGE INTO {t} t USING (SELECT id, parse_json(j) AS x FROM (VALUES (1L, '{\"a\": 7}'), (40L, '8')) AS q(id, j)) s ON t.id = s.id \
             WHEN MATCHED THEN UPDATE SET x = s.x WHEN NOT MATCHED THEN INSERT (id, x) VALUES (s.id, s.x)",
        ),
        ADD,
        AFTER,
    ];
    check(&[
        Case {
            name: "timestampNtz",
            columns: "id BIGINT, v STRING, at TIMESTAMP_NTZ",
            steps: &[
                Does("INSERT INTO {t} VALUES (10L, 'k', TIMESTAMP_NTZ '2024-02-29 12:34:56.123456'), (11L, 'l', NULL)"),
                UPDATE,
                DELETE,
                MERGE,
                Does("UPDATE {t} SET at = TIMESTAMP_NTZ '1970-01-01 00:00:00' WHERE id < 3"),
                Does("DELETE FROM {t} WHERE at > TIMESTAMP_NTZ '2000-01-01 00:00:00'"),
                ADD,
                AFTER,
            ],
            select: "id, v, CAST(at AS STRING) AS at",
            ..PLAIN
        },
        Case {
            name: "typeWidening",
            columns: "id BIGINT, v STRING, n SMALLINT",
            properties: "'delta.enableTypeWidening'='true','delta.enableDeletionVectors'='true'",
            steps: &[
                Does("INSERT INTO {t} VALUES (10L, 'k', 7)"),
                Does("ALTER TABLE {t} ALTER COLUMN n TYPE INT"),
                Does("INSERT INTO {t} VALUES (11L, 'l', 70000)"),
                UPDATE,
                Does("DELETE FROM {t} WHERE n = 7"),
                MERGE,
                Does(
                    "MERGE WITH SCHEMA EVOLUTION INTO {t} t USING (SELECT id, v, n FROM (VALUES (1L, 'w', 5000000000L), (41L, 'x', 6000000000L)) AS q(id, v, n)) s \
                     ON t.id = s.id WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *",
                ),
                ADD,
                AFTER,
            ],
            ..PLAIN
        },
        Case {
            name: "variantType",
            columns: "id BIGINT, v STRING, x VARIANT",
            steps: VARIANT,
            select: "id, v, to_json(x) AS x",
            ..PLAIN
        },
        Case {
            name: "variantShredding",
            columns: "id BIGINT, v STRING, x VARIANT",
            properties: "'delta.enableVariantShredding'='true','delta.enableDeletionVectors'='true'",
            filled: &[
                FILL,
                "INSERT INTO {t} SELECT /*+ COALESCE(1) */ id, v, parse_json(v) FROM (VALUES (100L, '{\"a\": 1, \"t\": \"x\", \"d\": {\"e\": 2.25, \"l\": [1]}}'), \
                 (101L, '{\"a\": 20000, \"t\": \"y\", \"d\": {\"e\": 1.5, \"k\": true}}'), (102L, '{\"a\": null, \"t\": 7}'), (103L, '[1, 2]')) AS q(id, v) WHERE id < 103",
                "INSERT INTO {t} SELECT 103L, 'list', parse_json('[{\"a\": 1}]')",
            ],
            steps: VARIANT,
            select: "id, v, to_json(x) AS x",
            ..PLAIN
        },
    ])
    .await;
}

// spec: FEA-25
#[tokio::test(flavor = "multi_thread")]
async fn tables_for_iceberg_are_the_same() {
    check(&[
        Case {
            name: "icebergCompatV1",
            properties: "'delta.columnMapping.mode'='name','delta.enableIcebergCompatV1'='true'",
            steps: &[
                INSERT,
                UPDATE,
                DELETE,
                MERGE,
                ADD,
                AFTER,
                Refused("ALTER TABLE {t} ADD COLUMNS (l ARRAY<INT>)", Code::SCHEMA),
                Refused("ALTER TABLE {t} SET TBLPROPERTIES ('delta.enableDeletionVectors'='true')", Code::PROPERTY),
            ],
            ..PLAIN
        },
        Case {
            name: "icebergCompatV2",
            columns: "id BIGINT, v STRING, l ARRAY<INT>, m MAP<STRING, INT>",
            properties: "'delta.columnMapping.mode'='name','delta.enableIcebergCompatV2'='true'",
            steps: &[
                Does("INSERT INTO {t} VALUES (10L, 'k', array(1, 2), map('a', 1))"),
                UPDATE,
                DELETE,
                MERGE,
                ADD,
                AFTER,
                Refused("ALTER TABLE {t} SET TBLPROPERTIES ('delta.enableDeletionVectors'='true')", Code::PROPERTY),
            ],
            ..PLAIN
        },
        Case {
            name: "icebergCompatV3",
            properties: "'delta.columnMapping.mode'='name','delta.enableIcebergCompatV3'='true','delta.enableRowTracking'='true','delta.enableDeletionVectors'='true'",
            select: TRACKED,
            ..PLAIN
        },
    ])
    .await;
}

// spec: FEA-25
#[tokio::test(flavor = "multi_thread")]
async fn many_features_at_once_are_the_same() {
    check(&[Case {
        name: "all",
        columns: "id BIGINT NOT NULL, v STRING DEFAULT 'none', tenth BIGINT GENERATED ALWAYS AS (CAST(id / 10 AS BIGINT)), at TIMESTAMP_NTZ",
        layout: "PARTITIONED BY (tenth)",
        properties: "'delta.columnMapping.mode'='name','delta.enableRowTracking'='true','delta.enableDeletionVectors'='true',\
                     'delta.enableChangeDataFeed'='true','delta.enableInCommitTimestamps'='true','delta.enableTypeWidening'='true',\
                     'delta.checkpointPolicy'='v2','delta.checkpointInterval'='2','delta.feature.allowColumnDefaults'='supported'",
        filled: &[FILL, "ALTER TABLE {t} ADD CONSTRAINT positive CHECK (id > 0)"],
        steps: &[
            INSERT,
            UPDATE,
            DELETE,
            MERGE,
            Refused("INSERT INTO {t} (id) VALUES (-1L)", Code::CONSTRAINT),
            Does("UPDATE {t} SET id = id + 30 WHERE id = 5"),
            ADD,
            AFTER,
            Does("INSERT INTO {t} (id) VALUES (77L)"),
        ],
        select: TRACKED,
        feed: true,
    }])
    .await;
}
