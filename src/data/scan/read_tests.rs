use super::super::flow::Flow;
use super::*;
use crate::data::columns::wanted;
use crate::schema::{DataType, Field, Struct};
use arrow::array::*;
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType as ArrowType, Field as ArrowField, Fields, Int32Type, Int64Type, Schema, TimeUnit};
use arrow::util::pretty::pretty_format_batches;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::{ObjectStore, path::Path};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use url::Url;

fn file(batch: &RecordBatch) -> Vec<u8> {
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(10)).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn schema(fields: Vec<(&str, DataType)>) -> Struct {
    Struct { fields: fields.into_iter().map(|(name, t)| Field::new(name, t, true)).collect() }
}

fn task() -> FileTask {
    FileTask { path: "a.parquet".into(), ..FileTask::default() }
}

async fn read_task(body: Vec<u8>, table: &Struct, partitions: &[&str], task: FileTask) -> Result<RecordBatch> {
    let store = Arc::new(InMemory::new());
    store.put_opts(&Path::from("t/a.parquet"), body.into(), Default::default()).await.unwrap();
    let partitions: Vec<String> = partitions.iter().map(|p| p.to_string()).collect();
    let wanted = wanted(table, table, &partitions, &|_| None, None)?;
    let reading = Reading {
        root: TableRoot::with_store(Url::parse("memory:///t/").unwrap(), store, Path::from("t")),
        env: Env::system().with_threads(2),
        shown: wanted.len(),
        schema: schema_of(&wanted),
        wanted,
        filter: None,
        pruner: None,
        by_partition: false,
        limit: None,
        whole: 0,
        counted: false,
        bytes_read: Arc::default(),
        hidden: Vec::new(),
    };
    let schema = Arc::clone(&reading.schema);
    let flow = Flow::new(Arc::new(reading));
    let batches: Vec<RecordBatch> = flow.run(futures::stream::iter([Ok((task, Rows::All))]).boxed()).try_collect().await?;
    Ok(arrow::compute::concat_batches(&schema, &batches)?)
}

async fn read(body: Vec<u8>, table: &Struct) -> Result<RecordBatch> {
    read_task(body, table, &[], task()).await
}

fn text(batch: &RecordBatch) -> String {
    pretty_format_batches(std::slice::from_ref(batch)).unwrap().to_string()
}

fn ints(values: impl IntoIterator<Item = i32>) -> ArrayRef {
    Arc::new(Int32Array::from_iter_values(values))
}

// spec: DAT-4
#[tokio::test]
async fn columns_are_found_reordered_left_out_and_filled_with_nulls() {
    let body = file(&batch(vec![("b", ints([1, 2])), ("extra", ints([7, 7])), ("A", Arc::new(StringArray::from(vec!["x", "y"])))]));
    let table = schema(vec![("a", DataType::String), ("gone", DataType::Long), ("b", DataType::Integer), ("v", DataType::Void)]);
    let got = read(body, &table).await.unwrap();
    assert_eq!(
        text(&got),
        "+---+------+---+---+\n| a | gone | b | v |\n+---+------+---+---+\n| x |      | 1 |   |\n| y |      | 2 |   |\n+---+------+---+---+"
    );
}

// spec: DAT-4
#[tokio::test]
async fn names_that_differ_only_in_case_are_no_guess() {
    let body = file(&batch(vec![("a", ints([1])), ("A", ints([2]))]));
    assert_eq!(read(body.clone(), &schema(vec![("A", DataType::Integer)])).await.unwrap().column(0), &ints([2]));
    let body = file(&batch(vec![("aB", ints([1])), ("Ab", ints([2]))]));
    assert_eq!(read(body, &schema(vec![("AB", DataType::Integer)])).await.unwrap_err().code(), Code::SCHEMA);
}

