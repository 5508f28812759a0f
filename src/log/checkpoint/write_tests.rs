use super::*;
use crate::log::checkpoint::{ParquetFile, ReadPlan, read_small_of};
use crate::log::stats::{StatsLeaf, leaves_of};
use crate::log::{Add, DomainMetadata, NullableMap, Protocol, Txn, VectorDescriptor, decode_commit};
use crate::schema::{DataType as Type, Struct};
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

fn schema() -> Struct {
    let inner = Struct { fields: vec![SchemaField::new("x", Type::Date, true), SchemaField::new("flag", Type::Boolean, true)] };
    Struct { fields: vec![SchemaField::new("a", Type::Long, true), SchemaField::new("s", Type::Struct(inner), true)] }
}
fn columns() -> FileColumns {
    let leaves = leaves_of(&schema()).into_iter().map(|(path, t)| StatsLeaf::new(path, t).unwrap()).collect();
    FileColumns { partitions: vec![SchemaField::new("p", Type::Integer, true)], stats: StatsReader::new(leaves), text: true, parsed: true }
}
fn add(i: i64) -> Add {
    let value = if i % 3 == 0 { None } else { Some((i % 3).to_string()) };
    Add {
        path: format!("p=1/part-{i:05}.parquet"),
        partition_values: NullableMap::from([("p".to_owned(), value)]),
        size: 100 + i,
        modification_time: i,
        data_change: false,
        stats: (i % 5 != 0).then(|| {
            format!(
                r#"{{"numRecords":{i},"minValues":{{"a":{i},"s":{{"x":"2020-01-01"}}}},"maxValues":{{"a":{i}}},"nullCount":{{"a":0}}}}"#
            )
        }),
        tags: (i % 7 == 0).then(|| NullableMap::from([("k".to_owned(), None), ("t".to_owned(), Some("v".to_owned()))])),
        deletion_vector: (i % 4 == 0).then(|| VectorDescriptor {
            storage_type: "u".to_owned(),
            path_or_inline_dv: "ab^-aqEH.-t@S}K{vb[*k^".to_owned(),
            offset: (i % 8 == 0).then_some(1),
            size_in_bytes: 34,
            cardinality: 2,
        }),
        base_row_id: (i % 2 == 0).then_some(i),
        default_row_commit_version: None,
        clustering_provider: (i % 2 == 0).then(|| "liquid".to_owned()),
    }
}
fn others() -> Vec<Action> {
    let text = r#"{"metaData":{"id":"x","name":"n","format":{"provider":"parquet","options":{"o":"1"}},"schemaString":"{\"a\":\"é\"}","partitionColumns":["p"],"configuration":{"k":"v"},"createdTime":5}}"#;
    let mut actions = decode_commit("f", text.as_bytes()).unwrap();
    let list = |s: &str| Some(vec![s.to_owned()]);
    actions.push(Action::Protocol(Protocol {
        min_reader_version: 3,
        min_writer_version: 7,
        reader_features: list("r"),
        writer_features: list("w"),
    }));
    actions.push(Action::Txn(Txn { app_id: "app".to_owned(), version: 3, last_updated: None }));
    actions.push(Action::DomainMetadata(DomainMetadata { domain: "d".to_owned(), configuration: "{}".to_owned(), removed: false }));
    actions
}
async fn opened(body: Bytes) -> ParquetFile {
    let store: std::sync::Arc<dyn ObjectStore> = std::sync::Arc::new(InMemory::new());
    let (key, size) = (Path::from("c.parquet"), body.len() as u64);
    store.put(&key, body.into()).await.unwrap();
    ParquetFile::open(store, key, "c.parquet", size).await.unwrap()
}
async fn column(file: &ParquetFile, name: &'static str) -> Vec<RecordBatch> {
    let plan = ReadPlan { columns: file.mask(file.leaves(move |p| p[0] == name)), row_groups: None, filter: None, batch_rows: 1000 };
    file.read(plan).try_collect().await.unwrap()
}

