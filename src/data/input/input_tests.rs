use super::*;
use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::util::pretty::pretty_format_batches;
use futures::TryStreamExt;
use std::io::Write;

fn file(ending: &str, content: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(ending).tempfile().unwrap();
    file.write_all(content).unwrap();
    file
}

async fn open(files: &[&tempfile::NamedTempFile], table: Option<&Struct>) -> Result<(Struct, Vec<RecordBatch>)> {
    let inputs = files.iter().map(|f| Input::named(f.path().to_str().unwrap())).collect();
    let rows = Input::open(inputs, table, &Env::system()).await?;
    let schema = Struct::from_arrow(&rows.schema)?;
    Ok((schema, rows.batches.try_collect().await?))
}

fn types(s: &Struct) -> String {
    s.fields.iter().map(|f| format!("{} {}", f.name, f.data_type)).collect::<Vec<_>>().join(", ")
}

fn shown(batches: &[RecordBatch]) -> Vec<String> {
    let text = pretty_format_batches(batches).unwrap().to_string();
    let cells = |l: &str| l.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>().join("|");
    text.lines().filter(|l| l.starts_with('|')).skip(1).map(cells).collect()
}

fn table(columns: &[(&str, DataType)]) -> Struct {
    Struct { fields: columns.iter().map(|(n, t)| Field::new(*n, t.clone(), true)).collect() }
}

#[tokio::test]
async fn csv_types_are_found_and_an_unquoted_empty_field_is_null() {
    // spec: INP-1, INP-2
    let csv = file(".csv", b"\xef\xbb\xbfid,price,day,at,note\r\n1,1.5,2020-02-29,2020-01-01T10:00:00Z,\"\"\r\n-2,3,2020-03-01,2020-01-01,\r\n,,,,\"a \"\"b\"\",\n2\"\r\n");
    let (schema, batches) = open(&[&csv], None).await.unwrap();
    assert_eq!(types(&schema), "id bigint, price double, day date, at timestamp, note string");
    assert_eq!(batches[0].num_rows(), 3);
    let note = batches[0].column(4).as_any().downcast_ref::<StringArray>().unwrap();
    assert_eq!(note, &StringArray::from(vec![Some(""), None, Some("a \"b\",\n2")]));
    assert!((0..4).all(|c| batches[0].column(c).is_null(2)));
}

#[tokio::test]
async fn what_is_no_number_and_no_date_is_text() {
    // spec: INP-1
    let csv = file(".csv", b"a,b,c,d,e,f\n1,99999999999999999999,2020-02-30,nan,1.2.3,true\nx,1,1,inf,2,1\n");
    let (schema, _) = open(&[&csv], None).await.unwrap();
    assert_eq!(types(&schema), "a string, b string, c string, d string, e string, f string");
}

#[tokio::test]
async fn csv_takes_the_types_of_the_table_and_names_the_line_that_does_not_fit() {
    // spec: INP-3
    let t = table(&[("ID", DataType::Integer), ("price", DataType::Decimal { precision: 6, scale: 2 })]);
    let good = file(".csv", b"id,price\n1,1.50\n2,12.3400\n");
    let (schema, batches) = open(&[&good], Some(&t)).await.unwrap();
    assert_eq!(types(&schema), "id int, price decimal(6,2)");
    assert_eq!(shown(&batches), ["1|1.50", "2|12.34"]);
    for (bad, line) in [("id,price\n\"1\n\",1\nx2,1\n", 4), ("id,price\n1,1\n2,1.005\n", 3), ("id,price\n3000000000,1\n", 2)] {
        let e = open(&[&file(".csv", bad.as_bytes())], Some(&t)).await.unwrap_err();
        assert_eq!(e.code(), Code::INPUT, "{e}");
        assert!(e.context().contains(&("line", line.to_string())), "{e}");
    }
}

#[tokio::test]
async fn broken_csv_is_refused_with_its_line() {
    // spec: INP-2
    for (bad, line) in [("a,b\n1,2\n1\n", "3"), ("a,b\n1,\"2\n", "2"), ("a,b\n\"1\"x,2\n", "2"), ("a,a\n", ""), ("", "")] {
        let e = open(&[&file(".csv", bad.as_bytes())], None).await.unwrap_err();
        assert_eq!(e.code(), Code::INPUT, "{bad:?}: {e}");
        assert!(line.is_empty() || e.context().contains(&("line", line.to_owned())), "{e}");
    }
}

