use super::*;
use crate::env::Env;
use crate::expr::Expr;
use crate::storage::TableRoot;
use crate::table::Table;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

const SCHEMA: &str = r#"{\"type\":\"struct\",\"fields\":[{\"name\":\"P\",\"type\":\"date\",\"nullable\":true,\"metadata\":{}},{\"name\":\"a\",\"type\":\"long\",\"nullable\":true,\"metadata\":{}},{\"name\":\"f\",\"type\":\"double\",\"nullable\":true,\"metadata\":{}},{\"name\":\"t\",\"type\":\"timestamp\",\"nullable\":true,\"metadata\":{}},{\"name\":\"s\",\"type\":{\"type\":\"struct\",\"fields\":[{\"name\":\"x\",\"type\":\"string\",\"nullable\":true,\"metadata\":{}}]},\"nullable\":true,\"metadata\":{}}]}"#;

async fn table(commits: &[&str]) -> Table {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let head = format!(
        "{{\"protocol\":{{\"minReaderVersion\":1,\"minWriterVersion\":2}}}}\n{{\"metaData\":{{\"id\":\"i\",\"format\":{{\"provider\":\"parquet\",\"options\":{{}}}},\"schemaString\":\"{SCHEMA}\",\"partitionColumns\":[\"P\"],\"configuration\":{{}}}}}}"
    );
    for (version, body) in std::iter::once(head.as_str()).chain(commits.iter().copied()).enumerate() {
        store.put(&Path::from(format!("t/_delta_log/{version:020}.json")), body.to_owned().into_bytes().into()).await.unwrap();
    }
    let root = TableRoot::with_store("memory:///t/".parse().unwrap(), store, Path::from("t"));
    let log = Arc::new(crate::log::PathLogStore::new(root.clone()));
    Table::with_log(root, log, Env::system())
}
fn file(path: &str, date: &str, stats: &str) -> String {
    let stats = serde_json::Value::from(stats);
    format!(
        r#"{{"add":{{"path":"{path}","partitionValues":{{"P":{date}}},"size":1,"modificationTime":1,"dataChange":true,"stats":{stats}}}}}"#
    )
}
async fn kept(table: &Table, filter: &str) -> Vec<String> {
    let snapshot = table.snapshot().await.unwrap();
    let filter = Expr::sql(filter).unwrap().bind(snapshot.state().schema()).unwrap();
    let mut paths = Vec::new();
    let mut batches = snapshot.files(FileQuery::default().filter(filter));
    while let Some(batch) = batches.try_next().await.unwrap() {
        paths.extend((0..batch.len()).map(|r| batch.path(r).to_owned()));
    }
    paths.sort();
    paths
}
/// The same from the tail, from a checkpoint of ours, and from one without parsed statistics.
async fn kept_everywhere(commit: &str, filters: &[(&str, &[&str])]) {
    let plain = table(&[commit]).await;
    let text_only = commit.to_owned()
        + "\n"
        + &format!(
            r#"{{"metaData":{{"id":"i","format":{{"provider":"parquet","options":{{}}}},"schemaString":"{SCHEMA}","partitionColumns":["P"],"configuration":{{"delta.checkpoint.writeStatsAsStruct":"false"}}}}}}"#
        );
    let text_only = table(&[&text_only]).await;
    let ours = table(&[commit]).await;
    for t in [&text_only, &ours] {
        t.snapshot().await.unwrap().write_checkpoint().await.unwrap();
        assert!(t.snapshot().await.unwrap().segment().checkpoint.is_some());
    }
    for (name, t) in [("tail", &plain), ("text", &text_only), ("parsed", &ours)] {
        for (filter, expected) in filters {
            assert_eq!(kept(t, filter).await, *expected, "{filter} from {name}");
        }
    }
}

