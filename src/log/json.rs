//! Commit body <-> actions. Kind: pure. Spec: LOG.
//!
//! Invariant: a body that decodes was read to its last byte; a torn line is an error, never fewer actions.

use super::{Action, CommitInfo};
use crate::error::{Code, Error, Result};
use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// Room is made at once for the actions of so many bytes, however long the body is said to be.
const RESERVED_FOR: u64 = 256 << 20;

/// Decodes a commit body: one action a line, unknown actions skipped, blank lines and CRLF accepted.
/// `LB-LOG-EMPTY` for no bytes, `LB-LOG-JSON` with file, line and column for what is not JSON or lacks a required field.
pub(crate) fn decode_commit(file: &str, body: &[u8]) -> Result<Vec<Action>> {
    let mut decoder = CommitDecoder::new(file.to_owned(), body.len() as u64);
    decoder.decode(body, true)?;
    Ok(decoder.actions)
}

/// A commit body that is decoded piece by piece, as `decode_commit` would decode the whole.
pub(crate) struct CommitDecoder {
    file: String,
    /// Lines that are behind it, and bytes that are to come.
    lines: usize,
    left: u64,
    pub actions: Vec<Action>,
}

impl CommitDecoder {
    /// For a body of so many bytes.
    pub fn new(file: String, size: u64) -> Self {
        CommitDecoder { file, lines: 0, left: size, actions: Vec::new() }
    }
    /// Decodes what is whole of these bytes, everything when they are the last. Gives how many are done with; the next call begins behind them.
    pub fn decode(&mut self, body: &[u8], last: bool) -> Result<usize> {
        let newlines = |bytes: &[u8]| bytes.iter().filter(|b| **b == b'\n').count();
        // One action a line: a long tail is mostly these vectors, so they are made to measure, by the first piece for those that follow.
        let lines = newlines(body).min(body.len() / 64) + 1;
        if lines > self.actions.capacity() - self.actions.len() {
            let pieces = (self.left.min(RESERVED_FOR) as usize).div_ceil(body.len().max(1)).max(1);
            self.actions.reserve_exact(lines * pieces);
        }
        let actions = &mut self.actions;
        let take = |action| {
            actions.push(action);
            true
        };
        let done = each_action(Piece { file: &self.file, lines: self.lines, body, last }, take)?;
        self.lines += newlines(&body[..done]);
        self.left = self.left.saturating_sub(done as u64);
        Ok(done)
    }
}

/// Some bytes of a commit.
#[derive(Clone, Copy)]
struct Piece<'a> {
    file: &'a str,
    /// Lines before it.
    lines: usize,
    body: &'a [u8],
    /// Whether no more bytes follow.
    last: bool,
}

/// The `commitInfo` of a commit. Nothing behind it is looked at.
pub(crate) fn decode_commit_info(file: &str, body: &[u8]) -> Result<Option<CommitInfo>> {
    let mut found = None;
    each_action(Piece { file, lines: 0, body, last: true }, |action| {
        if let Action::CommitInfo(info) = action {
            found = Some(info);
        }
        found.is_none()
    })?;
    Ok(found)
}

/// Gives every action to `take` until it says false. Returns how many bytes that took; the rest is an action that is not whole yet.
fn each_action(piece: Piece<'_>, mut take: impl FnMut(Action) -> bool) -> Result<usize> {
    let Piece { file, lines, body, last } = piece;
    if body.is_empty() && lines == 0 && last {
        return Err(Error::new(Code::LOG_EMPTY, "a commit file has no bytes, as a power cut leaves it")
            .with("file", file)
            .help("restore the file from a copy; older versions stay readable with --version"));
    }
    // Behind the last newline an action may be whole by chance only.
    let body = if last { body } else { &body[..body.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1)] };
    let piece = Piece { body, ..piece };
    let mut start = 0;
    while let Some(skip) = body[start..].iter().position(|b| !matches!(b, b' ' | b'\t' | b'\r' | b'\n')) {
        start += skip;
        let mut values = serde_json::Deserializer::from_slice(&body[start..]).into_iter::<Line>();
        let (line, end) = match values.next() {
            Some(Ok(line)) => (line, start + values.byte_offset()),
            Some(Err(_)) if !last && ends_early(&body[start..]) => return Ok(start),
            Some(Err(e)) => {
                repeated_keys(&body[start..]).map(|(line, len)| (line, start + len)).ok_or_else(|| bad_json(piece, start, &e))?
            }
            None => break,
        };
        if !line.0.is_none_or(&mut take) {
            return Ok(end);
        }
        match body[end..].iter().position(|b| !matches!(b, b' ' | b'\t' | b'\r')) {
            Some(at) if body[end + at] != b'\n' => return Err(bad_line(piece, end + at, "more than one value stands in a line")),
            _ => start = end,
        }
    }
    Ok(body.len())
}

