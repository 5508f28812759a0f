//! Results on standard output: tables for people, JSON, NDJSON and CSV for programs. Kind: edge.
//!
//! Invariant: results go to stdout and nothing else does; memory is bounded by one chunk of rows.

use crate::args::Format;
use crate::failure::{Result, printable};
use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use comfy_table::{ContentArrangement, Table, presets};
use lakebed::{Plan, Prices, Report, RowFormat, RowWriter, columns_as_text};
use serde_json::{Map, Value, json};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Rows of one printed table; more of them become further tables.
const TABLE_ROWS: usize = 1_000;
/// Width of one cell anywhere, at most.
const CELL_WIDTH: usize = 500;
/// Widths of one column on a terminal, at most, and what makes a cut one worth showing; letters of East Asia are two wide.
const CUT_WIDTH: usize = 40;
const LEAST_WIDTH: usize = 12;
/// Width that a column needs besides its cells.
const COLUMN_FRAME: usize = 3;
/// A terminal that is narrower than this does not know its width.
const WIDTH_LEAST: usize = 20;
const BUFFER_BYTES: usize = 64 << 10;

static PIPE_IS_BROKEN: AtomicBool = AtomicBool::new(false);

/// Whether the reader of standard output has gone.
pub fn pipe_is_broken() -> bool {
    PIPE_IS_BROKEN.load(Ordering::Relaxed)
}

/// Standard output, which notes when nobody reads it any more.
pub struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        noted(io::stdout().write(bytes))
    }
    fn flush(&mut self) -> io::Result<()> {
        noted(io::stdout().flush())
    }
}

fn noted<T>(written: io::Result<T>) -> io::Result<T> {
    if written.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::BrokenPipe) {
        PIPE_IS_BROKEN.store(true, Ordering::Relaxed);
    }
    written
}

type Sink = BufWriter<Stdout>;

fn sink() -> Sink {
    BufWriter::with_capacity(BUFFER_BYTES, Stdout)
}

/// Prints text as it is.
pub fn print(text: &str) -> Result<()> {
    let mut out = sink();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Warnings, as plain text under every format.
pub fn warn(warnings: &[String]) {
    for warning in warnings {
        let _ = writeln!(io::stderr(), "warning: {}", printable(warning));
    }
}

/// What results look like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Table,
    Json,
    Ndjson,
    Csv,
}

#[derive(Clone, Copy)]
pub struct Output {
    style: Style,
}

impl Output {
    pub fn new(format: Format) -> Output {
        let style = match format {
            Format::Auto if io::stdout().is_terminal() => Style::Table,
            Format::Auto | Format::Ndjson => Style::Ndjson,
            Format::Table => Style::Table,
            Format::Json => Style::Json,
            Format::Csv => Style::Csv,
        };
        Output { style }
    }
    /// Whether a person reads along.
    pub fn is_table(self) -> bool {
        self.style == Style::Table
    }
    /// One object.
    pub fn object(self, object: Map<String, Value>) -> Result<()> {
        match self.style {
            Style::Table => {
                let mut out = sink();
                write_pairs(&mut out, &object)?;
                Ok(out.flush()?)
            }
            Style::Json | Style::Ndjson => print(&format!("{}\n", Value::Object(object))),
            Style::Csv => {
                let keys: Vec<&str> = object.keys().map(String::as_str).collect();
                let mut records = self.records(&keys, &[]);
                records.push(&object)?;
                records.finish()
            }
        }
    }
    /// What a commit did.
    pub fn report(self, report: Report) -> Result<()> {
        self.report_with(report, None)
    }
    /// The same, and what was planned and what was done cost.
    pub fn report_with(self, report: Report, prices: Option<&Prices>) -> Result<()> {
        warn(&report.warnings);
        let plans = [("planned", &report.planned), ("actual", &report.actual)];
        let plans: Vec<_> = plans.iter().filter_map(|(key, plan)| Some((*key, priced(plan.as_ref()?, prices)))).collect();
        let details = report.details;
        let mut report = into_map(json!({
            "version": report.version.map(|v| v.0),
            "operation": report.operation,
            "attempts": report.attempts,
            "duration_ms": report.duration_ms,
            "metrics": report.metrics,
            "warnings": report.warnings,
        }));
        report.extend(details);
        report.extend(plans.into_iter().map(|(key, plan)| (key.to_owned(), plan.into())));
        self.object(report)
    }
    /// What an operation would do, and what that costs.
    pub fn plan(self, plan: &Plan, prices: Option<&Prices>) -> Result<()> {
        self.plan_with(plan, prices, [])
    }
    /// The same with what only this operation tells.
    pub fn plan_with<const N: usize>(self, plan: &Plan, prices: Option<&Prices>, more: [(&str, Value); N]) -> Result<()> {
        let mut shown = priced(plan, prices);
        shown.extend(more.map(|(key, value)| (key.to_owned(), value)));
        self.object(shown)
    }
    /// A stream of objects with these keys; a table shows those of `shown`, or all when it is empty.
    pub fn records(self, keys: &[&str], shown: &[&str]) -> Records {
        let own = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<String>>();
        let keys = if self.is_table() && !shown.is_empty() { own(shown) } else { own(keys) };
        Records { style: self.style, keys, wrapper: None, out: sink(), held: Vec::new(), csv: None, pushed: 0 }
    }
    /// A stream of rows.
    pub fn rows(self, schema: &SchemaRef) -> Result<Rows> {
        let kind = match self.style {
            Style::Table => {
                Kind::Table { names: schema.fields().iter().map(|f| f.name().clone()).collect(), held: Vec::new(), out: sink() }
            }
            Style::Json => Kind::Json(sink()),
            Style::Ndjson => Kind::Lines(Box::new(RowWriter::new(RowFormat::Ndjson, schema, sink())?)),
            Style::Csv => Kind::Lines(Box::new(RowWriter::new(RowFormat::Csv, schema, sink())?)),
        };
        Ok(Rows { kind, schema: Arc::clone(schema), written: 0 })
    }
}

