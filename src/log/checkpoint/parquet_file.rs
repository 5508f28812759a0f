//! One Parquet file of the log, read by ranges. Kind: edge. Spec: CKP.
//!
//! A small file is one request; of a large one its tail (footer and whatever lies before it) is one request and columns are fetched
//! as they are decoded, neighbours together. Invariant: whatever is wrong with the file is `LB-CKPT` naming it, never a panic.

use crate::env::guarded;
use crate::error::{Code, Error, Result};
use crate::storage::failure;
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::DecodeResult;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowFilter};
use parquet::arrow::push_decoder::ParquetPushDecoderBuilder;
use parquet::basic::Type as Physical;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use std::ops::Range;
use std::sync::Arc;

/// Files up to this size are read whole.
const WHOLE: u64 = 4 << 20;
/// What is read of the end of a larger file before anything else.
const TAIL: u64 = 512 << 10;
/// The largest footer that is decoded.
const FOOTER_MAX: u64 = 64 << 20;
/// So many column chunks, and bytes of them, are fetched ahead at most.
const AHEAD: (usize, u64) = (1000, 16 << 20);
/// Footer length and magic number.
const TRAILER: u64 = 8;

/// An opened Parquet file. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ParquetFile {
    name: Arc<str>,
    store: Arc<dyn ObjectStore>,
    key: Path,
    /// What is here already: the end of the file, or all of it, and columns that were fetched ahead.
    held: Vec<(u64, Bytes)>,
    metadata: ArrowReaderMetadata,
}

impl std::fmt::Debug for ParquetFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ParquetFile({})", self.name)
    }
}

/// What to read of a file.
pub(crate) struct ReadPlan {
    pub columns: ProjectionMask,
    /// All when `None`.
    pub row_groups: Option<Vec<usize>>,
    pub filter: Option<RowFilter>,
    pub batch_rows: usize,
}

