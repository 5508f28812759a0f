//! An object store in memory that answers late, wrongly, or not at all, as its seed wills.

use super::faults::Fault;
use super::mutant::Plant;
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A small random generator (SplitMix64), one for a whole run.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Dice(seed)
    }
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    /// Less than `n`.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }
    /// True in `percent` of 100 throws.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// What all actors of a run share: the dice, the trace of what happened, and how often.
#[derive(Debug)]
pub(crate) struct Fate {
    dice: Mutex<Dice>,
    trace: Mutex<Vec<String>>,
    counts: Mutex<Counts>,
    /// Percent of the requests that go wrong.
    faults: AtomicU64,
}

/// How often each kind of thing happened.
pub(crate) type Counts = BTreeMap<String, u64>;

impl Fate {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let faults = AtomicU64::new([0, 5, 15, 30][dice.below(4) as usize]);
        Fate { dice: Mutex::new(dice), trace: Mutex::default(), counts: Mutex::default(), faults }
    }
    pub(crate) fn throw<T>(&self, how: impl FnOnce(&mut Dice) -> T) -> T {
        how(&mut self.dice.lock().unwrap())
    }
    pub(crate) fn note(&self, what: String) {
        self.trace.lock().unwrap().push(what);
    }
    pub(crate) fn count(&self, what: impl fmt::Display) {
        *self.counts.lock().unwrap().entry(what.to_string()).or_default() += 1;
    }
    pub(crate) fn trace(&self) -> Vec<String> {
        self.trace.lock().unwrap().clone()
    }
    pub(crate) fn counts(&self) -> Counts {
        self.counts.lock().unwrap().clone()
    }
    /// From now on nothing goes wrong.
    pub(crate) fn relent(&self) {
        self.faults.store(0, Ordering::Relaxed);
    }
    /// Until `turn`, nothing goes wrong; gives what `turn` takes.
    pub(crate) fn calm(&self) -> u64 {
        self.faults.swap(0, Ordering::Relaxed)
    }
    pub(crate) fn turn(&self, faults: u64) {
        self.faults.store(faults, Ordering::Relaxed);
    }
    fn fault(&self, menu: &[Fault]) -> Option<Fault> {
        let faults = self.faults.load(Ordering::Relaxed);
        self.throw(|d| d.chance(faults).then(|| menu[d.below(menu.len() as u64) as usize]))
    }
    /// Lets others go first.
    async fn delay(&self, longest_ms: u64) {
        let pause = self.throw(|d| d.below(longest_ms));
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

/// The store of one run.
#[derive(Clone)]
pub(crate) struct FaultStore {
    inner: Arc<InMemory>,
    fate: Arc<Fate>,
    plant: Option<Plant>,
}

impl FaultStore {
    pub(crate) fn new(fate: Arc<Fate>, plant: Option<Plant>) -> Self {
        FaultStore { inner: Arc::new(InMemory::new()), fate, plant }
    }
    /// What really is there.
    pub(crate) async fn peek(&self, path: &Path) -> Option<Bytes> {
        self.inner.get(path).await.ok()?.bytes().await.ok()
    }
    fn no_answer(what: &'static str) -> Error {
        Error::Generic { store: "simulated", source: what.into() }
    }
    async fn put_now(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let mut options = options;
        let creates = options.mode == PutMode::Create;
        if creates && self.plant == Some(Plant::OverwritingPut) {
            options.mode = PutMode::Overwrite;
        }
        if creates && self.plant == Some(Plant::ListThenPut) {
            let listed: Vec<_> = self.list(Some(&Path::from("t/_delta_log"))).collect().await;
            if listed.iter().flatten().any(|o| o.location == *path) {
                return Err(Error::AlreadyExists { path: path.to_string(), source: "listed".into() });
            }
            options.mode = PutMode::Overwrite;
        }
        let result = self.inner.put_opts(path, payload, options).await;
        if creates && result.is_ok() && path.as_ref().contains(".checkpoint.") {
            self.fate.count("checkpoint written");
        }
        self.fate.note(format!("{path} {}", if result.is_ok() { "put" } else { "exists" }));
        result
    }
}

impl fmt::Debug for FaultStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultStore")
    }
}
impl fmt::Display for FaultStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultStore")
    }
}

