//! Spark's two hashes of values, which tables are often bucketed by. Kind: pure. Spec: EXP.
//!
//! A null leaves the hash as it is, so that the hash of several values is that of one after the other.

use super::rows::{self, Builtin, Out, error};
use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use std::sync::Arc;

pub(super) static ALL: &[Builtin] =
    &[Builtin { name: "hash", returns: rows::int, run: murmur3 }, Builtin { name: "xxhash64", returns: rows::long, run: xxhash64 }];

const SEED: u32 = 42;

/// A value as the hashes see it.
enum Word<'a> {
    Int(i32),
    Long(i64),
    Bytes(&'a [u8]),
    Owned(Vec<u8>),
}

fn word(array: &ArrayRef, row: usize) -> Result<Word<'_>, ArrowError> {
    Ok(match array.data_type() {
        DataType::Boolean => Word::Int(i32::from(array.as_boolean().value(row))),
        DataType::Int8 => Word::Int(i32::from(array.as_primitive::<Int8Type>().value(row))),
        DataType::Int16 => Word::Int(i32::from(array.as_primitive::<Int16Type>().value(row))),
        DataType::Int32 => Word::Int(array.as_primitive::<Int32Type>().value(row)),
        DataType::Date32 => Word::Int(array.as_primitive::<Date32Type>().value(row)),
        DataType::Int64 => Word::Long(array.as_primitive::<Int64Type>().value(row)),
        DataType::Timestamp(..) => Word::Long(array.as_primitive::<TimestampMicrosecondType>().value(row)),
        DataType::Float32 => Word::Int(super::canonical_f32(array.as_primitive::<Float32Type>().value(row)).to_bits() as i32),
        DataType::Float64 => Word::Long(super::canonical_f64(array.as_primitive::<Float64Type>().value(row)).to_bits() as i64),
        DataType::Utf8 => Word::Bytes(array.as_string::<i32>().value(row).as_bytes()),
        DataType::Binary => Word::Bytes(array.as_binary::<i32>().value(row)),
        DataType::Decimal128(precision, _) => {
            let value = array.as_primitive::<Decimal128Type>().value(row);
            match i64::try_from(value) {
                Ok(short) if *precision <= 18 => Word::Long(short),
                _ => Word::Owned(shortest(value)),
            }
        }
        other => return Err(error(format!("values of type {other} cannot be hashed"))),
    })
}

/// The shortest two's complement, most significant byte first.
fn shortest(value: i128) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let sign = if value < 0 { 0xff } else { 0 };
    let is_needless = |i: usize| bytes[i] == sign && (bytes[i + 1] & 0x80) == (sign & 0x80);
    let start = (0..15).find(|i| !is_needless(*i)).unwrap_or(15);
    bytes[start..].to_vec()
}

fn murmur3(args: &[ArrayRef]) -> Out {
    let rows = args.first().map_or(1, |a| a.len());
    let mut out = Vec::with_capacity(rows);
    for row in 0..rows {
        let mut hash = SEED;
        for array in args.iter().filter(|a| a.is_valid(row)) {
            hash = match word(array, row)? {
                Word::Int(v) => murmur_int(v as u32, hash),
                Word::Long(v) => murmur_long(v as u64, hash),
                Word::Bytes(bytes) => murmur_bytes(bytes, hash),
                Word::Owned(bytes) => murmur_bytes(&bytes, hash),
            };
        }
        out.push(hash as i32);
    }
    Ok(Arc::new(Int32Array::from(out)))
}

fn mix_k1(k: u32) -> u32 {
    k.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593)
}
fn mix_h1(h: u32, k: u32) -> u32 {
    (h ^ k).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
}
fn finish(h: u32, length: u32) -> u32 {
    let h = h ^ length;
    let h = (h ^ h >> 16).wrapping_mul(0x85eb_ca6b);
    let h = (h ^ h >> 13).wrapping_mul(0xc2b2_ae35);
    h ^ h >> 16
}
fn murmur_int(value: u32, seed: u32) -> u32 {
    finish(mix_h1(seed, mix_k1(value)), 4)
}
fn murmur_long(value: u64, seed: u32) -> u32 {
    finish(mix_h1(mix_h1(seed, mix_k1(value as u32)), mix_k1((value >> 32) as u32)), 8)
}
/// Spark mixes the bytes that do not fill a word one by one, with their signs.
fn murmur_bytes(bytes: &[u8], seed: u32) -> u32 {
    let mut words = bytes.chunks_exact(4);
    let mut h = words.by_ref().fold(seed, |h, w| mix_h1(h, mix_k1(u32::from_le_bytes([w[0], w[1], w[2], w[3]]))));
    for b in words.remainder() {
        h = mix_h1(h, mix_k1(*b as i8 as i32 as u32));
    }
    finish(h, bytes.len() as u32)
}

