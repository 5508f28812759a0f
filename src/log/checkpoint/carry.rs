//! Which sidecars of the checkpoint before a new one names again. Kind: pure. Spec: CKP.
//!
//! What must be known of a sidecar stands in its tags, so that it need not be opened to be counted. Invariant: only a sidecar none of
//! whose files the tail has spoken about is named again.

use super::write::Tally;
use crate::log::{NullableMap, Sidecar};

/// Tags of sidecars that were written here.
const FILES: &str = "lakebed.numFiles";
const BYTES: &str = "lakebed.sizeOfFiles";
const REMOVED: &str = "lakebed.numRemovedFiles";
const NEWEST_REMOVED: &str = "lakebed.newestRemoved";
const SORTED: &str = "lakebed.sorted";
const PLAIN: &str = "lakebed.plainPaths";
const INDEX_BYTES: &str = "lakebed.indexBytes";
const COLUMNS: &str = "lakebed.columns";

/// A sidecar holds this share of a table's files, so that few changes touch a small part of the whole…
const SHARES: u64 = 256;
/// …but is worth a request, and not too large to be written anew.
const ROWS: std::ops::RangeInclusive<u64> = 4_096..=65_536;
/// With more sidecars than this all is written anew.
const SIDECARS_MAX: usize = 2_048;

/// How many rows a sidecar gets in a table of so many files.
pub(crate) fn sidecar_rows(files: u64) -> u64 {
    (files / SHARES).clamp(*ROWS.start(), *ROWS.end())
}

/// What a sidecar of ours says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SidecarFacts {
    pub tally: Tally,
    /// The newest deletion time of its removed files.
    pub newest_removed: i64,
    /// Whether it is part of the order of all files; new files stand in sidecars of their own until all is sorted again.
    pub sorted: bool,
    /// Whether every path is spelled as paths are compared.
    pub plain: bool,
    /// Bytes from its first Bloom filter to its end.
    pub index_bytes: u64,
    /// A fingerprint of its columns.
    pub columns: String,
}

impl SidecarFacts {
    pub fn tags(&self) -> NullableMap {
        let entries = [
            (FILES, self.tally.files.to_string()),
            (BYTES, self.tally.file_bytes.to_string()),
            (REMOVED, self.tally.removed.to_string()),
            (NEWEST_REMOVED, self.newest_removed.to_string()),
            (SORTED, self.sorted.to_string()),
            (PLAIN, self.plain.to_string()),
            (INDEX_BYTES, self.index_bytes.to_string()),
            (COLUMNS, self.columns.clone()),
        ];
        entries.into_iter().map(|(key, value)| (key.to_owned(), Some(value))).collect()
    }
    /// `None` when another writer made it.
    pub fn of(sidecar: &Sidecar) -> Option<SidecarFacts> {
        let text = |key: &str| sidecar.tags.as_ref()?.get(key)?.as_deref();
        fn number<T: std::str::FromStr>(text: Option<&str>) -> Option<T> {
            text?.parse().ok()
        }
        Some(SidecarFacts {
            tally: Tally { files: number(text(FILES))?, file_bytes: number(text(BYTES))?, removed: number(text(REMOVED))?, others: 0 },
            newest_removed: number(text(NEWEST_REMOVED))?,
            sorted: number(text(SORTED))?,
            plain: number(text(PLAIN))?,
            index_bytes: number(text(INDEX_BYTES))?,
            columns: text(COLUMNS)?.to_owned(),
        })
    }
    fn holds_files(&self) -> bool {
        self.tally.files > 0
    }
}

/// What becomes of a sidecar in the next checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is named again.
    Keep,
    /// What is left of it is written as a sidecar of its own, in its order.
    Rewrite,
    /// What is left of it joins the new actions.
    Absorb,
    /// Nothing is left of it.
    Drop,
}

/// A sidecar and how many of its rows the tail has spoken about.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub facts: SidecarFacts,
    pub touched: u64,
}

/// New actions that belong into the next checkpoint.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fresh {
    pub files: u64,
    pub removed: u64,
}

/// The fate of each sidecar; `None` when all should be written and sorted anew. Removed files that were deleted at `oldest` or before are
/// forgotten. (CKP-16, CKP-17)
pub(crate) fn fates(held: &[Held], fresh: Fresh, oldest: i64) -> Option<Vec<Fate>> {
    let files: u64 = held.iter().map(|h| h.facts.tally.files).sum::<u64>() + fresh.files;
    let target = sidecar_rows(files);
    let mut fates: Vec<Fate> = held.iter().map(|h| alone(h, target, oldest)).collect();
    for of_files in [true, false] {
        join_small(held, &mut fates, of_files, if of_files { fresh.files } else { fresh.removed }, target);
    }
    let rows = |fate: Fate, h: &Held| if h.facts.holds_files() && fate != Fate::Drop { h.facts.tally.files } else { 0 };
    let with = |wanted: &dyn Fn(Fate, &Held) -> bool| -> u64 {
        fates.iter().zip(held).filter(|(fate, h)| wanted(**fate, h)).map(|(fate, h)| rows(*fate, h)).sum()
    };
    let loose = fresh.files + with(&|fate, h| fate == Fate::Absorb || !h.facts.sorted);
    let rewritten = with(&|fate, _| fate == Fate::Rewrite);
    // What is not sorted prunes badly; and when most of it is written in any case it may as well be sorted.
    let too_loose = loose * 3 > files;
    let too_much = rewritten * 2 > files;
    (!too_loose && !too_much && held.len() <= SIDECARS_MAX).then_some(fates)
}

/// The fate of a sidecar as far as it does not depend on others.
fn alone(h: &Held, target: u64, oldest: i64) -> Fate {
    let left = h.facts.tally.actions().saturating_sub(h.touched);
    let forgotten = !h.facts.holds_files() && h.facts.newest_removed <= oldest;
    match h.touched {
        _ if left == 0 || forgotten => Fate::Drop,
        0 => Fate::Keep,
        _ if h.facts.sorted && left >= target / 4 => Fate::Rewrite,
        _ => Fate::Absorb,
    }
}

/// New actions take in sidecars that are no larger than what has come together so far, smallest first: so there are few small sidecars,
/// and no action is written often.
fn join_small(held: &[Held], fates: &mut [Fate], of_files: bool, fresh: u64, target: u64) {
    let of_kind = |h: &Held| h.facts.holds_files() == of_files;
    let left = |h: &Held| h.facts.tally.actions().saturating_sub(h.touched);
    let absorbed = held.iter().zip(fates.iter()).filter(|(h, fate)| of_kind(h) && **fate == Fate::Absorb);
    let mut together = fresh + absorbed.map(|(h, _)| left(h)).sum::<u64>();
    let mut small: Vec<usize> =
        (0..held.len()).filter(|i| of_kind(&held[*i]) && !held[*i].facts.sorted && fates[*i] == Fate::Keep).collect();
    small.sort_by_key(|i| left(&held[*i]));
    for i in small {
        let rows = left(&held[i]);
        if rows > together || together + rows > target {
            break;
        }
        together += rows;
        fates[i] = Fate::Absorb;
    }
}

#[cfg(test)]
#[path = "carry_tests.rs"]
mod tests;
