//! Checkpoints that other writers made: odd columns, structs of nulls, broken files, sidecars; and what of a large file is read.

use crate::support::log_files::{LogFiles, PROTOCOL, PROTOCOL_V2, add, metadata};
use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StructArray, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields};
use bytes::Bytes;
use futures::TryStreamExt;
use lakebed::{Code, Error, FileQuery, Snapshot};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::sync::Arc;

fn lines(more: &[&str]) -> Vec<String> {
    let mut lines = vec![PROTOCOL.to_owned(), metadata("first", "{}"), add("a%20b", 10), add("c", 11)];
    lines.extend(more.iter().map(|l| (*l).to_owned()));
    lines
}

/// The same file with each column changed.
fn rewritten(body: Vec<u8>, change: impl Fn(&str, &StructArray) -> Option<StructArray>) -> Vec<u8> {
    let batches = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(body)).unwrap().build().unwrap();
    let changed: Vec<RecordBatch> = batches
        .map(|batch| {
            let batch = batch.unwrap();
            let schema = batch.schema();
            let columns = schema.fields().iter().zip(batch.columns());
            let columns = columns.filter_map(|(f, c)| Some((f.name(), Arc::new(change(f.name(), c.as_struct())?) as ArrayRef, true)));
            RecordBatch::try_from_iter_with_nullable(columns).unwrap()
        })
        .collect();
    let mut out = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut out, changed[0].schema(), None).unwrap();
    changed.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.close().unwrap();
    out
}

async fn files(snapshot: &Arc<Snapshot>) -> Result<Vec<(String, i64, bool)>, Error> {
    let batches: Vec<_> = snapshot.files(FileQuery::default()).try_collect().await?;
    let row = |b: &lakebed::FileBatch, r: usize| (b.path(r).to_owned(), b.size(r), b.vector(r).is_some());
    let mut files: Vec<_> = batches.iter().flat_map(|b| (0..b.len()).map(move |r| row(b, r))).collect();
    files.sort();
    Ok(files)
}
fn expected() -> Vec<(String, i64, bool)> {
    [("a%20b", 10), ("c", 11), ("f11", 10)].map(|(path, size)| (path.to_owned(), size, false)).to_vec()
}
fn path_of(e: &Error) -> &str {
    e.context().iter().find(|(k, _)| *k == "path").map_or("", |(_, v)| v)
}

// spec: CKP-3
#[tokio::test]
async fn columns_that_are_missing_foreign_or_of_another_form_do_not_stop_reading() {
    let log = LogFiles::new();
    let body = rewritten(log.parquet_body(&lines(&[])), |name, column| match name {
        "add" => {
            let text = |name: &str| cast(column.column_by_name(name).unwrap(), &DataType::LargeUtf8).unwrap();
            let words = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            let columns: Vec<(&str, ArrayRef)> = vec![
                ("unheardOf", Arc::new(Int64Array::from(vec![5; column.len()]))),
                ("size", cast(column.column_by_name("size").unwrap(), &DataType::Int32).unwrap()),
                ("stats", cast(&text("stats"), &words).unwrap()),
                ("path", text("path")),
            ];
            let fields: Fields = columns.iter().map(|(name, c)| Field::new(*name, c.data_type().clone(), true)).collect();
            let columns = columns.into_iter().map(|(_, c)| c).collect();
            Some(StructArray::new(fields, columns, column.nulls().cloned()))
        }
        "protocol" | "metaData" => Some(column.clone()),
        "txn" => Some(StructArray::new(
            Fields::from(vec![Field::new("x", DataType::Int64, true)]),
            vec![new_null_array(&DataType::Int64, column.len())],
            None,
        )),
        _ => None,
    });
    log.put(&format!("{:020}.checkpoint.parquet", 10), body).await;
    log.commits(11, 11).await;
    let snapshot = log.table.snapshot().await.unwrap();
    assert!(snapshot.warnings().is_empty(), "{:?}", snapshot.warnings());
    assert_eq!(files(&snapshot).await.unwrap(), expected());
    let records: Vec<_> = snapshot.files(FileQuery::default().records()).try_collect().await.unwrap();
    assert!(records.iter().all(|b| (0..b.len()).all(|r| b.num_records(r) == Some(1))));
}

// spec: CKP-4
#[tokio::test]
async fn structs_of_nulls_are_no_actions_and_no_vectors() {
    let log = LogFiles::new();
    let txn = r#"{"txn":{"appId":"app","version":3}}"#;
    let removed = r#"{"remove":{"path":"gone","deletionTimestamp":1,"dataChange":true}}"#;
    let body = rewritten(log.parquet_body(&lines(&[txn, removed])), |name, column| {
        let (mut fields, mut columns) = (column.fields().to_vec(), column.columns().to_vec());
        if name == "add" {
            let parts: Fields = ["storageType", "pathOrInlineDv"].map(|n| Field::new(n, DataType::Utf8, true)).to_vec().into();
            let nulls = parts.iter().map(|f| new_null_array(f.data_type(), column.len())).collect();
            let vector = StructArray::new(parts, nulls, None);
            fields.push(Arc::new(Field::new("deletionVector", vector.data_type().clone(), true)));
            columns.push(Arc::new(vector));
        }
        Some(StructArray::new(fields.into(), columns, None))
    });
    log.put(&format!("{:020}.checkpoint.parquet", 10), body).await;
    log.commits(11, 11).await;
    let snapshot = log.table.snapshot().await.unwrap();
    assert!(snapshot.warnings().is_empty(), "{:?}", snapshot.warnings());
    assert_eq!(files(&snapshot).await.unwrap(), expected());
    assert_eq!(snapshot.app_version("app").await.unwrap(), Some(3));
    assert_eq!(snapshot.app_versions().await.unwrap().len(), 1);
}

