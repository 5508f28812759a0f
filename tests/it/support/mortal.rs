//! A store in memory whose clock a test sets, and processes on it that can die at any request.

use async_trait::async_trait;
use bytes::Bytes;
use chrono::DateTime;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt};
use lakebed::{Clock, Env, PathLogStore, Table, TableRoot, Timestamp};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A clock that stands where it is set, in milliseconds.
#[derive(Debug, Default)]
pub struct Still(AtomicI64);

impl Still {
    pub fn forward(&self, by: i64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }
    pub fn set(&self, millis: i64) {
        self.0.store(millis, Ordering::Relaxed);
    }
    pub fn millis(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp(self.millis())
    }
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}

/// What lies in the store.
#[derive(Clone, Debug)]
pub struct Disk {
    inner: Arc<InMemory>,
    born: Arc<Mutex<BTreeMap<Path, i64>>>,
    pub clock: Arc<Still>,
}

impl Disk {
    pub fn new(start: i64) -> Disk {
        let clock = Arc::new(Still(AtomicI64::new(start)));
        Disk { inner: Arc::new(InMemory::new()), born: Arc::default(), clock }
    }
    /// The names of all that is there.
    pub async fn names(&self) -> BTreeSet<String> {
        self.inner.list(None).map(|object| object.unwrap().location.to_string()).collect().await
    }
    /// When an object was written.
    pub fn born(&self, name: &str) -> i64 {
        self.born.lock().unwrap()[&Path::parse(name).unwrap()]
    }
    /// Puts an object beside all processes.
    pub async fn put(&self, name: &str, body: impl Into<PutPayload>) {
        let path = Path::parse(name).unwrap();
        self.bear(&path);
        self.inner.put(&path, body.into()).await.unwrap();
    }
    pub async fn get(&self, name: &str) -> Bytes {
        self.inner.get(&Path::parse(name).unwrap()).await.unwrap().bytes().await.unwrap()
    }
    /// A new process that dies at its `dies`th request; the table of a name as it sees it.
    pub fn process(&self, name: &str, dies: Option<u64>) -> (Process, Table) {
        let (end, ended) = tokio::sync::watch::channel(false);
        let process = Process { disk: self.clone(), left: Arc::new(Mutex::new(dies)), end: Arc::new(end), ended };
        let table = process.table(name);
        (process, table)
    }
    fn dated(&self, mut meta: ObjectMeta) -> ObjectMeta {
        let born = self.born.lock().unwrap().get(&meta.location).copied().unwrap_or_else(|| self.clock.millis());
        meta.last_modified = DateTime::from_timestamp_millis(born).unwrap();
        meta
    }
    fn bear(&self, path: &Path) {
        self.born.lock().unwrap().insert(path.clone(), self.clock.millis());
    }
}

/// One process. Once it is dead, nothing that it asked for is answered.
#[derive(Clone, Debug)]
pub struct Process {
    disk: Disk,
    left: Arc<Mutex<Option<u64>>>,
    end: Arc<tokio::sync::watch::Sender<bool>>,
    ended: tokio::sync::watch::Receiver<bool>,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("process")
    }
}

impl Process {
    /// The table of a name as the process sees it.
    pub fn table(&self, name: &str) -> Table {
        let url = format!("memory:///{name}/").parse().unwrap();
        let root = TableRoot::with_store(url, Arc::new(self.clone()), Path::from(name));
        let env = Env::system().with_threads(1).with_clock(Arc::clone(&self.disk.clock) as Arc<dyn Clock>);
        Table::with_log(root.clone(), Arc::new(PathLogStore::new(root)), env)
    }
    /// Runs to the end of the work, or of the process: `None`.
    pub async fn live<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut ended = self.ended.clone();
        tokio::select! {
            biased;
            _ = ended.wait_for(|dead| *dead) => None,
            done = work => Some(done),
        }
    }
    /// A request: an odd one that is the last is still carried out.
    async fn step<T>(&self, work: impl Future<Output = T>) -> T {
        let (dead, last, carried_out) = {
            let mut left = self.left.lock().unwrap();
            let before = *left;
            *left = before.map(|n| n.saturating_sub(1));
            (before == Some(0), before == Some(1), self.disk.clock.millis() % 2 == 0)
        };
        if !dead && !last {
            return work.await;
        }
        if last {
            if carried_out {
                work.await;
            }
            self.end.send_replace(true);
        }
        std::future::pending().await
    }
}

#[async_trait]
impl ObjectStore for Process {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.step(async {
            let put = self.disk.inner.put_opts(location, payload, opts).await?;
            self.disk.bear(location);
            Ok(put)
        })
        .await
    }
    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.disk.bear(location);
        self.step(self.disk.inner.put_multipart_opts(location, opts)).await
    }
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.step(async {
            let mut got = self.disk.inner.get_opts(location, options).await?;
            got.meta = self.disk.dated(got.meta);
            Ok(got)
        })
        .await
    }
    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.step(self.disk.inner.get_ranges(location, ranges)).await
    }
    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let process = self.clone();
        let one = move |location: Result<Path>| {
            let process = process.clone();
            async move {
                let location = location?;
                process.step(async { process.disk.inner.delete(&location).await }).await?;
                Ok(location)
            }
        };
        locations.then(one).boxed()
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (process, prefix) = (self.clone(), prefix.cloned());
        let listed = async move {
            let inner = Arc::clone(&process.disk.inner);
            let found = process.step(async { inner.list(prefix.as_ref()).collect::<Vec<_>>().await }).await;
            let disk = process.disk.clone();
            futures::stream::iter(found.into_iter().map(move |object| object.map(|meta| disk.dated(meta))))
        };
        futures::stream::once(listed).flatten().boxed()
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.step(async {
            let mut found = self.disk.inner.list_with_delimiter(prefix).await?;
            found.objects = found.objects.into_iter().map(|meta| self.disk.dated(meta)).collect();
            Ok(found)
        })
        .await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.step(async {
            self.disk.inner.copy_opts(from, to, options).await?;
            self.disk.bear(to);
            Ok(())
        })
        .await
    }
}
