//! One Parquet file being written: encoded in a task of its own while the next batch is made, uploaded as it grows. Kind: edge.
//! Spec: DAT.

use super::schema::parquet_schema;
use super::shred::{Shredding, has_variants};
use super::stats::{Observer, StatsPlan};
use super::upload::Upload;
use crate::env::{Env, Task};
use crate::error::{Code, Error, Result};
use crate::log::{Add, NullableMap};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::WriterProperties;
use std::io::Write;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What all files of one writer share.
pub(super) struct FilePlan {
    pub(super) schema: SchemaRef,
    pub(super) properties: WriterProperties,
    pub(super) stats: StatsPlan,
    /// Whether variants are kept in pieces.
    pub(super) shreds: bool,
}

/// A file that takes rows.
pub(super) struct DataFile {
    path: String,
    partition_values: NullableMap,
    upload: Upload,
    encoder: Encoder,
    env: Env,
    /// As many encoders run at once as the environment has threads.
    threads: Arc<Semaphore>,
    /// Bytes that the file has so far, and bytes that the encoder and the rows on their way into it hold, as of the last encoded
    /// batch.
    size: u64,
    encoding: u64,
    /// Whether a row group has begun.
    begun: bool,
}

enum Encoder {
    Idle(Box<State>),
    Busy(Task<Result<Box<State>>>),
    /// A failure took it away.
    Gone,
}

struct State {
    schema: SchemaRef,
    properties: WriterProperties,
    shreds: bool,
    /// From the first rows on.
    parquet: Option<ArrowWriter<Chunks>>,
    shredding: Option<Shredding>,
    observer: Observer,
}

impl State {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.observer.watch(batch);
        let parquet = match &mut self.parquet {
            Some(parquet) => parquet,
            None => {
                self.shredding = if self.shreds { Shredding::of(batch)? } else { None };
                let schema = self.shredding.as_ref().map_or(&self.schema, Shredding::schema);
                // The schema that Arrow would add is no part of what the table says; readers go by Parquet's own types.
                let options = ArrowWriterOptions::new().with_properties(self.properties.clone()).with_skip_arrow_metadata(true);
                let options = options.with_parquet_schema(parquet_schema(schema)?);
                let parquet = ArrowWriter::try_new_with_options(Chunks::default(), schema.clone(), options).map_err(encode_failed)?;
                self.parquet.insert(parquet)
            }
        };
        match &self.shredding {
            Some(shredding) => parquet.write(&shredding.apply(batch)?),
            None => parquet.write(batch),
        }
        .map_err(encode_failed)
    }
    fn flush(&mut self) -> Result<()> {
        self.parquet.as_mut().map_or(Ok(()), |parquet| parquet.flush().map_err(encode_failed))
    }
    /// The footer, what was watched, and the last bytes.
    fn finish(mut self) -> Result<(ParquetMetaData, Observer, Vec<Bytes>)> {
        if self.parquet.is_none() {
            self.write(&RecordBatch::new_empty(Arc::clone(&self.schema)))?;
        }
        let mut parquet = self.parquet.take().ok_or_else(gone)?;
        let metadata = parquet.finish().map_err(encode_failed)?;
        if let Some(shredding) = &self.shredding {
            self.observer.extra_columns = shredding.extra_columns();
        }
        Ok((metadata, self.observer, parquet.inner_mut().take_all()))
    }
}

