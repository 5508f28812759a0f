//! SIGINT and SIGTERM: the first ends the work cleanly, the second ends the process. Kind: edge.
//!
//! Invariant: after the first signal no commit is begun. One that is on its way is waited for, so that its outcome is known; where that
//! takes too long, the failure says that it is not.

use crate::failure::{Failure, Result};
use async_trait::async_trait;
use bytes::Bytes;
use futures::future;
use futures::stream::{self, BoxStream, StreamExt};
use lakebed::{CommitStream, Env, Error, LogFile, LogStore, PutOutcome, TableRoot, Task, Version};
use std::future::Future;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How long reading work may take to notice that it is to end.
const READ_GRACE: Duration = Duration::from_secs(1);
/// How long writing work may take to take back what it wrote.
const WRITE_GRACE: Duration = Duration::from_secs(30);

/// How long clean-up, or a last word, may take that nobody waits for.
const CLEAN_UP: Duration = Duration::from_secs(2);

/// Whether the work is to end. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Stop {
    asked: Arc<watch::Sender<bool>>,
    writers: Arc<AtomicUsize>,
    commits: Arc<watch::Sender<Commits>>,
}

/// What became of the commits of a run so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commits {
    /// The newest that is surely in a log.
    pub landed: Option<Version>,
    /// The put that may be in a log, or may still arrive there.
    pub unsettled: Option<Put>,
}

/// A commit on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    pub version: Version,
    pub txn_id: Option<String>,
}

impl Commits {
    /// A writer tries another version only when it knows that the one before holds none of its puts.
    fn turn_to(&mut self, version: Version) {
        self.unsettled.take_if(|put| put.version != version);
    }
}

/// While it lives, work ends by itself after a signal instead of being dropped.
pub struct Writing(Arc<AtomicUsize>);

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Stop {
    pub fn new() -> Stop {
        Stop { asked: Arc::default(), writers: Arc::default(), commits: Arc::default() }
    }
    /// Listens for signals until the task is dropped. Work that does not end is told of by `report` before the process ends.
    pub fn listen(&self, env: &Env, report: impl FnOnce(Failure) + Send + 'static) -> std::io::Result<Task<()>> {
        let (mut int, mut term) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let (stop, blocking) = (self.clone(), env.clone());
        Ok(env.spawn(async move {
            future::select(Box::pin(int.recv()), Box::pin(term.recv())).await;
            stop.asked.send_replace(true);
            let again = future::select(Box::pin(int.recv()), Box::pin(term.recv()));
            // Work that does not listen, such as a write into a pipe that nobody reads, is not waited for.
            let grace = if stop.is_writing() { WRITE_GRACE * 2 } else { READ_GRACE };
            let _ = tokio::time::timeout(grace, again).await;
            let failure = stop.interrupted();
            let exit_code = failure.exit_code();
            // Whoever reads stderr may have stopped reading.
            let _ = tokio::time::timeout(CLEAN_UP, blocking.spawn_blocking(move || report(failure))).await;
            process::exit(i32::from(exit_code));
        }))
    }
    pub fn is_asked(&self) -> bool {
        *self.asked.borrow()
    }
    fn is_writing(&self) -> bool {
        self.writers.load(Ordering::SeqCst) > 0
    }
    fn interrupted(&self) -> Failure {
        Failure::Interrupted(self.commits.borrow().clone())
    }
    async fn asked(&self) {
        // The sender lives as long as `self`.
        let _ = self.asked.subscribe().wait_for(|asked| *asked).await;
    }
    /// From here on the work watches `rows` and `log`, and cleans up itself.
    pub fn writing(&self) -> Writing {
        self.writers.fetch_add(1, Ordering::SeqCst);
        Writing(Arc::clone(&self.writers))
    }
    /// Runs a command to its end, or to the first signal.
    pub async fn run<T>(&self, command: impl Future<Output = Result<T>>) -> Result<T> {
        let mut command = Box::pin(command);
        let outcome = tokio::select! {
            outcome = &mut command => outcome,
            () = self.asked() => if !self.is_writing() {
                Err(self.interrupted())
            } else if let Ok(outcome) = tokio::time::timeout(WRITE_GRACE, &mut command).await {
                outcome
            } else {
                // Uploads that are dropped take themselves back, given a moment.
                drop(command);
                let _ = tokio::time::timeout(CLEAN_UP, future::pending::<()>()).await;
                Err(self.interrupted())
            },
        };
        match outcome {
            // Whatever broke off broke off because of the signal.
            Err(Failure::Lakebed(e)) if self.is_asked() && e.code() == lakebed::Code::CANCELLED => Err(self.interrupted()),
            other => other,
        }
    }
    /// The same rows, ending with `LB-CANCELLED` when the work is to end.
    pub fn rows<T: Send + 'static>(&self, rows: BoxStream<'static, lakebed::Result<T>>) -> BoxStream<'static, lakebed::Result<T>> {
        let (stop, after) = (self.clone(), self.clone());
        let end = stream::once(async move { after.is_asked().then(|| Err(Error::cancelled("interrupted"))) });
        let asked = async move { stop.asked().await };
        rows.take_until(Box::pin(asked)).chain(end.filter_map(future::ready)).boxed()
    }
    /// The same log, which begins no commit when the work is to end.
    pub fn log(&self, log: &Arc<dyn LogStore>) -> Arc<dyn LogStore> {
        Arc::new(StoppableLog { log: Arc::clone(log), stop: self.clone() })
    }
}

