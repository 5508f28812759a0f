//! The protocol and metadata of new tables, and what a change of schema adds to them. Kind: pure. Spec: FEA.

use super::drafts::TableDraft;
use super::state::is_same_key;

impl TableDraft<'_> {
    /// A property, `delta.` keys in any case.
    pub(super) fn property(&self, key: &str) -> Option<&str> {
        self.properties.iter().find(|(other, _)| is_same_key(key, other)).map(|(_, value)| value.as_str())
    }
    pub(super) fn set_property(&mut self, key: &str, value: String) {
        self.properties.retain(|other, _| !is_same_key(key, other));
        self.properties.insert(key.to_owned(), value);
    }
}
