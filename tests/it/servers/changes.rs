//! `table_changes` of Spark and ours say the same, of tables that Spark wrote and of tables that we wrote.

use crate::support::digest::{Rows, digest_of_table};
use crate::support::peers::{spark, spark_digest};
use futures::{StreamExt, TryStreamExt};
use lakebed::{Append, At, Expr, Input, SaveMode, Struct, Table, Version};

fn path(name: &str) -> String {
    let folder = std::env::temp_dir().join("feed-servers").join(lakebed::Env::system().new_uuid().to_string()).join(name);
    std::fs::create_dir_all(folder.parent().unwrap()).unwrap();
    folder.to_str().unwrap().to_owned()
}

/// The changes of a range by us: how many, their digest, a sample.
async fn ours(table: &Table, from: u64, to: u64) -> (u64, String, Vec<String>) {
    let feed = table.changes(At::Version(Version(from))).to(At::Version(Version(to))).build().await.unwrap();
    let mut rows = Rows::default();
    let mut batches = feed.stream();
    while let Some(batch) = batches.try_next().await.unwrap() {
        rows.push(&batch);
    }
    let sample = rows.sample(20).to_vec();
    (rows.len() as u64, rows.sha256(), sample)
}

/// Compares every version alone and all of them together, times included.
async fn same_changes(path: &str, first: u64, last: u64) {
    let table = Table::at(path).open().unwrap();
    let ranges = (first..=last).map(|v| (v, v)).chain([(first, last)]);
    for (from, to) in ranges {
        let theirs = spark_digest(path, &format!("SELECT * FROM table_changes_by_path('{path}', {from}, {to})"));
        assert_eq!(ours(&table, from, to).await, theirs, "{path}, versions {from} to {to}");
    }
    let _ = std::fs::remove_dir_all(path);
}

const FEED: &str = "'delta.enableChangeDataFeed' = 'true'";

/// Every way in which Spark changes rows.
async fn spark_changes(name: &str, properties: &str) {
    let table = path(name);
    let create =
        format!("CREATE TABLE {{t}} (id INT, s STRING, p STRING) USING DELTA PARTITIONED BY (p) TBLPROPERTIES ({FEED}{properties})");
    let merge = "MERGE INTO {t} t USING (SELECT * FROM VALUES (8, 'm', 'x'), (100, 'i', NULL), (11, 'gone', 'x') AS v(id, s, p)) v ON t.id = v.id \
                 WHEN MATCHED AND v.s = 'gone' THEN DELETE WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT * \
                 WHEN NOT MATCHED BY SOURCE AND t.id = 0 THEN UPDATE SET s = 'nobody'";
    let statements = [
        create.as_str(),
        "INSERT INTO {t} SELECT /*+ COALESCE(1) */ CAST(id AS INT), concat('s', id), CASE id % 3 WHEN 0 THEN 'a b/%' WHEN 1 THEN 'x' END FROM range(15)",
        "DELETE FROM {t} WHERE id IN (2, 3, 7)",
        "UPDATE {t} SET s = 'new', p = 'y' WHERE id IN (6, 9)",
        merge,
        "DELETE FROM {t} WHERE p = 'y'",
        "INSERT INTO {t} REPLACE WHERE id > 11 SELECT 50, 'r', 'x'",
        "OPTIMIZE {t}",
        "RESTORE TABLE {t} TO VERSION AS OF 2",
        "INSERT OVERWRITE {t} VALUES (7, 'o', NULL)",
    ];
    spark(&table, &statements);
    same_changes(&table, 0, 9).await;
}

// spec: CDF-4, CDF-5, CDF-6
#[tokio::test]
async fn changes_of_spark_without_vectors() {
    spark_changes("plain", "").await;
}

// spec: CDF-4, CDF-5, CDF-6
#[tokio::test]
async fn changes_of_spark_with_vectors() {
    spark_changes("vectors", ", 'delta.enableDeletionVectors' = 'true'").await;
}

// spec: CDF-4, CDF-5, CDF-6
#[tokio::test]
async fn changes_of_spark_with_mapping_and_vectors() {
    spark_changes("mapped", ", 'delta.enableDeletionVectors' = 'true', 'delta.columnMapping.mode' = 'name'").await;
    spark_changes("mapped-by-id", ", 'delta.columnMapping.mode' = 'id'").await;
}

// spec: CDF-9
#[tokio::test]
async fn changes_of_spark_across_added_columns() {
    let table = path("evolved");
    let create =
        format!("CREATE TABLE {{t}} (id INT, a STRUCT<b: INT>) USING DELTA TBLPROPERTIES ({FEED}, 'delta.columnMapping.mode' = 'name')");
    spark(
        &table,
        &[
            create.as_str(),
            "INSERT INTO {t} VALUES (1, named_struct('b', 1)), (2, NULL)",
            "ALTER TABLE {t} ADD COLUMNS (a.c STRING, late DATE FIRST)",
            "INSERT INTO {t} VALUES (DATE'2024-01-01', 3, named_struct('b', 3, 'c', 'c'))",
            "UPDATE {t} SET late = DATE'2025-01-01' WHERE id < 3",
        ],
    );
    same_changes(&table, 0, 4).await;
}

