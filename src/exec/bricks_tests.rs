use super::*;

const BITS: u32 = 10;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % n) as u32
    }
}

fn spread(seed: u64, columns: usize, rows: usize) -> Vec<Vec<u32>> {
    let mut random = Random(seed);
    (0..columns).map(|_| (0..rows).map(|_| random.below(1 << BITS)).collect()).collect()
}

/// Rows of each cell, and by column the least and the greatest rank of each.
fn cells(bricks: &Bricks, ranks: &[Vec<u32>]) -> (Vec<usize>, Vec<Vec<(u32, u32)>>) {
    let mut rows = vec![0; bricks.cells as usize];
    let mut spans = vec![vec![(u32::MAX, 0); rows.len()]; ranks.len()];
    for (row, cell) in bricks.of_rows(ranks).into_iter().enumerate() {
        rows[cell as usize] += 1;
        for (spans, ranks) in spans.iter_mut().zip(ranks) {
            let (least, most) = &mut spans[cell as usize];
            (*least, *most) = ((*least).min(ranks[row]), (*most).max(ranks[row]));
        }
    }
    (rows, spans)
}

/// The most cells that a range of one rank in a hundred reads, wherever it begins.
fn most_read(spans: &[(u32, u32)]) -> usize {
    let range = (1 << BITS) / 100;
    (0..(1 << BITS) - range)
        .map(|from| spans.iter().filter(|(least, most)| *least <= from + range && *most >= from).count())
        .max()
        .unwrap_or(0)
}

// spec: ZOR-11
#[test]
fn of_39_cells_of_three_columns_no_range_of_one_row_in_a_hundred_reads_more_than_16() {
    for seed in [1, 2] {
        let ranks = spread(seed, 3, 60_000);
        let bricks = Bricks::of(&ranks, BITS, 39);
        let (rows, spans) = cells(&bricks, &ranks);
        let even = 60_000 / 39;
        assert_eq!(rows.len(), 39);
        assert!(rows.iter().all(|n| (even * 2 / 5..=even * 2).contains(n)), "seed {seed}: {rows:?}");
        let most: Vec<usize> = spans.iter().map(|spans| most_read(spans)).collect();
        assert!(most.iter().all(|n| *n <= 16), "seed {seed}: {most:?}");
    }
}

#[test]
fn whatever_the_number_of_columns_and_cells_there_are_as_many_and_of_like_size() {
    for columns in 1..=4 {
        let ranks = spread(7, columns, 8_000);
        for wanted in [1, 2, 3, 8, 21] {
            let bricks = Bricks::of(&ranks, BITS, wanted);
            let (rows, spans) = cells(&bricks, &ranks);
            let even = 8_000.0 / wanted as f64;
            assert_eq!(rows.len(), wanted, "{columns} columns");
            assert!(rows.iter().all(|n| (0.35..=2.1).contains(&(*n as f64 / even))), "{columns} columns, {wanted} cells: {rows:?}");
            if columns == 1 {
                assert!(spans[0].is_sorted() && spans[0].windows(2).all(|pair| pair[0].1 < pair[1].0), "{spans:?}");
            }
        }
    }
}

#[test]
fn columns_that_tell_the_same_are_cut_as_one() {
    let one = spread(3, 1, 10_000).remove(0);
    let ranks = vec![one.clone(), one];
    let bricks = Bricks::of(&ranks, BITS, 20);
    let (rows, spans) = cells(&bricks, &ranks);
    assert_eq!(rows.len(), 20);
    assert!(spans.iter().all(|spans| most_read(spans) <= 3), "{spans:?}");
}

#[test]
fn few_or_frequent_values_leave_the_cutting_to_other_columns() {
    // Three values beside many: the former are told apart, whichever comes first.
    let many = spread(5, 1, 9_000).remove(0);
    let few: Vec<u32> = (0..9_000).map(|row| 170 + row % 3 * 341).collect();
    for ranks in [vec![many.clone(), few.clone()], vec![few.clone(), many.clone()]] {
        let bricks = Bricks::of(&ranks, BITS, 30);
        let (rows, spans) = cells(&bricks, &ranks);
        assert_eq!(rows.len(), 30);
        let of_few = &spans[usize::from(ranks[0] == many)];
        assert!(of_few.iter().all(|(least, most)| least == most), "{of_few:?}");
    }
    // Of unequal shares too.
    let few: Vec<u32> = (0..9_000).map(|row| [400, 900, 1000][usize::from(row % 20 > 15) + usize::from(row % 20 == 19)]).collect();
    let (rows, spans) = cells(&Bricks::of(&[many.clone(), few.clone()], BITS, 39), &[many.clone(), few]);
    assert!(rows.len() == 39 && spans[1].iter().all(|(least, most)| least == most), "{spans:?}");
    // Half of the rows are alike in the last column: the first one divides them.
    let half: Vec<u32> = many.iter().enumerate().map(|(row, rank)| if row % 2 == 0 { 512 } else { *rank }).collect();
    let (rows, _) = cells(&Bricks::of(&[many, half.clone()], BITS, 30), &[spread(5, 1, 9_000).remove(0), half]);
    assert!(rows.len() >= 25 && rows.iter().all(|n| *n <= 900), "{rows:?}");
}

#[test]
fn rows_that_are_all_alike_or_too_few_are_one_cell() {
    assert_eq!(Bricks::of(&[vec![5; 1000], vec![9; 1000]], BITS, 10).cells, 1);
    assert_eq!(Bricks::of(&spread(1, 2, 20), BITS, 10).cells, 1);
    let none = Bricks::of(&[], BITS, 10);
    assert_eq!((none.cells, none.of_rows(&[]).len()), (1, 0));
}
