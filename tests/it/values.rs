//! Rules about the values of rows, through the public API: constraints, generated columns, defaults, numbers.

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::Int64Type;
use futures::{StreamExt, TryStreamExt, future, stream};
use lakebed::{Append, Code, Error, Expr, Struct, Table};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A table in a folder of its own.
struct Place(tempfile::TempDir);

impl Place {
    async fn make(columns: &str, partition: &[&str], properties: &[(&str, &str)]) -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        let mut create = place.table().create(Struct::from_sql(columns).unwrap()).partition_by(partition.iter().copied());
        for (key, value) in properties {
            create = create.property(key, value);
        }
        create.run().await.unwrap();
        place
    }
    fn table(&self) -> Table {
        Table::at(self.0.path().to_str().unwrap()).open().unwrap()
    }
    fn append(&self, rows: RecordBatch) -> Append {
        self.table().append(rows.schema(), stream::iter([Ok::<_, Error>(rows)]).boxed())
    }
    fn commit(&self, version: u64) -> Vec<Value> {
        let text = std::fs::read_to_string(self.0.path().join(format!("_delta_log/{version:020}.json"))).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
    async fn rows(&self, filter: Option<&str>) -> Vec<RecordBatch> {
        let snapshot = self.table().snapshot().await.unwrap();
        let scan = filter.into_iter().fold(snapshot.scan(), |scan, f| scan.filter(Expr::sql(f).unwrap()));
        scan.build().unwrap().stream().try_collect().await.unwrap()
    }
    async fn longs(&self, column: &str) -> Vec<Option<i64>> {
        let batches = self.rows(None).await;
        let mut all: Vec<_> =
            batches.iter().flat_map(|b| b.column_by_name(column).unwrap().as_primitive::<Int64Type>().iter().collect::<Vec<_>>()).collect();
        all.sort();
        all
    }
    fn data_files(&self) -> usize {
        fn count(folder: &std::path::Path) -> usize {
            let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
            entries.map(|p| if p.is_dir() { count(&p) } else { usize::from(p.extension().is_some_and(|e| e == "parquet")) }).sum()
        }
        count(self.0.path())
    }
}

fn longs(columns: &[(&str, &[Option<i64>])]) -> RecordBatch {
    RecordBatch::try_from_iter(columns.iter().map(|(name, v)| (*name, Arc::new(Int64Array::from(v.to_vec())) as ArrayRef))).unwrap()
}

#[tokio::test]
async fn a_check_constraint_refuses_rows_for_which_it_is_not_true() {
    // spec: VAL-1
    let place = Place::make("x BIGINT, y BIGINT", &[], &[("delta.constraints.Order", "x < y")]).await;
    place.append(longs(&[("x", &[Some(1), Some(2)]), ("y", &[Some(2), Some(3)])])).run().await.unwrap();
    for (y, row) in [(Some(2), "2"), (None, "2")] {
        let e = place.append(longs(&[("x", &[Some(1), Some(2)]), ("y", &[Some(2), y])])).run().await.unwrap_err();
        assert_eq!(e.code(), Code::CONSTRAINT);
        assert!(e.context().contains(&("rows", row.to_owned())) && e.message().contains("order: x < y"), "{e}");
    }
    assert_eq!((place.longs("x").await.len(), place.data_files()), (2, 1), "nothing is left of the refused rows");
}

#[tokio::test]
async fn a_constraint_reads_nested_fields() {
    // spec: VAL-1
    let place = Place::make("id BIGINT, s STRUCT<a: BIGINT>", &[], &[("delta.constraints.c", "s.a > 0")]).await;
    let nested = |a: i64| {
        let inner = longs(&[("a", &[Some(a)])]);
        let s: ArrayRef = Arc::new(arrow::array::StructArray::from(inner));
        RecordBatch::try_from_iter([("s", s)]).unwrap()
    };
    place.append(nested(1)).run().await.unwrap();
    assert_eq!(place.append(nested(0)).run().await.unwrap_err().code(), Code::CONSTRAINT);
}

fn times(micros: &[i64]) -> RecordBatch {
    let at: ArrayRef = Arc::new(TimestampMicrosecondArray::from(micros.to_vec()).with_timezone("UTC"));
    RecordBatch::try_from_iter([("at", at)]).unwrap()
}

const DAY: i64 = 86_400_000_000;

#[tokio::test]
async fn generated_columns_are_computed_and_verified() {
    // spec: VAL-4
    let columns = "at TIMESTAMP, day DATE NOT NULL GENERATED ALWAYS AS (CAST(at AS DATE))";
    let place = Place::make(columns, &["day"], &[]).await;
    place.append(times(&[0, DAY, DAY + 1])).run().await.unwrap();
    let adds: BTreeSet<String> =
        place.commit(1).iter().filter_map(|a| Some(a["add"]["partitionValues"]["day"].as_str()?.to_owned())).collect();
    assert_eq!(adds, BTreeSet::from(["1970-01-01".to_owned(), "1970-01-02".to_owned()]));
    let given = |day: i32| {
        let day: ArrayRef = Arc::new(arrow::array::Date32Array::from(vec![day]));
        RecordBatch::try_from_iter([("at", times(&[DAY]).column(0).clone()), ("day", day)]).unwrap()
    };
    place.append(given(1)).run().await.unwrap();
    let e = place.append(given(0)).run().await.unwrap_err();
    assert_eq!(e.code(), Code::CONSTRAINT);
    assert!(e.message().contains("generated column day: CAST(at AS DATE)"), "{e}");
}