/// A plan, and what it costs.
fn priced(plan: &Plan, prices: Option<&Prices>) -> Map<String, Value> {
    let mut shown = into_map(json!(plan));
    shown.extend(prices.map(|prices| ("cost".to_owned(), json!(prices.cost(plan)))));
    shown
}

/// The map of an object that was built with `json!`.
pub fn into_map(value: Value) -> Map<String, Value> {
    if let Value::Object(map) = value { map } else { Map::new() }
}

/// A value as the text of a cell or field; null is no text.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Objects, one after another.
pub struct Records {
    style: Style,
    keys: Vec<String>,
    wrapper: Option<&'static str>,
    out: Sink,
    held: Vec<Vec<Option<String>>>,
    csv: Option<RowWriter<Sink>>,
    pushed: u64,
}

impl Records {
    /// In JSON the array becomes the first member of an object; `finish_with` gives the others.
    pub fn wrapped(mut self, name: &'static str) -> Self {
        self.wrapper = (self.style == Style::Json).then_some(name);
        self
    }
    pub fn push(&mut self, object: &Map<String, Value>) -> Result<()> {
        match self.style {
            Style::Ndjson => {
                serde_json::to_writer(&mut self.out, object).map_err(io::Error::from)?;
                self.out.write_all(b"\n")?;
            }
            Style::Json => {
                match self.wrapper.filter(|_| self.pushed == 0) {
                    Some(name) => write!(self.out, "{{\"{name}\":[")?,
                    None => self.out.write_all(if self.pushed == 0 { b"[" } else { b",\n" })?,
                }
                serde_json::to_writer(&mut self.out, object).map_err(io::Error::from)?;
            }
            Style::Table | Style::Csv => {
                let value = |key: &String| object.get(key).and_then(text_of);
                self.held.push(self.keys.iter().map(value).collect());
                if self.held.len() >= TABLE_ROWS {
                    self.write_held()?;
                }
            }
        }
        self.pushed += 1;
        Ok(())
    }
    pub fn finish(self) -> Result<()> {
        self.finish_with(Map::new())
    }
    pub fn finish_with(mut self, others: Map<String, Value>) -> Result<()> {
        match self.style {
            Style::Ndjson => {}
            Style::Json => {
                if self.pushed == 0 {
                    match self.wrapper {
                        Some(name) => write!(self.out, "{{\"{name}\":[")?,
                        None => self.out.write_all(b"[")?,
                    }
                }
                self.out.write_all(b"]")?;
                if self.wrapper.is_some() {
                    for (key, value) in others {
                        write!(self.out, ",{}:{value}", Value::String(key))?;
                    }
                    self.out.write_all(b"}")?;
                }
                self.out.write_all(b"\n")?;
            }
            Style::Table => {
                if !self.held.is_empty() || self.pushed == 0 {
                    self.write_held()?;
                }
                for (key, value) in others {
                    writeln!(self.out, "{key}: {}", text_of(&value).unwrap_or_default())?;
                }
            }
            Style::Csv => {
                self.write_held()?;
                if let Some(csv) = self.csv.take() {
                    csv.finish()?;
                }
            }
        }
        Ok(self.out.flush()?)
    }
    fn write_held(&mut self) -> Result<()> {
        let held = std::mem::take(&mut self.held);
        if self.style == Style::Table {
            return write_table(&mut self.out, &self.keys, &held);
        }
        let fields: Vec<Field> = self.keys.iter().map(|key| Field::new(key, DataType::Utf8, true)).collect();
        let schema = Arc::new(Schema::new(fields));
        let column = |i: usize| Arc::new(held.iter().map(|record| record[i].as_deref()).collect::<StringArray>()) as ArrayRef;
        let columns = (0..self.keys.len()).map(column).collect();
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(lakebed::Error::from)?;
        let csv = match &mut self.csv {
            Some(csv) => csv,
            None => self.csv.insert(RowWriter::new(RowFormat::Csv, &schema, sink())?),
        };
        Ok(csv.write(&batch)?)
    }
}

