use super::*;

/// The cells of a grid of `side` per column, as ranks by column.
fn cells(columns: usize, side: u32) -> Vec<Vec<u32>> {
    let count = side.pow(columns as u32);
    (0..columns).map(|column| (0..count).map(|cell| (cell / side.pow(column as u32)) % side).collect()).collect()
}

fn distance(ranks: &[Vec<u32>], a: usize, b: usize) -> u32 {
    ranks.iter().map(|column| column[a].abs_diff(column[b])).sum()
}

/// Which cell the curve visits first, second, …
fn visits(keys: &[u64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by_key(|cell| keys[*cell]);
    order
}

// spec: ZOR-1
#[test]
fn both_curves_visit_every_cell_once() {
    for (columns, side) in [(1, 1 << 12), (2, 64), (3, 16), (4, 8), (5, 4), (6, 4), (7, 2)] {
        let ranks = cells(columns, side);
        for curve in [Curve::ZOrder, Curve::Hilbert] {
            let mut keys = curve.keys(&ranks);
            // A corner of the grid is a cube of its own: the keys are the first ones.
            keys.sort_unstable();
            assert!(keys.iter().copied().eq(0..keys.len() as u64), "{curve:?} of {columns} columns");
        }
    }
}

// spec: ZOR-1
#[test]
fn hilbert_steps_to_a_neighbour_every_time() {
    for (columns, side) in [(2, 128), (3, 32), (4, 16), (5, 8), (6, 4)] {
        let ranks = cells(columns, side);
        let order = visits(&Curve::Hilbert.keys(&ranks));
        let far = order.windows(2).filter(|step| distance(&ranks, step[0], step[1]) != 1).count();
        assert_eq!(far, 0, "jumps of {columns} columns");
        let jumps = visits(&Curve::ZOrder.keys(&ranks)).windows(2).filter(|s| distance(&ranks, s[0], s[1]) != 1).count();
        assert!(jumps > 0, "z-order jumps");
    }
}

#[test]
fn z_order_takes_bits_in_turn_beginning_with_the_first_column() {
    assert_eq!(Curve::ZOrder.keys(&[vec![0b1, 0, 0b11], vec![0, 0b1, 0b01]]), [0b10, 0b01, 0b1011]);
    let top = 1 << (bits(3) - 1);
    assert_eq!(Curve::ZOrder.keys(&[vec![top], vec![0], vec![0]]), [1 << (3 * bits(3) - 1)]);
    assert_eq!(Curve::Hilbert.keys(&[vec![7, 0, 65_535]]), [7, 0, 65_535], "one column is its own curve");
}

#[test]
fn a_key_has_room_for_every_column() {
    for columns in 1..=COLUMNS_MAX {
        let most = (1u32 << bits(columns)) - 1;
        let keys = Curve::ZOrder.keys(&vec![vec![most]; columns]);
        assert_eq!(keys[0].count_ones(), bits(columns) * columns as u32, "{columns} columns");
    }
    assert!(Curve::ZOrder.keys(&[]).is_empty());
}
