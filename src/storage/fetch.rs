//! Reads of whole objects, checked for length. Kind: edge. Spec: STO.
//!
//! Invariant: whoever asks for n bytes gets n bytes or an error; a store that ends early is asked again, a bounded number of times.

use super::failure;
use crate::error::{Code, Error, Result};
use bytes::{Bytes, BytesMut};
use futures::stream::{BoxStream, StreamExt};
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
    let first = match store.get_opts(key, GetOptions::default()).await {
        Ok(found) => found,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(e) => return Err(failure(e, "reading", key.as_ref())),
    };
    let (size, etag) = (first.meta.size, first.meta.e_tag.clone());
    if size > bytes_max {
        return Err(Error::new(Code::LIMIT, format!("an object of {size} bytes is not read: at most {bytes_max} are")).with("path", key));
    }
    let head = collect(first.into_stream(), size).await;
    complete(store, key, 0..size, head, etag).await.map(Some)
}

/// What came of an answer, and what ended it early.
struct Came {
    bytes: BytesMut,
    ended: Option<object_store::Error>,
}

/// Asks for what is missing of `range` after what came. With an ETag, a changed object is an error and not a mixture.
async fn complete(store: &dyn ObjectStore, key: &Path, range: Range<u64>, came: Came, mut etag: Option<String>) -> Result<Bytes> {
    let wanted = range.end - range.start;
    let (mut have, mut ended) = (came.bytes, came.ended);
    let mut tries = 0;
    while (have.len() as u64) < wanted {
        if tries == TRIES {
            return Err(match ended {
                Some(e) => failure(e, "reading", key.as_ref()),
                None => Error::new(Code::STORE, format!("the store ended {} bytes early, {TRIES} times", wanted - have.len() as u64))
                    .with("path", key)
                    .help("the file is shorter than the table says, or the store cuts answers; compare the file's size with the log"),
            });
        }
        tries += 1;
        let rest = range.start + have.len() as u64..range.end;
        let options = GetOptions { range: Some(GetRange::Bounded(rest.clone())), if_match: etag.clone(), ..GetOptions::default() };
        let answer = match store.get_opts(key, options).await {
            Ok(answer) => answer,
            Err(e) => return Err(failure(e, "reading", key.as_ref())),
        };
        if answer.range.start != rest.start {
            return Err(Error::new(Code::STORE, "the store answered another range than was asked for").with("path", key));
        }
        if answer.range.end < rest.end && answer.meta.size < range.end {
            return Err(Error::new(
                Code::STORE,
                format!("the object has {} bytes now, byte {} was asked for", answer.meta.size, range.end),
            )
            .with("path", key));
        }
        etag = etag.or_else(|| answer.meta.e_tag.clone());
        let more = collect(answer.into_stream(), rest.end - rest.start).await;
        have.extend_from_slice(&more.bytes);
        ended = more.ended;
    }
    Ok(have.freeze())
}

/// What arrives of at most `limit` bytes; an answer that breaks off is kept as far as it came.
async fn collect(mut body: BoxStream<'static, object_store::Result<Bytes>>, limit: u64) -> Came {
    let mut bytes = BytesMut::new();
    while (bytes.len() as u64) < limit {
        match body.next().await {
            None => break,
            Some(Err(e)) => return Came { bytes, ended: Some(e) },
            // Whole at once, as most are: nothing is copied.
            Some(Ok(chunk)) if bytes.is_empty() && chunk.len() as u64 == limit => return Came { bytes: chunk.into(), ended: None },
            Some(Ok(chunk)) => {
                if bytes.is_empty() {
                    bytes.reserve(usize::try_from(limit).unwrap_or(usize::MAX).min(RESERVED_MAX).max(chunk.len()));
                }
                let room = usize::try_from(limit - bytes.len() as u64).unwrap_or(usize::MAX);
                bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
            }
        }
    }
    Came { bytes, ended: None }
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
