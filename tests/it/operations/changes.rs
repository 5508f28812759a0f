//! Reading what changed, of tables that we wrote and of fixtures that Spark wrote.

use super::*;
use crate::support::digest::Rows;
use futures::TryStreamExt;
use lakebed::{At, Changes, Code, Expr, SaveMode, Timestamp, Version};
use serde_json::json;

const FEED: (&str, &str) = ("delta.enableChangeDataFeed", "true");
const LAST: usize = 1 << 20;

fn version(v: u64) -> At {
    At::Version(Version(v))
}

/// The rows as texts, in the order of versions, sorted inside of each.
async fn rows_of(changes: Changes) -> Result<Vec<String>> {
    let mut batches = changes.build().await?.stream();
    let mut rows = Rows::default();
    while let Some(batch) = batches.try_next().await? {
        rows.push(&batch);
    }
    Ok(rows.sample(LAST).to_vec())
}

/// Id, kind and version of every change.
async fn changes_of(table: &Table, from: u64, to: u64) -> Result<Vec<String>> {
    rows_of(table.changes(version(from)).to(version(to)).columns(["_commit_version", "_change_type", "id"])).await
}

fn named(error: &Error, key: &str) -> String {
    error.context().iter().find(|(k, _)| *k == key).map(|(_, value)| value.clone()).unwrap_or_default()
}

impl Place {
    /// A table with the feed on: two rows, one more, then one instead of all.
    async fn with_feed() -> Place {
        let place = place();
        let schema = columns(&[("id", DataType::Long), ("s", DataType::String)]);
        place.table.create(schema).property(FEED.0, FEED.1).run().await.unwrap();
        append_ids(&place.table, &[1, 2]).await.unwrap();
        append_ids(&place.table, &[3]).await.unwrap();
        append(&place.table, vec![ids_and_texts(&[(9, None)])]).mode(SaveMode::Overwrite).run().await.unwrap();
        place
    }
    fn log(&self, version: u64) -> std::path::PathBuf {
        self.folder.path().join(format!("_delta_log/{version:020}.json"))
    }
}

// spec: CDF-3, CDF-5, CDF-17
#[tokio::test]
async fn appends_and_overwrites_need_no_change_files() {
    let place = Place::with_feed().await;
    let expected = [
        r#"[1,"insert",1]"#,
        r#"[1,"insert",2]"#,
        r#"[2,"insert",3]"#,
        r#"[3,"delete",1]"#,
        r#"[3,"delete",2]"#,
        r#"[3,"delete",3]"#,
        r#"[3,"insert",9]"#,
    ];
    assert_eq!(changes_of(&place.table, 0, 9).await.unwrap(), expected);
    assert_eq!(changes_of(&place.table, 2, 2).await.unwrap(), expected[2..3]);
    assert!((0..4).all(|v| place.actions(v, "cdc").is_empty()));
    let feed = place.table.changes(version(1)).build().await.unwrap();
    let names: Vec<String> = feed.schema().fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(names, ["id", "s", "_change_type", "_commit_version", "_commit_timestamp"]);
    assert_eq!(feed.versions(), Some((Version(1), Version(3))));
    let order: Vec<u64> = feed.stream().map_ok(|b| b.column(3).as_primitive::<Int64Type>().value(0) as u64).try_collect().await.unwrap();
    assert!(order.is_sorted() && order.len() >= 4, "{order:?}");
}

// spec: CDF-3
#[tokio::test]
async fn times_are_those_of_the_commits() {
    let place = Place::with_feed().await;
    let entries: Vec<_> = place.table.history(None).try_collect().await.unwrap();
    let mut expected: Vec<String> = entries
        .iter()
        .map(|e| format!("[{},\"T:{}\"]", e.version, e.timestamp.millis() * 1000))
        .filter(|row| !row.starts_with("[0,"))
        .collect();
    expected.sort();
    let mut found = rows_of(place.table.changes(version(0)).columns(["_commit_version", "_commit_timestamp"])).await.unwrap();
    found.dedup();
    assert_eq!(found, expected);
}

// spec: CDF-4
#[tokio::test]
async fn change_files_of_spark_are_read() {
    let table = fixture_table("change-feed");
    let found = rows_of(table.changes(version(0)).columns(["_commit_version", "_change_type", "id", "s"])).await.unwrap();
    let expected = [
        r#"[1,"insert",1,"a"]"#,
        r#"[1,"insert",2,"b"]"#,
        r#"[2,"update_postimage",1,"c"]"#,
        r#"[2,"update_preimage",1,"a"]"#,
        r#"[3,"delete",2,"b"]"#,
    ];
    assert_eq!(found, expected);
}

fn fixture_table(name: &str) -> Table {
    Table::at(&format!("{}/fixtures/golden/{name}/table", env!("CARGO_MANIFEST_DIR"))).open().unwrap()
}

