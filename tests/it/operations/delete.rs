//! Deleting rows.

use super::row_changes::{Row, batch, made, rows};
use super::*;
use lakebed::{Code, Expr, Version};
use serde_json::json;

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
async fn files_that_match_as_a_whole_are_removed_unread() {
    for properties in [&[][..], &[("delta.enableDeletionVectors", "true")]] {
        let place = made(&["p"], properties).await;
        append(&place.table, vec![batch(&[row(1, Some(1), "a b"), row(2, Some(1), "a b")])]).run().await.unwrap();
        append(&place.table, vec![batch(&[row(5, Some(1), "c"), row(6, None, "c")])]).run().await.unwrap();
        append(&place.table, vec![batch(&[row(7, Some(1), "x=y")])]).run().await.unwrap();
        for version in [1, 3] {
            let path = place.actions(version, "add")[0]["path"].as_str().unwrap().to_owned();
            let path = percent_encoding::percent_decode_str(&path).decode_utf8().unwrap().into_owned();
            std::fs::write(place.folder.path().join(path), b"gone").unwrap();
        }
        // By partition; by statistics: 1 and 2 are less than 5, and no id is null.
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
    for text in ["n = 1", "NOT (n = 1)", "n IN (1, NULL)", "NOT (n IN (1, NULL))", "n > 2 OR id < 3", "n <=> NULL", "NULL", "n / 0 > 1"] {
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
