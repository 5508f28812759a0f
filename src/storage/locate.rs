//! URL -> object store; paths of the log -> object keys. Kind: edge. Spec: STO.
//!
//! Invariant: a key is the raw, decoded name; what a store needs to encode, its client encodes.

mod enclosing;

use super::azure;
use super::cloud;
use super::exact::exact;
use super::local::LocalStore;
use super::meter::Meter;
use super::options::StorageOptions;
use super::probe;
use super::resolve::{Origin, Place, Target, place_of_uri, relative, scheme, split, target};
use crate::env::Env;
use crate::error::{Code, Error, Result};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::{Component, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};
use tokio::sync::OnceCell;
use url::Url;

/// Where a table lies: its URL, the store and the prefix of its keys. Cheap to clone.
#[derive(Clone)]
pub struct TableRoot {
    inner: Arc<Inner>,
}

struct Inner {
    url: Url,
    store: Arc<dyn ObjectStore>,
    /// The same store, but a request is sent once and never again.
    once: Arc<dyn ObjectStore>,
    prefix: Path,
    /// The root's names: as given, and with symbolic links followed.
    roots: Vec<Place>,
    allowed: Vec<Place>,
    /// The stores of the allowed roots, opened when a path first needs one.
    others: Mutex<HashMap<usize, Arc<dyn ObjectStore>>>,
    options: StorageOptions,
    env: Option<Env>,
    sorted: bool,
    /// Endpoint and bucket of a remote store.
    identity: Option<String>,
    /// Set once the first write has been permitted.
    writable: OnceCell<()>,
    /// Counts the requests of the stores that are opened later.
    meter: Option<Meter>,
}

impl std::fmt::Debug for TableRoot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableRoot").field("url", &self.inner.url.as_str()).finish_non_exhaustive()
    }
}

/// An opened store and where in it a place lies.
struct Opened {
    store: Arc<dyn ObjectStore>,
    once: Arc<dyn ObjectStore>,
    prefix: Path,
    sorted: bool,
    /// Endpoint and bucket of a remote store.
    identity: Option<String>,
}

