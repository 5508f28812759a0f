//! Storage options as the user gave them. Kind: shape. Spec: STO.

use std::collections::BTreeMap;

/// What an acknowledged local write survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A power cut: files and folders are synced before a write is acknowledged.
    #[default]
    Full,
    /// The end of the process, but not a power cut.
    Fast,
}

/// Options of a store as the user gave them: any spelling and case; unknown keys warn.
#[derive(Clone, Default)]
pub struct StorageOptions {
    pub(super) values: BTreeMap<String, String>,
    pub(super) allowed_roots: Vec<String>,
    pub(super) durability: Durability,
}

impl StorageOptions {
    /// No options.
    pub fn new() -> Self {
        Self::default()
    }
    /// The same with one more option. A later value replaces an earlier one.
    pub fn set(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.values.insert(key.into(), value.into());
        self
    }
    /// The same with one more root, besides the table's, that paths of the log may lead to.
    pub fn allow_root(mut self, url: impl Into<String>) -> Self {
        self.allowed_roots.push(url.into());
        self
    }
    /// The same with another durability of local writes.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }
}
