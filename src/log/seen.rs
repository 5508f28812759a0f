//! Which logical files the JSON tail has spoken about: exact keys in an arena. Kind: pure. Spec: REC.
//!
//! A key is the normalised path with the unique id of the deletion vector. Invariant: a lookup compares bytes, never only hashes,
//! since a wrong answer here loses or doubles rows. Memory: the bytes of the keys and about 24 bytes for each.

use percent_encoding::percent_decode;
use std::borrow::Cow;
use url::Url;

/// The identity of a logical file, as it stands in the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileKey<'a> {
    /// Percent-encoded, as it stands in the log.
    pub path: &'a str,
    pub vector: Option<VectorKey<'a>>,
}

/// The identity of a deletion vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VectorKey<'a> {
    pub storage_type: &'a str,
    pub path_or_inline: &'a str,
    pub offset: Option<i32>,
}

impl<'a> From<&'a super::VectorDescriptor> for VectorKey<'a> {
    fn from(v: &'a super::VectorDescriptor) -> Self {
        VectorKey { storage_type: &v.storage_type, path_or_inline: &v.path_or_inline_dv, offset: v.offset }
    }
}

/// Brings the many spellings of one path to one form, knowing where the table lies.
#[derive(Clone, Debug)]
pub(crate) struct PathForm {
    /// `scheme://authority` of the table; empty for local disk.
    origin: Vec<u8>,
    /// Decoded, with both slashes: `/a/table/`.
    folder: Vec<u8>,
}

impl PathForm {
    /// The form for a table at `root` (a URL that ends in `/`).
    pub fn new(root: &Url) -> Self {
        let origin = origin(root.scheme().as_bytes(), root.authority().as_bytes());
        PathForm { origin, folder: percent_decode(root.path().as_bytes()).collect() }
    }

    /// The decoded path, relative when it lies in the table, else with its origin. (REC-24)
    pub fn normalise<'a>(&self, raw: &'a str) -> Cow<'a, [u8]> {
        let bytes = raw.as_bytes();
        let (start, path) = match split_origin(bytes) {
            Some((start, path)) => (start, path),
            None if bytes.first() == Some(&b'/') => (self.origin.clone(), bytes),
            None => return decode(bytes),
        };
        let decoded = decode(path);
        // `//a`, `/a` and `///a` name the same object.
        let slashes = decoded.iter().take_while(|b| **b == b'/').count();
        let path = &decoded[slashes.saturating_sub(1)..];
        if start == self.origin && path.len() > self.folder.len() && path.starts_with(&self.folder) {
            return Cow::Owned(path[self.folder.len()..].to_vec());
        }
        Cow::Owned([&start[..], path].concat())
    }
}

/// Splits `scheme:/…`; anything else (`time=12:00/…`) is a relative path.
fn split_origin(raw: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let colon = raw.iter().position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'+' | b'.' | b'-')))?;
    if colon == 0 || raw[colon] != b':' || raw.get(colon + 1) != Some(&b'/') || !raw[0].is_ascii_alphabetic() {
        return None;
    }
    let (scheme, rest) = (&raw[..colon], &raw[colon + 1..]);
    if !rest.starts_with(b"//") {
        return Some((origin(scheme, b""), rest));
    }
    let end = rest[2..].iter().position(|b| *b == b'/').map_or(rest.len(), |i| i + 2);
    Some((origin(scheme, &rest[2..end]), &rest[end..]))
}

/// `file:` in all its spellings is no origin; the aliases of S3 are one.
fn origin(scheme: &[u8], authority: &[u8]) -> Vec<u8> {
    let scheme = scheme.to_ascii_lowercase();
    let scheme: &[u8] = match scheme.as_slice() {
        b"file" => return Vec::new(),
        b"s3a" | b"s3n" => b"s3",
        other => other,
    };
    [scheme, b"://", &authority.to_ascii_lowercase()].concat()
}

fn decode(path: &[u8]) -> Cow<'_, [u8]> {
    if path.contains(&b'%') { Cow::Owned(percent_decode(path).collect()) } else { Cow::Borrowed(path) }
}

