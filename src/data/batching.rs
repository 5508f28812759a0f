//! How many rows of a Parquet file make a batch. Kind: pure. Spec: DAT.
//!
//! Invariant: a batch of ordinary rows has 8192 of them; one of large values about 8 MiB, so that no array outgrows its offsets.

use parquet::basic::Type as PhysicalType;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};

/// Rows of a batch at most.
pub(super) const ROWS: usize = 8192;
/// Bytes that a batch of fewer rows has.
const BYTES: u64 = 8 << 20;
/// A dictionary is hardly larger.
const DICTIONARY_BYTES: u64 = 1 << 20;

/// Rows of a batch whose rows have `row_bytes` bytes.
pub(super) fn rows(row_bytes: u64) -> usize {
    usize::try_from(BYTES / row_bytes.max(1)).unwrap_or(ROWS).clamp(1, ROWS)
}

/// Decoded bytes of a row of these leaves, on average, in the row group where it is largest.
pub(super) fn row_bytes<'a>(groups: impl IntoIterator<Item = &'a RowGroupMetaData>, leaves: &[usize]) -> u64 {
    groups.into_iter().map(|group| group_bytes(group, leaves) / (group.num_rows().max(1) as u64)).max().unwrap_or(0)
}

/// Decoded bytes of these leaves.
pub(super) fn group_bytes(group: &RowGroupMetaData, leaves: &[usize]) -> u64 {
    let columns = leaves.iter().filter_map(|leaf| group.columns().get(*leaf));
    columns.map(decoded).fold(0, u64::saturating_add)
}

/// Decoded bytes of a column, of which the file may hold a dictionary and short indices.
fn decoded(column: &ColumnChunkMetaData) -> u64 {
    let plain = column.uncompressed_size().max(0) as u64;
    let is_dictionary = column.dictionary_page_offset().is_some();
    if !is_dictionary || !matches!(column.column_type(), PhysicalType::BYTE_ARRAY | PhysicalType::FIXED_LEN_BYTE_ARRAY) {
        return plain;
    }
    let values = column.num_values().max(0) as u64;
    let bounds = column.statistics().map(|s| (s.min_bytes_opt(), s.max_bytes_opt()));
    let longest = bounds.and_then(|(min, max)| Some(min?.len().max(max?.len())));
    let indexed = match (column.unencoded_byte_array_data_bytes(), longest) {
        (Some(bytes), _) => bytes.max(0) as u64,
        (None, Some(longest)) => values.saturating_mul(longest as u64),
        // Writers leave out bounds that are long. Then all that is known is that no value is larger than the dictionary: this is
        // small enough for batches of 1 GiB at the very worst.
        (None, None) => values.saturating_mul(plain.min(DICTIONARY_BYTES) / 128),
    };
    plain.max(indexed)
}

#[cfg(test)]
#[path = "batching_tests.rs"]
mod tests;
