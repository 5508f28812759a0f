//! Deletes and updates beside Spark's: the same statements on twin tables, by turns, give the same rows and the same change feed.

use crate::support::digest::digest_of_table;
use crate::support::folders::copy_folder;
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
    Change { sets: &[("a", "NULL"), ("n", "'17'")], filter: "id BETWEEN 30 AND 33" },
    Change { sets: &[], filter: "p = 'x=y/z%'" },
    Change { sets: &[("s", "concat('a', s)")], filter: "n IS NULL OR true" },
    Change { sets: &[], filter: "NOT (n > 30)" },
    Change { sets: &[], filter: "id >= 0" },
];

/// Partitioning and properties; whether deltalake reads it.
const KINDS: &[(&str, &str, &str, bool)] = &[
    ("copying", "", "'delta.enableDeletionVectors'='false'", true),
    ("copying-partitioned-feed", "PARTITIONED BY (p)", "'delta.enableDeletionVectors'='false','delta.enableChangeDataFeed'='true'", true),
    ("vectors", "PARTITIONED BY (p)", "'delta.enableDeletionVectors'='true'", false),
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

/// The kinds of a commit's actions.
fn actions(table: &str, version: u64) -> Vec<String> {
    let text = std::fs::read_to_string(format!("{table}/_delta_log/{version:020}.json")).unwrap();
    let kind = |line: &str| serde_json::from_str::<serde_json::Map<String, Value>>(line).unwrap().into_iter().next().unwrap().0;
    text.lines().map(kind).collect()
}

// spec: ROW-2, ROW-6, ROW-8, ROW-11, ROW-14, ROW-18
#[tokio::test(flavor = "multi_thread")]
async fn spark_and_lakebed_change_twin_tables_by_turns_and_agree() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, partitioning, properties, deltalake) in KINDS {
        let tables: Vec<String> = ["spark", "lakebed"].iter().map(|who| format!("{}/{kind}-{who}", folder.path().display())).collect();
        let columns = "id BIGINT, n BIGINT, s STRING, a STRUCT<x: INT, y: STRING>, p STRING";
        let rows = "SELECT /*+ REPARTITION(1) */ id, IF(id % 4 = 0, NULL, id % 11) AS n, CAST(id AS STRING) AS s,
            IF(id % 3 = 0, NULL, named_struct('x', CAST(id AS INT), 'y', 'v')) AS a, IF(id % 2 = 0, 'a b', IF(id % 9 = 0, NULL, 'x=y/z%')) AS p";
        let create = format!("CREATE TABLE {{t}} ({columns}) USING delta {partitioning} TBLPROPERTIES ({properties})");
        let insert = |range: &str| format!("INSERT INTO {{t}} {rows} FROM range({range})");
        spark(&tables[0], &[&create, &insert("0, 25"), &insert("25, 50")]);
        copy_folder(tables[0].as_ref(), tables[1].as_ref());
        for (turn, change) in CHANGES.iter().enumerate() {
            // Every third time the other one changes the table.
            let (one, other) = if turn % 3 == 2 { (1, 0) } else { (0, 1) };
            by_spark(&tables[one], change);
            by_lakebed(&tables[other], change).await;
            let what = format!("{kind}, {} {:?}", change.filter, change.sets);
            assert_eq!(version(&tables[0]), version(&tables[1]), "{what}");
            let mut read = Vec::new();
            for table in &tables {
                let (rows, hash, sample) = digest_of_table(&Table::at(table).open().unwrap()).await;
                read.push((rows, hash, sample.to_vec()));
            }
            assert_eq!(read[one], read[other], "{what}: both have the same rows");
            let has_change_files = |table: &str| actions(table, version(table)).iter().any(|kind| kind == "cdc");
            let (ours, sparks) = (has_change_files(&tables[other]), has_change_files(&tables[one]));
            // Spark also writes change files where whole files go.
            assert!(ours == sparks || sparks && read[0].0 == 0, "{what}: change files by lakebed {ours}, by Spark {sparks}");
            if turn % 4 != 3 && turn + 1 != CHANGES.len() {
                continue;
            }
            for table in &tables {
                let (rows, hash, _) = spark_digest(table, "SELECT * FROM {t}");
                assert_eq!((rows, &hash), (read[0].0, &read[0].1), "{what}: Spark reads {table}");
                if *deltalake {
                    assert_eq!(deltalake_digest(table).1, read[0].1, "{what}: deltalake reads {table}");
                }
            }
        }
        if properties.contains("ChangeDataFeed") {
            let feed = |table: &str| {
                let changes = format!("SELECT * EXCEPT (_commit_timestamp) FROM table_changes_by_path('{table}', 0)");
                spark_digest(table, &changes)
            };
            assert_eq!(feed(&tables[1]), feed(&tables[0]), "{kind}: the feed of both is the same");
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
