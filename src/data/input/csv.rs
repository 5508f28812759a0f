//! CSV after RFC 4180 with a header line: a field that is empty and not quoted is NULL, `""` is empty text. Kind: edge. Spec: INP.

use super::infer::Seen;
use super::{BATCH_ROWS, BYTE_ORDER_MARK, Rows, text, type_of};
use crate::error::{Code, Error, Result};
use crate::schema::{DataType, Field, Struct};
use arrow::array::{ArrayRef, RecordBatch, StringBuilder};
use arrow::datatypes::SchemaRef;
use std::io::BufRead;
use std::sync::Arc;

/// How much is looked at to find types.
const LOOK_BYTES: usize = 16 << 20;
const LOOK_RECORDS: usize = 100_000;
/// The longest record that is read.
const RECORD_BYTES_MAX: usize = 64 << 20;
/// A batch ends early when it holds this many bytes of text.
const BATCH_BYTES: usize = 8 << 20;

/// Also whether rows were read over: of what can be read again (`all`) every row is looked at where a column's type is open.
pub(super) fn open(reader: Box<dyn BufRead + Send>, table: Option<&Struct>, all: bool) -> Result<(SchemaRef, Rows, bool)> {
    let mut records = Records { reader, line: 1, buffer: Vec::new() };
    let Some(header) = records.next()? else {
        return Err(Error::new(Code::INPUT, "the CSV input is empty").help("its first line must name the columns"));
    };
    let names: Vec<String> = header.fields().map(|(name, _)| name.trim().to_owned()).collect();
    for (i, name) in names.iter().enumerate() {
        if name.is_empty() || names[..i].iter().any(|n| n.to_lowercase() == name.to_lowercase()) {
            return Err(Error::new(Code::INPUT, "the header line must give every column its own name")
                .with("name", name)
                .with("column", i + 1));
        }
    }
    let mut looked = Vec::new();
    let mut types = vec![Seen::Nothing; names.len()];
    let mut bytes = 0;
    let mut is_behind = false;
    let is_open = |name: &String| table.and_then(|t| t.field(name)).is_none_or(|field| field.data_type == DataType::Void);
    let open: Vec<bool> = names.iter().map(|name| all && is_open(name)).collect();
    loop {
        let is_held = !is_behind && bytes < LOOK_BYTES && looked.len() < LOOK_RECORDS;
        if !is_held && types.iter().zip(&open).all(|(seen, open)| !open || *seen == Seen::Text) {
            break;
        }
        let Some(record) = records.next_of(names.len())? else { break };
        for ((value, quoted), t) in record.fields().zip(&mut types) {
            if (quoted || !value.is_empty()) && *t != Seen::Text {
                *t = t.and(Seen::of(value));
            }
        }
        if is_held {
            bytes += record.text.len() + 64;
            looked.push(record);
        } else {
            // What is read again need not be held.
            is_behind = true;
            looked = Vec::new();
        }
    }
    let fields = names.iter().zip(types).map(|(name, seen)| Field::new(name, type_of(table, name, seen.data_type()), true));
    let columns = Struct { fields: fields.collect() };
    let schema: SchemaRef = Arc::new(columns.to_arrow()?);
    let rows = Batches { looked: looked.into_iter(), records, columns, schema: schema.clone(), ended: false };
    Ok((schema, Box::new(rows), is_behind))
}

/// One record: its fields one after another.
struct Record {
    text: String,
    /// Where each field ends, and whether it was quoted.
    ends: Vec<(usize, bool)>,
    line: u64,
}

impl Record {
    fn fields(&self) -> impl Iterator<Item = (&str, bool)> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(end, _)| *end));
        starts.zip(&self.ends).map(|(start, (end, quoted))| (&self.text[start..*end], *quoted))
    }
}

struct Records {
    reader: Box<dyn BufRead + Send>,
    /// The line that comes next.
    line: u64,
    buffer: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    FieldStart,
    Plain,
    Quoted,
    /// Behind a quote inside a quoted field: its end, or the first of a doubled one.
    Quote,
}

