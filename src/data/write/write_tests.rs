use super::*;
use crate::env::{Env, SeededEntropy};
use crate::log::{Format, Metadata, PathLogStore, Protocol, StringMap};
use crate::schema::DataType;
use crate::storage::{StorageOptions, TableRoot};
use arrow::array::{AsArray, Float64Array, Int64Array, StringArray, StringViewArray};
use arrow::datatypes::Int64Type;
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{LogicalType, Repetition, Type as PhysicalType};
use std::collections::BTreeSet;

fn table_at(location: &str) -> Table {
    let env = Env::system().with_entropy(Arc::new(SeededEntropy::new(7))).with_threads(2);
    let root = TableRoot::open(location, &StorageOptions::default(), &env).unwrap();
    Table::with_log(root.clone(), Arc::new(PathLogStore::new(root)), env)
}

fn state(schema: Struct, partition: &[&str], properties: &[(&str, &str)]) -> Arc<TableState> {
    let mapped = properties.iter().any(|(k, _)| *k == "delta.columnMapping.mode");
    let shredded = properties.iter().any(|(k, _)| *k == "delta.enableVariantShredding");
    let features = || shredded.then(|| ["variantType", "variantShredding"].map(str::to_owned).to_vec());
    let protocol = Protocol {
        min_reader_version: if shredded {
            3
        } else if mapped {
            2
        } else {
            1
        },
        min_writer_version: if shredded {
            7
        } else if mapped {
            5
        } else {
            2
        },
        reader_features: features(),
        writer_features: features(),
    };
    let metadata = Metadata {
        id: "id".into(),
        name: None,
        description: None,
        format: Format { provider: "parquet".into(), options: StringMap::new() },
        schema_string: schema.to_json(),
        partition_columns: partition.iter().map(|c| (*c).to_owned()).collect(),
        configuration: properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        created_time: None,
    };
    Arc::new(TableState::new(protocol, metadata, vec![]).unwrap())
}

fn columns(columns: &[(&str, DataType)]) -> Struct {
    Struct { fields: columns.iter().map(|(n, t)| Field::new(*n, t.clone(), true)).collect() }
}

fn id_and_text() -> Struct {
    columns(&[("id", DataType::Long), ("s", DataType::String)])
}

fn numbers(from: i64, to: i64) -> RecordBatch {
    let ids = Int64Array::from_iter_values(from..to);
    let texts = StringArray::from_iter_values((from..to).map(|i| format!("text {i}")));
    RecordBatch::try_from_iter([("id", Arc::new(ids) as ArrayRef), ("s", Arc::new(texts))]).unwrap()
}

async fn bytes_of(table: &Table, add: &Add) -> bytes::Bytes {
    let (store, key) = table.root().resolve(&add.path).unwrap();
    store.get(&key).await.unwrap().bytes().await.unwrap()
}

async fn rows_of(table: &Table, add: &Add) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes_of(table, add).await).unwrap().build().unwrap();
    reader.map(|b| b.unwrap()).collect()
}

async fn objects(table: &Table) -> Vec<String> {
    let listed: Vec<_> = table.root().store().list(None).collect().await;
    let prefix = table.root().key("x").to_string().trim_end_matches('x').to_owned();
    listed.into_iter().map(|m| m.unwrap().location.to_string()).filter(|o| o.starts_with(&prefix)).collect()
}

#[tokio::test]
async fn rows_come_back_from_one_file_with_size_and_statistics() {
    // spec: DAT-W1, DAT-W4
    let table = table_at("memory:///plain");
    let mut writer = DataWriter::new(&table, state(id_and_text(), &[], &[]), WriteOptions::default()).unwrap();
    writer.write(numbers(0, 1000)).await.unwrap();
    writer.write(numbers(1000, 1500)).await.unwrap();
    let adds = writer.finish().await.unwrap();
    assert_eq!(adds.len(), 1);
    assert_eq!(adds[0].size, bytes_of(&table, &adds[0]).await.len() as i64);
    assert!(adds[0].path.starts_with("part-00000-") && adds[0].path.ends_with(".c000.snappy.parquet"), "{}", adds[0].path);
    let ids: Vec<i64> =
        rows_of(&table, &adds[0]).await.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec()).collect();
    assert_eq!(ids, (0..1500).collect::<Vec<_>>());
    let stats: serde_json::Value = serde_json::from_str(adds[0].stats.as_deref().unwrap()).unwrap();
    assert_eq!(
        stats,
        serde_json::json!({"numRecords": 1500, "minValues": {"id": 0, "s": "text 0"}, "maxValues": {"id": 1499, "s": "text 999"}, "nullCount": {"id": 0, "s": 0}})
    );
}

