//! A log that takes a commit after one version only. Kind: edge. Spec: COM.
//!
//! Invariant: whatever is asked to commit, nothing lands unless the table is at the version that was named.

use super::store::LogStore;
use super::{LogFile, Version};
use crate::error::{Error, Result};
use crate::storage::{PutOutcome, TableRoot};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use std::sync::Arc;

/// The log, and the version after which it may be written.
#[derive(Debug)]
pub(crate) struct OnlyAfter {
    pub log: Arc<dyn LogStore>,
    pub version: Version,
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
    async fn put_commit(&self, version: Version, body: Bytes) -> PutOutcome {
        match version == self.version.next() {
            true => self.log.put_commit(version, body).await,
            false => PutOutcome::Failed(Error::moved_on(self.version)),
        }
    }
    async fn publish(&self, version: Version) -> Result<()> {
        self.log.publish(version).await
    }
    fn over(&self, root: &TableRoot) -> Option<Arc<dyn LogStore>> {
        Some(Arc::new(OnlyAfter { log: self.log.over(root)?, version: self.version }))
    }
    fn is_ratified_by_catalog(&self) -> bool {
        self.log.is_ratified_by_catalog()
    }
    fn permits_cleanup(&self) -> bool {
        self.log.permits_cleanup()
    }
}
