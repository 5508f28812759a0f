//! Deletion vectors: the rows of a data file that no longer belong to the table. Kind: edge. Spec: DV.
//!
//! A vector is a set of 0-based physical row positions. Invariant: a set that fails any check of its framing, checksum or
//! cardinality is never used.

mod bitmap;
mod file;
mod selection;
mod write;
mod z85;

#[cfg(test)]
pub(crate) use file::tests::inline as tests_inline;
pub(crate) use file::{cost, file_name, load};
pub(crate) use selection::{groups_with, live_rows, marked_rows};
pub(crate) use write::{VectorWriter, discard_vectors};
