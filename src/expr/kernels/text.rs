//! Functions of text. Characters are Unicode code points, as Spark counts them. Kind: pure. Spec: EXP.

use super::rows::{self, Builtin, Out, each, error};
use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, Int32Array, ListArray, StringArray};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type};
use md5::{Digest, Md5};
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

/// What one row may make of a few characters.
const BYTES_MAX: usize = 1 << 28;

pub(super) static ALL: &[Builtin] = &[
    Builtin { name: "initcap", returns: rows::text, run: |a| map(a, |t| Some(initcap(t))) },
    Builtin { name: "reverse", returns: rows::text, run: |a| map(a, |t| Some(t.chars().rev().collect())) },
    Builtin { name: "locate", returns: rows::int, run: locate },
    Builtin { name: "lpad", returns: rows::text, run: |a| pad(a, true) },
    Builtin { name: "rpad", returns: rows::text, run: |a| pad(a, false) },
    Builtin { name: "translate", returns: rows::text, run: translate },
    Builtin { name: "repeat", returns: rows::text, run: repeat },
    Builtin { name: "concat_ws", returns: rows::text, run: concat_ws },
    Builtin { name: "split_text", returns: list_of_text, run: split },
    Builtin { name: "split_part", returns: rows::text, run: split_part },
    Builtin { name: "substring_index", returns: rows::text, run: substring_index },
    Builtin {
        name: "ascii",
        returns: rows::int,
        run: |a| each::<i32, Int32Array>(a, |r| Ok(Some(str_at(a, 0, r).chars().next().map_or(0, |c| c as i32)))),
    },
    Builtin { name: "chr", returns: rows::text, run: chr },
    Builtin { name: "hex_text", returns: rows::text, run: |a| each::<String, StringArray>(a, |r| Ok(Some(hex(bytes_at(a, r))))) },
    Builtin {
        name: "hex_number",
        returns: rows::text,
        run: |a| each::<String, StringArray>(a, |r| Ok(Some(format!("{:X}", a[0].as_primitive::<Int64Type>().value(r))))),
    },
    Builtin { name: "unhex", returns: rows::binary, run: unhex },
    Builtin {
        name: "bin",
        returns: rows::text,
        run: |a| each::<String, StringArray>(a, |r| Ok(Some(format!("{:b}", a[0].as_primitive::<Int64Type>().value(r))))),
    },
    Builtin { name: "base64", returns: rows::text, run: |a| each::<String, StringArray>(a, |r| Ok(Some(base64(bytes_at(a, r))))) },
    Builtin {
        name: "md5",
        returns: rows::text,
        run: |a| each::<String, StringArray>(a, |r| Ok(Some(hex(&Md5::digest(bytes_at(a, r))).to_lowercase()))),
    },
    Builtin {
        name: "crc32",
        returns: rows::long,
        run: |a| each::<i64, arrow::array::Int64Array>(a, |r| Ok(Some(i64::from(crc32fast::hash(bytes_at(a, r)))))),
    },
    Builtin { name: "levenshtein", returns: rows::int, run: levenshtein },
];

fn list_of_text(_: &[DataType]) -> Option<DataType> {
    Some(DataType::List(Arc::new(Field::new("element", DataType::Utf8, true))))
}

fn str_at(args: &[ArrayRef], arg: usize, row: usize) -> &str {
    args[arg].as_string::<i32>().value(row)
}
fn int_at(args: &[ArrayRef], arg: usize, row: usize) -> i32 {
    args[arg].as_primitive::<Int32Type>().value(row)
}
fn bytes_at(args: &[ArrayRef], row: usize) -> &[u8] {
    args[0].as_binary::<i32>().value(row)
}
fn map(args: &[ArrayRef], f: fn(&str) -> Option<String>) -> Out {
    each::<String, StringArray>(args, |row| Ok(f(str_at(args, 0, row))))
}
fn bounded(bytes: Option<usize>) -> Result<(), arrow::error::ArrowError> {
    if bytes.is_some_and(|n| n <= BYTES_MAX) { Ok(()) } else { Err(error(format!("a text would have more than {BYTES_MAX} bytes"))) }
}

/// Words begin after blanks only.
fn initcap(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut first = true;
    for c in text.chars() {
        if first {
            // Of a letter that becomes two, only the first is a capital.
            let mut upper = c.to_uppercase();
            out.extend(upper.next());
            out.extend(upper.flat_map(char::to_lowercase));
        } else {
            out.extend(c.to_lowercase());
        }
        first = c == ' ';
    }
    out
}

/// `locate(part, text, from)`: where the part begins, 0 when nowhere.
fn locate(args: &[ArrayRef]) -> Out {
    each::<i32, Int32Array>(args, |row| {
        let (part, text, from) = (str_at(args, 0, row), str_at(args, 1, row), int_at(args, 2, row));
        let Some(skipped) = usize::try_from(from).ok().filter(|n| *n > 0).map(|n| n - 1) else { return Ok(Some(0)) };
        if part.is_empty() {
            return Ok(Some(1));
        }
        let Some(start) = text.char_indices().map(|(i, _)| i).chain([text.len()]).nth(skipped) else { return Ok(Some(0)) };
        let found = text[start..].find(part).map(|at| skipped + text[start..start + at].chars().count() + 1);
        Ok(Some(found.and_then(|n| i32::try_from(n).ok()).unwrap_or(0)))
    })
}

