//! Where commits become durable: the `LogStore`. Kind: edge. Spec: LOG, COM.

use super::{LogFile, Version};
use crate::error::Result;
use crate::storage::{PutOutcome, TableRoot};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use std::fmt;

/// Ordered access to one table's log. The only place where a commit becomes durable.
#[async_trait]
pub trait LogStore: fmt::Debug + Send + Sync {
    /// Log files whose version is at least `from`, in version order.
    fn list(&self, from: Version) -> BoxStream<'_, Result<LogFile>>;
    /// The bytes of one log file.
    async fn read(&self, file: &LogFile) -> Result<Bytes>;
    /// The commit of `version`, or `None` when there is none. One GET, no listing.
    async fn read_commit(&self, version: Version) -> Result<Option<Bytes>>;
    /// Writes version `version` only if it does not exist yet.
    async fn put_commit(&self, version: Version, body: Bytes) -> PutOutcome;
}

/// The log of a table that is addressed by its path.
#[derive(Clone, Debug)]
pub struct PathLogStore {
    #[allow(dead_code)]
    root: TableRoot,
}

impl PathLogStore {
    /// The log under `root`.
    pub fn new(root: TableRoot) -> Self {
        PathLogStore { root }
    }
}

#[async_trait]
impl LogStore for PathLogStore {
    fn list(&self, from: Version) -> BoxStream<'_, Result<LogFile>> {
        let _ = from;
        todo!("storage room")
    }
    async fn read(&self, file: &LogFile) -> Result<Bytes> {
        let _ = file;
        todo!("storage room")
    }
    async fn read_commit(&self, version: Version) -> Result<Option<Bytes>> {
        let _ = version;
        todo!("storage room")
    }
    async fn put_commit(&self, version: Version, body: Bytes) -> PutOutcome {
        let _ = (version, body);
        todo!("storage room")
    }
}