impl TableRoot {
    /// Opens the store of a path or URL. No request is made.
    ///
    /// Plain paths are taken literally; URLs are percent-decoded once. `LB-STORE-CONFIG` when the location or an option is wrong.
    pub fn open(location: &str, options: &StorageOptions, env: &Env) -> Result<TableRoot> {
        let place = locate(location)?;
        if let Some(last @ ("_delta_log" | "_change_data")) = place.segments.last().map(String::as_str) {
            return Err(Error::new(Code::STORE_CONFIG, format!("the location names a table's `{last}` folder"))
                .with("location", place.url()?)
                .help("name the folder above it"));
        }
        let mut allowed = options.allowed_roots().iter().map(|root| locate(root)).collect::<Result<Vec<_>>>()?;
        let opened = open_place(&place, options, env)?;
        let url = place.url()?;
        let account = azure::configured(options);
        allowed.extend(allowed.iter().filter_map(|root| root.alias(account.as_deref())).collect::<Vec<_>>());
        let others = followed(&place).filter(|real| *real != place).or(place.alias(account.as_deref()));
        let roots = std::iter::once(place).chain(others).collect();
        let Opened { store, once, prefix, sorted, identity } = opened;
        tell_once(&options.warnings());
        Ok(TableRoot {
            inner: Arc::new(Inner {
                url,
                store,
                once,
                prefix,
                roots,
                allowed,
                others: Mutex::default(),
                options: options.clone(),
                env: Some(env.clone()),
                sorted,
                identity,
                writable: OnceCell::new(),
                meter: None,
            }),
        })
    }
    /// A table under `prefix` of a given store, for tests and embedders. No path outside the table is permitted. The store is neither probed
    /// nor looked at for other writers' locks: its create-only writes must have one winner.
    pub fn with_store(url: Url, store: Arc<dyn ObjectStore>, prefix: Path) -> TableRoot {
        let roots = scheme(url.as_str()).and_then(|(scheme, rest)| place_of_uri(&scheme, rest).ok()).unwrap_or(Place {
            origin: Origin::Memory(String::new()),
            segments: prefix.as_ref().split('/').filter(|s| !s.is_empty()).map(str::to_owned).collect(),
        });
        let store = exact(store);
        TableRoot {
            inner: Arc::new(Inner {
                url,
                once: Arc::clone(&store),
                store,
                prefix,
                roots: vec![roots],
                allowed: Vec::new(),
                others: Mutex::default(),
                options: StorageOptions::default(),
                env: None,
                sorted: false,
                identity: None,
                writable: OnceCell::new(),
                meter: None,
            }),
        }
    }
    /// The same place, every request to which is counted.
    pub(crate) fn metered(&self, meter: &Meter) -> TableRoot {
        let inner = &*self.inner;
        TableRoot {
            inner: Arc::new(Inner {
                url: inner.url.clone(),
                store: meter.wrap(&inner.store),
                once: meter.wrap(&inner.once),
                prefix: inner.prefix.clone(),
                roots: inner.roots.clone(),
                allowed: inner.allowed.clone(),
                others: Mutex::default(),
                options: inner.options.clone(),
                env: inner.env.clone(),
                sorted: inner.sorted,
                identity: inner.identity.clone(),
                writable: inner.writable.clone(),
                meter: Some(meter.clone()),
            }),
        }
    }
    /// The URL, always ending in `/`.
    pub fn url(&self) -> &Url {
        &self.inner.url
    }
    /// The store that holds the table.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.inner.store
    }
    /// The same store without retries: for writes that must not be sent twice.
    pub(crate) fn store_once(&self) -> &Arc<dyn ObjectStore> {
        &self.inner.once
    }
    /// Whether listings come in the order of their keys.
    pub(crate) fn lists_in_order(&self) -> bool {
        self.inner.sorted
    }
    /// Whether this table may be written, to be asked before the first file of a write. `LB-STORE-LOCK` when another locking scheme guards the
    /// log, `LB-STORE-NOCAS` when the store ignores the condition of a create-only write. Free for local and memory stores and after the
    /// first time.
    pub(crate) async fn check_writable(&self) -> Result<()> {
        let (Some(identity), Some(env)) = (&self.inner.identity, &self.inner.env) else { return Ok(()) };
        self.inner.writable.get_or_try_init(|| probe::check(self, identity, &self.inner.options, env)).await.copied()
    }
    /// Where the keys of the table begin; empty when its store holds nothing else.
    pub(crate) fn prefix(&self) -> &Path {
        &self.inner.prefix
    }
    /// The key of a name inside the table, which is taken literally (already decoded).
    ///
    /// A name that no store can hold (a dot segment, a control character) becomes its percent-encoded form.
    pub fn key(&self, name: &str) -> Path {
        let prefix = self.inner.prefix.as_ref();
        let raw = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
        Path::parse(&raw).unwrap_or_else(|_| Path::from(raw))
    }
    /// The key of a name inside `_delta_log`.
    pub fn log_key(&self, name: &str) -> Path {
        self.key(&format!("_delta_log/{name}"))
    }
    /// Where a path of the log (percent-encoded, relative or absolute) lies: decoded exactly once, refused with `LB-PATH` or
    /// `LB-PATH-FOREIGN` before any request when it leaves the table and no allowed root covers it.
    pub fn resolve(&self, raw: &str) -> Result<(Arc<dyn ObjectStore>, Path)> {
        match target(raw, &self.inner.roots, &self.inner.allowed)? {
            Target::Inside(segments) => Ok((Arc::clone(&self.inner.store), self.key(&segments.join("/")))),
            Target::Allowed(index, segments) => self.other(index, &segments, raw),
        }
    }
    /// The decoded path below the table's root that a path of the log names; `None` when it names another place. What cannot be opened
    /// (a dot segment, say) keeps its decoded text.
    pub(crate) fn inside<'a>(&self, raw: &'a str) -> Option<Cow<'a, str>> {
        let absolute = raw.starts_with('/') || scheme(raw).is_some();
        if !absolute {
            return Some(percent_decode_str(raw).decode_utf8_lossy());
        }
        match target(raw, &self.inner.roots, &[]) {
            Ok(Target::Inside(segments)) => Some(Cow::Owned(segments.join("/"))),
            _ => None,
        }
    }
    /// The name inside the table of an object that a listing shows; `None` for one that lies elsewhere.
    pub(crate) fn name_of<'a>(&self, key: &'a Path) -> Option<&'a str> {
        match self.inner.prefix.as_ref() {
            "" => Some(key.as_ref()),
            prefix => key.as_ref().strip_prefix(prefix)?.strip_prefix('/'),
        }
    }
    /// A path of the log as a URI that logs elsewhere can name. Errors as `resolve`.
    pub(crate) fn absolute(&self, raw: &str) -> Result<String> {
        let inner = &*self.inner;
        let (place, below) = match target(raw, &inner.roots, &inner.allowed)? {
            Target::Inside(segments) => (inner.roots.first(), segments),
            Target::Allowed(index, segments) => (inner.allowed.get(index), segments),
        };
        place.ok_or_else(|| Error::new(Code::INTERNAL, "a table root without a place"))?.uri(&below)
    }
    /// The same with the names as they are, without escapes: for readers that take lines for names. Errors as `resolve`.
    pub(crate) fn absolute_name(&self, raw: &str) -> Result<String> {
        let uri = self.absolute(raw)?;
        Ok(percent_decode_str(&uri).decode_utf8_lossy().into_owned())
    }
    /// A path of the log relative to the table, when it lies inside; one that is relative stays as it is spelled. Errors as `resolve`.
    pub(crate) fn relative(&self, raw: &str) -> Result<Option<String>> {
        match target(raw, &self.inner.roots, &self.inner.allowed)? {
            Target::Inside(_) if scheme(raw).is_none() && !raw.starts_with('/') => Ok(Some(raw.to_owned())),
            Target::Inside(segments) => Ok(Some(relative(&segments))),
            Target::Allowed(..) => Ok(None),
        }
    }
    /// Whether both are one place, however each is spelled: symbolic links are followed, and remote stores differ when their endpoints do.
    pub(crate) fn same_place(&self, other: &TableRoot) -> bool {
        let (one, two) = (&*self.inner, &*other.inner);
        let elsewhere = matches!((&one.identity, &two.identity), (Some(a), Some(b)) if a != b);
        !elsewhere && one.roots.iter().any(|root| two.roots.contains(root))
    }
    /// Whether both lie in one remote store, which can copy from one to the other by itself.
    pub(crate) fn shares_store(&self, other: &TableRoot) -> bool {
        self.inner.identity.is_some() && self.inner.identity == other.inner.identity
    }
    fn other(&self, index: usize, segments: &[String], raw: &str) -> Result<(Arc<dyn ObjectStore>, Path)> {
        let (Some(env), Some(place)) = (&self.inner.env, self.inner.allowed.get(index)) else {
            return Err(Error::new(Code::INTERNAL, "an allowed root without a place").with("path", raw));
        };
        let (prefix, known) = {
            let others = self.inner.others.lock().unwrap_or_else(|e| e.into_inner());
            (prefix_of(place)?, others.get(&index).cloned())
        };
        let store = match known {
            Some(store) => store,
            None => {
                let store = open_place(place, &self.inner.options, env)?.store;
                let store = self.inner.meter.as_ref().map_or_else(|| Arc::clone(&store), |meter| meter.wrap(&store));
                let mut others = self.inner.others.lock().unwrap_or_else(|e| e.into_inner());
                Arc::clone(others.entry(index).or_insert(store))
            }
        };
        let below = segments.join("/");
        let raw_key = if prefix.as_ref().is_empty() { below } else { format!("{prefix}/{below}") };
        let key = Path::parse(&raw_key).map_err(|_| Error::new(Code::PATH, "a path of the log is no key of a store").with("path", raw))?;
        Ok((store, key))
    }
}