const P1: u64 = 0x9E37_79B1_85EB_CA87;
const P2: u64 = 0xC2B2_AE3D_27D4_EB4F;
const P3: u64 = 0x1656_67B1_9E37_79F9;
const P4: u64 = 0x85EB_CA77_C2B2_AE63;
const P5: u64 = 0x27D4_EB2F_1656_67C5;

fn xxhash64(args: &[ArrayRef]) -> Out {
    let rows = args.first().map_or(1, |a| a.len());
    let mut out = Vec::with_capacity(rows);
    for row in 0..rows {
        let mut hash = u64::from(SEED);
        for array in args.iter().filter(|a| a.is_valid(row)) {
            hash = match word(array, row)? {
                Word::Int(v) => xx_int(v as u32, hash),
                Word::Long(v) => xx_long(v as u64, hash),
                Word::Bytes(bytes) => xx_bytes(bytes, hash),
                Word::Owned(bytes) => xx_bytes(&bytes, hash),
            };
        }
        out.push(hash as i64);
    }
    Ok(Arc::new(Int64Array::from(out)))
}

fn xx_finish(h: u64) -> u64 {
    let h = (h ^ h >> 33).wrapping_mul(P2);
    let h = (h ^ h >> 29).wrapping_mul(P3);
    h ^ h >> 32
}
fn xx_four(h: u64, value: u32) -> u64 {
    (h ^ u64::from(value).wrapping_mul(P1)).rotate_left(23).wrapping_mul(P2).wrapping_add(P3)
}
fn xx_eight(h: u64, value: u64) -> u64 {
    (h ^ value.wrapping_mul(P2).rotate_left(31).wrapping_mul(P1)).rotate_left(27).wrapping_mul(P1).wrapping_add(P4)
}
fn xx_int(value: u32, seed: u64) -> u64 {
    xx_finish(xx_four(seed.wrapping_add(P5).wrapping_add(4), value))
}
fn xx_long(value: u64, seed: u64) -> u64 {
    xx_finish(xx_eight(seed.wrapping_add(P5).wrapping_add(8), value))
}
fn xx_bytes(bytes: &[u8], seed: u64) -> u64 {
    let eight = |b: &[u8]| u64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]);
    let mut stripes = bytes.chunks_exact(32);
    let mut h = if bytes.len() >= 32 {
        let mut v = [seed.wrapping_add(P1).wrapping_add(P2), seed.wrapping_add(P2), seed, seed.wrapping_sub(P1)];
        for stripe in stripes.by_ref() {
            for (lane, b) in v.iter_mut().zip(stripe.chunks_exact(8)) {
                *lane = lane.wrapping_add(eight(b).wrapping_mul(P2)).rotate_left(31).wrapping_mul(P1);
            }
        }
        let mut h =
            v[0].rotate_left(1).wrapping_add(v[1].rotate_left(7)).wrapping_add(v[2].rotate_left(12)).wrapping_add(v[3].rotate_left(18));
        for lane in v {
            h = (h ^ lane.wrapping_mul(P2).rotate_left(31).wrapping_mul(P1)).wrapping_mul(P1).wrapping_add(P4);
        }
        h
    } else {
        seed.wrapping_add(P5)
    };
    h = h.wrapping_add(bytes.len() as u64);
    let mut words = stripes.remainder().chunks_exact(8);
    h = words.by_ref().fold(h, |h, b| xx_eight(h, eight(b)));
    let mut rest = words.remainder();
    if rest.len() >= 4 {
        h = xx_four(h, u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]));
        rest = &rest[4..];
    }
    for b in rest {
        h = (h ^ u64::from(*b).wrapping_mul(P5)).rotate_left(11).wrapping_mul(P1);
    }
    xx_finish(h)
}