// spec: CDF-15
#[tokio::test]
async fn filters_and_columns_take_the_feed_like_the_table() {
    let place = Place::with_feed().await;
    let changes = |filter: &str| place.table.changes(version(0)).columns(["_commit_version", "id"]).filter(Expr::sql(filter).unwrap());
    assert_eq!(rows_of(changes("_change_type = 'delete' AND id > 1")).await.unwrap(), ["[3,2]", "[3,3]"]);
    assert_eq!(rows_of(changes("s IS NULL")).await.unwrap(), ["[3,9]"]);
    assert_eq!(rows_of(changes("id = 2")).await.unwrap(), ["[1,2]", "[3,2]"]);
    assert_eq!(rows_of(changes("_commit_version < 3 AND _commit_timestamp > '2020-01-01'")).await.unwrap(), ["[1,1]", "[1,2]", "[2,3]"]);
    let unknown = rows_of(place.table.changes(version(0)).columns(["nope"])).await.unwrap_err();
    assert_eq!(unknown.code(), Code::SCHEMA);
    // The files of the first two appends are not opened.
    for (version, _) in [(1, ()), (2, ())] {
        let path = place.actions(version, "add")[0]["path"].as_str().unwrap().to_owned();
        std::fs::remove_file(place.folder.path().join(path)).unwrap();
    }
    assert_eq!(rows_of(changes("_change_type = 'insert' AND _commit_version = 3")).await.unwrap(), ["[3,9]"]);
    let fixture =
        fixture_table("change-feed").changes(version(0)).columns(["id"]).filter(Expr::sql("_change_type LIKE 'update%'").unwrap());
    assert_eq!(rows_of(fixture).await.unwrap(), ["[1]", "[1]"]);
}

// spec: CDF-11
#[tokio::test]
async fn ranges_that_cannot_be_are_refused() {
    let place = Place::with_feed().await;
    let after = changes_of(&place.table, 4, 9).await.unwrap_err();
    assert_eq!((after.code(), named(&after, "latest")), (Code::VERSION, "3".to_owned()));
    assert_eq!(changes_of(&place.table, 3, 2).await.unwrap_err().code(), Code::VERSION);
    let missing = self::place();
    assert_eq!(changes_of(&missing.table, 0, 2).await.unwrap_err().code(), Code::TABLE);
}

// spec: CDF-11, CDF-12
#[tokio::test]
async fn times_choose_the_first_commit_from_and_the_last_commit_until() {
    let place = Place::with_feed().await;
    for v in 0..4 {
        let file = std::fs::File::options().write(true).open(place.log(v)).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1000 + 10 * v)).unwrap();
    }
    let at = |seconds: i64| At::Timestamp(Timestamp(seconds * 1000));
    let between = async |from, to| {
        let feed = place.table.changes(from).to(to).build().await?;
        Ok::<_, Error>(feed.versions().map(|(a, b)| (a.0, b.0)))
    };
    assert_eq!(between(at(0), at(9999)).await.unwrap(), Some((0, 3)));
    assert_eq!(between(at(1010), at(1020)).await.unwrap(), Some((1, 2)));
    assert_eq!(between(at(1011), at(1029)).await.unwrap(), Some((2, 2)));
    assert_eq!(between(at(1011), at(1019)).await.unwrap(), None);
    assert_eq!(between(at(1030), At::Latest).await.unwrap(), Some((3, 3)));
    assert_eq!(between(version(1), at(1025)).await.unwrap(), Some((1, 2)));
    assert_eq!(between(at(1031), At::Latest).await.unwrap_err().code(), Code::VERSION);
    assert_eq!(between(at(0), at(999)).await.unwrap_err().code(), Code::VERSION);
    assert_eq!(rows_of(place.table.changes(at(1011)).to(at(1019))).await.unwrap(), [] as [&str; 0]);
}

