//! A descriptor -> the deleted rows, from the log's text or a vector file. Kind: edge. Spec: DV.

use super::{bitmap, z85};
use crate::error::{Code, Error, Result};
use crate::log::VectorDescriptor;
use crate::storage::{Missing, TableRoot, failure};
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use roaring::RoaringTreemap;
use std::ops::Range;

const FILE_VERSION: u8 = 1;
/// Length field before and checksum after a vector.
const FRAME: u64 = 8;
/// What is encoded when a folder's literal name becomes part of a path of the log.
const FOLDER: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.');

/// Where the bytes of a vector are.
#[derive(Debug, PartialEq)]
enum Place {
    /// In the descriptor itself.
    Inline(Vec<u8>),
    /// In a file, named as the log would name it, at an offset.
    File { path: String, offset: u64 },
}

/// Reads the deleted rows of a data file. `LB-DV` names what is wrong; `LB-PATH` when the vector lies where it must not.
/// At most one request; memory is the vector's own size.
pub(crate) async fn load(root: &TableRoot, descriptor: &VectorDescriptor) -> Result<RoaringTreemap> {
    match place(descriptor)? {
        Place::Inline(bytes) => rows(&bytes, descriptor),
        Place::File { path, offset } => {
            let blob = fetch(root, &path, offset, descriptor).await.map_err(|e| e.with("vector", &path))?;
            rows(unframe(&blob, descriptor)?, descriptor).map_err(|e| e.with("vector", &path))
        }
    }
}

/// What `load` takes: requests and bytes.
pub(crate) fn cost(descriptor: &VectorDescriptor) -> (u64, u64) {
    let (Ok(Place::File { offset, .. }), Ok(size)) = (place(descriptor), size(descriptor)) else { return (0, 0) };
    match offset {
        // The file's first byte says its version; it comes along with what is near.
        near if near <= object_store::OBJECT_STORE_COALESCE_DEFAULT => (1, near + size + FRAME),
        _ => (2, 1 + size + FRAME),
    }
}

/// The name of the file that holds it, as the log would name it; `None` when it is in the log itself, or names no file.
pub(crate) fn file_name(descriptor: &VectorDescriptor) -> Option<String> {
    match place(descriptor) {
        Ok(Place::File { path, .. }) => Some(path),
        _ => None,
    }
}

fn broken(what: impl Into<String>) -> Error {
    Error::new(Code::DV, format!("a deletion vector is damaged: {}", what.into()))
        .help("restore the vector file, or go back to a version before it; rows cannot be read without it")
}

fn size(descriptor: &VectorDescriptor) -> Result<u64> {
    u64::try_from(descriptor.size_in_bytes).map_err(|_| broken(format!("its size is {}", descriptor.size_in_bytes)))
}

fn place(descriptor: &VectorDescriptor) -> Result<Place> {
    let text = descriptor.path_or_inline_dv.as_str();
    match descriptor.storage_type.as_str() {
        "i" => {
            let mut bytes = z85::decode(text).ok_or_else(|| broken("its text is not Z85"))?;
            let size = size(descriptor)? as usize;
            if bytes.len() < size || bytes.len() - size > 3 {
                return Err(broken(format!("its text holds {} bytes, the log says {size}", bytes.len())));
            }
            bytes.truncate(size);
            Ok(Place::Inline(bytes))
        }
        "u" => Ok(Place::File { path: relative_path(text)?, offset: offset(descriptor)? }),
        "p" => Ok(Place::File { path: text.to_owned(), offset: offset(descriptor)? }),
        other => Err(broken(format!("its storage type `{other}` is unknown"))),
    }
}

fn offset(descriptor: &VectorDescriptor) -> Result<u64> {
    let offset = descriptor.offset.unwrap_or(0);
    u64::try_from(offset).map_err(|_| broken(format!("its offset is {offset}")))
}

/// `<prefix><20 characters of Z85>` -> `prefix/deletion_vector_<uuid>.bin`, encoded as a path of the log.
fn relative_path(text: &str) -> Result<String> {
    let bad = || broken(format!("`{text}` names no vector file"));
    let split = text.len().checked_sub(20).ok_or_else(bad)?;
    let (prefix, id) = text.split_at_checked(split).ok_or_else(bad)?;
    let id: [u8; 16] = z85::decode(id).and_then(|bytes| bytes.try_into().ok()).ok_or_else(bad)?;
    let name = format!("deletion_vector_{}.bin", uuid::Uuid::from_bytes(id).hyphenated());
    if prefix.is_empty() {
        return Ok(name);
    }
    // The prefix is a folder's name taken literally; as part of a path of the log it is encoded.
    let prefix = percent_encoding::utf8_percent_encode(prefix, FOLDER);
    Ok(format!("{prefix}/{name}"))
}

/// The framed vector, length field first.
async fn fetch(root: &TableRoot, path: &str, offset: u64, descriptor: &VectorDescriptor) -> Result<Bytes> {
    let (store, key) = root.resolve(path)?;
    let framed: Range<u64> = offset..offset + size(descriptor)? + FRAME;
    let ranges = if offset == 0 { vec![framed.clone()] } else { vec![0..1, framed.clone()] };
    let mut parts = store.get_ranges(&key, &ranges).await.map_err(|e| match e {
        object_store::Error::NotFound { .. } => broken("its file is missing").caused_by(Missing),
        e => broken(failure(e, &format!("reading its bytes {framed:?}"), key.as_ref()).message()),
    })?;
    let blob = parts.pop().filter(|blob| blob.len() as u64 == framed.end - framed.start);
    let blob = blob.ok_or_else(|| broken("its file ends inside it"))?;
    match parts.first().map(|first| first.as_ref()) {
        None | Some([FILE_VERSION]) => Ok(blob),
        Some(other) => Err(broken(format!("its file has version {:?}, not {FILE_VERSION}", other.first()))),
    }
}

/// Checks length and checksum; the bitmap bytes between them.
fn unframe<'a>(blob: &'a [u8], descriptor: &VectorDescriptor) -> Result<&'a [u8]> {
    let framed = blob.split_first_chunk::<4>().and_then(|(length, rest)| Some((length, rest.split_last_chunk::<4>()?)));
    let (length, (bytes, checksum)) = framed.ok_or_else(|| broken("it is too short"))?;
    let length = u32::from_be_bytes(*length);
    if u64::from(length) != size(descriptor)? {
        return Err(broken(format!("its file says {length} bytes, the log says {}", descriptor.size_in_bytes)));
    }
    let (found, wanted) = (crc32fast::hash(bytes), u32::from_be_bytes(*checksum));
    if found != wanted {
        return Err(broken(format!("its checksum is {found:08x}, its file says {wanted:08x}")));
    }
    Ok(bytes)
}

fn rows(bytes: &[u8], descriptor: &VectorDescriptor) -> Result<RoaringTreemap> {
    let rows = bitmap::decode(bytes).map_err(broken)?;
    if i64::try_from(rows.len()) != Ok(descriptor.cardinality) {
        return Err(broken(format!("it holds {} rows, the log says {}", rows.len(), descriptor.cardinality)));
    }
    Ok(rows)
}

#[cfg(test)]
#[path = "file_tests.rs"]
pub(super) mod tests;