// spec: DAT-5
#[tokio::test]
async fn nested_fields_evolve_inside_lists_maps_and_structs() {
    let inner = StructArray::from(vec![
        (Arc::new(ArrowField::new("y", ArrowType::Int32, true)), ints([1, 2, 3])),
        (Arc::new(ArrowField::new("dropped", ArrowType::Int32, true)), ints([9, 9, 9])),
        (Arc::new(ArrowField::new("x", ArrowType::Int32, true)), ints([4, 5, 6])),
    ]);
    let field = Arc::new(ArrowField::new("item", inner.data_type().clone(), true));
    let list = ListArray::new(field, OffsetBuffer::from_lengths([2, 0, 1]), Arc::new(inner.clone()), Some(vec![true, true, true].into()));
    let entries = StructArray::from(vec![
        (Arc::new(ArrowField::new("keys", ArrowType::Int32, false)), ints([10, 20, 30])),
        (Arc::new(ArrowField::new("values", inner.data_type().clone(), true)), Arc::new(inner.clone()) as ArrayRef),
    ]);
    let field = Arc::new(ArrowField::new("entries", entries.data_type().clone(), false));
    let map = MapArray::new(field, OffsetBuffer::from_lengths([1, 1, 1]), entries, None, false);
    let body = file(&batch(vec![("s", Arc::new(inner)), ("l", Arc::new(list)), ("m", Arc::new(map))]));

    let element = || DataType::Struct(schema(vec![("x", DataType::Long), ("new", DataType::String), ("Y", DataType::Integer)]));
    let list = |t| DataType::Array { element: Box::new(t), contains_null: true };
    let map = |t| DataType::Map { key: Box::new(DataType::Long), value: Box::new(t), value_contains_null: true };
    let table = schema(vec![("l", list(element())), ("m", map(element())), ("s", element())]);
    let got = read(body.clone(), &table).await.unwrap();
    let rows = text(&got);
    assert!(rows.contains("| [{x: 4, new: , Y: 1}, {x: 5, new: , Y: 2}] | {10: {x: 4, new: , Y: 1}} | {x: 4, new: , Y: 1} |"), "{rows}");
    assert!(rows.contains("| []  "), "{rows}");

    // Nothing of the element is there any more: lengths stay, elements are null; a struct becomes null as a whole.
    let nothing = || DataType::Struct(schema(vec![("other", DataType::Long)]));
    let got = read(body, &schema(vec![("l", list(nothing())), ("m", map(nothing())), ("s", nothing())])).await.unwrap();
    let lengths: Vec<usize> = got.column(0).as_list::<i32>().iter().map(|l| l.unwrap().len()).collect();
    assert_eq!(lengths, [2, 0, 1]);
    assert_eq!(got.column(0).as_list::<i32>().values().null_count(), 3);
    assert_eq!(got.column(1).as_map().keys().as_primitive::<Int64Type>().values(), &[10, 20, 30]);
    assert_eq!(got.column(2).null_count(), 3);
}

