//! Actions -> one Parquet file of a checkpoint. Kind: pure. Spec: CKP.
//!
//! Files come first, in the order given, in small row groups; then removed files; then everything else, so that the small actions
//! lie next to the footer. Invariant: what is encoded is read again and counted before anyone may publish it.

use super::columns::{partition_struct, stats_struct};
use crate::error::{Code, Error, Result};
use crate::log::batch::{FileRows, text_map_type, vector_fields};
use crate::log::stats::StatsReader;
use crate::log::{Action, Remove, encode_commit};
use crate::schema::Field as SchemaField;
use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, StructArray, cast::AsArray, new_null_array};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type, Schema, SchemaRef};
use arrow::json::ReaderBuilder;
use bytes::Bytes;
use md5::{Digest, Md5};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::Compression;
use parquet::file::metadata::ParquetMetaDataReader;
use parquet::file::properties::{BloomFilterPosition, WriterProperties};
use parquet::schema::types::ColumnPath;
use std::sync::Arc;

/// Rows of a row group of files: small enough that a filter on sorted files reads little, large enough that footers stay small.
pub(crate) const GROUP_ROWS: usize = 16_384;
/// What is read of the end of a file that has no filter.
const FOOTER_GUESS: u64 = 64 << 10;
/// How often a Bloom filter does not rule out a path that is not there: hardly, for every doubt costs a read.
const FILTER_ERROR: f64 = 1e-4;
/// Rows of a page, the grain of the page index.
const PAGE_ROWS: usize = 4_096;

/// Which columns the files of a checkpoint get, besides those that every checkpoint has.
#[derive(Clone, Debug)]
pub(crate) struct FileColumns {
    /// Partition columns with their physical names.
    pub partitions: Vec<SchemaField>,
    /// The data columns that have statistics.
    pub stats: StatsReader,
    /// `delta.checkpoint.writeStatsAsJson`.
    pub text: bool,
    /// `delta.checkpoint.writeStatsAsStruct`.
    pub parsed: bool,
}

/// What a checkpoint file holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub files: u64,
    pub file_bytes: i64,
    pub removed: u64,
    pub others: u64,
}

impl FileColumns {
    /// Tells whether two sidecars have the same columns.
    pub fn fingerprint(&self) -> Result<String> {
        let schema = format!("{:?}", schema_of(Content::Sidecar, self)?);
        Ok(Md5::digest(schema.as_bytes()).iter().map(|b| format!("{b:02x}")).collect())
    }
}

/// Bytes of an encoded file from its first Bloom filter to its end; without one, of its footer.
pub(crate) fn index_bytes(body: &Bytes) -> Result<u64> {
    let metadata = ParquetMetaDataReader::new().parse_and_finish(body).map_err(encoding)?;
    let chunks = metadata.row_groups().iter().flat_map(|group| group.columns());
    let first = chunks.filter_map(|chunk| chunk.bloom_filter_offset()).filter_map(|at| u64::try_from(at).ok()).min();
    let size = body.len() as u64;
    Ok(first.map_or(FOOTER_GUESS, |first| size.saturating_sub(first)).min(size))
}

impl Tally {
    pub fn plus(self, other: Tally) -> Tally {
        Tally {
            files: self.files + other.files,
            file_bytes: self.file_bytes.wrapping_add(other.file_bytes),
            removed: self.removed + other.removed,
            others: self.others + other.others,
        }
    }
    /// Number of actions.
    pub fn actions(self) -> u64 {
        self.files + self.removed + self.others
    }
}

/// The kinds of actions that a file may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// All actions of a classic checkpoint.
    Classic,
    /// The top level of a V2 checkpoint: no file actions.
    Manifest,
    /// Only file actions.
    Sidecar,
}

/// Encodes one file. Memory: the encoded bytes and one row group.
pub(crate) struct Encoder {
    writer: ArrowWriter<Vec<u8>>,
    schema: SchemaRef,
    columns: FileColumns,
    tally: Tally,
}