// spec: CKP-8
#[tokio::test]
async fn every_action_comes_back_as_it_went_in() {
    let adds: Vec<Add> = (0..100).map(add).collect();
    let removes: Vec<Remove> = (0..9)
        .map(|i| Remove {
            path: format!("gone-{i}"),
            deletion_timestamp: (i != 3).then_some(i),
            data_change: true,
            extended_file_metadata: (i % 2 == 0).then_some(true),
            partition_values: (i % 2 == 0).then(|| NullableMap::from([("p".to_owned(), None)])),
            size: (i % 2 == 0).then_some(7),
            stats: None,
            tags: None,
            deletion_vector: add(i * 4).deletion_vector.filter(|_| i > 2),
            base_row_id: Some(i),
            default_row_commit_version: Some(i),
        })
        .collect();
    let mut encoder = Encoder::new(Content::Classic, columns()).unwrap();
    encoder.files(&FileRows::from_adds(&adds).unwrap()).unwrap();
    encoder.end_group().unwrap();
    encoder.removed(removes.clone()).unwrap();
    encoder.others(&others()).unwrap();
    let (body, tally) = encoder.finish().unwrap();
    assert_eq!((tally.files, tally.removed, tally.others), (100, 9, 4));

    let file = opened(body).await;
    let mut small = read_small_of(&file).await.unwrap();
    small.sort_by_key(|a| others().iter().position(|b| a == b));
    assert_eq!(small, others());
    let (mut found_adds, mut found_removes) = (Vec::new(), Vec::new());
    for batch in column(&file, "add").await {
        let c = batch.column(0).as_struct();
        let rows = FileRows::from_column(arrow::compute::filter(c, &super::super::present(c, 0)).unwrap().as_struct()).unwrap();
        found_adds.extend((0..rows.len()).map(|r| rows.add(r)));
    }
    assert_eq!(found_adds, adds);
    for batch in column(&file, "remove").await {
        let c = batch.column(0).as_struct();
        found_removes
            .extend(crate::log::batch::removes_of(arrow::compute::filter(c, &super::super::present(c, 0)).unwrap().as_struct()).unwrap());
    }
    assert_eq!(found_removes, removes);
}

