//! Many files in flight, bounded in number and memory, as one stream. Kind: edge. Spec: DAT.
//!
//! Each file is opened and decoded in a task of its own, so that a panic on a damaged file becomes an error that names it. A scan holds at
//! most half of the budget, and its first file never waits: however many scans stand still because nobody drains them, the others go on.

use super::read::{Opened, Reading, Rows};
use super::task::FileTask;
use crate::env::{MemoryBudget, Reservation, Task};
use crate::error::{Code, Error, Result};
use arrow::array::RecordBatch;
use futures::stream::{BoxStream, FuturesUnordered};
use futures::{StreamExt, TryStreamExt, stream};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;
use tokio::sync::mpsc::{Sender, channel};

/// What a scan has read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanMetrics {
    /// Files of which rows were decoded.
    pub files_read: u64,
    /// Bytes of data files that the store delivered.
    pub bytes_read: u64,
}

/// Runs file tasks.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    reading: Arc<Reading>,
    gate: Arc<Gate>,
    pub files_read: Arc<AtomicU64>,
}

impl Flow {
    pub fn new(reading: Arc<Reading>) -> Flow {
        let gate = Arc::new(Gate::new(reading.env.memory().clone()));
        Flow { reading, gate, files_read: Arc::default() }
    }
    pub fn reading(&self) -> &Arc<Reading> {
        &self.reading
    }
    /// The same flow of rows, none of whose columns is wanted.
    pub fn without_columns(&self) -> Flow {
        Flow { reading: Arc::new(self.reading.without_columns()), ..self.clone() }
    }

    /// The rows of these files, one file after the other; `ahead` files are opened before their turn.
    pub fn run_in_order(&self, tasks: Vec<FileTask>, ahead: usize) -> BoxStream<'static, Result<(usize, RecordBatch)>> {
        let (opener, decoder) = (self.clone(), self.clone());
        let opened = stream::iter(tasks.into_iter().enumerate()).map(move |(at, task)| {
            let (path, reading) = (task.path.clone(), Arc::clone(&opener.reading));
            let opening = opener.reading.env.spawn(async move { reading.open(task, Rows::All).await });
            async move {
                let opened = opening.await.unwrap_or_else(|e| Err(panicked(&path, e)))?;
                Ok::<_, Error>((at, path, opened))
            }
        });
        let decoded = opened.buffered(ahead.max(1)).map_ok(move |(at, path, opened)| {
            let batches = opened.map(|opened| decoder.decoded(opened, path));
            stream::iter(batches).flatten().map_ok(move |batch| (at, batch))
        });
        decoded.try_flatten().boxed()
    }

    /// The rows of an open file, decoded in a task of its own.
    fn decoded(&self, opened: Opened, path: String) -> BoxStream<'static, Result<RecordBatch>> {
        let (sender, receiver) = channel(1);
        let (flow, name) = (self.clone(), path.clone());
        let decoding = self.reading.env.spawn(async move { flow.decode(opened, &name, sender).await });
        let start = (receiver, Some((decoding, path)));
        let batches = stream::unfold(start, |(mut receiver, mut decoding)| async move {
            if let Some(batch) = receiver.recv().await {
                return Some((batch, (receiver, decoding)));
            }
            let (ended, path) = decoding.take()?;
            match ended.await.unwrap_or_else(|e| Err(panicked(&path, e))) {
                Ok(()) => None,
                Err(e) => Some((Err(e), (receiver, None))),
            }
        });
        batches.boxed()
    }

    /// The rows of these files, at most as many as the scan's limit.
    pub fn run(&self, tasks: BoxStream<'static, Result<(FileTask, Rows)>>) -> BoxStream<'static, Result<RecordBatch>> {
        let flow = self.clone();
        let limit = self.reading.limit.unwrap_or(u64::MAX);
        let start = async move {
            // Begun when the stream is first polled, which is inside a runtime.
            // One batch waits here, which no file accounts for any more; every file holds another ready.
            let (sender, receiver) = channel(1);
            let env = flow.reading.env.clone();
            (receiver, Some(env.spawn(flow.drive(tasks, sender))), limit)
        };
        let started = stream::once(start).flat_map(|state| {
            stream::unfold(state, |(mut receiver, mut driver, left)| async move {
                if left == 0 {
                    return None;
                }
                let item = match receiver.recv().await {
                    Some(item) => item,
                    // Everything was sent, or the driver broke off.
                    None => match driver.take()?.await {
                        Ok(()) => return None,
                        Err(e) => Err(e),
                    },
                };
                let item = item.map(|batch| if batch.num_rows() as u64 > left { batch.slice(0, left as usize) } else { batch });
                let left = match &item {
                    Ok(batch) => left - batch.num_rows() as u64,
                    Err(_) => 0,
                };
                Some((item, (receiver, driver, left)))
            })
        });
        started.boxed()
    }

    /// Starts files as places become free; stops at the first failure.
    async fn drive(self, mut tasks: BoxStream<'static, Result<(FileTask, Rows)>>, sender: Sender<Result<RecordBatch>>) {
        let mut running = FuturesUnordered::new();
        let mut more = true;
        loop {
            while more && running.len() < self.reading.env.threads() {
                match tasks.next().await {
                    Some(Ok((task, rows))) => running.push(self.start(task, rows, sender.clone())),
                    Some(Err(e)) => {
                        let _ = sender.send(Err(e)).await;
                        return;
                    }
                    None => more = false,
                }
            }
            match running.next().await {
                Some(Ok(())) => {}
                Some(Err(e)) => {
                    let _ = sender.send(Err(e)).await;
                    return;
                }
                None => return,
            }
        }
    }

    /// One file in a task of its own. Dropping the future stops it.
    fn start(&self, task: FileTask, rows: Rows, sender: Sender<Result<RecordBatch>>) -> impl Future<Output = Result<()>> + use<> {
        let path = task.path.clone();
        let flow = self.clone();
        let running: Task<Result<()>> = self.reading.env.spawn(async move { flow.read(task, rows, sender).await });
        async move {
            match running.await {
                Ok(result) => result,
                Err(e) => Err(panicked(&path, e)),
            }
        }
    }

    async fn read(self, task: FileTask, rows: Rows, sender: Sender<Result<RecordBatch>>) -> Result<()> {
        let path = task.path.clone();
        match Arc::clone(&self.reading).open(task, rows).await? {
            Some(opened) => self.decode(opened, &path, sender).await,
            None => Ok(()),
        }
    }

    async fn decode(self, opened: Opened, path: &str, sender: Sender<Result<RecordBatch>>) -> Result<()> {
        let _held = self.gate.enter(opened.bytes).await;
        self.files_read.fetch_add(1, Ordering::Relaxed);
        let mut batches = pin!(opened.batches().map_err(|e| e.with("path", path))?);
        while let Some(batch) = batches.try_next().await.map_err(|e| e.with("path", path))? {
            if batch.num_rows() > 0 && sender.send(Ok(batch)).await.is_err() {
                return Ok(()); // nobody is listening any more
            }
        }
        Ok(())
    }
}

