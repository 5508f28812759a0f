//! The log of a table whose commits a catalog ratifies. Kind: edge. Spec: CAT.
//!
//! A commit is staged under a name of its own, ratified by the catalog, and then published under its version. Invariant: what the catalog
//! has not ratified is never shown, whatever lies in the folder; what it has ratified is shown whether or not it is published.

use super::store::{CommitStream, LogStore, PathLogStore};
use super::{LogFile, LogFileKind, Version};
use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::storage::{PutOutcome, TableRoot, create, get};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

const STAGED: &str = "_staged_commits/";

/// Decides which commits of a table count.
#[async_trait]
pub trait CommitCatalog: fmt::Debug + Send + Sync {
    /// The newest ratified version, and the ratified commits that it was not told to be published.
    async fn ratified(&self) -> Result<Ratified>;
    /// Makes a staged file the commit of its version: once, and only when the version before is the newest. `Exists` when another
    /// commit has that version already.
    async fn ratify(&self, staged: &StagedCommit) -> PutOutcome;
    /// Learns that every commit up to this version is published, so that it may forget where they were staged.
    async fn published(&self, version: Version) -> Result<()>;
    /// Whether old files of the log may be deleted by whoever writes to the table; the protocol says no unless the catalog says yes.
    fn permits_cleanup(&self) -> bool {
        false
    }
}

/// What a catalog has ratified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ratified {
    /// `None` before the first commit.
    pub latest: Option<Version>,
    /// In version order, without gaps, up to `latest`; empty when all are published.
    pub commits: Vec<StagedCommit>,
}

/// A commit under a name that no other has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedCommit {
    pub version: Version,
    /// The name inside `_delta_log/_staged_commits`.
    pub name: String,
    pub size: u64,
    /// Milliseconds since 1970.
    pub modified: i64,
}

/// The log of a table that a catalog manages. One request to the catalog for a look at what is new, and two for a commit.
#[derive(Debug)]
pub struct CatalogLogStore {
    root: TableRoot,
    files: PathLogStore,
    catalog: Arc<dyn CommitCatalog>,
    env: Env,
    seen: Mutex<Seen>,
}

/// The newest answer of the catalog. Ratified commits never change, so that it stays true.
#[derive(Debug, Default)]
struct Seen {
    latest: Option<Version>,
    staged: BTreeMap<Version, StagedCommit>,
}

impl CatalogLogStore {
    /// The log under `root`, as `catalog` has ratified it.
    pub fn new(root: TableRoot, catalog: Arc<dyn CommitCatalog>, env: Env) -> Self {
        CatalogLogStore { files: PathLogStore::new(root.clone()), root, catalog, env, seen: Mutex::default() }
    }
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(|e| e.into_inner())
    }
    /// Asks the catalog. `LB-LOG-STATE` when its answer has a hole.
    async fn look(&self) -> Result<Ratified> {
        let ratified = self.catalog.ratified().await?;
        let whole = ratified.commits.windows(2).all(|pair| pair[0].version.next() == pair[1].version)
            && ratified.commits.last().is_none_or(|last| Some(last.version) == ratified.latest);
        if !whole {
            return Err(
                Error::new(Code::LOG_STATE, "the catalog does not name every commit up to its newest").with("table", self.root.url())
            );
        }
        let mut seen = self.seen();
        // A slower answer must not take back what a newer one said.
        if ratified.latest >= seen.latest {
            seen.latest = ratified.latest;
            seen.staged = ratified.commits.iter().map(|c| (c.version, c.clone())).collect();
        }
        Ok(ratified)
    }
    /// Where the commit was staged, when it may not be published yet; `None` when it was not ratified.
    async fn find(&self, version: Version) -> Result<Option<Option<StagedCommit>>> {
        if self.seen().latest < Some(version) {
            self.look().await?;
        }
        let seen = self.seen();
        Ok((seen.latest >= Some(version)).then(|| seen.staged.get(&version).cloned()))
    }
    /// Its bytes: the staged file, or the published one once the staged one was cleaned up.
    async fn body(&self, staged: &StagedCommit) -> Result<Option<Bytes>> {
        let key = self.root.log_key(&format!("{STAGED}{}", staged.name));
        match get(self.root.store().as_ref(), &key).await? {
            Some(body) => Ok(Some(body)),
            None => self.files.read_commit(staged.version).await,
        }
    }
    async fn stage(&self, version: Version, body: Bytes) -> Result<StagedCommit> {
        self.root.check_writable().await?;
        let name = format!("{:020}.{}.json", version.0, self.env.new_uuid());
        let staged = StagedCommit { version, size: body.len() as u64, modified: self.env.now().millis(), name };
        match create(self.root.store_once().as_ref(), &self.root.log_key(&format!("{STAGED}{}", staged.name)), body).await {
            PutOutcome::Created => Ok(staged),
            PutOutcome::Exists => {
                Err(Error::new(Code::INTERNAL, "a staged commit has a name that another one has").with("name", &staged.name))
            }
            // Nobody will look at it: it was not ratified.
            PutOutcome::Unknown(e) | PutOutcome::Failed(e) => Err(e),
        }
    }
    async fn publish_one(&self, staged: &StagedCommit) -> Result<()> {
        let gone = || Error::new(Code::LOG_GAP, "a ratified commit is neither staged nor published").with("version", staged.version);
        let body = self.body(staged).await?.ok_or_else(gone)?;
        match create(self.root.store_once().as_ref(), &self.root.log_key(&LogFile::commit_name(staged.version)), body.clone()).await {
            PutOutcome::Created => Ok(()),
            PutOutcome::Unknown(e) | PutOutcome::Failed(e) => Err(e),
            PutOutcome::Exists if self.files.read_commit(staged.version).await?.as_ref() == Some(&body) => Ok(()),
            PutOutcome::Exists => Err(Error::new(Code::LOG_STATE, "another commit lies where a ratified one must be published")
                .with("version", staged.version)
                .with("file", LogFile::commit_name(staged.version))
                .help("find out who writes to this table without its catalog")),
        }
    }
}