// spec: CKP-9
#[tokio::test]
async fn parsed_columns_follow_the_table_and_its_properties() {
    let leaves = |file: &ParquetFile| -> Vec<String> {
        file.leaves(|p| p[0] == "add" && p[1].ends_with("_parsed"))
            .map(|i| file.metadata().file_metadata().schema_descr().column(i).path().string())
            .collect()
    };
    let encode = |columns: FileColumns| {
        let mut encoder = Encoder::new(Content::Sidecar, columns).unwrap();
        encoder.files(&FileRows::from_adds(&(0..10).map(add).collect::<Vec<_>>()).unwrap()).unwrap();
        encoder.finish().unwrap().0
    };
    let file = opened(encode(columns())).await;
    assert_eq!(
        leaves(&file),
        [
            "add.partitionValues_parsed.p",
            "add.stats_parsed.numRecords",
            "add.stats_parsed.minValues.a",
            "add.stats_parsed.minValues.s.x",
            "add.stats_parsed.maxValues.a",
            "add.stats_parsed.maxValues.s.x",
            "add.stats_parsed.nullCount.a",
            "add.stats_parsed.nullCount.s.x",
            "add.stats_parsed.nullCount.s.flag",
            "add.stats_parsed.tightBounds"
        ]
    );
    let plain = opened(encode(FileColumns { parsed: false, ..columns() })).await;
    assert!(leaves(&plain).is_empty() && plain.leaf(&["add", "stats"]).is_some());
    let struct_only = opened(encode(FileColumns { text: false, ..columns() })).await;
    assert!(struct_only.leaf(&["add", "stats"]).is_none());
    let batch = &column(&struct_only, "add").await[0];
    let rows = FileRows::from_column(batch.column(0).as_struct()).unwrap();
    let text = rows.add(1).stats.unwrap();
    assert!(text.contains(r#""numRecords":1"#) && text.contains(r#""minValues":{"a":1,"s":{"x":"2020-01-01"}}"#), "{text}");
    assert_eq!(rows.add(5).stats, None);
}

// spec: CKP-12
#[tokio::test]
async fn row_groups_are_small_and_hold_one_kind_of_action() {
    let mut encoder = Encoder::new(Content::Classic, columns()).unwrap();
    let adds: Vec<Add> = (0..GROUP_ROWS as i64 + 5).map(add).collect();
    encoder.files(&FileRows::from_adds(&adds).unwrap()).unwrap();
    encoder.end_group().unwrap();
    encoder.others(&others()).unwrap();
    let (body, _) = encoder.finish().unwrap();
    let file = opened(body).await;
    let rows: Vec<i64> = file.metadata().row_groups().iter().map(|g| g.num_rows()).collect();
    assert_eq!(rows, [GROUP_ROWS as i64, 5, 4]);
    let path = file.leaf(&["add", "path"]).unwrap();
    assert_eq!((file.null_count(0, path), file.null_count(2, path)), (Some(0), Some(4)));
    assert!(file.metadata().row_group(0).column(path).offset_index_offset().is_some());
}

// spec: CKP-11
#[test]
fn damaged_bytes_do_not_pass_for_a_checkpoint() {
    let mut encoder = Encoder::new(Content::Classic, columns()).unwrap();
    encoder.files(&FileRows::from_adds(&(0..50).map(add).collect::<Vec<_>>()).unwrap()).unwrap();
    let (body, tally) = encoder.finish().unwrap();
    assert_eq!(count(body.clone()).unwrap(), tally);
    assert!(count(body.slice(..body.len() - 1)).is_err());
    let mut torn = body.to_vec();
    torn[4..200].fill(0xAA);
    assert!(!count(torn.into()).is_ok_and(|t| t == tally));
}

/// A checkpoint as another writer might make it: wider and narrower types, other forms of text, unknown columns, missing ones, structs that
/// are there although they hold nothing, and an Arrow schema beside the Parquet schema.
fn foreign() -> Bytes {
    use arrow::array::{ArrayRef, Int32Array, Int64Array, LargeStringArray, StringViewArray, StructArray};
    use std::sync::Arc;
    let columns = |fields: Vec<(&str, ArrayRef)>| -> ArrayRef { Arc::new(StructArray::try_from(fields).unwrap()) };
    let large = |values: Vec<Option<&str>>| -> ArrayRef { Arc::new(LargeStringArray::from(values)) };
    let view = |values: Vec<Option<&str>>| -> ArrayRef { Arc::new(StringViewArray::from(values)) };
    let schema = r#"{"type":"struct","fields":[]}"#;
    let batch = RecordBatch::try_from_iter([
        ("unknown", large(vec![Some("x"), None, None])),
        (
            "protocol",
            columns(vec![
                ("minReaderVersion", Arc::new(Int64Array::from(vec![Some(1), None, None])) as ArrayRef),
                ("minWriterVersion", Arc::new(Int64Array::from(vec![Some(2), None, None]))),
                ("surprise", large(vec![None, None, None])),
            ]),
        ),
        ("metaData", columns(vec![("id", large(vec![None, Some("one"), None])), ("schemaString", view(vec![None, Some(schema), None]))])),
        (
            "add",
            columns(vec![("path", view(vec![None, None, Some("f")])), ("size", Arc::new(Int32Array::from(vec![None, None, Some(7)])))]),
        ),
    ])
    .unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap().into()
}

// spec: CKP-3, CKP-4
#[tokio::test]
async fn a_checkpoint_of_other_types_is_read_and_structs_of_nulls_are_no_actions() {
    let file = opened(foreign()).await;
    let small = read_small_of(&file).await.unwrap();
    let kinds: Vec<&str> = small
        .iter()
        .map(|a| match a {
            Action::Protocol(p) if (p.min_reader_version, p.min_writer_version) == (1, 2) => "protocol",
            Action::Metadata(m) if m.id == "one" && m.schema_string.contains("struct") => "metadata",
            _ => "other",
        })
        .collect();
    assert!(kinds.len() == 2 && kinds.contains(&"protocol") && kinds.contains(&"metadata"), "{small:?}");
    let batch = &column(&file, "add").await[0];
    let c = batch.column(0).as_struct();
    let rows = FileRows::from_column(arrow::compute::filter(c, &super::super::present(c, 0)).unwrap().as_struct()).unwrap();
    assert_eq!((rows.len(), rows.add(0).path, rows.add(0).size), (1, "f".to_owned(), 7));
}
