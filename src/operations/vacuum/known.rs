//! What the log says about each path: a sorted list of hashes with a role. Kind: pure. Spec: VAC.
//!
//! Eight bytes a path. Two paths of one hash would be taken for one, and the stronger role counts: so a file too many may be kept, and none
//! is deleted for it.

use crate::log::seen::hash;

/// What the log says about a path; of several roles the first counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// The newest version has it.
    Live,
    /// A version within the retention has it.
    Retained,
    /// Another table that was named has it.
    Cloned,
    /// The text of a path in the log before it is decoded: writers have been seen that encode twice.
    Spelled,
    /// It was removed longer ago than the retention.
    Expired,
}

const ROLES: [Role; 5] = [Role::Live, Role::Retained, Role::Cloned, Role::Spelled, Role::Expired];
/// Bits of an entry that hold its role.
const ROLE_BITS: u64 = 0b111;
/// How many paths are kept as text, to cut listings by.
const SAMPLES: usize = 512;

/// Paths with roles. First filled, then sealed, then asked.
#[derive(Debug, Default)]
pub(super) struct Known {
    entries: Vec<u64>,
    /// One bit an entry.
    seen: Vec<u64>,
    samples: Vec<String>,
    /// Every so many-th path is a sample.
    stride: usize,
    noted: usize,
}

fn key(path: &str) -> u64 {
    hash(0, path.as_bytes()) & !ROLE_BITS
}

impl Known {
    /// Notes a decoded path, relative to the table.
    pub(super) fn note(&mut self, path: &str, role: Role) {
        self.entries.push(key(path) | role as u64);
        if role == Role::Spelled {
            return;
        }
        if self.noted.is_multiple_of(self.stride.max(1)) {
            if self.samples.len() == SAMPLES {
                self.samples = std::mem::take(&mut self.samples).into_iter().step_by(2).collect();
                self.stride = self.stride.max(1) * 2;
            }
            self.samples.push(path.to_owned());
        }
        self.noted += 1;
    }
    /// Sorts; of several roles of one path the first is left.
    pub(super) fn seal(&mut self) {
        self.entries.sort_unstable();
        self.entries.dedup_by_key(|entry| *entry & !ROLE_BITS);
        self.entries.shrink_to_fit();
        self.seen = vec![0; self.entries.len().div_ceil(64)];
    }
    /// Bytes that it holds.
    pub(super) fn bytes(&self) -> u64 {
        self.entries.capacity() as u64 * 8
    }
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
    /// Some of the paths, in order.
    pub(super) fn sorted_samples(&self) -> Vec<&str> {
        let mut samples: Vec<&str> = self.samples.iter().map(String::as_str).collect();
        samples.sort_unstable();
        samples
    }
    fn find(&self, path: &str) -> Option<usize> {
        let key = key(path);
        let at = self.entries.partition_point(|entry| *entry < key);
        (self.entries.get(at)? & !ROLE_BITS == key).then_some(at)
    }
    fn role_at(&self, at: usize) -> Option<Role> {
        ROLES.get((self.entries[at] & ROLE_BITS) as usize).copied()
    }
    /// The role of a path.
    pub(super) fn role(&self, path: &str) -> Option<Role> {
        self.role_at(self.find(path)?)
    }
    /// The role of a path that a listing shows.
    pub(super) fn see(&mut self, path: &str) -> Option<Role> {
        let at = self.find(path)?;
        self.seen[at / 64] |= 1 << (at % 64);
        self.role_at(at)
    }
    /// How many live paths no listing has shown.
    pub(super) fn missing(&self) -> usize {
        let live = |at: usize| self.role_at(at) == Some(Role::Live);
        (0..self.entries.len()).filter(|at| self.seen[at / 64] >> (at % 64) & 1 == 0 && live(*at)).count()
    }
    /// Whether it is a live path that no listing has shown.
    pub(super) fn is_missing(&self, path: &str) -> bool {
        self.find(path).is_some_and(|at| self.seen[at / 64] >> (at % 64) & 1 == 0 && self.role_at(at) == Some(Role::Live))
    }
}

#[cfg(test)]
#[path = "known_tests.rs"]
mod tests;
