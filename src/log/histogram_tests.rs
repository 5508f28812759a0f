use super::*;

// spec: CRC-4
#[test]
fn the_default_bins_are_those_of_spark() {
    let b = default_boundaries();
    assert_eq!(b.len(), 95);
    assert!(b.is_sorted_by(|x, y| x < y));
    let mib: Vec<i64> = b.iter().skip(10).map(|n| n / MIB).collect();
    assert_eq!(&b[..3], &[0, 8 * KIB, 16 * KIB]);
    assert_eq!(&mib[..6], &[4, 8, 12, 16, 20, 24]);
    assert!([120, 124, 128, 144, 160, 576, 640, 1408, 1536, 2048, 2304, 3840, 4096].iter().all(|n| mib.contains(n)));
    assert_eq!(b.last(), Some(&(256 * GIB)));
}

// spec: CRC-4
#[test]
fn a_size_falls_in_the_bin_that_begins_at_or_below_it() {
    let mut h = FileSizeHistogram::default();
    for size in [0, 8191, 8192, 300 * GIB] {
        h.count(size, 1);
    }
    h.count(8191, -1);
    assert_eq!((h.file_counts[0], h.file_counts[1], h.total_bytes[1]), (1, 1, 8192));
    assert_eq!((h.file_counts[94], h.total_bytes[94]), (1, 300 * GIB));
    assert!(h.is_valid());
    h.count(8192, -1);
    h.count(8192, -1);
    assert!(!h.is_valid());
}

// spec: CRC-4
#[test]
fn deleted_rows_fall_in_decimal_bins() {
    let cases = [(0, 0), (1, 1), (9, 1), (10, 2), (99, 2), (100, 3), (999, 3), (1000, 4), (99_999, 5), (999_999, 6), (1_000_000, 7)];
    let more = [(9_999_999, 7), (10_000_000, 8), (2_147_483_646, 8), (2_147_483_647, 9), (i64::MAX, 9)];
    for (deleted, bin) in cases.into_iter().chain(more) {
        let mut h = DeletedRecordCounts::default();
        h.count(deleted, 1);
        assert_eq!(h.deleted_record_counts[bin], 1, "{deleted}");
    }
}
