//! A folder of the local disk as an object store. Kind: edge. Spec: STO.
//!
//! Keys are file names as they are (no encoding), listings are in key order, a write is either wholly in view or not at all and, when
//! durable, on the disk before it is acknowledged. Blocking calls run through `Env`.
//!
//! Invariant: no operation touches a file outside the root, also not through a symbolic link.

mod delete;
mod publish;
mod upload;
mod walk;

use super::create::NotPublished;
use super::options::Durability;
use crate::env::Env;
use crate::error::{Code, Error};
use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{
    Attributes, CopyMode, CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use publish::Publisher;
use rustix::buffer::spare_capacity;
use rustix::io::{Errno, pread};
use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// How much of a file one read brings.
const CHUNK: u64 = 4 << 20;
/// Blocking calls at once for each thread of the environment: one that computes, one that waits for the disk.
const CALLS_PER_THREAD: usize = 2;

/// An object store over one folder. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct LocalStore {
    disk: Arc<Disk>,
    env: Env,
    /// Blocking calls at once. Each runs in a thread, and every thread that ever ran keeps memory of its own.
    calls: Arc<Semaphore>,
}

/// What blocking work needs to know.
#[derive(Debug)]
struct Disk {
    root: PathBuf,
    publisher: Publisher,
}

impl LocalStore {
    /// The folder need not exist; the first write makes it.
    pub fn new(root: PathBuf, durability: Durability, env: Env) -> Self {
        LocalStore::over(Disk { publisher: Publisher::new(root.clone(), durability), root }, env)
    }
    fn over(disk: Disk, env: Env) -> Self {
        let calls = env.threads().saturating_mul(CALLS_PER_THREAD).clamp(1, Semaphore::MAX_PERMITS);
        LocalStore { disk: Arc::new(disk), env, calls: Arc::new(Semaphore::new(calls)) }
    }
    async fn run<T: Send + 'static>(&self, work: impl FnOnce(&Disk) -> Result<T> + Send + 'static) -> Result<T> {
        let failed = |e: Box<dyn std::error::Error + Send + Sync>| object_store::Error::Generic { store: STORE, source: e };
        // Held by the call itself: it goes on when nobody waits for it any more.
        let permit = Arc::clone(&self.calls).acquire_owned().await.map_err(|e| failed(e.into()))?;
        let disk = Arc::clone(&self.disk);
        let call = move || {
            let _permit = permit;
            work(&disk)
        };
        let done = self.env.spawn_blocking(call).await.unwrap_or_else(|e| Err(failed(e.into())));
        done.map_err(|e| self.disk.located(e))
    }
    fn temp_name(&self) -> String {
        format!(".lakebed-{}.tmp", self.env.new_uuid().simple())
    }
}

const STORE: &str = "local";

impl std::fmt::Display for LocalStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LocalStore({})", self.disk.root.display())
    }
}

impl Disk {
    fn file_of(&self, key: &Path) -> PathBuf {
        if key.is_root() { self.root.clone() } else { self.root.join(key.as_ref()) }
    }
    /// The same failure, which says in which folder the store lies.
    fn located(&self, e: object_store::Error) -> object_store::Error {
        match e {
            object_store::Error::PermissionDenied { path, source } => {
                object_store::Error::PermissionDenied { path: self.root.join(path).display().to_string(), source }
            }
            object_store::Error::Generic { store, source } if !source.is::<Error>() => {
                object_store::Error::Generic { store, source: Box::new(Located { root: self.root.clone(), source }) }
            }
            e => e,
        }
    }
    /// The file of a key that exists, links followed; refused when it lies outside the root.
    fn existing(&self, key: &Path) -> Result<PathBuf> {
        let found = std::fs::canonicalize(self.file_of(key)).map_err(|e| io_error(e, key))?;
        self.inside(found, key)
    }
    fn inside(&self, found: PathBuf, key: &Path) -> Result<PathBuf> {
        let root = std::fs::canonicalize(&self.root).map_err(|e| io_error(e, key))?;
        if found.starts_with(&root) {
            return Ok(found);
        }
        let refused = Error::new(Code::PATH, "a symbolic link leads out of the table")
            .with("path", key)
            .help("copy the file into the table, or name its folder as an allowed root and by its own path");
        Err(object_store::Error::Generic { store: STORE, source: Box::new(refused) })
    }
    /// Opens a file for reading: its meta data, and the part that is asked for, or its first chunk.
    fn open(&self, key: &Path, options: &GetOptions) -> Result<(File, ObjectMeta, Range<u64>)> {
        let path = self.existing(key)?;
        let file = File::open(path).map_err(|e| io_error(e, key))?;
        let meta = file.metadata().map_err(|e| io_error(e, key))?;
        if meta.is_dir() {
            return Err(io_error(io::Error::from(io::ErrorKind::NotFound), key));
        }
        let meta = object_meta(key.clone(), &meta);
        options.check_preconditions(&meta)?;
        let range = match &options.range {
            Some(range) => range.as_range(meta.size).map_err(|e| object_store::Error::Generic { store: STORE, source: Box::new(e) })?,
            None => 0..meta.size,
        };
        Ok((file, meta, range))
    }
}

/// A failure of the file system, and the folder of the store.
#[derive(Debug)]
struct Located {
    root: PathBuf,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl std::fmt::Display for Located {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (below {})", self.source, self.root.display())
    }
}

impl std::error::Error for Located {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.source.as_ref())
    }
}

