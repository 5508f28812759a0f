//! Commit body <-> actions. Kind: pure. Spec: LOG.
//!
//! Invariant: a body that decodes was read to its last byte; a torn line is an error, never fewer actions.

use super::{Action, CommitInfo};
use crate::error::{Code, Error, Result};
use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// Decodes a commit body: one action a line, unknown actions skipped, blank lines and CRLF accepted.
/// `LB-LOG-EMPTY` for no bytes, `LB-LOG-JSON` with file, line and column for what is not JSON or lacks a required field.
pub(crate) fn decode_commit(file: &str, body: &[u8]) -> Result<Vec<Action>> {
    // One action a line: a long tail is mostly these vectors, so they are made to measure.
    let lines = body.iter().filter(|b| **b == b'\n').count();
    let mut actions = Vec::with_capacity(lines.min(body.len() / 64) + 1);
    each_action(file, body, |action| {
        actions.push(action);
        true
    })?;
    Ok(actions)
}

/// The `commitInfo` of a commit. Nothing behind it is looked at.
pub(crate) fn decode_commit_info(file: &str, body: &[u8]) -> Result<Option<CommitInfo>> {
    let mut found = None;
    each_action(file, body, |action| {
        if let Action::CommitInfo(info) = action {
            found = Some(info);
        }
        found.is_none()
    })?;
    Ok(found)
}

/// Gives every action to `take` until it says false.
fn each_action(file: &str, body: &[u8], mut take: impl FnMut(Action) -> bool) -> Result<()> {
    if body.is_empty() {
        return Err(Error::new(Code::LOG_EMPTY, "a commit file has no bytes, as a power cut leaves it")
            .with("file", file)
            .help("restore the file from a copy; older versions stay readable with --version"));
    }
    let mut start = 0;
    while let Some(skip) = body[start..].iter().position(|b| !matches!(b, b' ' | b'\t' | b'\r' | b'\n')) {
        start += skip;
        let mut lines = serde_json::Deserializer::from_slice(&body[start..]).into_iter::<Line>();
        let (line, end) = match lines.next() {
            Some(Ok(line)) => (line, start + lines.byte_offset()),
            Some(Err(e)) => {
                repeated_keys(&body[start..]).map(|(line, len)| (line, start + len)).ok_or_else(|| bad_json(file, body, start, &e))?
            }
            None => break,
        };
        if !line.0.is_none_or(&mut take) {
            return Ok(());
        }
        match body[end..].iter().position(|b| !matches!(b, b' ' | b'\t' | b'\r')) {
            Some(at) if body[end + at] != b'\n' => return Err(bad_line(file, body, end + at, "more than one value stands in a line")),
            _ => start = end,
        }
    }
    Ok(())
}

/// Reads a value in which keys repeat: the last one counts.
fn repeated_keys(rest: &[u8]) -> Option<(Line, usize)> {
    let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<Value>();
    let value = values.next()?.ok()?;
    let line = serde_json::from_value(value).ok()?;
    Some((line, values.byte_offset()))
}

fn bad_json(file: &str, body: &[u8], start: usize, e: &serde_json::Error) -> Error {
    let before = body[..start].iter().filter(|b| **b == b'\n').count();
    let column = if e.line() == 1 { e.column() + column_of(body, start) } else { e.column() };
    let full = e.to_string();
    let what = full.rsplit_once(" at line ").map_or(full.as_str(), |(what, _)| what);
    json_error(file, before + e.line(), column, what)
}

fn bad_line(file: &str, body: &[u8], at: usize, what: &str) -> Error {
    json_error(file, body[..at].iter().filter(|b| **b == b'\n').count() + 1, column_of(body, at) + 1, what)
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
