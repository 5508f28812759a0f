//! What foreign writers leave out or write as null, read the way Spark reads it. Kind: pure. Spec: ACT.

use super::{NullableMap, StringMap};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use std::fmt;

/// `null` means the default, as a missing field does.
pub(super) fn null_as_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(d: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(d)?.unwrap_or_default())
}

pub(super) fn yes() -> bool {
    true
}

/// The schema of metadata that has none.
pub(super) fn no_columns() -> String {
    r#"{"type":"struct","fields":[]}"#.to_owned()
}

/// A map of texts; `null` is the empty map.
pub(super) fn text_map<'de, D: Deserializer<'de>>(d: D) -> Result<NullableMap, D::Error> {
    Ok(text_map_option(d)?.unwrap_or_default())
}

/// A map of texts; numbers and booleans become their text.
pub(super) fn text_map_option<'de, D: Deserializer<'de>>(d: D) -> Result<Option<NullableMap>, D::Error> {
    d.deserialize_option(TextMap)
}

/// A map of texts; entries that are `null` say nothing.
pub(super) fn without_nulls<'de, D: Deserializer<'de>>(d: D) -> Result<StringMap, D::Error> {
    Ok(text_map(d)?.into_iter().filter_map(|(k, v)| Some((k, v?))).collect())
}

impl<'de> Deserialize<'de> for NullableMap {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        text_map(d)
    }
}

struct TextMap;

impl<'de> Visitor<'de> for TextMap {
    type Value = Option<NullableMap>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of strings")
    }
    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<Self::Value, D::Error> {
        d.deserialize_map(self)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::with_capacity(1);
        while let Some((key, Text(value))) = map.next_entry()? {
            entries.push((key, value));
        }
        Ok(Some(entries.into_iter().collect()))
    }
}

struct Text(Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = Text;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or null")
    }
    fn visit_str<E>(self, v: &str) -> Result<Text, E> {
        Ok(Text(Some(v.to_owned())))
    }
    fn visit_unit<E>(self) -> Result<Text, E> {
        Ok(Text(None))
    }
    fn visit_bool<E>(self, v: bool) -> Result<Text, E> {
        Ok(Text(Some(v.to_string())))
    }
    fn visit_i64<E>(self, v: i64) -> Result<Text, E> {
        Ok(Text(Some(v.to_string())))
    }
    fn visit_u64<E>(self, v: u64) -> Result<Text, E> {
        Ok(Text(Some(v.to_string())))
    }
    fn visit_f64<E>(self, v: f64) -> Result<Text, E> {
        Ok(Text(Some(v.to_string())))
    }
}
