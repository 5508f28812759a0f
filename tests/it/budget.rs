//! Peak resident memory of operations on large tables, each in a process of its own under a small memory limit.

use arrow::array::{ArrayRef, BooleanArray, Int64Array, MapBuilder, MapFieldNames, RecordBatch, StringArray, StringBuilder, StructArray};
use arrow::datatypes::{DataType, Field, Fields, Schema};
use futures::{StreamExt, TryStreamExt};
use lakebed::{CountEffort, Env, Expr, FileQuery, Table};
use parquet::arrow::ArrowWriter;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

const FILES: usize = 200_000;
const LIMIT: u64 = 32 << 20;
const CHILD: &str = "LAKEBED_BUDGET_CHILD";

/// The peak of this test, run again by itself in a process that finds `table` in its environment.
fn peak_mib_of(test: &str, table: &Path) -> u64 {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads", "1"])
        .env(CHILD, table)
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{out}{}", String::from_utf8_lossy(&child.stderr));
    let peak = out.lines().find_map(|l| l.rsplit_once("peak KiB ")?.1.trim().parse::<u64>().ok()).expect("the child says its peak") / 1024;
    println!("{test}: {peak} MiB");
    peak
}

/// The table that the child works on, under the limit; `None` in the parent.
fn in_child() -> Option<Table> {
    let location = std::env::var(CHILD).ok()?;
    Some(Table::at(&location).env(Env::system().with_memory_limit(LIMIT).with_threads(2)).open().unwrap())
}

fn say_peak() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap();
    println!("\npeak KiB {}", peak.trim().trim_end_matches(" kB"));
}

// spec: CKP-15
#[tokio::test]
async fn a_classic_checkpoint_of_many_files_is_written_in_bounded_memory() {
    if let Some(table) = in_child() {
        assert_eq!(table.checkpoint().run().await.unwrap().metrics["numFiles"], FILES + 1);
        return say_peak();
    }
    let folder = table_of_many_files(&[]);
    let peak = peak_mib_of("budget::a_classic_checkpoint_of_many_files_is_written_in_bounded_memory", folder.path());
    assert!(peak <= 192, "{peak} MiB");
    look_at(folder.path()).await;
}

// spec: CKP-15
#[tokio::test]
async fn a_v2_checkpoint_of_many_files_holds_one_sidecar_at_a_time() {
    if let Some(table) = in_child() {
        assert_eq!(table.checkpoint().run().await.unwrap().metrics["numFiles"], FILES + 1);
        return say_peak();
    }
    let folder = table_of_many_files(&[("delta.checkpointPolicy", "v2")]);
    let peak = peak_mib_of("budget::a_v2_checkpoint_of_many_files_holds_one_sidecar_at_a_time", folder.path());
    assert!(peak <= 160, "{peak} MiB");
    assert!(std::fs::read_dir(folder.path().join("_delta_log/_sidecars")).unwrap().count() > 4);
    look_at(folder.path()).await;
}

// spec: CKP-15
#[tokio::test]
async fn files_of_a_large_checkpoint_stream_in_bounded_memory() {
    if let Some(table) = in_child() {
        let snapshot = table.snapshot().await.unwrap();
        let filter = Expr::sql("id >= 0").unwrap().bind(snapshot.state().schema()).unwrap();
        let files = snapshot.files(FileQuery::default().filter(filter)).try_fold(0, |n, b| async move { Ok(n + b.len()) });
        assert_eq!(files.await.unwrap(), FILES + 1);
        return say_peak();
    }
    let folder = table_of_many_files(&[]);
    let peak = peak_mib_of("budget::files_of_a_large_checkpoint_stream_in_bounded_memory", folder.path());
    assert!(peak <= 96, "{peak} MiB");
}

/// Rows of a merge's source: 1,024 batches of 1,024 rows of about 128 bytes, four times the limit.
fn large_source() -> lakebed::InputRows {
    let batch = |b: i64| {
        let ids = (b * 1024..(b + 1) * 1024).collect::<Vec<i64>>();
        let texts: StringArray = ids.iter().map(|id| Some(format!("{id:0>120}"))).collect();
        RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from(ids)) as ArrayRef), ("text", Arc::new(texts) as ArrayRef)]).unwrap()
    };
    let schema = batch(0).schema();
    lakebed::InputRows { schema, batches: futures::stream::iter((0..1024).map(move |b| Ok(batch(b)))).boxed() }
}