#[tokio::test]
async fn no_rows_make_no_file() {
    // spec: DAT-W4
    let table = table_at("memory:///empty");
    let mut writer = DataWriter::new(&table, state(id_and_text(), &[], &[]), WriteOptions::default()).unwrap();
    writer.write(numbers(5, 5)).await.unwrap();
    assert!(writer.finish().await.unwrap().is_empty());
    assert!(objects(&table).await.is_empty());
}

#[tokio::test]
async fn files_roll_at_the_target_size() {
    // spec: DAT-W5
    let table = table_at("memory:///rolling");
    let options = WriteOptions { target_file_size: Some(20_000), ..Default::default() };
    let mut writer = DataWriter::new(&table, state(id_and_text(), &[], &[]), options).unwrap();
    for i in 0..20 {
        writer.write(numbers(i * 2000, (i + 1) * 2000)).await.unwrap();
    }
    let adds = writer.finish().await.unwrap();
    assert!(adds.len() > 3, "{}", adds.len());
    let mut ids = BTreeSet::new();
    for add in &adds {
        ids.extend(rows_of(&table, add).await.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec()));
    }
    assert_eq!(ids.len(), 40_000);
    assert_eq!(adds.iter().map(|a| &a.path).collect::<BTreeSet<_>>().len(), adds.len());
}

#[tokio::test]
async fn rows_after_a_cut_go_into_another_file() {
    // spec: DAT-W5
    let table = table_at("memory:///cut");
    let mut writer = DataWriter::new(&table, state(id_and_text(), &[], &[]), WriteOptions::default()).unwrap();
    writer.cut().await.unwrap();
    for (from, to) in [(0, 10), (10, 30)] {
        writer.write(numbers(from, from + 5)).await.unwrap();
        writer.write(numbers(from + 5, to)).await.unwrap();
        writer.cut().await.unwrap();
    }
    let adds = writer.finish().await.unwrap();
    assert_eq!(adds.iter().map(|add| add.num_records()).collect::<Vec<_>>(), [Some(10), Some(20)]);
}

#[tokio::test]
async fn rows_go_to_the_folder_of_their_partition_with_its_columns_behind() {
    // spec: PV-20, PV-22, PV-23
    let table = table_at("memory:///parts");
    let mut writer = DataWriter::new(
        &table,
        state(columns(&[("p", DataType::String), ("id", DataType::Long), ("d", DataType::Double)]), &["d", "p"], &[]),
        WriteOptions::default(),
    )
    .unwrap();
    let p: ArrayRef = Arc::new(StringViewArray::from(vec![Some("a/b"), Some(""), None, Some("a/b")]));
    let d: ArrayRef = Arc::new(Float64Array::from(vec![1.5, f64::NAN, f64::NAN, 1.5]));
    let id: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4]));
    writer.write(RecordBatch::try_from_iter([("id", id), ("P", p), ("d", d)]).unwrap()).await.unwrap();
    let adds = writer.finish().await.unwrap();
    assert_eq!(adds.len(), 2, "empty text and null are one partition");
    let folder = |add: &Add| add.path.rsplit_once('/').unwrap().0.to_owned();
    assert_eq!(adds.iter().map(folder).collect::<Vec<_>>(), ["d=1.5/p=a%252Fb", "d=NaN/p=__HIVE_DEFAULT_PARTITION__"]);
    assert_eq!(adds[0].partition_values, NullableMap::from([("d".into(), Some("1.5".into())), ("p".into(), Some("a/b".into()))]));
    assert_eq!(adds[1].partition_values.get("p"), Some(&None));
    let rows = rows_of(&table, &adds[0]).await;
    let names: Vec<String> = rows[0].schema().fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(names, ["id", "d", "p"]);
    assert_eq!(rows[0].column(0).as_primitive::<Int64Type>().values(), &[1, 4]);
    assert!(objects(&table).await.iter().any(|o| o.contains("d=1.5/p=a%2Fb/part-")));
}

