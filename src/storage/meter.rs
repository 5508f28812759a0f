//! Counts what a store is asked for, so that a plan can be held against what was done. Kind: edge. Spec: PLN.
//!
//! Invariant: a metered store answers as the store inside it does.

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, OBJECT_STORE_COALESCE_DEFAULT, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Objects in one answer to a listing, on the stores that count requests.
pub(crate) const LIST_PAGE: u64 = 1_000;

/// Requests by the classes in which stores count them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// One for each 1,000 objects listed.
    pub list: u64,
    pub get: u64,
    pub head: u64,
    /// Whole objects, and each part of one that is written in parts.
    pub put: u64,
    pub copy: u64,
    /// Objects that are deleted; S3 takes up to 1,000 of them in one request.
    pub delete: u64,
}

impl Requests {
    /// Both together.
    pub(crate) fn with(self, more: Requests) -> Requests {
        Requests {
            list: self.list + more.list,
            get: self.get + more.get,
            head: self.head + more.head,
            put: self.put + more.put,
            copy: self.copy + more.copy,
            delete: self.delete + more.delete,
        }
    }
}

/// What a store was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    pub requests: Requests,
    pub bytes_read: u64,
    pub bytes_written: u64,
}

impl Spent {
    /// Both together.
    pub(crate) fn with(self, more: Spent) -> Spent {
        let bytes_read = self.bytes_read + more.bytes_read;
        Spent { requests: self.requests.with(more.requests), bytes_read, bytes_written: self.bytes_written + more.bytes_written }
    }
    /// What was asked for after `before`.
    pub(crate) fn since(self, before: Spent) -> Spent {
        let (now, then) = (self.requests, before.requests);
        let requests = Requests {
            list: now.list - then.list,
            get: now.get - then.get,
            head: now.head - then.head,
            put: now.put - then.put,
            copy: now.copy - then.copy,
            delete: now.delete - then.delete,
        };
        Spent { requests, bytes_read: self.bytes_read - before.bytes_read, bytes_written: self.bytes_written - before.bytes_written }
    }
}

/// Counts the requests of the stores that were wrapped with it. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    list: AtomicU64,
    get: AtomicU64,
    head: AtomicU64,
    put: AtomicU64,
    copy: AtomicU64,
    delete: AtomicU64,
    bytes_read: AtomicU64,
    bytes_written: AtomicU64,
}

impl Meter {
    /// All that was asked for so far.
    pub fn spent(&self) -> Spent {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { list, get, head, put, copy, delete, bytes_read, bytes_written } = &*self.0;
        let requests = Requests { list: of(list), get: of(get), head: of(head), put: of(put), copy: of(copy), delete: of(delete) };
        Spent { requests, bytes_read: of(bytes_read), bytes_written: of(bytes_written) }
    }
    /// The same store, counted.
    pub(super) fn wrap(&self, store: &Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
        Arc::new(Metered { inner: Arc::clone(store), meter: self.clone() })
    }
    fn read(&self, requests: u64, bytes: u64) {
        add(&self.0.get, requests);
        add(&self.0.bytes_read, bytes);
    }
    fn wrote(&self, bytes: usize) {
        add(&self.0.put, 1);
        add(&self.0.bytes_written, bytes as u64);
    }
    /// Counts a page at its first object, and one page when there is none.
    fn listed(&self, objects: BoxStream<'static, Result<ObjectMeta>>) -> BoxStream<'static, Result<ObjectMeta>> {
        let meter = self.clone();
        add(&meter.0.list, 1);
        let mut seen = 0;
        objects
            .inspect(move |_| {
                seen += 1;
                if seen % LIST_PAGE == 1 && seen > 1 {
                    add(&meter.0.list, 1);
                }
            })
            .boxed()
    }
}

fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

/// How remote stores fetch several ranges: near ones in one request. Requests and bytes.
fn coalesced(ranges: &[Range<u64>]) -> (u64, u64) {
    let mut sorted: Vec<&Range<u64>> = ranges.iter().collect();
    sorted.sort_by_key(|range| range.start);
    let (mut requests, mut bytes, mut end) = (0, 0, None);
    for range in sorted {
        match end {
            Some(end) if range.start <= end + OBJECT_STORE_COALESCE_DEFAULT => bytes += range.end.saturating_sub(end),
            _ => {
                requests += 1;
                bytes += range.end.saturating_sub(range.start);
            }
        }
        end = end.max(Some(range.end));
    }
    (requests, bytes)
}

#[derive(Debug)]
struct Metered {
    inner: Arc<dyn ObjectStore>,
    meter: Meter,
}

impl fmt::Display for Metered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for Metered {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.meter.wrote(payload.content_length());
        self.inner.put_opts(location, payload, opts).await
    }
    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.meter.wrote(0);
        let inner = self.inner.put_multipart_opts(location, opts).await?;
        Ok(Box::new(Parts { inner, meter: self.meter.clone() }))
    }
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let head = options.head;
        if head {
            add(&self.meter.0.head, 1);
        } else {
            self.meter.read(1, 0);
        }
        let answer = self.inner.get_opts(location, options).await?;
        if !head {
            self.meter.read(0, answer.range.end.saturating_sub(answer.range.start));
        }
        Ok(answer)
    }
    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let (requests, bytes) = coalesced(ranges);
        self.meter.read(requests, bytes);
        self.inner.get_ranges(location, ranges).await
    }
    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let meter = self.meter.clone();
        self.inner.delete_stream(locations.inspect(move |_| add(&meter.0.delete, 1)).boxed())
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.meter.listed(self.inner.list(prefix))
    }
    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.meter.listed(self.inner.list_with_offset(prefix, offset))
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let answer = self.inner.list_with_delimiter(prefix).await;
        let objects = answer.as_ref().map_or(0, |a| a.objects.len() + a.common_prefixes.len());
        add(&self.meter.0.list, (objects as u64).div_ceil(LIST_PAGE).max(1));
        answer
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        add(&self.meter.0.copy, 1);
        self.inner.copy_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct Parts {
    inner: Box<dyn MultipartUpload>,
    meter: Meter,
}

#[async_trait]
impl MultipartUpload for Parts {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.meter.wrote(data.content_length());
        self.inner.put_part(data)
    }
    async fn complete(&mut self) -> Result<PutResult> {
        self.meter.wrote(0);
        self.inner.complete().await
    }
    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}

#[cfg(test)]
#[path = "meter_tests.rs"]
mod tests;
