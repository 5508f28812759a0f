//! Deletes and updates beside Spark's: the same statements on twin tables, by turns, give the same rows and the same change feed.

use crate::support::digest::digest_of_table;
use crate::support::peers::{deltalake_digest, spark, spark_digest};
use lakebed::{Expr, Table};
use serde_json::{Value, json};

/// A statement, for both.
struct Change {
    /// Empty for a delete.
    sets: &'static [(&'static str, &'static str)],
    filter: &'static str,
}

const CHANGES: &[Change] = &[
    Change { sets: &[], filter: "id % 7 = 3" },
    Change { sets: &[("n", "n + id"), ("s", "concat(s, '!')")], filter: "id % 5 = 1" },
    Change { sets: &[], filter: "id IN (1, 2, 8) OR s LIKE '%5%'" },
    Change { sets: &[("p", "'new place'"), ("a.x", "coalesce(a.x, 0) + 1")], filter: "p = 'a b' AND id > 20" },
    Change { sets: &[], filter: "n IS NULL" },
    Change { sets: &[("a", "NULL"), ("n", "'17'")], filter: "id BETWEEN 30 AND 33" },
    Change { sets: &[], filter: "p = 'x=y/z%'" },
    Change { sets: &[("s", "upper(s)")], filter: "true" },
    Change { sets: &[], filter: "NOT (n > 30)" },
    Change { sets: &[], filter: "id >= 0" },
];

/// Partitioning and properties; whether deltalake reads it.
const KINDS: &[(&str, &str, &str, bool)] = &[
    ("copying", "", "'delta.enableDeletionVectors'='false'", true),
    ("copying-partitioned-feed", "PARTITIONED BY (p)", "'delta.enableDeletionVectors'='false','delta.enableChangeDataFeed'='true'", true),
    ("vectors", "PARTITIONED BY (p)", "'delta.enableDeletionVectors'='true'", false),
    ("vectors-feed", "", "'delta.enableDeletionVectors'='true','delta.enableChangeDataFeed'='true'", false),
    (
        "vectors-feed-partitioned-mapped",
        "PARTITIONED BY (p)",
        "'delta.enableDeletionVectors'='true','delta.enableChangeDataFeed'='true','delta.columnMapping.mode'='name'",
        false,
    ),
    ("mapped-by-id", "", "'delta.enableDeletionVectors'='false','delta.columnMapping.mode'='id'", false),
];

fn by_spark(table: &str, change: &Change) {
    let sets: Vec<String> = change.sets.iter().map(|(c, v)| format!("{c} = {v}")).collect();
    let statement = match sets.is_empty() {
        true => format!("DELETE FROM {{t}} WHERE {}", change.filter),
        false => format!("UPDATE {{t}} SET {} WHERE {}", sets.join(", "), change.filter),
    };
    spark(table, &[&statement]);
}

async fn by_lakebed(table: &str, change: &Change) {
    let (open, filter) = (Table::at(table).open().unwrap(), Expr::sql(change.filter).unwrap());
    let outcome = match change.sets {
        [] => open.delete().filter(filter).run().await,
        sets => sets.iter().fold(open.update(), |u, (c, v)| u.set(c, Expr::sql(v).unwrap())).filter(filter).run().await,
    };
    outcome.unwrap_or_else(|e| panic!("{table}: {}: {e}", change.filter));
}

fn version(table: &str) -> u64 {
    let names = std::fs::read_dir(format!("{table}/_delta_log")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    names.filter(|n| n.len() == 25 && n.ends_with(".json")).map(|n| n[..20].parse::<u64>().unwrap()).max().unwrap()
}

/// What a commit's actions are, apart from names and times.
fn shape(table: &str, version: u64) -> Vec<(String, Option<Value>)> {
    let text = std::fs::read_to_string(format!("{table}/_delta_log/{version:020}.json")).unwrap();
    let mut out: Vec<(String, Option<Value>)> = text
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            let (kind, action) = line.as_object().unwrap().iter().next().unwrap();
            (kind.clone(), action.get("deletionVector").map(|v| v["cardinality"].clone()))
        })
        .collect();
    out.sort_by_key(|(kind, cardinality)| (kind.clone(), cardinality.as_ref().and_then(Value::as_i64)));
    out
}

