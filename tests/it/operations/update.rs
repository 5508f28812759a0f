//! Giving rows new values.

use super::row_changes::{Row, batch, made, rows};
use super::*;
use arrow::array::{Array, Int32Array, StructArray};
use arrow::datatypes::Int32Type;
use futures::TryStreamExt;
use lakebed::{Code, Expr, Field, Struct};
use serde_json::json;

fn sql(text: &str) -> Expr {
    Expr::sql(text).unwrap()
}

fn row(id: i64, n: i64, p: &str) -> Row {
    Row { id: Some(id), n: Some(n), p: Some(p.to_owned()) }
}

// spec: ROW-11, ROW-14
#[tokio::test]
async fn values_are_computed_from_the_row_as_it_was() {
    let place = made(&["p"], &[]).await;
    append(&place.table, vec![batch(&[row(1, 10, "a b"), row(2, 20, "a b"), row(3, 30, "c")])]).run().await.unwrap();
    let update = place.table.update().set("id", sql("n")).set("n", sql("id")).set("P", sql("concat(p, '/', CAST(n AS STRING))"));
    let report = update.filter(sql("id < 3")).run().await.unwrap();
    assert_eq!(rows(&place.table).await, [row(3, 30, "c"), row(10, 1, "a b/10"), row(20, 2, "a b/20")]);
    assert_eq!((&report.metrics["numUpdatedRows"], &report.metrics["numCopiedRows"]), (&json!(2), &json!(0)));
    let info = &place.actions(2, "commitInfo")[0];
    assert_eq!((&info["operation"], &info["operationParameters"]), (&json!("UPDATE"), &json!({"predicate": "[\"(id < 3L)\"]"})));
    let report = place.table.update().set("n", sql("NULL")).run().await.unwrap();
    assert_eq!(report.metrics["numUpdatedRows"], 3);
    assert_eq!(place.actions(3, "commitInfo")[0]["operationParameters"], json!({"predicate": "[]"}));
    assert!(rows(&place.table).await.iter().all(|r| r.n.is_none()));
}

// spec: ROW-11
#[tokio::test]
async fn values_are_converted_as_by_cast() {
    let place = made(&[], &[]).await;
    append(&place.table, vec![batch(&[row(1, 10, "7")])]).run().await.unwrap();
    for (value, n) in [
        ("'42'", Some(42)),
        ("3.7", Some(3)),
        ("true", Some(1)),
        ("p", Some(7)),
        ("CAST(NULL AS STRING)", None),
        ("CAST(5 AS TINYINT)", Some(5)),
    ] {
        place.table.update().set("n", sql(value)).run().await.unwrap_or_else(|e| panic!("{value}: {e}"));
        assert_eq!(rows(&place.table).await[0].n, n, "{value}");
    }
    place.table.update().set("p", sql("id")).run().await.unwrap();
    assert_eq!(rows(&place.table).await[0].p.as_deref(), Some("1"));
    let versions = place.versions();
    for (column, value) in [("n", "'x'"), ("n", "1e30"), ("n", "DATE '2024-01-01'"), ("nope", "1"), ("n.a", "1"), ("n", "nope")] {
        let e = place.table.update().set(column, sql(value)).run().await.unwrap_err();
        assert_eq!(e.code(), Code::EXPR, "{column} = {value}: {e}");
    }
    let twice = place.table.update().set("n", sql("1")).set("N", sql("2")).run().await.unwrap_err();
    assert_eq!(twice.code(), Code::EXPR);
    assert_eq!(place.table.update().run().await.unwrap_err().code(), Code::INPUT);
    assert_eq!(place.versions(), versions);
}

