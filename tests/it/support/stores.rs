//! A store that counts requests and rounds of dependent requests.
//! (A slow one is object_store's own `throttle::ThrottledStore`.)

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Get,
    Head,
    Put,
    /// A create-only write.
    Create,
    Multipart,
    List,
    Delete,
    Copy,
}

/// One request as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub kind: Kind,
    pub key: String,
    /// 1 for requests that waited for no other; 1 more than the last answered one for those that did.
    pub round: usize,
}

/// Counts requests and rounds. Use it under `#[tokio::test(start_paused = true)]`: every request takes a millisecond of the paused clock, so
/// all requests of one round are sent before the first of them is answered.
#[derive(Debug)]
pub struct Counting {
    inner: Arc<dyn ObjectStore>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    requests: Vec<Request>,
    answered: usize,
}

impl Counting {
    pub fn new(inner: Arc<dyn ObjectStore>) -> Arc<Self> {
        Arc::new(Counting { inner, seen: Arc::default() })
    }
    /// The requests since the last call.
    pub fn take(&self) -> Vec<Request> {
        let mut seen = self.seen.lock().unwrap();
        seen.answered = 0;
        std::mem::take(&mut seen.requests)
    }
    fn ask(&self, kind: Kind, key: &str) -> usize {
        let mut seen = self.seen.lock().unwrap();
        let round = seen.answered + 1;
        seen.requests.push(Request { kind, key: key.to_owned(), round });
        round
    }
    async fn answered(seen: &Mutex<Seen>, round: usize) {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let mut seen = seen.lock().unwrap();
        seen.answered = seen.answered.max(round);
    }
    fn listed(&self, key: String, objects: BoxStream<'static, Result<ObjectMeta>>) -> BoxStream<'static, Result<ObjectMeta>> {
        let seen = Arc::clone(&self.seen);
        stream::once(async move {
            let round = {
                let mut seen = seen.lock().unwrap();
                let round = seen.answered + 1;
                seen.requests.push(Request { kind: Kind::List, key, round });
                round
            };
            Counting::answered(&seen, round).await;
            objects
        })
        .flatten()
        .boxed()
    }
}

/// How many rounds the requests took.
pub fn rounds(requests: &[Request]) -> usize {
    requests.iter().map(|r| r.round).max().unwrap_or(0)
}

impl fmt::Display for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Counting({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Counting {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let round = self.ask(if opts.mode == PutMode::Create { Kind::Create } else { Kind::Put }, location.as_ref());
        let result = self.inner.put_opts(location, payload, opts).await;
        Counting::answered(&self.seen, round).await;
        result
    }
    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let round = self.ask(Kind::Multipart, location.as_ref());
        let result = self.inner.put_multipart_opts(location, opts).await;
        Counting::answered(&self.seen, round).await;
        result
    }
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let round = self.ask(if options.head { Kind::Head } else { Kind::Get }, location.as_ref());
        let result = self.inner.get_opts(location, options).await;
        Counting::answered(&self.seen, round).await;
        result
    }
    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        // As remote stores do it: near ranges in one request each, all at once.
        object_store::coalesce_ranges(
            ranges,
            |range| async move {
                let options = GetOptions { range: Some(range.into()), ..GetOptions::default() };
                self.get_opts(location, options).await?.bytes().await
            },
            object_store::OBJECT_STORE_COALESCE_DEFAULT,
        )
        .await
    }
    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let seen = Arc::clone(&self.seen);
        let counted = locations.inspect(move |location| {
            let mut seen = seen.lock().unwrap();
            let round = seen.answered + 1;
            let key = location.as_ref().map(ToString::to_string).unwrap_or_default();
            seen.requests.push(Request { kind: Kind::Delete, key, round });
        });
        self.inner.delete_stream(counted.boxed())
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(prefix.map(ToString::to_string).unwrap_or_default(), self.inner.list(prefix))
    }
    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(offset.to_string(), self.inner.list_with_offset(prefix, offset))
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let round = self.ask(Kind::List, prefix.map(|p| p.as_ref()).unwrap_or_default());
        let result = self.inner.list_with_delimiter(prefix).await;
        Counting::answered(&self.seen, round).await;
        result
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let round = self.ask(Kind::Copy, to.as_ref());
        let result = self.inner.copy_opts(from, to, options).await;
        Counting::answered(&self.seen, round).await;
        result
    }
}