// spec: EXE-4
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_of_a_source_four_times_the_limit_goes_to_disk() {
    const ROWS: i64 = 1 << 20;
    if let Some(table) = in_child() {
        let merge = table.merge(large_source(), Expr::sql("t.id = s.id").unwrap());
        let clause = |text: &str| lakebed::MergeClause::sql(text).unwrap();
        let merge = merge.when(clause("MATCHED AND s.id < 100 THEN DELETE")).when(clause("MATCHED THEN UPDATE SET text = s.text"));
        let report = merge.when(clause("NOT MATCHED THEN INSERT (id, text) VALUES (s.id, s.text)")).run().await.unwrap();
        assert_eq!(report.metrics["numSourceRows"], ROWS);
        assert_eq!(report.metrics["numTargetRowsDeleted"], 50);
        assert_eq!(report.metrics["numTargetRowsUpdated"], 50_000 - 50);
        assert_eq!(report.metrics["numTargetRowsInserted"], ROWS - 50_000);
        return say_peak();
    }
    let folder = tempfile::tempdir().unwrap();
    let table = Table::at(folder.path().to_str().unwrap()).open().unwrap();
    let columns = lakebed::Struct::from_sql("id BIGINT, more INT, text STRING").unwrap();
    table.create(columns).property("delta.enableDeletionVectors", "true").run().await.unwrap();
    for file in 0..4 {
        // Every second id from 0, of which half are not in the source.
        let ids = Int64Array::from_iter_values(
            (0..25_000).map(|i| if file % 2 == 0 { 2 * (file / 2 * 25_000 + i) } else { -1 - i - file * 100_000 }),
        );
        let more = arrow::array::Int32Array::from_iter_values(0..25_000);
        let rows = RecordBatch::try_from_iter([("id", Arc::new(ids) as ArrayRef), ("more", Arc::new(more) as ArrayRef)]).unwrap();
        table.append(rows.schema(), futures::stream::iter([Ok(rows)]).boxed()).run().await.unwrap();
    }
    let peak = peak_mib_of("budget::a_merge_of_a_source_four_times_the_limit_goes_to_disk", folder.path());
    assert!(peak <= 160, "{peak} MiB");
    let snapshot = table.snapshot().await.unwrap();
    let count = |filter: Option<&str>| {
        let scan = snapshot.scan();
        filter.into_iter().fold(scan, |scan, f| scan.filter(Expr::sql(f).unwrap())).build().unwrap().count()
    };
    assert_eq!(count(None).await.unwrap() as i64, ROWS + 50_000 - 50);
    assert_eq!(count(Some("id >= 0 AND CAST(text AS BIGINT) <> id")).await.unwrap(), 0);
    assert_eq!(count(Some("more IS NOT NULL AND text IS NOT NULL")).await.unwrap(), 50_000 - 50);
}

/// The checkpoint that the child has written says what the one before it says, and is used.
async fn look_at(folder: &Path) {
    let snapshot = Table::at(folder.to_str().unwrap()).open().unwrap().snapshot().await.unwrap();
    assert!(snapshot.warnings().is_empty(), "{:?}", snapshot.warnings());
    let counts = snapshot.counts(CountEffort::Exact).await.unwrap().unwrap();
    assert_eq!((counts.files as usize, counts.records), (FILES + 1, Some(1000 * (FILES as u64 + 1))));
    let filter = Expr::sql("id BETWEEN 77777000 AND 77777999").unwrap().bind(snapshot.state().schema()).unwrap();
    let found: Vec<_> = snapshot.files(FileQuery::default().filter(filter)).try_collect().await.unwrap();
    assert_eq!(found.iter().map(|b| b.len()).sum::<usize>(), 1);
}

fn stats(k: usize) -> String {
    let (low, high) = (k * 1000, k * 1000 + 999);
    format!(
        r#"{{"numRecords":1000,"minValues":{{"id":{low},"name":"name-{low:012}-aaaa"}},"maxValues":{{"id":{high},"name":"name-{low:012}-zzzz"}},"nullCount":{{"id":0,"name":0}}}}"#
    )
}

