use super::*;

// spec: OPT-3
#[test]
fn things_go_where_the_least_room_is_left_and_loners_never_fit_together() {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut random = |n: u64| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) % n
    };
    for _ in 0..300 {
        let size = 1 + random(1000);
        let things: Vec<u64> = (0..random(60)).map(|_| random(size * 5 / 4)).collect();
        let mut bins = Bins::new(size);
        things.iter().enumerate().for_each(|(i, bytes)| bins.put(i, *bytes));
        let bytes = |bin: &Vec<usize>| bin.iter().map(|i| things[*i]).sum::<u64>();
        assert!(bins.bins.iter().all(|bin| bytes(bin) <= size || bin.len() == 1), "{things:?}");
        let mut all: Vec<usize> = bins.bins.concat();
        all.sort_unstable();
        assert_eq!(all, (0..things.len()).collect::<Vec<_>>());
        let alone: Vec<u64> = bins.bins.iter().filter(|bin| bin.len() == 1).map(bytes).collect();
        for (i, a) in alone.iter().enumerate() {
            assert!(alone[i + 1..].iter().all(|b| a + b > size), "{things:?}");
        }
    }
}

// spec: OPT-3
#[test]
fn bins_that_are_dropped_take_nothing_more() {
    let mut bins = Bins::new(10);
    [6, 7, 3].iter().enumerate().for_each(|(i, size)| bins.put(i, *size));
    assert_eq!(bins.bins, [vec![0], vec![1, 2]]);
    bins.keep(|bin| bin.len() > 1);
    assert!(!bins.join(3, 1), "the full one has no room, the other is gone");
    assert_eq!(bins.bins, [vec![], vec![1, 2]]);
    let mut one = Bins::new(u64::MAX);
    (0..=THINGS_MAX).for_each(|i| one.put(i, 1));
    assert_eq!(one.bins.iter().map(Vec::len).collect::<Vec<_>>(), [THINGS_MAX, 1]);
}