impl Records {
    /// The next record that has `columns` fields; blank lines are passed over unless a record has only one field.
    fn next_of(&mut self, columns: usize) -> Result<Option<Record>> {
        loop {
            let Some(record) = self.next()? else { return Ok(None) };
            if record.ends.len() == columns {
                return Ok(Some(record));
            }
            if record.ends == [(0, false)] {
                continue;
            }
            return Err(Error::new(Code::INPUT, format!("a record has {} fields, the header has {columns}", record.ends.len()))
                .with("line", record.line)
                .help("quote fields that hold commas, quotes or line breaks"));
        }
    }
    fn next(&mut self) -> Result<Option<Record>> {
        let first_line = self.line;
        let mut out: Vec<u8> = Vec::new();
        let mut ends = Vec::new();
        let (mut place, mut quoted) = (Place::FieldStart, false);
        loop {
            self.buffer.clear();
            let mut limited = std::io::Read::take(&mut self.reader, (RECORD_BYTES_MAX + 1) as u64);
            let read = limited.read_until(b'\n', &mut self.buffer).map_err(|e| failed(e, self.line))?;
            if read + out.len() > RECORD_BYTES_MAX {
                return Err(
                    Error::new(Code::LIMIT, format!("a record is longer than {} MiB", RECORD_BYTES_MAX >> 20)).with("line", first_line)
                );
            }
            if read == 0 {
                return match place {
                    Place::Quoted => Err(Error::new(Code::INPUT, "a quoted field does not end").with("line", first_line)),
                    Place::FieldStart if ends.is_empty() => Ok(None),
                    _ => self.record(out, ends, quoted, first_line),
                };
            }
            let at_end = self.buffer.ends_with(b"\n");
            self.line += u64::from(at_end);
            let content = match (first_line, self.buffer.as_slice()) {
                (1, all) if out.is_empty() && ends.is_empty() => all.strip_prefix(BYTE_ORDER_MARK).unwrap_or(all),
                (_, all) => all,
            };
            for (i, byte) in content.iter().copied().enumerate() {
                let line_end = byte == b'\n' || byte == b'\r' && content[i + 1..] == *b"\n";
                match (place, byte) {
                    (Place::Quoted, b'"') => place = Place::Quote,
                    (Place::Quoted, b) => out.push(b),
                    (Place::Quote, b'"') => {
                        out.push(b'"');
                        place = Place::Quoted;
                    }
                    (_, b',') => {
                        ends.push((out.len(), quoted));
                        (place, quoted) = (Place::FieldStart, false);
                    }
                    (_, _) if line_end => {}
                    (Place::Quote, _) => {
                        return Err(Error::new(Code::INPUT, "text follows the closing quote of a field")
                            .with("line", first_line)
                            .help("double a quote that belongs to the field"));
                    }
                    (Place::FieldStart, b'"') => (place, quoted) = (Place::Quoted, true),
                    (_, b) => {
                        out.push(b);
                        place = Place::Plain;
                    }
                }
            }
            if at_end && place != Place::Quoted {
                return self.record(out, ends, quoted, first_line);
            }
        }
    }
    fn record(&self, out: Vec<u8>, mut ends: Vec<(usize, bool)>, quoted: bool, line: u64) -> Result<Option<Record>> {
        ends.push((out.len(), quoted));
        let text = String::from_utf8(out).map_err(|e| Error::new(Code::INPUT, "the text is not UTF-8").with("line", line).caused_by(e))?;
        Ok(Some(Record { text, ends, line }))
    }
}

fn failed(e: std::io::Error, line: u64) -> Error {
    Error::new(Code::INPUT, format!("the input cannot be read: {e}")).with("line", line).caused_by(e)
}

struct Batches {
    looked: std::vec::IntoIter<Record>,
    records: Records,
    columns: Struct,
    schema: SchemaRef,
    ended: bool,
}

impl Batches {
    fn record(&mut self) -> Result<Option<Record>> {
        match self.looked.next() {
            Some(record) => Ok(Some(record)),
            None => self.records.next_of(self.columns.fields.len()),
        }
    }
    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        let mut builders: Vec<StringBuilder> = self.columns.fields.iter().map(|_| StringBuilder::new()).collect();
        let mut lines = Vec::new();
        let mut bytes = 0;
        while lines.len() < BATCH_ROWS && bytes < BATCH_BYTES {
            let Some(record) = self.record()? else { break };
            for ((value, quoted), builder) in record.fields().zip(&mut builders) {
                builder.append_option((quoted || !value.is_empty()).then_some(value));
            }
            bytes += record.text.len();
            lines.push(record.line);
        }
        if lines.is_empty() {
            return Ok(None);
        }
        let columns: Result<Vec<ArrayRef>> = builders
            .into_iter()
            .zip(&self.columns.fields)
            .map(|(mut b, f)| text::parse(&(Arc::new(b.finish()) as ArrayRef), &f.name, &f.data_type, &|row| lines[row]))
            .collect();
        Ok(Some(RecordBatch::try_new(self.schema.clone(), columns?)?))
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;
    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let batch = self.batch();
        self.ended = !matches!(batch, Ok(Some(_)));
        batch.transpose()
    }
}