#[tokio::test]
async fn partition_columns_stay_out_of_files_when_the_table_says_so_and_no_feature_demands_them() {
    // spec: DAT-W10
    let table = table_at("memory:///out");
    let off = ("delta.writePartitionColumnsToParquet", "false");
    let on = ("delta.enableMaterializePartitionColumnsFeature", "true");
    for (properties, columns_in_files) in [(&[off][..], 1), (&[off, on], 2)] {
        let schema = columns(&[("id", DataType::Long), ("p", DataType::String)]);
        let plain = state(schema, &["p"], properties);
        let protocol = crate::log::Protocol {
            min_writer_version: 7,
            writer_features: Some(vec!["materializePartitionColumns".to_owned()].into_iter().filter(|_| columns_in_files == 2).collect()),
            ..plain.protocol().clone()
        };
        let state = Arc::new(TableState::new(protocol, plain.metadata().clone(), Vec::new()).unwrap());
        let mut writer = DataWriter::new(&table, state, WriteOptions::default()).unwrap();
        let rows: [(&str, ArrayRef); 2] = [("id", Arc::new(Int64Array::from(vec![7]))), ("p", Arc::new(StringArray::from(vec!["v"])))];
        writer.write(RecordBatch::try_from_iter(rows).unwrap()).await.unwrap();
        let add = writer.finish().await.unwrap().remove(0);
        assert_eq!(rows_of(&table, &add).await[0].num_columns(), columns_in_files);
        assert!(!add.stats.as_deref().unwrap().contains("\"p\""), "partition columns have no statistics: {:?}", add.stats);
    }
}

#[tokio::test]
async fn empty_text_does_not_fit_a_required_partition_column() {
    // spec: PV-22
    let table = table_at("memory:///required");
    let mut schema = columns(&[("p", DataType::String), ("id", DataType::Long)]);
    schema.fields[0].nullable = false;
    let mut writer = DataWriter::new(&table, state(schema, &["p"], &[]), WriteOptions::default()).unwrap();
    let columns: [(&str, ArrayRef); 2] = [("p", Arc::new(StringArray::from(vec![""]))), ("id", Arc::new(Int64Array::from(vec![1])))];
    let e = writer.write(RecordBatch::try_from_iter(columns).unwrap()).await.unwrap_err();
    assert_eq!(e.code(), Code::CONSTRAINT);
}

#[tokio::test]
async fn text_of_limited_length_is_filled_up_cut_or_refused() {
    // spec: DAT-W9
    let table = table_at("memory:///limited");
    let schema = Struct::from_sql("id BIGINT, c CHAR(3), v VARCHAR(3), p CHAR(2)").unwrap();
    let rows = |c: &str, v: &str| {
        let text = |values: Vec<Option<&str>>| Arc::new(StringArray::from(values)) as ArrayRef;
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let columns =
            [("id", ids), ("C", text(vec![Some(c), None])), ("v", text(vec![Some(v), None])), ("p", text(vec![Some("x"), Some("x ")]))];
        RecordBatch::try_from_iter(columns).unwrap()
    };
    let state = state(schema, &["p"], &[]);
    let writer = || DataWriter::new(&table, Arc::clone(&state), WriteOptions::default()).unwrap();
    for (column, batch) in [("v", rows("a", "abcdef")), ("c", rows("abcd", "a"))] {
        let mut writer = writer();
        writer.write(rows("abc", "äöü")).await.unwrap();
        let e = writer.write(batch).await.unwrap_err();
        assert_eq!(e.code(), Code::CONSTRAINT);
        assert!(e.context().contains(&("column", column.to_owned())) && e.context().contains(&("rows", "3".to_owned())), "{e}");
        writer.abort().await;
    }
    assert!(objects(&table).await.is_empty());
    let mut writer = writer();
    writer.write(rows("ä", "abc  ")).await.unwrap();
    let adds = writer.finish().await.unwrap();
    assert_eq!(adds.len(), 1);
    assert_eq!(adds[0].partition_values.get("p"), Some(&Some("x ".to_owned())));
    let batch = rows_of(&table, &adds[0]).await.remove(0);
    let text = |at: usize| batch.column(at).as_string::<i32>().iter().map(|t| t.map(str::to_owned)).collect::<Vec<_>>();
    assert_eq!(text(1), [Some("ä  ".to_owned()), None]);
    assert_eq!(text(2), [Some("abc".to_owned()), None]);
}

