//! Everything that lakebed writes is read back by Spark and, where it can, by deltalake; tables written by turns stay equal for all.

use crate::support::digest::digest_of_table;
use crate::support::peers::{ask, deltalake_digest, spark, spark_digest};
use arrow::array::RecordBatch;
use futures::StreamExt;
use lakebed::{Result, SaveMode, Struct, Table};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A kind of table: its columns, partitioning, properties, and whether deltalake reads it.
struct Kind {
    name: &'static str,
    columns: &'static str,
    partition_by: &'static [&'static str],
    properties: &'static [(&'static str, &'static str)],
    deltalake: bool,
    /// NDJSON rows of three appends.
    rows: [&'static str; 3],
}

const EVERY_TYPE: &str = "i BIGINT, n INT, s SMALLINT, b TINYINT, f FLOAT, d DOUBLE, x DECIMAL(10,3), big DECIMAL(38,18), t BOOLEAN, day DATE, at TIMESTAMP, text STRING, p STRING";
const ROWS: [&str; 3] = [
    r#"{"i":1,"n":2,"s":3,"b":4,"f":1.5,"d":2.5,"x":"12.345","big":"123.000000000000000001","t":true,"day":"2024-02-29","at":"2024-02-29T12:34:56.789012Z","text":"é😀\"\\","p":"a b/c=%:+?#&é"}
{"i":-9223372036854775808,"n":-2147483648,"s":-32768,"b":-128,"f":-0.0,"d":-0.0,"x":"-9999999.999","big":"-0.000000000000000001","t":false,"day":"0001-01-01","at":"0001-01-01T00:00:00Z","text":"","p":"x"}"#,
    r#"{"text":"only text"}
{"i":9223372036854775807,"d":1e308,"day":"9999-12-31","at":"9999-12-31T23:59:59.999999Z","text":"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz","p":"x"}"#,
    r#"{"i":5,"at":"1969-12-31T23:59:59.999999Z","text":"😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀","p":""}"#,
];
const THREE: [&str; 3] = [r#"{"id":1,"text":"a"}"#, r#"{"id":2}"#, r#"{"id":3,"text":"c"}"#];
const NESTED: [&str; 3] = [
    r#"{"id":1,"a":{"x":1,"y":{"z":"a"}},"l":[{"p":1,"q":"b"},null],"m":{"k":{"v":"1.25"}},"ll":[[1,null],[],null]}"#,
    r#"{"id":2}"#,
    r#"{"id":3,"a":{"x":null,"y":null},"l":[],"m":{},"ll":[]}"#,
];

const KINDS: &[Kind] = &[
    Kind { name: "plain", columns: EVERY_TYPE, partition_by: &[], properties: &[], deltalake: true, rows: ROWS },
    Kind { name: "partitioned", columns: EVERY_TYPE, partition_by: &["p"], properties: &[], deltalake: true, rows: ROWS },
    // deltalake misreads negative decimals among partition values (`-1.-5`), and spells floats differently.
    Kind {
        name: "partitioned by every type",
        columns: EVERY_TYPE,
        partition_by: &["i", "n", "s", "b", "f", "d", "x", "big", "t", "day", "at", "p"],
        properties: &[],
        deltalake: false,
        rows: ROWS,
    },
    Kind {
        name: "partitioned by what deltalake reads",
        columns: EVERY_TYPE,
        partition_by: &["i", "n", "s", "b", "t", "day", "at", "p"],
        properties: &[],
        deltalake: true,
        rows: ROWS,
    },
    Kind {
        name: "nested",
        columns: "id BIGINT, a STRUCT<x: INT, y: STRUCT<z: STRING>>, l ARRAY<STRUCT<p: INT, q: STRING>>, m MAP<STRING, STRUCT<v: DECIMAL(5,2)>>, ll ARRAY<ARRAY<INT>>",
        partition_by: &[],
        properties: &[],
        deltalake: true,
        rows: NESTED,
    },
    Kind {
        name: "mapped by name",
        columns: EVERY_TYPE,
        partition_by: &["p"],
        properties: &[("delta.columnMapping.mode", "name")],
        deltalake: false,
        rows: ROWS,
    },
    Kind {
        name: "mapped by id",
        columns: EVERY_TYPE,
        partition_by: &["p"],
        properties: &[("delta.columnMapping.mode", "id")],
        deltalake: false,
        rows: ROWS,
    },
    Kind {
        name: "nested, mapped by id",
        columns: "id BIGINT, a STRUCT<x: INT, y: STRUCT<z: STRING>>, l ARRAY<STRUCT<p: INT, q: STRING>>, m MAP<STRING, STRUCT<v: DECIMAL(5,2)>>, ll ARRAY<ARRAY<INT>>",
        partition_by: &[],
        properties: &[("delta.columnMapping.mode", "id")],
        deltalake: false,
        rows: NESTED,
    },
    Kind {
        name: "vectors enabled",
        columns: EVERY_TYPE,
        partition_by: &[],
        properties: &[("delta.enableDeletionVectors", "true")],
        deltalake: true,
        rows: ROWS,
    },
    Kind {
        name: "v2 checkpoints",
        columns: EVERY_TYPE,
        partition_by: &["p"],
        properties: &[("delta.checkpointPolicy", "v2"), ("delta.checkpointInterval", "2")],
        deltalake: true,
        rows: ROWS,
    },
    Kind {
        name: "classic checkpoints",
        columns: EVERY_TYPE,
        partition_by: &["day"],
        properties: &[("delta.checkpointInterval", "2")],
        deltalake: true,
        rows: ROWS,
    },
    Kind {
        name: "in-commit timestamps",
        columns: EVERY_TYPE,
        partition_by: &[],
        properties: &[("delta.enableInCommitTimestamps", "true")],
        deltalake: false,
        rows: ROWS,
    },
    Kind {
        name: "append only",
        columns: EVERY_TYPE,
        partition_by: &[],
        properties: &[("delta.appendOnly", "true")],
        deltalake: true,
        rows: ROWS,
    },
    Kind {
        name: "without zone",
        columns: "id BIGINT, at TIMESTAMP_NTZ",
        partition_by: &[],
        properties: &[],
        deltalake: true,
        rows: [r#"{"id":1,"at":"2024-03-10T02:30:00"}"#, r#"{"id":2}"#, r#"{"id":3,"at":"1969-12-31T23:59:59.999999"}"#],
    },
    Kind {
        name: "chosen statistics",
        columns: EVERY_TYPE,
        partition_by: &[],
        properties: &[("delta.dataSkippingStatsColumns", "text,at")],
        deltalake: true,
        rows: ROWS,
    },
    Kind {
        name: "gzip",
        columns: "id BIGINT, text STRING",
        partition_by: &[],
        properties: &[("delta.parquet.compression.codec", "gzip")],
        deltalake: true,
        rows: THREE,
    },
    Kind {
        name: "lz4",
        columns: "id BIGINT, text STRING",
        partition_by: &[],
        properties: &[("delta.parquet.compression.codec", "lz4_raw")],
        deltalake: true,
        rows: THREE,
    },
    Kind {
        name: "uncompressed",
        columns: "id BIGINT, text STRING",
        partition_by: &[],
        properties: &[("delta.parquet.compression.codec", "uncompressed")],
        deltalake: true,
        rows: THREE,
    },
    Kind {
        name: "second page format",
        columns: EVERY_TYPE,
        partition_by: &[],
        properties: &[("delta.parquet.format.version", "2.12.0")],
        deltalake: true,
        rows: ROWS,
    },
    Kind {
        name: "zstd",
        columns: EVERY_TYPE,
        partition_by: &[],
        properties: &[("delta.parquet.compression.codec", "zstd")],
        deltalake: true,
        rows: ROWS,
    },
];

/// Filters whose answer must not depend on skipping: Spark, which skips by our statistics, must count as lakebed does. No `d = 0.0`:
/// parquet-mr's dictionary filter takes it for different from −0.0, in files by Spark as in ours.
const FILTERS: &[&str] = &[
    "i = 5",
    "i > 1",
    "x < 0",
    "text >= 'zz'",
    "text = ''",
    "at < TIMESTAMP'1970-01-01 00:00:00Z'",
    "at >= TIMESTAMP'1969-12-31 23:59:59.999999Z'",
    "day = DATE'9999-12-31'",
    "p = 'x'",
    "p IS NULL",
    "d <= 0.0",
    "n IS NULL",
];

fn ndjson(columns: &Struct, text: &str) -> RecordBatch {
    let schema = Arc::new(columns.to_arrow().unwrap());
    let mut decoder = arrow::json::ReaderBuilder::new(schema).build_decoder().unwrap();
    decoder.decode(text.as_bytes()).unwrap();
    decoder.flush().unwrap().unwrap()
}

async fn append(table: &Table, batch: RecordBatch, mode: SaveMode) -> Result<lakebed::Report> {
    table.append(batch.schema(), futures::stream::iter([Ok(batch)]).boxed()).mode(mode).run().await
}

#[tokio::test(flavor = "multi_thread")]
async fn spark_and_deltalake_read_what_lakebed_writes() {
    let folder = tempfile::tempdir().unwrap();
    for kind in KINDS {
        let path = folder.path().join(kind.name);
        let location = path.to_str().unwrap();
        let table = Table::at(location).open().unwrap();
        let columns = Struct::from_sql(kind.columns).unwrap();
        let mut create = table.create(columns.clone()).partition_by(kind.partition_by.iter().copied());
        for (key, value) in kind.properties {
            create = create.property(key, value);
        }
        create.run().await.unwrap_or_else(|e| panic!("{}: {e}", kind.name));
        for rows in kind.rows {
            let report = append(&table, ndjson(&columns, rows), SaveMode::Append).await.unwrap_or_else(|e| panic!("{}: {e}", kind.name));
            assert_eq!(report.warnings, Vec::<String>::new(), "{}", kind.name);
        }
        let ours = digest_of_table(&table).await;
        assert_eq!(ours, spark_digest(location, "SELECT * FROM {t}"), "{}: Spark", kind.name);
        if kind.deltalake {
            let theirs = deltalake_digest(location);
            // deltalake puts partition columns elsewhere in a row and reads empty strings as it likes: rows are compared, and columns where unpartitioned.
            assert_eq!(ours.0, theirs.0, "{}: deltalake", kind.name);
            if kind.partition_by.is_empty() {
                assert_eq!(ours, theirs, "{}: deltalake", kind.name);
            }
        }
        if kind.columns == EVERY_TYPE {
            let counts: Vec<String> = FILTERS.iter().map(|f| format!("(SELECT count(*) FROM {{t}} WHERE {f})")).collect();
            let theirs = &spark(location, &[&format!("SELECT array({}) AS n", counts.join(", "))])[0]["n"];
            for (i, filter) in FILTERS.iter().enumerate() {
                let scan = table.snapshot().await.unwrap().scan().filter(lakebed::Expr::sql(filter).unwrap()).build().unwrap();
                assert_eq!(json!(scan.count().await.unwrap()), theirs[i], "{}: {filter}", kind.name);
            }
        }
        // Spark can go on writing, and lakebed reads that.
        spark(location, &["INSERT INTO {t} SELECT * FROM {t} LIMIT 1"]);
        assert_eq!(digest_of_table(&table).await, spark_digest(location, "SELECT * FROM {t}"), "{}: after Spark's insert", kind.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn history_of_lakebed_reads_as_sparks_own() {
    let folder = tempfile::tempdir().unwrap();
    let location = folder.path().join("t").to_str().unwrap().to_owned();
    let table = Table::at(&location).open().unwrap();
    let columns = Struct::from_sql("id BIGINT").unwrap();
    append(&table, ndjson(&columns, r#"{"id":1}"#), SaveMode::Append).await.unwrap();
    append(&table, ndjson(&columns, r#"{"id":2}"#), SaveMode::Append).await.unwrap();
    append(&table, ndjson(&columns, r#"{"id":3}"#), SaveMode::Overwrite).await.unwrap();
    let rows = spark(&location, &["DESCRIBE HISTORY {t}"]);
    assert_eq!(rows.len(), 3);
    for (row, (mode, blind)) in rows.iter().rev().zip([("Append", true), ("Append", true), ("Overwrite", false)]) {
        assert_eq!(row["operation"], "WRITE");
        assert_eq!(row["operationParameters"]["mode"], mode);
        assert_eq!(row["operationMetrics"]["numOutputRows"], "1");
        assert_eq!(row["isBlindAppend"], blind);
        assert_eq!(row["isolationLevel"], "Serializable");
    }
    let ours: Vec<_> = table.history(None).map(|e| e.unwrap().version.0).collect().await;
    assert_eq!(ours, [2, 1, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_say_what_they_did_with_sparks_words() {
    // spec: OPS-1, OPS-5
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
    let (ours, theirs) = (ours.to_str().unwrap(), theirs.to_str().unwrap());
    let table = Table::at(ours).open().unwrap();
    let columns = Struct::from_sql("id BIGINT, p STRING").unwrap();
    let row = || ndjson(&columns, r#"{"id":1,"p":"a"}"#);
    table.create(columns.clone()).partition_by(["p"]).comment("why").property("team", "us").run().await.unwrap();
    append(&table, row(), SaveMode::Append).await.unwrap();
    append(&table, row(), SaveMode::Overwrite).await.unwrap();
    spark(theirs, &["CREATE TABLE {t} (id BIGINT, p STRING) USING DELTA PARTITIONED BY (p) COMMENT 'why' TBLPROPERTIES ('team' = 'us')"]);
    spark(theirs, &["INSERT INTO {t} VALUES (1, 'a')"]);
    spark(theirs, &["INSERT OVERWRITE {t} VALUES (1, 'a')"]);
    let info = |location: &str, version: u64| {
        let text = std::fs::read_to_string(format!("{location}/_delta_log/{version:020}.json")).unwrap();
        let mut info = serde_json::from_str::<serde_json::Value>(text.lines().next().unwrap()).unwrap()["commitInfo"].take();
        // What is measured differs, its names do not.
        let metrics: BTreeSet<String> = info["operationMetrics"].as_object().into_iter().flat_map(|m| m.keys().cloned()).collect();
        (["operation", "operationParameters", "readVersion", "isolationLevel", "isBlindAppend"].map(|key| info[key].take()), metrics)
    };
    for version in 0..3 {
        assert_eq!(info(ours, version), info(theirs, version), "version {version}");
    }
}

/// Checkpoints alone must carry a table: the commits before them are deleted before others read.
#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_of_lakebed_carry_the_table_for_spark_and_deltalake() {
    let folder = tempfile::tempdir().unwrap();
    for (policy, make) in [("classic", "lakebed"), ("v2", "lakebed"), ("classic", "spark"), ("v2", "spark")] {
        let location = folder.path().join(format!("{policy}-{make}")).to_str().unwrap().to_owned();
        let table = Table::at(&location).open().unwrap();
        let columns = Struct::from_sql(EVERY_TYPE).unwrap();
        if make == "lakebed" {
            table
                .create(columns.clone())
                .partition_by(["day"])
                .property("delta.checkpointPolicy", policy)
                .property("delta.checkpointInterval", "100")
                .run()
                .await
                .unwrap();
            for rows in ROWS {
                append(&table, ndjson(&columns, rows), SaveMode::Append).await.unwrap();
            }
        } else {
            // Vectors, removes, transactions and a dropped column: a checkpoint must keep what matters of each.
            spark(
                &location,
                &[
                    &format!(
                        "CREATE TABLE {{t}} ({EVERY_TYPE}) USING DELTA PARTITIONED BY (day) TBLPROPERTIES ('delta.checkpointPolicy' = '{policy}', 'delta.checkpointInterval' = '100', 'delta.enableDeletionVectors' = 'true', 'delta.columnMapping.mode' = 'name')"
                    ),
                    "INSERT INTO {t} (i, text, day) SELECT id, concat('t', id), DATE'2024-01-01' FROM range(50)",
                    "INSERT INTO {t} (i, text, day) SELECT id, concat('u', id), NULL FROM range(50)",
                    "DELETE FROM {t} WHERE i % 3 = 0",
                    "DELETE FROM {t} WHERE i = 49",
                    "ALTER TABLE {t} DROP COLUMN f",
                ],
            );
        }
        let before = digest_of_table(&table).await;
        let report = table.checkpoint().run().await.unwrap();
        let version = report.version.map_or_else(|| 0, |v| v.0).max(table.snapshot().await.unwrap().version().0);
        for v in 0..version {
            std::fs::remove_file(format!("{location}/_delta_log/{v:020}.json")).unwrap();
            let _ = std::fs::remove_file(format!("{location}/_delta_log/{v:020}.crc"));
        }
        assert_eq!(before, digest_of_table(&table).await, "{policy} by {make}: lakebed");
        spark(&location, &["REFRESH TABLE {t}"]);
        assert_eq!(before, spark_digest(&location, "SELECT * FROM {t}"), "{policy} by {make}: Spark");
        assert_eq!(
            spark_digest(&location, "SELECT * FROM {t} WHERE i > 40").0,
            table.snapshot().await.unwrap().scan().filter(lakebed::Expr::sql("i > 40").unwrap()).build().unwrap().count().await.unwrap()
        );
        if make == "lakebed" {
            assert_eq!(before.0, deltalake_digest(&location).0, "{policy} by {make}: deltalake");
        }
        spark(&location, &["INSERT INTO {t} SELECT * FROM {t} LIMIT 1"]);
        assert_eq!(digest_of_table(&table).await, spark_digest(&location, "SELECT * FROM {t}"), "{policy} by {make}: after Spark's insert");
    }
}

/// Four rounds of an append by each of the three, with checkpoints by each and a delete; all see the same rows after each round.
async fn written_by_turns(table: &Table, by_spark: &str, by_deltalake: &str) {
    let folder = tempfile::tempdir().unwrap();
    let columns = Struct::from_sql("id BIGINT, text STRING, x DECIMAL(10,2), at TIMESTAMP, p STRING").unwrap();
    let one = |k: i64| {
        ndjson(&columns, &format!(r#"{{"id":{k},"text":"lakebed {k}","x":"{k}.25","at":"2024-01-01T00:00:00.00000{k}Z","p":"a b/é%{k}"}}"#))
    };
    table.create(columns.clone()).partition_by(["p"]).property("delta.checkpointInterval", "4").run().await.unwrap();
    for round in 0..4 {
        append(table, one(round), SaveMode::Append).await.unwrap();
        spark(
            by_spark,
            &[&format!("INSERT INTO {{t}} VALUES ({round}, 'spark {round}', {round}.5, TIMESTAMP'2024-01-01 00:00:00', NULL)")],
        );
        let parquet = folder.path().join(format!("{round}.parquet"));
        write_parquet(&parquet, &one(round + 5));
        ask(json!({"op": "deltalake_write", "path": by_deltalake, "parquet": parquet.to_str().unwrap(), "partition_by": ["p"]})).unwrap();
        match round {
            1 => drop(ask(json!({"op": "deltalake_checkpoint", "path": by_deltalake})).unwrap()),
            2 => drop(table.checkpoint().run().await.unwrap()),
            3 => drop(spark(by_spark, &["DELETE FROM {t} WHERE id = 2"])),
            _ => {}
        }
        let ours = digest_of_table(table).await;
        assert_eq!(ours, spark_digest(by_spark, "SELECT * FROM {t}"), "round {round}: Spark");
        assert_eq!(ours, deltalake_digest(by_deltalake), "round {round}: deltalake");
    }
    assert_eq!(digest_of_table(table).await.0, 12 - 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_written_by_turns_stays_equal_for_all_three() {
    let folder = tempfile::tempdir().unwrap();
    let location = folder.path().join("turns and spaces").to_str().unwrap().to_owned();
    written_by_turns(&Table::at(&location).open().unwrap(), &location, &location).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_on_s3_written_by_turns_stays_equal_for_all_three() {
    let name = format!("lake/{}/t", crate::servers::fresh("interop"));
    let (by_spark, url) = (format!("s3a://{name}"), format!("s3://{name}"));
    written_by_turns(&crate::servers::s3_table(&url), &by_spark, &url).await;
}

fn write_parquet(path: &std::path::Path, batch: &RecordBatch) {
    let file = std::fs::File::create(path).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}
