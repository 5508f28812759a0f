//! One object on its way into the store: small ones in one request, larger ones in parts. Kind: edge. Spec: DAT.
//!
//! Invariant: `finish` succeeds only when the store holds exactly the bytes that were pushed; whatever ends otherwise is aborted.

use crate::env::{Env, Task};
use crate::error::{Code, Error, Result};
use crate::storage::{Requests, failure};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload, PutPayloadMut};
use std::sync::Arc;
use tokio::sync::oneshot;

/// Bytes of one part, and the size up to which an object is sent whole.
const PART_BYTES: usize = 8 << 20;
/// Parts on their way at once; with the one being filled, an upload holds at most three parts.
const PARTS_IN_FLIGHT: usize = 2;

pub(crate) struct Upload {
    store: Arc<dyn ObjectStore>,
    key: Path,
    env: Env,
    /// What was pushed before the object outgrew one request.
    whole: Vec<Bytes>,
    /// Until the object is complete: whatever drops it before aborts it.
    parts: Option<Parts>,
    size: u64,
}

/// An upload in parts.
struct Parts {
    upload: Box<dyn MultipartUpload>,
    /// What does not fill a part yet.
    rest: PutPayloadMut,
    running: FuturesUnordered<Task<object_store::Result<()>>>,
}

impl Upload {
    pub(crate) fn new(store: Arc<dyn ObjectStore>, key: Path, env: Env) -> Upload {
        Upload { store, key, env, whole: Vec::new(), parts: None, size: 0 }
    }
    /// What an object of this size costs.
    pub(crate) fn requests(size: u64) -> Requests {
        match size.div_ceil(PART_BYTES as u64) {
            0 | 1 => Requests { put: 1, ..Requests::default() },
            parts => Requests { put: parts + 2, head: 1, ..Requests::default() },
        }
    }
    /// Takes bytes; waits while too many parts are on their way.
    pub(crate) async fn push(&mut self, bytes: Bytes) -> Result<()> {
        self.size += bytes.len() as u64;
        if self.parts.is_none() {
            self.whole.push(bytes);
            if self.size <= PART_BYTES as u64 {
                return Ok(());
            }
            let upload = begin(Arc::clone(&self.store), self.key.clone(), &self.env).await?;
            let mut parts = Parts { upload, rest: PutPayloadMut::new(), running: FuturesUnordered::new() };
            self.whole.drain(..).for_each(|b| parts.put(b, &self.env));
            self.parts = Some(parts);
            return Ok(());
        }
        if let Some(parts) = &mut self.parts {
            parts.wait(PARTS_IN_FLIGHT, &self.key).await?;
            parts.put(bytes, &self.env);
        }
        Ok(())
    }
    /// Bytes that it may hold: what was not sent yet, and parts on their way.
    pub(super) fn held(&self) -> u64 {
        match &self.parts {
            None => self.size,
            Some(_) => ((1 + PARTS_IN_FLIGHT) * PART_BYTES) as u64,
        }
    }
    /// Makes the object visible; its size.
    pub(crate) async fn finish(mut self) -> Result<u64> {
        let Some(parts) = &mut self.parts else {
            let payload: PutPayload = std::mem::take(&mut self.whole).into_iter().collect();
            self.store.put(&self.key, payload).await.map_err(|e| failed(&self.key, e))?;
            return Ok(self.size);
        };
        let completed = parts.complete(&self.env, &self.key).await;
        // A store can answer the last request with an error though the object is there, and with success though it is not: what
        // counts is what it says about the object.
        let failure = match (completed, self.store.head(&self.key).await) {
            (_, Ok(meta)) if meta.size == self.size => {
                self.parts = None;
                return Ok(self.size);
            }
            (Err(e), _) => e,
            (Ok(()), Ok(meta)) => {
                let found = format!("the store acknowledged a data file of {} bytes but holds {}", self.size, meta.size);
                Error::new(Code::STORE, found).with("path", &self.key)
            }
            (Ok(()), Err(e)) => failed(&self.key, e),
        };
        self.abort().await;
        Err(failure)
    }
    /// Takes back what was sent.
    pub(crate) async fn abort(mut self) {
        if let Some(parts) = self.parts.take() {
            parts.abort(&self.key).await;
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(parts) = self.parts.take() {
            let key = self.key.clone();
            self.env.clean_up(async move { parts.abort(&key).await });
        }
    }
}

/// Begins an upload in parts. Whoever is stopped while the store answers leaves nothing there either.
async fn begin(store: Arc<dyn ObjectStore>, key: Path, env: &Env) -> Result<Box<dyn MultipartUpload>> {
    let (tell, told) = oneshot::channel();
    let path = key.clone();
    env.clean_up(async move {
        if let Err(Ok(mut unwanted)) = tell.send(store.put_multipart(&key).await)
            && let Err(e) = unwanted.abort().await
        {
            left_behind(&key, e);
        }
    });
    let begun = told.await.map_err(|_| Error::new(Code::CANCELLED, "the runtime ended while an upload began").with("path", &path))?;
    begun.map_err(|e| failed(&path, e))
}

impl Parts {
    /// Takes bytes and sends the parts that they fill.
    fn put(&mut self, mut bytes: Bytes, env: &Env) {
        while !bytes.is_empty() {
            let room = PART_BYTES - self.rest.content_length();
            self.rest.push(bytes.split_to(room.min(bytes.len())));
            if self.rest.content_length() == PART_BYTES {
                self.send(env);
            }
        }
    }
    fn send(&mut self, env: &Env) {
        let part = std::mem::take(&mut self.rest);
        self.running.push(env.spawn(self.upload.put_part(part.into())));
    }
    /// Waits until fewer than `many` parts are on their way.
    async fn wait(&mut self, many: usize, key: &Path) -> Result<()> {
        while self.running.len() >= many {
            let Some(sent) = self.running.next().await else { break };
            sent?.map_err(|e| failed(key, e))?;
        }
        Ok(())
    }
    /// Sends the rest and makes the object visible.
    async fn complete(&mut self, env: &Env, key: &Path) -> Result<()> {
        if !self.rest.is_empty() {
            self.send(env);
        }
        self.wait(1, key).await?;
        self.upload.complete().await.map(drop).map_err(|e| failed(key, e))
    }
    /// Gives the parts back. Those on their way are stopped first: one that arrives after the abort would stay.
    async fn abort(mut self, key: &Path) {
        for part in std::mem::take(&mut self.running) {
            part.stop().await;
        }
        if let Err(e) = self.upload.abort().await {
            left_behind(key, e);
        }
    }
}

fn left_behind(key: &Path, e: object_store::Error) {
    let e = failed(key, e);
    tracing::warn!(%key, error = %e, "an unfinished upload could not be aborted; the store's own clean-up must remove its parts");
}

fn failed(key: &Path, e: object_store::Error) -> Error {
    failure(e, "writing a data file", key.as_ref())
}

#[cfg(test)]
#[path = "upload_tests.rs"]
mod tests;
