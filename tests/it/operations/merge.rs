//! MERGE, clause by clause.

use super::{Place, place};
use futures::StreamExt;
use lakebed::{Code, Env, Expr, InputRows, Merge, MergeClause, Report, Struct, Table, Version};
use serde_json::{Value, json};
use std::sync::Arc;

/// A batch of NDJSON rows.
fn batch(columns: &str, rows: &str) -> arrow::array::RecordBatch {
    let schema = Arc::new(Struct::from_sql(columns).unwrap().to_arrow().unwrap());
    let mut decoder = arrow::json::ReaderBuilder::new(Arc::clone(&schema)).build_decoder().unwrap();
    decoder.decode(rows.as_bytes()).unwrap();
    decoder.flush().unwrap().unwrap_or_else(|| arrow::array::RecordBatch::new_empty(schema))
}

/// A table of one file for each of `batches`.
pub(super) async fn table_of(env: Env, columns: &str, partition_by: &[&str], properties: &[(&str, &str)], batches: &[&str]) -> Place {
    let mut place = place();
    place.table = Table::at(place.folder.path().to_str().unwrap()).env(env).open().unwrap();
    let mut create = place.table.create(Struct::from_sql(columns).unwrap()).partition_by(partition_by.iter().copied());
    for (key, value) in properties {
        create = create.property(key, value);
    }
    create.run().await.unwrap();
    for rows in batches {
        let rows = batch(columns, rows);
        let append = place.table.append(rows.schema(), futures::stream::iter([Ok(rows)]).boxed());
        append.run().await.unwrap();
    }
    place
}

async fn two_rows(properties: &[(&str, &str)]) -> Place {
    table_of(Env::system().with_threads(2), "id INT, x STRING", &[], properties, &["{\"id\":1,\"x\":\"t1\"}\n{\"id\":2,\"x\":\"t2\"}"])
        .await
}

pub(super) fn merge(place: &Place, columns: &str, rows: &str, on: &str, when: &[&str]) -> Merge {
    let rows = batch(columns, rows);
    let (schema, one_by_one) = (rows.schema(), (0..rows.num_rows()).map(move |row| Ok(rows.slice(row, 1))));
    let source = InputRows { schema, batches: futures::stream::iter(one_by_one).boxed() };
    let merge = place.table.merge(source, Expr::sql(on).unwrap());
    when.iter().fold(merge, |merge, text| merge.when(MergeClause::sql(text).unwrap()))
}

