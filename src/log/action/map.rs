//! A small sorted map of texts. Kind: shape. Spec: ACT.
//!
//! A node of a tree map has room for eleven entries; the partition values of a file are one or two, and a tail holds such a map for
//! every file. Invariant: keys ascend, each once.

use serde::{Serialize, Serializer};

/// String map of the log whose values may be null, in the order of its keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct NullableMap(Vec<(String, Option<String>)>);

impl NullableMap {
    pub fn new() -> Self {
        NullableMap(Vec::new())
    }
    pub fn len(&self) -> usize {
        self.0.len()
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// The value of a key, which may be null; `None` when there is no such key.
    pub fn get(&self, key: &str) -> Option<&Option<String>> {
        self.at(key).ok().map(|i| &self.0[i].1)
    }
    pub fn contains_key(&self, key: &str) -> bool {
        self.at(key).is_ok()
    }
    /// Sets a value; gives back the one that it replaces.
    pub fn insert(&mut self, key: String, value: Option<String>) -> Option<Option<String>> {
        match self.at(&key) {
            Ok(i) => Some(std::mem::replace(&mut self.0[i].1, value)),
            Err(i) => {
                self.0.insert(i, (key, value));
                None
            }
        }
    }
    pub fn remove(&mut self, key: &str) -> Option<Option<String>> {
        self.at(key).ok().map(|i| self.0.remove(i).1)
    }
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&String, &Option<String>)> {
        self.0.iter().map(|(key, value)| (key, value))
    }
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &String> {
        self.0.iter().map(|(key, _)| key)
    }
    fn at(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.as_str().cmp(key))
    }
}

impl FromIterator<(String, Option<String>)> for NullableMap {
    /// Of a key that comes twice the last value counts.
    fn from_iter<I: IntoIterator<Item = (String, Option<String>)>>(entries: I) -> Self {
        let mut entries: Vec<_> = entries.into_iter().collect();
        entries.reverse();
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        entries.dedup_by(|later, kept| later.0 == kept.0);
        entries.shrink_to_fit();
        NullableMap(entries)
    }
}

impl<const N: usize> From<[(String, Option<String>); N]> for NullableMap {
    fn from(entries: [(String, Option<String>); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl IntoIterator for NullableMap {
    type Item = (String, Option<String>);
    type IntoIter = std::vec::IntoIter<Self::Item>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a NullableMap {
    type Item = (&'a String, &'a Option<String>);
    type IntoIter = std::iter::Map<std::slice::Iter<'a, (String, Option<String>)>, fn(&'a (String, Option<String>)) -> Self::Item>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(|(key, value)| (key, value))
    }
}

impl Serialize for NullableMap {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self)
    }
}

#[cfg(test)]
#[path = "map_tests.rs"]
mod tests;
