use super::*;

#[test]
fn the_strongest_role_counts_and_what_was_not_seen_is_missing() {
    // spec: VAC-2, VAC-7
    let mut known = Known::default();
    for (path, role) in
        [("a", Role::Expired), ("a", Role::Live), ("b", Role::Retained), ("b", Role::Expired), ("c", Role::Expired), ("d", Role::Live)]
    {
        known.note(path, role);
    }
    known.seal();
    assert_eq!(
        (known.role("a"), known.role("b"), known.role("c"), known.role("e")),
        (Some(Role::Live), Some(Role::Retained), Some(Role::Expired), None)
    );
    assert_eq!((known.len(), known.missing()), (4, 2));
    assert_eq!((known.see("a"), known.see("b"), known.see("e")), (Some(Role::Live), Some(Role::Retained), None));
    assert!(known.missing() == 1 && known.is_missing("d") && !known.is_missing("a") && !known.is_missing("c"));
}

#[test]
fn samples_stay_few_and_spread_over_all_paths() {
    let mut known = Known::default();
    (0..100_000).for_each(|i| known.note(&format!("{i:06}"), Role::Live));
    known.seal();
    let samples = known.sorted_samples();
    assert!(samples.len() <= SAMPLES && samples.len() > SAMPLES / 4);
    assert!(samples.windows(2).all(|pair| pair[1].parse::<u32>().unwrap() - pair[0].parse::<u32>().unwrap() < 2_000));
    assert!((0..100_000).all(|i| known.role(&format!("{i:06}")) == Some(Role::Live)));
}