/// What a panic of the decoder means.
fn panicked(path: &str, e: Error) -> Error {
    Error::new(Code::FILE, "a data file is damaged in a way that the decoder does not expect")
        .with("path", path)
        .help("restore the file, or go back to a version that does not need it")
        .caused_by(e)
}

/// Lets files in as memory allows: the first always, even when nothing is free to account for it; others only when there is room now.
#[derive(Debug)]
struct Gate {
    memory: MemoryBudget,
    inside: Mutex<Inside>,
    left: Notify,
}

/// Who is inside, and what they hold.
#[derive(Debug, Default)]
struct Inside {
    files: usize,
    bytes: u64,
}

/// A place inside; dropping it gives place and memory back.
struct Pass {
    gate: Arc<Gate>,
    memory: Option<Reservation>,
    bytes: u64,
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.memory = None;
        let mut inside = self.gate.inside();
        inside.files -= 1;
        inside.bytes -= self.bytes;
        drop(inside);
        self.gate.left.notify_waiters();
    }
}

impl Gate {
    fn new(memory: MemoryBudget) -> Gate {
        Gate { memory, inside: Mutex::default(), left: Notify::new() }
    }
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(|e| e.into_inner())
    }
    async fn enter(self: &Arc<Self>, bytes: u64) -> Pass {
        loop {
            let mut left = pin!(self.left.notified());
            left.as_mut().enable();
            if let Some(pass) = self.try_enter(bytes) {
                return pass;
            }
            left.await;
        }
    }
    /// Decides and counts under one lock, so that two files cannot pass through the same room.
    fn try_enter(self: &Arc<Self>, bytes: u64) -> Option<Pass> {
        let share = self.memory.limit() / 2;
        let bytes = bytes.min(share);
        let mut inside = self.inside();
        let first = inside.files == 0;
        if !first && inside.bytes + bytes > share {
            return None;
        }
        let memory = self.memory.try_reserve(bytes);
        if !first && memory.is_none() {
            return None;
        }
        inside.files += 1;
        inside.bytes += bytes;
        Some(Pass { gate: Arc::clone(self), memory, bytes })
    }
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
