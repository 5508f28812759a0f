use super::*;
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use std::sync::Arc;

/// The footer of a file of 100 texts, `distinct` of which differ.
fn footer(length: usize, distinct: usize, properties: WriterProperties) -> ParquetMetaData {
    let texts = StringArray::from_iter_values((0..100).map(|i| format!("{:03}", i % distinct) + &"x".repeat(length - 3)));
    let ids = Int64Array::from_iter_values(0..100);
    let rows = RecordBatch::try_from_iter([("id", Arc::new(ids) as ArrayRef), ("s", Arc::new(texts))]).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties)).unwrap();
    writer.write(&rows).unwrap();
    ParquetMetaDataReader::new().parse_and_finish(&Bytes::from(writer.into_inner().unwrap())).unwrap()
}

// spec: DAT-16
#[test]
fn small_rows_come_by_the_eight_thousand_and_large_ones_by_eight_mebibytes() {
    for (row_bytes, expected) in [(0, 8192), (1024, 8192), (2048, 4096), (1 << 20, 8), (8 << 20, 1), (u64::MAX, 1)] {
        assert_eq!(rows(row_bytes), expected, "{row_bytes}");
    }
    let plain = footer(10 << 10, 100, WriterProperties::builder().set_dictionary_enabled(false).build());
    assert!((10 << 10..11 << 10).contains(&row_bytes(plain.row_groups(), &[0, 1])));
    assert_eq!(rows(row_bytes(plain.row_groups(), &[0])), ROWS, "only the columns that are read count");
}

// spec: DAT-16
#[test]
fn values_of_a_dictionary_count_as_often_as_they_come() {
    let sized = footer(10 << 10, 3, WriterProperties::default());
    assert!(sized.row_group(0).column(1).unencoded_byte_array_data_bytes().is_some());
    assert!((10 << 10..11 << 10).contains(&row_bytes(sized.row_groups(), &[1])));
    // Files of other writers lack the sizes, and some lack the bounds too.
    let bare = |length, statistics| {
        let properties = WriterProperties::builder().set_statistics_truncate_length(None).set_statistics_enabled(statistics).build();
        let group = footer(length, 3, properties).row_group(0).clone();
        let columns = group.columns().iter().map(|c| c.clone().into_builder().set_unencoded_byte_array_data_bytes(None).build().unwrap());
        RowGroupMetaData::builder(group.schema_descr_ptr()).set_num_rows(100).set_column_metadata(columns.collect()).build().unwrap()
    };
    assert!((10 << 10..11 << 10).contains(&row_bytes([&bare(10 << 10, EnabledStatistics::Chunk)], &[1])));
    let unknown = rows(row_bytes([&bare(300 << 10, EnabledStatistics::None)], &[1]));
    assert!(unknown * (300 << 10) < 1 << 30, "{unknown} rows");
    assert_eq!(rows(row_bytes([&bare(20, EnabledStatistics::None)], &[1])), ROWS);
}