// spec: DAT-6
#[tokio::test]
async fn every_listed_widening_gives_the_same_numbers() {
    let decimal = |v: i128, p, s| Arc::new(Decimal128Array::from(vec![Some(v), None]).with_precision_and_scale(p, s).unwrap()) as ArrayRef;
    let dec = |precision, scale| DataType::Decimal { precision, scale };
    let i8s = || Arc::new(Int8Array::from(vec![Some(-7), None])) as ArrayRef;
    let i16s = || Arc::new(Int16Array::from(vec![Some(-7), None])) as ArrayRef;
    let i32s = || Arc::new(Int32Array::from(vec![Some(-7), None])) as ArrayRef;
    let i64s = || Arc::new(Int64Array::from(vec![Some(-7), None])) as ArrayRef;
    let days = || Arc::new(Date32Array::from(vec![Some(-1), None])) as ArrayRef;
    let micros = |v: i64| Arc::new(TimestampMicrosecondArray::from(vec![Some(v), None])) as ArrayRef;
    let long = |v: i64| Arc::new(Int64Array::from(vec![Some(v), None])) as ArrayRef;
    let double = |v: f64| Arc::new(Float64Array::from(vec![Some(v), None])) as ArrayRef;
    for (from, to, want) in [
        (i8s(), DataType::Short, i16s()),
        (i8s(), DataType::Integer, i32s()),
        (i8s(), DataType::Long, i64s()),
        (i16s(), DataType::Integer, i32s()),
        (i16s(), DataType::Long, long(-7)),
        (i32s(), DataType::Long, long(-7)),
        (i32s(), DataType::Byte, i8s()),
        (Arc::new(UInt32Array::from(vec![Some(u32::MAX), None])), DataType::Long, long(4_294_967_295)),
        (Arc::new(Float32Array::from(vec![Some(1.5), None])), DataType::Double, double(1.5)),
        (i8s(), DataType::Double, double(-7.0)),
        (i16s(), DataType::Double, double(-7.0)),
        (i32s(), DataType::Double, double(-7.0)),
        (i8s(), dec(10, 0), decimal(-7, 10, 0)),
        (i32s(), dec(12, 2), decimal(-700, 12, 2)),
        (i64s(), dec(23, 3), decimal(-7000, 23, 3)),
        (decimal(123, 5, 2), dec(10, 2), decimal(123, 10, 2)),
        (decimal(123, 5, 2), dec(20, 4), decimal(12300, 20, 4)),
        (decimal(123, 38, 2), dec(38, 2), decimal(123, 38, 2)),
        (days(), DataType::TimestampNtz, micros(-86_400_000_000)),
        (Arc::new(TimestampMillisecondArray::from(vec![Some(-1), None])), DataType::TimestampNtz, micros(-1000)),
        (Arc::new(TimestampNanosecondArray::from(vec![Some(-1), None])), DataType::TimestampNtz, micros(-1)),
        (Arc::new(BinaryArray::from_opt_vec(vec![Some(b"x"), None])), DataType::String, Arc::new(StringArray::from(vec![Some("x"), None]))),
        (Arc::new(StringArray::from(vec![Some("x"), None])), DataType::Binary, Arc::new(BinaryArray::from_opt_vec(vec![Some(b"x"), None]))),
    ] {
        let what = format!("{} -> {to}", from.data_type());
        let got = read(file(&batch(vec![("a", from)])), &schema(vec![("a", to)])).await.unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(got.column(0), &want, "{what}");
    }
}

// spec: DAT-6
#[tokio::test]
async fn unlisted_pairs_and_values_that_do_not_fit_are_refused_by_name() {
    let dec = |precision, scale| DataType::Decimal { precision, scale };
    let decimal = Arc::new(Decimal128Array::from(vec![12_345]).with_precision_and_scale(9, 2).unwrap());
    for (from, to) in [
        (Arc::new(Int64Array::from(vec![1])) as ArrayRef, DataType::Integer),
        (Arc::new(Int64Array::from(vec![1])), DataType::Double),
        (Arc::new(Float64Array::from(vec![1.0])), DataType::Float),
        (Arc::new(Int32Array::from(vec![1])), dec(9, 0)),
        (decimal.clone(), dec(8, 2)),
        (decimal, dec(9, 3)),
        (Arc::new(StringArray::from(vec!["1"])), DataType::Integer),
        (Arc::new(Int32Array::from(vec![1])), DataType::String),
        (Arc::new(Int32Array::from(vec![1])), DataType::Struct(schema(vec![("x", DataType::Integer)]))),
        (Arc::new(Int32Array::from(vec![300])), DataType::Byte),
        (Arc::new(BinaryArray::from_vec(vec![b"\xff"])), DataType::String),
        (Arc::new(Date32Array::from(vec![i32::MAX])), DataType::TimestampNtz),
    ] {
        let what = format!("{} -> {to}", from.data_type());
        let e = read(file(&batch(vec![("a", from)])), &schema(vec![("a", to)])).await.expect_err(&what);
        assert!(matches!(e.code(), Code::SCHEMA | Code::FILE), "{what}: {e}");
        assert!(e.to_string().contains("a.parquet"), "{what}: {e}");
    }
}

// spec: DAT-7
#[tokio::test]
async fn partition_values_win_over_the_files_column() {
    let body = file(&batch(vec![("p", ints([1, 1])), ("a", ints([5, 6]))]));
    let mut t = task();
    t.partition_values.insert("p".into(), Some("2024-02-29".into()));
    t.partition_values.insert("q".into(), None);
    let table = schema(vec![("p", DataType::Date), ("a", DataType::Integer), ("q", DataType::String), ("missing", DataType::Long)]);
    let got = read_task(body, &table, &["p", "q", "missing"], t).await.unwrap();
    assert_eq!(got.column(0).as_ref(), &Date32Array::from(vec![19_782, 19_782]));
    assert_eq!((got.column(2).null_count(), got.column(3).null_count()), (2, 2));
}

