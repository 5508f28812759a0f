//! Where commits become durable: the `LogStore`. Kind: edge. Spec: LOG, COM.

use super::{LogFile, Version};
use crate::error::{Code, Error, Result};
use crate::storage::{PutOutcome, TableRoot, create, failure, get, open};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::ObjectMeta;
use std::fmt;
use std::sync::Arc;

/// The body of a commit that comes piece by piece.
pub struct CommitStream<'a> {
    /// Bytes of all pieces.
    pub size: u64,
    pub pieces: BoxStream<'a, Result<Bytes>>,
}

impl CommitStream<'_> {
    /// A body that is there already.
    pub(crate) fn of(body: Bytes) -> CommitStream<'static> {
        CommitStream { size: body.len() as u64, pieces: stream::iter([Ok(body)]).boxed() }
    }
}

/// Ordered access to one table's log. The only place where a commit becomes durable.
#[async_trait]
pub trait LogStore: fmt::Debug + Send + Sync {
    /// Log files whose version is at least `from`, in version order.
    fn list(&self, from: Version) -> BoxStream<'_, Result<LogFile>>;
    /// The bytes of one log file.
    async fn read(&self, file: &LogFile) -> Result<Bytes>;
    /// The commit of `version`, or `None` when there is none. One GET, no listing.
    async fn read_commit(&self, version: Version) -> Result<Option<Bytes>>;
    /// The same piece by piece, for commits of any length. A store that has no pieces gives the commit as one.
    async fn stream_commit(&self, version: Version) -> Result<Option<CommitStream<'_>>> {
        Ok(self.read_commit(version).await?.map(CommitStream::of))
    }
    /// Writes version `version` only if it does not exist yet.
    async fn put_commit(&self, version: Version, body: Bytes) -> PutOutcome;
    /// Makes sure that every commit up to `version` lies under its own name in the log's folder; checkpoints may stand on such only.
    async fn publish(&self, _version: Version) -> Result<()> {
        Ok(())
    }
    /// The same log, asked through another handle of its place; `None` when it cannot be asked in another way.
    fn over(&self, _root: &TableRoot) -> Option<Arc<dyn LogStore>> {
        None
    }
    /// Whether a catalog decides which commits count.
    fn is_ratified_by_catalog(&self) -> bool {
        false
    }
    /// Whether old files of the log may be deleted by whoever writes to the table.
    fn permits_cleanup(&self) -> bool {
        true
    }
}

/// The log of a table that is addressed by its path.
#[derive(Clone, Debug)]
pub struct PathLogStore {
    root: TableRoot,
}

impl PathLogStore {
    /// The log under `root`.
    pub fn new(root: TableRoot) -> Self {
        PathLogStore { root }
    }
    /// The name inside `_delta_log`, when the object lies directly in it.
    fn name<'a>(&self, object: &'a ObjectMeta) -> Option<&'a str> {
        let folder = self.root.key("_delta_log");
        let name = object.location.as_ref().strip_prefix(folder.as_ref())?.strip_prefix('/')?;
        (!name.contains('/')).then_some(name)
    }
    fn log_file(&self, object: &ObjectMeta) -> Option<LogFile> {
        LogFile::parse(self.name(object)?, object.size, object.last_modified.timestamp_millis())
    }
}

#[async_trait]
impl LogStore for PathLogStore {
    /// One request per 1,000 files; it ends where the numbered names end, so sub-folders are not walked. On a store that does not list in
    /// order, everything in `_delta_log` is listed and sorted.
    fn list(&self, from: Version) -> BoxStream<'_, Result<LogFile>> {
        let folder = self.root.key("_delta_log");
        let start = self.root.log_key(&format!("{:020}", from.0));
        let objects = self.root.store().list_with_offset(Some(&folder), &start).map_err(|e| failure(e, "listing the log", "_delta_log"));
        if self.root.lists_in_order() {
            let numbered = move |object: &ObjectMeta| object.location.as_ref() < format!("{folder}/:").as_str();
            let mut last: Option<String> = None;
            return objects
                .try_take_while(move |object| futures::future::ready(Ok(numbered(object))))
                .try_filter_map(move |object| {
                    let file = self.log_file(&object).filter(|file| file.version >= from);
                    let name = object.location.to_string();
                    let order = last.as_ref().map(|last| name.cmp(last));
                    last = Some(name);
                    futures::future::ready(match order {
                        Some(std::cmp::Ordering::Less) => Err(unsorted(&object)),
                        Some(std::cmp::Ordering::Equal) => Ok(None),
                        _ => Ok(file),
                    })
                })
                .boxed();
        }
        stream::once(async move {
            let mut files: Vec<LogFile> = objects.try_filter_map(|o| futures::future::ready(Ok(self.log_file(&o)))).try_collect().await?;
            files.retain(|file| file.version >= from);
            files.sort_by(|a, b| a.name.cmp(&b.name));
            files.dedup_by(|a, b| a.name == b.name);
            Ok::<_, Error>(stream::iter(files.into_iter().map(Ok)))
        })
        .try_flatten()
        .boxed()
    }
    async fn read(&self, file: &LogFile) -> Result<Bytes> {
        let key = self.root.log_key(&file.name);
        let bytes = get(self.root.store().as_ref(), &key).await?;
        bytes.ok_or_else(|| {
            Error::new(Code::STORE, "a file of the log was listed and is gone")
                .with("path", &key)
                .with("version", file.version)
                .help("another process cleaned up the log meanwhile; load the table again")
        })
    }
    async fn read_commit(&self, version: Version) -> Result<Option<Bytes>> {
        get(self.root.store().as_ref(), &self.root.log_key(&LogFile::commit_name(version))).await
    }
    async fn stream_commit(&self, version: Version) -> Result<Option<CommitStream<'_>>> {
        let body = open(self.root.store().as_ref(), &self.root.log_key(&LogFile::commit_name(version))).await?;
        Ok(body.map(|body| CommitStream { size: body.left(), pieces: body.into_stream() }))
    }
    async fn put_commit(&self, version: Version, body: Bytes) -> PutOutcome {
        if let Err(e) = self.root.check_writable().await {
            return PutOutcome::Failed(e);
        }
        create(self.root.store_once().as_ref(), &self.root.log_key(&LogFile::commit_name(version)), body).await
    }
    fn over(&self, root: &TableRoot) -> Option<Arc<dyn LogStore>> {
        Some(Arc::new(PathLogStore::new(root.clone())))
    }
}

fn unsorted(object: &ObjectMeta) -> Error {
    Error::new(Code::STORE, "the store lists the log out of order").with("path", &object.location).help("this store cannot hold a table")
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
