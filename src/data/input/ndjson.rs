//! One JSON object a line. Kind: edge. Spec: INP.
//!
//! Numbers, dates and times are taken from the decoder as text, at any depth, and parsed here, so that no digit is lost unseen; a
//! field that the schema lacks is an error, never dropped.

use super::infer::Seen;
use super::{BATCH_ROWS, BYTE_ORDER_MARK, Rows, text, type_of};
use crate::error::{Code, Error, Result};
use crate::schema::{DataType, Field, Struct};
use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType as ArrowType, Field as ArrowField, Schema, SchemaRef};
use arrow::json::ReaderBuilder;
use arrow::json::reader::{Decoder, infer_json_schema};
use std::collections::{HashMap, HashSet};
use std::io::{BufRead, Read};
use std::sync::Arc;

const LOOK_BYTES: usize = 16 << 20;
const LINE_BYTES_MAX: u64 = 64 << 20;
const CHUNK_BYTES: usize = 4 << 20;

pub(super) fn open(mut reader: Box<dyn BufRead + Send>, table: Option<&Struct>) -> Result<(SchemaRef, Rows)> {
    let looked = Chunk::read(&mut reader, 1, usize::MAX, LOOK_BYTES)?;
    let (found, _) = infer_json_schema(looked.bytes.as_slice(), None)
        .map_err(|e| looked.culprit(&e, &|line| infer_json_schema(line, None).map(|_| ())))?;
    // A column of the table that no line names is left out: it gets its default, or keeps its value where rows are merged.
    let mut columns: Vec<Field> = match table {
        Some(table) => table.fields.iter().filter(|f| f.data_type != DataType::Void).cloned().collect(),
        None => Vec::new(),
    };
    let mut named = HashSet::new();
    let suggested = suggest(&found, &looked)?;
    for field in &suggested.fields {
        named.insert(field.name.to_lowercase());
        // The decoder matches names exactly: the table's column gets the spelling of the input.
        match columns.iter_mut().find(|c| c.name.to_lowercase() == field.name.to_lowercase()) {
            Some(column) => column.name = field.name.clone(),
            None => columns.push(Field::new(&field.name, type_of(table, &field.name, field.data_type.clone()), true)),
        }
    }
    columns.retain(|column| named.contains(&column.name.to_lowercase()));
    for column in &mut columns {
        column.nullable = true;
        column.data_type = crate::schema::evolve::nullable_within(&column.data_type);
    }
    let columns = Struct { fields: columns };
    check_names(&suggested, &columns, "")?;
    let schema: SchemaRef = Arc::new(columns.to_arrow()?);
    let rows = Batches {
        next_line: looked.next_line(),
        looked: Some(looked),
        reader,
        decoded: as_text(&Schema::new(columns.fields.iter().map(plain).collect::<Result<Vec<_>>>()?)),
        columns,
        schema: schema.clone(),
        ready: Vec::new().into_iter(),
        ended: false,
    };
    Ok((schema, Box::new(rows)))
}

/// Refuses names that differ in case only, wherever they are names of fields, which are found in any case: not keys of a map.
fn check_names(found: &Struct, columns: &Struct, path: &str) -> Result<()> {
    let mut seen: HashMap<String, &str> = HashMap::new();
    for field in &found.fields {
        if let Some(other) = seen.insert(field.name.to_lowercase(), &field.name) {
            return Err(Error::new(Code::INPUT, format!("two fields have one name: `{path}{other}` and `{path}{}`", field.name))
                .help("names count in any case; rename one of the fields"));
        }
        let column = columns.fields.iter().find(|column| column.name.eq_ignore_ascii_case(&field.name));
        if let (DataType::Struct(found), Some(DataType::Struct(fields))) =
            (innermost(&field.data_type), column.map(|c| innermost(&c.data_type)))
        {
            check_names(found, fields, &format!("{path}{}.", field.name))?;
        }
    }
    Ok(())
}

/// What arrays of arrays hold.
fn innermost(mut data_type: &DataType) -> &DataType {
    while let DataType::Array { element, .. } = data_type {
        data_type = element;
    }
    data_type
}

