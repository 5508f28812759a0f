//! Spark's metrics of an optimisation, from the sizes of files. Kind: pure. Spec: OPT.

use crate::log::Add;
use serde_json::{Map, Value};

/// Files that went and came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sizes {
    added: Vec<i64>,
    removed: Vec<i64>,
    vectors_removed: u64,
}

impl Sizes {
    /// Counts a group.
    pub(super) fn count(&mut self, removed: &[Add], added: &[Add]) {
        self.added.extend(added.iter().map(|add| add.size));
        self.removed.extend(removed.iter().map(|file| file.size));
        self.vectors_removed += removed.iter().filter(|file| file.deletion_vector.is_some()).count() as u64;
    }
    /// In Spark's keys. Sizes are those of added files; there are none when none was added.
    pub(crate) fn metrics(&self) -> Map<String, Value> {
        let mut sorted = self.added.clone();
        sorted.sort_unstable();
        let counts = [
            ("numAddedFiles", self.added.len() as i64),
            ("numRemovedFiles", self.removed.len() as i64),
            ("numAddedBytes", self.added.iter().sum()),
            ("numRemovedBytes", self.removed.iter().sum()),
            ("numDeletionVectorsRemoved", i64::try_from(self.vectors_removed).unwrap_or(i64::MAX)),
        ];
        let at = |quarters: usize| sorted.get((sorted.len() * quarters / 4).min(sorted.len().saturating_sub(1))).copied().unwrap_or(0);
        let sizes =
            [("minFileSize", at(0)), ("p25FileSize", at(1)), ("p50FileSize", at(2)), ("p75FileSize", at(3)), ("maxFileSize", at(4))];
        counts.into_iter().chain(sizes).map(|(key, value)| (key.to_owned(), value.into())).collect()
    }
}

#[cfg(test)]
#[path = "sizes_tests.rs"]
mod tests;
