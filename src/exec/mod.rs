//! Joining and sorting rows within the memory budget, spilling to disk: the only place besides `expr` that knows DataFusion. Kind: edge. Spec: EXE.

mod index;
mod partition;
mod runtime;
mod sort;
mod spill;

pub(crate) use index::{KeyIndex, Keys, Progress};
pub(crate) use partition::{Partition, Partitions, partition_count};
pub(crate) use runtime::Runtime;
pub(crate) use sort::sorted;