impl Encoder {
    pub fn new(content: Content, columns: FileColumns) -> Result<Encoder> {
        let schema = schema_of(content, &columns)?;
        let column = |action: &str, name: &str| ColumnPath::from(vec![action.to_owned(), name.to_owned()]);
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_data_page_row_count_limit(PAGE_ROWS)
            .set_write_batch_size(PAGE_ROWS)
            // Hardly a value stands twice.
            .set_column_dictionary_enabled(column("add", "path"), false)
            .set_column_dictionary_enabled(column("add", "stats"), false);
        if content == Content::Sidecar {
            // Before the footer, so that one read of the end tells which files are not in it.
            properties = properties.set_bloom_filter_position(BloomFilterPosition::End);
            for action in ["add", "remove"] {
                let path = column(action, "path");
                properties = properties
                    .set_column_bloom_filter_enabled(path.clone(), true)
                    .set_column_bloom_filter_max_ndv(path.clone(), GROUP_ROWS as u64)
                    .set_column_bloom_filter_fpp(path, FILTER_ERROR);
            }
        }
        let options = ArrowWriterOptions::new().with_properties(properties.build()).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(&schema), options).map_err(encoding)?;
        Ok(Encoder { writer, schema, columns, tally: Tally::default() })
    }

    /// Files, in this order.
    pub fn files(&mut self, rows: &FileRows) -> Result<()> {
        let add: ArrayRef = Arc::new(add_column(rows, &self.columns)?);
        self.tally.files += rows.len() as u64;
        self.tally.file_bytes = (0..rows.len()).fold(self.tally.file_bytes, |sum, row| sum.wrapping_add(rows.size(row)));
        self.write("add", add)
    }
    /// Ends the row group, so that what follows has statistics of its own.
    pub fn end_group(&mut self) -> Result<()> {
        self.writer.flush().map_err(encoding)
    }
    /// Removed files.
    pub fn removed(&mut self, removes: Vec<Remove>) -> Result<()> {
        self.tally.removed += removes.len() as u64;
        let actions: Vec<Action> = removes.into_iter().map(Action::Remove).collect();
        self.actions(&actions)
    }
    /// Everything else.
    pub fn others(&mut self, actions: &[Action]) -> Result<()> {
        self.tally.others += actions.len() as u64;
        self.actions(actions)
    }

    /// By way of their JSON, so that an action is declared once.
    fn actions(&mut self, actions: &[Action]) -> Result<()> {
        let fields: Vec<FieldRef> = self.schema.fields().iter().filter(|f| f.name() != "add").cloned().collect();
        // The decoder's buffers grow with this, and a small table's checkpoint has few rows.
        let rows = actions.len().clamp(1, GROUP_ROWS);
        let mut decoder = ReaderBuilder::new(Arc::new(Schema::new(fields))).with_batch_size(rows).build_decoder().map_err(encoding)?;
        for chunk in actions.chunks(GROUP_ROWS) {
            let body = encode_commit(chunk)?;
            let mut rest: &[u8] = &body;
            while !rest.is_empty() {
                let read = decoder.decode(rest).map_err(encoding)?;
                if read == 0 {
                    break;
                }
                rest = &rest[read..];
            }
            let batch = decoder.flush().map_err(encoding)?.ok_or_else(|| encoding("no rows came of actions"))?;
            if batch.num_rows() != chunk.len() {
                return Err(encoding("not every action became a row"));
            }
            self.writer.write(&self.widened(&batch)?).map_err(encoding)?;
        }
        self.end_group()
    }
    fn write(&mut self, name: &str, column: ArrayRef) -> Result<()> {
        let batch = RecordBatch::try_from_iter_with_nullable([(name, column, true)]).map_err(encoding)?;
        self.writer.write(&self.widened(&batch)?).map_err(encoding)
    }
    /// With nulls for the columns that are not there.
    fn widened(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let column = |f: &FieldRef| batch.column_by_name(f.name()).cloned().unwrap_or_else(|| new_null_array(f.data_type(), rows));
        let columns = self.schema.fields().iter().map(column).collect();
        RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(encoding)
    }

    /// The file, after it has been read again and holds what was put in. (CKP-11)
    pub fn finish(self) -> Result<(Bytes, Tally)> {
        let expected = self.tally;
        let bytes = Bytes::from(self.writer.into_inner().map_err(encoding)?);
        let found = count(bytes.clone()).map_err(encoding)?;
        if found != expected {
            return Err(Error::new(Code::CKPT, "a checkpoint does not hold what was written into it; it was not published")
                .with("expected", format!("{expected:?}"))
                .with("found", format!("{found:?}")));
        }
        Ok((bytes, expected))
    }
}

