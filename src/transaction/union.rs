//! Rows of one file deleted by us and by winners: both go, in one vector. Kind: pure. Spec: CON.
//!
//! A winner that lengthened the vector of a file whose vector we lengthen too is noted here, as often as it happens; before the next put
//! the newest vector of each such file is loaded, compared and united with our rows. Invariant: our vector is written again only when
//! theirs holds every row that was deleted where we stood, and none of ours.

use super::Intent;
use super::footprint::Footprint;
use crate::log::seen::PathForm;
use crate::log::{VectorDescriptor, Version};
use roaring::RoaringTreemap;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The files that winners and we deleted rows of.
#[derive(Clone, Debug, Default)]
pub(super) struct Union {
    /// By place in `Intent::row_deletes`.
    shared: BTreeMap<usize, Shared>,
}

#[derive(Clone, Debug)]
struct Shared {
    /// The vector on which our own one stands.
    before: Option<VectorDescriptor>,
    /// Its rows, once they were loaded.
    known: Option<Arc<RoaringTreemap>>,
    /// The newest winner that deleted rows of the file since; `None` when our vector is up to date.
    winner: Option<Version>,
}

/// Why two sets of deleted rows cannot stand together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Overlap {
    pub winner: Version,
    pub evidence: String,
}

impl Union {
    /// Notes the files of which this winner and we delete rows; from now on we stand on its vectors. `Err` when a vector is not the
    /// successor of the one that we know, or the number of the file's rows is not known any more.
    pub(super) fn note(&mut self, intent: &mut Intent, paths: &PathForm, winner: &Footprint) -> Result<(), Overlap> {
        let version = winner.version;
        let theirs: HashMap<_, _> = winner.lost_rows.iter().map(|l| (paths.normalise(&l.file.path), l)).collect();
        for (at, ours) in intent.row_deletes.iter_mut().enumerate() {
            let Some(lost) = theirs.get(&paths.normalise(&ours.file.path)) else { continue };
            if lost.before != ours.file.deletion_vector {
                let evidence = format!("{}: its deletion vector is not the one that was read", ours.file.path);
                return Err(Overlap { winner: version, evidence });
            }
            if lost.file.num_records().is_none() {
                let evidence = format!("{}: the log does not say any more how many rows it has", ours.file.path);
                return Err(Overlap { winner: version, evidence });
            }
            let first = Shared { before: ours.file.deletion_vector.clone(), known: None, winner: None };
            self.shared.entry(at).or_insert(first).winner = Some(version);
            // Under our own spelling, with everything else that stands there now.
            ours.file = crate::log::Add { path: ours.file.path.clone(), ..lost.file.clone() };
        }
        Ok(())
    }

    /// Whether a vector of ours does not hold rows that winners deleted.
    pub(super) fn is_behind(&self) -> bool {
        self.shared.values().any(|s| s.winner.is_some())
    }

    fn behind(&self) -> impl Iterator<Item = (usize, &Shared, Version)> {
        self.shared.iter().filter_map(|(at, s)| s.winner.map(|winner| (*at, s, winner)))
    }

    /// The vectors to load, for each file that is behind: the one on which we stood, unless it is known, and the newest one.
    pub(super) fn wanted(&self, intent: &Intent) -> Vec<VectorDescriptor> {
        let of_file = |(at, shared, _): (usize, &Shared, Version)| {
            let before = shared.before.clone().filter(|_| shared.known.is_none());
            before.into_iter().chain(intent.row_deletes[at].file.deletion_vector.clone())
        };
        self.behind().flat_map(of_file).collect()
    }

    /// The vectors to store, in the order of the files that are behind, from what `wanted` named.
    pub(super) fn unite(&mut self, intent: &Intent, loaded: Vec<Arc<RoaringTreemap>>) -> Result<Vec<RoaringTreemap>, Overlap> {
        let mut loaded = loaded.into_iter();
        let mut united = Vec::new();
        let behind: Vec<_> = self.behind().map(|(at, shared, winner)| (at, shared.clone(), winner)).collect();
        for (at, shared, winner) in behind {
            let ours = &intent.row_deletes[at];
            let overlap = |what: &str| Overlap { winner, evidence: format!("{}: {what}", ours.file.path) };
            let before = match (&shared.before, shared.known) {
                (None, _) => Arc::default(),
                (Some(_), Some(known)) => known,
                (Some(_), None) => loaded.next().unwrap_or_default(),
            };
            // A vector that was not handed over counts as empty, and so as one that lost rows.
            let theirs = loaded.next().unwrap_or_default();
            if !before.is_subset(&theirs) {
                return Err(overlap("rows that were deleted came back"));
            }
            if let Some(row) = (&*theirs & &*ours.rows).min() {
                return Err(overlap(&format!("row {row} was deleted by both")));
            }
            united.push(&*theirs | &*ours.rows);
            if let Some(shared) = self.shared.get_mut(&at) {
                // From here on ours stands on theirs, whether it can be stored at once or not.
                (shared.before, shared.known) = (ours.file.deletion_vector.clone(), Some(theirs));
            }
        }
        Ok(united)
    }

    /// Takes over the vectors that were stored, in the order of `unite`.
    pub(super) fn stored(&mut self, intent: &mut Intent, vectors: Vec<VectorDescriptor>) {
        let behind = self.shared.iter_mut().filter(|(_, shared)| shared.winner.is_some());
        for ((at, shared), vector) in behind.zip(vectors) {
            intent.row_deletes[*at].vector = vector;
            shared.winner = None;
        }
    }
}

#[cfg(test)]
#[path = "union_tests.rs"]
mod tests;