// spec: ROW-12, ROW-17
#[tokio::test]
async fn new_versions_must_pass_the_rules_of_the_table() {
    for properties in [&[][..], &[("delta.enableDeletionVectors", "true")]] {
        let place = place();
        let fields = vec![Field::new("id", DataType::Long, false), Field::new("n", DataType::Long, true)];
        let mut create = place.table.create(Struct { fields });
        for (key, value) in properties {
            create = create.property(key, value);
        }
        create.run().await.unwrap();
        let n = Arc::new(Int64Array::from(vec![Some(1), None, Some(3)])) as ArrayRef;
        let id = Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef;
        append(&place.table, vec![RecordBatch::try_from_iter_with_nullable([("id", id, false), ("n", n, true)]).unwrap()])
            .run()
            .await
            .unwrap();
        let e = place.table.update().set("id", sql("n + 1")).filter(sql("id > 1")).run().await.unwrap_err();
        assert_eq!(e.code(), Code::CONSTRAINT, "{e}");
        assert_eq!((place.versions(), place.files()), (2, 1), "nothing was committed, and what was written is gone");
        let report = place.table.update().set("id", sql("n + 1")).filter(sql("n IS NOT NULL")).run().await.unwrap();
        assert_eq!(report.metrics["numUpdatedRows"], 2);
    }
}

// spec: ROW-11
#[tokio::test]
async fn field_of_a_struct_is_set_alone() {
    for mode in ["none", "name", "id"] {
        let place = place();
        let inner = columns(&[("x", DataType::Integer), ("y", DataType::String)]);
        let schema = columns(&[("id", DataType::Long), ("a", DataType::Struct(inner))]);
        place.table.create(schema).property("delta.columnMapping.mode", mode).run().await.unwrap();
        let a = StructArray::try_from(vec![
            ("x", Arc::new(Int32Array::from(vec![Some(1), Some(2), None])) as ArrayRef),
            ("y", Arc::new(StringArray::from(vec![Some("p"), Some("hidden"), None])) as ArrayRef),
        ])
        .unwrap();
        let (fields, arrays, _) = a.into_parts();
        // The second struct is null, whatever lies under it.
        let a = StructArray::new(fields, arrays, Some(vec![true, false, true].into()));
        let id = Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef;
        let rows = RecordBatch::try_from_iter_with_nullable([("id", id, true), ("a", Arc::new(a) as ArrayRef, true)]).unwrap();
        append(&place.table, vec![rows]).run().await.unwrap();
        place.table.update().set("a.x", sql("coalesce(a.x, 0) + 10")).filter(sql("id < 3")).run().await.unwrap();
        let batches: Vec<RecordBatch> = place
            .table
            .snapshot()
            .await
            .unwrap()
            .scan()
            .filter(sql("id IS NOT NULL"))
            .build()
            .unwrap()
            .stream()
            .try_collect()
            .await
            .unwrap();
        let mut found: Vec<(i64, bool, Option<i32>, Option<String>)> = Vec::new();
        for b in &batches {
            let (id, a) = (b.column(0).as_primitive::<Int64Type>(), b.column(1).as_struct());
            let (x, y) = (a.column(0).as_primitive::<Int32Type>(), a.column(1).as_string::<i32>());
            let value = |i: usize| (y.is_valid(i) && a.is_valid(i)).then(|| y.value(i).to_owned());
            found.extend((0..b.num_rows()).map(|i| (id.value(i), a.is_valid(i), x.is_valid(i).then(|| x.value(i)), value(i))));
        }
        found.sort();
        let expected = [(1, true, Some(11), Some("p".to_owned())), (2, true, Some(10), None), (3, true, None, None)];
        assert_eq!(found, expected, "mapped by {mode}");
        let e = place.table.update().set("a", sql("NULL")).set("a.x", sql("1")).run().await.unwrap_err();
        assert_eq!(e.code(), Code::EXPR);
    }
}

