//! Rows: Parquet in, Parquet out, deletion vectors. Spec: DAT, DV, STA.

pub mod scan;
pub mod write;