#[tokio::test]
async fn more_partitions_than_open_files_close_the_least_recent() {
    // spec: DAT-W6
    let table = table_at("memory:///many");
    let options = WriteOptions { open_files_max: 2, ..Default::default() };
    let mut writer =
        DataWriter::new(&table, state(columns(&[("p", DataType::Long), ("id", DataType::Long)]), &["p"], &[]), options).unwrap();
    for round in 0..2 {
        for p in 0..5i64 {
            let columns: [(&str, ArrayRef); 2] =
                [("p", Arc::new(Int64Array::from(vec![p]))), ("id", Arc::new(Int64Array::from(vec![round])))];
            writer.write(RecordBatch::try_from_iter(columns).unwrap()).await.unwrap();
            assert!(writer.open.len() <= 2);
        }
    }
    assert_eq!(writer.finish().await.unwrap().len(), 10);
}

#[tokio::test]
async fn mapped_columns_have_physical_names_ids_and_random_folders() {
    // spec: DAT-W7
    let table = table_at("memory:///mapped");
    let field = |name: &str, physical: &str, id: i64, t: &str| {
        format!(
            r#"{{"name":"{name}","type":{t},"nullable":true,"metadata":{{"delta.columnMapping.id":{id},"delta.columnMapping.physicalName":"{physical}"}}}}"#
        )
    };
    let inner = format!(r#"{{"type":"struct","fields":[{}]}}"#, field("x", "col-x", 3, "\"long\""));
    let schema = format!(
        r#"{{"type":"struct","fields":[{},{},{}]}}"#,
        field("id", "col-id", 1, "\"long\""),
        field("st", "col-st", 2, &inner),
        field("p", "col-p", 4, "\"string\"")
    );
    let state = state(
        Struct::from_json(&schema).unwrap(),
        &["p"],
        &[("delta.columnMapping.mode", "name"), ("delta.columnMapping.maxColumnId", "4")],
    );
    let mut writer = DataWriter::new(&table, state, WriteOptions::default()).unwrap();
    let columns: [(&str, ArrayRef); 2] = [("id", Arc::new(Int64Array::from(vec![7]))), ("p", Arc::new(StringArray::from(vec!["v"])))];
    writer.write(RecordBatch::try_from_iter(columns).unwrap()).await.unwrap();
    let add = writer.finish().await.unwrap().remove(0);
    assert_eq!(add.partition_values, NullableMap::from([("col-p".into(), Some("v".into()))]));
    let folder = add.path.split_once('/').unwrap().0;
    assert!(folder.len() == 2 && folder.chars().all(|c| c.is_ascii_alphanumeric()), "{folder}");
    assert!(add.stats.as_deref().unwrap().contains(r#""minValues":{"col-id":7,"col-st":{}}"#), "{:?}", add.stats);
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes_of(&table, &add).await).unwrap();
    let root = reader.parquet_schema().root_schema();
    let ids: Vec<_> = root.get_fields().iter().map(|f| (f.name().to_owned(), f.get_basic_info().id())).collect();
    assert_eq!(ids, [("col-id".to_owned(), 1), ("col-st".to_owned(), 2), ("col-p".to_owned(), 4)]);
    assert_eq!(root.get_fields()[1].get_fields()[0].get_basic_info().id(), 3);
}

#[tokio::test]
async fn files_have_the_types_that_spark_reads() {
    // spec: DAT-W2
    let table = table_at("memory:///types");
    let decimal = |precision| DataType::Decimal { precision, scale: 2 };
    let schema = columns(&[
        ("t", DataType::Timestamp),
        ("n", DataType::TimestampNtz),
        ("a", decimal(9)),
        ("b", decimal(18)),
        ("c", decimal(38)),
        ("y", DataType::Byte),
        ("d", DataType::Date),
        ("l", DataType::Array { element: Box::new(DataType::Integer), contains_null: true }),
        (
            "m",
            DataType::Map {
                key: Box::new(DataType::String),
                value: Box::new(DataType::Struct(columns(&[("v", DataType::Long)]))),
                value_contains_null: true,
            },
        ),
    ]);
    let state = state(schema, &[], &[]);
    let schema = Arc::new(state.schema().to_arrow().unwrap());
    let columns = schema.fields().iter().map(|f| arrow::array::new_null_array(f.data_type(), 2)).collect();
    let mut writer = DataWriter::new(&table, state, WriteOptions::default()).unwrap();
    writer.write(RecordBatch::try_new(schema, columns).unwrap()).await.unwrap();
    let add = writer.finish().await.unwrap().remove(0);
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes_of(&table, &add).await).unwrap();
    assert!(reader.metadata().file_metadata().key_value_metadata().is_none_or(Vec::is_empty), "no Arrow schema inside");
    let schema = reader.parquet_schema();
    let column = |path: &str| schema.columns().iter().find(|c| c.path().string() == path).unwrap_or_else(|| panic!("{path}")).clone();
    for (name, utc) in [("t", true), ("n", false)] {
        assert_eq!(column(name).physical_type(), PhysicalType::INT64);
        assert!(matches!(column(name).logical_type_ref(), Some(LogicalType::Timestamp(t)) if t.is_adjusted_to_u_t_c == utc));
    }
    let physical: Vec<_> = ["a", "b", "c", "y", "d"].iter().map(|n| column(n).physical_type()).collect();
    use PhysicalType::*;
    assert_eq!(physical, [INT32, INT64, FIXED_LEN_BYTE_ARRAY, INT32, INT32]);
    assert_eq!(column("c").type_length(), 16);
    assert_eq!(column("l.list.element").physical_type(), INT32);
    assert_eq!(column("m.key_value.value.v").physical_type(), INT64);
    assert_eq!(column("m.key_value.key").self_type().get_basic_info().repetition(), Repetition::REQUIRED);
}

#[tokio::test]
async fn a_large_file_is_sent_in_parts_and_a_dropped_writer_leaves_nothing() {
    // spec: DAT-W8
    let folder = tempfile::tempdir().unwrap();
    let table = table_at(folder.path().to_str().unwrap());
    let wide = || {
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 1) as i64
        };
        let ids = Int64Array::from_iter_values((0..700_000).map(|_| next()));
        let texts = StringArray::from_iter_values((0..700_000).map(|_| format!("{:x}", next())));
        RecordBatch::try_from_iter([("id", Arc::new(ids) as ArrayRef), ("s", Arc::new(texts) as ArrayRef)]).unwrap()
    };
    let small_groups = state(id_and_text(), &[], &[]);
    let mut writer = DataWriter::new(&table, small_groups.clone(), WriteOptions::default()).unwrap();
    writer.write(wide()).await.unwrap();
    assert!(writer.open.values_mut().next().unwrap().shrink().await.unwrap());
    drop(writer);
    assert!(visible(folder.path()).is_empty(), "{:?}", visible(folder.path()));

    let mut writer = DataWriter::new(&table, small_groups, WriteOptions::default()).unwrap();
    writer.write(wide()).await.unwrap();
    let adds = writer.finish().await.unwrap();
    assert!(adds[0].size > 8 << 20, "{}", adds[0].size);
    assert_eq!(rows_of(&table, &adds[0]).await.iter().map(RecordBatch::num_rows).sum::<usize>(), 700_000);
    assert_eq!(visible(folder.path()).len(), 1);
}