/// The field in Arrow, with text where it has variants: they come as JSON text.
fn plain(field: &Field) -> Result<ArrowField> {
    fn of(data_type: &DataType) -> DataType {
        match data_type {
            DataType::Variant => DataType::String,
            DataType::Struct(s) => {
                DataType::Struct(Struct { fields: s.fields.iter().map(|f| Field { data_type: of(&f.data_type), ..f.clone() }).collect() })
            }
            DataType::Array { element, contains_null } => DataType::Array { element: Box::new(of(element)), contains_null: *contains_null },
            DataType::Map { key, value, value_contains_null } => {
                DataType::Map { key: key.clone(), value: Box::new(of(value)), value_contains_null: *value_contains_null }
            }
            other => other.clone(),
        }
    }
    Field { data_type: of(&field.data_type), ..field.clone() }.to_arrow()
}

/// What the decoder reads for these columns: it would round numbers that do not fit, so every leaf that is parsed here comes as text.
fn as_text(schema: &Schema) -> SchemaRef {
    fn field(f: &ArrowField) -> ArrowField {
        f.clone().with_data_type(match f.data_type() {
            ArrowType::Struct(fields) => ArrowType::Struct(fields.iter().map(|f| Arc::new(field(f))).collect()),
            ArrowType::List(element) => ArrowType::List(Arc::new(field(element))),
            ArrowType::Map(entries, sorted) => ArrowType::Map(Arc::new(field(entries)), *sorted),
            kept @ (ArrowType::Boolean | ArrowType::Binary) => kept.clone(),
            _ => ArrowType::Utf8,
        })
    }
    Arc::new(Schema::new(schema.fields().iter().map(|f| field(f)).collect::<Vec<_>>()))
}

fn decoder(schema: &SchemaRef) -> Result<Decoder> {
    let builder = ReaderBuilder::new(schema.clone()).with_batch_size(BATCH_ROWS).with_coerce_primitive(true).with_strict_mode(true);
    Ok(builder.build_decoder()?)
}

/// The columns of a new table: their shape as Arrow finds it, their leaves as the text of all values suggests.
fn suggest(found: &Schema, looked: &Chunk) -> Result<Struct> {
    let plain = as_text(found);
    let rows = concat_batches(&plain, &looked.decode(&plain)?)?;
    let fields = found.fields().iter().zip(rows.columns());
    Ok(Struct {
        fields: fields.map(|(f, column)| Ok(Field::new(f.name(), suggested(f.data_type(), column)?, true))).collect::<Result<_>>()?,
    })
}

fn suggested(found: &ArrowType, values: &ArrayRef) -> Result<DataType> {
    Ok(match (found, values.data_type()) {
        (ArrowType::Struct(fields), ArrowType::Struct(_)) => {
            let fields = fields.iter().zip(values.as_struct().columns());
            let fields = fields.map(|(f, column)| Ok(Field::new(f.name(), suggested(f.data_type(), column)?, true)));
            DataType::Struct(Struct { fields: fields.collect::<Result<_>>()? })
        }
        (ArrowType::List(element), ArrowType::List(_)) => {
            let element = suggested(element.data_type(), values.as_list::<i32>().values())?;
            DataType::Array { element: Box::new(element), contains_null: true }
        }
        (ArrowType::Boolean, _) => DataType::Boolean,
        (_, ArrowType::Utf8) => {
            let is_number = matches!(found, ArrowType::Int64 | ArrowType::Float64);
            let seen = values.as_string::<i32>().iter().flatten().map(|value| match Seen::of(value) {
                seen if is_number => seen,
                time @ (Seen::Day | Seen::Instant) => time,
                // Text in quotes is text, also when it could be a number.
                _ => Seen::Text,
            });
            seen.fold(Seen::Nothing, Seen::and).data_type()
        }
        (other, _) => return Err(Error::new(Code::INTERNAL, format!("{other} was found in JSON"))),
    })
}

/// Some whole lines.
struct Chunk {
    bytes: Vec<u8>,
    /// Where each line that is not blank ends, and its number.
    lines: Vec<(usize, u64)>,
    after: u64,
}

