//! Tables with rules about values: Spark makes them and we write, we make them and Spark writes; the rules hold on both sides.

use crate::support::peers::{ask, spark};
use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use futures::{StreamExt, stream};
use lakebed::{Code, Error, Report, Result, Struct, Table};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

async fn append(location: &str, rows: RecordBatch) -> Result<Report> {
    Table::at(location).open().unwrap().append(rows.schema(), stream::iter([Ok::<_, Error>(rows)]).boxed()).run().await
}

fn ints(columns: &[(&str, i32)]) -> RecordBatch {
    RecordBatch::try_from_iter(columns.iter().map(|(name, v)| (*name, Arc::new(Int32Array::from(vec![*v])) as ArrayRef))).unwrap()
}

fn refused_by_spark(location: &str, statement: &str) -> bool {
    ask(json!({"op": "sql", "sql": [statement.replace("{t}", &format!("delta.`{location}`"))]})).is_err()
}

fn protocol(location: &str) -> Value {
    let text = std::fs::read_to_string(format!("{location}/_delta_log/00000000000000000000.json")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut found = lines.into_iter().find_map(|line| line.get("protocol").cloned()).unwrap();
    if let Some(features) = found["writerFeatures"].as_array_mut() {
        features.sort_by_key(|name| name.as_str().unwrap().to_owned());
    }
    found
}

/// The same table made by Spark and by us.
async fn both(folder: &std::path::Path, columns: &str, partition: &[&str], properties: &[(&str, &str)]) -> [String; 2] {
    let places = ["theirs", "ours"].map(|name| folder.join(name).to_str().unwrap().to_owned());
    let by = if partition.is_empty() { String::new() } else { format!("PARTITIONED BY ({})", partition.join(", ")) };
    let given: Vec<String> = properties.iter().map(|(k, v)| format!("'{k}' = '{v}'")).collect();
    let given = if given.is_empty() { String::new() } else { format!("TBLPROPERTIES ({})", given.join(", ")) };
    spark(&places[0], &[&format!("CREATE TABLE {{t}} ({columns}) USING DELTA {by} {given}")]);
    let mut create =
        Table::at(&places[1]).open().unwrap().create(Struct::from_sql(columns).unwrap()).partition_by(partition.iter().copied());
    for (key, value) in properties {
        create = create.property(key, value);
    }
    create.run().await.unwrap();
    assert_eq!(protocol(&places[1]), protocol(&places[0]), "{columns}");
    let schemas = places.each_ref().map(|place| spark(place, &["DESCRIBE TABLE {t}"]));
    assert_eq!(schemas[0], schemas[1], "{columns}");
    places
}

#[tokio::test(flavor = "multi_thread")]
async fn constraints_hold_whoever_writes() {
    // spec: VAL-1, VAL-2
    let folder = tempfile::tempdir().unwrap();
    for place in both(folder.path(), "a INT, b INT", &[], &[("delta.constraints.ordered", "a < b")]).await {
        append(&place, ints(&[("a", 1), ("b", 2)])).await.unwrap();
        spark(&place, &["INSERT INTO {t} VALUES (3, 4)"]);
        assert_eq!(append(&place, ints(&[("a", 2), ("b", 2)])).await.unwrap_err().code(), Code::CONSTRAINT);
        assert_eq!(append(&place, ints(&[("a", 2)])).await.unwrap_err().code(), Code::CONSTRAINT);
        assert!(refused_by_spark(&place, "INSERT INTO {t} VALUES (2, 2)"));
        assert!(refused_by_spark(&place, "INSERT INTO {t} VALUES (2, NULL)"));
        spark(&place, &["ALTER TABLE {t} ADD CONSTRAINT small CHECK (b < 100)"]);
        assert_eq!(append(&place, ints(&[("a", 2), ("b", 200)])).await.unwrap_err().code(), Code::CONSTRAINT);
        assert_eq!(spark(&place, &["SELECT count(*) AS n, sum(a) AS s FROM {t}"]), [json!({"n": 2, "s": 4})]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn generated_columns_agree_whoever_writes() {
    // spec: VAL-4, VAL-5
    let folder = tempfile::tempdir().unwrap();
    let columns = "at TIMESTAMP, a INT, s STRING, day DATE GENERATED ALWAYS AS (CAST(at AS DATE)), \
                   month STRING GENERATED ALWAYS AS (date_format(at, 'yyyy-MM')), bucket INT GENERATED ALWAYS AS (pmod(hash(s), 4)), \
                   text STRING GENERATED ALWAYS AS (concat_ws('-', upper(s), CAST(a AS STRING)))";
    for place in both(folder.path(), columns, &["day"], &[]).await {
        let at: ArrayRef =
            Arc::new(TimestampMicrosecondArray::from(vec![Some(1_709_213_106_123_456), Some(-1), None]).with_timezone("UTC"));
        let a: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(-5)]));
        let s: ArrayRef = Arc::new(StringArray::from(vec![Some("öäß😀"), Some(""), None]));
        append(&place, RecordBatch::try_from_iter([("at", at), ("a", a), ("s", s)]).unwrap()).await.unwrap();
        spark(&place, &["INSERT INTO {t} (at, a, s) VALUES (TIMESTAMP'2024-05-06 07:08:09', 3, 'x')"]);
        let broken = "NOT (day <=> CAST(at AS DATE)) OR NOT (month <=> date_format(at, 'yyyy-MM')) OR NOT (bucket <=> pmod(hash(s), 4)) \
                      OR NOT (text <=> concat_ws('-', upper(s), CAST(a AS STRING)))";
        assert_eq!(spark(&place, &[&format!("SELECT * FROM {{t}} WHERE {broken}")]), Vec::<Value>::new(), "Spark computes the same");
        let by_partition = "SELECT count(*) AS n FROM {t} WHERE at >= TIMESTAMP'2024-01-01' AND at < TIMESTAMP'2024-03-01'";
        assert_eq!(spark(&place, &[by_partition]), [json!({"n": 1})]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn defaults_fill_rows_whoever_writes() {
    // spec: VAL-6, VAL-7
    let folder = tempfile::tempdir().unwrap();
    let columns = "a INT, b STRING DEFAULT 'none', c DECIMAL(5,2) DEFAULT 1.5, d TIMESTAMP DEFAULT current_timestamp(), e DATE DEFAULT DATE'2024-02-29', \
                   f INT DEFAULT 40 + 2, g DATE DEFAULT current_date()";
    for place in both(folder.path(), columns, &[], &[("delta.feature.allowColumnDefaults", "supported")]).await {
        append(&place, ints(&[("a", 1)])).await.unwrap();
        spark(&place, &["INSERT INTO {t} (a) VALUES (2)"]);
        let rows = spark(
            &place,
            &[
                "SELECT a, b, c, e, f, abs(datediff(g, current_date())) < 2 AS g, abs(timestampdiff(HOUR, d, current_timestamp())) < 2 AS d FROM {t} ORDER BY a",
            ],
        );
        for (i, row) in rows.iter().enumerate() {
            assert_eq!(*row, json!({"a": i + 1, "b": "none", "c": 1.5, "e": "2024-02-29", "f": 42, "g": true, "d": true}), "{row}");
        }
        assert_eq!(rows.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_come_once_whoever_gives_them() {
    // spec: VAL-8, VAL-9, VAL-10
    let folder = tempfile::tempdir().unwrap();
    for (name, clause) in [("up", "START WITH 5 INCREMENT BY 3"), ("down", "START WITH -1 INCREMENT BY -2")] {
        let columns = format!("a INT, n BIGINT GENERATED ALWAYS AS IDENTITY ({clause}), m BIGINT GENERATED BY DEFAULT AS IDENTITY");
        let folder = folder.path().join(name);
        for place in both(&folder, &columns, &[], &[]).await {
            for round in 0..3 {
                append(&place, ints(&[("a", round)])).await.unwrap();
                spark(&place, &["INSERT INTO {t} (a) VALUES (10), (11)"]);
            }
            let rows = spark(&place, &["SELECT n, m FROM {t}"]);
            for column in ["n", "m"] {
                let numbers: BTreeSet<i64> = rows.iter().map(|r| r[column].as_i64().unwrap()).collect();
                assert_eq!(numbers.len(), 9, "{column} {rows:?}");
            }
            let (start, step) = if name == "up" { (5, 3) } else { (-1, -2) };
            assert!(rows.iter().all(|r| (r["n"].as_i64().unwrap() - start) % step == 0 && (r["n"].as_i64().unwrap() - start) / step >= 0));
            assert!(refused_by_spark(&place, "INSERT INTO {t} (a, n) VALUES (1, 1000)"));
            spark(&place, &["ALTER TABLE {t} ALTER COLUMN m SYNC IDENTITY"]);
        }
    }
}
