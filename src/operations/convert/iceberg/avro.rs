//! Object container files of Avro, as far as Iceberg's manifests need them. Kind: pure. Spec: ICV.
//!
//! Fields are known by the ids that Iceberg gives them, not by their names. Invariant: what a file may make the decoder hold or do is bounded by
//! its own bytes and by `BLOCK_MAX`; whatever is damaged is an error.

use crate::error::{Code, Error, Result};
use flate2::read::DeflateDecoder;
use serde_json::Value as Json;
use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

/// The largest block, decompressed.
const BLOCK_MAX: u64 = 256 << 20;
/// How deep types may be nested.
const DEPTH_MAX: usize = 32;
/// Values that one byte of a block may stand for: some take no byte at all.
const VALUES_PER_BYTE: u64 = 16;

#[derive(Debug)]
enum Type {
    Null,
    Boolean,
    /// `int` and `long` are written alike.
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(usize),
    Enum,
    Array(Arc<Type>),
    Map(Arc<Type>),
    Union(Vec<Arc<Type>>),
    Record(Vec<(Option<i64>, Arc<Type>)>),
}

/// A decoded value. Lists and maps are read over: nothing that is needed stands in one.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Boolean(bool),
    Long(i64),
    Float(f32),
    Double(f64),
    Bytes(Vec<u8>),
    String(String),
    Record(Vec<(Option<i64>, Value)>),
    Passed,
}

impl Value {
    /// The field of this id; null when there is none.
    pub(super) fn field(&self, id: i64) -> &Value {
        self.known_field(id).unwrap_or(&Value::Null)
    }
    /// The field of this id.
    pub(super) fn known_field(&self, id: i64) -> Option<&Value> {
        let Value::Record(fields) = self else { return None };
        fields.iter().find(|(field, _)| *field == Some(id)).map(|(_, value)| value)
    }
    pub(super) fn long(&self) -> Option<i64> {
        if let Value::Long(value) = self { Some(*value) } else { None }
    }
    pub(super) fn text(&self) -> Option<&str> {
        if let Value::String(text) = self { Some(text) } else { None }
    }
}

pub(super) fn damaged(why: impl std::fmt::Display) -> Error {
    Error::new(Code::FILE, format!("a manifest of the Iceberg table cannot be decoded: {why}")).help("restore the file from a copy")
}

/// Hands every record of a file to `each`.
pub(super) fn records(file: &[u8], mut each: impl FnMut(Value) -> Result<()>) -> Result<()> {
    let mut input = Cursor { bytes: file, values: u64::MAX };
    if input.take(4)? != b"Obj\x01" {
        return Err(damaged("it is no Avro file"));
    }
    let (mut schema, mut codec) = (None, None);
    loop {
        let count = input.count()?;
        if count == 0 {
            break;
        }
        for _ in 0..count {
            let (key, value) = (input.bytes()?, input.bytes()?);
            match key {
                b"avro.schema" => schema = Some(value),
                b"avro.codec" => codec = Some(value),
                _ => {}
            }
        }
    }
    let sync = input.take(16)?;
    let schema: Json = serde_json::from_slice(schema.ok_or_else(|| damaged("it has no schema"))?).map_err(damaged)?;
    let schema = parse(&schema, &mut HashMap::new(), 0)?;
    while !input.bytes.is_empty() {
        let count = input.long()?;
        let block = input.bytes()?;
        let unpacked;
        let block = match codec {
            None | Some(b"null") => block,
            Some(b"deflate") => {
                unpacked = inflated(block)?;
                &unpacked
            }
            Some(other) => {
                let codec = String::from_utf8_lossy(other).into_owned();
                return Err(Error::new(Code::FEATURE_READ, format!("a manifest is compressed by {codec}, which this build does not read"))
                    .with("features", format!("iceberg manifests in {codec}"))
                    .help("rewrite the manifests with the codec gzip, then convert"));
            }
        };
        let mut values = Cursor { bytes: block, values: (block.len() as u64 + 1).saturating_mul(VALUES_PER_BYTE) };
        for _ in 0..count {
            each(values.value(&schema)?)?;
        }
        if !values.bytes.is_empty() || input.take(16)? != sync {
            return Err(damaged("a block does not end where it must"));
        }
    }
    Ok(())
}

fn inflated(block: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    DeflateDecoder::new(block).take(BLOCK_MAX + 1).read_to_end(&mut out).map_err(damaged)?;
    if out.len() as u64 > BLOCK_MAX {
        return Err(Error::new(Code::LIMIT, format!("a block of a manifest has more than {BLOCK_MAX} bytes")));
    }
    Ok(out)
}

