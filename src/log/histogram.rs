//! The two histograms of a checksum file: file sizes and deleted rows per file. Kind: pure. Spec: CRC.

use serde::{Deserialize, Serialize};

const KIB: i64 = 1 << 10;
const MIB: i64 = 1 << 20;
const GIB: i64 = 1 << 30;

/// Files by size: bin `i` holds sizes from boundary `i` up to the next, the last bin is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FileSizeHistogram {
    pub sorted_bin_boundaries: Vec<i64>,
    pub file_counts: Vec<i64>,
    pub total_bytes: Vec<i64>,
}

impl Default for FileSizeHistogram {
    fn default() -> Self {
        let boundaries = default_boundaries();
        let zeros = vec![0; boundaries.len()];
        FileSizeHistogram { sorted_bin_boundaries: boundaries, file_counts: zeros.clone(), total_bytes: zeros }
    }
}

impl FileSizeHistogram {
    /// Counts a file in (`sign` 1) or out (`sign` -1).
    pub fn count(&mut self, size: i64, sign: i64) {
        let bin = self.sorted_bin_boundaries.partition_point(|b| *b <= size).saturating_sub(1);
        if let (Some(count), Some(bytes)) = (self.file_counts.get_mut(bin), self.total_bytes.get_mut(bin)) {
            *count = count.saturating_add(sign);
            *bytes = bytes.saturating_add(sign.saturating_mul(size));
        }
    }
    /// Whether it has the shape that the protocol asks for and no negative count.
    pub fn is_valid(&self) -> bool {
        let bins = self.sorted_bin_boundaries.len();
        self.sorted_bin_boundaries.first() == Some(&0)
            && self.sorted_bin_boundaries.is_sorted_by(|a, b| a < b)
            && self.file_counts.len() == bins
            && self.total_bytes.len() == bins
            && self.file_counts.iter().chain(&self.total_bytes).all(|n| *n >= 0)
    }
}

/// The bins that Spark writes.
fn default_boundaries() -> Vec<i64> {
    let steps = |first: i64, last: i64, step: i64| (first..=last).step_by(step as usize).map(|n| n * MIB);
    let small = (0..10).map(|i| (8 * KIB) << i);
    let large = (0..6).map(|i| (8 * GIB) << i);
    std::iter::once(0)
        .chain(small)
        .chain(steps(8, 40, 4))
        .chain(steps(48, 120, 8))
        .chain(steps(124, 144, 4))
        .chain(steps(160, 576, 16))
        .chain(steps(640, 1408, 64))
        .chain(steps(1536, 2048, 128))
        .chain(steps(2304, 4096, 256))
        .chain(large)
        .collect()
}

/// Files by how many of their rows are deleted: 0, 1–9, 10–99, … , 2147483647 and more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeletedRecordCounts {
    pub deleted_record_counts: [i64; 10],
}

impl DeletedRecordCounts {
    /// Counts a file in (`sign` 1) or out (`sign` -1).
    pub fn count(&mut self, deleted: i64, sign: i64) {
        let bin = match deleted {
            ..=0 => 0,
            1..=999_999 => 1 + deleted.ilog10() as usize,
            1_000_000..=9_999_999 => 7,
            10_000_000..=2_147_483_646 => 8,
            _ => 9,
        };
        self.deleted_record_counts[bin] = self.deleted_record_counts[bin].saturating_add(sign);
    }
    /// Whether no count is negative.
    pub fn is_valid(&self) -> bool {
        self.deleted_record_counts.iter().all(|n| *n >= 0)
    }
}

#[cfg(test)]
#[path = "histogram_tests.rs"]
mod tests;
