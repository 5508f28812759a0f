//! A store in memory that counts requests; under paused time each request takes one second, so elapsed seconds are rounds.

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};
use std::sync::Mutex;
use std::time::Duration;

#[derive(Debug, Default)]
pub struct CountingStore {
    inner: InMemory,
    requests: Mutex<Vec<String>>,
    /// Whether requests take time.
    slow: bool,
}

impl CountingStore {
    pub fn slow() -> Self {
        CountingStore { slow: true, ..CountingStore::default() }
    }
    /// The requests since the last call, as `VERB name`.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
    async fn request(&self, verb: &str, location: &str) {
        let name = location.rsplit('/').next().unwrap_or_default();
        self.requests.lock().unwrap().push(format!("{verb} {name}"));
        if self.slow {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

impl std::fmt::Display for CountingStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CountingStore")
    }
}

#[async_trait]
impl ObjectStore for CountingStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(location, payload, opts).await
    }
    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.request(if options.head { "HEAD" } else { "GET" }, location.as_ref()).await;
        self.inner.get_opts(location, options).await
    }
    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }
    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.requests.lock().unwrap().push("LIST".to_owned());
        let found = self.inner.list_with_offset(prefix, offset);
        let pause = if self.slow { Duration::from_secs(1) } else { Duration::ZERO };
        stream::once(async move {
            tokio::time::sleep(pause).await;
            found
        })
        .flatten()
        .boxed()
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