/// Names under a folder that do not begin with a dot.
fn visible(folder: &std::path::Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).map(|d| d.map(|e| e.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>());
    names.unwrap_or_default().into_iter().filter(|n| !n.starts_with('.')).collect()
}

/// Writes 200 batches of 2,000 rows over `partitions`, cyclically by row, in a budget of `limit`; the most that open files held.
async fn written_in_turns(name: &str, partitions: u64, limit: u64) -> (Table, Vec<Add>, u64) {
    let env = Env::system().with_memory_limit(limit).with_threads(2);
    let root = TableRoot::open(name, &StorageOptions::default(), &env).unwrap();
    let table = Table::with_log(root.clone(), Arc::new(PathLogStore::new(root)), env);
    let schema = columns(&[("p", DataType::Long), ("s", DataType::String)]);
    let mut writer = DataWriter::new(&table, state(schema, &["p"], &[]), WriteOptions::default()).unwrap();
    let mut most = 0;
    for i in 0..200u64 {
        let rows = i * 2000..(i + 1) * 2000;
        let s = StringArray::from_iter_values(rows.clone().map(|r| format!("{:064x}", r.wrapping_mul(0x9E37_79B9_7F4A_7C15))));
        let p = Int64Array::from_iter_values(rows.map(|r| (r % partitions) as i64));
        writer.write(RecordBatch::try_from_iter([("p", Arc::new(p) as ArrayRef), ("s", Arc::new(s) as ArrayRef)]).unwrap()).await.unwrap();
        most = most.max(writer.open.values().map(Open::held).sum());
    }
    let adds = writer.finish().await.unwrap();
    assert_eq!(table.env().memory().try_reserve(limit).unwrap().bytes(), limit, "everything is given back");
    (table, adds, most)
}

