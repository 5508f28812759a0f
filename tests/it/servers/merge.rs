//! The same merges by Spark and by lakebed, on two copies of a table: equal rows, equal change feed, and Spark reads ours.

use super::alter::shape;
use crate::support::digest::digest_of;
use crate::support::folders::copy_folder;
use crate::support::peers::{spark, spark_digest};
use futures::{StreamExt, TryStreamExt};
use lakebed::{Answer, Code, Env, Expr, InputRows, MergeClause, Session, Struct, Table};
use serde_json::Value;
use std::sync::Arc;

struct Case {
    name: &'static str,
    columns: &'static str,
    partition_by: &'static str,
    /// Rows as Spark's VALUES.
    target: &'static str,
    source_columns: &'static str,
    /// The source in both languages.
    source: (&'static str, &'static str),
    on: &'static str,
    when: &'static [&'static str],
    evolves: bool,
}

const PLAIN: Case = Case {
    name: "",
    columns: "id INT, x STRING",
    partition_by: "",
    target: "(1, 't1'), (2, 't2'), (3, NULL), (NULL, 'n')",
    source_columns: "id INT, x STRING",
    source: (
        "VALUES (1, 'a'), (3, 'c'), (5, 'q'), (CAST(NULL AS INT), 'z') AS v(id, x)",
        "{\"id\":1,\"x\":\"a\"}\n{\"id\":3,\"x\":\"c\"}\n{\"id\":5,\"x\":\"q\"}\n{\"id\":null,\"x\":\"z\"}",
    ),
    on: "t.id = s.id",
    when: &[],
    evolves: false,
};

const CASES: &[Case] = &[
    Case { name: "upsert", when: &["MATCHED THEN UPDATE SET *", "NOT MATCHED THEN INSERT *"], ..PLAIN },
    Case { name: "upsert null-safe", on: "t.id <=> s.id", when: &["MATCHED THEN UPDATE SET *", "NOT MATCHED THEN INSERT *"], ..PLAIN },
    Case { name: "delete matched", when: &["MATCHED THEN DELETE"], ..PLAIN },
    Case {
        name: "every kind",
        when: &[
            "MATCHED AND t.x IS NULL THEN DELETE",
            "MATCHED AND s.x = 'a' THEN UPDATE SET x = concat(t.x, s.x)",
            "NOT MATCHED AND s.id > 4 THEN INSERT (id) VALUES (s.id * 10)",
            "NOT MATCHED THEN INSERT *",
            "NOT MATCHED BY SOURCE AND t.id = 2 THEN UPDATE SET id = -t.id, x = 'gone'",
            "NOT MATCHED BY SOURCE THEN DELETE",
        ],
        ..PLAIN
    },
    Case { name: "conditions that are NULL", when: &["MATCHED AND t.x > 'a' THEN DELETE", "MATCHED THEN UPDATE SET x = 'rest'"], ..PLAIN },
    Case { name: "insert only", when: &["NOT MATCHED AND s.x <> 'z' THEN INSERT *"], ..PLAIN },
    Case { name: "no equality", on: "t.id < s.id AND s.id < 4 AND s.id > 1", when: &["MATCHED THEN UPDATE SET x = s.x"], ..PLAIN },
    Case {
        name: "target-only part and by source",
        on: "t.id = s.id AND t.x LIKE 't%'",
        when: &[
            "MATCHED THEN UPDATE SET *",
            "NOT MATCHED THEN INSERT *",
            "NOT MATCHED BY SOURCE THEN UPDATE SET x = concat(coalesce(x, ''), '!')",
        ],
        ..PLAIN
    },
    Case {
        name: "partitioned by what changes",
        partition_by: "PARTITIONED BY (x)",
        when: &["MATCHED THEN UPDATE SET *", "NOT MATCHED THEN INSERT *"],
        ..PLAIN
    },
    Case {
        name: "casts",
        source_columns: "id BIGINT, x INT",
        source: ("VALUES (1L, 7), (5L, 8) AS v(id, x)", "{\"id\":1,\"x\":7}\n{\"id\":5,\"x\":8}"),
        when: &["MATCHED THEN UPDATE SET *", "NOT MATCHED THEN INSERT *"],
        ..PLAIN
    },
    Case {
        name: "evolution",
        source_columns: "id INT, n INT, m STRUCT<a: INT>",
        source: (
            "VALUES (1, 10, named_struct('a', 1)), (5, 50, NULL) AS v(id, n, m)",
            "{\"id\":1,\"n\":10,\"m\":{\"a\":1}}\n{\"id\":5,\"n\":50,\"m\":null}",
        ),
        when: &["MATCHED THEN UPDATE SET *", "NOT MATCHED THEN INSERT *"],
        evolves: true,
        ..PLAIN
    },
    Case {
        name: "nested evolution",
        columns: "id INT, c STRUCT<a: INT, b: INT>",
        target: "(1, named_struct('a', 1, 'b', 2)), (2, NULL)",
        source_columns: "id INT, c STRUCT<b: INT, z: INT>",
        source: (
            "VALUES (1, named_struct('b', 20, 'z', 30)), (2, named_struct('b', 21, 'z', 31)), (5, named_struct('b', 50, 'z', 51)) AS v(id, c)",
            "{\"id\":1,\"c\":{\"b\":20,\"z\":30}}\n{\"id\":2,\"c\":{\"b\":21,\"z\":31}}\n{\"id\":5,\"c\":{\"b\":50,\"z\":51}}",
        ),
        when: &["MATCHED THEN UPDATE SET *", "NOT MATCHED THEN INSERT *"],
        evolves: true,
        ..PLAIN
    },
];