/// Reads exactly `range`; a file that ends early is an error.
fn read_at(file: &File, range: &Range<u64>, key: &Path) -> Result<Bytes> {
    let length = usize::try_from(range.end - range.start).map_err(|_| io_error(io::Error::from(io::ErrorKind::OutOfMemory), key))?;
    let mut buffer = Vec::with_capacity(length);
    while buffer.len() < length {
        let at = range.start + buffer.len() as u64;
        match pread(file, spare_capacity(&mut buffer), at) {
            Ok(0) => return Err(io_error(io::Error::from(io::ErrorKind::UnexpectedEof), key)),
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(io_error(e.into(), key)),
        }
    }
    buffer.truncate(length);
    Ok(buffer.into())
}

fn object_meta(location: Path, meta: &Metadata) -> ObjectMeta {
    let nanos = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
    let last_modified = DateTime::<Utc>::from_timestamp(meta.mtime(), u32::try_from(meta.mtime_nsec()).unwrap_or(0)).unwrap_or_default();
    let e_tag = Some(format!("{:x}-{:x}-{:x}", meta.ino(), nanos, meta.len()));
    ObjectMeta { location, last_modified, size: meta.len(), e_tag, version: None }
}

/// A failure of the file system by its meaning; nothing has been published.
fn io_error(e: io::Error, key: &Path) -> object_store::Error {
    let path = key.to_string();
    match e.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => object_store::Error::NotFound { path, source: e.into() },
        io::ErrorKind::AlreadyExists => object_store::Error::AlreadyExists { path, source: e.into() },
        io::ErrorKind::PermissionDenied => object_store::Error::PermissionDenied { path, source: e.into() },
        _ => object_store::Error::Generic { store: STORE, source: Box::new(NotPublished(e)) },
    }
}

#[async_trait]
impl ObjectStore for LocalStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let (key, temp) = (location.clone(), self.temp_name());
        match opts.mode {
            PutMode::Create => self.run(move |disk| disk.put_new(&key, &temp, &payload)).await,
            PutMode::Overwrite => self.run(move |disk| disk.put_over(&key, &temp, &payload)).await,
            PutMode::Update(_) => Err(unimplemented("writing on condition of a version")),
        }
    }
    async fn put_multipart_opts(&self, location: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Ok(Box::new(upload::Upload::new(self.clone(), location.clone(), self.temp_name())))
    }
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let key = location.clone();
        let (file, meta, range, first) = self
            .run(move |disk| {
                let (file, meta, range) = disk.open(&key, &options)?;
                let first =
                    if options.head { Bytes::new() } else { read_at(&file, &(range.start..range.end.min(range.start + CHUNK)), &key)? };
                Ok((file, meta, range, first))
            })
            .await?;
        let rest = (Arc::new(file), range.start + first.len() as u64..range.end);
        let (store, key) = (self.clone(), location.clone());
        let more = stream::try_unfold(rest, move |(file, rest)| {
            let (store, key) = (store.clone(), key.clone());
            async move {
                if rest.is_empty() {
                    return Ok(None);
                }
                let part = rest.start..rest.end.min(rest.start + CHUNK);
                let (shared, wanted) = (Arc::clone(&file), part.clone());
                let bytes = store.run(move |_| read_at(&shared, &wanted, &key)).await?;
                Ok(Some((bytes, (file, part.end..rest.end))))
            }
        });
        let body = match options_head(&first, &range) {
            Body::None => stream::empty().boxed(),
            Body::Whole => stream::once(async move { Ok(first) }).boxed(),
            Body::Chunks => stream::once(async move { Ok(first) }).chain(more).boxed(),
        };
        Ok(GetResult { payload: GetResultPayload::Stream(body), meta, range, attributes: Attributes::new() })
    }
    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let (key, ranges) = (location.clone(), ranges.to_vec());
        self.run(move |disk| {
            let (file, meta, _) = disk.open(&key, &GetOptions::default())?;
            let read = |range: &Range<u64>| match range.end <= meta.size {
                true => read_at(&file, range, &key),
                false => Err(io_error(io::Error::from(io::ErrorKind::UnexpectedEof), &key)),
            };
            ranges.iter().map(read).collect()
        })
        .await
    }
    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        delete::delete_all(self.clone(), locations)
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        walk::list(self.clone(), prefix.cloned().unwrap_or_default(), None)
    }
    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        walk::list(self.clone(), prefix.cloned().unwrap_or_default(), Some(offset.clone()))
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let prefix = prefix.cloned().unwrap_or_default();
        self.run(move |disk| disk.list_folder(&prefix)).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let (from, to, temp) = (from.clone(), to.clone(), self.temp_name());
        self.run(move |disk| disk.copy(&from, &to, &temp, options.mode == CopyMode::Create)).await
    }
    async fn rename_opts(&self, _: &Path, _: &Path, _: RenameOptions) -> Result<()> {
        Err(unimplemented("renaming"))
    }
}

enum Body {
    None,
    Whole,
    Chunks,
}

fn options_head(first: &Bytes, range: &Range<u64>) -> Body {
    match first.len() as u64 {
        0 => Body::None,
        n if n == range.end - range.start => Body::Whole,
        _ => Body::Chunks,
    }
}

fn unimplemented(operation: &str) -> object_store::Error {
    object_store::Error::NotImplemented { operation: operation.to_owned(), implementer: "the local store".to_owned() }
}

#[cfg(test)]
#[path = "local_tests.rs"]
mod tests;