// spec: CDF-10
#[tokio::test]
async fn a_version_that_recorded_nothing_is_named() {
    let place = place();
    place.table.create(columns(&[("id", DataType::Long), ("s", DataType::String)])).run().await.unwrap();
    append_ids(&place.table, &[1]).await.unwrap();
    let set = async |value: &str| {
        let base = place.table.snapshot().await.unwrap();
        let mut metadata = base.state().metadata().clone();
        metadata.configuration.insert(FEED.0.to_owned(), value.to_owned());
        let mut transaction = base.begin(Default::default());
        let protocol = lakebed::Protocol { min_reader_version: 1, min_writer_version: 4, reader_features: None, writer_features: None };
        transaction.set_metadata(metadata).set_protocol(protocol);
        assert!(matches!(transaction.commit().await.unwrap(), lakebed::CommitOutcome::Committed(_)));
    };
    set("true").await;
    append_ids(&place.table, &[2]).await.unwrap();
    set("false").await;
    append_ids(&place.table, &[3]).await.unwrap();
    assert_eq!(changes_of(&place.table, 2, 3).await.unwrap(), [r#"[3,"insert",2]"#]);
    for (from, to, named_version) in [(0, 3, "0"), (1, 1, "1"), (2, 5, "4"), (3, 9, "4"), (5, 5, "5")] {
        let error = changes_of(&place.table, from, to).await.unwrap_err();
        assert_eq!((error.code(), named(&error, "version").as_str()), (Code::CDF_OFF, named_version), "{from} to {to}: {error}");
    }
}

// spec: CDF-9
#[tokio::test]
async fn added_columns_are_null_before_and_other_changes_are_refused() {
    let place = Place::with_feed().await;
    let more = RecordBatch::try_from_iter([
        ("id", Arc::new(Int64Array::from(vec![10])) as ArrayRef),
        ("more", Arc::new(Int64Array::from(vec![7]))),
    ])
    .unwrap();
    append(&place.table, vec![more]).merge_schema().run().await.unwrap();
    let found = rows_of(place.table.changes(version(3)).columns(["_commit_version", "_change_type", "id", "more"])).await.unwrap();
    assert_eq!(found[3..], [r#"[3,"insert",9,null]"#, r#"[4,"insert",10,7]"#]);
    let before = place.table.changes(version(1)).to(version(2)).build().await.unwrap();
    assert!(before.schema().field_with_name("more").is_err(), "the columns are those of the last version");
    let only = RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from(vec![1])) as ArrayRef)]).unwrap();
    append(&place.table, vec![only]).mode(SaveMode::Overwrite).overwrite_schema().run().await.unwrap();
    for (from, named_version) in [(1, "1"), (4, "4")] {
        let error = changes_of(&place.table, from, 5).await.unwrap_err();
        assert_eq!((error.code(), named(&error, "version").as_str()), (Code::SCHEMA, named_version), "{error}");
    }
    assert_eq!(changes_of(&place.table, 5, 5).await.unwrap().len(), 3);
}

// spec: CDF-13
#[tokio::test]
async fn a_start_that_was_cleaned_up_is_gone_and_never_moved() {
    let place = Place::with_feed().await;
    let old = place.table.history(None).try_collect::<Vec<_>>().await.unwrap().pop().unwrap().timestamp;
    place.table.checkpoint().run().await.unwrap();
    append_ids(&place.table, &[4]).await.unwrap();
    for v in 0..3 {
        std::fs::remove_file(place.log(v)).unwrap();
    }
    let error = changes_of(&place.table, 1, 9).await.unwrap_err();
    assert_eq!((error.code(), named(&error, "earliest").as_str()), (Code::CDF_GONE, "3"), "{error}");
    assert_eq!(changes_of(&place.table, 3, 9).await.unwrap().len(), 5);
    let by_time = place.table.changes(At::Timestamp(Timestamp(old.millis() - 1000))).build().await.map(|_| ()).unwrap_err();
    assert_eq!(by_time.code(), Code::CDF_GONE, "{by_time}");
    // Of the checkpoint's own version nothing may say what it changed.
    std::fs::remove_file(place.log(3)).unwrap();
    let error = changes_of(&place.table, 3, 9).await.unwrap_err();
    assert_eq!((error.code(), named(&error, "earliest").as_str()), (Code::CDF_GONE, "4"), "{error}");
}

// spec: CDF-14
#[tokio::test]
async fn a_file_that_was_vacuumed_is_gone_with_its_version() {
    let place = Place::with_feed().await;
    let path = place.actions(2, "add")[0]["path"].as_str().unwrap().to_owned();
    std::fs::remove_file(place.folder.path().join(&path)).unwrap();
    assert_eq!(changes_of(&place.table, 1, 1).await.unwrap().len(), 2);
    for from in [2, 3] {
        let error = changes_of(&place.table, from, 3).await.unwrap_err();
        assert_eq!((error.code(), named(&error, "version")), (Code::CDF_GONE, from.to_string()), "{error}");
        assert!(named(&error, "path").ends_with(&path) && error.message().contains("removed by retention"), "{error}");
    }
}

