use super::*;
use crate::storage::{TableRoot, failure};
use object_store::memory::InMemory;

/// Answers reads with `short` bytes less, or `-short` bytes more, than promised.
#[derive(Debug)]
struct Liar {
    inner: InMemory,
    short: i64,
}

impl fmt::Display for Liar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("liar")
    }
}

#[async_trait]
impl ObjectStore for Liar {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(location, payload, opts).await
    }
    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let answer = self.inner.get_opts(location, options).await?;
        let GetResult { meta, range, attributes, .. } = &answer;
        let (meta, range, attributes) = (meta.clone(), range.clone(), attributes.clone());
        let mut body = answer.bytes().await?.to_vec();
        body.resize((body.len() as i64 - self.short).max(0) as usize, b'!');
        let halves = [body.split_off(body.len() / 2), body].map(|half| Ok(Bytes::from(half)));
        let payload = GetResultPayload::Stream(stream::iter(halves.into_iter().rev()).boxed());
        Ok(GetResult { payload, meta, range, attributes })
    }
    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// An object of ten digits, read through a table's root.
async fn digits(short: i64) -> (Arc<dyn ObjectStore>, Path) {
    let (store, key) = (Liar { inner: InMemory::new(), short }, Path::from("t/x"));
    store.put_opts(&key, "0123456789".into(), PutOptions::default()).await.unwrap();
    let root = TableRoot::with_store("memory:///t/".parse().unwrap(), Arc::new(store), Path::from("t"));
    (Arc::clone(root.store()), key)
}

fn said(e: object_store::Error) -> String {
    let error = failure(e, "reading", "x");
    assert_eq!(error.code(), Code::STORE);
    error.message().to_owned()
}

// spec: STO-10
#[tokio::test]
async fn parts_of_an_object_have_the_lengths_asked_for_whatever_the_store_sends() {
    let parts = [0..1, 7..9, 3..3 + 1];
    let (honest, key) = digits(0).await;
    assert_eq!(honest.get_ranges(&key, &parts).await.unwrap(), ["0", "78", "3"]);
    for (short, wanted) in [(2, "2 of 9 bytes early"), (9, "9 of 9 bytes early"), (-1, "more than the 9 bytes")] {
        let (store, key) = digits(short).await;
        let what = said(store.get_ranges(&key, &parts).await.unwrap_err());
        assert!(what.contains(wanted), "{short}: {what}");
    }
}

// spec: STO-10
#[tokio::test]
async fn parts_beyond_the_end_of_an_object_are_an_error() {
    let (honest, key) = digits(0).await;
    let what = said(honest.get_ranges(&key, &[0..1, 20..24]).await.unwrap_err());
    assert!(what.contains("bytes 0..10 of an object, 0..24 were asked for"), "{what}");
}

// spec: STO-10
#[tokio::test]
async fn a_body_that_is_shorter_or_longer_than_promised_ends_with_an_error() {
    for (short, wanted) in [(3, "3 of 10 bytes early"), (-3, "more than the 10 bytes")] {
        let (store, key) = digits(short).await;
        let answer = store.get_opts(&key, GetOptions::default()).await.unwrap();
        let what = said(answer.bytes().await.unwrap_err());
        assert!(what.contains(wanted), "{short}: {what}");
        let what = crate::storage::get(&*store, &key).await.unwrap_err();
        assert!(what.message().contains(["more than", "bytes early"][usize::from(short > 0)]), "{short}: {what}");
    }
}
