//! Rows from outside: Parquet, CSV, NDJSON and Arrow files, and standard input. Kind: edge. Spec: INP.
//!
//! Invariant: no value is dropped or changed on the way in; what cannot be read as its column's type is an error that names file and
//! line.

mod csv;
mod infer;
mod ndjson;
mod text;

use crate::data::batching;
use crate::data::calendar::{Hybrid, gregorian};
use crate::data::columns::with_hints;
use crate::env::{Env, Task};
use crate::error::{Code, Error, Result};
use crate::schema::{DataType, Field, Struct, evolve};
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType as ArrowType, SchemaRef, TimeUnit};
use arrow::ipc::reader::{FileReader, StreamReader};
use futures::stream::{BoxStream, StreamExt};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::Type as PhysicalType;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Rows of one batch at most; large ones make smaller batches.
const BATCH_ROWS: usize = batching::ROWS;
/// Batches that are ready before they are asked for.
const BATCHES_AHEAD: usize = 2;
const BUFFER_BYTES: usize = 256 << 10;

/// What the bytes of an input mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputFormat {
    Parquet,
    /// RFC 4180 with a header line.
    Csv,
    /// One JSON object a line.
    Ndjson,
    /// Arrow's file or stream format.
    Arrow,
}

/// A file, or standard input.
#[derive(Clone, Debug)]
pub struct Input {
    source: Source,
    format: Option<InputFormat>,
}

#[derive(Clone, Debug)]
enum Source {
    File(PathBuf),
    Stdin,
}

/// Batches of one schema and that schema.
pub struct InputRows {
    /// What all batches together hold; a batch may lack columns of other files.
    pub schema: SchemaRef,
    /// The rows, file after file.
    pub batches: BoxStream<'static, Result<RecordBatch>>,
}

impl Input {
    /// A file by its path; `-` is standard input.
    pub fn named(name: &str) -> Input {
        Input { source: if name == "-" { Source::Stdin } else { Source::File(PathBuf::from(name)) }, format: None }
    }
    /// Says the format instead of finding it by the name's ending or the first bytes.
    pub fn format(mut self, format: InputFormat) -> Self {
        self.format = Some(format);
        self
    }
    /// Opens inputs one after another, as rows for `table`, or for a new one when there is none: text gets the types of the table's
    /// columns, else those that a bounded part of the input suggests (of CSV files: all of it). Memory: that part (16 MiB), then a few batches.
    /// `LB-INPUT` names the file that cannot be read, `LB-SCHEMA` the columns that differ between files.
    pub async fn open(inputs: Vec<Input>, table: Option<&Struct>, env: &Env) -> Result<InputRows> {
        let (table, ids) = (table.cloned(), env.clone());
        let spill = env.spill_folder().clone();
        let prepare = move || -> Result<(Struct, Vec<Prepared>)> {
            let mut all: Option<Struct> = None;
            let mut prepared = Vec::new();
            let single = inputs.len() == 1;
            for input in inputs {
                if !single && input.is_pipe() {
                    return Err(Error::new(Code::INPUT, "one of several inputs is a pipe, which cannot be read twice")
                        .with("input", input.name())
                        .help("write it to a file first, or name it alone"));
                }
                let ready = Ready::new(&input, table.as_ref(), &spill.join(format!(".lakebed-{}.tmp", ids.new_uuid())))?;
                let rows = Struct::from_arrow(&ready.schema).map_err(|e| e.with("input", input.name()))?;
                all = Some(match all {
                    None => rows,
                    Some(so_far) => join(&so_far, &rows, ready.is_text()).map_err(|e| e.with("input", input.name()))?,
                });
                // Files are opened again when their turn comes, so that many of them cost no memory, and so is one whose types were
                // found behind the rows that are held.
                let keep = single && !ready.is_behind || matches!(input.source, Source::Stdin);
                prepared.push(if keep { Prepared::Open(input.name(), Box::new(ready)) } else { Prepared::Closed(input) });
            }
            let all = all.ok_or_else(|| Error::new(Code::INPUT, "no input was named"))?;
            Ok((all, prepared))
        };
        let (all, prepared) = env.spawn_blocking(prepare).await??;
        let schema = Arc::new(all.to_arrow()?);
        let (send, receive) = mpsc::channel(BATCHES_AHEAD);
        let task = env.spawn_blocking(move || {
            for input in prepared {
                let (name, rows) = match input.rows(&all) {
                    Ok(opened) => opened,
                    Err(e) => {
                        let _ = send.blocking_send(Err(e));
                        return;
                    }
                };
                for batch in rows {
                    // Nobody listens any more when it cannot be sent.
                    if send.blocking_send(batch.map_err(|e| e.with("input", &name))).is_err() {
                        return;
                    }
                }
            }
        });
        Ok(InputRows { schema, batches: stream_of(receive, task) })
    }
    /// A named pipe or the like.
    fn is_pipe(&self) -> bool {
        matches!(&self.source, Source::File(path) if std::fs::metadata(path).is_ok_and(|m| !m.is_file()))
    }
    fn name(&self) -> String {
        match &self.source {
            Source::File(path) => path.display().to_string(),
            Source::Stdin => "standard input".to_owned(),
        }
    }
}

