//! Seeds of a test, and numbers that a seed fixes. Kind: edge. Test builds only.

use std::ops::RangeInclusive;

/// The one of `LAKEBED_SEED`, or these.
pub(crate) fn seeds(these: RangeInclusive<u64>) -> RangeInclusive<u64> {
    match std::env::var("LAKEBED_SEED") {
        Ok(seed) => seed.parse().map(|seed| seed..=seed).expect("LAKEBED_SEED is a number"),
        Err(_) => these,
    }
}

/// Numbers below the one that each call names (xorshift).
pub(crate) fn numbers(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut s = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move |n| {
        s ^= s << 13;
        s ^= s >> 7;
        s ^= s << 17;
        s % n
    }
}
