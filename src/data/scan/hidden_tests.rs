use super::super::flow::Flow;
use super::super::read::{Reading, Rows};
use super::super::task::FileTask;
use super::*;
use crate::data::columns::{schema_of, wanted};
use crate::env::Env;
use crate::expr::{Expr, Pruner};
use crate::schema::{DataType, Field as TableField, Struct};
use crate::storage::TableRoot;
use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;
use futures::{StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::{ObjectStore, path::Path};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use roaring::RoaringTreemap;
use url::Url;

const ROWS: i64 = 5_000;

/// A file of 5000 rows whose `n` is the position, in row groups of 700 and pages of 100.
fn body() -> Vec<u8> {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(700))
        .set_data_page_row_count_limit(100)
        .set_write_batch_size(50)
        .set_dictionary_enabled(false)
        .build();
    let n = Arc::new(Int64Array::from_iter_values(0..ROWS)) as ArrayRef;
    let batch = RecordBatch::try_from_iter([("n", n)]).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// Path and position of every row that is read.
async fn positions(filter: Option<&str>, deleted: &RoaringTreemap, rows: Rows) -> Vec<i64> {
    let store = Arc::new(InMemory::new());
    store.put_opts(&Path::from("t/a.parquet"), body().into(), Default::default()).await.unwrap();
    let table = Struct { fields: vec![TableField::new("n", DataType::Long, true)] };
    let wanted = wanted(&table, &table, &[], &|_| None, None).unwrap();
    let filter = filter.map(|f| Expr::sql(f).unwrap().bind(&table).unwrap());
    let pruner = filter.as_ref().map(|f| Pruner::new(f, &table).unwrap());
    let hidden = vec![HiddenColumn::RowIndex, HiddenColumn::FilePath];
    let shown = usize::from(filter.is_none());
    let reading = Reading {
        root: TableRoot::with_store(Url::parse("memory:///t/").unwrap(), store, Path::from("t")),
        env: Env::system().with_threads(1),
        shown,
        schema: super::super::with_hidden(schema_of(&wanted[..shown]), &hidden),
        hidden,
        wanted,
        filter,
        pruner,
        by_partition: false,
        limit: None,
        whole: 0,
        counted: false,
        bytes_read: Arc::default(),
    };
    let vector = (!deleted.is_empty()).then(|| crate::data::vector::tests_inline(deleted));
    let task = FileTask { path: "a.parquet".into(), vector, ..FileTask::default() };
    let flow = Flow::new(Arc::new(reading));
    let batches: Vec<RecordBatch> = flow.run(futures::stream::iter([Ok((task, rows))]).boxed()).try_collect().await.unwrap();
    let mut out = Vec::new();
    for batch in &batches {
        let found = batch.column_by_name("_metadata.row_index").unwrap().as_primitive::<Int64Type>();
        if let Some(n) = batch.column_by_name("n") {
            assert_eq!(n.as_primitive::<Int64Type>(), found, "a position is where the row was written");
        }
        let paths = batch.column_by_name("_metadata.file_path").unwrap().as_string::<i32>();
        assert!(paths.iter().all(|p| p == Some("a.parquet")));
        out.extend(found.values());
    }
    out
}

// spec: ROW-1
#[tokio::test]
async fn positions_are_physical_under_pruning_vectors_and_chosen_rows() {
    let deleted: RoaringTreemap = (0..ROWS as u64).filter(|i| i % 7 == 0 || (1400..2200).contains(i)).collect();
    let some: RoaringTreemap = [3, 699, 700, 1500, 2300, 2301, 4999].into_iter().collect();
    let (none, some) = (RoaringTreemap::new(), Arc::new(some));
    for filter in [None, Some("n >= 650 AND n < 2350 OR n = 4999"), Some("n % 3 = 0")] {
        for deleted in [&none, &deleted] {
            for rows in [Rows::All, Rows::Only(some.clone()), Rows::Except(some.clone())] {
                let found = positions(filter, deleted, rows.clone()).await;
                let expected: Vec<i64> = (0..ROWS)
                    .filter(|i| match filter {
                        None => true,
                        Some(f) if f.contains('%') => i % 3 == 0,
                        Some(_) => (650..2350).contains(i) || *i == 4999,
                    })
                    .filter(|i| !deleted.contains(*i as u64))
                    .filter(|i| match &rows {
                        Rows::All => true,
                        Rows::Only(some) => some.contains(*i as u64),
                        Rows::Except(some) => !some.contains(*i as u64),
                    })
                    .collect();
                assert_eq!(found, expected, "{filter:?} {rows:?} with {} deleted rows", deleted.len());
            }
        }
    }
}