/// Counts an encoded file by reading it.
pub(crate) fn count(bytes: Bytes) -> std::result::Result<Tally, Box<dyn std::error::Error + Send + Sync>> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options)?;
    let wanted = [
        ["add", "path"],
        ["add", "size"],
        ["remove", "path"],
        ["metaData", "id"],
        ["protocol", "minReaderVersion"],
        ["txn", "appId"],
        ["domainMetadata", "domain"],
        ["checkpointMetadata", "version"],
        ["sidecar", "path"],
    ];
    let columns = builder.parquet_schema().columns();
    let leaves: Vec<usize> = (0..columns.len()).filter(|i| wanted.iter().any(|w| columns[*i].path().parts() == w)).collect();
    let mask = ProjectionMask::leaves(builder.parquet_schema(), leaves);
    let mut tally = Tally::default();
    for batch in builder.with_projection(mask).build()? {
        let batch = batch?;
        for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            let column = column.as_struct();
            let present = super::present(column, 0);
            let rows = present.true_count() as u64;
            match field.name().as_str() {
                "add" => {
                    tally.files += rows;
                    let sizes = column.column(1).as_primitive::<Int64Type>();
                    tally.file_bytes = sizes.iter().flatten().fold(tally.file_bytes, i64::wrapping_add);
                }
                "remove" => tally.removed += rows,
                _ => tally.others += rows,
            }
        }
    }
    Ok(tally)
}

/// The `add` column of files: Spark's fields in Spark's order. (CKP-8, CKP-9)
fn add_column(rows: &FileRows, columns: &FileColumns) -> Result<StructArray> {
    let rows = rows.standard()?;
    let mut fields: Vec<FieldRef> = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    let mut push = |name: &str, array: ArrayRef| {
        fields.push(Arc::new(Field::new(name, array.data_type().clone(), true)));
        arrays.push(array);
    };
    for (name, _) in FileRows::standard_fields() {
        if name == "stats" && !columns.text {
            continue;
        }
        let column = rows.column(name).ok_or_else(|| encoding("a column is missing"))?;
        match name {
            // Nothing in a checkpoint is a change.
            "dataChange" => push(name, Arc::new(BooleanArray::from(vec![false; rows.len()]))),
            _ => push(name, Arc::clone(column)),
        }
    }
    if columns.parsed {
        if let Some(parsed) = partition_struct(&rows, &columns.partitions)? {
            push("partitionValues_parsed", Arc::new(parsed));
        }
        let stats = match rows.stats() {
            Some(texts) => columns.stats.read_json(texts),
            None => columns.stats.unknown(rows.len()),
        };
        push("stats_parsed", Arc::new(stats_struct(&columns.stats, &stats)?));
    }
    StructArray::try_new(Fields::from(fields), arrays, None).map_err(encoding)
}

fn schema_of(content: Content, columns: &FileColumns) -> Result<SchemaRef> {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let long = |name: &str| Field::new(name, DataType::Int64, true);
    let int = |name: &str| Field::new(name, DataType::Int32, true);
    let flag = |name: &str| Field::new(name, DataType::Boolean, true);
    let map = |name: &str| Field::new(name, text_map_type(), true);
    let texts = |name: &str| Field::new(name, DataType::List(Arc::new(Field::new("element", DataType::Utf8, true))), true);
    let group = |name: &str, fields: Vec<Field>| Field::new(name, DataType::Struct(Fields::from(fields)), true);
    let add = Field::new("add", add_column(&FileRows::from_adds([])?, columns)?.data_type().clone(), true);
    let remove = group(
        "remove",
        vec![
            text("path"),
            long("deletionTimestamp"),
            flag("dataChange"),
            flag("extendedFileMetadata"),
            map("partitionValues"),
            long("size"),
            Field::new("deletionVector", DataType::Struct(vector_fields()), true),
            long("baseRowId"),
            long("defaultRowCommitVersion"),
        ],
    );
    let metadata = group(
        "metaData",
        vec![
            text("id"),
            text("name"),
            text("description"),
            group("format", vec![text("provider"), map("options")]),
            text("schemaString"),
            texts("partitionColumns"),
            map("configuration"),
            long("createdTime"),
        ],
    );
    let protocol =
        group("protocol", vec![int("minReaderVersion"), int("minWriterVersion"), texts("readerFeatures"), texts("writerFeatures")]);
    let txn = group("txn", vec![text("appId"), long("version"), long("lastUpdated")]);
    let domain = group("domainMetadata", vec![text("domain"), text("configuration"), flag("removed")]);
    let mark = group("checkpointMetadata", vec![long("version"), map("tags")]);
    let sidecar = group("sidecar", vec![text("path"), long("sizeInBytes"), long("modificationTime"), map("tags")]);
    Ok(Arc::new(Schema::new(match content {
        Content::Classic => vec![txn, add, remove, metadata, protocol, domain],
        // Without file actions in its rows, but Spark looks for their columns here.
        Content::Manifest => vec![txn, add, remove, metadata, protocol, domain, mark, sidecar],
        Content::Sidecar => vec![add, remove],
    })))
}

fn encoding(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let cause = cause.into();
    Error::new(Code::CKPT, format!("a checkpoint could not be encoded: {cause}")).caused_by(cause)
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
