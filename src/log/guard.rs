//! A log that takes its first commit after one version only. Kind: edge. Spec: COM.
//!
//! Invariant: whatever is asked to commit, nothing lands unless the table is at the version that was named; whoever has landed there goes on.

use super::store::{CommitStream, LogStore};
use super::{LogFile, Version};
use crate::error::{Error, Result};
use crate::storage::{PutOutcome, TableRoot};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The log, and the version after which it may be written.
#[derive(Debug)]
pub(crate) struct OnlyAfter {
    log: Arc<dyn LogStore>,
    version: Version,
    /// Whether the first commit has landed: those of an operation that makes several follow it.
    landed: Arc<AtomicBool>,
}

impl OnlyAfter {
    pub fn new(log: Arc<dyn LogStore>, version: Version) -> OnlyAfter {
        OnlyAfter { log, version, landed: Arc::default() }
    }
}

#[async_trait]
impl LogStore for OnlyAfter {
    fn list(&self, from: Version) -> BoxStream<'_, Result<LogFile>> {
        self.log.list(from)
    }
    async fn read(&self, file: &LogFile) -> Result<Bytes> {
        self.log.read(file).await
    }
    async fn read_commit(&self, version: Version) -> Result<Option<Bytes>> {
        self.log.read_commit(version).await
    }
    async fn stream_commit(&self, version: Version) -> Result<Option<CommitStream<'_>>> {
        self.log.stream_commit(version).await
    }
    async fn put_commit(&self, version: Version, body: Bytes) -> PutOutcome {
        if version != self.version.next() && !self.landed.load(Ordering::Acquire) {
            return PutOutcome::Failed(Error::moved_on(self.version));
        }
        let outcome = self.log.put_commit(version, body).await;
        if matches!(outcome, PutOutcome::Created) {
            self.landed.store(true, Ordering::Release);
        }
        outcome
    }
    async fn publish(&self, version: Version) -> Result<()> {
        self.log.publish(version).await
    }
    fn over(&self, root: &TableRoot) -> Option<Arc<dyn LogStore>> {
        let log = self.log.over(root)?;
        Some(Arc::new(OnlyAfter { log, version: self.version, landed: Arc::clone(&self.landed) }))
    }
    fn is_ratified_by_catalog(&self) -> bool {
        self.log.is_ratified_by_catalog()
    }
    fn permits_cleanup(&self) -> bool {
        self.log.permits_cleanup()
    }
}
