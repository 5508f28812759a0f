//! Batches -> Parquet, Arrow, CSV and NDJSON; variants as JSON text. Kind: edge. Spec: DAT, VAR.
//!
//! Invariant: what text cannot say is not dropped: NaN and infinities are written as text, null and empty text differ in CSV.

use super::variant;
use crate::error::{Code, Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType as ArrowType, Field as ArrowField, FieldRef, Float32Type, Float64Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;
use arrow::json::writer::{NullableEncoder, make_encoder};
use arrow::json::{Encoder, EncoderFactory, EncoderOptions, LineDelimitedWriter, WriterBuilder};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use std::io::Write;
use std::sync::Arc;

/// How rows are written outside a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowFormat {
    Parquet,
    Arrow,
    Csv,
    Ndjson,
}

impl RowFormat {
    /// By the ending of a file's name. `LB-INPUT` names the endings that are known.
    pub fn of_path(path: &str) -> Result<RowFormat> {
        match path.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).as_deref() {
            Some("parquet") => Ok(RowFormat::Parquet),
            Some("arrow") => Ok(RowFormat::Arrow),
            Some("csv") => Ok(RowFormat::Csv),
            Some("ndjson" | "jsonl") => Ok(RowFormat::Ndjson),
            _ => Err(Error::new(Code::INPUT, format!("`{path}` says no format")).help("end its name in .parquet, .arrow, .csv or .ndjson")),
        }
    }
}

/// Writes batches of one schema to a file or pipe. Memory: one row group of Parquet, else one batch.
pub struct RowWriter<W: Write + Send> {
    inner: Inner<W>,
}

enum Inner<W: Write + Send> {
    Parquet(Box<ArrowWriter<W>>),
    Arrow(Box<FileWriter<W>>),
    Csv(W),
    Ndjson(LineDelimitedWriter<W>),
}

impl<W: Write + Send> RowWriter<W> {
    /// Starts; CSV gets its header line. `LB-OUTPUT` when the target cannot be written.
    pub fn new(format: RowFormat, schema: &SchemaRef, mut target: W) -> Result<Self> {
        let inner = match format {
            RowFormat::Parquet => {
                let properties = WriterProperties::builder().set_compression(Compression::ZSTD(Default::default())).build();
                let writer = ArrowWriter::try_new(target, Arc::clone(schema), Some(properties));
                Inner::Parquet(Box::new(writer.map_err(|e| unwritten(&e))?))
            }
            RowFormat::Arrow => Inner::Arrow(Box::new(FileWriter::try_new(target, schema).map_err(|e| unwritten(&e))?)),
            RowFormat::Csv => {
                let names = schema.fields().iter().map(|f| Some(f.name().as_str()));
                write_record(&mut target, names).map_err(|e| unwritten(&e))?;
                Inner::Csv(target)
            }
            RowFormat::Ndjson => {
                let builder =
                    WriterBuilder::new().with_explicit_nulls(true).with_encoder_factory(Arc::new(Encoders { raw_variants: false }));
                Inner::Ndjson(builder.build(target))
            }
        };
        Ok(RowWriter { inner })
    }
    /// Writes a batch.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        match &mut self.inner {
            Inner::Parquet(writer) => writer.write(batch).map_err(|e| unwritten(&e)),
            Inner::Arrow(writer) => writer.write(batch).map_err(|e| unwritten(&e)),
            Inner::Csv(target) => write_csv(target, batch),
            Inner::Ndjson(writer) => writer.write(batch).map_err(|e| unwritten(&e)),
        }
    }
    /// Writes what is left and gives the target back.
    pub fn finish(self) -> Result<W> {
        match self.inner {
            Inner::Parquet(writer) => writer.into_inner().map_err(|e| unwritten(&e)),
            Inner::Arrow(mut writer) => {
                writer.finish().map_err(|e| unwritten(&e))?;
                writer.into_inner().map_err(|e| unwritten(&e))
            }
            Inner::Csv(mut target) => target.flush().map(|()| target).map_err(|e| unwritten(&e)),
            Inner::Ndjson(mut writer) => {
                writer.finish().map_err(|e| unwritten(&e))?;
                let mut target = writer.into_inner();
                target.flush().map(|()| target).map_err(|e| unwritten(&e))
            }
        }
    }
}

