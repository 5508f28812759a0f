//! Deleting rows.

use super::row_changes::{Row, batch, made, rows};
use super::*;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use lakebed::{Code, Expr, LogFile, LogStore, PutOutcome, Version};
use serde_json::json;
use std::sync::Mutex;

fn sql(text: &str) -> Expr {
    Expr::sql(text).unwrap()
}

fn row(id: i64, n: Option<i64>, p: &str) -> Row {
    Row { id: Some(id), n, p: Some(p.to_owned()) }
}

// spec: ROW-3, ROW-14
#[tokio::test]
async fn delete_without_a_predicate_removes_every_file_unread() {
    let place = made(&["p"], &[]).await;
    append(&place.table, vec![batch(&[row(1, None, "a b"), row(2, None, "c")])]).run().await.unwrap();
    for file in place.named_files() {
        // Whoever read it now would fail.
        std::fs::write(place.folder.path().join(file), b"gone").unwrap();
    }
    let report = place.table.delete().user_metadata("all").run().await.unwrap();
    assert_eq!(
        (report.version, &report.metrics["numDeletedRows"], &report.metrics["numRemovedFiles"]),
        (Some(Version(2)), &json!(2), &json!(2))
    );
    let info = &place.actions(2, "commitInfo")[0];
    assert_eq!((&info["operation"], &info["operationParameters"]), (&json!("DELETE"), &json!({"predicate": "[\"true\"]"})));
    assert_eq!((&info["userMetadata"], &info["isBlindAppend"]), (&json!("all"), &json!(false)));
    for key in [
        "numRemovedFiles",
        "numRemovedBytes",
        "numAddedFiles",
        "numAddedBytes",
        "numDeletionVectorsAdded",
        "numDeletionVectorsRemoved",
        "numDeletionVectorsUpdated",
        "numAddedChangeFiles",
        "numCopiedRows",
        "numDeletedRows",
        "executionTimeMs",
        "scanTimeMs",
        "rewriteTimeMs",
    ] {
        assert!(info["operationMetrics"][key].is_string(), "{key}");
    }
    let again = place.table.delete().run().await.unwrap();
    assert_eq!((again.version, &again.metrics["numDeletedRows"]), (None, &json!(0)));
}

// spec: ROW-3
#[tokio::test]
async fn files_that_match_as_a_whole_are_removed_and_by_partition_unread() {
    for properties in [&[][..], &[("delta.enableDeletionVectors", "true")]] {
        let place = made(&["p"], properties).await;
        append(&place.table, vec![batch(&[row(1, Some(1), "a b"), row(2, Some(1), "a b")])]).run().await.unwrap();
        append(&place.table, vec![batch(&[row(5, Some(1), "c"), row(6, None, "c")])]).run().await.unwrap();
        append(&place.table, vec![batch(&[row(7, Some(1), "x=y")])]).run().await.unwrap();
        let path = place.actions(3, "add")[0]["path"].as_str().unwrap().to_owned();
        let path = percent_encoding::percent_decode_str(&path).decode_utf8().unwrap().into_owned();
        std::fs::write(place.folder.path().join(path), b"gone").unwrap();
        // By partition; by its rows: a file of which none is left goes, without a vector.
        let report = place.table.delete().filter(sql("p = 'x=y'")).run().await.unwrap();
        assert_eq!((&report.metrics["numDeletedRows"], &report.metrics["numRemovedFiles"]), (&json!(1), &json!(1)));
        let report = place.table.delete().filter(sql("id < 5")).run().await.unwrap();
        assert_eq!((&report.metrics["numDeletedRows"], &report.metrics["numRemovedFiles"]), (&json!(2), &json!(1)));
        // `n` has nulls here: statistics prove nothing, the row of null stays.
        let report = place.table.delete().filter(sql("n < 5")).run().await.unwrap();
        assert_eq!(report.metrics["numDeletedRows"], 1);
        assert_eq!(rows(&place.table).await, [row(6, None, "c")]);
    }
}

// spec: ROW-2
#[tokio::test]
async fn true_false_and_null_share_out_the_rows() {
    let all: Vec<Row> = (0..30).map(|i| row(i, (i % 3 > 0).then_some(i % 5), "p")).collect();
    for text in
        ["n = 1", "NOT (n = 1)", "n IN (1, NULL)", "NOT (n IN (1, NULL))", "n > 2 OR id < 3", "n <=> NULL", "NULL", "try_divide(n, 0) > 1"]
    {
        let place = made(&[], &[("delta.enableDeletionVectors", "true")]).await;
        append(&place.table, vec![batch(&all)]).run().await.unwrap();
        let snapshot = place.table.snapshot().await.unwrap();
        let count = async |t: &str| snapshot.scan().filter(sql(t)).build().unwrap().count().await.unwrap();
        let (yes, no, unknown) = (count(text).await, count(&format!("NOT ({text})")).await, count(&format!("({text}) IS NULL")).await);
        assert_eq!(yes + no + unknown, 30, "{text}");
        let report = place.table.delete().filter(sql(text)).run().await.unwrap();
        assert_eq!(report.metrics["numDeletedRows"], json!(yes), "{text}: as many as a query shows");
        assert_eq!(rows(&place.table).await.len() as u64, no + unknown, "{text}");
    }
}

