//! Work that runs elsewhere and is owned by whoever waits for it. Kind: edge.

use super::Env;
use crate::error::{Code, Error, Result};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A running task. Dropping it stops it (blocking work runs to its end, its result is dropped).
#[derive(Debug)]
pub struct Task<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<T> Task<T> {
    /// Stops it and waits until it is no more.
    pub(crate) async fn stop(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }
}

impl<T> Future for Task<T> {
    type Output = Result<T>;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|r| {
            r.map_err(|e| {
                if e.is_cancelled() {
                    Error::new(Code::CANCELLED, "the task was stopped")
                } else {
                    Error::new(Code::INTERNAL, "a task ended by a panic").caused_by(e)
                }
            })
        })
    }
}

impl Env {
    /// Runs a future on the runtime's threads.
    #[allow(clippy::disallowed_methods)] // the one place that starts tasks
    pub fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Task<T> {
        Task(tokio::spawn(work))
    }
    /// Runs blocking or long computing work on the runtime's pool of threads for such work.
    #[allow(clippy::disallowed_methods)] // the one place that starts blocking work
    pub fn spawn_blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Task<T> {
        match self.replayed {
            true => Task(tokio::spawn(async move { work() })),
            false => Task(tokio::task::spawn_blocking(work)),
        }
    }
}

impl Env {
    /// Lets clean-up run to its end although nobody waits for it. Outside a runtime it is not run.
    #[allow(clippy::disallowed_methods)] // the one place that starts tasks
    pub(crate) fn clean_up(&self, work: impl Future<Output = ()> + Send + 'static) {
        if tokio::runtime::Handle::try_current().is_ok() {
            drop(tokio::spawn(work));
        }
    }
}

#[cfg(test)]
#[path = "task_tests.rs"]
mod tests;
