//! Bitmap bytes <-> a set of row positions. Kind: pure. Spec: DV.
//!
//! The bytes are hostile input: whatever they say, no more memory is taken than a small multiple of their length.

use roaring::{RoaringBitmap, RoaringTreemap};

/// The 64-bit portable form, the only one that the protocol allows on disk.
const PORTABLE: u32 = 1_681_511_377;
/// The form that Spark keeps in memory, little-endian, and that the protocol's inline example has, big-endian; never written.
const NATIVE: u32 = 1_681_511_376;

/// Decodes a bitmap with its magic number. The error says what is wrong with the bytes.
pub(super) fn decode(bytes: &[u8]) -> Result<RoaringTreemap, String> {
    let (magic, body) = bytes.split_first_chunk::<4>().ok_or_else(|| format!("{} bytes are too few for a bitmap", bytes.len()))?;
    match (u32::from_le_bytes(*magic), u32::from_be_bytes(*magic)) {
        (PORTABLE, _) => portable(body),
        (NATIVE, _) => native(body, u32::from_le_bytes),
        (_, NATIVE) => native(body, u32::from_be_bytes),
        (other, _) => Err(format!("the magic number is {other}, not {PORTABLE}")),
    }
}

fn portable(mut body: &[u8]) -> Result<RoaringTreemap, String> {
    let buckets = u64::from_le_bytes(take(&mut body)?);
    let mut bitmaps: Vec<(u32, RoaringBitmap)> = Vec::new();
    for _ in 0..buckets {
        let key = u32::from_le_bytes(take(&mut body)?);
        if key > i32::MAX as u32 {
            return Err(format!("the bucket key {key} is out of range"));
        }
        if bitmaps.last().is_some_and(|(last, _)| *last >= key) {
            return Err(format!("the bucket key {key} is out of order"));
        }
        bitmaps.push((key, bitmap(&mut body)?));
    }
    finish(bitmaps, body)
}

fn native(mut body: &[u8], number: fn([u8; 4]) -> u32) -> Result<RoaringTreemap, String> {
    let count = number(take(&mut body)?);
    let mut bitmaps = Vec::new();
    for key in 0..count {
        let size = number(take(&mut body)?) as usize;
        let mut one = body.split_off(..size).ok_or("the bytes end inside a bitmap")?;
        bitmaps.push((key, bitmap(&mut one)?));
    }
    finish(bitmaps, body)
}

fn finish(bitmaps: Vec<(u32, RoaringBitmap)>, rest: &[u8]) -> Result<RoaringTreemap, String> {
    if rest.is_empty() { Ok(RoaringTreemap::from_bitmaps(bitmaps)) } else { Err(format!("{} bytes follow the bitmap", rest.len())) }
}

fn bitmap(body: &mut &[u8]) -> Result<RoaringBitmap, String> {
    RoaringBitmap::deserialize_from(body).map_err(|e| format!("not a bitmap: {e}"))
}

fn take<const N: usize>(body: &mut &[u8]) -> Result<[u8; N], String> {
    let (first, rest) = body.split_first_chunk::<N>().ok_or("the bytes end too early")?;
    *body = rest;
    Ok(*first)
}

/// Encodes a set in the portable form, magic number included. Memory: the bytes.
pub(super) fn encode(rows: &RoaringTreemap) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 + rows.serialized_size());
    bytes.extend_from_slice(&PORTABLE.to_le_bytes());
    // A vector takes every byte; what it holds is checked before it is used.
    let _ = rows.serialize_into(&mut bytes);
    bytes
}