fn unwritten(e: &dyn std::error::Error) -> Error {
    Error::new(Code::OUTPUT, format!("rows cannot be written: {e}"))
}

/// The same rows with every column that holds a variant, at whatever depth, as JSON text, as Spark's `to_json` writes it.
pub fn variants_as_text(batch: &RecordBatch) -> Result<RecordBatch> {
    let schema = batch.schema();
    if !schema.fields().iter().any(|f| holds_variant(f.data_type())) {
        return Ok(batch.clone());
    }
    let mut fields = Vec::with_capacity(schema.fields().len());
    let mut columns = Vec::with_capacity(schema.fields().len());
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        if holds_variant(field.data_type()) {
            fields.push(Arc::new(ArrowField::new(field.name(), ArrowType::Utf8, true)));
            columns.push(as_json(field, column)?);
        } else {
            fields.push(Arc::clone(field));
            columns.push(Arc::clone(column));
        }
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// Fields of a table's structs may be null in what a scan gives, so two required binaries of these names are a variant.
fn is_variant(arrow: &ArrowType) -> bool {
    let ArrowType::Struct(fields) = arrow else { return false };
    let piece = |field: &FieldRef, name| field.name() == name && *field.data_type() == ArrowType::Binary && !field.is_nullable();
    matches!(fields.as_ref(), [a, b] if piece(a, "metadata") && piece(b, "value"))
}

fn holds_variant(arrow: &ArrowType) -> bool {
    match arrow {
        ArrowType::Struct(fields) => is_variant(arrow) || fields.iter().any(|f| holds_variant(f.data_type())),
        ArrowType::List(inner) | ArrowType::Map(inner, _) => holds_variant(inner.data_type()),
        _ => false,
    }
}

/// One JSON text a row; fields that are null are left out of objects, map entries are not.
fn as_json(field: &FieldRef, column: &ArrayRef) -> Result<ArrayRef> {
    let options = EncoderOptions::default().with_encoder_factory(Arc::new(Encoders { raw_variants: true }));
    let mut encoder = make_encoder(field, column, &options)?;
    let mut texts = Vec::with_capacity(column.len());
    for row in 0..column.len() {
        if encoder.is_null(row) {
            texts.push(None);
            continue;
        }
        let mut text = Vec::new();
        encoder.encode(row, &mut text);
        texts.push(Some(String::from_utf8(text).map_err(|e| unwritten(&e))?));
    }
    Ok(Arc::new(StringArray::from(texts)))
}

/// What Arrow's JSON lacks: variants, NaN and infinities, maps with keys of any type.
#[derive(Debug)]
struct Encoders {
    /// Variants become part of the JSON, instead of a string that holds their text.
    raw_variants: bool,
}

impl EncoderFactory for Encoders {
    fn make_default_encoder<'a>(
        &self,
        _field: &'a FieldRef,
        array: &'a dyn Array,
        options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let encoder: Box<dyn Encoder + 'a> = match array.data_type() {
            variant if is_variant(variant) => {
                let texts = variant_texts(array.as_struct()).map_err(|e| ArrowError::ExternalError(Box::new(e)))?;
                if self.raw_variants { Box::new(RawText(texts)) } else { Box::new(QuotedText(texts)) }
            }
            ArrowType::Float32 => Box::new(RawText(float_texts(array.as_primitive::<Float32Type>(), f64::from))),
            ArrowType::Float64 => Box::new(RawText(float_texts(array.as_primitive::<Float64Type>(), |v| v))),
            ArrowType::Map(entries, _) => {
                let ArrowType::Struct(pair) = entries.data_type() else { return Ok(None) };
                let map = array.as_map();
                let keys = key_texts(map.keys())?;
                let values = make_encoder(&pair[1], map.values(), options)?;
                Box::new(MapText { offsets: map.value_offsets(), keys, values })
            }
            _ => return Ok(None),
        };
        Ok(Some(NullableEncoder::new(encoder, array.nulls().cloned())))
    }
}