#[tokio::test]
async fn filters_on_the_source_prune_generated_partitions_and_change_no_answer() {
    // spec: SKIP-8
    let columns = "at TIMESTAMP, y INT GENERATED ALWAYS AS (year(at)), m INT GENERATED ALWAYS AS (month(at)), \
                   d DATE GENERATED ALWAYS AS (CAST(at AS DATE)), f STRING GENERATED ALWAYS AS (date_format(at, 'yyyy-MM'))";
    // No statistics, so that only partition values can rule out files.
    let plain = Place::make("at TIMESTAMP", &[], &[("delta.dataSkippingNumIndexedCols", "0")]).await;
    let times_of_all: Vec<i64> = (0..40).map(|i| i * 20 * DAY + i * 3_600_000_000 - 200 * DAY).collect();
    plain.append(times(&times_of_all)).run().await.unwrap();
    for partition in [&["y", "m"][..], &["d"], &["f"], &["y"]] {
        let place = Place::make(columns, partition, &[("delta.dataSkippingNumIndexedCols", "0")]).await;
        place.append(times(&times_of_all)).run().await.unwrap();
        let snapshot = place.table().snapshot().await.unwrap();
        let all = snapshot.scan().build().unwrap().tasks().count().await;
        let mut pruned = 0;
        for filter in [
            "at < TIMESTAMP'1970-06-01'",
            "at >= TIMESTAMP'1971-01-15 12:00:00'",
            "at = TIMESTAMP'1970-01-01 10:00:00'",
            "at BETWEEN TIMESTAMP'1970-03-01' AND TIMESTAMP'1970-05-01'",
            "at IS NULL",
            "at < TIMESTAMP'1970-06-01' AND year(at) = 1970",
            "NOT (at < TIMESTAMP'1971-06-01')",
        ] {
            let count = |batches: Vec<RecordBatch>| batches.iter().map(RecordBatch::num_rows).sum::<usize>();
            let (expected, found) = (count(plain.rows(Some(filter)).await), count(place.rows(Some(filter)).await));
            assert_eq!(found, expected, "{partition:?} {filter}");
            let scan = snapshot.scan().filter(Expr::sql(filter).unwrap()).build().unwrap();
            pruned += all - scan.tasks().count().await;
        }
        assert!(pruned > all, "{partition:?}: {pruned} files of {all} were ruled out");
    }
}

#[tokio::test]
async fn defaults_fill_what_rows_lack_and_nothing_else() {
    // spec: VAL-6
    let place = Place::make("a BIGINT, b BIGINT NOT NULL DEFAULT 7, c STRING DEFAULT concat('x', 'y')", &[], &[]).await;
    place.append(longs(&[("a", &[Some(1), Some(2)])])).run().await.unwrap();
    place.append(longs(&[("b", &[Some(8)])])).run().await.unwrap();
    let c: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>]));
    let b: ArrayRef = Arc::new(Int64Array::from(vec![9]));
    place.append(RecordBatch::try_from_iter([("b", b), ("c", c)]).unwrap()).run().await.unwrap();
    assert_eq!(place.longs("b").await, [Some(7), Some(7), Some(8), Some(9)]);
    let texts: Vec<Option<String>> = place
        .rows(None)
        .await
        .iter()
        .flat_map(|b| b.column(2).as_string::<i32>().iter().map(|t| t.map(str::to_owned)).collect::<Vec<_>>())
        .collect();
    assert_eq!(texts.iter().filter(|t| t.as_deref() == Some("xy")).count(), 3);
    assert_eq!(texts.iter().filter(|t| t.is_none()).count(), 1);
}

#[tokio::test]
async fn rows_get_numbers_and_the_mark_moves_in_the_same_commit() {
    // spec: VAL-8, VAL-9
    let place = Place::make("a BIGINT, n BIGINT GENERATED ALWAYS AS IDENTITY (START WITH 5 INCREMENT BY 5)", &[], &[]).await;
    place.append(longs(&[("a", &[Some(1), Some(2)])])).run().await.unwrap();
    place.append(longs(&[("a", &[Some(3)])])).run().await.unwrap();
    assert_eq!(place.longs("n").await, [Some(5), Some(10), Some(15)]);
    let commit = place.commit(2);
    let schema = commit.iter().find_map(|a| a["metaData"]["schemaString"].as_str()).expect("metadata");
    let schema: Value = serde_json::from_str(schema).unwrap();
    assert_eq!(schema["fields"][1]["metadata"]["delta.identity.highWaterMark"], json!(15));
    assert_eq!(commit[0]["commitInfo"]["tags"], json!({"delta.identity.schemaUpdate": "true"}));
    assert!(place.commit(0)[0]["commitInfo"].get("tags").is_none());
    let e = place.append(longs(&[("a", &[Some(1)]), ("n", &[Some(100)])])).run().await.unwrap_err();
    assert_eq!(e.code(), Code::CONSTRAINT);
}