/// Says each of these once in the life of the process, however many tables are opened.
fn tell_once(warnings: &[String]) {
    static TOLD: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);
    let mut told = TOLD.lock().unwrap_or_else(|e| e.into_inner());
    for warning in warnings {
        if told.len() < TOLD_MAX && told.insert(warning.clone()) {
            tracing::warn!("{warning}");
        }
    }
}

/// How many different warnings about options are told and remembered.
const TOLD_MAX: usize = 1_000;

/// A location as a user writes it -> its place.
fn locate(location: &str) -> Result<Place> {
    let bad = |why: String| {
        Error::new(Code::STORE_CONFIG, format!("the location is not one: {why}")).help(
            "write a path, or a URL such as s3://bucket/table, abfss://container@account.dfs.core.windows.net/table, gs://bucket/table",
        )
    };
    match scheme(location) {
        Some((scheme, rest)) => {
            if rest.contains(['?', '#']) {
                return Err(bad("a URL with `?` or `#`; write %3F or %23 if the name has them".to_owned()).with("scheme", scheme));
            }
            let doubled = rest.len() - rest.trim_end_matches('/').len();
            let rest = if doubled > 1 && rest.trim_end_matches('/').contains("//") { rest.trim_end_matches('/') } else { rest };
            place_of_uri(&scheme, rest).map_err(|r| bad(r.text()).with("scheme", scheme))
        }
        None if location.is_empty() => Err(bad("it is empty".to_owned())),
        None => local_place(location),
    }
}