// spec: DV-7
#[tokio::test]
async fn deleted_rows_of_all_row_groups_are_left_out() {
    let body = file(&batch(vec![("a", ints(0..25))]));
    let mut t = task();
    // Rows 3, 4, 7, 11, 18, 29: the last lies beyond the file.
    t.vector = Some(crate::log::VectorDescriptor {
        storage_type: "i".into(),
        path_or_inline_dv: "^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L".into(),
        offset: None,
        size_in_bytes: 44,
        cardinality: 6,
    });
    let table = schema(vec![("a", DataType::Integer)]);
    let e = read_task(body, &table, &[], t.clone()).await.unwrap_err();
    assert_eq!(e.code(), Code::DV, "{e}");
    let body = file(&batch(vec![("a", ints(0..32))]));
    let got = read_task(body, &table, &[], t).await.unwrap();
    let want: Vec<i32> = (0..32).filter(|i| ![3, 4, 7, 11, 18, 29].contains(i)).collect();
    assert_eq!(got.column(0).as_primitive::<Int32Type>().values(), &want);
}

// spec: DAT-3
#[tokio::test]
async fn damaged_bytes_anywhere_are_an_error_or_an_answer_never_a_panic() {
    let strings: ArrayRef = Arc::new(StringArray::from_iter_values((0..40).map(|i| format!("value {i}"))));
    let body = file(&batch(vec![("a", ints(0..40)), ("s", strings)]));
    let table = schema(vec![("a", DataType::Integer), ("s", DataType::String)]);
    let mut failed = 0;
    for at in (0..body.len()).step_by(7) {
        let mut bad = body.clone();
        bad[at] ^= 0x5a;
        if let Err(e) = read(bad, &table).await {
            failed += 1;
            assert!(matches!(e.code(), Code::FILE | Code::SCHEMA), "byte {at}: {e}");
        }
    }
    assert!(failed > 10, "only {failed} damages were noticed");
}

