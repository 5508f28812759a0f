//! Replacing the rows of a condition.

use super::*;
use crate::support::digest::Rows;
use futures::TryStreamExt;
use lakebed::{At, Code, Expr, SaveMode, Version};
use serde_json::json;

fn condition(text: &str) -> Expr {
    Expr::sql(text).unwrap()
}

/// Three rows of partition `a`, three of `b`, and one of none.
async fn seven(properties: &[(&str, &str)]) -> Place {
    let place = place();
    let rows = [(1, Some("a")), (2, Some("a")), (3, Some("a")), (4, Some("b")), (5, Some("b")), (6, Some("b")), (7, None)];
    let mut write = append(&place.table, vec![ids_and_texts(&rows)]).partition_by(["s"]);
    for (key, value) in properties {
        write = write.property(key, value);
    }
    write.run().await.unwrap();
    place
}

async fn scan(table: &Table) -> Vec<String> {
    let mut batches = table.snapshot().await.unwrap().scan().build().unwrap().stream();
    let mut rows = Rows::default();
    while let Some(batch) = batches.try_next().await.unwrap() {
        rows.push(&batch);
    }
    rows.sample(100).to_vec()
}

async fn changes(table: &Table, version: u64) -> Vec<String> {
    let at = At::Version(Version(version));
    let mut batches = table.changes(at).to(at).columns(["_change_type", "id", "s"]).build().await.unwrap().stream();
    let mut rows = Rows::default();
    while let Some(batch) = batches.try_next().await.unwrap() {
        rows.push(&batch);
    }
    rows.sample(100).to_vec()
}

const FEED: (&str, &str) = ("delta.enableChangeDataFeed", "true");
const VECTORS: (&str, &str) = ("delta.enableDeletionVectors", "true");