/// A plain path, made absolute. `..` is followed as the file system would.
fn local_place(location: &str) -> Result<Place> {
    let wrong = |why: &str| Error::new(Code::STORE_CONFIG, format!("the location is not a path: {why}")).with("location", location);
    if location.contains('\0') {
        return Err(wrong("it holds NUL"));
    }
    let mut absolute = std::path::absolute(location).map_err(|e| wrong(&e.to_string()))?;
    if absolute.components().any(|c| c == Component::ParentDir) {
        absolute = real_path(&absolute);
    }
    let text = absolute.to_str().ok_or_else(|| wrong("it is not UTF-8"))?;
    let segments = split(text.trim_matches('/')).map_err(|r| wrong(&r.text()))?;
    Ok(Place { origin: Origin::File, segments })
}

/// The path with symbolic links and `..` followed as far as it exists, and `..` taken away from the rest.
fn real_path(path: &std::path::Path) -> PathBuf {
    let mut known = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                known.pop();
            }
            part => {
                known.push(part);
                known = std::fs::canonicalize(&known).unwrap_or(known);
            }
        }
    }
    known
}

/// A local place with its symbolic links followed.
fn followed(place: &Place) -> Option<Place> {
    if place.origin != Origin::File {
        return None;
    }
    let real = real_path(&folder_of(place));
    let segments = split(real.to_str()?.trim_matches('/')).ok()?;
    Some(Place { origin: Origin::File, segments })
}

fn folder_of(place: &Place) -> PathBuf {
    PathBuf::from(format!("/{}", place.segments.join("/")))
}

/// Keys of a local store begin at its own root, those of all others at the bucket's.
fn prefix_of(place: &Place) -> Result<Path> {
    if place.origin == Origin::File {
        return Ok(Path::ROOT);
    }
    Path::parse(place.segments.join("/")).map_err(|e| Error::new(Code::STORE_CONFIG, format!("the location is no key of a store: {e}")))
}

fn open_place(place: &Place, options: &StorageOptions, env: &Env) -> Result<Opened> {
    let prefix = prefix_of(place)?;
    match &place.origin {
        Origin::File => {
            let store: Arc<dyn ObjectStore> = Arc::new(LocalStore::new(folder_of(place), options.local_durability(), env.clone()));
            Ok(Opened { once: Arc::clone(&store), store, prefix, sorted: true, identity: None })
        }
        Origin::Memory(name) => {
            let store = exact(memory(name));
            Ok(Opened { once: Arc::clone(&store), store, prefix, sorted: true, identity: None })
        }
        origin => {
            let remote = cloud::open(origin, options, env)?;
            Ok(Opened {
                store: exact(remote.store),
                once: exact(remote.once),
                prefix,
                sorted: remote.sorted,
                identity: Some(remote.identity),
            })
        }
    }
}

/// The memory store of a name: one in the whole process, so that two opens see the same table.
fn memory(name: &str) -> Arc<InMemory> {
    static STORES: LazyLock<Mutex<HashMap<String, Arc<InMemory>>>> = LazyLock::new(Mutex::default);
    let mut stores = STORES.lock().unwrap_or_else(|e| e.into_inner());
    Arc::clone(stores.entry(name.to_owned()).or_default())
}

#[cfg(test)]
#[path = "locate_tests.rs"]
mod tests;