/// Rows of a table.
pub struct Rows {
    kind: Kind,
    schema: SchemaRef,
    written: u64,
}

enum Kind {
    Table { names: Vec<String>, held: Vec<Vec<Option<String>>>, out: Sink },
    Json(Sink),
    Lines(Box<RowWriter<Sink>>),
}

impl Rows {
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        match &mut self.kind {
            Kind::Lines(writer) => writer.write(batch)?,
            Kind::Json(out) => {
                let mut lines = RowWriter::new(RowFormat::Ndjson, &self.schema, Vec::new())?;
                lines.write(batch)?;
                let lines = lines.finish()?;
                for (i, line) in lines.split(|b| *b == b'\n').filter(|line| !line.is_empty()).enumerate() {
                    out.write_all(if self.written == 0 && i == 0 { b"[" } else { b",\n" })?;
                    out.write_all(line)?;
                }
            }
            Kind::Table { names, held, out } => {
                let columns = columns_as_text(batch)?;
                for row in 0..batch.num_rows() {
                    held.push(columns.iter().map(|c| c.is_valid(row).then(|| c.value(row).to_owned())).collect());
                    if held.len() >= TABLE_ROWS {
                        write_table(out, names, &std::mem::take(held))?;
                    }
                }
            }
        }
        self.written += batch.num_rows() as u64;
        Ok(())
    }
    pub fn finish(self) -> Result<()> {
        match self.kind {
            Kind::Lines(writer) => _ = writer.finish()?,
            Kind::Json(mut out) => {
                out.write_all(if self.written == 0 { b"[]\n" } else { b"]\n" })?;
                out.flush()?;
            }
            Kind::Table { names, held, mut out } => {
                if !held.is_empty() || self.written == 0 {
                    write_table(&mut out, &names, &held)?;
                }
                writeln!(out, "{} row{}", self.written, if self.written == 1 { "" } else { "s" })?;
                out.flush()?;
            }
        }
        Ok(())
    }
}

/// A table that fits the terminal: columns that find no room are left out, long cells are cut. In a file or pipe it is as wide as it
/// needs to be.
fn write_table(out: &mut Sink, names: &[String], lines: &[Vec<Option<String>>]) -> Result<()> {
    let cell = |cell: &Option<String>| cell.as_ref().map_or_else(|| "NULL".to_owned(), |text| printable(&shortened(text, CELL_WIDTH)));
    let names: Vec<String> = names.iter().map(|name| printable(name)).collect();
    let lines: Vec<Vec<String>> = lines.iter().map(|line| line.iter().map(cell).collect()).collect();
    let rooms = match terminal_width() {
        None => vec![usize::MAX; names.len()],
        Some(width) => rooms(width, &names, &lines),
    };
    let cut = |cells: &[String]| cells.iter().zip(&rooms).map(|(cell, room)| shortened(cell, *room)).collect::<Vec<_>>();
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED).set_header(cut(&names)).add_rows(lines.iter().map(|line| cut(line)));
    writeln!(out, "{table}")?;
    if rooms.len() < names.len() {
        writeln!(out, "{} of {} columns fit the terminal; --format json shows all", rooms.len(), names.len())?;
    }
    Ok(())
}

/// Cells of the terminal for each of the columns that fit, in order.
fn rooms(width: usize, names: &[String], lines: &[Vec<String>]) -> Vec<usize> {
    let mut left = width.saturating_sub(1);
    let mut rooms = Vec::new();
    for (i, name) in names.iter().enumerate() {
        let longest = lines.iter().map(|line| &line[i]).chain([name]).map(|cell| cell.width()).max().unwrap_or(0);
        let room = longest.min(CUT_WIDTH).min(left.saturating_sub(COLUMN_FRAME));
        if room < longest.min(LEAST_WIDTH) && rooms.len() >= 2 {
            break;
        }
        left = left.saturating_sub(room + COLUMN_FRAME);
        rooms.push(room.max(1));
    }
    rooms
}

/// Keys and values, one pair a line; long values are wrapped.
fn write_pairs(out: &mut Sink, object: &Map<String, Value>) -> Result<()> {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(width) = terminal_width() {
        table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
    }
    for (key, value) in object {
        let value = text_of(value).unwrap_or_else(|| "NULL".to_owned());
        table.add_row([printable(key), printable(&value)]);
    }
    Ok(writeln!(out, "{table}")?)
}

/// The width of the terminal; `None` where there is none.
fn terminal_width() -> Option<usize> {
    let width = io::stdout().is_terminal().then(|| Table::new().width())?;
    // Some terminals do not know their width.
    Some(width.map(usize::from).filter(|width| *width >= WIDTH_LEAST).unwrap_or(WIDTH_LEAST * 4))
}

/// At most so many cells of a terminal, where letters of East Asia take two.
fn shortened(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let mut left = room.saturating_sub(1);
    let fits = |c: &char| {
        let width = c.width().unwrap_or(0);
        let fits = width <= left;
        left = left.saturating_sub(width);
        fits
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

#[cfg(test)]
#[path = "output_tests.rs"]
mod tests;