// spec: DAT-8
#[tokio::test]
async fn int96_of_any_year_is_read_as_micros() {
    use parquet::data_type::{Int96, Int96Type};
    use parquet::file::writer::SerializedFileWriter;
    let parsed = parquet::schema::parser::parse_message_type("message m { optional int96 t; }").unwrap();
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(parsed), Default::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    // Julian day and nanoseconds of the day: 0001-01-01, 1970-01-01T00:00:00.000001, 9999-12-31T23:59:59.999999.
    let values: Vec<Int96> = [(1_721_426u32, 0u64), (2_440_588, 1_000), (5_373_484, 86_399_999_999_000)]
        .into_iter()
        .map(|(day, nanos)| Int96::from(vec![nanos as u32, (nanos >> 32) as u32, day]))
        .collect();
    column.typed::<Int96Type>().write_batch(&values, Some(&[1, 1, 0, 1]), None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    let body = writer.into_inner().unwrap();
    for (table, zone) in [(DataType::Timestamp, Some("UTC")), (DataType::TimestampNtz, None)] {
        let got = read(body.clone(), &schema(vec![("t", table)])).await.unwrap();
        assert_eq!(got.schema().field(0).data_type(), &ArrowType::Timestamp(TimeUnit::Microsecond, zone.map(Into::into)));
        let got = got.column(0).as_primitive::<arrow::datatypes::TimestampMicrosecondType>();
        let got: Vec<_> = got.iter().collect();
        assert_eq!(got, [Some(-62_135_596_800_000_000), Some(1), None, Some(253_402_300_799_999_999)]);
    }
}

// spec: DAT-9
#[tokio::test]
async fn dates_of_the_hybrid_calendar_keep_their_names() {
    let batch = batch(vec![("d", Arc::new(Date32Array::from(vec![-141_428])))]);
    let read_with = async |key: &str, value: &str| {
        let entry = parquet::file::metadata::KeyValue::new(key.to_owned(), Some(value.to_owned()));
        let properties = WriterProperties::builder().set_key_value_metadata(Some(vec![entry])).build();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        let got = read(writer.into_inner().unwrap(), &schema(vec![("d", DataType::Date)])).await.unwrap();
        got.column(0).as_primitive::<arrow::datatypes::Date32Type>().value(0)
    };
    // 1582-10-04 was the day before 1582-10-15; in the Gregorian calendar that name is ten days earlier.
    assert_eq!(read_with("org.apache.spark.legacyDateTime", "").await, -141_438);
    assert_eq!(read_with("org.apache.spark.version", "2.4.5").await, -141_438);
    assert_eq!(read_with("org.apache.spark.version", "3.5.0").await, -141_428);
    assert_eq!(read_with("who", "else").await, -141_428);
}

// spec: DAT-10
#[tokio::test]
async fn old_encodings_of_lists_and_maps_are_read() {
    use parquet::data_type::{ByteArrayType, Int32Type as ParquetInt32};
    use parquet::file::writer::SerializedFileWriter;
    let parsed = parquet::schema::parser::parse_message_type(
        "message m {
           optional group two (LIST) { repeated int32 array; }
           optional group bag (LIST) { repeated group bag { optional int32 array; } }
           optional group old (MAP_KEY_VALUE) { repeated group map { required binary key (UTF8); optional int32 value; } }
         }",
    )
    .unwrap();
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(parsed), Default::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut next = |levels: &[i16]| {
        let mut column = group.next_column().unwrap().unwrap();
        if let parquet::column::writer::ColumnWriter::ByteArrayColumnWriter(_) = column.untyped() {
            column.typed::<ByteArrayType>().write_batch(&["k".into(), "l".into()], Some(levels), Some(&[0, 1])).unwrap();
        } else {
            column.typed::<ParquetInt32>().write_batch(&[1, 2], Some(levels), Some(&[0, 1])).unwrap();
        }
        column.close().unwrap();
    };
    next(&[2, 2]);
    next(&[3, 3]);
    next(&[2, 2]);
    next(&[3, 3]);
    group.close().unwrap();
    let ints = || DataType::Array { element: Box::new(DataType::Long), contains_null: true };
    let map = DataType::Map { key: Box::new(DataType::String), value: Box::new(DataType::Integer), value_contains_null: true };
    let got = read(writer.into_inner().unwrap(), &schema(vec![("two", ints()), ("bag", ints()), ("old", map)])).await.unwrap();
    assert!(text(&got).contains("| [1, 2] | [1, 2] | {k: 1, l: 2} |"), "{}", text(&got));
}

#[test]
fn task_survives_its_text() {
    let mut t = task();
    t.partition_values.insert("p".into(), None);
    t.num_records = Some(5);
    assert_eq!(serde_json::from_str::<FileTask>(&serde_json::to_string(&t).unwrap()).unwrap(), t);
}

