use super::*;

fn rows(rows: &[u64]) -> RoaringTreemap {
    rows.iter().copied().collect()
}

fn share(then: &[u64], now: &[u64], rows_given: u64) -> Share {
    Share { then: rows(then), now: rows(now), rows: rows_given }
}

// spec: OPT-6
#[test]
fn a_deleted_row_is_found_in_the_new_file() {
    // File a has 6 rows of which 1 and 4 were dead; file b has 3.
    let shares = [share(&[1, 4], &[0, 1, 4, 5], 4), share(&[], &[1], 3)];
    assert_eq!(carried(&shares, &[7]).unwrap(), [rows(&[0, 3, 5])]);
    assert_eq!(carried(&shares, &[3, 4]).unwrap(), [rows(&[0]), rows(&[0, 2])], "new files were cut elsewhere");
    assert_eq!(carried(&[share(&[], &[3], 3)], &[3]), None, "a row that the file never gave");
}

// spec: OPT-6
#[test]
fn carried_positions_name_the_same_rows_as_a_list_of_them() {
    let mut state = 11u64;
    let mut random = |n: u64| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) % n
    };
    for _ in 0..200 {
        let mut shares = Vec::new();
        let mut joined = Vec::new();
        let mut gone = Vec::new();
        for f in 0..1 + random(4) {
            let length = random(40);
            let then: RoaringTreemap = (0..length).filter(|_| random(3) == 0).collect();
            let now: RoaringTreemap = (0..length).filter(|p| then.contains(*p) || random(4) == 0).collect();
            joined.extend((0..length).filter(|p| !then.contains(*p)).map(|p| (f, p)));
            gone.extend((&now - &then).iter().map(|p| (f, p)));
            shares.push(Share { rows: length - then.len(), then, now });
        }
        let mut lengths = Vec::new();
        let mut left = joined.len() as u64;
        while left > 0 {
            let cut = (1 + random(20)).min(left);
            lengths.push(cut);
            left -= cut;
        }
        let mut found = Vec::new();
        let mut before = 0;
        for (rows, length) in carried(&shares, &lengths).unwrap().iter().zip(&lengths) {
            found.extend(rows.iter().map(|row| joined[(before + row) as usize]));
            before += length;
        }
        assert_eq!(found, gone);
    }
}
