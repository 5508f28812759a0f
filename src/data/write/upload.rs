//! One object on its way into the store: small ones in one request, larger ones in parts. Kind: edge. Spec: DAT.
//!
//! Invariant: `finish` succeeds only when the store holds exactly the bytes that were pushed; whatever ends otherwise is aborted.

use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::storage::failure;
use bytes::Bytes;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload, WriteMultipart};
use std::sync::Arc;
use tokio::sync::oneshot;

/// Bytes of one part, and the size up to which an object is sent whole.
const PART_BYTES: usize = 8 << 20;
/// Parts on their way at once; with the one being filled, an upload holds at most three parts.
const PARTS_IN_FLIGHT: usize = 2;

pub(super) struct Upload {
    store: Arc<dyn ObjectStore>,
    key: Path,
    env: Env,
    /// What was pushed before the object outgrew one request.
    whole: Vec<Bytes>,
    parts: Option<WriteMultipart>,
    size: u64,
}

impl Upload {
    pub(super) fn new(store: Arc<dyn ObjectStore>, key: Path, env: Env) -> Upload {
        Upload { store, key, env, whole: Vec::new(), parts: None, size: 0 }
    }
    /// Takes bytes; waits while too many parts are on their way.
    pub(super) async fn push(&mut self, bytes: Bytes) -> Result<()> {
        self.size += bytes.len() as u64;
        if self.parts.is_none() {
            self.whole.push(bytes);
            if self.size <= PART_BYTES as u64 {
                return Ok(());
            }
            let upload = begin(Arc::clone(&self.store), self.key.clone(), &self.env).await?;
            let mut parts = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
            self.whole.drain(..).for_each(|b| parts.put(b));
            self.parts = Some(parts);
            return Ok(());
        }
        if let Some(parts) = &mut self.parts {
            parts.wait_for_capacity(PARTS_IN_FLIGHT).await.map_err(|e| failed(&self.key, e))?;
            parts.put(bytes);
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
    pub(super) async fn finish(mut self) -> Result<u64> {
        let Some(parts) = self.parts.take() else {
            let payload: PutPayload = std::mem::take(&mut self.whole).into_iter().collect();
            self.store.put(&self.key, payload).await.map_err(|e| failed(&self.key, e))?;
            return Ok(self.size);
        };
        // A store can answer the last request with an error though the object is there, and with success though it is not: what
        // counts is what it says about the object.
        let completed = parts.finish().await;
        match (completed, self.store.head(&self.key).await) {
            (_, Ok(meta)) if meta.size == self.size => Ok(self.size),
            (Err(e), _) => Err(failed(&self.key, e)),
            (Ok(_), Ok(meta)) => {
                let found = format!("the store acknowledged a data file of {} bytes but holds {}", self.size, meta.size);
                Err(Error::new(Code::STORE, found).with("path", &self.key))
            }
            (Ok(_), Err(e)) => Err(failed(&self.key, e)),
        }
    }
    /// Takes back what was sent.
    pub(super) async fn abort(mut self) {
        if let Some(parts) = self.parts.take() {
            abort(parts, &self.key).await;
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(parts) = self.parts.take() {
            let key = self.key.clone();
            self.env.clean_up(async move { abort(parts, &key).await });
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

async fn abort(parts: WriteMultipart, key: &Path) {
    if let Err(e) = parts.abort().await {
        left_behind(key, e);
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