#[tokio::test]
async fn numbers_that_rows_bring_are_kept_and_move_no_mark() {
    // spec: VAL-8
    let place = Place::make("n BIGINT GENERATED BY DEFAULT AS IDENTITY, a BIGINT", &[], &[]).await;
    place.append(longs(&[("a", &[Some(1)]), ("n", &[Some(100)])])).run().await.unwrap();
    assert!(place.commit(1).iter().all(|a| a.get("metaData").is_none()));
    place.append(longs(&[("a", &[Some(1)])])).run().await.unwrap();
    assert_eq!(place.longs("n").await, [Some(1), Some(100)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_at_the_same_time_give_each_number_once() {
    // spec: VAL-12
    let columns = "a BIGINT, n BIGINT GENERATED ALWAYS AS IDENTITY, m BIGINT GENERATED ALWAYS AS (n * 2), p BIGINT DEFAULT 4";
    let place = Place::make(columns, &["p"], &[]).await;
    // All of them start on the same version.
    let base = place.table().snapshot().await.unwrap();
    let appends = (0..6).map(|i| {
        let rows = longs(&[("a", &[Some(i), Some(i)])]);
        base.append(rows.schema(), stream::iter([Ok::<_, Error>(rows)]).boxed()).run()
    });
    for report in future::join_all(appends).await {
        report.unwrap();
    }
    let numbers = place.longs("n").await;
    assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len(), 12, "{numbers:?}");
    assert_eq!(place.longs("a").await.len(), 12);
    for batch in place.rows(None).await {
        let (n, m) = (batch.column(1).as_primitive::<Int64Type>(), batch.column(2).as_primitive::<Int64Type>());
        assert!((0..n.len()).all(|i| m.value(i) == n.value(i) * 2), "computed from the number that was given in the end");
    }
    assert_eq!(place.data_files(), 6, "files with numbers that were taken are gone");
}

#[tokio::test]
async fn a_bound_of_no_new_numbers_makes_it_a_conflict() {
    // spec: VAL-12
    let place = Place::make("a BIGINT, n BIGINT GENERATED ALWAYS AS IDENTITY", &[], &[]).await;
    let base = place.table().snapshot().await.unwrap();
    place.append(longs(&[("a", &[Some(1)])])).run().await.unwrap();
    let rows = longs(&[("a", &[Some(2)])]);
    let options = lakebed::WriteOptions { renumber_max: 0, ..lakebed::WriteOptions::default() };
    let append = base.append(rows.schema(), stream::iter([Ok::<_, Error>(rows)]).boxed()).write_options(options);
    assert_eq!(append.run().await.unwrap_err().code(), Code::CONFLICT);
    assert_eq!((place.longs("n").await, place.data_files()), (vec![Some(1)], 1));
}

#[tokio::test]
async fn queries_fill_up_text_that_is_compared_with_char() {
    // spec: EXP-23
    let place = Place::make("c CHAR(4), d CHAR(6)", &[], &[]).await;
    let c: ArrayRef = Arc::new(StringArray::from(vec!["ab", "abcd", "b"]));
    let d: ArrayRef = Arc::new(StringArray::from(vec!["ab", "abcdef", "c"]));
    place.append(RecordBatch::try_from_iter([("c", c), ("d", d)]).unwrap()).run().await.unwrap();
    for (filter, rows) in [
        ("c = 'ab'", 1),
        ("c = 'ab  '", 1),
        ("c = 'ab      '", 1),
        ("c = 'ab     x'", 0),
        ("c <> 'ab     x'", 3),
        ("'ab' = c", 1),
        ("c < 'ab'", 0),
        ("c <= 'ab'", 1),
        ("c > 'ab     '", 2),
        ("c < 'abcde'", 2),
        ("c >= 'abcde'", 1),
        ("c IN ('ab', 'b', 'x')", 2),
        ("c <=> 'ab'", 1),
        ("c LIKE 'ab'", 0),
        ("c = concat('a', 'b')", 1),
        ("c = d", 1),
        ("CAST(c AS STRING) = 'ab'", 0),
    ] {
        let found: usize = place.rows(Some(filter)).await.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(found, rows, "{filter}");
    }
}

#[tokio::test]
async fn rules_do_not_fill_up_text() {
    // spec: VAL-3
    let place = Place::make("c CHAR(4)", &[], &[("delta.constraints.c", "c = 'ab' OR c = 'abcd'")]).await;
    let rows = |text: &str| RecordBatch::try_from_iter([("c", Arc::new(StringArray::from(vec![text])) as ArrayRef)]).unwrap();
    place.append(rows("abcd")).run().await.unwrap();
    assert_eq!(place.append(rows("ab")).run().await.unwrap_err().code(), Code::CONSTRAINT);
}