fn variant_texts(array: &StructArray) -> Result<Vec<String>> {
    let array: ArrayRef = Arc::new(array.clone());
    (0..array.len()).map(|row| Ok(variant::json_text(&array, row)?.unwrap_or_default())).collect()
}

fn float_texts<T: arrow::datatypes::ArrowPrimitiveType>(array: &arrow::array::PrimitiveArray<T>, wide: fn(T::Native) -> f64) -> Vec<String>
where
    T::Native: std::fmt::Debug,
{
    let one = |value: T::Native| match wide(value) {
        v if v.is_nan() => "\"NaN\"".to_owned(),
        v if v.is_infinite() => if v > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" }.to_owned(),
        // The shortest text that gives the same bits back.
        _ => format!("{value:?}"),
    };
    array.values().iter().map(|v| one(*v)).collect()
}

fn key_texts(keys: &ArrayRef) -> Result<Vec<String>, ArrowError> {
    let options = FormatOptions::new();
    let formatter = ArrayFormatter::try_new(keys, &options)?;
    (0..keys.len()).map(|row| formatter.value(row).try_to_string()).collect()
}

struct RawText(Vec<String>);
impl Encoder for RawText {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0[row].as_bytes());
    }
}

struct QuotedText(Vec<String>);
impl Encoder for QuotedText {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        quote(&self.0[row], out);
    }
}

struct MapText<'a> {
    offsets: &'a [i32],
    keys: Vec<String>,
    values: NullableEncoder<'a>,
}
impl Encoder for MapText<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let (start, end) = (self.offsets[row] as usize, self.offsets[row + 1] as usize);
        out.push(b'{');
        for entry in start..end {
            if entry > start {
                out.push(b',');
            }
            quote(&self.keys[entry], out);
            out.push(b':');
            if self.values.is_null(entry) {
                out.extend_from_slice(b"null");
            } else {
                self.values.encode(entry, out);
            }
        }
        out.push(b'}');
    }
}

fn quote(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
}

/// The columns of a batch as text: nested values and variants as JSON, null as null. Spec: DAT.
pub fn columns_as_text(batch: &RecordBatch) -> Result<Vec<StringArray>> {
    let options = FormatOptions::new();
    let schema = batch.schema();
    let text = |(field, column): (&FieldRef, &ArrayRef)| {
        let flat = match column.data_type() {
            ArrowType::Struct(_) | ArrowType::List(_) | ArrowType::Map(..) => as_json(field, column)?,
            ArrowType::Null => cast(column, &ArrowType::Utf8)?,
            _ => Arc::clone(column),
        };
        if let Some(texts) = flat.as_string_opt() {
            return Ok(texts.clone());
        }
        let formatter = ArrayFormatter::try_new(&flat, &options)?;
        let values = (0..flat.len()).map(|row| flat.is_valid(row).then(|| formatter.value(row).try_to_string()).transpose());
        Ok(values.collect::<Result<StringArray, _>>()?)
    };
    schema.fields().iter().zip(batch.columns()).map(text).collect()
}

fn write_csv(target: &mut impl Write, batch: &RecordBatch) -> Result<()> {
    let columns = columns_as_text(batch)?;
    for row in 0..batch.num_rows() {
        write_record(target, columns.iter().map(|c| c.is_valid(row).then(|| c.value(row)))).map_err(|e| unwritten(&e))?;
    }
    Ok(())
}

/// One record of RFC 4180; null is an empty field, empty text a quoted one.
fn write_record<'a>(target: &mut impl Write, fields: impl Iterator<Item = Option<&'a str>>) -> std::io::Result<()> {
    for (i, field) in fields.enumerate() {
        if i > 0 {
            target.write_all(b",")?;
        }
        match field {
            None => {}
            Some(text) if text.is_empty() || text.contains([',', '"', '\n', '\r']) || text.trim() != text => {
                write!(target, "\"{}\"", text.replace('"', "\"\""))?;
            }
            Some(text) => target.write_all(text.as_bytes())?,
        }
    }
    target.write_all(b"\n")
}

#[cfg(test)]
#[path = "output_tests.rs"]
mod tests;