/// The batches that a reading task sends; a task that ends by a panic ends the stream with an error.
fn stream_of(receive: mpsc::Receiver<Result<RecordBatch>>, task: Task<()>) -> BoxStream<'static, Result<RecordBatch>> {
    futures::stream::unfold((receive, Some(task)), |(mut receive, mut task)| async move {
        if let Some(batch) = receive.recv().await {
            return Some((batch, (receive, task)));
        }
        let ended = task.take()?.await;
        ended.err().map(|e| (Err(e), (receive, None)))
    })
    .boxed()
}

/// The schema of two inputs together.
fn join(so_far: &Struct, next: &Struct, text: bool) -> Result<Struct> {
    let mut out = so_far.clone();
    for field in &next.fields {
        let Some(at) = out.index_of(&field.name) else {
            out.fields.push(Field { nullable: true, ..field.clone() });
            continue;
        };
        let alone = |f: &Field| Struct { fields: vec![Field { name: field.name.clone(), ..f.clone() }] };
        let (old, new) = (alone(&out.fields[at]), alone(field));
        out.fields[at].data_type = match evolve::merge(&old, &new, evolve::Widening::Off) {
            Ok(merged) => merged.fields[0].data_type.clone(),
            Err(_) if evolve::check_fits(&new, &old).is_ok() => field.data_type.clone(),
            Err(_) if text => infer::wider(&out.fields[at].data_type, &field.data_type),
            Err(e) => return Err(e),
        };
    }
    Ok(out)
}

enum Prepared {
    Open(String, Box<Ready>),
    Closed(Input),
}

type Rows = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

impl Prepared {
    fn rows(self, all: &Struct) -> Result<(String, Rows)> {
        Ok(match self {
            Prepared::Open(name, ready) => (name, ready.rows),
            // Text is read with the types that all inputs together need.
            Prepared::Closed(input) => (input.name(), Ready::new(&input, Some(all), Path::new(""))?.rows),
        })
    }
}

/// An opened input.
struct Ready {
    schema: SchemaRef,
    rows: Rows,
    format: InputFormat,
    /// Whether the rows have been read over to find types.
    is_behind: bool,
}