// spec: ROW-14
#[tokio::test]
async fn truncating_removes_all_files_and_reads_none() {
    let place = made(&["p"], &[("delta.enableDeletionVectors", "true")]).await;
    append(&place.table, vec![batch(&[row(1, None, "a"), row(2, None, "a"), row(3, None, "b")])]).run().await.unwrap();
    place.table.delete().filter(sql("id = 1")).run().await.unwrap();
    for add in place.actions(1, "add") {
        std::fs::write(place.folder.path().join(add["path"].as_str().unwrap()), b"gone").unwrap();
    }
    let report = place.table.truncate().run().await.unwrap();
    assert_eq!((report.operation.as_str(), &report.metrics["numRemovedFiles"]), ("TRUNCATE", &json!(2)));
    assert_eq!(place.actions(3, "commitInfo")[0]["operationParameters"], json!({}));
    assert_eq!(rows(&place.table).await, []);
    assert_eq!(place.table.truncate().run().await.unwrap().version, None);
}

// spec: ROW-10
#[tokio::test]
async fn append_only_table_keeps_its_rows() {
    let place = made(&[], &[("delta.appendOnly", "true")]).await;
    append(&place.table, vec![batch(&[row(1, None, "a"), row(2, None, "b")])]).run().await.unwrap();
    for filter in ["id = 1", "true"] {
        let e = place.table.delete().filter(sql(filter)).run().await.unwrap_err();
        assert_eq!(e.code(), Code::CONSTRAINT);
        let e = place.table.update().set("n", sql("1")).filter(sql(filter)).run().await.unwrap_err();
        assert_eq!(e.code(), Code::CONSTRAINT);
    }
    assert_eq!((place.versions(), place.files()), (2, 1));
}

// spec: ROW-17, EXP-1
#[tokio::test]
async fn wrong_predicates_and_damaged_files_leave_the_table_as_it_was() {
    let place = made(&[], &[]).await;
    append(&place.table, vec![batch(&[row(1, None, "a"), row(2, None, "b")])]).run().await.unwrap();
    append(&place.table, vec![batch(&[row(1, None, "a"), row(2, None, "b")])]).run().await.unwrap();
    for (filter, code) in [("nope = 1", Code::EXPR), ("id + 1", Code::EXPR), ("p", Code::EXPR)] {
        assert_eq!(place.table.delete().filter(sql(filter)).run().await.unwrap_err().code(), code, "{filter}");
    }
    let damaged = place.actions(2, "add")[0]["path"].as_str().unwrap().to_owned();
    std::fs::write(place.folder.path().join(damaged), b"no Parquet here").unwrap();
    assert_eq!(place.table.delete().filter(sql("id = 1")).run().await.unwrap_err().code(), Code::FILE);
    assert_eq!((place.versions(), place.files()), (3, 2), "nothing was committed, and what was written is gone");
}

/// What is known of rows comes from the rows: bounds of others may be rounded, and counts wrong.
const BOTH_KINDS: [&[(&str, &str)]; 2] = [&[], &[("delta.enableDeletionVectors", "true")]];

// spec: ROW-3, SKIP-4
#[tokio::test]
async fn bounds_that_another_writer_rounded_change_no_answer_and_no_row() {
    let decimal = DataType::Decimal { precision: 20, scale: 2 };
    for (sign, beyond, within) in [("", ">=", "<"), ("-", "<=", ">")] {
        for properties in BOTH_KINDS {
            for updates in [false, true] {
                let place = place();
                let mut create = place.table.create(columns(&[("d", decimal.clone()), ("n", DataType::Long)]));
                for (key, value) in properties {
                    create = create.property(key, value);
                }
                create.run().await.unwrap();
                let unit = if sign.is_empty() { 1 } else { -1 };
                let d = arrow::array::Decimal128Array::from(vec![unit * 1_234_567_890_123_456_789, unit * 1_234_567_890_123_457_000]);
                let d = Arc::new(d.with_precision_and_scale(20, 2).unwrap()) as ArrayRef;
                let n = Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef;
                append(&place.table, vec![RecordBatch::try_from_iter([("d", d), ("n", n)]).unwrap()]).run().await.unwrap();
                place.edit(1, "12345678901234567.89", "1.2345678901234568e+16");
                let count = async |text: &str| {
                    let snapshot = place.table.snapshot().await.unwrap();
                    snapshot.scan().filter(sql(text)).build().unwrap().count().await.unwrap()
                };
                assert_eq!(count(&format!("d {within} {sign}12345678901234568")).await, 1, "{sign}");
                let predicate = sql(&format!("d {beyond} {sign}12345678901234568"));
                if updates {
                    let report = place.table.update().set("n", sql("9")).filter(predicate).run().await.unwrap();
                    assert_eq!(report.metrics["numUpdatedRows"], 1);
                    assert_eq!((count("n = 1").await, count("n = 9").await), (1, 1));
                } else {
                    let report = place.table.delete().filter(predicate).run().await.unwrap();
                    assert_eq!(report.metrics["numDeletedRows"], 1);
                    assert_eq!((count("n = 1").await, count("true").await), (1, 1));
                }
            }
        }
    }
}