fn last_info(location: &str) -> Value {
    let log = std::path::Path::new(location).join("_delta_log");
    let mut names: Vec<_> = std::fs::read_dir(&log).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|n| n.ends_with(".json") && n.len() == 25);
    names.sort();
    let text = std::fs::read_to_string(log.join(names.last().unwrap())).unwrap();
    let infos = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    infos.map(|mut action| action["commitInfo"].take()).find(|info| !info.is_null()).unwrap()
}

/// What the twins of a case are: how rows are deleted and whether there is a feed.
const KINDS: [&str; 4] = [
    "'delta.enableDeletionVectors'='true'",
    "'delta.enableDeletionVectors'='false'",
    "'delta.enableDeletionVectors'='true','delta.enableChangeDataFeed'='true'",
    "'delta.enableDeletionVectors'='false','delta.enableChangeDataFeed'='true'",
];
/// Both engines' merge is this commit: created, filled, made a kind, merged.
const MERGED: u64 = 3;
const SHARES: usize = 3;

/// Spark makes a case's table once; its copies become the twins of each kind. What Spark takes longest for, its statements, are
/// one MERGE for each kind and three queries over all of them.
async fn leaves_what_spark_leaves(case: &Case, folder: &std::path::Path) {
    let session = Session::new(Env::system());
    let path = |who: &str| folder.join(format!("{} {who}", case.name));
    let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let made = path("made");
    let create = format!("CREATE TABLE {{t}} ({}) USING DELTA {}", case.columns, case.partition_by);
    spark(&text(&made), &[&create, &format!("INSERT INTO {{t}} SELECT /*+ COALESCE(1) */ * FROM VALUES {}", case.target)]);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for (kind, properties) in KINDS.iter().enumerate() {
        let twins = [path(&format!("{kind} ours")), path(&format!("{kind} theirs"))];
        copy_folder(&made, &twins[0]);
        session.sql(&format!("ALTER TABLE delta.`{}` SET TBLPROPERTIES ({properties})", text(&twins[0]))).await.unwrap();
        copy_folder(&twins[0], &twins[1]);
        ours.push(text(&twins[0]));
        theirs.push(text(&twins[1]));
    }

    let evolution = if case.evolves { "WITH SCHEMA EVOLUTION " } else { "" };
    let when: String = case.when.iter().map(|w| format!(" WHEN {w}")).collect();
    let merge = |t: &String| format!("MERGE {evolution}INTO delta.`{t}` t USING (SELECT * FROM {}) s ON {}{when}", case.source.0, case.on);
    let merges: Vec<String> = theirs.iter().map(merge).collect();
    spark("", &merges.iter().map(String::as_str).collect::<Vec<_>>());
    for (location, theirs) in ours.iter().zip(&theirs) {
        let schema = Arc::new(Struct::from_sql(case.source_columns).unwrap().to_arrow().unwrap());
        let mut decoder = arrow::json::ReaderBuilder::new(Arc::clone(&schema)).build_decoder().unwrap();
        decoder.decode(case.source.1.as_bytes()).unwrap();
        let rows = decoder.flush().unwrap().unwrap();
        let source = InputRows { schema, batches: futures::stream::iter([Ok(rows)]).boxed() };
        let mut merge = Table::at(location).open().unwrap().merge(source, Expr::sql(case.on).unwrap());
        for clause in case.when {
            merge = merge.when(MergeClause::sql(clause).unwrap());
        }
        if case.evolves {
            merge = merge.schema_evolution();
        }
        let report = merge.run().await.unwrap_or_else(|e| panic!("{location}: {e}"));
        assert_eq!(report.version.unwrap().0, MERGED, "{location}");
        assert_eq!(shape(location.as_ref()), shape(theirs.as_ref()), "{location}: what the table is");
        let (a, b) = (last_info(location), last_info(theirs));
        for key in [
            "numSourceRows",
            "numTargetRowsInserted",
            "numTargetRowsMatchedUpdated",
            "numTargetRowsMatchedDeleted",
            "numTargetRowsNotMatchedBySourceUpdated",
            "numTargetRowsNotMatchedBySourceDeleted",
            "numTargetRowsUpdated",
            "numTargetRowsDeleted",
        ] {
            assert_eq!(a["operationMetrics"][key], b["operationMetrics"][key], "{location}: {key}");
        }
        let keys = |info: &Value, of: &str| info[of].as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>();
        assert_eq!(keys(&a, "operationParameters"), keys(&b, "operationParameters"), "{location}");
        assert_eq!(keys(&a, "operationMetrics"), keys(&b, "operationMetrics"), "{location}");
    }

    let all = |tables: &[String], relation: &dyn Fn(&String) -> String, except: &str| {
        let one = |(kind, table): (usize, &String)| format!("SELECT '{kind}' AS kind, *{except} FROM {}", relation(table));
        tables.iter().enumerate().map(one).collect::<Vec<_>>().join(" UNION ALL ")
    };
    let rows = |tables: &[String]| all(tables, &|table| format!("delta.`{table}`"), "");
    let expected = spark_digest("", &rows(&theirs));
    assert_eq!(spark_digest("", &rows(&ours)), expected, "{}: Spark reads ours", case.name);
    for (who, tables) in [("ours", &ours), ("Spark's", &theirs)] {
        let Answer::Rows(read) = session.sql(&rows(tables)).await.unwrap() else { panic!("no rows") };
        let batches: Vec<_> = read.batches.try_collect().await.unwrap();
        assert_eq!(digest_of(&batches), expected, "{}: we read {who}", case.name);
    }
    let feed = |tables: &[String]| {
        let changes = |table: &String| format!("table_changes('delta.`{table}`', {MERGED}, {MERGED})");
        spark_digest("", &all(&tables[2..], &changes, " EXCEPT (_commit_timestamp)"))
    };
    assert_eq!(feed(&ours), feed(&theirs), "{}: changes", case.name);
}

