//! Stores that watch or disturb: one counts requests and rounds of dependent requests, one fails on demand, one stops on demand.
//! (A slow one is object_store's own `throttle::ThrottledStore`.)

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, TryAcquireError};

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
    /// What a GET was answered with.
    pub bytes: u64,
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
        seen.requests.push(Request { kind, key: key.to_owned(), round, bytes: 0 });
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
                seen.requests.push(Request { kind: Kind::List, key, round, bytes: 0 });
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
        let whole = !options.head;
        let result = self.inner.get_opts(location, options).await;
        if let (Ok(answer), true) = (&result, whole) {
            let mut seen = self.seen.lock().unwrap();
            let asked = seen.requests.iter_mut().rev().find(|r| r.kind == Kind::Get && r.key == location.as_ref() && r.bytes == 0);
            asked.into_iter().for_each(|r| r.bytes = answer.range.end - answer.range.start);
        }
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
            seen.requests.push(Request { kind: Kind::Delete, key, round, bytes: 0 });
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

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails and nothing has happened.
    Refuse,
    /// It happens, and the answer is an error.
    ApplyThenFail,
    /// It happens, and the answer is "already exists".
    ApplyThenExists,
    /// "Already exists", although nothing is there.
    Exists,
    /// "Precondition failed", although nothing is there.
    Precondition,
    /// The answer of a GET ends after so many bytes.
    Short(u64),
    /// A GET or HEAD answers "not found".
    Missing,
}

type Plan = dyn Fn(Kind, &str, usize) -> Option<Fault> + Send + Sync;

/// Fails on demand: `plan` gets the kind, the key and how many requests of that kind and key came before.
pub struct Faulty {
    inner: Arc<dyn ObjectStore>,
    plan: Box<Plan>,
    before: Mutex<std::collections::HashMap<(Kind, String), usize>>,
}

impl Faulty {
    pub fn new(inner: Arc<dyn ObjectStore>, plan: impl Fn(Kind, &str, usize) -> Option<Fault> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Faulty { inner, plan: Box::new(plan), before: Mutex::default() })
    }
    fn fault(&self, kind: Kind, key: &Path) -> Option<Fault> {
        let mut before = self.before.lock().unwrap();
        let n = before.entry((kind, key.to_string())).or_default();
        *n += 1;
        (self.plan)(kind, key.as_ref(), *n - 1)
    }
}

fn broken(why: &'static str) -> Error {
    Error::Generic { store: "faulty", source: why.into() }
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Faulty({})", self.inner)
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Faulty({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let kind = if opts.mode == PutMode::Create { Kind::Create } else { Kind::Put };
        let path = location.to_string();
        match self.fault(kind, location) {
            Some(Fault::Refuse) => Err(broken("refused before it was applied")),
            Some(Fault::Exists) => Err(Error::AlreadyExists { path, source: "409".into() }),
            Some(Fault::Precondition) => Err(Error::Precondition { path, source: "412".into() }),
            Some(Fault::ApplyThenFail) => {
                self.inner.put_opts(location, payload, opts).await?;
                Err(broken("the answer was lost"))
            }
            Some(Fault::ApplyThenExists) => {
                self.inner.put_opts(location, payload, opts).await?;
                Err(Error::AlreadyExists { path, source: "412 for our own object".into() })
            }
            _ => self.inner.put_opts(location, payload, opts).await,
        }
    }
    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        match self.fault(Kind::Multipart, location) {
            Some(_) => Err(broken("refused before it was applied")),
            None => self.inner.put_multipart_opts(location, opts).await,
        }
    }
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let kind = if options.head { Kind::Head } else { Kind::Get };
        match self.fault(kind, location) {
            Some(Fault::Missing) => Err(Error::NotFound { path: location.to_string(), source: "hidden".into() }),
            Some(Fault::Short(bytes)) => {
                let answer = self.inner.get_opts(location, options).await?;
                let (meta, range, attributes) = (answer.meta.clone(), answer.range.clone(), answer.attributes.clone());
                let body = answer.bytes().await?;
                let cut = body.slice(..body.len().min(bytes as usize));
                let payload = GetResultPayload::Stream(stream::once(async move { Ok(cut) }).boxed());
                Ok(GetResult { payload, meta, range, attributes })
            }
            Some(_) => Err(broken("refused")),
            None => self.inner.get_opts(location, options).await,
        }
    }
    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.fault(Kind::List, &prefix.cloned().unwrap_or_default()) {
            Some(_) => stream::once(async { Err(broken("refused")) }).boxed(),
            None => self.inner.list(prefix),
        }
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// Lets so many requests pass, then holds all others until it is opened.
pub struct Steps {
    inner: Arc<dyn ObjectStore>,
    left: Arc<Semaphore>,
    held: Arc<Notify>,
}

impl Steps {
    pub fn new(inner: Arc<dyn ObjectStore>, requests: usize) -> Arc<Self> {
        Arc::new(Steps { inner, left: Arc::new(Semaphore::new(requests)), held: Arc::default() })
    }
    /// Until a request is held.
    pub async fn held(&self) {
        self.held.notified().await;
    }
    pub fn pass(&self, requests: usize) {
        self.left.add_permits(requests);
    }
    pub fn open(&self) {
        self.left.close();
    }
    async fn step(left: &Semaphore, held: &Notify) {
        match left.try_acquire() {
            Ok(permit) => permit.forget(),
            Err(TryAcquireError::Closed) => {}
            Err(TryAcquireError::NoPermits) => {
                held.notify_one();
                // An error says that it was opened.
                if let Ok(permit) = left.acquire().await {
                    permit.forget();
                }
            }
        }
    }
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Steps({})", self.inner)
    }
}

impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Steps({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Steps {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        Steps::step(&self.left, &self.held).await;
        self.inner.put_opts(location, payload, opts).await
    }
    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Steps::step(&self.left, &self.held).await;
        self.inner.put_multipart_opts(location, opts).await
    }
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        Steps::step(&self.left, &self.held).await;
        self.inner.get_opts(location, options).await
    }
    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (left, held) = (Arc::clone(&self.left), Arc::clone(&self.held));
        let each = locations.then(move |location| {
            let (left, held) = (Arc::clone(&left), Arc::clone(&held));
            async move {
                Steps::step(&left, &held).await;
                location
            }
        });
        self.inner.delete_stream(each.boxed())
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (left, held, inner, prefix) = (Arc::clone(&self.left), Arc::clone(&self.held), Arc::clone(&self.inner), prefix.cloned());
        stream::once(async move {
            Steps::step(&left, &held).await;
            inner.list(prefix.as_ref())
        })
        .flatten()
        .boxed()
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        Steps::step(&self.left, &self.held).await;
        self.inner.list_with_delimiter(prefix).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        Steps::step(&self.left, &self.held).await;
        self.inner.copy_opts(from, to, options).await
    }
}