#[derive(Debug)]
struct StoppableLog {
    log: Arc<dyn LogStore>,
    stop: Stop,
}

#[async_trait]
impl LogStore for StoppableLog {
    fn list(&self, from: Version) -> BoxStream<'_, lakebed::Result<LogFile>> {
        self.log.list(from)
    }
    async fn read(&self, file: &LogFile) -> lakebed::Result<Bytes> {
        self.log.read(file).await
    }
    async fn read_commit(&self, version: Version) -> lakebed::Result<Option<Bytes>> {
        self.log.read_commit(version).await
    }
    async fn stream_commit(&self, version: Version) -> lakebed::Result<Option<CommitStream<'_>>> {
        self.log.stream_commit(version).await
    }
    async fn publish(&self, version: Version) -> lakebed::Result<()> {
        self.log.publish(version).await
    }
    fn over(&self, root: &TableRoot) -> Option<Arc<dyn LogStore>> {
        Some(self.stop.log(&self.log.over(root)?))
    }
    fn is_ratified_by_catalog(&self) -> bool {
        self.log.is_ratified_by_catalog()
    }
    fn permits_cleanup(&self) -> bool {
        self.log.permits_cleanup()
    }
    async fn put_commit(&self, version: Version, body: Bytes) -> PutOutcome {
        let commits = &self.stop.commits;
        commits.send_modify(|commits| commits.turn_to(version));
        if self.stop.is_asked() {
            return PutOutcome::Failed(Error::cancelled("interrupted"));
        }
        let put = Put { version, txn_id: txn_id(&body) };
        let before = commits.borrow().clone();
        commits.send_modify(|commits| commits.unsettled = Some(put));
        let outcome = self.log.put_commit(version, body).await;
        match outcome {
            PutOutcome::Created => drop(commits.send_replace(Commits { landed: Some(version), unsettled: None })),
            // An earlier put of this version may still arrive.
            PutOutcome::Failed(_) => drop(commits.send_replace(before)),
            PutOutcome::Exists | PutOutcome::Unknown(_) => {}
        }
        outcome
    }
}

/// What `commitInfo`, the first line of a commit, says.
fn txn_id(body: &[u8]) -> Option<String> {
    let line: serde_json::Value = serde_json::from_slice(body.split(|byte| *byte == b'\n').next()?).ok()?;
    line["commitInfo"]["txnId"].as_str().map(str::to_owned)
}

#[cfg(test)]
#[path = "stop_tests.rs"]
mod tests;