/// The cases of one share: several tests, so that none waits for all the others.
async fn share(share: usize) {
    let folder = tempfile::tempdir().unwrap();
    for case in CASES.iter().skip(share).step_by(SHARES) {
        leaves_what_spark_leaves(case, folder.path()).await;
    }
}

// spec: MRG-4, MRG-5, MRG-10, MRG-11, MRG-12
#[tokio::test(flavor = "multi_thread")]
async fn merges_leave_the_rows_and_changes_that_sparks_leave_first_share() {
    share(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn merges_leave_the_rows_and_changes_that_sparks_leave_second_share() {
    share(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn merges_leave_the_rows_and_changes_that_sparks_leave_third_share() {
    share(2).await;
}

// spec: MRG-14
#[tokio::test]
async fn bloom_filters_of_sparks_files_keep_a_merge_from_reading_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    let settings = [
        ("parquet.bloom.filter.enabled#k", "true"),
        ("parquet.bloom.filter.expected.ndv#k", "1000"),
        ("parquet.enable.dictionary", "false"),
    ];
    let mut statements = vec!["CREATE TABLE {t} (k BIGINT, v STRING) USING delta".to_owned()];
    statements.extend(settings.iter().map(|(key, value)| format!("SET `{key}`={value}")));
    statements.push("INSERT INTO {t} SELECT /*+ COALESCE(1) */ id * 2, concat('v', id) FROM range(0, 1000)".to_owned());
    statements.extend(settings.iter().map(|(key, _)| format!("RESET `{key}`")));
    spark(path.to_str().unwrap(), &statements.iter().map(String::as_str).collect::<Vec<_>>());
    // All even numbers are there, within the bounds of what is looked for; who reads their page fails.
    let mut listed = std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().path());
    let file = listed.find(|file| file.extension().is_some_and(|e| e == "parquet")).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[4..2_000].fill(0xff);
    std::fs::write(&file, bytes).unwrap();
    let merge = |keys: &str| {
        let source = format!("(SELECT * FROM (VALUES {keys}) AS q(k, v)) s");
        let clauses = "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *";
        format!("MERGE INTO delta.`{}` t USING {source} ON t.k = s.k {clauses}", path.display())
    };
    let session = Session::new(Env::system());
    // Of so few odd numbers the filter admits none.
    let many: Vec<String> = (0..40).map(|i| format!("({}, 'a')", i * 50 + 1)).collect();
    for (keys, inserted) in [("(1, 'a'), (501, 'b'), (1997, 'c')".to_owned(), 3), (many.join(", "), 38)] {
        let Answer::Report(report) = session.sql(&merge(&keys)).await.unwrap() else { panic!("no report") };
        assert_eq!(report.metrics["numTargetRowsInserted"].as_u64(), Some(inserted), "{keys}");
    }
    let e = session.sql(&merge("(2, 'a'), (501, 'b')")).await.err().unwrap();
    assert_eq!(e.code(), Code::FILE, "{e}");
}