fn pad(args: &[ArrayRef], left: bool) -> Out {
    each::<String, StringArray>(args, |row| {
        let (text, length, pad) = (str_at(args, 0, row), int_at(args, 1, row), str_at(args, 2, row));
        let length = usize::try_from(length).unwrap_or(0);
        let has = text.chars().count();
        if has >= length || pad.is_empty() {
            return Ok(Some(text.chars().take(length).collect()));
        }
        bounded(length.checked_mul(4))?;
        let filling = pad.chars().cycle().take(length - has);
        Ok(Some(if left { filling.chain(text.chars()).collect() } else { text.chars().chain(filling).collect() }))
    })
}

fn translate(args: &[ArrayRef]) -> Out {
    each::<String, StringArray>(args, |row| {
        let (text, from, to) = (str_at(args, 0, row), str_at(args, 1, row), str_at(args, 2, row));
        let mut table: HashMap<char, Option<char>> = HashMap::new();
        let mut to = to.chars();
        for c in from.chars() {
            let other = to.next();
            table.entry(c).or_insert(other);
        }
        Ok(Some(text.chars().filter_map(|c| table.get(&c).copied().unwrap_or(Some(c))).collect()))
    })
}

fn repeat(args: &[ArrayRef]) -> Out {
    each::<String, StringArray>(args, |row| {
        let (text, times) = (str_at(args, 0, row), usize::try_from(int_at(args, 1, row)).unwrap_or(0));
        bounded(text.len().checked_mul(times))?;
        Ok(Some(text.repeat(times)))
    })
}

/// Nulls are left out; only a separator that is null makes the whole null.
fn concat_ws(args: &[ArrayRef]) -> Out {
    each::<String, StringArray>(&args[..1], |row| {
        let parts = args[1..].iter().filter(|a| a.is_valid(row)).map(|a| a.as_string::<i32>().value(row));
        Ok(Some(parts.collect::<Vec<_>>().join(str_at(args, 0, row))))
    })
}

/// `split(text, separator, limit)` by plain text.
fn split(args: &[ArrayRef]) -> Out {
    let (mut offsets, mut values, mut valid) = (vec![0i32], Vec::new(), Vec::new());
    for row in 0..args[0].len() {
        let null = args.iter().any(|a| a.is_null(row));
        valid.push(!null);
        if !null {
            let (text, separator, limit) = (str_at(args, 0, row), str_at(args, 1, row), int_at(args, 2, row));
            let limit = usize::try_from(limit).ok().filter(|n| *n > 0).unwrap_or(usize::MAX);
            values.extend(text.splitn(limit, separator).map(str::to_owned));
        }
        offsets.push(i32::try_from(values.len()).map_err(|_| error("too many parts"))?);
    }
    let field = Arc::new(Field::new("element", DataType::Utf8, true));
    let values = Arc::new(StringArray::from_iter_values(values));
    Ok(Arc::new(ListArray::try_new(field, OffsetBuffer::new(ScalarBuffer::from(offsets)), values, Some(valid.into()))?))
}

/// The n-th part, from the end when n is negative; beyond the parts it is empty.
fn split_part(args: &[ArrayRef]) -> Out {
    each::<String, StringArray>(args, |row| {
        let (text, separator, at) = (str_at(args, 0, row), str_at(args, 1, row), int_at(args, 2, row));
        if at == 0 {
            return Err(error("`split_part` counts from 1"));
        }
        if separator.is_empty() {
            return Ok(Some(if at == 1 || at == -1 { text.to_owned() } else { String::new() }));
        }
        let skipped = at.unsigned_abs() as usize - 1;
        let part = if at > 0 { text.split(separator).nth(skipped) } else { text.rsplit(separator).nth(skipped) };
        Ok(Some(part.unwrap_or_default().to_owned()))
    })
}

/// What stands before the n-th separator, or after the n-th from the end.
fn substring_index(args: &[ArrayRef]) -> Out {
    each::<String, StringArray>(args, |row| {
        let (text, separator, count) = (str_at(args, 0, row), str_at(args, 1, row), int_at(args, 2, row));
        if separator.is_empty() || count == 0 {
            return Ok(Some(String::new()));
        }
        let nth = count.unsigned_abs() as usize - 1;
        Ok(Some(if count > 0 {
            text.match_indices(separator).nth(nth).map_or(text, |(at, _)| &text[..at]).to_owned()
        } else {
            text.rmatch_indices(separator).nth(nth).map_or(text, |(at, found)| &text[at + found.len()..]).to_owned()
        }))
    })
}

fn chr(args: &[ArrayRef]) -> Out {
    each::<String, StringArray>(args, |row| {
        let code = args[0].as_primitive::<Int64Type>().value(row);
        Ok(Some(if code < 0 { String::new() } else { char::from((code & 0xff) as u8).to_string() }))
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        let _ = write!(out, "{b:02X}");
        out
    })
}

fn unhex(args: &[ArrayRef]) -> Out {
    let rows: Vec<Option<Vec<u8>>> =
        (0..args[0].len()).map(|row| args[0].is_valid(row).then(|| crate::expr::coerce::hex(str_at(args, 0, row))).flatten()).collect();
    Ok(Arc::new(BinaryArray::from_iter(rows)))
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, b| word << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let digit = ALPHABET[(word >> (18 - 6 * i) & 63) as usize];
            out.push(if i <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

fn levenshtein(args: &[ArrayRef]) -> Out {
    each::<i32, Int32Array>(args, |row| {
        let distance = datafusion_common::utils::datafusion_strsim::levenshtein(str_at(args, 0, row), str_at(args, 1, row));
        Ok(i32::try_from(distance).ok())
    })
}