impl ParquetFile {
    /// Reads the footer: one request when `size` is right.
    pub async fn open(store: Arc<dyn ObjectStore>, key: Path, name: &str, size: u64) -> Result<ParquetFile> {
        let size = if size == 0 { store.head(&key).await.map_err(|e| unreadable(name, e))?.size } else { size };
        let end = if size <= WHOLE { size } else { TAIL };
        ParquetFile::open_end(store, key, name, size, end).await
    }
    /// Reads so many bytes of the end of a file, which hold its footer as a rule. One request when they do.
    pub async fn open_end(store: Arc<dyn ObjectStore>, key: Path, name: &str, size: u64, end: u64) -> Result<ParquetFile> {
        let start = size - end.clamp(TRAILER.min(size), WHOLE).min(size);
        let bytes = match store.get_range(&key, start..size).await {
            Ok(bytes) => bytes,
            // A range behind the end of a torn file is a failure of its own to most stores.
            Err(e) => match store.head(&key).await {
                Ok(found) if found.size != size => return Err(broken(name, format!("it has {} bytes, not {size}", found.size))),
                _ => return Err(unreadable(name, e)),
            },
        };
        let length = footer_length(&bytes, size).map_err(|why| broken(name, why))?;
        let held = vec![(start, bytes)];
        let footer = size - TRAILER - length..size - TRAILER;
        let footer = fetch(store.as_ref(), &key, name, &held, std::slice::from_ref(&footer)).await?.pop().unwrap_or_default();
        let metadata = guarded(|| arrow_metadata(ParquetMetaDataReader::decode_metadata(&footer)?));
        let metadata = metadata.map_err(|why| broken(name, why))?.map_err(|e| broken(name, e))?;
        Ok(ParquetFile { name: name.into(), store, key, held, metadata })
    }
    /// The same file with some columns of some row groups fetched, all at once, so that decoding them waits for nothing; fetched
    /// later, where they are used, when they are many or large.
    pub async fn with_columns(&self, row_groups: &[usize], leaves: &[usize]) -> Result<ParquetFile> {
        let chunks = guarded(|| {
            let chunk = |g: &usize, l: &usize| self.metadata().row_group(*g).column(*l).byte_range();
            row_groups.iter().flat_map(|g| leaves.iter().map(move |l| chunk(g, l))).collect::<Vec<_>>()
        });
        let chunks = chunks.map_err(|why| self.broken(why))?;
        if chunks.len() > AHEAD.0 || chunks.iter().fold(0u64, |sum, (_, length)| sum.saturating_add(*length)) > AHEAD.1 {
            return Ok(self.clone());
        }
        let ranges: Vec<Range<u64>> = chunks.into_iter().map(|(start, length)| start..start.saturating_add(length)).collect();
        let bytes = fetch(self.store.as_ref(), &self.key, &self.name, &self.held, &ranges).await?;
        let mut file = self.clone();
        file.held.extend(ranges.into_iter().map(|r| r.start).zip(bytes));
        Ok(file)
    }
    /// Some bytes of it, without a request when they are here already.
    pub async fn bytes(&self, range: Range<u64>) -> Result<Bytes> {
        let bytes = fetch(self.store.as_ref(), &self.key, &self.name, &self.held, std::slice::from_ref(&range)).await?;
        Ok(bytes.into_iter().next().unwrap_or_default())
    }
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The Arrow form in which columns are read.
    pub fn schema(&self) -> &SchemaRef {
        self.metadata.schema()
    }
    pub fn metadata(&self) -> &Arc<ParquetMetaData> {
        self.metadata.metadata()
    }
    /// Whether a leaf is there, and where.
    pub fn leaf(&self, path: &[&str]) -> Option<usize> {
        self.leaves(|parts| parts.iter().map(String::as_str).eq(path.iter().copied())).next()
    }
    /// The leaves that `wanted` accepts, by the parts of their path.
    pub fn leaves<'a>(&'a self, wanted: impl Fn(&[String]) -> bool + 'a) -> impl Iterator<Item = usize> + 'a {
        let columns = self.metadata.parquet_schema().columns();
        columns.iter().enumerate().filter(move |(_, c)| wanted(c.path().parts())).map(|(i, _)| i)
    }
    pub fn mask(&self, leaves: impl IntoIterator<Item = usize>) -> ProjectionMask {
        ProjectionMask::leaves(self.metadata.parquet_schema(), leaves)
    }
    /// How many values of a leaf are null in a row group, when the footer says so.
    pub fn null_count(&self, row_group: usize, leaf: usize) -> Option<u64> {
        self.metadata().row_group(row_group).column(leaf).statistics()?.null_count_opt()
    }
    /// An error about this file.
    pub fn broken(&self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        broken(&self.name, cause)
    }

    /// The rows, batch by batch, fetched a row group at a time.
    pub fn read(&self, plan: ReadPlan) -> BoxStream<'static, Result<RecordBatch>> {
        let file = self.clone();
        let mut builder = ParquetPushDecoderBuilder::new_with_metadata(self.metadata.clone())
            .with_projection(plan.columns)
            .with_batch_size(plan.batch_rows)
            .with_max_predicate_cache_size(0);
        if let Some(groups) = plan.row_groups {
            builder = builder.with_row_groups(groups);
        }
        if let Some(filter) = plan.filter {
            builder = builder.with_row_filter(filter);
        }
        let decoder = guarded(|| builder.build()).map_err(|why| file.broken(why)).and_then(|d| d.map_err(|e| file.broken(e)));
        match decoder {
            Ok(decoder) => rows(file, decoder).boxed(),
            Err(e) => futures::stream::once(async move { Err(e) }).boxed(),
        }
    }
}

fn rows(
    file: ParquetFile,
    decoder: parquet::arrow::push_decoder::ParquetPushDecoder,
) -> impl futures::Stream<Item = Result<RecordBatch>> + Send {
    futures::stream::try_unfold((file, decoder), |(file, mut decoder)| async move {
        loop {
            let step = guarded(|| decoder.try_decode()).map_err(|why| file.broken(why))?;
            match step.map_err(|e| file.broken(e))? {
                DecodeResult::Data(batch) => return Ok(Some((batch, (file, decoder)))),
                DecodeResult::Finished => return Ok(None),
                DecodeResult::NeedsData(ranges) => {
                    let data = fetch(file.store.as_ref(), &file.key, &file.name, &file.held, &ranges).await?;
                    decoder.push_ranges(ranges, data).map_err(|e| file.broken(e))?;
                }
            }
        }
    })
}

