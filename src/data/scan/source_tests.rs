use super::*;
use arrow::array::{Int64Array, RecordBatch};
use object_store::memory::InMemory;
use parquet::arrow::ArrowWriter;
use url::Url;

fn parquet(rows: i64) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter([("a", Arc::new(Int64Array::from_iter_values(0..rows)) as _)]).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

async fn open(body: Vec<u8>, size_in_log: u64) -> Result<Source> {
    let store = Arc::new(InMemory::new());
    store.put_opts(&Path::from("t/a.parquet"), body.into(), Default::default()).await.unwrap();
    let root = TableRoot::with_store(Url::parse("memory:///t/").unwrap(), store, Path::from("t"));
    Source::open(&root, "a.parquet", size_in_log, 0, Arc::default()).await
}

// spec: DAT-2
#[tokio::test]
async fn size_of_the_store_counts_not_the_logs() {
    let body = parquet(100_000);
    let size = body.len() as u64;
    for size_in_log in [size, 0, 1, size - 1, size + 1, size * 3] {
        let source = open(body.clone(), size_in_log).await.unwrap();
        assert_eq!(source.metadata().file_metadata().num_rows(), 100_000, "{size_in_log}");
    }
}

// spec: DAT-3
#[tokio::test]
async fn hostile_footers_are_refused_before_anything_is_allocated() {
    let body = parquet(10);
    let size = body.len();
    let with_length = |length: u32| {
        let mut bad = body.clone();
        bad[size - 8..size - 4].copy_from_slice(&length.to_le_bytes());
        bad
    };
    for (bad, what) in [
        (with_length(u32::MAX), "names a footer"),
        (with_length(size as u32), "names a footer"),
        (b"PAR1".to_vec(), "no Parquet file"),
        (Vec::new(), "no Parquet file"),
        ([&body[..size - 1], b"E"].concat(), "encrypted"),
        (body[..size - 1].to_vec(), "does not end"),
        (vec![0; 100], "does not end"),
    ] {
        let e = open(bad.clone(), bad.len() as u64).await.err().unwrap();
        assert_eq!(e.code(), Code::FILE);
        assert!(e.message().contains(what), "{e}");
    }
}

// spec: DAT-1
#[tokio::test]
async fn missing_file_is_said_to_be_missing() {
    let root = TableRoot::with_store(Url::parse("memory:///t/").unwrap(), Arc::new(InMemory::new()), Path::from("t"));
    for size in [0, 100] {
        let e = Source::open(&root, "a.parquet", size, 0, Arc::default()).await.err().unwrap();
        assert_eq!(e.code(), Code::FILE);
        assert!(e.message().contains("missing"), "{e}");
    }
}
