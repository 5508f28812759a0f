use super::*;
use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, PutMultipartOptions, PutOptions, PutResult, UploadPart,
};
use std::fmt;
use std::sync::Mutex;

/// How the last request of an upload in parts ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Honest,
    /// The object is there, the answer is an error.
    LostAnswer,
    /// Nothing is there, the answer is success.
    FalseSuccess,
    /// A part cannot be sent.
    BrokenPart,
    /// The last part, which is smaller than others, cannot be sent.
    BrokenLastPart,
    /// The last request is never answered.
    Silence,
}

#[derive(Debug)]
struct Stub {
    inner: Arc<InMemory>,
    ending: Ending,
    log: Arc<Mutex<Vec<&'static str>>>,
}

#[derive(Debug)]
struct StubUpload {
    inner: Box<dyn MultipartUpload>,
    ending: Ending,
    log: Arc<Mutex<Vec<&'static str>>>,
}

fn broken() -> object_store::Error {
    object_store::Error::Generic { store: "stub", source: "broken".into() }
}

#[async_trait]
impl MultipartUpload for StubUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.log.lock().unwrap().push("part");
        let last = data.content_length() < PART_BYTES;
        if self.ending == Ending::BrokenPart || last && self.ending == Ending::BrokenLastPart {
            return Box::pin(async { Err(broken()) });
        }
        self.inner.put_part(data)
    }
    async fn complete(&mut self) -> object_store::Result<PutResult> {
        self.log.lock().unwrap().push("complete");
        match self.ending {
            Ending::FalseSuccess => Ok(PutResult { e_tag: None, version: None }),
            Ending::Silence => std::future::pending().await,
            Ending::LostAnswer => self.inner.complete().await.and(Err(broken())),
            _ => self.inner.complete().await,
        }
    }
    async fn abort(&mut self) -> object_store::Result<()> {
        self.log.lock().unwrap().push("abort");
        Ok(())
    }
}

impl fmt::Display for Stub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stub")
    }
}

#[async_trait]
impl ObjectStore for Stub {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> object_store::Result<PutResult> {
        self.log.lock().unwrap().push("put");
        self.inner.put_opts(location, payload, opts).await
    }
    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> object_store::Result<Box<dyn MultipartUpload>> {
        let inner = self.inner.put_multipart_opts(location, opts).await?;
        Ok(Box::new(StubUpload { inner, ending: self.ending, log: self.log.clone() }))
    }
    async fn get_opts(&self, location: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        self.log.lock().unwrap().push("get");
        self.inner.get_opts(location, options).await
    }
    fn delete_stream(&self, locations: BoxStream<'static, object_store::Result<Path>>) -> BoxStream<'static, object_store::Result<Path>> {
        self.inner.delete_stream(locations)
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

fn upload(ending: Ending) -> (Upload, Arc<Mutex<Vec<&'static str>>>) {
    let log = Arc::new(Mutex::new(Vec::new()));
    let stub = Stub { inner: Arc::new(InMemory::new()), ending, log: log.clone() };
    (Upload::new(Arc::new(stub), Path::from("f.parquet"), Env::system()), log)
}

async fn push_megabytes(upload: &mut Upload, n: usize) -> Result<()> {
    for _ in 0..n {
        upload.push(vec![1u8; 1 << 20].into()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_small_object_is_one_request() {
    // spec: DAT-W8
    let (mut up, log) = upload(Ending::Honest);
    push_megabytes(&mut up, 8).await.unwrap();
    assert_eq!(up.finish().await.unwrap(), 8 << 20);
    assert_eq!(*log.lock().unwrap(), ["put"]);
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_what_the_store_holds() {
    // spec: DAT-W8
    let (mut up, _) = upload(Ending::LostAnswer);
    push_megabytes(&mut up, 20).await.unwrap();
    assert_eq!(up.finish().await.unwrap(), 20 << 20);
}

#[tokio::test]
async fn success_without_the_object_is_a_failure() {
    // spec: DAT-W8
    let (mut up, _) = upload(Ending::FalseSuccess);
    push_megabytes(&mut up, 20).await.unwrap();
    assert_eq!(up.finish().await.unwrap_err().code(), Code::STORE);
}

#[tokio::test]
async fn a_part_that_fails_ends_the_upload_and_it_is_aborted() {
    // spec: DAT-W8
    let (mut up, log) = upload(Ending::BrokenPart);
    let failed = match push_megabytes(&mut up, 40).await {
        Ok(()) => up.finish().await.map(|_| ()),
        Err(e) => {
            up.abort().await;
            Err(e)
        }
    };
    assert_eq!(failed.unwrap_err().code(), Code::STORE);
    assert!(log.lock().unwrap().contains(&"abort"));
}

#[tokio::test]
async fn a_part_that_fails_at_the_end_is_aborted_before_the_failure_is_told() {
    // spec: DAT-W8
    let (mut up, log) = upload(Ending::BrokenLastPart);
    push_megabytes(&mut up, 20).await.unwrap();
    assert_eq!(up.finish().await.unwrap_err().code(), Code::STORE);
    assert_eq!(*log.lock().unwrap(), ["part", "part", "part", "get", "abort"]);
}

#[tokio::test]
async fn an_upload_that_is_stopped_while_it_completes_is_aborted() {
    // spec: DAT-W8
    let (mut up, log) = upload(Ending::Silence);
    push_megabytes(&mut up, 20).await.unwrap();
    let mut finish = Box::pin(up.finish());
    for _ in 0..1000 {
        assert!(futures::poll!(&mut finish).is_pending());
        tokio::task::yield_now().await;
    }
    drop(finish);
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(log.lock().unwrap()[3..], ["complete", "abort"]);
}

#[tokio::test]
async fn a_dropped_upload_is_aborted() {
    // spec: DAT-W8
    let (mut up, log) = upload(Ending::Honest);
    push_megabytes(&mut up, 20).await.unwrap();
    drop(up);
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert!(log.lock().unwrap().contains(&"abort"));
}
