//! Answers that bring exactly the bytes they promise. Kind: edge. Spec: STO.
//!
//! What reads several parts at once (`object_store` itself does) slices what came without looking how much that is, and panics when it is
//! too little. Invariant: a body has the length of its range or ends with an error; parts of an object have the lengths asked for.

use crate::error::{Code, Error};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetRange, GetResult, GetResultPayload, ListResult, MultipartUpload, OBJECT_STORE_COALESCE_DEFAULT, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, coalesce_ranges,
};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// The same store, whose answers are checked.
pub(super) fn exact(store: Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
    Arc::new(Exact(store))
}

#[derive(Debug)]
struct Exact(Arc<dyn ObjectStore>);

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn wrong(what: String, key: &Path) -> object_store::Error {
    let error = Error::new(Code::STORE, what)
        .with("path", key)
        .help("try again; if it stays, the file is not the one that the log names, or the store cuts its answers");
    object_store::Error::Generic { store: "store", source: Box::new(error) }
}

/// The body, which fails where it is shorter or longer than `promised`.
fn checked(body: BoxStream<'static, Result<Bytes>>, promised: u64, key: Path) -> BoxStream<'static, Result<Bytes>> {
    let next = move |(mut body, missing): (BoxStream<'static, Result<Bytes>>, u64)| {
        let key = key.clone();
        async move {
            let chunk = match body.next().await.transpose()? {
                Some(chunk) => chunk,
                None if missing == 0 => return Ok(None),
                None => return Err(wrong(format!("the store's answer ended {missing} of {promised} bytes early"), &key)),
            };
            match missing.checked_sub(chunk.len() as u64) {
                Some(missing) => Ok(Some((chunk, (body, missing)))),
                None => Err(wrong(format!("the store's answer has more than the {promised} bytes that it promised"), &key)),
            }
        }
    };
    stream::try_unfold((body, promised), next).boxed()
}

#[async_trait]
impl ObjectStore for Exact {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.0.put_opts(location, payload, opts).await
    }
    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(location, opts).await
    }
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let head = options.head;
        let mut answer = self.0.get_opts(location, options).await?;
        if !head {
            let promised = answer.range.end.saturating_sub(answer.range.start);
            answer.payload = match answer.payload {
                GetResultPayload::Stream(body) => GetResultPayload::Stream(checked(body, promised, location.clone())),
                file @ GetResultPayload::File(..) => file,
            };
        }
        Ok(answer)
    }
    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let part = |range: Range<u64>| async move {
            let options = GetOptions { range: Some(GetRange::Bounded(range.clone())), ..GetOptions::default() };
            let answer = self.get_opts(location, options).await?;
            // A range that reaches beyond the object is answered as far as the object goes.
            if answer.range != range {
                let what = format!("the store answered bytes {:?} of an object, {range:?} were asked for", answer.range);
                return Err(wrong(what, location));
            }
            answer.bytes().await
        };
        coalesce_ranges(ranges, part, OBJECT_STORE_COALESCE_DEFAULT).await
    }
    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.0.delete_stream(locations)
    }
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix)
    }
    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list_with_offset(prefix, offset)
    }
    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.copy_opts(from, to, options).await
    }
    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.0.rename_opts(from, to, options).await
    }
}

#[cfg(test)]
#[path = "exact_tests.rs"]
mod tests;
