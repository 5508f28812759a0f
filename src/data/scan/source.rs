//! One Parquet file in a store: its footer and its byte ranges. Kind: edge. Spec: DAT.
//!
//! The store's size of the file counts, not the log's. Invariant: bytes that are handed on have exactly the length asked for.

use crate::error::{Code, Error, Result};
use crate::storage::{Missing, TableRoot, failure};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::bloom_filter::Sbbf;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is asked for first: most footers fit.
const TAIL: u64 = 64 << 10;
/// The largest footer that is decoded.
const FOOTER_MAX: u64 = 64 << 20;
/// Footer length and magic number.
const TRAILER: u64 = 8;

/// An open file.
pub(super) struct Source {
    store: Arc<dyn ObjectStore>,
    key: Path,
    size: u64,
    /// All of the file, when it is small.
    whole: Option<Bytes>,
    metadata: Arc<ParquetMetaData>,
    bytes_read: Arc<AtomicU64>,
}

/// The decoded footer of a file of the log. Errors and requests as of a scan.
pub(crate) async fn footer(root: &TableRoot, path: &str, size: u64) -> Result<Arc<ParquetMetaData>> {
    let source = Source::open(root, path, size, 0, Arc::default()).await?;
    Ok(source.metadata)
}

fn damaged(what: impl Into<String>) -> Error {
    Error::new(Code::FILE, what).help("restore the file, or go back to a version that does not need it")
}

fn from_store(e: object_store::Error, key: &Path) -> Error {
    match e {
        object_store::Error::NotFound { .. } => damaged("a data file is missing").caused_by(Missing),
        e => failure(e, "reading a data file", key.as_ref()),
    }
}

/// What a Parquet failure means: our own error if it carries one, else a damaged file.
pub(super) fn from_parquet(e: ParquetError) -> Error {
    match e {
        ParquetError::External(inner) => match inner.downcast::<Error>() {
            Ok(own) => *own,
            Err(other) => damaged(format!("a data file cannot be decoded: {other}")).caused_by(other),
        },
        e => damaged(format!("a data file cannot be decoded: {e}")).caused_by(e),
    }
}

impl Source {
    /// Opens a file of the log and decodes its footer. One request when the log's size is right and the footer is under 64 KiB; a file
    /// of at most `whole` bytes (of 64 KiB in any case) is fetched at once, and no further request is made for it. `LB-FILE` when it is missing, encrypted or no
    /// Parquet file.
    pub async fn open(root: &TableRoot, path: &str, size_in_log: u64, whole: u64, bytes_read: Arc<AtomicU64>) -> Result<Source> {
        let whole = whole.max(TAIL);
        let (store, key) = root.resolve(path)?;
        let (size, tail) = tail(&*store, &key, size_in_log, whole).await?;
        bytes_read.fetch_add(tail.len() as u64, Ordering::Relaxed);
        let whole = (tail.len() as u64 == size && size <= whole).then(|| tail.clone());
        let mut source = Source { store, key, size, whole, metadata: Arc::new(empty()?), bytes_read };
        let length = footer_length(&tail, size)?;
        let footer = match (tail.len() as u64).checked_sub(length + TRAILER) {
            Some(start) => tail.slice(start as usize..tail.len() - TRAILER as usize),
            None => source.ranges(std::slice::from_ref(&(size - TRAILER - length..size - TRAILER))).await?.pop().unwrap_or_default(),
        };
        source.metadata = Arc::new(ParquetMetaDataReader::decode_metadata(&footer).map_err(from_parquet)?);
        if source.metadata.row_groups().iter().any(|group| group.num_rows() < 0) {
            return Err(damaged("a row group has a negative number of rows"));
        }
        Ok(source)
    }
    /// The decoded footer.
    pub fn metadata(&self) -> &Arc<ParquetMetaData> {
        &self.metadata
    }
    /// Bytes of the file that are in memory.
    pub fn held(&self) -> u64 {
        self.whole.as_ref().map_or(0, |whole| whole.len() as u64)
    }
    /// Adds the page index, if the file has one.
    pub async fn load_page_index(&mut self) -> Result<()> {
        let metadata = self.metadata.as_ref().clone();
        let mut reader = ParquetMetaDataReader::new_with_metadata(metadata).with_page_index_policy(PageIndexPolicy::Optional);
        reader.load_page_index(&mut *self).await.map_err(from_parquet)?;
        self.metadata = Arc::new(reader.finish().map_err(from_parquet)?);
        Ok(())
    }
    /// Bloom filters by row group and leaf; one that is damaged is left out, for it only saves work.
    pub async fn bloom_filters(&self, wanted: Vec<(usize, usize, Range<u64>)>) -> Result<HashMap<(usize, usize), Sbbf>> {
        let ranges: Vec<Range<u64>> = wanted.iter().map(|(.., range)| range.clone()).collect();
        let bytes = self.ranges(&ranges).await?;
        let filters = wanted.into_iter().zip(bytes);
        Ok(filters.filter_map(|((group, leaf, _), bytes)| Some(((group, leaf), Sbbf::from_bytes(&bytes).ok()?))).collect())
    }
    async fn ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        if let Some(range) = ranges.iter().find(|range| range.start > range.end || range.end > self.size) {
            return Err(damaged(format!("a part of a data file at {range:?} lies beyond its {} bytes", self.size)));
        }
        if let Some(whole) = &self.whole {
            return Ok(ranges.iter().map(|range| whole.slice(range.start as usize..range.end as usize)).collect());
        }
        let parts = self.store.get_ranges(&self.key, ranges).await.map_err(|e| from_store(e, &self.key))?;
        if parts.len() != ranges.len() || parts.iter().zip(ranges).any(|(part, range)| part.len() as u64 != range.end - range.start) {
            return Err(damaged("the store gave fewer bytes of a data file than were asked for"));
        }
        self.bytes_read.fetch_add(parts.iter().map(|part| part.len() as u64).sum(), Ordering::Relaxed);
        Ok(parts)
    }
}