/// A set of file keys.
#[derive(Debug)]
pub(crate) struct SeenFiles {
    form: PathForm,
    arena: Vec<u8>,
    entries: Vec<Entry>,
    /// Open addressing: entry number plus one, 0 is free. A power of two, at most half full.
    slots: Vec<u32>,
    scratch: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: usize,
    path: u32,
    vector: u32,
    hash: u64,
}

impl SeenFiles {
    /// An empty set for a table at `root`.
    pub fn new(root: &Url) -> Self {
        SeenFiles { form: PathForm::new(root), arena: Vec::new(), entries: Vec::new(), slots: vec![0; 16], scratch: Vec::new() }
    }
    /// Whether nothing has been seen.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
    /// The paths that have been seen, in the form in which they are compared; one of several vectors comes as often.
    pub fn paths(&self) -> impl Iterator<Item = &[u8]> {
        self.entries.iter().map(|e| self.bytes(*e).0)
    }
    /// Whether the key has been seen.
    pub fn contains(&self, key: FileKey<'_>) -> bool {
        self.place(key).is_some()
    }
    /// As how many-th the key was seen first, from 0.
    pub fn place(&self, key: FileKey<'_>) -> Option<usize> {
        let path = self.form.normalise(key.path);
        let mut id = Vec::new();
        if let Some(v) = key.vector {
            write_unique_id(v, &mut id);
        }
        self.find(&path, &id).ok().map(|slot| self.slots[slot] as usize - 1)
    }
    /// Remembers a key; false when it was there.
    pub fn insert(&mut self, key: FileKey<'_>) -> bool {
        let path = self.form.normalise(key.path);
        let mut id = std::mem::take(&mut self.scratch);
        id.clear();
        if let Some(v) = key.vector {
            write_unique_id(v, &mut id);
        }
        let new = match self.find(&path, &id) {
            Ok(_) => false,
            Err((slot, hash)) => {
                let entry = Entry { start: self.arena.len(), path: path.len() as u32, vector: id.len() as u32, hash };
                self.arena.extend_from_slice(&path);
                self.arena.extend_from_slice(&id);
                self.entries.push(entry);
                self.slots[slot] = self.entries.len() as u32;
                if self.entries.len() * 2 > self.slots.len() {
                    self.grow();
                }
                true
            }
        };
        self.scratch = id;
        new
    }

    /// The entry's slot, or the free slot where it belongs with the key's hash.
    fn find(&self, path: &[u8], id: &[u8]) -> Result<usize, (usize, u64)> {
        let hash = hash(hash(path.len() as u64, path), id);
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            match self.slots[slot] {
                0 => return Err((slot, hash)),
                n => {
                    let e = self.entries[n as usize - 1];
                    if e.hash == hash && self.bytes(e) == (path, id) {
                        return Ok(slot);
                    }
                }
            }
            slot = (slot + 1) & mask;
        }
    }
    fn bytes(&self, e: Entry) -> (&[u8], &[u8]) {
        let middle = e.start + e.path as usize;
        (&self.arena[e.start..middle], &self.arena[middle..middle + e.vector as usize])
    }
    fn grow(&mut self) {
        let mask = self.slots.len() * 2 - 1;
        self.slots = vec![0; mask + 1];
        for (i, e) in self.entries.iter().enumerate() {
            let mut slot = e.hash as usize & mask;
            while self.slots[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            self.slots[slot] = i as u32 + 1;
        }
    }
}

fn write_unique_id(v: VectorKey<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(v.storage_type.as_bytes());
    out.extend_from_slice(v.path_or_inline.as_bytes());
    if let Some(offset) = v.offset {
        out.extend_from_slice(format!("@{offset}").as_bytes());
    }
}

/// Multiply and fold, eight bytes at a time: quick on the ~100 bytes of a path. Collisions only cost a comparison.
pub(crate) fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let fold = |a: u64, b: u64| {
        let wide = u128::from(a) * u128::from(b);
        (wide as u64) ^ ((wide >> 64) as u64)
    };
    let mut h = seed ^ 0x9E37_79B9_7F4A_7C15;
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let word = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
        h = fold(h ^ word, 0xA076_1D64_78BD_642F);
    }
    let mut last = [0u8; 8];
    last[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    fold(h ^ u64::from_le_bytes(last), 0xE703_7ED1_A0B4_28DB)
}

#[cfg(test)]
#[path = "seen_tests.rs"]
mod tests;
