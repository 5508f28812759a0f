//! Checkpoints: classic, multi-part and V2, read and written. Spec: CKP.

mod columns;
mod parquet_file;
mod read;
mod sidecar;
mod write;

#[cfg(test)]
pub(crate) use columns::stats_struct;
pub(crate) use parquet_file::{ParquetFile, ReadPlan};
pub(crate) use read::{FirstFile, is_json, open, open_sidecar, present, read_json, read_small, read_small_of};
pub(crate) use sidecar::sidecar_key;
pub(crate) use write::{Content, Encoder, FileColumns, GROUP_ROWS, Tally};