// spec: CKP-5
#[tokio::test]
async fn a_file_that_is_torn_or_not_parquet_is_named() {
    let good = LogFiles::new().parquet_body(&lines(&[]));
    let (half, mut hollow) = (good.len() / 2, good.clone());
    hollow[4..half].fill(0xAA);
    for body in [b"no Parquet at all".to_vec(), good[..half].to_vec(), good[half..].to_vec(), good[..good.len() - 1].to_vec(), hollow] {
        let log = LogFiles::new();
        let name = format!("{:020}.checkpoint.parquet", 10);
        log.put(&name, body).await;
        log.commits(11, 11).await;
        let error = match log.table.snapshot().await {
            Ok(snapshot) => files(&snapshot).await.unwrap_err(),
            Err(e) => e,
        };
        assert_eq!((error.code(), path_of(&error)), (Code::CKPT, name.as_str()), "{error:?}");
    }
}

// spec: CKP-5, CKP-6
#[tokio::test]
async fn sidecars_are_read_where_their_names_say_and_a_missing_one_is_named() {
    let log = LogFiles::new();
    let sidecar = |path: &str, size: usize| format!(r#"{{"sidecar":{{"path":"{path}","sizeInBytes":{size},"modificationTime":1}}}}"#);
    let (one, two) = (log.parquet_body(&[add("a%20b", 10)]), log.parquet_body(&[add("c", 11)]));
    let mark = r#"{"checkpointMetadata":{"version":10}}"#;
    let name = format!("{:020}.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.parquet", 10);
    let named = [sidecar("one.parquet", one.len()), sidecar("memory:///t/_delta_log/_sidecars/two.parquet", two.len())];
    log.parquet(&name, &[mark, PROTOCOL_V2, &metadata("first", "{}"), &named[0], &named[1]]).await;
    log.commits(11, 11).await;
    log.put("_sidecars/one.parquet", one).await;
    log.put("_sidecars/two.parquet", two).await;
    assert_eq!(files(&log.table.snapshot().await.unwrap()).await.unwrap(), expected());
    log.delete("_sidecars/one.parquet").await;
    let error = files(&log.table.snapshot().await.unwrap()).await.unwrap_err();
    assert_eq!((error.code(), path_of(&error)), (Code::CKPT, "one.parquet"), "{error:?}");
}

// spec: CKP-1, CKP-2
#[tokio::test]
async fn of_a_large_file_only_the_wanted_columns_are_read() {
    let log = LogFiles::new();
    // Paths that do not compress, so that the file is far larger than what is read at once.
    let path = |i: u64| {
        let word = |k: u64| (i * 4 + k + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        format!("{:016x}{:016x}{:016x}{:016x}", word(0), word(1), word(2), word(3))
    };
    let mut all = lines(&[]);
    all.extend((0..75_000).map(|i| add(&path(i), i as i64)));
    let mut body = log.parquet_body(&all);
    assert!(body.len() > 5 << 20, "{}", body.len());
    let footer = parquet::file::metadata::ParquetMetaDataReader::new().parse_and_finish(&Bytes::from(body.clone())).unwrap();
    let chunks = |leaf: &str| -> Vec<std::ops::Range<usize>> {
        let columns = footer.row_groups().iter().flat_map(|g| g.columns());
        let ranges = columns.filter(|c| c.column_path().string() == leaf).map(|c| c.byte_range());
        ranges.map(|(start, length)| start as usize..(start + length) as usize).collect()
    };
    // Statistics are damaged everywhere: whoever looks at them fails.
    chunks("add.stats").into_iter().for_each(|chunk| body[chunk].fill(0xAA));
    let name = format!("{:020}.checkpoint.parquet", 10);
    log.put(&name, body.clone()).await;
    log.commits(11, 11).await;
    let snapshot = log.table.snapshot().await.unwrap();
    assert_eq!(files(&snapshot).await.unwrap().len(), 75_003);
    let full: Result<Vec<_>, Error> = snapshot.files(FileQuery::default().full()).try_collect().await;
    assert_eq!(full.unwrap_err().code(), Code::CKPT);
    // And now paths too: version and schema do not need them.
    chunks("add.path").into_iter().for_each(|chunk| body[chunk].fill(0xAA));
    log.put(&name, body).await;
    let snapshot = log.table.snapshot().await.unwrap();
    assert_eq!(snapshot.state().metadata().id, "first");
    assert_eq!(files(&snapshot).await.unwrap_err().code(), Code::CKPT);
}
