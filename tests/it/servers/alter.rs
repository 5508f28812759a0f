//! Every alteration by lakebed on a table of Spark gives the table that Spark's own ALTER makes of a copy, and Spark reads it.

use crate::support::digest::digest_of_table;
use crate::support::folders::copy_folder;
use crate::support::peers::{ask, spark, spark_digest};
use lakebed::{Alteration, DataType, NewColumn, Struct, Table, column_path};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// One change, in Spark's words and in ours; `None` when both must refuse it.
struct Step(&'static str, Alteration, Verdict);

#[derive(Clone, Copy, PartialEq)]
enum Verdict {
    /// Both do it, with the same result.
    Same,
    /// Both refuse.
    Refused,
    /// Both do it; the words in the history differ for a reason that is written down.
    OtherWords,
}
use Verdict::{OtherWords, Refused, Same};

fn paths(texts: &[&str]) -> Vec<Vec<String>> {
    texts.iter().map(|text| column_path(text).unwrap()).collect()
}
fn path(text: &str) -> Vec<String> {
    column_path(text).unwrap()
}
fn add(text: &str) -> Alteration {
    Alteration::AddColumns(NewColumn::from_sql(text).unwrap())
}
fn set(key: &str, value: &str) -> Alteration {
    Alteration::SetProperties([(key.to_owned(), value.to_owned())].into())
}
fn change(column: &str, to: &str) -> Alteration {
    Alteration::ChangeType { column: path(column), to: DataType::from_sql(to).unwrap() }
}
fn rename(column: &str, to: &str) -> Alteration {
    Alteration::RenameColumn { column: path(column), to: to.to_owned() }
}
fn constraint(name: &str, condition: &str) -> Alteration {
    Alteration::AddConstraint { name: name.to_owned(), condition: condition.to_owned() }
}

/// The newest of each action that tells what the table is, and the last commit's words.
#[derive(Debug, PartialEq)]
pub struct Shape {
    schema: Value,
    partition_columns: Value,
    pub configuration: Value,
    description: Value,
    pub protocol: (Value, Value, BTreeSet<String>, BTreeSet<String>),
}

fn commits(table: &Path) -> Vec<Vec<Map<String, Value>>> {
    let mut names: Vec<_> = std::fs::read_dir(table.join("_delta_log")).unwrap().map(|e| e.unwrap().path()).collect();
    names.retain(|p| p.extension().is_some_and(|e| e == "json") && p.file_stem().is_some_and(|s| s.len() == 20));
    names.sort();
    names.iter().map(|p| std::fs::read_to_string(p).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect()).collect()
}

/// Names drawn at random, numbered in the order in which they come.
fn without_names(text: &str, seen: &mut BTreeMap<String, usize>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("col-").filter(|at| rest.len() >= at + 40) {
        let name = &rest[at..at + 40];
        let next = seen.len();
        let number = *seen.entry(name.to_owned()).or_insert(next);
        out += &format!("{}name{number}", &rest[..at]);
        rest = &rest[at + 40..];
    }
    out + rest
}

pub fn shape(table: &Path) -> Shape {
    let (mut metadata, mut protocol) = (Value::Null, Value::Null);
    for action in commits(table).into_iter().flatten() {
        metadata = action.get("metaData").cloned().unwrap_or(metadata);
        protocol = action.get("protocol").cloned().unwrap_or(protocol);
    }
    let names = |key: &str| -> BTreeSet<String> {
        protocol[key].as_array().map(|a| a.iter().map(|v| v.as_str().unwrap().to_owned()).collect()).unwrap_or_default()
    };
    let mut seen = BTreeMap::new();
    let schema = without_names(metadata["schemaString"].as_str().unwrap(), &mut seen);
    let mut configuration = metadata["configuration"].clone();
    for key in [
        "delta.inCommitTimestampEnablementTimestamp",
        "delta.inCommitTimestampEnablementVersion",
        "delta.requireCheckpointProtectionBeforeVersion",
        "delta.rowTracking.materializedRowIdColumnName",
        "delta.rowTracking.materializedRowCommitVersionColumnName",
    ] {
        if let Some(value) = configuration.get_mut(key) {
            *value = json!("some");
        }
    }
    Shape {
        schema: serde_json::from_str(&schema).unwrap(),
        partition_columns: metadata["partitionColumns"].clone(),
        configuration,
        description: metadata.get("description").cloned().unwrap_or(Value::Null),
        protocol: (
            protocol["minReaderVersion"].clone(),
            protocol["minWriterVersion"].clone(),
            names("readerFeatures"),
            names("writerFeatures"),
        ),
    }
}

/// What the last commit says that it did.
fn words(table: &Path) -> (Value, Value) {
    let commits = commits(table);
    let info = commits.last().unwrap().iter().find_map(|a| a.get("commitInfo")).unwrap().clone();
    let mut seen = BTreeMap::new();
    let parameters = without_names(&info["operationParameters"].to_string(), &mut seen);
    (info["operation"].clone(), serde_json::from_str(&parameters).unwrap())
}

async fn compare(create: &[&str], steps: Vec<Step>) {
    let folder = tempfile::tempdir().unwrap();
    let (theirs, ours) = (folder.path().join("spark"), folder.path().join("lakebed"));
    let location = |p: &Path| p.to_str().unwrap().to_owned();
    spark(&location(&theirs), create);
    copy_folder(&theirs, &ours);
    let table = Table::at(&location(&ours)).open().unwrap();
    for Step(sql, alteration, verdict) in steps {
        let name = format!("delta.`{}`", theirs.display());
        let told = ask(json!({"op": "sql", "sql": [sql.replace("{t}", &name)]}));
        let report = table.alter(alteration).run().await;
        if verdict == Refused {
            assert!(told.is_err(), "{sql}: Spark did it");
            assert!(report.is_err(), "{sql}: lakebed did it");
            continue;
        }
        told.unwrap_or_else(|e| panic!("{sql}: Spark refused: {e}"));
        let report = report.unwrap_or_else(|e| panic!("{sql}: {e}"));
        assert_eq!(report.warnings, Vec::<String>::new(), "{sql}");
        assert_eq!(shape(&ours), shape(&theirs), "{sql}");
        if verdict == Same && report.version.is_some() {
            assert_eq!(words(&ours), words(&theirs), "{sql}");
        }
    }
    let columns = |p: &Path| spark(&location(p), &["DESCRIBE TABLE {t}"]);
    assert_eq!(columns(&ours), columns(&theirs));
    let rows = spark_digest(&location(&theirs), "SELECT * FROM {t}");
    assert_eq!(spark_digest(&location(&ours), "SELECT * FROM {t}"), rows, "Spark on our copy");
    assert_eq!(digest_of_table(&table).await, rows, "lakebed on its copy");
    assert_eq!(digest_of_table(&Table::at(&location(&theirs)).open().unwrap()).await, rows, "lakebed on Spark's copy");
    // Both go on.
    spark(&location(&ours), &["INSERT INTO {t} SELECT * FROM {t} LIMIT 1"]);
    assert_eq!(digest_of_table(&table).await, spark_digest(&location(&ours), "SELECT * FROM {t}"), "after Spark's insert");
}

const COLUMNS: &str = "CREATE TABLE {t} (id BIGINT NOT NULL, a INT COMMENT 'c', s STRUCT<x: INT, y: STRING>, arr ARRAY<STRUCT<p: INT>>, m MAP<STRING, INT>, pc INT) USING delta PARTITIONED BY (pc)";
const ROW: &str = "INSERT INTO {t} VALUES (1, 2, named_struct('x', 1, 'y', 'a'), array(named_struct('p', 1)), map('a', 1), 7), (2, NULL, NULL, NULL, NULL, NULL)";

// spec: ALT-1 ALT-3 ALT-4 ALT-6 ALT-9
#[tokio::test(flavor = "multi_thread")]
async fn columns_and_comments_change_as_in_spark() {
    compare(
        &[COLUMNS, ROW],
        vec![
            Step(
                "ALTER TABLE {t} ADD COLUMNS (b STRING COMMENT 'bb', c DATE FIRST, d INT AFTER id)",
                add("b STRING COMMENT 'bb', c DATE FIRST, d INT AFTER id"),
                Same,
            ),
            Step("ALTER TABLE {t} ADD COLUMNS (s.z INT FIRST, s.w INT AFTER x)", add("s.z INT FIRST, s.w INT AFTER x"), Same),
            Step("ALTER TABLE {t} ADD COLUMNS (arr.element.q INT AFTER p)", add("arr.element.q INT AFTER p"), Same),
            Step("ALTER TABLE {t} ADD COLUMNS (n INT NOT NULL)", add("n INT NOT NULL"), Refused),
            Step("ALTER TABLE {t} ADD COLUMNS (`A` INT)", add("A INT"), Refused),
            Step("ALTER TABLE {t} ADD COLUMNS (`a b` INT)", add("`a b` INT"), Refused),
            Step("ALTER TABLE {t} ADD COLUMNS (s.q INT AFTER nope)", add("s.q INT AFTER nope"), Refused),
            Step("ALTER TABLE {t} DROP COLUMN b", Alteration::DropColumns(paths(&["b"])), Refused),
            Step("ALTER TABLE {t} RENAME COLUMN b TO bb", rename("b", "bb"), Refused),
            Step(
                "ALTER TABLE {t} ALTER COLUMN b COMMENT 'new'",
                Alteration::CommentColumn { column: path("b"), comment: "new".to_owned() },
                Same,
            ),
            Step(
                "ALTER TABLE {t} ALTER COLUMN s.z COMMENT 'nested'",
                Alteration::CommentColumn { column: path("s.z"), comment: "nested".to_owned() },
                Same,
            ),
            Step(
                "ALTER TABLE {t} ALTER COLUMN b FIRST",
                Alteration::MoveColumn { column: path("b"), to: lakebed::Position::First },
                OtherWords,
            ),
            Step("ALTER TABLE {t} ALTER COLUMN a SET NOT NULL", Alteration::SetNotNull(path("a")), Refused),
            Step("ALTER TABLE {t} ALTER COLUMN id DROP NOT NULL", Alteration::DropNotNull(path("id")), Same),
            Step("ALTER TABLE {t} ALTER COLUMN a TYPE BIGINT", change("a", "BIGINT"), Refused),
            Step("ALTER TABLE {t} ALTER COLUMN a TYPE STRING", change("a", "STRING"), Refused),
            Step("COMMENT ON TABLE {t} IS 'text'", Alteration::Comment("text".to_owned()), Same),
        ],
    )
    .await;
}

// spec: ALT-7 ALT-8 ALT-10 ALT-11
#[tokio::test(flavor = "multi_thread")]
async fn properties_and_the_protocol_change_as_in_spark() {
    compare(
        &[COLUMNS, ROW],
        vec![
            Step("ALTER TABLE {t} SET TBLPROPERTIES ('own'='1')", set("own", "1"), Same),
            Step("ALTER TABLE {t} SET TBLPROPERTIES ('DELTA.appendonly'='true')", set("DELTA.appendonly", "true"), Same),
            Step(
                "ALTER TABLE {t} UNSET TBLPROPERTIES ('own','nope')",
                Alteration::UnsetProperties(vec!["own".to_owned(), "nope".to_owned()]),
                Same,
            ),
            Step(
                "ALTER TABLE {t} UNSET TBLPROPERTIES ('delta.appendOnly')",
                Alteration::UnsetProperties(vec!["delta.appendOnly".to_owned()]),
                Same,
            ),
            Step("ALTER TABLE {t} SET TBLPROPERTIES ('delta.nonsense'='1')", set("delta.nonsense", "1"), Refused),
            Step("ALTER TABLE {t} SET TBLPROPERTIES ('delta.appendOnly'='maybe')", set("delta.appendOnly", "maybe"), Refused),
            Step("ALTER TABLE {t} SET TBLPROPERTIES ('delta.constraints.x'='id > 0')", set("delta.constraints.x", "id > 0"), Refused),
            Step("ALTER TABLE {t} SET TBLPROPERTIES ('delta.minWriterVersion'='4')", set("delta.minWriterVersion", "4"), OtherWords),
            Step("ALTER TABLE {t} SET TBLPROPERTIES ('delta.minWriterVersion'='2')", set("delta.minWriterVersion", "2"), OtherWords),
            Step(
                "ALTER TABLE {t} SET TBLPROPERTIES ('delta.feature.vacuumProtocolCheck'='supported')",
                set("delta.feature.vacuumProtocolCheck", "supported"),
                OtherWords,
            ),
            Step(
                "ALTER TABLE {t} SET TBLPROPERTIES ('delta.enableDeletionVectors'='true')",
                set("delta.enableDeletionVectors", "true"),
                Same,
            ),
            Step("ALTER TABLE {t} SET TBLPROPERTIES ('delta.checkpointPolicy'='v2')", set("delta.checkpointPolicy", "v2"), Same),
            Step(
                "ALTER TABLE {t} SET TBLPROPERTIES ('delta.enableInCommitTimestamps'='true')",
                set("delta.enableInCommitTimestamps", "true"),
                Same,
            ),
            Step(
                "ALTER TABLE {t} SET TBLPROPERTIES ('delta.feature.domainMetadata'='supported')",
                Alteration::AddFeature("DomainMetadata".to_owned()),
                OtherWords,
            ),
        ],
    )
    .await;
    compare(
        &["CREATE TABLE {t} (id BIGINT) USING delta", "INSERT INTO {t} VALUES (1)"],
        vec![
            Step("ALTER TABLE {t} SET TBLPROPERTIES ('delta.minWriterVersion'='7')", set("delta.minWriterVersion", "7"), OtherWords),
            Step(
                "ALTER TABLE {t} SET TBLPROPERTIES ('delta.feature.checkConstraints'='supported')",
                set("delta.feature.checkConstraints", "supported"),
                OtherWords,
            ),
        ],
    )
    .await;
}

// spec: CM-6 CM-7 CM-8
#[tokio::test(flavor = "multi_thread")]
async fn mapped_columns_are_renamed_and_dropped_as_in_spark() {
    compare(
        &[COLUMNS, ROW],
        vec![
            Step(
                "ALTER TABLE {t} SET TBLPROPERTIES ('delta.dataSkippingStatsColumns'='id,a,s.x')",
                set("delta.dataSkippingStatsColumns", "id,a,s.x"),
                Same,
            ),
            Step("ALTER TABLE {t} SET TBLPROPERTIES ('delta.columnMapping.mode'='id')", set("delta.columnMapping.mode", "id"), Refused),
            Step("ALTER TABLE {t} SET TBLPROPERTIES ('delta.columnMapping.mode'='name')", set("delta.columnMapping.mode", "name"), Same),
            Step("ALTER TABLE {t} ADD COLUMNS (`n w` STRUCT<k: INT, l: ARRAY<INT>>)", add("`n w` STRUCT<k: INT, l: ARRAY<INT>>"), Same),
            Step("ALTER TABLE {t} RENAME COLUMN a TO `a b`", rename("a", "a b"), Same),
            Step("ALTER TABLE {t} RENAME COLUMN s.x TO xx", rename("s.x", "xx"), Same),
            Step("ALTER TABLE {t} RENAME COLUMN arr.element.p TO pp", rename("arr.element.p", "pp"), Same),
            Step("ALTER TABLE {t} RENAME COLUMN pc TO part", rename("pc", "part"), Same),
            Step("ALTER TABLE {t} RENAME COLUMN id TO S", rename("id", "S"), Refused),
            Step("ALTER TABLE {t} DROP COLUMN part", Alteration::DropColumns(paths(&["part"])), Refused),
            Step("ALTER TABLE {t} DROP COLUMNS (`a b`, s.xx)", Alteration::DropColumns(paths(&["`a b`", "s.xx"])), Same),
            Step("ALTER TABLE {t} DROP COLUMN s.y", Alteration::DropColumns(paths(&["s.y"])), Refused),
            Step("ALTER TABLE {t} DROP COLUMN nope", Alteration::DropColumns(paths(&["nope"])), Refused),
            Step("ALTER TABLE {t} SET TBLPROPERTIES ('delta.columnMapping.mode'='id')", set("delta.columnMapping.mode", "id"), Refused),
        ],
    )
    .await;
}

// spec: TW-1 TW-2 TW-3
#[tokio::test(flavor = "multi_thread")]
async fn types_widen_as_in_spark_at_every_depth() {
    let create = "CREATE TABLE {t} (b TINYINT, s SMALLINT, i INT, f FLOAT, d DATE, x DECIMAL(5,2), st STRUCT<x: INT, l: ARRAY<TINYINT>>, m MAP<SMALLINT, MAP<STRING, FLOAT>>, l ARRAY<INT>, ls ARRAY<STRUCT<q: INT>>, g INT, e BIGINT) USING delta TBLPROPERTIES ('delta.feature.timestampNtz'='supported')";
    let rows = "INSERT INTO {t} VALUES (1, -2, 3, 1.5, DATE'2024-02-29', -1.25, named_struct('x', 1, 'l', array(1, NULL)), map(1, map('a', 1.5)), array(1), array(named_struct('q', 1)), 5, 6), (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)";
    let widen = |sql: &'static str, column: &str, to: &str| Step(sql, change(column, to), Same);
    compare(
        &[create, rows],
        vec![
            Step("ALTER TABLE {t} ALTER COLUMN b TYPE INT", change("b", "INT"), Refused),
            Step("ALTER TABLE {t} SET TBLPROPERTIES ('delta.enableTypeWidening'='true')", set("delta.enableTypeWidening", "true"), Same),
            widen("ALTER TABLE {t} ALTER COLUMN b TYPE SMALLINT", "b", "SMALLINT"),
            widen("ALTER TABLE {t} ALTER COLUMN b TYPE INT", "b", "INT"),
            widen("ALTER TABLE {t} ALTER COLUMN s TYPE DECIMAL(12,2)", "s", "DECIMAL(12,2)"),
            widen("ALTER TABLE {t} ALTER COLUMN i TYPE DOUBLE", "i", "DOUBLE"),
            widen("ALTER TABLE {t} ALTER COLUMN f TYPE DOUBLE", "f", "DOUBLE"),
            widen("ALTER TABLE {t} ALTER COLUMN d TYPE TIMESTAMP_NTZ", "d", "TIMESTAMP_NTZ"),
            widen("ALTER TABLE {t} ALTER COLUMN x TYPE DECIMAL(7,3)", "x", "DECIMAL(7,3)"),
            widen("ALTER TABLE {t} ALTER COLUMN e TYPE DECIMAL(20,0)", "e", "DECIMAL(20,0)"),
            widen("ALTER TABLE {t} ALTER COLUMN st.x TYPE BIGINT", "st.x", "BIGINT"),
            widen("ALTER TABLE {t} ALTER COLUMN st.l.element TYPE INT", "st.l.element", "INT"),
            widen("ALTER TABLE {t} ALTER COLUMN m.key TYPE INT", "m.key", "INT"),
            widen("ALTER TABLE {t} ALTER COLUMN m.value.value TYPE DOUBLE", "m.value.value", "DOUBLE"),
            widen("ALTER TABLE {t} ALTER COLUMN l.element TYPE BIGINT", "l.element", "BIGINT"),
            widen("ALTER TABLE {t} ALTER COLUMN ls.element.q TYPE BIGINT", "ls.element.q", "BIGINT"),
            Step("ALTER TABLE {t} ALTER COLUMN g TYPE SMALLINT", change("g", "SMALLINT"), Refused),
            Step("ALTER TABLE {t} ALTER COLUMN g TYPE STRING", change("g", "STRING"), Refused),
            Step("ALTER TABLE {t} ALTER COLUMN g TYPE DECIMAL(9,0)", change("g", "DECIMAL(9,0)"), Refused),
        ],
    )
    .await;
}

// spec: ALT-5 ALT-12
#[tokio::test(flavor = "multi_thread")]
async fn constraints_are_added_and_dropped_as_in_spark() {
    compare(
        &[COLUMNS, ROW],
        vec![
            Step("ALTER TABLE {t} ADD CONSTRAINT Pos CHECK (id > 0)", constraint("Pos", "id > 0"), Same),
            Step("ALTER TABLE {t} ADD CONSTRAINT pos CHECK (id > 1)", constraint("pos", "id > 1"), Refused),
            Step("ALTER TABLE {t} ADD CONSTRAINT neg CHECK (id < 0)", constraint("neg", "id < 0"), Refused),
            Step("ALTER TABLE {t} ADD CONSTRAINT unknown CHECK (a > 1)", constraint("unknown", "a > 1"), Refused),
            Step("ALTER TABLE {t} ADD CONSTRAINT number CHECK (id + 1)", constraint("number", "id + 1"), Refused),
            Step("ALTER TABLE {t} ADD CONSTRAINT nobody CHECK (idd > 1)", constraint("nobody", "idd > 1"), Refused),
            Step("ALTER TABLE {t} DROP CONSTRAINT nope", Alteration::DropConstraint { name: "nope".to_owned(), if_exists: false }, Refused),
            Step("ALTER TABLE {t} DROP CONSTRAINT POS", Alteration::DropConstraint { name: "POS".to_owned(), if_exists: false }, Same),
            Step("ALTER TABLE {t} ADD CONSTRAINT c CHECK (a IS NULL OR a > 0)", constraint("c", "a IS NULL OR a > 0"), Same),
            Step("ALTER TABLE {t} SET TBLPROPERTIES ('delta.columnMapping.mode'='name')", set("delta.columnMapping.mode", "name"), Same),
            Step("ALTER TABLE {t} RENAME COLUMN a TO aa", rename("a", "aa"), Refused),
            Step("ALTER TABLE {t} DROP COLUMN a", Alteration::DropColumns(paths(&["a"])), Refused),
        ],
    )
    .await;
}

// spec: VAL-14
#[tokio::test(flavor = "multi_thread")]
async fn marks_of_numbered_columns_move_as_in_spark() {
    for step in [5, -5] {
        let create = format!(
            "CREATE TABLE {{t}} (id BIGINT GENERATED BY DEFAULT AS IDENTITY (START WITH 10 INCREMENT BY {step}), v INT) USING delta"
        );
        let given = format!("INSERT INTO {{t}} (id, v) VALUES ({}, 1), (NULL, 2)", 10 + step * 4 + step / 2);
        compare(
            &[&create, "INSERT INTO {t} (v) VALUES (1)", &given],
            vec![Step("ALTER TABLE {t} ALTER COLUMN id SYNC IDENTITY", Alteration::SyncIdentity(path("id")), Same)],
        )
        .await;
    }
}

/// How many data files the history removes.
fn removed_files(table: &Path) -> usize {
    let texts = std::fs::read_dir(table.join("_delta_log"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "json"));
    texts
        .map(|p| std::fs::read_to_string(p).unwrap().lines().filter(|l| l.starts_with("{\"remove\"") && l.contains(".parquet")).count())
        .sum()
}

/// A feature, how a table comes to have it, and whether dropping it leaves rows that Spark must read.
async fn drop_feature(create: &[&str], feature: &str, truncate_history: bool) {
    let folder = tempfile::tempdir().unwrap();
    let (theirs, ours) = (folder.path().join("spark"), folder.path().join("lakebed"));
    let location = |p: &Path| p.to_str().unwrap().to_owned();
    spark(&location(&theirs), create);
    copy_folder(&theirs, &ours);
    let table = Table::at(&location(&ours)).open().unwrap();
    let rows = digest_of_table(&table).await;
    let end = if truncate_history { " TRUNCATE HISTORY" } else { "" };
    spark(&location(&theirs), &[&format!("ALTER TABLE {{t}} DROP FEATURE {feature}{end}")]);
    let alteration = Alteration::DropFeature { feature: feature.to_owned(), truncate_history };
    let report = table.alter(alteration).run().await.unwrap_or_else(|e| panic!("{feature}: {e}"));
    assert_eq!(report.operation, "DROP FEATURE");
    assert_eq!(shape(&ours), shape(&theirs), "{feature}");
    assert_eq!(words(&ours), words(&theirs), "{feature}");
    assert_eq!(removed_files(&ours), removed_files(&theirs), "{feature}: as many files are written anew");
    assert_eq!(digest_of_table(&table).await, rows, "{feature}: the rows stay");
    assert_eq!(spark_digest(&location(&ours), "SELECT * FROM {t}"), rows, "{feature}: Spark");
    spark(&location(&ours), &["INSERT INTO {t} SELECT * FROM {t} LIMIT 1"]);
    assert_eq!(digest_of_table(&table).await, spark_digest(&location(&ours), "SELECT * FROM {t}"), "{feature}: after Spark's insert");
}

// spec: DRF-1 DRF-2 DRF-3 DRF-4 DRF-6
#[tokio::test(flavor = "multi_thread")]
async fn features_are_dropped_as_in_spark() {
    let plain = "CREATE TABLE {t} (id BIGINT, v INT) USING delta";
    let with = |properties: &str| format!("{plain} TBLPROPERTIES ({properties})");
    let rows = "INSERT INTO {t} SELECT /*+ COALESCE(1) */ id, CAST(id AS INT) FROM range(20)";
    let vectors = with("'delta.enableDeletionVectors'='true'");
    drop_feature(&[&vectors, rows, "DELETE FROM {t} WHERE id % 3 = 0"], "deletionVectors", false).await;
    drop_feature(&[&with("'delta.checkpointPolicy'='v2'"), rows], "v2Checkpoint", false).await;
    drop_feature(&[&with("'delta.enableInCommitTimestamps'='true'"), rows], "inCommitTimestamp", false).await;
    drop_feature(&[&with("'delta.feature.vacuumProtocolCheck'='supported'"), rows], "vacuumProtocolCheck", false).await;
    drop_feature(&[&with("'delta.feature.vacuumProtocolCheck'='supported'"), rows], "vacuumProtocolCheck", true).await;
    drop_feature(&[&with("'delta.feature.domainMetadata'='supported'"), rows], "domainMetadata", false).await;
    drop_feature(&[&with("'delta.enableRowTracking'='true'"), rows, "DELETE FROM {t} WHERE id = 3"], "rowTracking", false).await;
    let widening = with("'delta.enableTypeWidening'='true'");
    drop_feature(&[&widening, rows, "ALTER TABLE {t} ALTER COLUMN v TYPE BIGINT", rows], "typeWidening", false).await;
    drop_feature(
        &[plain, rows, "ALTER TABLE {t} ADD CONSTRAINT c CHECK (id >= 0)", "ALTER TABLE {t} DROP CONSTRAINT c"],
        "checkConstraints",
        false,
    )
    .await;
}

// spec: TW-4
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_wider_types_widen_the_table_for_spark_too() {
    let folder = tempfile::tempdir().unwrap();
    let location = folder.path().to_str().unwrap();
    spark(
        location,
        &[
            "CREATE TABLE {t} (i INT, f FLOAT, d DECIMAL(5,2), s STRUCT<x: SMALLINT>) USING delta TBLPROPERTIES ('delta.enableTypeWidening'='true')",
            "INSERT INTO {t} VALUES (1, 1.5, 1.25, named_struct('x', 1))",
        ],
    );
    let table = Table::at(location).open().unwrap();
    let columns = Struct::from_sql("i BIGINT, f DOUBLE, d DECIMAL(7,3), s STRUCT<x: INT>").unwrap();
    let mut decoder = arrow::json::ReaderBuilder::new(std::sync::Arc::new(columns.to_arrow().unwrap())).build_decoder().unwrap();
    decoder.decode(br#"{"i":5000000000,"f":1e300,"d":"1234.567","s":{"x":70000}}"#).unwrap();
    let batch = decoder.flush().unwrap().unwrap();
    let rows = futures::StreamExt::boxed(futures::stream::iter([Ok(batch.clone())]));
    table.append(batch.schema(), rows).merge_schema().run().await.unwrap();
    let ours = digest_of_table(&table).await;
    assert_eq!(ours, spark_digest(location, "SELECT * FROM {t}"));
    let metadata = shape(folder.path()).schema["fields"][0]["metadata"].clone();
    assert_eq!(metadata, json!({"delta.typeChanges": [{"toType": "long", "fromType": "integer"}]}));
    for (filter, count) in [("i > 4", 1), ("i < 4", 1), ("f > 2", 1), ("d > 1000", 1), ("s.x = 1", 1)] {
        let found = spark(location, &[&format!("SELECT count(*) AS n FROM {{t}} WHERE {filter}")])[0]["n"].clone();
        let scan = table.snapshot().await.unwrap().scan().filter(lakebed::Expr::sql(filter).unwrap()).build().unwrap();
        assert_eq!((found, json!(scan.count().await.unwrap())), (json!(count), json!(count)), "{filter}");
    }
}