#[tokio::test]
async fn a_value_beyond_the_part_that_was_looked_at_is_refused_by_line_not_lost() {
    // spec: INP-4
    let mut content = b"n\n".to_vec();
    (0..100_001).for_each(|i| content.extend(format!("{i}\n").bytes()));
    content.extend(b"many\n");
    let (schema, rows, is_behind) = csv::open(Box::new(Cursor::new(content.clone())), None, false).unwrap();
    assert_eq!((schema.field(0).data_type(), is_behind), (&ArrowType::Int64, false));
    let e = rows.filter_map(Result::err).next().unwrap();
    assert!(e.context().contains(&("line", "100003".to_owned())), "{e}");
    assert!(e.next_step().is_some_and(|help| help.contains("create --schema")), "{e}");
    // A file can be read twice, so all of it is looked at.
    let (schema, batches) = open(&[&file(".csv", &content)], None).await.unwrap();
    assert_eq!((types(&schema).as_str(), batches.iter().map(RecordBatch::num_rows).sum::<usize>()), ("n string", 100_002));
    assert_eq!(shown(&batches[..1])[0], "0");
    let e = open(&[&file(".csv", &content)], Some(&table(&[("n", DataType::Long)]))).await.unwrap_err();
    assert!(e.context().contains(&("line", "100003".to_owned())), "{e}");
}

/// Gives what it holds in pieces.
struct Pieces(Vec<&'static [u8]>);

impl Read for Pieces {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        unreachable!("only its buffer is read")
    }
}

impl BufRead for Pieces {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        Ok(self.0.first().copied().unwrap_or_default())
    }
    fn consume(&mut self, n: usize) {
        assert!(self.0.first().is_none_or(|piece| n == piece.len()));
        self.0.drain(..self.0.len().min(1));
    }
}

#[test]
fn the_format_is_told_by_enough_bytes_however_slowly_they_come() {
    // spec: INP-5
    for (pieces, format) in [
        (vec![&b"PA"[..], b"R", b"1\x15\x04more"], InputFormat::Parquet),
        (vec![b"A", b"RROW", b"1\0\0"], InputFormat::Arrow),
        (vec![b"\xff\xff", b"\xff\xff", b"\x10\0\0\0"], InputFormat::Arrow),
        (vec![b"\n", b" ", b"{\"a\":1}"], InputFormat::Ndjson),
        (vec![b"\xef", b"\xbb\xbf", b"{\"a\":1}"], InputFormat::Ndjson),
        (vec![b"\xef\xbb\xbfa,b\n"], InputFormat::Csv),
        (vec![b"a"], InputFormat::Csv),
        (vec![b"{"], InputFormat::Ndjson),
        (vec![], InputFormat::Csv),
    ] {
        let start = start_of(&mut Pieces(pieces.clone())).unwrap();
        assert_eq!(sniff(&start), format, "{pieces:?}");
    }
}

#[tokio::test]
async fn ndjson_may_begin_with_a_byte_order_mark() {
    // spec: INP-2
    for ending in [".ndjson", ""] {
        let (schema, batches) = open(&[&file(ending, b"\xef\xbb\xbf{\"a\":1}\n{\"a\":2}\n")], None).await.unwrap();
        assert_eq!((types(&schema), shown(&batches)), ("a bigint".to_owned(), vec!["1".to_owned(), "2".to_owned()]), "{ending:?}");
    }
    let (_, batches) = open(&[&file(".ndjson", b"\xef\xbb\xbf\n{\"a\":1}\n")], None).await.unwrap();
    assert_eq!(shown(&batches), ["1"]);
}

#[tokio::test]
async fn fields_of_one_name_are_told_by_both_their_spellings() {
    // spec: INP-10
    let t = table(&[("id", DataType::Long)]);
    for (lines, pair) in [
        ("{\"id\":3,\"ID\":4}\n", "`id` and `ID`"),
        ("{\"id\":3}\n{\"ID\":4}\n", "`id` and `ID`"),
        ("{\"s\":[{\"x\":1,\"X\":2}]}\n", "`s.x` and `s.X`"),
    ] {
        for table in [None, Some(&t)] {
            let e = open(&[&file(".ndjson", lines.as_bytes())], table).await.unwrap_err();
            assert!(e.code() == Code::INPUT && e.message().contains(pair), "{lines}: {e}");
        }
    }
}