// spec: ROW-2, ROW-6, ROW-8, ROW-11, ROW-14, ROW-18
#[tokio::test(flavor = "multi_thread")]
async fn spark_and_lakebed_change_twin_tables_by_turns_and_agree() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, partitioning, properties, deltalake) in KINDS {
        let tables: Vec<String> = ["spark", "lakebed"].iter().map(|who| format!("{}/{kind}-{who}", folder.path().display())).collect();
        for table in &tables {
            let columns = "id BIGINT, n BIGINT, s STRING, a STRUCT<x: INT, y: STRING>, p STRING";
            let rows = "SELECT /*+ REPARTITION(1) */ id, IF(id % 4 = 0, NULL, id % 11) AS n, CAST(id AS STRING) AS s,
                IF(id % 3 = 0, NULL, named_struct('x', CAST(id AS INT), 'y', 'v')) AS a, IF(id % 2 = 0, 'a b', IF(id % 9 = 0, NULL, 'x=y/z%')) AS p";
            let (create, insert) = (
                format!("CREATE TABLE {{t}} ({columns}) USING delta {partitioning} TBLPROPERTIES ({properties})"),
                |range: &str| format!("INSERT INTO {{t}} {rows} FROM range({range})"),
            );
            spark(table, &[&create, &insert("0, 25"), &insert("25, 50")]);
        }
        for (turn, change) in CHANGES.iter().enumerate() {
            // Every third time the other one changes the table.
            let (one, other) = if turn % 3 == 2 { (1, 0) } else { (0, 1) };
            by_spark(&tables[one], change);
            by_lakebed(&tables[other], change).await;
            let what = format!("{kind}, {} {:?}", change.filter, change.sets);
            assert_eq!(version(&tables[0]), version(&tables[1]), "{what}");
            let select = "SELECT * FROM {t}";
            let expected = spark_digest(&tables[one], select);
            assert_eq!(spark_digest(&tables[other], select), expected, "{what}: Spark reads what lakebed left");
            for table in &tables {
                let read = digest_of_table(&Table::at(table).open().unwrap()).await;
                assert_eq!((read.0, &read.1), (expected.0, &expected.1), "{what}: lakebed reads {table}");
            }
            if properties.contains("ChangeDataFeed") {
                let feed = |table: &str| {
                    let changes = format!("SELECT * EXCEPT (_commit_timestamp) FROM table_changes_by_path('{table}', 0)");
                    spark_digest(table, &changes)
                };
                assert_eq!(feed(&tables[other]), feed(&tables[one]), "{what}: the feed of both is the same");
            }
            if properties.contains("Vectors'='true") && !partitioning.is_empty() {
                let (ours, sparks) = (shape(&tables[other], version(&tables[other])), shape(&tables[one], version(&tables[one])));
                let vectors = |shape: &[(String, Option<Value>)]| shape.iter().filter(|(k, _)| k == "cdc").count() > 0;
                assert_eq!(vectors(&ours), vectors(&sparks), "{what}: {ours:?} beside {sparks:?}");
            }
            if *deltalake {
                assert_eq!(deltalake_digest(&tables[other]).1, expected.1, "{what}: deltalake reads what lakebed left");
            }
        }
        let history = spark(&tables[1], &["DESCRIBE HISTORY {t}"]);
        let last = &history[0];
        assert!(["DELETE", "UPDATE"].contains(&last["operation"].as_str().unwrap()), "{last}");
        assert_eq!(last["operationMetrics"]["numDeletedRows"].as_str().is_some(), last["operation"] == json!("DELETE"), "{last}");
    }
}

// spec: ROW-11
#[test]
fn null_struct_gets_fields_as_in_spark() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("t").display().to_string();
    let rows = spark(
        &table,
        &[
            "CREATE TABLE {t} (st STRUCT<a: INT, n: STRUCT<b: STRING>>) USING delta",
            "INSERT INTO {t} VALUES (NULL)",
            "UPDATE {t} SET st.a = 3",
            "SELECT * FROM {t}",
        ],
    );
    assert_eq!(rows, [json!({"st": {"a": 3, "n": null}})]);
}
