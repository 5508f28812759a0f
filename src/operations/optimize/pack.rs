//! Small files are joined, and files are written without their deleted rows. Kind: pure. Spec: OPT.
//!
//! How large a file will be that others are joined to cannot be known before: rows of many files share dictionaries. So a file that was
//! made here says for which size (Spark's tag), and counts as settled: it is taken along when others are joined, but is no reason to
//! join any. Invariant: after a run there is nothing to do. Settled files give no reason, and files that are not, and were left alone,
//! do not fit into one bin two by two.

use super::bins::Bins;
use crate::log::Add;
use serde::{Deserialize, Serialize};

/// Spark's name of the tag that says for which size a file was made.
const TARGET_TAG: &str = "OPTIMIZE_TARGET_SIZE";
/// A file more of whose rows are deleted, in percent, is written without them.
const DELETED_PERCENT_MAX: u64 = 5;

/// Which files are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Pack {
    /// Small ones, and those of which many rows are deleted.
    Small,
    /// Those that have deleted rows.
    Purge,
    /// All that are given.
    Every,
}

/// What is to become of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// It stays.
    None,
    /// It is taken along.
    Settled,
    /// It is joined to another one.
    Small,
    /// It is rewritten, alone if need be.
    Must,
}

impl Pack {
    /// Files that are rewritten together, with the reason.
    pub(super) fn divide(self, files: Vec<Add>, target: u64) -> Vec<(Vec<Add>, &'static str)> {
        let needs: Vec<Need> = files.iter().map(|file| self.need(file, target)).collect();
        let with = |need: &'static [Need]| (0..needs.len()).filter(|i| need.contains(&needs[*i]));
        let mut bins = Bins::new(target);
        with(&[Need::Small, Need::Must]).for_each(|i| bins.put(i, living_bytes(&files[i])));
        let is_must = |bin: &[usize]| bin.iter().any(|i| needs[*i] == Need::Must);
        bins.keep(|bin| bin.len() > 1 || is_must(bin));
        with(&[Need::Settled]).for_each(|i| _ = bins.join(i, living_bytes(&files[i])));
        let groups: Vec<(Vec<usize>, bool)> = bins
            .bins
            .into_iter()
            .filter(|bin| !bin.is_empty())
            .map(|mut bin| {
                bin.sort_unstable();
                let must = is_must(&bin);
                (bin, must)
            })
            .collect();
        let mut files: Vec<Option<Add>> = files.into_iter().map(Some).collect();
        let group = |(bin, must): (Vec<usize>, bool)| {
            let reason = match (self, must) {
                (Pack::Every, _) => "is written anew",
                (_, true) => "has deleted rows, or is joined to one that has",
                _ => "is joined to others",
            };
            (bin.into_iter().filter_map(|i| files[i].take()).collect(), reason)
        };
        groups.into_iter().map(group).collect()
    }
    fn need(self, file: &Add, target: u64) -> Need {
        let deleted = file.deletion_vector.as_ref().map_or(0, |v| u64::try_from(v.cardinality).unwrap_or(0));
        let rows = file.num_records().and_then(|n| u64::try_from(n).ok());
        let many = rows.is_none_or(|rows| deleted.saturating_mul(100) > rows.saturating_mul(DELETED_PERCENT_MAX));
        match self {
            Pack::Every => Need::Must,
            Pack::Purge if file.deletion_vector.is_some() => Need::Must,
            Pack::Purge => Need::None,
            Pack::Small if file.deletion_vector.is_some() && many => Need::Must,
            Pack::Small if size(file) >= target => Need::None,
            Pack::Small if is_settled(file, target) => Need::Settled,
            Pack::Small => Need::Small,
        }
    }
}

/// Notes for which size a file was made.
pub(super) fn settle(file: &mut Add, target: u64) {
    file.tags.get_or_insert_default().insert(TARGET_TAG.to_owned(), Some(target.to_string()));
}

/// Whether it was made for this size.
pub(super) fn is_settled(file: &Add, target: u64) -> bool {
    let tag = file.tags.as_ref().and_then(|tags| tags.get(TARGET_TAG)?.as_deref());
    tag.and_then(|text| text.parse().ok()) == Some(target)
}

fn size(file: &Add) -> u64 {
    u64::try_from(file.size).unwrap_or(0)
}

/// Rows that are alive, where the file says how many it has.
pub(super) fn living_rows(file: &Add) -> Option<u64> {
    let deleted = file.deletion_vector.as_ref().map_or(0, |v| v.cardinality.max(0));
    file.num_records().map(|rows| rows.saturating_sub(deleted).max(0).unsigned_abs())
}

/// Bytes of the rows that are alive, as far as the log can tell.
pub(super) fn living_bytes(file: &Add) -> u64 {
    match (file.num_records(), living_rows(file)) {
        (Some(rows), Some(alive)) if rows > 0 && file.deletion_vector.is_some() => {
            (u128::from(size(file)) * u128::from(alive) / u128::from(rows.unsigned_abs())) as u64
        }
        _ => size(file),
    }
}

#[cfg(test)]
#[path = "pack_tests.rs"]
mod tests;