/// A foreign checkpoint of version 1 with statistics as text, and a commit after it.
fn table_of_many_files(configuration: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("_delta_log");
    std::fs::create_dir(&log).unwrap();
    let v2 = !configuration.is_empty();
    let protocol = match v2 {
        true => r#"{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["v2Checkpoint"],"writerFeatures":["v2Checkpoint"]}"#,
        false => r#"{"minReaderVersion":1,"minWriterVersion":2}"#,
    };
    let fields = ["id", "name"].map(|n| {
        format!(r#"{{\"name\":\"{n}\",\"type\":\"{}\",\"nullable\":true,\"metadata\":{{}}}}"#, if n == "id" { "long" } else { "string" })
    });
    let schema = format!(r#"{{\"type\":\"struct\",\"fields\":[{}]}}"#, fields.join(","));
    let configuration: serde_json::Value =
        configuration.iter().map(|(k, v)| ((*k).to_owned(), serde_json::Value::from(*v))).collect::<serde_json::Map<_, _>>().into();
    let head = format!(
        "{{\"protocol\":{protocol}}}\n{{\"metaData\":{{\"id\":\"many\",\"format\":{{\"provider\":\"parquet\",\"options\":{{}}}},\"schemaString\":\"{schema}\",\"partitionColumns\":[],\"configuration\":{configuration}}}}}\n"
    );
    let one = format!(
        "{{\"add\":{{\"path\":\"last.parquet\",\"partitionValues\":{{}},\"size\":7,\"modificationTime\":1,\"dataChange\":true,\"stats\":{}}}}}\n",
        serde_json::Value::from(stats(FILES))
    );
    std::fs::write(log.join(format!("{:020}.json", 0)), &head).unwrap();
    std::fs::write(log.join(format!("{:020}.json", 1)), "{\"commitInfo\":{}}\n").unwrap();
    std::fs::write(log.join(format!("{:020}.json", 2)), one).unwrap();
    let body = std::fs::File::create(log.join(format!("{:020}.checkpoint.parquet", 1))).unwrap();
    write_checkpoint(body, &head);
    folder
}

/// Files and then, in a row group of their own, protocol and metadata.
fn write_checkpoint(body: std::fs::File, head: &str) {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let strings = |name: &str| Field::new(name, DataType::List(Arc::new(text("element"))), true);
    let group = |name: &str, fields: Vec<Field>| Field::new(name, DataType::Struct(fields.into()), true);
    let entries = Fields::from(vec![Field::new("key", DataType::Utf8, false), text("value")]);
    let map = |name: &str| {
        Field::new(name, DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(entries.clone()), false)), false), true)
    };
    let add = vec![
        text("path"),
        map("partitionValues"),
        Field::new("size", DataType::Int64, true),
        Field::new("modificationTime", DataType::Int64, true),
        Field::new("dataChange", DataType::Boolean, true),
        text("stats"),
    ];
    let int = |name: &str| Field::new(name, DataType::Int32, true);
    let schema = Arc::new(Schema::new(vec![
        group("add", add.clone()),
        group(
            "metaData",
            vec![
                text("id"),
                group("format", vec![text("provider"), map("options")]),
                text("schemaString"),
                strings("partitionColumns"),
                map("configuration"),
            ],
        ),
        group("protocol", vec![int("minReaderVersion"), int("minWriterVersion"), strings("readerFeatures"), strings("writerFeatures")]),
    ]));
    let properties = parquet::file::properties::WriterProperties::builder().set_compression(parquet::basic::Compression::SNAPPY).build();
    let mut writer = ArrowWriter::try_new(body, Arc::clone(&schema), Some(properties)).unwrap();
    for start in (0..FILES).step_by(20_000) {
        let range = start..(start + 20_000).min(FILES);
        let rows = range.len();
        let names = MapFieldNames { entry: "key_value".to_owned(), key: "key".to_owned(), value: "value".to_owned() };
        let mut values = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
        range.clone().for_each(|_| values.append(true).unwrap());
        let column = |f: &dyn Fn(usize) -> String| -> ArrayRef { Arc::new(StringArray::from_iter_values(range.clone().map(f))) };
        let longs: ArrayRef = Arc::new(Int64Array::from_iter_values(range.clone().map(|k| k as i64)));
        // Not in the order of their ranges.
        let mixed = |k: usize| k * 77_777 % FILES;
        let columns = vec![
            column(&|k| {
                format!("part-{k:06}-{:032x}.snappy.parquet", (k as u128 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835))
            }),
            Arc::new(values.finish()) as ArrayRef,
            Arc::clone(&longs),
            longs,
            Arc::new(BooleanArray::from(vec![false; rows])),
            column(&|k| stats(mixed(k))),
        ];
        let add: ArrayRef = Arc::new(StructArray::new(add.clone().into(), columns, None));
        let nulls = |i: usize| arrow::array::new_null_array(schema.field(i).data_type(), rows);
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), vec![add, nulls(1), nulls(2)]).unwrap()).unwrap();
    }
    writer.flush().unwrap();
    let mut rows = arrow::json::ReaderBuilder::new(schema).build(std::io::Cursor::new(head.as_bytes())).unwrap();
    writer.write(&rows.next().unwrap().unwrap()).unwrap();
    writer.close().unwrap();
}