/// Whether the bytes end before the value with which they begin.
fn ends_early(rest: &[u8]) -> bool {
    let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<IgnoredAny>();
    values.next().and_then(Result::err).is_some_and(|e| e.is_eof())
}

/// Reads a value in which keys repeat: the last one counts.
fn repeated_keys(rest: &[u8]) -> Option<(Line, usize)> {
    let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<Value>();
    let value = values.next()?.ok()?;
    let line = serde_json::from_value(value).ok()?;
    Some((line, values.byte_offset()))
}

fn bad_json(piece: Piece<'_>, start: usize, e: &serde_json::Error) -> Error {
    let column = if e.line() == 1 { e.column() + column_of(piece.body, start) } else { e.column() };
    let full = e.to_string();
    let what = full.rsplit_once(" at line ").map_or(full.as_str(), |(what, _)| what);
    json_error(piece.file, lines_before(piece, start) + e.line(), column, what)
}

fn bad_line(piece: Piece<'_>, at: usize, what: &str) -> Error {
    json_error(piece.file, lines_before(piece, at) + 1, column_of(piece.body, at) + 1, what)
}

fn lines_before(piece: Piece<'_>, at: usize) -> usize {
    piece.lines + piece.body[..at].iter().filter(|b| **b == b'\n').count()
}

/// Bytes between the begin of the line and `at`.
fn column_of(body: &[u8], at: usize) -> usize {
    at - body[..at].iter().rposition(|b| *b == b'\n').map_or(0, |newline| newline + 1)
}

fn json_error(file: &str, line: usize, column: usize, what: &str) -> Error {
    Error::new(Code::LOG_JSON, format!("a commit line is not the JSON it must be: {what}"))
        .with("file", file)
        .with("line", line)
        .with("column", column)
        .help("restore the file from a copy; older versions stay readable with --version")
}

/// Encodes a commit body; absent optionals stay absent. `LB-INTERNAL` when an action cannot be encoded, which none should be.
pub(crate) fn encode_commit(actions: &[Action]) -> Result<Bytes> {
    let mut body = Vec::with_capacity(actions.len() * 512);
    for action in actions {
        serde_json::to_writer(&mut body, action).map_err(|e| unencodable("an action", &e))?;
        body.push(b'\n');
    }
    Ok(body.into())
}

/// The error for something of ours that is no JSON.
pub(super) fn unencodable(what: &str, why: &dyn fmt::Display) -> Error {
    Error::new(Code::INTERNAL, format!("{what} could not be encoded: {why}"))
}

/// A line of a commit: an object whose known key, if any, is the action.
struct Line(Option<Action>);

#[derive(serde::Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Key {
    CommitInfo,
    Protocol,
    MetaData,
    Add,
    Remove,
    Cdc,
    Txn,
    DomainMetadata,
    Sidecar,
    CheckpointMetadata,
    #[serde(other)]
    Unknown,
}

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_map(LineVisitor)
    }
}

struct LineVisitor;

impl<'de> Visitor<'de> for LineVisitor {
    type Value = Line;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object that holds one action")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Line, A::Error> {
        fn of<'de, T: Deserialize<'de>, A: MapAccess<'de>>(map: &mut A, f: fn(T) -> Action) -> Result<Option<Action>, A::Error> {
            Ok(map.next_value::<Option<T>>()?.map(f))
        }
        let mut line: Option<Action> = None;
        while let Some(key) = map.next_key()? {
            let action = match key {
                Key::CommitInfo => of(&mut map, Action::CommitInfo)?,
                Key::Protocol => of(&mut map, Action::Protocol)?,
                Key::MetaData => of(&mut map, Action::Metadata)?,
                Key::Add => of(&mut map, Action::Add)?,
                Key::Remove => of(&mut map, Action::Remove)?,
                Key::Cdc => of(&mut map, Action::Cdc)?,
                Key::Txn => of(&mut map, Action::Txn)?,
                Key::DomainMetadata => of(&mut map, Action::DomainMetadata)?,
                Key::Sidecar => of(&mut map, Action::Sidecar)?,
                Key::CheckpointMetadata => of(&mut map, Action::CheckpointMetadata)?,
                Key::Unknown => map.next_value::<IgnoredAny>().map(|_| None)?,
            };
            match (&line, action) {
                (Some(old), Some(new)) if std::mem::discriminant(old) != std::mem::discriminant(&new) => {
                    return Err(A::Error::custom("two actions stand in one line"));
                }
                (_, Some(new)) => line = Some(new),
                (_, None) => {}
            }
        }
        Ok(Line(line))
    }
}

impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Line::deserialize(d)?.0.ok_or_else(|| D::Error::custom("no known action"))
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