impl Ready {
    fn is_text(&self) -> bool {
        matches!(self.format, InputFormat::Csv | InputFormat::Ndjson)
    }
    /// `spool` is where standard input goes when its format must be read from the end.
    fn new(input: &Input, table: Option<&Struct>, spool: &Path) -> Result<Ready> {
        let failed = |e: std::io::Error| {
            let error = Error::new(Code::INPUT, format!("the input cannot be read: {e}")).with("input", input.name());
            match e.kind() {
                std::io::ErrorKind::NotFound => error.help("check the name; relative ones begin in the working folder"),
                _ => error,
            }
            .caused_by(e)
        };
        let (mut reader, file): (Box<dyn BufRead + Send>, Option<File>) = match &input.source {
            Source::Stdin => (Box::new(BufReader::with_capacity(BUFFER_BYTES, std::io::stdin())), None),
            Source::File(path) => {
                let file = File::open(path).map_err(failed)?;
                let same = file.try_clone().map_err(failed)?;
                (Box::new(BufReader::with_capacity(BUFFER_BYTES, file)), Some(same))
            }
        };
        let format = match input.format.or_else(|| by_ending(input)) {
            Some(format) => format,
            None => {
                let start = start_of(&mut *reader).map_err(failed)?;
                let format = sniff(&start);
                reader = Box::new(Cursor::new(start).chain(reader));
                format
            }
        };
        let can_read_again = file.as_ref().is_some_and(|file| file.metadata().is_ok_and(|m| m.is_file()));
        let mut is_behind = false;
        let ready = match format {
            InputFormat::Csv => csv::open(reader, table, can_read_again).map(|(schema, rows, behind)| {
                is_behind = behind;
                (schema, rows)
            }),
            InputFormat::Ndjson => ndjson::open(reader, table),
            InputFormat::Arrow => open_arrow(reader, file),
            InputFormat::Parquet => match input.source {
                Source::File(ref path) => open_parquet(File::open(path).map_err(failed)?),
                Source::Stdin => open_parquet(spooled(&mut reader, spool).map_err(failed)?),
            },
        };
        let (schema, rows) = ready.map_err(|e| e.with("input", input.name()))?;
        Ok(Ready { schema, rows, format, is_behind })
    }
}

fn by_ending(input: &Input) -> Option<InputFormat> {
    let Source::File(path) = &input.source else { return None };
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "parquet" => Some(InputFormat::Parquet),
        "csv" => Some(InputFormat::Csv),
        "ndjson" | "jsonl" | "json" => Some(InputFormat::Ndjson),
        "arrow" | "ipc" | "feather" => Some(InputFormat::Arrow),
        _ => None,
    }
}

/// What text may begin with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const PARQUET_HEAD: &[u8] = b"PAR1";
const ARROW_HEAD: &[u8] = b"ARROW1";
/// So much white space is looked through for the first character.
const BLANKS_MAX: usize = 64 << 10;

/// The first bytes, as many as the format is told by: a pipe brings them piece by piece.
fn start_of(reader: &mut dyn BufRead) -> std::io::Result<Vec<u8>> {
    let mut start = Vec::new();
    loop {
        let piece = reader.fill_buf()?;
        let read = piece.len();
        start.extend_from_slice(piece);
        reader.consume(read);
        let is_enough = start.len() >= ARROW_HEAD.len() && first_character(&start).is_some();
        if read == 0 || is_enough || start.len() > BLANKS_MAX {
            return Ok(start);
        }
    }
}

fn first_character(start: &[u8]) -> Option<u8> {
    let text = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start);
    text.iter().copied().find(|b| !b.is_ascii_whitespace())
}

/// The format by the first bytes.
fn sniff(start: &[u8]) -> InputFormat {
    if start.starts_with(PARQUET_HEAD) {
        return InputFormat::Parquet;
    }
    if start.starts_with(ARROW_HEAD) || start.starts_with(&[0xff; 4]) {
        return InputFormat::Arrow;
    }
    match first_character(start) {
        Some(b'{') => InputFormat::Ndjson,
        _ => InputFormat::Csv,
    }
}

