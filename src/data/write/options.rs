//! Sizes, compression and format version of the files that a writer makes. Kind: pure. Spec: DAT.

use crate::error::{Code, Error, Result};
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterVersion};

/// Rows of one row group.
const ROW_GROUP_ROWS: usize = 1 << 20;
/// Encoded bytes of one row group; what an open file holds in memory at most.
const ROW_GROUP_BYTES: usize = 64 << 20;
/// A column whose dictionary outgrows this has few repetitions: finding them would cost more than they save.
const DICTIONARY_BYTES: usize = 128 << 10;
/// Long enough for the 32 characters of a string statistic and the tie-breaker that follows them (64 characters of 4 bytes).
const STATISTICS_BYTES: usize = 260;

/// Sizes of the files that a writer makes.
#[derive(Clone, Debug)]
pub struct WriteOptions {
    /// A file is closed when it has reached this many bytes; `None`: the table's `delta.targetFileSize`, else 128 MiB.
    pub target_file_size: Option<u64>,
    /// How many partitions may have an open file at once; beyond it the one that was written least recently is closed.
    pub open_files_max: usize,
    /// How often rows are written again with other numbers when another writer was given the same ones first; only for tables that
    /// number a column.
    pub renumber_max: u32,
}

impl Default for WriteOptions {
    fn default() -> Self {
        WriteOptions { target_file_size: None, open_files_max: 512, renumber_max: 100 }
    }
}

/// How the bytes of a file are made, as the table's properties ask.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Encoding {
    compression: Compression,
    version: WriterVersion,
}

impl Encoding {
    /// From `delta.parquet.compression.codec` (snappy when absent) and `delta.parquet.format.version` (1 when absent).
    /// `LB-PROPERTY` names a value that is not one of them.
    pub(super) fn from_properties(codec: Option<&str>, version: Option<&str>) -> Result<Encoding> {
        let compression = match codec.unwrap_or("snappy").to_ascii_lowercase().as_str() {
            "uncompressed" | "none" => Compression::UNCOMPRESSED,
            "snappy" => Compression::SNAPPY,
            "gzip" => Compression::GZIP(GzipLevel::default()),
            // The framing that Hadoop calls LZ4 is deprecated by Parquet; LZ4_RAW is what every reader knows.
            "lz4" | "lz4_raw" => Compression::LZ4_RAW,
            "zstd" => Compression::ZSTD(ZstdLevel::default()),
            other => {
                return Err(Error::new(Code::PROPERTY, format!("no compression codec is named {other:?}"))
                    .with("property", "delta.parquet.compression.codec")
                    .help("use one of uncompressed, snappy, gzip, lz4, lz4_raw, zstd"));
            }
        };
        let version = match version.unwrap_or("1.0.0").split('.').next() {
            Some("1") => WriterVersion::PARQUET_1_0,
            Some("2") => WriterVersion::PARQUET_2_0,
            _ => {
                return Err(Error::new(Code::PROPERTY, format!("no Parquet version {:?} can be written", version.unwrap_or_default()))
                    .with("property", "delta.parquet.format.version")
                    .help("use 1.0.0 or 2.x.x"));
            }
        };
        Ok(Encoding { compression, version })
    }
    /// What a file name says about the codec: `.snappy`, or nothing when there is none.
    pub(super) fn name_part(&self) -> &'static str {
        match self.compression {
            Compression::SNAPPY => ".snappy",
            Compression::GZIP(_) => ".gz",
            Compression::LZ4_RAW => ".lz4raw",
            Compression::ZSTD(_) => ".zstd",
            _ => "",
        }
    }
    pub(super) fn writer_properties(&self) -> WriterProperties {
        WriterProperties::builder()
            .set_compression(self.compression)
            .set_writer_version(self.version)
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
            .set_dictionary_page_size_limit(DICTIONARY_BYTES)
            .set_statistics_truncate_length(Some(STATISTICS_BYTES))
            .set_created_by(format!("lakebed version {}", env!("CARGO_PKG_VERSION")))
            .build()
    }
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
