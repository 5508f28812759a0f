use super::*;
use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray};
use arrow::datatypes::Int64Type;
use futures::stream;

fn batch(keys: &[Option<i64>]) -> RecordBatch {
    let texts = StringArray::from_iter_values(keys.iter().map(|k| format!("{k:?}-{}", "x".repeat(100))));
    let columns = [("key", Arc::new(Int64Array::from(keys.to_vec())) as ArrayRef, true), ("text", Arc::new(texts) as ArrayRef, true)];
    RecordBatch::try_from_iter_with_nullable(columns).expect("a batch")
}

async fn keys_of(env: &Env, batches: Vec<RecordBatch>) -> Result<Vec<Option<i64>>> {
    let runtime = Runtime::new(env)?;
    let schema = batch(&[]).schema();
    let input = stream::iter(batches.into_iter().map(Ok)).boxed();
    let out: Vec<RecordBatch> = sorted(env, &runtime, &schema, input, &["key"])?.try_collect().await?;
    Ok(out.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().iter().collect::<Vec<_>>()).collect())
}

// spec: EXE-5
#[tokio::test(flavor = "multi_thread")]
async fn rows_come_sorted_whether_or_not_memory_holds_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let env = Env::system().with_spill_folder(folder.path().to_path_buf());
    assert_eq!(keys_of(&env, vec![batch(&[Some(3), None]), batch(&[Some(1)])]).await.expect("sorted"), [None, Some(1), Some(3)]);
    assert!(keys_of(&env, Vec::new()).await.expect("nothing").is_empty());
    // 20 MB of rows in 8 MiB of memory.
    let small = env.with_memory_limit(8 << 20);
    let many: Vec<RecordBatch> =
        (0..150i64).map(|b| batch(&(0..1000).map(|i| Some((b * 1000 + i) * 7919 % 150_000)).collect::<Vec<_>>())).collect();
    let keys = keys_of(&small, many).await.expect("sorted on disk");
    assert_eq!(keys, (0..150_000).map(Some).collect::<Vec<_>>());
    assert!(small.memory().high_water() <= 8 << 20);
}

#[tokio::test]
async fn an_error_of_the_input_comes_out_as_it_went_in() {
    let env = Env::system();
    let runtime = Runtime::new(&env).expect("a runtime");
    let input = stream::iter([Ok(batch(&[Some(1)])), Err(Error::new(Code::FILE, "broken"))]).boxed();
    let out = sorted(&env, &runtime, &batch(&[]).schema(), input, &["key"]).expect("a stream");
    assert_eq!(out.try_collect::<Vec<_>>().await.expect_err("broken").code(), Code::FILE);
}