impl Chunk {
    fn read(reader: &mut dyn BufRead, first_line: u64, lines_max: usize, bytes_max: usize) -> Result<Chunk> {
        let mut chunk = Chunk { bytes: Vec::new(), lines: Vec::new(), after: first_line };
        while chunk.lines.len() < lines_max && chunk.bytes.len() < bytes_max {
            let start = chunk.bytes.len();
            let mut limited = reader.take(LINE_BYTES_MAX + 1);
            let read = limited
                .read_until(b'\n', &mut chunk.bytes)
                .map_err(|e| Error::new(Code::INPUT, format!("the input cannot be read: {e}")).with("line", chunk.after).caused_by(e))?;
            if read == 0 {
                break;
            }
            if read as u64 > LINE_BYTES_MAX {
                return Err(
                    Error::new(Code::LIMIT, format!("a line is longer than {} MiB", LINE_BYTES_MAX >> 20)).with("line", chunk.after)
                );
            }
            if chunk.after == 1 && chunk.bytes.starts_with(BYTE_ORDER_MARK) {
                chunk.bytes.drain(..BYTE_ORDER_MARK.len());
            }
            if chunk.bytes[start..].iter().all(u8::is_ascii_whitespace) {
                chunk.bytes.truncate(start);
            } else {
                chunk.lines.push((chunk.bytes.len(), chunk.after));
            }
            chunk.after += 1;
        }
        Ok(chunk)
    }
    fn next_line(&self) -> u64 {
        self.after
    }
    fn decode(&self, schema: &SchemaRef) -> Result<Vec<RecordBatch>> {
        let run = |bytes: &[u8]| -> std::result::Result<Vec<RecordBatch>, arrow::error::ArrowError> {
            let mut decoder = decoder(schema).map_err(|e| arrow::error::ArrowError::JsonError(e.to_string()))?;
            let (mut at, mut out) = (0, Vec::new());
            loop {
                let read = decoder.decode(&bytes[at..])?;
                at += read;
                match decoder.flush()? {
                    Some(batch) => out.push(batch),
                    None if at >= bytes.len() || read == 0 => return Ok(out),
                    None => {}
                }
            }
        };
        run(&self.bytes).map_err(|e| self.culprit(&e, &|line| run(line).map(|_| ())))
    }
    /// The first line that fails alone, as an error.
    fn culprit(&self, e: &arrow::error::ArrowError, attempt: &dyn Fn(&[u8]) -> std::result::Result<(), arrow::error::ArrowError>) -> Error {
        let mut start = 0;
        for (end, line) in &self.lines {
            if let Err(e) = attempt(&self.bytes[start..*end]) {
                return Error::new(Code::INPUT, format!("a line is not the JSON object that the columns need: {e}"))
                    .with("line", line)
                    .help("every line must be one object; a field that only lines behind the first 16 MiB have must be named in one of the first, as null if need be");
            }
            start = *end;
        }
        let first = self.lines.first().map_or(0, |(_, line)| *line);
        Error::new(Code::INPUT, format!("lines are not the JSON objects that the columns need: {e}")).with("line", first)
    }
    /// The number of the line that a row stands on.
    fn line_of(&self, row: usize) -> u64 {
        self.lines.get(row).map_or(0, |(_, line)| *line)
    }
}

struct Batches {
    looked: Option<Chunk>,
    reader: Box<dyn BufRead + Send>,
    next_line: u64,
    decoded: SchemaRef,
    columns: Struct,
    schema: SchemaRef,
    ready: std::vec::IntoIter<RecordBatch>,
    ended: bool,
}

impl Batches {
    fn fill(&mut self) -> Result<bool> {
        let chunk = match self.looked.take() {
            Some(chunk) => chunk,
            None => Chunk::read(&mut self.reader, self.next_line, BATCH_ROWS, CHUNK_BYTES)?,
        };
        self.next_line = chunk.next_line();
        if chunk.lines.is_empty() {
            return Ok(false);
        }
        let mut first = 0;
        let mut ready = Vec::new();
        for batch in chunk.decode(&self.decoded)? {
            let columns: Result<Vec<ArrayRef>> = batch
                .columns()
                .iter()
                .zip(&self.columns.fields)
                .map(|(column, field)| text::parse(column, &field.name, &field.data_type, &|row| chunk.line_of(first + row)))
                .collect();
            ready.push(RecordBatch::try_new(self.schema.clone(), columns?)?);
            first += batch.num_rows();
        }
        self.ready = ready.into_iter();
        Ok(true)
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(batch) = self.ready.next() {
                return Some(Ok(batch));
            }
            if self.ended {
                return None;
            }
            match self.fill() {
                Ok(true) => {}
                Ok(false) => self.ended = true,
                Err(e) => {
                    self.ended = true;
                    return Some(Err(e));
                }
            }
        }
    }
}