#[tokio::test]
async fn keys_of_maps_may_differ_in_case_only() {
    // spec: INP-10
    let map = DataType::Map { key: Box::new(DataType::String), value: Box::new(DataType::Long), value_contains_null: true };
    let t = table(&[("m", map)]);
    let (_, batches) = open(&[&file(".ndjson", b"{\"m\":{\"a\":1,\"A\":2}}\n")], Some(&t)).await.unwrap();
    assert_eq!(shown(&batches).len(), 1);
}

#[tokio::test]
async fn ndjson_makes_numbers_dates_and_nested_columns() {
    // spec: INP-1
    let json = file(
        ".ndjson",
        b"{\"i\":1,\"d\":1.5,\"day\":\"2020-01-01\",\"at\":\"2020-01-01T00:00:00Z\",\"s\":\"x\",\"b\":true,\"l\":[1],\"st\":{\"x\":1},\"n\":null}\n\n{\"i\":2,\"d\":2,\"at\":\"2020-01-01\"}\n",
    );
    let (schema, batches) = open(&[&json], None).await.unwrap();
    let mut columns: Vec<String> = schema.fields.iter().map(|f| format!("{} {}", f.name, f.data_type)).collect();
    columns.sort();
    assert_eq!(
        columns,
        ["at timestamp", "b boolean", "d double", "day date", "i bigint", "l array<bigint>", "n string", "s string", "st struct<x:bigint>"]
    );
    assert_eq!(batches[0].num_rows(), 2);
}

#[tokio::test]
async fn json_text_and_numbers_become_decimals_exactly() {
    // spec: INP-3
    let t = table(&[("p", DataType::Decimal { precision: 30, scale: 10 }), ("Day", DataType::Date), ("later", DataType::Long)]);
    let json = file(".json", b"{\"p\":12345678901234567890.1234567891,\"day\":\"2020-01-02\"}\n{\"p\":\"0.1\"}\n{\"later\":7}\n");
    let (schema, batches) = open(&[&json], Some(&t)).await.unwrap();
    assert_eq!(types(&schema), "p decimal(30,10), day date, later bigint");
    assert_eq!(shown(&batches), ["12345678901234567890.1234567891|2020-01-02|", "0.1000000000||", "||7"]);
    let e = open(&[&file(".json", b"{\"p\":1}\n{\"p\":0.12345678901}\n")], Some(&t)).await.unwrap_err();
    assert!(e.context().contains(&("line", "2".to_owned())), "{e}");
}

#[tokio::test]
async fn columns_of_the_table_that_no_line_names_are_left_out() {
    // spec: INP-8
    let t = table(&[("a", DataType::Long), ("b", DataType::Long), ("c", DataType::String)]);
    let (schema, batches) = open(&[&file(".ndjson", b"{\"c\":\"x\"}\n{\"c\":\"y\",\"a\":null}\n")], Some(&t)).await.unwrap();
    assert_eq!((types(&schema).as_str(), batches[0].num_rows()), ("a bigint, c string", 2));
}

#[tokio::test]
async fn a_line_that_is_not_an_object_of_the_columns_is_named() {
    // spec: INP-4
    let e = open(&[&file(".ndjson", b"{\"a\":1}\n\n{\"a\":\n")], None).await.unwrap_err();
    assert!(e.code() == Code::INPUT && e.context().contains(&("line", "3".to_owned())), "{e}");
    let mut late = Vec::new();
    (0..400_000).for_each(|_| late.extend(b"{\"a\":1,\"text\":\"0123456789012345678901234567890\"}\n"));
    late.extend(b"{\"a\":1,\"new\":2}\n");
    let e = open(&[&file(".ndjson", &late)], None).await.unwrap_err();
    assert!(e.context().contains(&("line", "400001".to_owned())), "{e}");
}

