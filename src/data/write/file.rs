//! One Parquet file being written: encoded on a thread of its own while the next batch is made, uploaded as it grows. Kind: edge.
//! Spec: DAT.

use super::schema::parquet_schema;
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
    parquet: ArrowWriter<Chunks>,
    observer: Observer,
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
    ) -> Result<DataFile> {
        // The schema that Arrow would add is no part of what the table says; readers go by Parquet's own types.
        let options = ArrowWriterOptions::new().with_properties(plan.properties.clone()).with_skip_arrow_metadata(true);
        let options = options.with_parquet_schema(parquet_schema(schema)?);
        let parquet = ArrowWriter::try_new_with_options(Chunks::default(), schema.clone(), options).map_err(encode_failed)?;
        let state = Box::new(State { parquet, observer: plan.stats.observer() });
        Ok(DataFile { path, partition_values, upload, encoder: Encoder::Idle(state), env, threads, size: 0, encoding: 0, begun: false })
    }
    /// Takes a batch of exactly the file's schema. Returns when the batch before it is encoded.
    pub(super) async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        self.settle().await?;
        self.encoding += batch.get_array_memory_size() as u64;
        self.begun = true;
        self.run(move |state| {
            state.observer.watch(&batch);
            state.parquet.write(&batch)
        })
        .await
    }
    /// Ends the current row group: what is held then is what the store has not taken yet.
    pub(super) async fn flush(&mut self) -> Result<()> {
        self.run(|state| state.parquet.flush()).await?;
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
        let Encoder::Idle(mut state) = std::mem::replace(&mut self.encoder, Encoder::Gone) else { return Err(gone()) };
        let work = move || {
            let metadata = state.parquet.finish().map_err(encode_failed)?;
            let last = state.parquet.inner_mut().take_all();
            Ok::<_, Error>((metadata, state.observer, last))
        };
        let (metadata, observer, last) = self.env.spawn_blocking(work).await??;
        for bytes in last {
            self.upload.push(bytes).await?;
        }
        Ok((metadata, observer))
    }
    async fn run(&mut self, work: impl FnOnce(&mut State) -> Result<(), ParquetError> + Send + 'static) -> Result<()> {
        self.settle().await?;
        let permit = Arc::clone(&self.threads).acquire_owned().await.map_err(|_| gone())?;
        let Encoder::Idle(mut state) = std::mem::replace(&mut self.encoder, Encoder::Gone) else { return Err(gone()) };
        self.encoder = Encoder::Busy(self.env.spawn_blocking(move || {
            let _permit = permit;
            work(&mut state).map_err(encode_failed)?;
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
            self.size = (state.parquet.bytes_written() + state.parquet.in_progress_size()) as u64;
            let ready = state.parquet.inner_mut().take_full();
            self.encoding = (state.parquet.memory_size() + state.parquet.inner().filling.capacity()) as u64;
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