// spec: VAR-1
#[tokio::test]
async fn variants_come_out_whole() {
    use parquet_variant_compute::{VariantType, json_to_variant, shred_variant};
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some(r#"{"a":1,"b":"x"}"#), None, Some("[1,null]"), Some(r#"{"a":"text"}"#)]));
    let whole = json_to_variant(&texts).unwrap();
    let shape = ArrowType::Struct(Fields::from(vec![ArrowField::new("a", ArrowType::Int64, true)]));
    let shredded = shred_variant(&whole, &shape).unwrap();
    for array in [whole, shredded] {
        let array: ArrayRef = Arc::new(array.into_inner());
        let field = ArrowField::new("v", array.data_type().clone(), true).with_extension_type(VariantType);
        let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![array]).unwrap();
        let got = read(file(&batch), &schema(vec![("v", DataType::Variant)])).await.unwrap();
        let texts: Vec<Option<String>> = (0..4).map(|i| crate::data::variant::json_text(got.column(0), i).unwrap()).collect();
        let want = [Some(r#"{"a":1,"b":"x"}"#), None, Some("[1,null]"), Some(r#"{"a":"text"}"#)];
        assert_eq!(texts.iter().map(|t| t.as_deref()).collect::<Vec<_>>(), want);
        assert_eq!(got.schema().field(0).extension_type_name(), Some("arrow.parquet.variant"));
    }
}

/// The same rows with and without pruning.
async fn matching(body: &[u8], table: &Struct, filter: &str) -> (Vec<RecordBatch>, u64, u64) {
    let store = Arc::new(InMemory::new());
    store.put_opts(&Path::from("t/a.parquet"), body.to_vec().into(), Default::default()).await.unwrap();
    let root = TableRoot::with_store(Url::parse("memory:///t/").unwrap(), store, Path::from("t"));
    let filter = crate::expr::Expr::sql(filter).unwrap().bind(table).unwrap();
    let mut answers = Vec::new();
    let mut bytes = Vec::new();
    for pruner in [None, Some(Pruner::new(&filter, table).unwrap())] {
        let wanted = wanted(table, table, &[], &|_| None, None).unwrap();
        let reading = Reading {
            root: root.clone(),
            env: Env::system().with_threads(1),
            shown: wanted.len(),
            schema: schema_of(&wanted),
            wanted,
            filter: Some(filter.clone()),
            pruner,
            by_partition: false,
            limit: None,
            whole: 0,
            counted: false,
            bytes_read: Arc::default(),
            hidden: Vec::new(),
        };
        let (schema, read) = (Arc::clone(&reading.schema), Arc::clone(&reading.bytes_read));
        let flow = Flow::new(Arc::new(reading));
        let batches: Vec<RecordBatch> = flow.run(futures::stream::iter([Ok((task(), Rows::All))]).boxed()).try_collect().await.unwrap();
        answers.push(arrow::compute::concat_batches(&schema, &batches).unwrap());
        bytes.push(read.load(std::sync::atomic::Ordering::Relaxed));
    }
    (answers, bytes[0], bytes[1])
}

// spec: DAT-11
#[tokio::test]
async fn pruning_never_changes_an_answer_and_reads_less() {
    let rows = 20_000;
    let decimal = Decimal128Array::from_iter_values((0..rows).map(|i| i128::from(i) * 3 - 9_000)).with_precision_and_scale(12, 2).unwrap();
    let floats = Float64Array::from_iter((0..rows).map(|i| match i % 1000 {
        0 => Some(f64::NAN),
        1 => None,
        2 => Some(-0.0),
        _ => Some(i as f64 / 7.0),
    }));
    let nested = StructArray::from(vec![(
        Arc::new(ArrowField::new("x", ArrowType::Int64, true)),
        Arc::new(Int64Array::from_iter_values(0..rows)) as ArrayRef,
    )]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("i", Arc::new(Int32Array::from_iter((0..rows as i32).map(|i| (i % 50 != 3).then_some(i))))),
        ("s", Arc::new(StringArray::from_iter_values((0..rows).map(|i| format!("key {i:06}"))))),
        ("d", Arc::new(decimal)),
        ("f", Arc::new(floats)),
        ("n", Arc::new(nested)),
        ("t", Arc::new(TimestampMicrosecondArray::from_iter_values((0..rows).map(|i| i * 1_000_003)).with_timezone("UTC"))),
        ("b", Arc::new(BooleanArray::from_iter((0..rows).map(|i| Some(i > 15_000))))),
    ];
    let batch = batch(columns);
    // Row groups of 7,000 rows; pages of different columns end at different rows.
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(7_000))
        .set_data_page_size_limit(3_000)
        .set_write_batch_size(100)
        .set_dictionary_enabled(false);
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties.build())).unwrap();
    writer.write(&batch).unwrap();
    let body = writer.into_inner().unwrap();
    let table = schema(vec![
        ("i", DataType::Long),
        ("s", DataType::String),
        ("d", DataType::Decimal { precision: 12, scale: 2 }),
        ("f", DataType::Double),
        ("n", DataType::Struct(schema(vec![("x", DataType::Long)]))),
        ("t", DataType::Timestamp),
        ("b", DataType::Boolean),
    ]);
    for (filter, less) in [
        ("s = 'key 001234'", true),
        ("s >= 'key 019990' AND i < 19995", true),
        ("s LIKE 'key 0077%' OR d = 100.02", true),
        ("d BETWEEN -10 AND -5.01", true),
        ("n.x > 19990 OR n.x < 3", true),
        ("t > TIMESTAMP '1970-01-01 05:33:00Z'", true),
        ("b AND s < 'key 015003'", true),
        ("i = 7", false),
        ("i IS NULL AND n.x < 200", true),
        ("f > 2850", false),
        ("f < 1", false),
        ("f = 0", false),
        ("s = 'nowhere'", true),
        ("NOT (n.x < 19900) AND f IS NOT NULL", true),
    ] {
        let (answers, all, pruned) = matching(&body, &table, filter).await;
        assert_eq!(answers[0], answers[1], "{filter}");
        assert!(!less || pruned < all / 2, "{filter}: {pruned} of {all} bytes");
    }
    let (answers, ..) = matching(&body, &table, "f > 2850").await;
    assert!(answers[0].num_rows() > 20, "NaN is above every number");
}