fn batch() -> RecordBatch {
    let columns: [(&str, ArrayRef); 2] =
        [("id", Arc::new(Int64Array::from(vec![1, 2]))), ("s", Arc::new(StringArray::from(vec!["a", "b"])))];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn parquet() -> Vec<u8> {
    let mut writer = parquet::arrow::ArrowWriter::try_new(Vec::new(), batch().schema(), None).unwrap();
    writer.write(&batch()).unwrap();
    writer.into_inner().unwrap()
}

#[tokio::test]
async fn parquet_and_both_arrow_formats_are_found_by_their_first_bytes() {
    // spec: INP-5
    let mut arrow_file = arrow::ipc::writer::FileWriter::try_new(Vec::new(), &batch().schema()).unwrap();
    arrow_file.write(&batch()).unwrap();
    let mut arrow_stream = arrow::ipc::writer::StreamWriter::try_new(Vec::new(), &batch().schema()).unwrap();
    arrow_stream.write(&batch()).unwrap();
    for content in [
        parquet(),
        arrow_file.into_inner().unwrap(),
        arrow_stream.into_inner().unwrap(),
        b"id,s\n1,a\n2,b\n".to_vec(),
        b" {\"id\":1,\"s\":\"a\"}\n{\"id\":2,\"s\":\"b\"}".to_vec(),
    ] {
        let (schema, batches) = open(&[&file("", &content)], None).await.unwrap();
        assert_eq!(types(&schema), "id bigint, s string");
        assert_eq!(shown(&batches), ["1|a", "2|b"]);
    }
    for ending in [".parquet", ".arrow"] {
        assert_eq!(open(&[&file(ending, b"nonsense nonsense")], None).await.unwrap_err().code(), Code::INPUT);
    }
}

#[tokio::test]
async fn an_arrow_file_reads_as_a_stream_and_parquet_is_spooled_when_there_is_no_seeking() {
    // spec: INP-5
    let mut arrow_file = arrow::ipc::writer::FileWriter::try_new(Vec::new(), &batch().schema()).unwrap();
    arrow_file.write(&batch()).unwrap();
    let bytes = arrow_file.into_inner().unwrap();
    let (_, rows) = open_arrow(Box::new(std::io::Cursor::new(bytes)), None).unwrap();
    assert_eq!(rows.map(|b| b.unwrap().num_rows()).sum::<usize>(), 2);
    let folder = tempfile::tempdir().unwrap();
    let spool = spooled(&mut parquet().as_slice(), &folder.path().join("spool")).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the spool has no name");
    let (_, rows) = open_parquet(spool).unwrap();
    assert_eq!(rows.map(|b| b.unwrap().num_rows()).sum::<usize>(), 2);
}

#[tokio::test]
async fn several_files_are_read_with_the_types_that_fit_all() {
    // spec: INP-6
    let (a, b) = (file(".csv", b"n,d\n1,2020-01-01\n"), file(".csv", b"n,extra\n1.5,x\n"));
    let (schema, batches) = open(&[&a, &b], None).await.unwrap();
    assert_eq!(types(&schema), "n double, d date, extra string");
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 2);
    assert_eq!(batches[0].column(0).data_type(), &ArrowType::Float64);
    let e = open(&[&a, &file(".parquet", &parquet())], None).await;
    assert!(e.is_ok(), "columns of different names stand side by side");
    let other = file(".csv", b"id\nx\n");
    let e = open(&[&other, &file(".parquet", &parquet())], None).await.unwrap_err();
    assert_eq!(e.code(), Code::SCHEMA);
}

#[tokio::test]
async fn a_missing_file_is_named() {
    let e = Input::open(vec![Input::named("/no/such/file.csv")], None, &Env::system()).await.map(|_| ()).unwrap_err();
    assert!(e.code() == Code::INPUT && e.to_string().contains("/no/such/file.csv"), "{e}");
}

#[tokio::test]
async fn large_values_of_a_parquet_file_come_a_few_at_once() {
    // spec: DAT-16
    let texts = StringArray::from_iter_values((0..20).map(|i| format!("{i}") + &"x".repeat(1 << 20)));
    let rows = RecordBatch::try_from_iter([("s", Arc::new(texts) as ArrayRef)]).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(Vec::new(), rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    let (_, batches) = open(&[&file(".parquet", &writer.into_inner().unwrap())], None).await.unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 20);
    assert!(batches.iter().all(|batch| batch.num_rows() <= 8));
}

