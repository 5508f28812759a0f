//! Checkpoints that name old sidecars again, log compactions, and clean-ups of the log by turns: Spark and deltalake read the table after each,
//! and nobody's clean-up takes what another's checkpoint needs.

use crate::support::digest::digest_of_table;
use crate::support::peers::{deltalake_digest, spark, spark_digest};
use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use futures::StreamExt;
use lakebed::{Expr, Report, Struct, Table, Version};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(86_400);

async fn append(table: &Table, ids: std::ops::Range<i64>) -> Report {
    let column = || Arc::new(Int64Array::from_iter_values(ids.clone())) as ArrayRef;
    let batch = RecordBatch::try_from_iter_with_nullable([("id", column(), true), ("p", column(), true)]).unwrap();
    table.append(batch.schema(), futures::stream::iter([Ok(batch)]).boxed()).run().await.unwrap()
}

/// Makes files so many days old.
fn age(folder: &Path, days: impl Fn(&str) -> Option<u32>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if let Some(days) = days(path.file_name().unwrap().to_str().unwrap()).filter(|_| path.is_file()) {
            std::fs::File::options().write(true).open(&path).unwrap().set_modified(SystemTime::now() - DAY * days).unwrap();
        }
    }
}

fn names(folder: &Path) -> BTreeSet<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    names.filter(|n| !n.starts_with('.') && !n.starts_with('_')).collect()
}

async fn same_for_all(table: &Table, location: &str, when: &str) {
    let ours = digest_of_table(table).await;
    assert_eq!(ours, spark_digest(location, "SELECT * FROM {t}"), "{when}: Spark");
    assert_eq!(ours.0, deltalake_digest(location).0, "{when}: deltalake");
}

/// Versions below this one are sixty days old and less, one day apart: Spark leaves a log alone whose files are all of one time.
fn older_than(version: u64) -> impl Fn(&str) -> Option<u32> {
    move |name| {
        let of = name.get(..20).and_then(|digits| digits.parse::<u64>().ok()).filter(|v| *v < version)?;
        u32::try_from(60 - of).ok()
    }
}

fn all_sidecars(name: &str) -> Option<u32> {
    name.ends_with(".parquet").then_some(40)
}

#[tokio::test(flavor = "multi_thread")]
async fn sidecars_named_again_and_clean_ups_by_turns_leave_every_version_to_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t");
    let location = path.to_str().unwrap();
    let (log, sidecars) = (path.join("_delta_log"), path.join("_delta_log/_sidecars"));
    let table = Table::at(location).open().unwrap();
    let columns = Struct::from_sql("id BIGINT, p BIGINT").unwrap();
    let create = table.create(columns).partition_by(["p"]);
    create.property("delta.checkpointPolicy", "v2").property("delta.checkpointInterval", "1000").run().await.unwrap();
    append(&table, 0..120).await;
    assert_eq!(table.checkpoint().run().await.unwrap().metrics["numSidecarsReused"], 0);
    let first = names(&sidecars);
    for id in 120..123 {
        append(&table, id..id + 1).await;
    }
    let reused = table.checkpoint().run().await.unwrap();
    assert_eq!(reused.metrics["numSidecarsReused"], 1, "{:?}", reused.metrics);
    assert!(names(&sidecars).is_superset(&first));
    same_for_all(&table, location, "a checkpoint of an old and a new sidecar").await;
    // Compacted commits behind it.
    table.delete().filter(Expr::sql("p = 7").unwrap()).run().await.unwrap();
    append(&table, 123..124).await;
    assert_eq!(table.compact_log().run().await.unwrap().details["written"], true);
    same_for_all(&table, location, "compacted commits").await;

    // Spark cleans up after its own checkpoint (version 8): 5 and 6 are compacted, 4 has our checkpoint, and all below 4 is old. It cuts at ours,
    // with what our checkpoint names or in a copy of its own.
    age(&log, older_than(6));
    age(&sidecars, all_sidecars);
    spark(location, &["ALTER TABLE {t} SET TBLPROPERTIES ('delta.checkpointInterval' = '2')", "INSERT INTO {t} VALUES (124, 124)"]);
    let left = names(&log);
    assert!(!left.contains(&format!("{:020}.json", 1)), "Spark has cleaned up: {left:?}");
    same_for_all(&table, location, "Spark's clean-up").await;
    let at_4 = table.snapshot_at(lakebed::At::Version(Version(4))).await.unwrap();
    assert_eq!(at_4.warnings(), [] as [String; 0]);
    assert_eq!(at_4.scan().build().unwrap().count().await.unwrap(), 123);

    // Ours after its: all below Spark's checkpoint is old now, and the sidecars that only ours named are nobody's.
    let newest = table.snapshot().await.unwrap().version().0;
    age(&log, older_than(newest + 1));
    age(&sidecars, all_sidecars);
    append(&table, 125..126).await;
    let report = table.cleanup_log().run().await.unwrap();
    assert!(report.metrics["firstVersion"].as_u64() > Some(4), "{:?} {:?}", report.metrics, names(&log));
    assert!(names(&sidecars).is_disjoint(&first), "{:?}", report.metrics);
    same_for_all(&table, location, "our clean-up").await;
    // Spark goes on from a checkpoint of ours.
    table.checkpoint().run().await.unwrap();
    spark(location, &["INSERT INTO {t} VALUES (126, 126)"]);
    same_for_all(&table, location, "Spark goes on").await;
}
