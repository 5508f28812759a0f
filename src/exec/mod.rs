//! Joining, sorting and laying out rows within the memory budget, spilling to disk: the only place besides `expr` that knows DataFusion. Kind: edge. Spec: EXE.

mod bricks;
mod curve;
mod index;
mod partition;
mod runtime;
mod sample;
mod sort;
mod spill;

pub(crate) use bricks::Bricks;
pub(crate) use curve::{COLUMNS_MAX, Curve, bits};
pub(crate) use index::{KeyIndex, Keys, Progress};
pub(crate) use partition::{Partition, Partitions, partition_count};
pub(crate) use runtime::Runtime;
pub(crate) use sample::{Ranges, Sampler, rank_bits};
pub(crate) use sort::sorted;