#[tokio::test]
async fn no_json_number_changes_to_fit_its_column() {
    // spec: INP-3
    let nested = DataType::Struct(table(&[("d", DataType::Decimal { precision: 5, scale: 2 }), ("n", DataType::Integer)]));
    let t = table(&[("i", DataType::Integer), ("l", DataType::Long), ("f", DataType::Float), ("s", nested)]);
    let good = file(".ndjson", br#"{"i":2.0,"l":"9007199254740993","f":0.5,"s":{"d":1.50,"n":7}}"#);
    assert_eq!(shown(&open(&[&good], Some(&t)).await.unwrap().1), ["2|9007199254740993|0.5|{d: 1.50, n: 7}"]);
    let bad = [
        r#"{"i":1.9}"#,
        r#"{"i":3000000000}"#,
        r#"{"l":9223372036854775808}"#,
        r#"{"f":1e39}"#,
        r#"{"s":{"d":1.005}}"#,
        r#"{"s":{"n":1.5}}"#,
    ];
    for line in bad {
        let e = open(&[&file(".ndjson", line.as_bytes())], Some(&t)).await.unwrap_err();
        assert_eq!(e.code(), Code::INPUT, "{line}: {e}");
    }
}

#[tokio::test]
async fn types_that_would_change_a_value_are_not_found() {
    // spec: INP-1
    let ids =
        file(".ndjson", b"{\"id\":18446744073709551557,\"mixed\":9007199254740993,\"fine\":1}\n{\"id\":1,\"mixed\":0.5,\"fine\":0.5}\n");
    let (schema, batches) = open(&[&ids], None).await.unwrap();
    assert_eq!(types(&schema), "id string, mixed string, fine double");
    assert_eq!(shown(&batches), ["18446744073709551557|9007199254740993|1.0", "1|0.5|0.5"]);
    let zips = file(".csv", b"zip,n\n00501,0\n10001,10\n");
    let (schema, batches) = open(&[&zips], None).await.unwrap();
    assert_eq!((types(&schema).as_str(), shown(&batches)), ("zip string, n bigint", vec!["00501|0".to_owned(), "10001|10".to_owned()]));
}

#[tokio::test]
async fn text_of_times_is_taken_whole_or_refused() {
    // spec: INP-3
    let t = table(&[("at", DataType::Timestamp), ("wall", DataType::TimestampNtz), ("d", DataType::Double)]);
    let good = file(".csv", b"at,wall,d\n2020-01-01T00:00:00.123456+02:00,2020-01-01 10:00:00,Infinity\n");
    let (_, batches) = open(&[&good], Some(&t)).await.unwrap();
    assert_eq!(shown(&batches), ["2019-12-31T22:00:00.123456Z|2020-01-01T10:00:00|inf"]);
    for bad in ["2020-01-01T00:00:00.1234567Z,,", ",2020-01-01T00:00:00+02:00,", ",,1e400"] {
        let e = open(&[&file(".csv", format!("at,wall,d\n{bad}\n").as_bytes())], Some(&t)).await.unwrap_err();
        assert_eq!(e.code(), Code::INPUT, "{bad}: {e}");
    }
}

#[tokio::test]
async fn old_parquet_files_of_spark_keep_their_dates_at_any_depth() {
    // spec: INP-7
    use arrow::array::{Date32Array, StructArray, TimestampMicrosecondArray};
    use parquet::file::metadata::KeyValue;
    use parquet::file::properties::WriterProperties;
    let days = || Arc::new(Date32Array::from(vec![Some(-141_428), Some(0), None])) as ArrayRef;
    let micros = TimestampMicrosecondArray::from(vec![-141_428 * 86_400_000_000, 0, 1]).with_timezone("UTC");
    let inner = StructArray::from(vec![(Arc::new(arrow::datatypes::Field::new("d", ArrowType::Date32, true)), days())]);
    let rows =
        RecordBatch::try_from_iter([("d", days()), ("s", Arc::new(inner) as ArrayRef), ("t", Arc::new(micros) as ArrayRef)]).unwrap();
    for (mark, first) in [
        (Some("org.apache.spark.legacyDateTime"), "1582-10-04|{d: 1582-10-04}|1582-10-04T00:00:00Z"),
        (None, "1582-10-14|{d: 1582-10-14}|1582-10-14T00:00:00Z"),
    ] {
        let marks = mark.map(|key| vec![KeyValue::new(key.to_owned(), String::new())]);
        let properties = WriterProperties::builder().set_key_value_metadata(marks).build();
        let mut writer = parquet::arrow::ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties)).unwrap();
        writer.write(&rows).unwrap();
        let (_, batches) = open(&[&file(".parquet", &writer.into_inner().unwrap())], None).await.unwrap();
        assert_eq!(shown(&batches)[..2], [first, "1970-01-01|{d: 1970-01-01}|1970-01-01T00:00:00Z"]);
    }
}

#[tokio::test]
async fn a_pipe_among_several_inputs_is_refused() {
    // spec: INP-6
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.csv");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    let csv = file(".csv", b"a\n1\n");
    let inputs = [csv.path(), &pipe].map(|p| Input::named(p.to_str().unwrap())).into();
    let e = Input::open(inputs, None, &Env::system()).await.err().unwrap();
    assert!(e.code() == Code::INPUT && e.message().contains("pipe"), "{e}");
}