fn empty() -> Result<ParquetMetaData> {
    use parquet::file::metadata::FileMetaData;
    use parquet::schema::types::{SchemaDescriptor, Type};
    let schema = Type::group_type_builder("empty").build().map_err(from_parquet)?;
    Ok(ParquetMetaData::new(FileMetaData::new(0, 0, None, None, Arc::new(SchemaDescriptor::new(Arc::new(schema))), None), Vec::new()))
}

/// The true size of the file and its last bytes: all of them when there are at most `whole`.
async fn tail(store: &dyn ObjectStore, key: &Path, size_in_log: u64, whole: u64) -> Result<(u64, Bytes)> {
    let (mut size, mut is_known) = (size_in_log, false);
    for _ in 0..2 {
        if size == 0 {
            is_known = true;
            let head = GetOptions { head: true, ..Default::default() };
            size = store.get_opts(key, head).await.map_err(|e| from_store(e, key))?.meta.size;
        }
        let wanted = if size <= whole { 0..size } else { size.saturating_sub(TAIL)..size };
        if wanted.is_empty() {
            break;
        }
        let options = GetOptions { range: Some(GetRange::Bounded(wanted.clone())), ..Default::default() };
        match store.get_opts(key, options).await {
            Ok(got) if got.meta.size == size => {
                let bytes = got.bytes().await.map_err(|e| from_store(e, key))?;
                if bytes.len() as u64 != wanted.end - wanted.start {
                    return Err(damaged("the store gave fewer bytes of a data file than were asked for"));
                }
                return Ok((size, bytes));
            }
            Ok(got) => size = got.meta.size,
            Err(e @ object_store::Error::NotFound { .. }) => return Err(from_store(e, key)),
            // The log's size may be wrong: then the range may lie beyond the file.
            Err(_) if !is_known => size = 0,
            Err(e) => return Err(from_store(e, key)),
        }
    }
    Err(damaged(format!("a data file has {size} bytes, which is no Parquet file")))
}

/// The footer's length, checked before anything of that size is asked for.
fn footer_length(tail: &[u8], size: u64) -> Result<u64> {
    let Some([a, b, c, d, magic @ ..]) = tail.last_chunk::<8>() else {
        return Err(damaged(format!("a data file has {size} bytes, which is no Parquet file")));
    };
    match magic {
        b"PAR1" => {}
        b"PARE" => return Err(Error::new(Code::FILE, "a data file is encrypted, which this build cannot read")),
        _ => return Err(damaged("a data file does not end as a Parquet file")),
    }
    let length = u64::from(u32::from_le_bytes([*a, *b, *c, *d]));
    if length + TRAILER + 4 > size || length > FOOTER_MAX {
        return Err(damaged(format!("a data file of {size} bytes names a footer of {length} bytes")));
    }
    Ok(length)
}

impl AsyncFileReader for Source {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        async move { Ok(self.get_byte_ranges(vec![range]).await?.pop().unwrap_or_default()) }.boxed()
    }
    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        async move { self.ranges(&ranges).await.map_err(|e| ParquetError::External(Box::new(e))) }.boxed()
    }
    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        async move { Ok(Arc::clone(&self.metadata)) }.boxed()
    }
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