// spec: SKIP-1 SKIP-2
#[tokio::test]
async fn partition_values_are_typed_and_exact() {
    let commit =
        [file("a", r#""2020-01-31""#, ""), file("b", r#""2020-1-5""#, ""), file("c", "null", ""), file("d", r#""not a date""#, "")]
            .join("\n");
    kept_everywhere(
        &commit,
        &[
            ("P = DATE '2020-01-31'", &["a", "d"]),
            ("p < DATE '2020-01-31'", &["b", "d"]),
            ("p IS NULL", &["c", "d"]),
            ("p IS NOT NULL", &["a", "b", "d"]),
        ],
    )
    .await;
}

// spec: SKIP-3 SKIP-4 SKIP-5 SKIP-6
#[tokio::test]
async fn statistics_rule_out_only_what_cannot_match() {
    let commit = [
        file(
            "low",
            "null",
            r#"{"numRecords":5,"minValues":{"a":1,"s":{"x":"a"}},"maxValues":{"a":9,"s":{"x":"c"}},"nullCount":{"a":0,"s":{"x":1}}}"#,
        ),
        file(
            "high",
            "null",
            r#"{"numRecords":5,"minValues":{"a":20,"s":{"x":"m"}},"maxValues":{"a":29,"s":{"x":"z"}},"nullCount":{"a":0,"s":{"x":0}}}"#,
        ),
        file("nulls", "null", r#"{"numRecords":5,"nullCount":{"a":5,"s":{"x":5}}}"#),
        file("wide", "null", r#"{"numRecords":5,"minValues":{"a":1},"maxValues":{"a":9},"nullCount":{"a":2},"tightBounds":false}"#),
        file("none", "null", ""),
        file("broken", "null", r#"{"numRecords":5,"minValues":{"a":"#),
    ]
    .join("\n");
    kept_everywhere(
        &commit,
        &[
            ("a > 15", &["broken", "high", "none"]),
            ("a = 5", &["broken", "low", "none", "wide"]),
            ("a IS NULL", &["broken", "none", "nulls", "wide"]),
            ("a IS NOT NULL", &["broken", "high", "low", "none", "wide"]),
            ("s.x = 'b'", &["broken", "low", "none", "wide"]),
            ("a > 15 AND p IS NOT NULL", &[]),
        ],
    )
    .await;
}

// spec: SKIP-4
#[tokio::test]
async fn times_cut_to_milliseconds_and_odd_floats_stay_in() {
    let stats = |min: &str, max: &str, column: &str| {
        format!(r#"{{"numRecords":2,"minValues":{{"{column}":{min}}},"maxValues":{{"{column}":{max}}},"nullCount":{{"{column}":0}}}}"#)
    };
    let commit = [
        file("time", "null", &stats(r#""2020-01-01T00:00:00.000Z""#, r#""2020-01-01T00:00:00.999Z""#, "t")),
        file("nan", "null", &stats("1.0", r#""NaN""#, "f")),
        file("zero", "null", &stats("0.0", "0.0", "f")),
        file("minus", "null", &stats("-0.0", "-0.0", "f")),
    ]
    .join("\n");
    kept_everywhere(
        &commit,
        &[
            ("t > TIMESTAMP '2020-01-01 00:00:00.9995Z'", &["minus", "nan", "time", "zero"]),
            ("t > TIMESTAMP '2020-01-01 00:00:01.0015Z'", &["minus", "nan", "zero"]),
            ("f > 100.0", &["minus", "nan", "time", "zero"]),
            ("f < -100.0", &["time"]),
            ("f = 50.0", &["nan", "time"]),
            ("f = 0.0", &["minus", "time", "zero"]),
            ("f = -0.0", &["minus", "time", "zero"]),
        ],
    )
    .await;
    // Statistics of a column that was float when they were written.
    kept_everywhere(
        &file("widened", "null", &stats("0.1", "0.1", "f")),
        &[("f = 0.10000000149011612D", &["widened"]), ("f = 0.1D", &["widened"]), ("f < 0.0999999D", &[])],
    )
    .await;
    // What was cut towards zero from before 1970 may read as 1970 itself.
    let epoch = r#""1970-01-01T00:00:00.000Z""#;
    kept_everywhere(
        &file("epoch", "null", &stats(epoch, epoch, "t")),
        &[("t = TIMESTAMP '1969-12-31 23:59:59.9995Z'", &["epoch"]), ("t < TIMESTAMP '1969-12-31 23:59:59.998Z'", &[])],
    )
    .await;
}

// spec: REC-21 REC-22 REC-23
#[tokio::test]
async fn the_newest_word_on_a_file_counts() {
    let remove = |path: &str| format!(r#"{{"remove":{{"path":"{path}","deletionTimestamp":1,"dataChange":true}}}}"#);
    let t = table(&[
        &[file("a%20b", "null", ""), file("c", "null", ""), file("d", "null", "")].join("\n"),
        &[remove("a b"), remove("c"), file("c", "null", r#"{"numRecords":3}"#)].join("\n"),
        &file("d", "null", r#"{"numRecords":9}"#),
    ])
    .await;
    let check = async |t: &Table| {
        let snapshot = t.snapshot().await.unwrap();
        let mut found = Vec::new();
        let mut batches = snapshot.files(FileQuery::default().records());
        while let Some(batch) = batches.try_next().await.unwrap() {
            found.extend((0..batch.len()).map(|r| (batch.path(r).to_owned(), batch.num_records(r))));
        }
        found.sort();
        assert_eq!(found, [("c".to_owned(), Some(3)), ("d".to_owned(), Some(9))]);
    };
    check(&t).await;
    t.snapshot().await.unwrap().write_checkpoint().await.unwrap();
    check(&t).await;
}