// spec: OPS-20
#[tokio::test]
async fn whole_partitions_are_replaced_by_their_files_alone() {
    let place = seven(&[FEED]).await;
    let report = append(&place.table, vec![ids_and_texts(&[(10, Some("b"))])]).replace_where(condition("s = 'b'")).run().await.unwrap();
    assert_eq!(scan(&place.table).await, [r#"[1,"a"]"#, r#"[10,"b"]"#, r#"[2,"a"]"#, r#"[3,"a"]"#, "[7,null]"]);
    let info = &place.actions(1, "commitInfo")[0];
    let parameters = &info["operationParameters"];
    assert_eq!((&parameters["mode"], &parameters["partitionBy"]), (&json!("Overwrite"), &json!("[]")));
    assert!(parameters["predicate"].as_str().unwrap().contains("= 'b'"), "{parameters}");
    assert_eq!(info["isBlindAppend"], false);
    for (key, n) in [
        ("numFiles", 1),
        ("numRemovedFiles", 1),
        ("numDeletedRows", 3),
        ("numCopiedRows", 0),
        ("numOutputRows", 1),
        ("numAddedChangeFiles", 0),
    ] {
        assert_eq!(report.metrics[key], json!(n), "{key}");
    }
    assert!(place.actions(1, "cdc").is_empty());
    let expected = [r#"["delete",4,"b"]"#, r#"["delete",5,"b"]"#, r#"["delete",6,"b"]"#, r#"["insert",10,"b"]"#];
    assert_eq!(changes(&place.table, 1).await, expected);
}

// spec: OPS-20
#[tokio::test]
async fn rows_inside_files_are_replaced_with_and_without_vectors() {
    for vectors in [false, true] {
        let place = seven(if vectors { &[FEED, VECTORS] } else { &[FEED] }).await;
        let report = append(&place.table, vec![ids_and_texts(&[(60, Some("c"))])]).replace_where(condition("id >= 6")).run().await.unwrap();
        let expected = [r#"[1,"a"]"#, r#"[2,"a"]"#, r#"[3,"a"]"#, r#"[4,"b"]"#, r#"[5,"b"]"#, r#"[60,"c"]"#];
        assert_eq!(scan(&place.table).await, expected, "vectors: {vectors}");
        assert_eq!(report.metrics["numDeletedRows"], json!(2));
        assert_eq!(report.metrics["numCopiedRows"], json!(if vectors { 0 } else { 2 }));
        assert_eq!(place.actions(1, "cdc").is_empty(), vectors, "vectors say themselves which rows went");
        let expected = [r#"["delete",6,"b"]"#, r#"["delete",7,null]"#, r#"["insert",60,"c"]"#];
        assert_eq!(changes(&place.table, 1).await, expected, "vectors: {vectors}");
        let added = place.actions(1, "add");
        assert_eq!(added.iter().any(|add| add["deletionVector"].is_object()), vectors);
    }
}

// spec: OPS-20
#[tokio::test]
async fn new_rows_outside_the_condition_are_refused_and_leave_nothing() {
    let place = seven(&[VECTORS]).await;
    let files = place.files();
    for rows in [&[(8, Some("b")), (3, Some("b"))][..], &[(9, None)]] {
        let write = append(&place.table, vec![ids_and_texts(&[(20, Some("b"))]), ids_and_texts(rows)]);
        let error = write.replace_where(condition("id > 5 AND s = 'b'")).run().await.unwrap_err();
        assert_eq!(error.code(), Code::CONSTRAINT, "{error}");
        let context = |key: &str| error.context().iter().find(|(k, _)| *k == key).map(|(_, v)| v.clone()).unwrap_or_default();
        assert!(context("rule").contains("condition of the overwrite") && error.to_string().contains("rows: "), "{error}");
    }
    assert_eq!((place.versions(), place.files()), (1, files));
    assert_eq!(scan(&place.table).await.len(), 7);
    let missing = self::place();
    let write = || append(&missing.table, vec![ids_and_texts(&[(1, Some("a"))])]);
    assert_eq!(write().replace_where(condition("id > 1")).run().await.unwrap_err().code(), Code::CONSTRAINT);
    assert_eq!((missing.versions(), missing.files()), (0, 0), "a table that would be made is judged too");
    write().replace_where(condition("id = 1")).run().await.unwrap();
}

// spec: OPS-20
#[tokio::test]
async fn rows_for_which_the_condition_is_null_stay() {
    let place = seven(&[]).await;
    append(&place.table, vec![ids_and_texts(&[(8, Some("z"))])]).replace_where(condition("s >= 'a'")).run().await.unwrap();
    assert_eq!(scan(&place.table).await, ["[7,null]", r#"[8,"z"]"#]);
}

// spec: OPS-20
#[tokio::test]
async fn a_replacement_loses_to_rows_that_its_condition_has_not_seen_and_to_no_others() {
    let place = seven(&[]).await;
    let old = place.table.snapshot().await.unwrap();
    append(&place.table, vec![ids_and_texts(&[(8, Some("b"))])]).run().await.unwrap();
    let write = |id: i64, s: &'static str| {
        let batch = ids_and_texts(&[(id, Some(s))]);
        let rows = old.append(batch.schema(), futures::stream::iter([Ok(batch)]).boxed());
        rows.replace_where(condition(&format!("s = '{s}'"))).run()
    };
    write(30, "a").await.unwrap();
    let files = place.files();
    assert_eq!(write(40, "b").await.unwrap_err().code(), Code::CONFLICT);
    assert_eq!((place.longs("id"), place.files()), (vec![4, 5, 6, 7, 8, 30], files));
}

// spec: OPS-20
#[tokio::test]
async fn what_cannot_be_combined_with_a_condition_is_refused() {
    let place = seven(&[("delta.appendOnly", "true")]).await;
    let write = || append(&place.table, vec![ids_and_texts(&[(9, Some("b"))])]).replace_where(condition("s = 'b'"));
    for refused in [write().overwrite_schema(), write().dynamic_partitions(), write().mode(SaveMode::Append)] {
        assert_eq!(refused.run().await.unwrap_err().code(), Code::INPUT);
    }
    assert_eq!(write().run().await.unwrap_err().code(), Code::CONSTRAINT, "append-only");
    let more =
        RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from(vec![9])) as ArrayRef), ("m", Arc::new(Int64Array::from(vec![9])))]);
    let wider = append(&place.table, vec![more.unwrap()]).merge_schema().replace_where(condition("id = 9"));
    assert_eq!(wider.run().await.unwrap_err().code(), Code::INPUT);
    let wrong = append(&place.table, vec![ids_and_texts(&[(9, None)])]).replace_where(condition("id + 1"));
    assert_eq!(wrong.run().await.unwrap_err().code(), Code::EXPR);
    assert_eq!(place.versions(), 1);
}

// spec: OPS-20
#[tokio::test]
async fn two_replacements_of_one_condition_do_not_both_land() {
    for condition_text in ["s = 'b'", "id BETWEEN 4 AND 6"] {
        let place = seven(&[VECTORS]).await;
        let old = place.table.snapshot().await.unwrap();
        let write = |id: i64| {
            let batch = ids_and_texts(&[(id, Some("b"))]);
            let rows = old.append(batch.schema(), futures::stream::iter([Ok(batch)]).boxed());
            rows.replace_where(condition(condition_text)).run()
        };
        write(5).await.unwrap();
        let files = place.files();
        assert_eq!(write(6).await.unwrap_err().code(), Code::CONFLICT, "{condition_text}");
        assert_eq!((place.versions(), place.files()), (2, files));
    }
}
