use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

// spec: DV-7
#[test]
fn positions_run_across_row_groups() {
    let deleted: RoaringTreemap = [0u64, 9, 10, 25].into_iter().collect();
    let got = live_rows(&deleted, &[10, 10, 10], &[0, 2]).unwrap();
    let want = vec![
        RowSelector::skip(1),
        RowSelector::select(8),
        RowSelector::skip(1),
        RowSelector::select(5),
        RowSelector::skip(1),
        RowSelector::select(4),
    ];
    assert_eq!(Vec::<RowSelector>::from(got), want);
}

#[test]
fn no_deleted_row_in_the_chosen_groups_needs_no_selection() {
    let deleted: RoaringTreemap = [12u64].into_iter().collect();
    assert!(live_rows(&deleted, &[10, 10], &[0]).is_none());
}

// spec: CDF-6
#[test]
fn marked_rows_are_those_that_live_rows_leave_out() {
    let marked: RoaringTreemap = [0u64, 9, 10, 25].into_iter().collect();
    let got: Vec<RowSelector> = marked_rows(&marked, &[9, 5, 10, 6], &[0, 2, 3]).into();
    let all: Vec<RowSelector> = marked_rows(&(0..7).collect(), &[7], &[0]).into();
    assert_eq!((got[0], got[1].skip), (RowSelector::select(1), true));
    assert_eq!(got.iter().map(|s| s.row_count).sum::<usize>(), 25, "{got:?}");
    assert_eq!(got.iter().filter(|s| !s.skip).map(|s| s.row_count).sum::<usize>(), 2, "row 9 and 10 lie in a group that is not read");
    assert_eq!(all, [RowSelector::select(7)]);
}

proptest! {
    // spec: DV-7
    #[test]
    fn selection_equals_a_naive_walk(
        deleted in proptest::collection::btree_set(0u64..60, 0..40),
        counts in proptest::collection::vec(0u64..15, 1..6),
        mask in proptest::collection::vec(any::<bool>(), 6),
    ) {
        let chosen: Vec<usize> = (0..counts.len()).filter(|i| mask[*i]).collect();
        let (mut want, mut start, mut position) = (BTreeSet::new(), 0, 0);
        for (i, rows) in counts.iter().enumerate() {
            for row in start..start + rows {
                if mask[i] {
                    if !deleted.contains(&row) {
                        want.insert(position);
                    }
                    position += 1;
                }
            }
            start += rows;
        }
        let treemap: RoaringTreemap = deleted.iter().copied().collect();
        let mut got = BTreeSet::new();
        let mut at = 0u64;
        match live_rows(&treemap, &counts, &chosen) {
            None => got.extend(0..position),
            Some(selection) => for s in selection.iter() {
                if !s.skip {
                    got.extend(at..at + s.row_count as u64);
                }
                at += s.row_count as u64;
            },
        }
        prop_assert_eq!(got, want);
    }
}
