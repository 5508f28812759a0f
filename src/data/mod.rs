//! Rows: Parquet in, Parquet out, deletion vectors. Spec: DAT, DV, STA.

mod batching;
mod calendar;
mod cast;
mod columns;
pub mod input;
pub mod output;
pub mod scan;
mod shred;
pub(crate) mod variant;
pub(crate) mod vector;
pub mod write;
