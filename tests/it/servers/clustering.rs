//! Clustered tables that Spark and lakebed lay out by turns: each recognises what the other has clustered and goes on.

use crate::support::digest::digest_of_table;
use crate::support::peers::{spark, spark_digest};
use lakebed::{FileQuery, Table, column_path};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// The last commit: its operation's parameters, and the cubes and columns of the files that came and went.
fn last(table: &Path) -> (Value, BTreeSet<(String, String)>, usize) {
    let log = table.join("_delta_log");
    let mut names: Vec<_> = std::fs::read_dir(log).unwrap().map(|e| e.unwrap().path()).collect();
    names.retain(|p| p.extension().is_some_and(|e| e == "json") && p.file_stem().is_some_and(|s| s.len() == 20));
    names.sort();
    let text = std::fs::read_to_string(names.last().unwrap()).unwrap();
    let actions: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let parameters = actions.iter().find_map(|a| a.get("commitInfo")).unwrap()["operationParameters"].clone();
    let tag = |a: &Value, key: &str| a["tags"][key].as_str().unwrap_or_default().to_owned();
    let adds = actions.iter().filter_map(|a| a.get("add"));
    assert!(adds.clone().all(|a| a["clusteringProvider"] == json!("liquid") && a["dataChange"] == json!(false)));
    let cubes = adds.map(|a| (tag(a, "ZCUBE_ID"), tag(a, "ZCUBE_ZORDER_BY"))).collect();
    (parameters, cubes, actions.iter().filter(|a| a.get("remove").is_some()).count())
}

// spec: ZOR-6, ZOR-7, ZOR-9, ZOR-10
#[tokio::test]
async fn spark_and_lakebed_cluster_one_table_by_turns() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("t");
    let path = at.to_str().unwrap();
    let insert = "INSERT INTO {t} SELECT id, named_struct('x-y', cast(id * 7 % 1000 AS INT)), concat('s', id % 10) FROM range(0, 2000)";
    let create = "CREATE TABLE {t} (a BIGINT, st STRUCT<`x-y`: INT>, s STRING) USING delta CLUSTER BY (a, st.`x-y`) \
                  TBLPROPERTIES ('delta.enableDeletionVectors' = 'true', 'delta.enableRowTracking' = 'true')";
    spark(path, &[create, insert, "OPTIMIZE {t}", insert]);
    let table = Table::at(path).open().unwrap();

    // We go on where Spark stopped.
    let report = table.optimize().run().await.unwrap();
    assert!(report.version.is_some());
    let (parameters, ours, gone) = last(&at);
    let names = "[\"a\",\"st.`x-y`\"]";
    let expected = json!({"predicate": "[]", "zOrderBy": "[]", "clusterBy": names, "auto": false, "isFull": false});
    assert_eq!((parameters, ours.len(), gone >= 2), (expected, 1, true), "Spark's cube is small, so it is taken along");
    assert!(ours.iter().all(|(_, columns)| columns == names));

    // Spark sees one cube and leaves it, and goes on when rows have come.
    let answer = spark(path, &["OPTIMIZE {t}"]);
    assert_eq!(
        (&answer[0]["metrics"]["numFilesAdded"], &answer[0]["metrics"]["clusteringStats"]["inputNumZCubes"]),
        (&json!(0), &json!(1))
    );
    let answer = spark(path, &[insert, "OPTIMIZE {t}"]);
    assert_eq!(answer[0]["metrics"]["clusteringStats"]["inputZCubeFiles"]["numFiles"], json!(1));
    assert_eq!(answer[0]["metrics"]["numFilesAdded"], json!(1));
    assert!(last(&at).1.is_disjoint(&ours));

    // Of Spark's one cube nothing is left to do for us.
    assert_eq!(table.optimize().run().await.unwrap().version, None);
    let layout = table.snapshot().await.unwrap().layout(FileQuery::default(), Some(&[column_path("st.`x-y`").unwrap()])).await.unwrap();
    assert_eq!((layout.files, layout.columns.len()), (1, 1));
    let detail = spark(path, &["DESCRIBE DETAIL {t}"]);
    assert_eq!((&detail[0]["numFiles"], &detail[0]["clusteringColumns"]), (&json!(1), &json!(["a", "st.`x-y`"])));
    let digest = spark_digest(path, "SELECT * FROM {t}");
    assert_eq!((digest.0, digest), (6000, digest_of_table(&table).await));
}

// spec: ZOR-5, ZOR-10
#[tokio::test]
async fn spark_reads_what_a_z_order_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("t");
    let path = at.to_str().unwrap();
    let create = "CREATE TABLE {t} (a BIGINT, d DATE, n DECIMAL(30, 2), s STRING, p STRING) USING delta PARTITIONED BY (p) \
                  TBLPROPERTIES ('delta.columnMapping.mode' = 'name', 'delta.enableDeletionVectors' = 'true', 'delta.enableRowTracking' = 'true')";
    let insert = "INSERT INTO {t} SELECT id, date_add(DATE'2020-01-01', cast(id % 400 AS INT)), cast(id * 31 % 977 AS DECIMAL(30, 2)), \
                  if(id % 9 = 0, null, repeat(chr(65 + cast(id % 26 AS INT)), 3)), concat('ü /', id % 2) FROM range(0, 3000)";
    spark(path, &[create, insert, insert, "DELETE FROM {t} WHERE a % 11 = 3"]);
    let ids = "SELECT a, _metadata.row_id, _metadata.row_commit_version FROM {t}";
    let (rows, names) = (spark_digest(path, "SELECT * FROM {t}"), spark_digest(path, ids));
    let table = Table::at(path).open().unwrap();
    table.optimize().zorder_by(["d", "n", "s"]).run().await.unwrap();
    assert_eq!(spark_digest(path, "SELECT * FROM {t}"), rows);
    assert_eq!(spark_digest(path, ids), names);
    let ours = spark(path, &["DESCRIBE HISTORY {t} LIMIT 1"]);
    spark(path, &["OPTIMIZE {t} ZORDER BY (d, n, s)"]);
    let theirs = spark(path, &["DESCRIBE HISTORY {t} LIMIT 1"]);
    assert_eq!(ours[0]["operationParameters"], theirs[0]["operationParameters"]);
    let keys = |row: &Value| row["operationMetrics"].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(keys(&ours[0]), keys(&theirs[0]));
    assert_eq!(spark_digest(path, "SELECT * FROM {t}"), rows);
}
