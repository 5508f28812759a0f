//! `_last_checkpoint`: a hint where to start, with its checksum. Kind: pure. Spec: LOG.
//!
//! Invariant: whatever it says, the version that is read stays the same; a hint that is doubtful in any way is no hint.

use super::Version;
use super::action::{Action, Sidecar, StringMap};
use super::json::unencodable;
use bytes::Bytes;
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::HashSet;

/// The name inside `_delta_log`.
pub(crate) const LAST_CHECKPOINT: &str = "_last_checkpoint";

/// Deeper than this no honest hint is nested.
const MAX_DEPTH: usize = 64;

/// What `_last_checkpoint` says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LastCheckpoint {
    pub version: i64,
    /// Number of actions; -1 when unknown.
    #[serde(default)]
    pub size: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_in_bytes: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_of_add_files: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub v2_checkpoint: Option<V2Checkpoint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<StringMap>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
}

/// The uuid-named checkpoint that the hint points to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct V2Checkpoint {
    pub path: String,
    pub size_in_bytes: i64,
    pub modification_time: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub non_file_actions: Option<Vec<Action>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sidecar_files: Option<Vec<Sidecar>>,
}

impl LastCheckpoint {
    /// Where a listing may start.
    pub fn start(&self) -> Version {
        Version(self.version.unsigned_abs())
    }
    /// Reads a hint; the reason when it is not to be trusted.
    pub fn parse(body: &[u8]) -> Result<LastCheckpoint, String> {
        let raw: &RawValue = serde_json::from_slice(body).map_err(|e| e.to_string())?;
        let mut leaves = Vec::new();
        let claimed = flatten(raw, &mut String::new(), 0, &mut leaves)?;
        // Only the version is needed: unknown shapes of the rest must not cost the hint.
        let version = leaves.iter().find(|(path, _)| path == "\"version\"").map(|(_, v)| v.parse::<i64>());
        let Some(Ok(version @ 0..)) = version else { return Err("it names no version".to_owned()) };
        if let Some(claimed) = claimed {
            let (by_path, by_entry) = (checksum(&mut leaves, false), checksum(&mut leaves, true));
            if claimed != by_path && claimed != by_entry {
                return Err("its checksum does not match".to_owned());
            }
        }
        Ok(serde_json::from_slice(body).unwrap_or(LastCheckpoint { version, size: -1, ..LastCheckpoint::default() }))
    }
    /// The body to write, with its checksum.
    pub fn encode(&self) -> crate::error::Result<Bytes> {
        let failed = |e: &dyn std::fmt::Display| unencodable(LAST_CHECKPOINT, e);
        let plain = LastCheckpoint { checksum: None, ..self.clone() };
        let raw = serde_json::value::to_raw_value(&plain).map_err(|e| failed(&e))?;
        let mut leaves = Vec::new();
        flatten(&raw, &mut String::new(), 0, &mut leaves).map_err(|e| failed(&e))?;
        let checksum = Some(checksum(&mut leaves, false));
        Ok(serde_json::to_vec(&LastCheckpoint { checksum, ..plain }).map_err(|e| failed(&e))?.into())
    }
}

/// Collects `path -> leaf` and gives the top-level `checksum`, which is no leaf. Repeated keys are refused.
fn flatten(raw: &RawValue, path: &mut String, depth: usize, leaves: &mut Vec<(String, String)>) -> Result<Option<String>, String> {
    if depth > MAX_DEPTH {
        return Err("it is nested too deeply".to_owned());
    }
    let text = raw.get();
    let len = path.len();
    let plus = if depth == 0 { "" } else { "+" };
    let mut claimed = None;
    match text.as_bytes().first() {
        Some(b'{') => {
            let Entries(entries) = serde_json::from_str(text).map_err(|e| e.to_string())?;
            let mut keys = HashSet::new();
            for (key, value) in &entries {
                if !keys.insert(key) {
                    return Err(format!("the key {key:?} repeats"));
                }
                if depth == 0 && key == "checksum" {
                    claimed = serde_json::from_str(value.get()).ok();
                    continue;
                }
                path.push_str(&format!("{plus}\"{}\"", percent(key)));
                flatten(value, path, depth + 1, leaves)?;
                path.truncate(len);
            }
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|e| e.to_string())?;
            for (i, value) in items.iter().enumerate() {
                path.push_str(&format!("{plus}{i}"));
                flatten(value, path, depth + 1, leaves)?;
                path.truncate(len);
            }
        }
        Some(b'"') => {
            let value: String = serde_json::from_str(text).map_err(|e| e.to_string())?;
            leaves.push((path.clone(), format!("\"{}\"", percent(&value))));
        }
        _ => leaves.push((path.clone(), text.to_owned())),
    }
    Ok(claimed)
}

/// MD5 of the canonical form. The protocol sorts by path, Spark by the whole entry: they differ for long arrays.
fn checksum(leaves: &mut [(String, String)], by_entry: bool) -> String {
    let entry = |(path, value): &(String, String)| format!("{path}={value}");
    if by_entry {
        leaves.sort_by_key(entry);
    } else {
        leaves.sort();
    }
    let canonical: Vec<_> = leaves.iter().map(entry).collect();
    Md5::digest(canonical.join(",").as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

/// UTF-8 bytes; unreserved characters stay, the rest becomes `%XX`.
fn percent(text: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const KEEP: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, &KEEP).to_string()
}

/// The entries of an object in their order, repeated keys included.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;
        impl<'de> serde::de::Visitor<'de> for EntriesVisitor {
            type Value = Entries<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        let Entries(entries) = d.deserialize_map(EntriesVisitor)?;
        Ok(Entries(entries))
    }
}

#[cfg(test)]
#[path = "hint_tests.rs"]
mod tests;