// spec: ROW-5
#[tokio::test]
async fn update_with_vectors_writes_only_the_new_versions() {
    let place = made(&[], &[("delta.enableDeletionVectors", "true")]).await;
    let all: Vec<Row> = (0..1_000).map(|i| row(i, 0, "some text that takes a little room")).collect();
    append(&place.table, vec![batch(&all)]).run().await.unwrap();
    let report = place.table.update().set("n", sql("id")).filter(sql("id % 100 = 7")).run().await.unwrap();
    assert_eq!((&report.metrics["numUpdatedRows"], &report.metrics["numCopiedRows"]), (&json!(10), &json!(0)));
    assert_eq!((&report.metrics["numDeletionVectorsAdded"], &report.metrics["numAddedFiles"]), (&json!(1), &json!(1)));
    let added: Vec<Value> = place.actions(2, "add").into_iter().filter(|a| a["deletionVector"].is_null()).collect();
    let stats: Value = serde_json::from_str(added[0]["stats"].as_str().unwrap()).unwrap();
    assert_eq!((&stats["numRecords"], &stats["minValues"]["n"], &stats["maxValues"]["n"]), (&json!(10), &json!(7), &json!(907)));
    let now = rows(&place.table).await;
    assert_eq!((now.len(), now.iter().filter(|r| r.n == r.id).count()), (1_000, 11));
}

// spec: ROW-12
#[tokio::test]
async fn computed_columns_are_computed_anew_and_numbers_stay_what_they_are() {
    for vectors in ["false", "true"] {
        let place = place();
        let schema =
            Struct::from_sql("a BIGINT, n BIGINT GENERATED ALWAYS AS IDENTITY, twice BIGINT GENERATED ALWAYS AS (a * 2), c BIGINT")
                .unwrap();
        let create = place.table.create(schema).property("delta.enableChangeDataFeed", "true");
        create.property("delta.enableDeletionVectors", vectors).run().await.unwrap();
        let longs = |values: [i64; 3]| Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
        let new = RecordBatch::try_from_iter([("a", longs([1, 2, 3])), ("c", longs([0, 0, 0]))]).unwrap();
        append(&place.table, vec![new]).run().await.unwrap();
        place.table.update().set("a", sql("a + 10")).filter(sql("a = 2")).run().await.unwrap();
        place.table.update().set("c", sql("n")).filter(sql("a <> 1")).run().await.unwrap();
        let scan = place.table.snapshot().await.unwrap().scan().columns(["a", "n", "twice", "c"]).build().unwrap();
        let batches: Vec<RecordBatch> = scan.stream().try_collect().await.unwrap();
        let mut found: Vec<Vec<i64>> = Vec::new();
        for b in &batches {
            found.extend((0..b.num_rows()).map(|row| (0..4).map(|i| b.column(i).as_primitive::<Int64Type>().value(row)).collect()));
        }
        found.sort();
        assert_eq!(found, [[1, 1, 2, 0], [3, 3, 6, 3], [12, 2, 24, 2]], "vectors: {vectors}");
        let versions = place.versions();
        for (column, value) in [("n", "7"), ("twice", "a")] {
            let e = place.table.update().set(column, sql(value)).run().await.unwrap_err();
            assert_eq!(e.code(), Code::CONSTRAINT, "{column}: {e}");
        }
        assert_eq!(place.versions(), versions);
        let at = lakebed::At::Version(lakebed::Version(2));
        let feed = place.table.changes(at).to(at).columns(["_change_type", "twice"]).build().await.unwrap();
        let batches: Vec<RecordBatch> = feed.stream().try_collect().await.unwrap();
        let mut told: Vec<(String, i64)> = Vec::new();
        for b in &batches {
            let (kinds, twice) = (b.column(0).as_string::<i32>(), b.column(1).as_primitive::<Int64Type>());
            told.extend((0..b.num_rows()).map(|i| (kinds.value(i).to_owned(), twice.value(i))));
        }
        told.sort();
        assert_eq!(told, [("update_postimage".to_owned(), 24), ("update_preimage".to_owned(), 4)]);
    }
}
