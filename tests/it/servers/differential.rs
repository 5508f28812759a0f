//! Random histories run by lakebed and by a peer on twin tables: after every change both hold the same rows.
//!
//! lakebed runs the changes as SQL, so that statements and operations are compared together. A seed that fails is replayed by
//! `LAKEBED_SEED`.

use crate::support::changes::{Change, Chooser};
use crate::support::digest::{digest_of, digest_of_table};
use crate::support::peers::{ask, deltalake_digest, spark_digest};
use crate::support::random::seeds;
use futures::TryStreamExt;
use lakebed::{Answer, At, Env, Error, Session, Struct, Table, Version};
use serde_json::json;

/// Changes of one history.
const CHANGES: usize = 12;
/// Histories of one run: beside deltalake, and beside Spark.
const BESIDE_DELTALAKE: u64 = 200;
const BESIDE_SPARK: u64 = 25;
const SHARES: u64 = 5;

const COLUMNS: &str = "id BIGINT, k INT, s STRING, p STRING, d DATE, x DECIMAL(10,2)";

/// The layout of a history's tables.
struct Layout {
    partitioned: bool,
    properties: Vec<(&'static str, &'static str)>,
}

/// `rich` layouts have features that deltalake does not write.
fn layout(choose: &mut Chooser, rich: bool) -> Layout {
    let mut properties = vec![("delta.checkpointInterval", "5")];
    let vectors = rich && !choose.rarely(3);
    properties.push(("delta.enableDeletionVectors", if vectors { "true" } else { "false" }));
    if rich && choose.rarely(3) {
        properties.push(("delta.columnMapping.mode", "name"));
    }
    if rich && choose.rarely(2) {
        properties.push(("delta.enableChangeDataFeed", "true"));
    }
    if rich && choose.rarely(3) {
        properties.push(("delta.enableRowTracking", "true"));
    }
    Layout { partitioned: choose.rarely(2), properties }
}

async fn create(location: &str, layout: &Layout) {
    let table = Table::at(location).open().unwrap();
    let mut create = table.create(Struct::from_sql(COLUMNS).unwrap());
    if layout.partitioned {
        create = create.partition_by(["p"]);
    }
    for (key, value) in &layout.properties {
        create = create.property(key, value);
    }
    create.run().await.unwrap();
}

async fn by_lakebed(session: &Session, change: &Change) -> Result<(), Error> {
    if let Answer::Rows(rows) = session.sql(&change.to_sql().replace("{t}", "t")).await? {
        rows.batches.try_collect::<Vec<_>>().await?;
    }
    Ok(())
}

/// Runs one history; `theirs` runs a change on the twin table.
async fn history(seed: u64, rich: bool, theirs: impl Fn(&str, &Change) -> Result<(), String>) -> (tempfile::TempDir, Vec<u64>) {
    let mut choose = Chooser::new(seed);
    let folder = tempfile::tempdir().unwrap();
    let (mine, twin) = (folder.path().join("mine"), folder.path().join("twin"));
    let (mine, twin) = (mine.to_str().unwrap(), twin.to_str().unwrap());
    let layout = layout(&mut choose, rich);
    for location in [mine, twin] {
        create(location, &layout).await;
    }
    let (table, other) = (Table::at(mine).open().unwrap(), Table::at(twin).open().unwrap());
    let session = Session::new(Env::system());
    session.register("t", table.clone());
    let mut versions = Vec::new();
    for step in 0..CHANGES {
        let change = choose.change();
        let told = || format!("LAKEBED_SEED={seed}, change {step}: {}", change.to_sql());
        let (ours, theirs) = (by_lakebed(&session, &change).await, theirs(twin, &change));
        match (&ours, &theirs) {
            (Ok(()), Ok(())) | (Err(_), Err(_)) => {}
            (Ok(()), Err(e)) => panic!("{}: lakebed did what the peer refused: {e}", told()),
            (Err(e), Ok(())) => panic!("{}: lakebed refused: {e}", told()),
        }
        assert_eq!(digest_of_table(&table).await, digest_of_table(&other).await, "{}", told());
        versions.push(table.snapshot().await.unwrap().version().0);
    }
    (folder, versions)
}

#[tokio::test(flavor = "multi_thread")]
async fn random_histories_beside_deltalake_give_the_same_rows() {
    for seed in seeds(BESIDE_DELTALAKE) {
        let (folder, _) = history(seed, false, |twin, change| {
            ask(json!({"op": "deltalake_change", "path": twin, "change": change.to_deltalake()})).map(drop)
        })
        .await;
        let mine = folder.path().join("mine");
        let table = Table::at(mine.to_str().unwrap()).open().unwrap();
        let theirs = deltalake_digest(mine.to_str().unwrap());
        assert_eq!(digest_of_table(&table).await.0, theirs.0, "LAKEBED_SEED={seed}: deltalake reads what lakebed wrote");
    }
}

/// The histories of one share: several tests, so that none waits for all the others.
async fn beside_spark(share: u64) {
    for seed in seeds(BESIDE_SPARK).filter(|seed| seed % SHARES == share) {
        let (folder, versions) = history(seed, true, |twin, change| {
            let sql = change.to_sql().replace("{t}", &format!("delta.`{twin}`"));
            ask(json!({"op": "sql", "sql": [sql]})).map(drop)
        })
        .await;
        // Spark reads what lakebed wrote: the newest version and one on the way.
        let mine = folder.path().join("mine");
        let location = mine.to_str().unwrap();
        let table = Table::at(location).open().unwrap();
        for version in [versions[CHANGES / 2], versions[CHANGES - 1]] {
            let snapshot = table.snapshot_at(At::Version(Version(version))).await.unwrap();
            let batches: Vec<_> = snapshot.scan().build().unwrap().stream().try_collect().await.unwrap();
            let theirs = spark_digest(location, &format!("SELECT * FROM {{t}} VERSION AS OF {version}"));
            assert_eq!(digest_of(&batches), theirs, "LAKEBED_SEED={seed}, version {version}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_histories_beside_spark_give_the_same_rows_first_share() {
    beside_spark(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_histories_beside_spark_give_the_same_rows_second_share() {
    beside_spark(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_histories_beside_spark_give_the_same_rows_third_share() {
    beside_spark(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_histories_beside_spark_give_the_same_rows_fourth_share() {
    beside_spark(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_histories_beside_spark_give_the_same_rows_fifth_share() {
    beside_spark(4).await;
}