// spec: CDF-8
#[tokio::test]
async fn removals_that_say_little_are_completed_from_the_version_before() {
    let place = place();
    let rows = || vec![ids_and_texts(&[(1, Some("a")), (2, Some("b")), (3, None)])];
    append(&place.table, rows()).partition_by(["s"]).property(FEED.0, FEED.1).run().await.unwrap();
    append(&place.table, vec![ids_and_texts(&[(4, Some("a"))])]).mode(SaveMode::Overwrite).run().await.unwrap();
    let bare = |line: &str| {
        let mut action: Value = serde_json::from_str(line).unwrap();
        if let Some(remove) = action.get_mut("remove").and_then(Value::as_object_mut) {
            for key in ["partitionValues", "size", "extendedFileMetadata", "stats"] {
                remove.remove(key);
            }
        }
        format!("{action}\n")
    };
    let text: String = std::fs::read_to_string(place.log(1)).unwrap().lines().map(bare).collect();
    std::fs::write(place.log(1), text).unwrap();
    let found = rows_of(place.table.changes(version(1)).columns(["_change_type", "id", "s"])).await.unwrap();
    assert_eq!(found, [r#"["delete",1,"a"]"#, r#"["delete",2,"b"]"#, r#"["delete",3,null]"#, r#"["insert",4,"a"]"#]);
    let partition = place.table.changes(version(1)).columns(["id"]).filter(Expr::sql("s = 'a' AND _change_type = 'delete'").unwrap());
    assert_eq!(rows_of(partition).await.unwrap(), ["[1]"]);
    assert_eq!(json!(place.actions(1, "remove")[0]["size"]), Value::Null);
}

// spec: CDF-16
#[tokio::test]
async fn a_commit_above_the_memory_limit_is_refused() {
    let place = Place::with_feed().await;
    let mut text = std::fs::read_to_string(place.log(2)).unwrap();
    text.push_str(&format!("{}\n", json!({"unknown": "x".repeat(3 << 20)})));
    std::fs::write(place.log(2), text).unwrap();
    place.table.checkpoint().run().await.unwrap();
    let small = Table::at(place.folder.path().to_str().unwrap()).env(Env::system().with_memory_limit(2 << 20)).open().unwrap();
    assert_eq!(changes_of(&small, 2, 3).await.unwrap_err().code(), Code::LIMIT);
    assert_eq!(changes_of(&small, 3, 3).await.unwrap().len(), 4);
}

// spec: CDF-4, CDF-5, CDF-6
#[tokio::test]
async fn every_table_of_spark_changed_as_spark_says() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/golden");
    let mut versions = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let Ok(text) = std::fs::read_to_string(path.join("expected.json")) else { continue };
        let expected: Value = serde_json::from_str(&text).unwrap();
        let table = Table::at(path.join("table").to_str().unwrap()).open().unwrap();
        for (number, want) in expected["changes"].as_object().into_iter().flatten() {
            let at = version(number.parse().unwrap());
            let feed = table.changes(at).to(at).build().await.unwrap();
            let names: Vec<String> = feed.schema().fields().iter().map(|f| f.name().clone()).filter(|n| n != "_commit_timestamp").collect();
            let mut rows = Rows::default();
            let mut batches = table.changes(at).to(at).columns(names).build().await.unwrap().stream();
            while let Some(batch) = batches.try_next().await.unwrap() {
                rows.push(&batch);
            }
            let sample = rows.sample(50).join("\n");
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            assert_eq!(Some(rows.sha256().as_str()), want["sha256"].as_str(), "{name}, version {number}: {want}, found\n{sample}");
            versions += 1;
        }
    }
    assert!(versions >= 30, "{versions}");
}

// spec: CDF-3, CDF-12
#[tokio::test]
async fn times_in_commits_count_more_than_those_of_files() {
    let place = place();
    let schema = columns(&[("id", DataType::Long), ("s", DataType::String)]);
    let create = place.table.create(schema).property(FEED.0, FEED.1).property("delta.enableInCommitTimestamps", "true");
    create.run().await.unwrap();
    append_ids(&place.table, &[1]).await.unwrap();
    append_ids(&place.table, &[2]).await.unwrap();
    let own: Vec<i64> = (0..3).map(|v| place.actions(v, "commitInfo")[0]["inCommitTimestamp"].as_i64().unwrap()).collect();
    for v in 0..3 {
        // As after a copy to another disk.
        let file = std::fs::File::options().write(true).open(place.log(v)).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1000 + v)).unwrap();
    }
    let found = rows_of(place.table.changes(version(0)).columns(["_commit_version", "_commit_timestamp"])).await.unwrap();
    assert_eq!(found, [format!("[1,\"T:{}\"]", own[1] * 1000), format!("[2,\"T:{}\"]", own[2] * 1000)]);
    for (time, first) in [(own[0], 0), (own[1], 1), (own[1] + 1, 2), (own[2], 2)] {
        let feed = place.table.changes(At::Timestamp(Timestamp(time))).build().await.unwrap();
        assert_eq!(feed.versions().unwrap().0, Version(first), "{time} of {own:?}");
    }
    let until = place.table.changes(version(0)).to(At::Timestamp(Timestamp(own[2] - 1))).build().await.unwrap();
    assert_eq!(until.versions().unwrap().1, Version(1));
}