// spec: ROW-19
#[tokio::test]
async fn file_of_another_number_of_rows_than_the_log_says_is_changed_by_nobody() {
    for properties in BOTH_KINDS {
        for counted in [3, 9] {
            let place = made(&["p"], properties).await;
            let all: Vec<Row> = (1..=6).map(|id| row(id, Some(id), "a")).collect();
            append(&place.table, vec![batch(&all)]).run().await.unwrap();
            place.edit(1, r#"numRecords\":6"#, &format!(r#"numRecords\":{counted}"#));
            let source =
                || lakebed::InputRows { schema: batch(&all[..1]).schema(), batches: futures::stream::iter([Ok(batch(&all[..3]))]).boxed() };
            let merge =
                |clause: &str| place.table.merge(source(), sql("t.id = s.id")).when(lakebed::MergeClause::sql(clause).unwrap()).run();
            let update = |text: &str| place.table.update().set("n", sql("0")).filter(sql(text)).run();
            let told = [
                place.table.delete().filter(sql("id <= 3")).run().await,
                update("id <= 3").await,
                update("p = 'a'").await,
                merge("MATCHED THEN DELETE").await,
                merge("MATCHED THEN UPDATE SET n = 0").await,
            ];
            for (at, told) in told.into_iter().enumerate() {
                let e = told.expect_err(&format!("{counted} rows, change {at}"));
                assert_eq!(e.code(), Code::LOG_STATE, "{counted} rows, change {at}: {e}");
            }
            assert_eq!((place.versions(), place.files()), (2, 1), "nothing was committed, and what was written is gone");
            assert_eq!(rows(&place.table).await, all, "who only reads takes the rows that are there");
        }
    }
}

/// A log into which another writer's deletion goes before each of the first commits of ours.
#[derive(Debug)]
struct Overtaken {
    inner: Arc<dyn LogStore>,
    other: Table,
    deletes: Mutex<Vec<&'static str>>,
}

#[async_trait]
impl LogStore for Overtaken {
    fn list(&self, from: Version) -> BoxStream<'_, Result<LogFile>> {
        self.inner.list(from)
    }
    async fn read(&self, file: &LogFile) -> Result<Bytes> {
        self.inner.read(file).await
    }
    async fn read_commit(&self, version: Version) -> Result<Option<Bytes>> {
        self.inner.read_commit(version).await
    }
    async fn put_commit(&self, version: Version, body: Bytes) -> PutOutcome {
        let delete = self.deletes.lock().unwrap().pop();
        if let Some(delete) = delete {
            self.other.delete().filter(sql(delete)).run().await.unwrap();
        }
        self.inner.put_commit(version, body).await
    }
}

// spec: ROW-17
#[tokio::test]
async fn vectors_of_a_union_that_then_conflicts_are_deleted() {
    let place = made(&[], &[("delta.enableDeletionVectors", "true")]).await;
    let all: Vec<Row> = (1..=6).map(|id| row(id, Some(id), "a")).collect();
    append(&place.table, vec![batch(&all)]).run().await.unwrap();
    // The first is united with ours; the second takes our own row, so that nothing is left to do.
    let deletes = Mutex::new(vec!["id = 1", "id = 2"]);
    let log = Overtaken { inner: Arc::clone(place.table.log()), other: place.table.clone(), deletes };
    let table = Table::with_log(place.table.root().clone(), Arc::new(log), place.table.env().clone());
    let report = table.delete().filter(sql("id = 1")).run().await.unwrap();
    assert_eq!((report.version, &report.metrics["numDeletedRows"], place.versions()), (None, &json!(0), 4));
    let vectors = |name: &String| name.starts_with("deletion_vector_");
    let names = std::fs::read_dir(place.folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(vectors).count(), 2, "those that the other writer's commits name");
    assert_eq!(rows(&place.table).await.len(), 4);
}
