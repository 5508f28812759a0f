//! Reads of whole objects, at once or piece by piece, checked for length. Kind: edge. Spec: STO.
//!
//! Invariant: whoever asks for n bytes gets n bytes or an error; a store that ends early is asked again, a bounded number of times.

use super::failure;
use crate::error::{Code, Error, Result};
use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore};
use std::ops::Range;

/// How often a short or broken answer is asked for again.
const TRIES: usize = 3;
/// What is reserved at once for an object that comes in pieces, however large the store says that it is.
const RESERVED_MAX: usize = 64 << 20;

/// The whole object; `None` when there is none. One request, one more per answer that ends early (at most 2).
pub(crate) async fn get(store: &dyn ObjectStore, key: &Path) -> Result<Option<Bytes>> {
    get_at_most(store, key, u64::MAX).await
}

/// The same of an object that has at most so many bytes, else `LB-LIMIT`.
pub(crate) async fn get_at_most(store: &dyn ObjectStore, key: &Path, bytes_max: u64) -> Result<Option<Bytes>> {
    let Some(mut body) = open(store, key).await? else { return Ok(None) };
    let size = body.left();
    if size > bytes_max {
        return Err(Error::new(Code::LIMIT, format!("an object of {size} bytes is not read: at most {bytes_max} are")).with("path", key));
    }
    let Some(first) = body.next().await? else { return Ok(Some(Bytes::new())) };
    // Whole at once, as most are: nothing is copied.
    if body.left() == 0 {
        return Ok(Some(first));
    }
    let mut bytes = BytesMut::with_capacity(usize::try_from(size).unwrap_or(usize::MAX).min(RESERVED_MAX).max(first.len()));
    bytes.extend_from_slice(&first);
    while let Some(chunk) = body.next().await? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(bytes.freeze()))
}

/// An object that comes piece by piece; `None` when there is none. One request, more as for `get`.
pub(crate) async fn open<'a>(store: &'a dyn ObjectStore, key: &Path) -> Result<Option<Body<'a>>> {
    let found = match store.get_opts(key, GetOptions::default()).await {
        Ok(found) => found,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(e) => return Err(failure(e, "reading", key.as_ref())),
    };
    let (rest, etag) = (0..found.meta.size, found.meta.e_tag.clone());
    Ok(Some(Body { store, key: key.clone(), rest, etag, answer: Some(found.into_stream()), ended: None, tries: 0 }))
}

/// What is still to come of an object.
pub(crate) struct Body<'a> {
    store: &'a dyn ObjectStore,
    key: Path,
    rest: Range<u64>,
    /// With it, a changed object is an error and not a mixture.
    etag: Option<String>,
    answer: Option<BoxStream<'static, object_store::Result<Bytes>>>,
    /// What ended the last answer early.
    ended: Option<object_store::Error>,
    tries: usize,
}

impl<'a> Body<'a> {
    /// Bytes that are still to come.
    pub fn left(&self) -> u64 {
        self.rest.end - self.rest.start
    }
    /// The next bytes; `None` behind the last. An answer that ends early is asked for again from where it ended.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        while self.left() > 0 {
            let Some(answer) = &mut self.answer else {
                self.ask_again().await?;
                continue;
            };
            match answer.next().await {
                Some(Ok(mut chunk)) if !chunk.is_empty() => {
                    chunk.truncate(usize::try_from(self.left()).unwrap_or(usize::MAX));
                    self.rest.start += chunk.len() as u64;
                    return Ok(Some(chunk));
                }
                Some(Ok(_)) => {}
                Some(Err(e)) => (self.answer, self.ended) = (None, Some(e)),
                None => (self.answer, self.ended) = (None, None),
            }
        }
        Ok(None)
    }
    async fn ask_again(&mut self) -> Result<()> {
        let key = &self.key;
        if self.tries == TRIES {
            return Err(match self.ended.take() {
                Some(e) => failure(e, "reading", key.as_ref()),
                None => Error::new(Code::STORE, format!("the store ended {} bytes early, {TRIES} times", self.left()))
                    .with("path", key)
                    .help("the file is shorter than the table says, or the store cuts answers; compare the file's size with the log"),
            });
        }
        self.tries += 1;
        let range = Some(GetRange::Bounded(self.rest.clone()));
        let options = GetOptions { range, if_match: self.etag.clone(), ..GetOptions::default() };
        let answer = self.store.get_opts(key, options).await.map_err(|e| failure(e, "reading", key.as_ref()))?;
        if answer.range.start != self.rest.start {
            return Err(Error::new(Code::STORE, "the store answered another range than was asked for").with("path", key));
        }
        if answer.range.end < self.rest.end && answer.meta.size < self.rest.end {
            return Err(Error::new(
                Code::STORE,
                format!("the object has {} bytes now, byte {} was asked for", answer.meta.size, self.rest.end),
            )
            .with("path", key));
        }
        self.etag = self.etag.take().or_else(|| answer.meta.e_tag.clone());
        self.answer = Some(answer.into_stream());
        Ok(())
    }
    /// The pieces as a stream.
    pub fn into_stream(self) -> BoxStream<'a, Result<Bytes>> {
        stream::try_unfold(self, |mut body| async move { Ok(body.next().await?.map(|chunk| (chunk, body))) }).boxed()
    }
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