/// Standard input as a file without a name, which ends with the process.
fn spooled(reader: &mut dyn Read, at: &Path) -> std::io::Result<File> {
    let mut file = File::options().read(true).write(true).create_new(true).open(at)?;
    std::fs::remove_file(at)?;
    std::io::copy(reader, &mut file)?;
    Ok(file)
}

fn open_arrow(reader: Box<dyn BufRead + Send>, file: Option<File>) -> Result<(SchemaRef, Rows)> {
    let broken = |e: arrow::error::ArrowError| Error::new(Code::INPUT, format!("this is no Arrow data: {e}")).caused_by(e);
    let mut reader = reader;
    let is_file = reader.fill_buf().is_ok_and(|start| start.starts_with(ARROW_HEAD));
    if let (true, Some(file)) = (is_file, file) {
        let batches = FileReader::try_new(BufReader::new(rewound(file)?), None).map_err(broken)?;
        return Ok((batches.schema(), Box::new(batches.map(move |b| b.map_err(broken)))));
    }
    if is_file {
        // The file format is the stream format between a head, which zeros fill up to an alignment, and a footer.
        skip_head(&mut *reader).map_err(|e| broken(e.into()))?;
    }
    let batches = StreamReader::try_new(reader, None).map_err(broken)?;
    Ok((batches.schema(), Box::new(batches.map(move |b| b.map_err(broken)))))
}

fn skip_head(reader: &mut dyn BufRead) -> std::io::Result<()> {
    reader.consume(ARROW_HEAD.len());
    loop {
        let start = reader.fill_buf()?;
        let zeros = start.iter().take_while(|b| **b == 0).count();
        if zeros == 0 {
            return Ok(());
        }
        reader.consume(zeros);
    }
}

fn rewound(mut file: File) -> Result<File> {
    use std::io::Seek;
    file.rewind().map_err(|e| Error::new(Code::INPUT, format!("the input cannot be read: {e}")).caused_by(e))?;
    Ok(file)
}

fn open_parquet(file: File) -> Result<(SchemaRef, Rows)> {
    let broken = |e: parquet::errors::ParquetError| Error::new(Code::INPUT, format!("this is no Parquet data: {e}")).caused_by(e);
    let mut metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(broken)?;
    let hybrid = Hybrid::of(metadata.metadata().file_metadata());
    let int96: Vec<bool> = metadata.parquet_schema().columns().iter().map(|c| c.physical_type() == PhysicalType::INT96).collect();
    if int96.contains(&true) {
        // Nanoseconds do not reach beyond the year 2262. They are instants.
        let micros = ArrowType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let hints: Vec<_> = (0..int96.len()).filter(|leaf| int96[*leaf]).map(|leaf| (leaf, micros.clone())).collect();
        let schema = with_hints(metadata.schema(), &hints);
        metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new().with_schema(schema)).map_err(broken)?;
    }
    let schema = metadata.schema().clone();
    let leaves: Vec<usize> = (0..metadata.parquet_schema().num_columns()).collect();
    let batch_rows = batching::rows(batching::row_bytes(metadata.metadata().row_groups(), &leaves));
    let rows = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata).with_batch_size(batch_rows).build().map_err(broken)?;
    let broken = |e: arrow::error::ArrowError| Error::new(Code::INPUT, format!("the Parquet data is damaged: {e}")).caused_by(e);
    let rows = rows.map(move |batch| match batch {
        Ok(batch) if hybrid.dates || hybrid.int96 => gregorian(&batch, hybrid, &int96).map_err(broken),
        batch => batch.map_err(broken),
    });
    Ok((schema, Box::new(rows)))
}

/// The type that a column of text input gets: the table's when it has the column, else `found`.
fn type_of(table: Option<&Struct>, name: &str, found: DataType) -> DataType {
    match table.and_then(|t| t.field(name)) {
        Some(field) if field.data_type != DataType::Void => field.data_type.clone(),
        _ => found,
    }
}

#[cfg(test)]
#[path = "input_tests.rs"]
mod tests;