#[async_trait]
impl ObjectStore for FaultStore {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.fate.delay(40).await;
        // Only a create-only put can be told that something is there.
        let creates = options.mode == PutMode::Create;
        let conditional = |f: &Fault| matches!(f, Fault::SentTwice | Fault::Busy | Fault::InFlight);
        let fault = self.fate.fault(Fault::OF_REQUESTS).filter(|f| creates || !conditional(f));
        if let Some(fault) = fault {
            self.fate.note(format!("{path} {fault:?}"));
            self.fate.count(format!("put {fault:?}"));
        }
        let exists = |what: &'static str| Error::AlreadyExists { path: path.to_string(), source: what.into() };
        let answer = match fault {
            None => self.put_now(path, payload, options).await,
            Some(Fault::Refused) => Err(Error::PermissionDenied { path: path.to_string(), source: "simulated".into() }),
            Some(Fault::AnswerLost) => self.put_now(path, payload, options).await.and(Err(FaultStore::no_answer("time-out"))),
            Some(Fault::SentTwice) => {
                let _ = self.put_now(path, payload, options).await;
                Err(exists("sent twice"))
            }
            Some(Fault::Busy) => Err(Error::Precondition { path: path.to_string(), source: "412".into() }),
            Some(Fault::InFlight) => Err(exists("409")),
            Some(Fault::Throttled) => Err(FaultStore::no_answer("429")),
            Some(Fault::Unavailable) => Err(FaultStore::no_answer("503")),
            Some(Fault::ArrivesLate) => {
                let (late, path) = (self.clone(), path.clone());
                tokio::spawn(async move {
                    late.fate.delay(60_000).await;
                    let _ = late.put_now(&path, payload, options).await;
                });
                Err(FaultStore::no_answer("time-out"))
            }
            Some(Fault::RequestLost | Fault::Crash | Fault::CrashAfter) => Err(FaultStore::no_answer("time-out")),
        };
        self.fate.delay(20).await;
        answer
    }
    async fn put_multipart_opts(&self, path: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }
    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.fate.delay(20).await;
        match self.fate.fault(&[Fault::RequestLost, Fault::AnswerLost]) {
            None => self.inner.get_opts(path, options).await,
            // A short read: some of the bytes that were promised do not come.
            Some(Fault::AnswerLost) => {
                let mut result = self.inner.get_opts(path, options).await?;
                let length = result.range.end - result.range.start;
                let short = self.fate.throw(|d| d.below(length)) as usize;
                self.fate.note(format!("{path} short read of {short} bytes"));
                self.fate.count("get short read");
                let bytes = std::mem::replace(&mut result.payload, GetResultPayload::Stream(stream::empty().boxed()));
                if let GetResultPayload::Stream(mut all) = bytes {
                    let first = all.next().await.transpose()?.unwrap_or_default();
                    let cut = first.slice(..short.min(first.len()));
                    result.payload = GetResultPayload::Stream(stream::once(async move { Ok(cut) }).boxed());
                }
                Ok(result)
            }
            Some(_) => {
                self.fate.note(format!("{path} no answer"));
                self.fate.count("get no answer");
                Err(FaultStore::no_answer("time-out"))
            }
        }
    }
    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }
    /// Sometimes without the newest objects.
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix) = (self.clone(), prefix.cloned());
        stream::once(async move {
            store.fate.delay(20).await;
            let mut found: Vec<_> = store.inner.list(prefix.as_ref()).collect().await;
            if store.fate.fault(&[Fault::Busy]).is_some() {
                found.sort_by_key(|o| o.as_ref().map(|o| o.location.clone()).unwrap_or_default());
                let lost = store.fate.throw(|d| 1 + d.below(3) as usize);
                found.truncate(found.len().saturating_sub(lost));
                store.fate.note(format!("a list lacks its newest {lost}"));
                store.fate.count("list stale");
            }
            stream::iter(found)
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
