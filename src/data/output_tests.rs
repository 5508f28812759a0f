use super::*;
use arrow::array::*;
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::Int32Type;
use parquet_variant_compute::json_to_variant;

fn rows() -> RecordBatch {
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some(r#"{"b":[1,null],"a":1.50}"#), None, Some("null")]));
    let variant = variant::unshredded(&(Arc::new(json_to_variant(&texts).unwrap().into_inner()) as ArrayRef)).unwrap();
    let nested = StructArray::from(vec![
        (Arc::new(ArrowField::new("v", variant.data_type().clone(), true)), Arc::clone(&variant)),
        (Arc::new(ArrowField::new("n", ArrowType::Int32, true)), Arc::new(Int32Array::from(vec![Some(1), None, None]))),
    ]);
    let entries = StructArray::from(vec![
        (Arc::new(ArrowField::new("key", ArrowType::Int32, false)), Arc::new(Int32Array::from(vec![7, 8])) as ArrayRef),
        (Arc::new(ArrowField::new("value", ArrowType::Float64, true)), Arc::new(Float64Array::from(vec![Some(f64::NAN), None]))),
    ]);
    let field = Arc::new(ArrowField::new("key_value", entries.data_type().clone(), false));
    let map = MapArray::new(field, OffsetBuffer::from_lengths([2, 0, 0]), entries, Some(vec![true, true, false].into()), false);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("s", Arc::new(StringArray::from(vec![Some("a \"b\", c"), Some(""), None]))),
        ("d", Arc::new(Decimal128Array::from(vec![Some(1250), Some(-1), None]).with_precision_and_scale(6, 3).unwrap())),
        ("t", Arc::new(TimestampMicrosecondArray::from(vec![Some(1), Some(0), None]).with_timezone("UTC"))),
        ("f", Arc::new(Float64Array::from(vec![Some(f64::INFINITY), Some(0.1), None]))),
        ("m", Arc::new(map)),
        ("v", variant),
        ("x", Arc::new(nested)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap()
}

fn written(format: RowFormat) -> Vec<u8> {
    let batch = rows();
    let mut writer = RowWriter::new(format, &batch.schema(), Vec::new()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap()
}

// spec: DAT-13 VAR-2
#[test]
fn ndjson_says_everything_that_json_can() {
    let text = String::from_utf8(written(RowFormat::Ndjson)).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        r#"{"s":"a \"b\", c","d":1.250,"t":"1970-01-01T00:00:00.000001Z","f":"Infinity","m":{"7":"NaN","8":null},"v":"{\"a\":1.5,\"b\":[1,null]}","x":{"v":"{\"a\":1.5,\"b\":[1,null]}","n":1}}"#
    );
    assert_eq!(lines[1], r#"{"s":"","d":-0.001,"t":"1970-01-01T00:00:00Z","f":0.1,"m":{},"v":null,"x":{"v":null,"n":null}}"#);
    assert_eq!(lines.len(), 3);
}

// spec: DAT-13
#[test]
fn csv_tells_null_from_empty_and_quotes_what_it_must() {
    let text = String::from_utf8(written(RowFormat::Csv)).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "s,d,t,f,m,v,x");
    assert!(lines[1].starts_with(r#""a ""b"", c",1.250,1970-01-01T00:00:00.000001Z,inf,"#), "{}", lines[1]);
    assert!(lines[2].starts_with(r#""",-0.001,"#), "{}", lines[2]);
    assert!(lines[3].starts_with(",,,,,null,"), "{}", lines[3]);
}

// spec: VAR-2
#[test]
fn columns_with_variants_become_text_as_a_whole() {
    let batch = variants_as_text(&rows()).unwrap();
    let texts = |name: &str| {
        let column = batch.column_by_name(name).unwrap().as_string::<i32>();
        column.iter().map(|t| t.map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(texts("v"), [Some(r#"{"a":1.5,"b":[1,null]}"#.into()), None, Some("null".into())]);
    assert_eq!(texts("x"), [Some(r#"{"v":{"a":1.5,"b":[1,null]},"n":1}"#.into()), Some("{}".into()), Some(r#"{"v":null}"#.into())]);
    assert_eq!(batch.column_by_name("m").unwrap(), rows().column_by_name("m").unwrap());
}

// spec: DAT-13
#[test]
fn parquet_and_arrow_files_read_back_equal() {
    let bytes = bytes::Bytes::from(written(RowFormat::Parquet));
    let mut reader = parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(bytes, 100).unwrap();
    let back = reader.next().unwrap().unwrap();
    assert_eq!(back.columns()[..4], rows().columns()[..4]);
    assert_eq!(back.column(6).as_struct().column(1).as_primitive::<Int32Type>().null_count(), 2);
    let file = std::io::Cursor::new(written(RowFormat::Arrow));
    let back = arrow::ipc::reader::FileReader::try_new(file, None).unwrap().next().unwrap().unwrap();
    assert_eq!(back.columns(), rows().columns());
}

#[test]
fn endings_name_formats() {
    assert_eq!(RowFormat::of_path("a/b.CSV").unwrap(), RowFormat::Csv);
    assert_eq!(RowFormat::of_path("a/b").unwrap_err().code(), Code::INPUT);
}
