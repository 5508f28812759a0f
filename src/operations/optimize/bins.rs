//! Filling bins. Kind: pure. Spec: OPT.
//!
//! Each thing goes where the least room is left that still holds it, else into a new bin. Invariant: two things that are alone in their
//! bins do not fit into one.

use std::collections::BTreeSet;

/// Bins of a size.
pub(super) struct Bins {
    size: u64,
    /// What each holds, by place in the input.
    pub(super) bins: Vec<Vec<usize>>,
    /// The room that is left in each bin that has some.
    room: BTreeSet<(u64, usize)>,
}

/// Things of one bin at most: what a bin costs besides bytes stays bounded.
const THINGS_MAX: usize = 10_000;

impl Bins {
    pub(super) fn new(size: u64) -> Bins {
        Bins { size, bins: Vec::new(), room: BTreeSet::new() }
    }
    /// Puts a thing of this size into a bin, a new one when there is no room in any.
    pub(super) fn put(&mut self, thing: usize, size: u64) {
        if !self.join(thing, size) {
            self.bins.push(vec![thing]);
            self.room.extend(self.size.checked_sub(size).map(|left| (left, self.bins.len() - 1)));
        }
    }
    /// Puts a thing where there is room; false when there is none.
    pub(super) fn join(&mut self, thing: usize, size: u64) -> bool {
        let Some(&(left, bin)) = self.room.range((size, 0)..).next() else { return false };
        self.room.remove(&(left, bin));
        self.bins[bin].push(thing);
        if self.bins[bin].len() < THINGS_MAX {
            self.room.insert((left - size, bin));
        }
        true
    }
    /// Takes bins out of the game that do not satisfy this.
    pub(super) fn keep(&mut self, keep: impl Fn(&[usize]) -> bool) {
        let bins = &mut self.bins;
        self.room.retain(|(_, bin)| keep(&bins[*bin]));
        bins.iter_mut().filter(|bin| !keep(bin)).for_each(Vec::clear);
    }
}

#[cfg(test)]
#[path = "bins_tests.rs"]
mod tests;