#[tokio::test]
async fn open_files_give_memory_back_when_the_share_is_used_up() {
    // spec: DAT-W6
    let (table, adds, most) = written_in_turns("memory:///tight", 8, 16 << 20).await;
    assert!(most <= MEMORY_LEAST, "{most}");
    assert!((8..=80).contains(&adds.len()), "{}", adds.len());
    let mut rows = 0;
    for add in &adds {
        rows += rows_of(&table, add).await.iter().map(RecordBatch::num_rows).sum::<usize>();
    }
    assert_eq!(rows, 400_000);
}

#[tokio::test]
async fn rows_of_five_hundred_partitions_in_turns_are_one_file_each_within_the_budget() {
    // spec: DAT-W6
    let (table, adds, most) = written_in_turns("memory:///wide", 500, 64 << 20).await;
    assert!(most <= 32 << 20, "{most}");
    assert!(table.env().memory().high_water() <= 64 << 20);
    assert_eq!(adds.len(), 500);
    let of_17 = adds.iter().find(|a| a.partition_values.get("p") == Some(&Some("17".to_owned()))).unwrap();
    let rows = rows_of(&table, of_17).await;
    assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 800);
    let text = |r: u64| format!("{:064x}", r.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    assert_eq!((rows[0].column(0).as_string::<i32>().value(0), rows[0].column(0).as_string::<i32>().value(1)), (&*text(17), &*text(517)));
}

// spec: VAR-4
#[tokio::test]
async fn variants_are_annotated_with_their_version_at_every_depth() {
    let table = table_at("memory:///variants");
    let inside = DataType::Struct(columns(&[("y", DataType::Variant)]));
    let schema = columns(&[("id", DataType::Long), ("s", DataType::String), ("x", DataType::Variant), ("a", inside)]);
    let mut writer = DataWriter::new(&table, state(schema, &[], &[]), WriteOptions::default()).unwrap();
    writer.write(numbers(0, 3)).await.unwrap();
    let adds = writer.finish().await.unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes_of(&table, &adds[0]).await).unwrap();
    let root = reader.metadata().file_metadata().schema_descr().root_schema_ptr();
    let [x, a] = [2, 3].map(|i| Arc::clone(&root.get_fields()[i]));
    for variant in [&x, &a.get_fields()[0]] {
        assert_eq!(variant.get_basic_info().logical_type_ref(), Some(&LogicalType::variant(Some(1))), "{}", variant.name());
    }
    assert_eq!(rows_of(&table, &adds[0]).await.iter().map(RecordBatch::num_rows).sum::<usize>(), 3);
}

// spec: VAR-5
#[tokio::test]
async fn statistics_find_their_columns_behind_variants_in_pieces() {
    let schema = columns(&[("x", DataType::Variant), ("id", DataType::Long), ("y", DataType::Variant), ("s", DataType::String)]);
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some(r#"{"a":1,"b":{"c":"x"}}"#), None, Some(r#"{"a":2}"#)]));
    let variants = crate::data::variant::parsed(&texts).unwrap();
    let fields: Vec<ArrowField> = schema.to_arrow().unwrap().fields().iter().map(|f| f.as_ref().clone()).collect();
    let ids_and_texts = numbers(5, 8);
    let rows = vec![variants.clone(), ids_and_texts.column(0).clone(), variants, ids_and_texts.column(1).clone()];
    let batch = RecordBatch::try_new(Arc::new(arrow::datatypes::Schema::new(fields)), rows).unwrap();
    for (property, leaves) in [("true", 2 * 7 + 2), ("false", 2 * 2 + 2)] {
        let table = table_at("memory:///pieces");
        let state = state(schema.clone(), &[], &[("delta.enableVariantShredding", property)]);
        let mut writer = DataWriter::new(&table, state, WriteOptions::default()).unwrap();
        writer.write(batch.clone()).await.unwrap();
        writer.write(batch.clone()).await.unwrap();
        let adds = writer.finish().await.unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes_of(&table, &adds[0]).await).unwrap();
        assert_eq!(reader.parquet_schema().num_columns(), leaves, "{property}");
        let stats: serde_json::Value = serde_json::from_str(adds[0].stats.as_deref().unwrap()).unwrap();
        let expected = serde_json::json!({"numRecords": 6, "minValues": {"id": 5, "s": "text 5"}, "maxValues": {"id": 7, "s": "text 7"},
                                          "nullCount": {"x": 2, "id": 0, "y": 2, "s": 0}});
        assert_eq!(stats, expected, "{property}");
    }
}