impl DataFile {
    /// Starts a file of this schema, which begins with that of the plan. `path` is its path in the log.
    pub(super) fn start(
        plan: &FilePlan,
        schema: &SchemaRef,
        path: String,
        partition_values: NullableMap,
        upload: Upload,
        env: Env,
        threads: Arc<Semaphore>,
    ) -> DataFile {
        let state = Box::new(State {
            schema: Arc::clone(schema),
            properties: plan.properties.clone(),
            shreds: plan.shreds && has_variants(schema.fields()),
            parquet: None,
            shredding: None,
            observer: plan.stats.observer(),
        });
        DataFile { path, partition_values, upload, encoder: Encoder::Idle(state), env, threads, size: 0, encoding: 0, begun: false }
    }
    /// Takes a batch of exactly the file's schema. Returns when the batch before it is encoded.
    pub(super) async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        self.settle().await?;
        self.encoding += batch.get_array_memory_size() as u64;
        self.begun = true;
        self.run(move |state| state.write(&batch)).await
    }
    /// Ends the current row group: what is held then is what the store has not taken yet.
    pub(super) async fn flush(&mut self) -> Result<()> {
        self.run(State::flush).await?;
        self.begun = false;
        self.settle().await
    }
    /// Whether rows were written since the last row group ended.
    pub(super) fn has_rows(&self) -> bool {
        self.begun
    }
    pub(super) fn size(&self) -> u64 {
        self.size
    }
    /// Bytes in memory: rows, encoder, and what waits for the store.
    pub(super) fn held(&self) -> u64 {
        self.encoding + self.upload.held()
    }
    /// Ends the file; the `add` that makes it part of a table.
    pub(super) async fn finish(mut self, plan: &FilePlan) -> Result<Add> {
        match self.close().await {
            Ok((metadata, observer)) => {
                let size = self.upload.finish().await?;
                Ok(Add {
                    path: self.path,
                    partition_values: self.partition_values,
                    size: i64::try_from(size).unwrap_or(i64::MAX),
                    modification_time: self.env.now().millis(),
                    data_change: true,
                    stats: Some(plan.stats.text(&metadata, &observer)),
                    tags: None,
                    deletion_vector: None,
                    base_row_id: None,
                    default_row_commit_version: None,
                    clustering_provider: None,
                })
            }
            Err(e) => {
                self.upload.abort().await;
                Err(e)
            }
        }
    }
    /// Takes back what was sent of it.
    pub(super) async fn abort(self) {
        self.upload.abort().await;
    }
    async fn close(&mut self) -> Result<(ParquetMetaData, Observer)> {
        self.settle().await?;
        let Encoder::Idle(state) = std::mem::replace(&mut self.encoder, Encoder::Gone) else { return Err(gone()) };
        let (metadata, observer, last) = self.env.spawn(async move { state.finish() }).await??;
        for bytes in last {
            self.upload.push(bytes).await?;
        }
        Ok((metadata, observer))
    }
    async fn run(&mut self, work: impl FnOnce(&mut State) -> Result<()> + Send + 'static) -> Result<()> {
        self.settle().await?;
        let permit = Arc::clone(&self.threads).acquire_owned().await.map_err(|_| gone())?;
        let Encoder::Idle(mut state) = std::mem::replace(&mut self.encoder, Encoder::Gone) else { return Err(gone()) };
        // On the runtime's own threads, as decoding is: in the many threads of its pool every one would keep memory of its own.
        self.encoder = Encoder::Busy(self.env.spawn(async move {
            let _permit = permit;
            work(&mut state)?;
            Ok(state)
        }));
        Ok(())
    }
    /// Waits for the encoder and sends what it has ready.
    async fn settle(&mut self) -> Result<()> {
        if let Encoder::Busy(task) = &mut self.encoder {
            let done = task.await;
            self.encoder = Encoder::Gone;
            let mut state = done??;
            let mut ready = Vec::new();
            if let Some(parquet) = &mut state.parquet {
                self.size = (parquet.bytes_written() + parquet.in_progress_size()) as u64;
                ready = parquet.inner_mut().take_full();
                self.encoding = (parquet.memory_size() + parquet.inner().filling.capacity()) as u64;
            }
            self.encoder = Encoder::Idle(state);
            for bytes in ready {
                self.upload.push(bytes).await?;
            }
        }
        Ok(())
    }
}

fn gone() -> Error {
    Error::new(Code::INTERNAL, "a data file was used after it had failed")
}

pub(super) fn encode_failed(e: ParquetError) -> Error {
    Error::new(Code::INTERNAL, format!("rows could not be encoded as Parquet: {e}")).caused_by(e)
}

/// Where the encoder's bytes wait for the upload, in pieces that need no copying.
#[derive(Default)]
struct Chunks {
    full: Vec<Bytes>,
    filling: Vec<u8>,
}

const CHUNK_BYTES: usize = 1 << 20;
/// Bytes that are not put together with others.
const WHOLE_BYTES: usize = 32 << 10;

impl Chunks {
    fn take_full(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.full)
    }
    fn take_all(&mut self) -> Vec<Bytes> {
        let mut all = self.take_full();
        if !self.filling.is_empty() {
            all.push(std::mem::take(&mut self.filling).into());
        }
        all
    }
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.len() >= WHOLE_BYTES {
            // A page: one copy of its own size, instead of a buffer that grows around it.
            self.full = self.take_all();
            self.full.push(Bytes::copy_from_slice(bytes));
            return Ok(bytes.len());
        }
        self.filling.extend_from_slice(bytes);
        if self.filling.len() >= CHUNK_BYTES {
            self.full.push(std::mem::take(&mut self.filling).into());
        }
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