/// A type; those that have a name can be named again after they are complete.
fn parse(json: &Json, named: &mut HashMap<String, Arc<Type>>, depth: usize) -> Result<Arc<Type>> {
    if depth > DEPTH_MAX {
        return Err(damaged("its types are nested too deep"));
    }
    let kind = match json {
        Json::Array(branches) => {
            let branches = branches.iter().map(|branch| parse(branch, named, depth + 1)).collect::<Result<_>>()?;
            return Ok(Arc::new(Type::Union(branches)));
        }
        Json::String(kind) => kind,
        Json::Object(object) => match object.get("type") {
            Some(Json::String(kind)) => kind,
            Some(inner) => return parse(inner, named, depth + 1),
            None => return Err(damaged("a type has no kind")),
        },
        _ => return Err(damaged("a type is none")),
    };
    let inner = |key: &str, named: &mut HashMap<String, Arc<Type>>| {
        parse(json.get(key).ok_or_else(|| damaged(format!("a type has no {key}")))?, named, depth + 1)
    };
    let parsed = Arc::new(match kind.as_str() {
        "null" => Type::Null,
        "boolean" => Type::Boolean,
        "int" | "long" => Type::Long,
        "float" => Type::Float,
        "double" => Type::Double,
        "bytes" => Type::Bytes,
        "string" => Type::String,
        "enum" => Type::Enum,
        "fixed" => {
            let size = json.get("size").and_then(Json::as_u64).and_then(|size| usize::try_from(size).ok());
            Type::Fixed(size.ok_or_else(|| damaged("a fixed type has no size"))?)
        }
        "array" => Type::Array(inner("items", named)?),
        "map" => Type::Map(inner("values", named)?),
        "record" => {
            let fields = json.get("fields").and_then(Json::as_array).ok_or_else(|| damaged("a record has no fields"))?;
            let of = |field: &Json, named: &mut HashMap<String, Arc<Type>>| {
                let data_type = parse(field.get("type").ok_or_else(|| damaged("a field has no type"))?, named, depth + 1)?;
                Ok::<_, Error>((field.get("field-id").and_then(Json::as_i64), data_type))
            };
            Type::Record(fields.iter().map(|field| of(field, named)).collect::<Result<_>>()?)
        }
        name => return named.get(name).cloned().ok_or_else(|| damaged(format!("the type {name} is not known"))),
    });
    if let Some(name) = json.get("name").and_then(Json::as_str) {
        named.insert(name.to_owned(), Arc::clone(&parsed));
    }
    Ok(parsed)
}

/// What is left of a file or block, and how many values it may still hold.
struct Cursor<'a> {
    bytes: &'a [u8],
    values: u64,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(n).ok_or_else(|| damaged("it ends early"))?;
        self.bytes = rest;
        Ok(taken)
    }
    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N)?.try_into().map_err(damaged)
    }
    fn long(&mut self) -> Result<i64> {
        let mut raw = 0u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            raw |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((raw >> 1) as i64 ^ -((raw & 1) as i64));
            }
        }
        Err(damaged("a number is too long"))
    }
    fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.long()?;
        self.take(usize::try_from(length).map_err(|_| damaged("a length is negative"))?)
    }
    /// How many items the next block of a list or map has.
    fn count(&mut self) -> Result<u64> {
        let count = self.long()?;
        if count < 0 {
            // The size of the block in bytes follows.
            self.long()?;
        }
        Ok(count.unsigned_abs())
    }
    fn value(&mut self, of: &Type) -> Result<Value> {
        self.values = self.values.checked_sub(1).ok_or_else(|| damaged("it holds more values than bytes allow"))?;
        Ok(match of {
            Type::Null => Value::Null,
            Type::Boolean => Value::Boolean(self.array::<1>()? != [0]),
            Type::Long | Type::Enum => Value::Long(self.long()?),
            Type::Float => Value::Float(f32::from_le_bytes(self.array()?)),
            Type::Double => Value::Double(f64::from_le_bytes(self.array()?)),
            Type::Bytes => Value::Bytes(self.bytes()?.to_vec()),
            Type::Fixed(size) => Value::Bytes(self.take(*size)?.to_vec()),
            Type::String => Value::String(String::from_utf8(self.bytes()?.to_vec()).map_err(damaged)?),
            Type::Array(items) => self.pass(items, false)?,
            Type::Map(values) => self.pass(values, true)?,
            Type::Union(branches) => {
                let branch = usize::try_from(self.long()?).ok().and_then(|at| branches.get(at));
                self.value(branch.ok_or_else(|| damaged("a union has no such branch"))?)?
            }
            Type::Record(fields) => Value::Record(fields.iter().map(|(id, field)| Ok((*id, self.value(field)?))).collect::<Result<_>>()?),
        })
    }
    fn pass(&mut self, items: &Type, keyed: bool) -> Result<Value> {
        loop {
            let count = self.count()?;
            if count == 0 {
                return Ok(Value::Passed);
            }
            for _ in 0..count {
                if keyed {
                    self.bytes()?;
                }
                self.value(items)?;
            }
        }
    }
}

#[cfg(test)]
#[path = "avro_tests.rs"]
mod tests;