// spec: DAT-3
#[tokio::test]
async fn panic_of_the_decoder_becomes_an_error_that_names_the_file() {
    let reading = Reading {
        root: TableRoot::with_store(Url::parse("memory:///t/").unwrap(), Arc::new(InMemory::new()), Path::from("t")),
        env: Env::system(),
        // More columns are shown than there are: a defect, which slicing answers with a panic.
        shown: 9,
        schema: Arc::new(Schema::empty()),
        wanted: Vec::new(),
        filter: None,
        pruner: None,
        by_partition: false,
        limit: None,
        whole: 0,
        counted: false,
        bytes_read: Arc::default(),
        hidden: Vec::new(),
    };
    let store = Arc::clone(reading.root.store());
    store.put_opts(&Path::from("t/a.parquet"), file(&batch(vec![("a", ints([1]))])).into(), Default::default()).await.unwrap();
    let flow = Flow::new(Arc::new(reading));
    let e = flow.run(futures::stream::iter([Ok((task(), Rows::All))]).boxed()).try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(e.code(), Code::FILE);
    assert!(e.to_string().contains("a.parquet"), "{e}");
}

// spec: DAT-11
#[tokio::test]
async fn bloom_filters_rule_out_row_groups_that_bounds_cannot() {
    let rows = 20_000i64;
    let scattered = |i: i64| (i * 7_919) % 1_000_003;
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("l", Arc::new(Int64Array::from_iter_values((0..rows).map(scattered)))),
        ("s", Arc::new(StringArray::from_iter_values((0..rows).map(|i| format!("{:x}", scattered(i)))))),
    ];
    let batch = batch(columns);
    let properties = WriterProperties::builder().set_bloom_filter_enabled(true).set_max_row_group_row_count(Some(5_000));
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties.build())).unwrap();
    writer.write(&batch).unwrap();
    let body = writer.into_inner().unwrap();
    let table = schema(vec![("l", DataType::Long), ("s", DataType::String)]);
    let (there, there_text, absent) = (scattered(777), format!("{:x}", scattered(12_345)), 500_000);
    assert!((0..rows).all(|i| scattered(i) != absent));
    // More of them than are compared one by one, all within the bounds.
    let held: std::collections::BTreeSet<i64> = (0..rows).map(scattered).collect();
    let absents: Vec<String> = (400_000..).filter(|l| !held.contains(l)).take(40).map(|l| l.to_string()).collect();
    for (filter, count, reads_less) in [
        (format!("l = {there}"), 1, true),
        (format!("s = '{there_text}' AND l >= 0"), 1, true),
        (format!("l = {absent}"), 0, true),
        (format!("l = {absent} OR s = '{there_text}'"), 1, true),
        (format!("l = {there} OR l >= 0"), rows as usize, false),
        (format!("l IN ({})", absents.join(", ")), 0, true),
        (format!("l IN ({}, {there})", absents.join(", ")), 1, true),
    ] {
        let (answers, all, pruned) = matching(&body, &table, &filter).await;
        assert_eq!(answers[0], answers[1], "{filter}");
        assert_eq!(answers[1].num_rows(), count, "{filter}");
        assert!(!reads_less || pruned < all * 3 / 4, "{filter}: {pruned} of {all} bytes");
    }
}