/// All rows as JSON, sorted by their text.
pub(super) async fn rows_of(place: &Place) -> Vec<Value> {
    let scan = place.table.snapshot().await.unwrap().scan().build().unwrap();
    let mut rows = Vec::new();
    let mut batches = scan.stream();
    while let Some(batch) = batches.next().await {
        let mut text = Vec::new();
        let mut writer =
            arrow::json::WriterBuilder::new().with_explicit_nulls(true).build::<_, arrow::json::writer::LineDelimited>(&mut text);
        writer.write(&batch.unwrap()).unwrap();
        writer.finish().unwrap();
        rows.extend(String::from_utf8(text).unwrap().lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
    }
    rows.sort_by_key(|row| row.to_string());
    rows
}

fn sorted(mut rows: Vec<Value>) -> Vec<Value> {
    rows.sort_by_key(|row| row.to_string());
    rows
}

fn info(place: &Place, report: &Report) -> Value {
    place.actions(report.version.unwrap().0, "commitInfo").swap_remove(0)
}

const SOURCE: &str = "{\"id\":1,\"x\":\"a\"}\n{\"id\":5,\"x\":\"q\"}";
const COLUMNS: &str = "id INT, x STRING";
const VECTORS: &[(&str, &str)] = &[("delta.enableDeletionVectors", "true")];

#[tokio::test]
async fn an_upsert_updates_what_matches_and_inserts_the_rest_once() {
    // spec: MRG-4, MRG-6, MRG-12
    for properties in [&[], VECTORS] {
        let place = two_rows(properties).await;
        let upsert = || merge(&place, COLUMNS, SOURCE, "t.id = s.id", &["MATCHED THEN UPDATE SET *", "NOT MATCHED THEN INSERT *"]);
        let report = upsert().run().await.unwrap();
        let expected = sorted(vec![json!({"id":1,"x":"a"}), json!({"id":2,"x":"t2"}), json!({"id":5,"x":"q"})]);
        assert_eq!(rows_of(&place).await, expected);
        for (key, value) in [
            ("numSourceRows", 2),
            ("numTargetRowsInserted", 1),
            ("numTargetRowsUpdated", 1),
            ("numTargetRowsMatchedUpdated", 1),
            ("numTargetRowsNotMatchedBySourceUpdated", 0),
            ("numTargetRowsDeleted", 0),
            ("numTargetRowsMatchedDeleted", 0),
            ("numTargetRowsNotMatchedBySourceDeleted", 0),
            ("numTargetChangeFilesAdded", 0),
        ] {
            assert_eq!(report.metrics[key], json!(value), "{key}");
        }
        let info = info(&place, &report);
        assert_eq!(info["operation"], "MERGE");
        assert_eq!(
            info["operationParameters"],
            json!({"predicate": "[\"(t.id = s.id)\"]", "matchedPredicates": "[{\"actionType\":\"update\"}]",
                   "notMatchedPredicates": "[{\"actionType\":\"insert\"}]", "notMatchedBySourcePredicates": "[]"})
        );
        assert_eq!(info["isBlindAppend"], false);
        // Once more changes nothing of what rows say.
        upsert().run().await.unwrap();
        assert_eq!(rows_of(&place).await, expected);
    }
}

#[tokio::test]
async fn the_first_clause_whose_condition_is_true_applies() {
    // spec: MRG-5, MRG-12
    let place = table_of(
        Env::system(),
        "id INT, x STRING",
        &[],
        VECTORS,
        &[
            "{\"id\":1,\"x\":\"a\"}\n{\"id\":2,\"x\":\"b\"}\n{\"id\":3,\"x\":null}\n{\"id\":4,\"x\":\"d\"}",
            "{\"id\":8,\"x\":\"h\"}\n{\"id\":9,\"x\":\"i\"}",
        ],
    )
    .await;
    let source = "{\"id\":1,\"x\":\"A\"}\n{\"id\":2,\"x\":\"B\"}\n{\"id\":3,\"x\":\"C\"}\n{\"id\":5,\"x\":\"E\"}\n{\"id\":6,\"x\":\"F\"}\n{\"id\":7,\"x\":null}";
    let when = [
        "MATCHED AND t.x = 'a' THEN UPDATE SET x = concat(t.x, s.x)",
        "MATCHED AND t.x < 'c' THEN DELETE",
        "MATCHED THEN UPDATE SET t.id = t.id + 100, x = 'rest'",
        "NOT MATCHED AND s.x = 'E' THEN INSERT (id) VALUES (s.id)",
        "NOT MATCHED AND x = 'F' THEN INSERT (x, id) VALUES (upper(concat(x, 'f')), 60)",
        "NOT MATCHED BY SOURCE AND t.id = 8 THEN DELETE",
        "NOT MATCHED BY SOURCE AND id > 4 THEN UPDATE SET x = concat(x, '!')",
    ];
    let report = merge(&place, COLUMNS, source, "t.id = s.id", &when).run().await.unwrap();
    assert_eq!(
        rows_of(&place).await,
        sorted(vec![
            json!({"id":1,"x":"aA"}),
            json!({"id":103,"x":"rest"}),
            json!({"id":4,"x":"d"}),
            json!({"id":5,"x":null}),
            json!({"id":60,"x":"FF"}),
            json!({"id":9,"x":"i!"}),
        ])
    );
    let info = info(&place, &report);
    assert_eq!(
        info["operationParameters"]["notMatchedBySourcePredicates"],
        "[{\"predicate\":\"(t.id = 8)\",\"actionType\":\"delete\"},{\"predicate\":\"(id > 4)\",\"actionType\":\"update\"}]"
    );
    for (key, value) in [
        ("numTargetRowsMatchedUpdated", 2),
        ("numTargetRowsMatchedDeleted", 1),
        ("numTargetRowsNotMatchedBySourceDeleted", 1),
        ("numTargetRowsNotMatchedBySourceUpdated", 1),
        ("numTargetRowsDeleted", 2),
        ("numTargetRowsUpdated", 3),
        ("numTargetRowsInserted", 2),
    ] {
        assert_eq!(report.metrics[key], json!(value), "{key}");
    }
}

#[tokio::test]
async fn null_keys_match_only_null_safely() {
    // spec: MRG-3
    for (on, rows) in [("t.id = s.id", 2), ("t.id <=> s.id", 1)] {
        let place = table_of(Env::system(), COLUMNS, &[], &[], &["{\"id\":null,\"x\":\"t\"}"]).await;
        let when = ["MATCHED THEN UPDATE SET *", "NOT MATCHED THEN INSERT *"];
        merge(&place, COLUMNS, "{\"id\":null,\"x\":\"s\"}", on, &when).run().await.unwrap();
        assert_eq!(rows_of(&place).await.len(), rows, "{on}");
    }
}

#[tokio::test]
async fn two_source_rows_for_one_row_are_refused_unless_the_row_only_goes() {
    // spec: MRG-7
    let twice = "{\"id\":1,\"x\":\"a\"}\n{\"id\":1,\"x\":\"b\"}\n{\"id\":9,\"x\":\"n\"}";
    for when in [
        &["MATCHED THEN UPDATE SET *"][..],
        // As Spark does, whatever the conditions say.
        &["MATCHED AND s.x = 'a' THEN UPDATE SET *", "NOT MATCHED THEN INSERT *"],
        &["MATCHED AND s.x = 'a' THEN DELETE", "MATCHED THEN DELETE"],
        &["NOT MATCHED BY SOURCE THEN DELETE"],
    ] {
        let place = two_rows(&[]).await;
        let e = merge(&place, COLUMNS, twice, "t.id = s.id", when).run().await.unwrap_err();
        assert_eq!(e.code(), Code::MERGE_MULTI, "{when:?}");
        assert!(e.context().iter().any(|(key, value)| *key == "row" && value.contains("id = 1")), "{e}");
        assert_eq!((place.versions(), place.files()), (2, 1), "{when:?}");
    }
    let place = two_rows(&[]).await;
    let report = merge(&place, COLUMNS, twice, "t.id = s.id", &["MATCHED THEN DELETE", "NOT MATCHED THEN INSERT *"]).run().await.unwrap();
    assert_eq!(rows_of(&place).await, sorted(vec![json!({"id":2,"x":"t2"}), json!({"id":9,"x":"n"})]));
    assert_eq!(report.metrics["numTargetRowsDeleted"], json!(1));
}

#[tokio::test]
async fn a_merge_that_only_inserts_rewrites_nothing_and_takes_duplicates() {
    // spec: MRG-8
    let place = two_rows(&[]).await;
    let source =
        "{\"id\":1,\"x\":\"a\"}\n{\"id\":1,\"x\":\"b\"}\n{\"id\":9,\"x\":\"n\"}\n{\"id\":9,\"x\":\"m\"}\n{\"id\":null,\"x\":\"z\"}";
    let report = merge(&place, COLUMNS, source, "t.id = s.id", &["NOT MATCHED AND s.x <> 'm' THEN INSERT *"]).run().await.unwrap();
    assert!(place.actions(2, "remove").is_empty());
    assert_eq!(place.actions(2, "add").len(), 1);
    assert_eq!(info(&place, &report)["isBlindAppend"], false);
    assert_eq!(report.metrics["numTargetRowsInserted"], json!(2));
    assert_eq!(rows_of(&place).await.len(), 4);
}

#[tokio::test]
async fn a_merge_that_changes_nothing_commits_nothing() {
    // spec: MRG-9
    let place = two_rows(VECTORS).await;
    for (source, when) in [
        ("{\"id\":7,\"x\":\"q\"}", "MATCHED THEN UPDATE SET *"),
        ("{\"id\":1,\"x\":\"q\"}", "NOT MATCHED THEN INSERT *"),
        ("{\"id\":1,\"x\":\"q\"}", "MATCHED AND s.x = 'z' THEN DELETE"),
        ("", "MATCHED THEN DELETE"),
    ] {
        let report = merge(&place, COLUMNS, source, "t.id = s.id", &[when]).run().await.unwrap();
        assert_eq!(report.version, None, "{when}");
    }
    assert_eq!((place.versions(), place.files()), (2, 1));
}

#[tokio::test]
async fn odd_partition_values_and_moves_between_partitions_lose_no_row() {
    // spec: MRG-6
    // Elsewhere rows doubled when a partition value held a space.
    for properties in [&[], VECTORS] {
        let values = ["a b", "%20", "a/b=c", "é😀", "+", "x:y", "'q'", "#?&"];
        let row = |id: usize, p: &str, v: i64| json!({"id": id, "p": p, "v": v}).to_string();
        let rows: Vec<String> = values.iter().enumerate().map(|(id, p)| row(id, p, 0)).collect();
        let columns = "id INT, p STRING, v INT";
        let place = table_of(Env::system(), columns, &["p"], properties, &[&rows.join("\n"), "{\"id\":100,\"p\":null,\"v\":0}"]).await;
        let source: Vec<String> = values.iter().enumerate().map(|(id, p)| row(id, p, 1)).collect();
        let when = ["MATCHED THEN UPDATE SET *", "NOT MATCHED THEN INSERT *"];
        for _ in 0..2 {
            let merge = merge(&place, columns, &source.join("\n"), "t.id = s.id AND t.p = s.p", &when);
            let report = merge.run().await.unwrap();
            assert_eq!(report.metrics["numTargetRowsUpdated"], json!(values.len()));
            let mut expected: Vec<Value> = source.iter().map(|r| serde_json::from_str(r).unwrap()).collect();
            expected.push(json!({"id": 100, "p": null, "v": 0}));
            assert_eq!(rows_of(&place).await, sorted(expected));
        }
        merge(&place, columns, &row(100, "a b", 7), "t.id = s.id", &when).run().await.unwrap();
        let rows = rows_of(&place).await;
        assert_eq!(rows.len(), values.len() + 1);
        assert!(rows.contains(&json!({"id": 100, "p": "a b", "v": 7})));
    }
}

#[tokio::test]
async fn columns_under_other_names_in_files_are_merged_as_others() {
    // spec: MRG-6
    for mode in ["name", "id"] {
        let properties = &[("delta.columnMapping.mode", mode), ("delta.enableDeletionVectors", "true")];
        let place =
            table_of(Env::system(), "id INT, `odd name` STRING", &[], properties, &["{\"id\":1,\"odd name\":\"t\"}\n{\"id\":2}"]).await;
        let when = ["MATCHED THEN UPDATE SET `odd name` = s.x", "NOT MATCHED THEN INSERT (id, t.`odd name`) VALUES (s.id, s.x)"];
        merge(&place, COLUMNS, SOURCE, "t.id = s.id", &when).run().await.unwrap();
        let expected = sorted(vec![json!({"id":1,"odd name":"a"}), json!({"id":2,"odd name":null}), json!({"id":5,"odd name":"q"})]);
        assert_eq!(rows_of(&place).await, expected);
    }
}

#[tokio::test]
async fn values_are_cast_to_their_columns_or_refused() {
    // spec: MRG-10
    let place = two_rows(&[]).await;
    let columns = "id STRING, x INT";
    merge(&place, columns, "{\"id\":\"1\",\"x\":7}", "t.id = CAST(s.id AS INT)", &["MATCHED THEN UPDATE SET *"]).run().await.unwrap();
    assert_eq!(rows_of(&place).await, sorted(vec![json!({"id":1,"x":"7"}), json!({"id":2,"x":"t2"})]));
    for (columns, row, when) in [
        ("id STRING, x STRING", "{\"id\":\"no number\",\"x\":\"t2\"}", "MATCHED THEN UPDATE SET *"),
        ("id BIGINT, x STRING", "{\"id\":99999999999,\"x\":\"t2\"}", "MATCHED THEN UPDATE SET *"),
        ("id DATE, x STRING", "{\"id\":\"2020-01-01\",\"x\":\"t2\"}", "MATCHED THEN UPDATE SET *"),
    ] {
        let e = merge(&place, columns, row, "t.x = s.x", &[when]).run().await.unwrap_err();
        assert_eq!(e.code(), Code::EXPR, "{columns}: {e}");
    }
    assert_eq!((place.versions(), place.files()), (3, 2));
}

#[tokio::test]
async fn clauses_that_make_no_sense_are_refused_before_anything_is_read() {
    // spec: MRG-2, MRG-5, MRG-10
    let place = two_rows(&[]).await;
    for (when, code, text) in [
        (&["MATCHED THEN DELETE", "MATCHED AND s.x = 'a' THEN DELETE"][..], Code::EXPR, "only the last clause"),
        (&[], Code::INPUT, "needs a clause"),
        (&["MATCHED THEN UPDATE SET x = x"], Code::EXPR, "could be a column of"),
        (&["MATCHED THEN UPDATE SET x = '1', t.x = '2'"], Code::EXPR, "assigned twice"),
        (&["MATCHED THEN UPDATE SET nope = 1"], Code::EXPR, "no column `nope`"),
        (&["NOT MATCHED THEN INSERT (id, id) VALUES (1, 2)"], Code::EXPR, "assigned twice"),
        (&["NOT MATCHED AND t.x = 'a' THEN INSERT *"], Code::EXPR, "no row here"),
        (&["NOT MATCHED BY SOURCE AND s.x = 'a' THEN DELETE"], Code::EXPR, "no row here"),
        (&["MATCHED AND t.id THEN DELETE"], Code::EXPR, "where a condition is needed"),
    ] {
        let e = merge(&place, COLUMNS, SOURCE, "t.id = s.id", when).run().await.unwrap_err();
        assert_eq!(e.code(), code, "{when:?}: {e}");
        assert!(e.to_string().contains(text), "{when:?}: {e}");
    }
    let e = merge(&place, "id INT", "{\"id\":1}", "t.id = s.id", &["MATCHED THEN UPDATE SET *"]).run().await.unwrap_err();
    assert_eq!(e.code(), Code::SCHEMA);
    assert!(e.context().contains(&("columns", "x".to_owned())), "{e}");
}

#[tokio::test]
async fn schema_evolution_adds_columns_at_the_end_and_leaves_missing_ones_alone() {
    // spec: MRG-11
    let upsert = &["MATCHED THEN UPDATE SET *", "NOT MATCHED THEN INSERT *"][..];
    let cases: &[(&str, &str, &[&str], &[&str], Vec<Value>)] = &[
        (
            "id INT, x STRING, n INT",
            "{\"id\":1,\"x\":\"a\",\"n\":10}\n{\"id\":5,\"x\":\"q\",\"n\":50}",
            upsert,
            &["id", "x", "n"],
            vec![json!({"id":1,"x":"a","n":10}), json!({"id":2,"x":"t2","n":null}), json!({"id":5,"x":"q","n":50})],
        ),
        (
            "id INT, n INT",
            "{\"id\":1,\"n\":10}\n{\"id\":5,\"n\":50}",
            upsert,
            &["id", "x", "n"],
            vec![json!({"id":1,"x":"t1","n":10}), json!({"id":2,"x":"t2","n":null}), json!({"id":5,"x":null,"n":50})],
        ),
        (
            "id INT, x STRING, n INT",
            "{\"id\":1,\"x\":\"a\",\"n\":10}",
            &["MATCHED THEN UPDATE SET n = s.id + 1"],
            &["id", "x", "n"],
            vec![json!({"id":1,"x":"t1","n":2}), json!({"id":2,"x":"t2","n":null})],
        ),
        (
            "id INT, m STRUCT<a: INT>",
            "{\"id\":1,\"m\":{\"a\":1}}\n{\"id\":5,\"m\":null}",
            upsert,
            &["id", "x", "m"],
            vec![json!({"id":1,"x":"t1","m":{"a":1}}), json!({"id":2,"x":"t2","m":null}), json!({"id":5,"x":null,"m":null})],
        ),
        (
            "id INT, x STRING, n INT",
            "{\"id\":1,\"x\":\"a\",\"n\":10}",
            &["MATCHED THEN UPDATE SET x = s.x"],
            &["id", "x"],
            vec![json!({"id":1,"x":"a"}), json!({"id":2,"x":"t2"})],
        ),
    ];
    for (columns, source, when, names, expected) in cases {
        for properties in [&[], VECTORS] {
            let place = two_rows(properties).await;
            merge(&place, columns, source, "t.id = s.id", when).schema_evolution().run().await.unwrap();
            let snapshot = place.table.snapshot().await.unwrap();
            let found: Vec<&str> = snapshot.state().schema().fields.iter().map(|f| f.name.as_str()).collect();
            assert_eq!(found, *names, "{when:?}");
            assert_eq!(rows_of(&place).await, sorted(expected.clone()), "{when:?}");
        }
    }
    // Without it, columns that the table lacks are not looked at.
    let place = two_rows(&[]).await;
    merge(&place, "id INT, x STRING, n INT", "{\"id\":1,\"x\":\"a\",\"n\":10}", "t.id = s.id", upsert).run().await.unwrap();
    assert_eq!(rows_of(&place).await, sorted(vec![json!({"id":1,"x":"a"}), json!({"id":2,"x":"t2"})]));
}

#[tokio::test]
async fn fields_of_structs_are_assigned_kept_and_added() {
    // spec: MRG-11
    let columns = "id INT, c STRUCT<a: INT, b: INT>";
    let rows = "{\"id\":1,\"c\":{\"a\":1,\"b\":2}}\n{\"id\":2,\"c\":null}";
    let star = &["MATCHED THEN UPDATE SET *", "NOT MATCHED THEN INSERT *"][..];
    let cases: &[(bool, &str, &str, &[&str], Vec<Value>)] = &[
        (
            true,
            "id INT, c STRUCT<b: INT, z: INT>",
            "{\"id\":1,\"c\":{\"b\":20,\"z\":30}}\n{\"id\":2,\"c\":{\"b\":21,\"z\":31}}\n{\"id\":5,\"c\":{\"b\":50,\"z\":51}}",
            star,
            vec![
                json!({"id":1,"c":{"a":1,"b":20,"z":30}}),
                json!({"id":2,"c":{"a":null,"b":21,"z":31}}),
                json!({"id":5,"c":{"a":null,"b":50,"z":51}}),
            ],
        ),
        (
            true,
            "id INT, c STRUCT<b: INT, z: INT>",
            "{\"id\":1,\"c\":null}",
            star,
            vec![json!({"id":1,"c":{"a":1,"b":null,"z":null}}), json!({"id":2,"c":null})],
        ),
        (
            true,
            "id INT, c STRUCT<b: INT, z: INT>",
            "{\"id\":1,\"c\":{\"b\":20,\"z\":30}}",
            &["MATCHED THEN UPDATE SET c = s.c"],
            vec![json!({"id":1,"c":{"a":null,"b":20,"z":30}}), json!({"id":2,"c":null})],
        ),
        (
            false,
            "id INT, c STRUCT<b: INT, a: INT>",
            "{\"id\":1,\"c\":{\"b\":20,\"a\":10}}\n{\"id\":5,\"c\":{\"b\":50,\"a\":40}}",
            star,
            vec![json!({"id":1,"c":{"a":10,"b":20}}), json!({"id":2,"c":null}), json!({"id":5,"c":{"a":40,"b":50}})],
        ),
        (
            false,
            "id INT, k INT",
            "{\"id\":1,\"k\":7}\n{\"id\":2,\"k\":8}",
            &["MATCHED THEN UPDATE SET c.a = s.k"],
            vec![json!({"id":1,"c":{"a":7,"b":2}}), json!({"id":2,"c":{"a":8,"b":null}})],
        ),
        (
            false,
            "id INT, c STRUCT<a: STRING, b: BIGINT>",
            "{\"id\":1,\"c\":{\"a\":\"10\",\"b\":20}}",
            &["MATCHED THEN UPDATE SET c = s.c"],
            vec![json!({"id":1,"c":{"a":10,"b":20}}), json!({"id":2,"c":null})],
        ),
        (
            false,
            "id INT, k INT",
            "{\"id\":1,\"k\":7}",
            &["MATCHED THEN UPDATE SET c = NULL"],
            vec![json!({"id":1,"c":null}), json!({"id":2,"c":null})],
        ),
    ];
    for (evolves, source_columns, source, when, expected) in cases {
        let place = table_of(Env::system(), columns, &[], VECTORS, &[rows]).await;
        let mut merge = merge(&place, source_columns, source, "t.id = s.id", when);
        if *evolves {
            merge = merge.schema_evolution();
        }
        merge.run().await.unwrap_or_else(|e| panic!("{source_columns}: {e}"));
        assert_eq!(rows_of(&place).await, sorted(expected.clone()), "{source_columns}: {when:?}");
    }
    let place = table_of(Env::system(), columns, &[], &[], &[rows]).await;
    for source in ["id INT, c STRUCT<b: INT>", "id INT, c STRUCT<a: INT, b: INT, z: INT>"] {
        let e = merge(&place, source, "{\"id\":1,\"c\":{\"b\":20}}", "t.id = s.id", star).run().await.unwrap_err();
        assert_eq!(e.code(), Code::SCHEMA, "{source}: {e}");
    }
    let e = merge(&place, "id INT, k INT", "{\"id\":1}", "t.id = s.id", &["MATCHED THEN UPDATE SET c.a = 1, c = NULL"]).run().await;
    assert_eq!(e.unwrap_err().code(), Code::EXPR);
}

#[tokio::test]
async fn if_version_and_append_only_tables_refuse() {
    // spec: MRG-13
    let place = two_rows(&[]).await;
    let e = merge(&place, COLUMNS, SOURCE, "t.id = s.id", &["MATCHED THEN DELETE"]).if_version(Version(0)).run().await.unwrap_err();
    assert_eq!(e.code(), Code::CONFLICT);
    let place = two_rows(&[("delta.appendOnly", "true")]).await;
    let e = merge(&place, COLUMNS, SOURCE, "t.id = s.id", &["MATCHED THEN UPDATE SET *"]).run().await.unwrap_err();
    assert_eq!(e.code(), Code::CONSTRAINT);
    merge(&place, COLUMNS, SOURCE, "t.id = s.id", &["NOT MATCHED THEN INSERT *"]).run().await.unwrap();
    assert_eq!(rows_of(&place).await.len(), 3);
}

#[tokio::test]
async fn files_that_no_key_of_the_source_lies_in_are_not_read() {
    // spec: MRG-14
    let batches: Vec<String> =
        (0..4).map(|f| (0..10).map(|i| json!({"id": f * 10 + i, "x": "t"}).to_string()).collect::<Vec<_>>().join("\n")).collect();
    let batches: Vec<&str> = batches.iter().map(String::as_str).collect();
    let place = table_of(Env::system(), COLUMNS, &[], VECTORS, &batches).await;
    // Files of other keys are gone: whoever opens them fails.
    for version in [1, 2, 4] {
        let path = place.actions(version, "add")[0]["path"].as_str().unwrap().to_owned();
        std::fs::remove_file(place.folder.path().join(path)).unwrap();
    }
    let when = ["MATCHED THEN UPDATE SET *", "NOT MATCHED THEN INSERT *"];
    let report = merge(&place, COLUMNS, "{\"id\":21,\"x\":\"a\"}\n{\"id\":27,\"x\":\"b\"}\n{\"id\":400,\"x\":\"c\"}", "t.id = s.id", &when)
        .run()
        .await
        .unwrap();
    assert_eq!(report.metrics["numTargetRowsUpdated"], json!(2));
    assert_eq!(report.metrics["numTargetRowsInserted"], json!(1));
}

#[tokio::test]
async fn rows_that_come_meanwhile_are_seen_and_the_source_is_read_once() {
    // spec: MRG-15
    for (id, updated, inserted) in [(5, 2, 0), (1000, 1, 1)] {
        let place = two_rows(VECTORS).await;
        let (other, rows) = (place.table.clone(), batch(COLUMNS, SOURCE));
        let schema = rows.schema();
        let meanwhile = async move {
            let new = batch(COLUMNS, &json!({"id": id, "x": "meanwhile"}).to_string());
            other.append(new.schema(), futures::stream::iter([Ok(new)]).boxed()).run().await?;
            Ok(rows)
        };
        let source = InputRows { schema, batches: futures::stream::once(meanwhile).boxed() };
        let merge = place.table.merge(source, Expr::sql("t.id = s.id").unwrap());
        let clause = |text: &str| MergeClause::sql(text).unwrap();
        let report = merge.when(clause("MATCHED THEN UPDATE SET *")).when(clause("NOT MATCHED THEN INSERT *")).run().await.unwrap();
        assert_eq!(report.version, Some(Version(3)));
        assert_eq!(
            (&report.metrics["numTargetRowsUpdated"], &report.metrics["numTargetRowsInserted"]),
            (&json!(updated), &json!(inserted))
        );
        let fives = rows_of(&place).await.iter().filter(|row| row["id"] == 5).cloned().collect::<Vec<_>>();
        assert_eq!(fives, [json!({"id": 5, "x": "q"})]);
    }
}

#[tokio::test]
async fn merge_that_numbers_rows_is_planned_anew_when_others_were_given_numbers() {
    // spec: VAL-12
    let place = table_of(Env::system().with_threads(2), "a INT, n BIGINT GENERATED ALWAYS AS IDENTITY", &[], &[], &[]).await;
    let columns = "a INT";
    let add = async |table: &Table, rows: &str| {
        let rows = batch(columns, rows);
        table.append(rows.schema(), futures::stream::iter([Ok(rows)]).boxed()).run().await.map(|_| ())
    };
    add(&place.table, "{\"a\":1}").await.unwrap();
    let (other, source) = (place.table.clone(), batch(columns, "{\"a\":1}\n{\"a\":2}"));
    let schema = source.schema();
    let meanwhile = async move {
        let rows = batch(columns, "{\"a\":9}");
        other.append(rows.schema(), futures::stream::iter([Ok(rows)]).boxed()).run().await.map(|_| source)
    };
    let source = InputRows { schema, batches: futures::stream::once(meanwhile).boxed() };
    let upsert = place.table.merge(source, Expr::sql("t.a = s.a").unwrap());
    let report = upsert.when(MergeClause::sql("NOT MATCHED THEN INSERT (a) VALUES (s.a)").unwrap()).run().await.unwrap();
    assert_eq!((report.version, &report.metrics["numTargetRowsInserted"]), (Some(Version(3)), &json!(1)));
    assert_eq!(rows_of(&place).await, [json!({"a":1,"n":1}), json!({"a":2,"n":3}), json!({"a":9,"n":2})]);
}