#[async_trait]
impl LogStore for CatalogLogStore {
    fn over(&self, root: &TableRoot) -> Option<Arc<dyn LogStore>> {
        Some(Arc::new(CatalogLogStore::new(root.clone(), Arc::clone(&self.catalog), self.env.clone())))
    }
    fn list(&self, from: Version) -> BoxStream<'_, Result<LogFile>> {
        let listed = async move {
            // The catalog first: whatever is listed later and is newer than its answer does not count.
            let Ratified { latest: Some(latest), commits } = self.look().await? else { return Ok(Vec::new()) };
            let mut files: Vec<LogFile> = self.files.list(from).try_collect().await?;
            let staged: Vec<LogFile> = commits.into_iter().filter(|c| c.version >= from).map(as_file).collect();
            let replaced = |file: &LogFile| file.kind == LogFileKind::Commit && staged.iter().any(|s| s.version == file.version);
            files.retain(|file| file.version <= latest && !replaced(file));
            files.extend(staged);
            files.sort_by(|a, b| (a.version, &a.name).cmp(&(b.version, &b.name)));
            Ok::<_, Error>(files)
        };
        stream::once(listed).map_ok(|files| stream::iter(files.into_iter().map(Ok))).try_flatten().boxed()
    }
    async fn read(&self, file: &LogFile) -> Result<Bytes> {
        let Some(name) = file.name.strip_prefix(STAGED) else { return self.files.read(file).await };
        let staged = StagedCommit { version: file.version, name: name.to_owned(), size: file.size, modified: file.modified };
        let gone = || Error::new(Code::STORE, "a file of the log was listed and is gone").with("path", &file.name);
        self.body(&staged).await?.ok_or_else(gone)
    }
    async fn read_commit(&self, version: Version) -> Result<Option<Bytes>> {
        match self.find(version).await? {
            None => Ok(None),
            Some(Some(staged)) => self.body(&staged).await,
            Some(None) => self.files.read_commit(version).await,
        }
    }
    async fn stream_commit(&self, version: Version) -> Result<Option<CommitStream<'_>>> {
        match self.find(version).await? {
            None => Ok(None),
            Some(Some(staged)) => Ok(self.body(&staged).await?.map(CommitStream::of)),
            Some(None) => self.files.stream_commit(version).await,
        }
    }
    async fn put_commit(&self, version: Version, body: Bytes) -> PutOutcome {
        let staged = match self.stage(version, body).await {
            Ok(staged) => staged,
            Err(e) => return PutOutcome::Failed(e),
        };
        let outcome = self.catalog.ratify(&staged).await;
        if matches!(outcome, PutOutcome::Created)
            && let Err(error) = self.publish(version).await
        {
            // It is in the table all the same; whoever comes next publishes it.
            tracing::warn!(%version, %error, "a ratified commit could not be published yet");
        }
        outcome
    }
    async fn publish(&self, version: Version) -> Result<()> {
        let mut last = None;
        for staged in self.look().await?.commits.iter().filter(|c| c.version <= version) {
            self.publish_one(staged).await?;
            last = Some(staged.version);
        }
        match last {
            Some(version) => self.catalog.published(version).await,
            None => Ok(()),
        }
    }
    fn is_ratified_by_catalog(&self) -> bool {
        true
    }
    fn permits_cleanup(&self) -> bool {
        self.catalog.permits_cleanup()
    }
}

fn as_file(staged: StagedCommit) -> LogFile {
    LogFile {
        version: staged.version,
        kind: LogFileKind::Commit,
        name: format!("{STAGED}{}", staged.name),
        size: staged.size,
        modified: staged.modified,
    }
}
