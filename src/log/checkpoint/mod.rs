//! Checkpoints: classic, multi-part and V2, read and written. Spec: CKP.

mod carry;
mod columns;
mod lookup;
mod parquet_file;
mod read;
mod sidecar;
mod write;

pub(crate) use carry::{Fate, Fresh, Held, SidecarFacts, fates, sidecar_rows};
#[cfg(test)]
pub(crate) use columns::stats_struct;
pub(crate) use lookup::touched;
pub(crate) use parquet_file::{ParquetFile, ReadPlan};
pub(crate) use read::{FirstFile, actions_in, is_json, open, open_sidecar, present, read_json, read_small, read_small_of, struct_column};
pub(crate) use sidecar::sidecar_key;
pub(crate) use write::{Content, Encoder, FileColumns, GROUP_ROWS, Tally, index_bytes};