/// The footer's length, checked before anything of that size is asked for.
fn footer_length(end: &[u8], size: u64) -> std::result::Result<u64, String> {
    match end.last_chunk::<8>() {
        Some([a, b, c, d, b'P', b'A', b'R', b'1']) => {
            let length = u64::from(u32::from_le_bytes([*a, *b, *c, *d]));
            if length + TRAILER + 4 > size || length > FOOTER_MAX {
                return Err(format!("a file of {size} bytes names a footer of {length} bytes"));
            }
            Ok(length)
        }
        _ => Err("it does not end as a Parquet file".to_owned()),
    }
}

/// The bytes of each range: from what is held, else from the store, neighbours in one request.
async fn fetch(store: &dyn ObjectStore, key: &Path, name: &str, held: &[(u64, Bytes)], ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
    let size_at = |start: u64, bytes: &Bytes| start.saturating_add(bytes.len() as u64);
    let holds = |r: &Range<u64>| held.iter().find(|(start, bytes)| *start <= r.start && r.end <= size_at(*start, bytes));
    let missing: Vec<Range<u64>> = ranges.iter().filter(|r| holds(r).is_none()).cloned().collect();
    // The end of the file is held first: what reaches beyond it is not in the file.
    let end = held.first().map_or(0, |(start, bytes)| size_at(*start, bytes));
    if missing.iter().any(|r| r.start > r.end || r.end > end) {
        return Err(broken(name, ParquetError::EOF("a column lies behind the end of the file".to_owned())));
    }
    let fetched = if missing.is_empty() { Vec::new() } else { store.get_ranges(key, &missing).await.map_err(|e| unreadable(name, e))? };
    let mut fetched = fetched.into_iter();
    ranges
        .iter()
        .map(|r| {
            let bytes = match holds(r) {
                Some((start, bytes)) if r.start <= r.end => bytes.slice((r.start - start) as usize..(r.end - start) as usize),
                Some(_) => return Err(broken(name, ParquetError::EOF("a column ends before it begins".to_owned()))),
                None => fetched.next().unwrap_or_default(),
            };
            if bytes.len() as u64 != r.end - r.start {
                return Err(broken(name, ParquetError::EOF(format!("{} bytes came of {}", bytes.len(), r.end - r.start))));
            }
            Ok(bytes)
        })
        .collect()
}

/// Texts outside the small structs as views, legacy timestamps as microseconds, whatever schema a writer has left in the footer.
fn arrow_metadata(metadata: ParquetMetaData) -> std::result::Result<ArrowReaderMetadata, ParquetError> {
    let metadata = Arc::new(metadata);
    let plain = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let inferred = ArrowReaderMetadata::try_new(Arc::clone(&metadata), plain)?;
    let legacy_time = inferred.parquet_schema().columns().iter().any(|c| c.physical_type() == Physical::INT96);
    let fields: Vec<FieldRef> =
        inferred.schema().fields().iter().map(|f| if f.name() == "add" { as_views(f, legacy_time) } else { Arc::clone(f) }).collect();
    ArrowReaderMetadata::try_new(metadata, ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(fields))))
}

fn as_views(field: &FieldRef, legacy_time: bool) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Utf8 => DataType::Utf8View,
        DataType::Binary => DataType::BinaryView,
        DataType::Timestamp(TimeUnit::Nanosecond, None) if legacy_time => DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|f| as_views(f, legacy_time)).collect()),
        DataType::List(f) => DataType::List(as_views(f, legacy_time)),
        DataType::Map(f, sorted) => DataType::Map(as_views(f, legacy_time), *sorted),
        other => other.clone(),
    };
    Arc::new(Field::clone(field).with_data_type(data_type))
}

fn broken(name: &str, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let cause = cause.into();
    Error::new(Code::CKPT, format!("a checkpoint file does not read as Parquet: {cause}")).with("path", name).caused_by(cause)
}

fn unreadable(name: &str, cause: object_store::Error) -> Error {
    match cause {
        object_store::Error::NotFound { .. } => Error::new(Code::CKPT, "a checkpoint file is missing").with("path", name),
        other => failure(other, "reading a checkpoint", name),
    }
}