async fn write(table: &Table, rows: &str, mode: SaveMode) {
    let file = tempfile::NamedTempFile::with_suffix(".ndjson").unwrap();
    std::fs::write(file.path(), rows).unwrap();
    let snapshot = table.snapshot().await.unwrap();
    let inputs = vec![Input::named(file.path().to_str().unwrap())];
    let rows = Input::open(inputs, Some(snapshot.state().schema()), table.env()).await.unwrap();
    table.append(rows.schema, rows.batches.boxed()).mode(mode).run().await.unwrap();
}

// spec: CDF-1, CDF-17
#[tokio::test]
async fn spark_reads_the_changes_of_our_appends_and_overwrites() {
    for (name, mode) in [("none", None), ("name", Some("name")), ("id", Some("id"))] {
        let path = path(name);
        let table = Table::at(&path).open().unwrap();
        let schema = Struct::from_sql("id INT, s STRING, p STRING").unwrap();
        let mut create = table.create(schema).partition_by(["p"]).property("delta.enableChangeDataFeed", "true");
        if let Some(mode) = mode {
            create = create.property("delta.columnMapping.mode", mode);
        }
        create.run().await.unwrap();
        write(&table, "{\"id\":1,\"s\":\"a\",\"p\":\"x y/%\"}\n{\"id\":2}\n", SaveMode::Append).await;
        write(&table, "{\"id\":3,\"p\":\"z\"}\n", SaveMode::Append).await;
        write(&table, "{\"id\":9,\"p\":\"z\"}\n", SaveMode::Overwrite).await;
        // Spark goes on with our table.
        spark(
            &path,
            &["UPDATE {t} SET s = 'spark' WHERE id = 9", "INSERT INTO {t} VALUES (10, 't', NULL)", "DELETE FROM {t} WHERE id = 10"],
        );
        same_changes(&path, 0, 6).await;
    }
}

/// Every way in which we change rows, read by Spark at every version.
async fn our_changes(name: &str, properties: &[(&str, &str)]) {
    let path = path(name);
    let table = Table::at(&path).open().unwrap();
    let schema = Struct::from_sql("id INT, s STRING, p STRING").unwrap();
    let mut create = table.create(schema).partition_by(["p"]).property("delta.enableChangeDataFeed", "true");
    for (key, value) in properties {
        create = create.property(key, value);
    }
    create.run().await.unwrap();
    let rows: String =
        (0..12).map(|i| format!("{{\"id\":{i},\"s\":\"s{i}\",\"p\":{}}}\n", ["\"a b/%\"", "\"x\"", "null"][i % 3])).collect();
    write(&table, &rows, SaveMode::Append).await;
    table.delete().filter(Expr::sql("id IN (2, 3, 7)").unwrap()).run().await.unwrap();
    let set = |value: &str| Expr::sql(value).unwrap();
    table.update().set("s", set("'new'")).set("p", set("'y'")).filter(set("id IN (6, 9)")).run().await.unwrap();
    table.delete().filter(set("p = 'y'")).run().await.unwrap();
    replace(&table, "{\"id\":50,\"s\":\"r\",\"p\":\"x\"}\n", |append| append.replace_where(set("id > 9"))).await;
    replace(&table, "{\"id\":51,\"s\":\"r\",\"p\":\"x\"}\n", |append| append.replace_where(set("p = 'x'"))).await;
    replace(&table, "{\"id\":52}\n", |append| append.dynamic_partitions()).await;
    // Spark goes on with our table.
    spark(&path, &["UPDATE {t} SET s = 'spark' WHERE id = 51", "DELETE FROM {t} WHERE id = 0"]);
    let theirs = spark_digest(&path, "SELECT * FROM {t}");
    assert_eq!(digest_of_table(&table).await, theirs, "{path}");
    same_changes(&path, 0, 9).await;
}

async fn replace(table: &Table, rows: &str, how: impl FnOnce(Append) -> Append) {
    let file = tempfile::NamedTempFile::with_suffix(".ndjson").unwrap();
    std::fs::write(file.path(), rows).unwrap();
    let snapshot = table.snapshot().await.unwrap();
    let inputs = vec![Input::named(file.path().to_str().unwrap())];
    let rows = Input::open(inputs, Some(snapshot.state().schema()), table.env()).await.unwrap();
    how(table.append(rows.schema, rows.batches.boxed())).run().await.unwrap();
}

// spec: CDF-18, OPS-20
#[tokio::test]
async fn spark_reads_the_changes_of_our_row_changes() {
    our_changes("ours", &[]).await;
    our_changes("ours-vectors", &[("delta.enableDeletionVectors", "true")]).await;
    our_changes("ours-mapped", &[("delta.columnMapping.mode", "name")]).await;
    our_changes("ours-mapped-vectors", &[("delta.columnMapping.mode", "id"), ("delta.enableDeletionVectors", "true")]).await;
}
