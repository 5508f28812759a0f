//! What the scenes with real rows share: what a caller was told, and running every seed.

use super::actors::on_a_clock_of_its_own;
use super::seeded::number;
use super::store::Counts;
use crate::log::Version;

/// How a change of the table ended, as its caller was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Landed(Version),
    /// There was nothing to do, or it had been recorded already.
    Nothing,
    Failed,
    NotKnown,
}

impl Told {
    /// Whether that is true of a change that stands in the log at these versions.
    pub(super) fn holds(&self, at: &[Version]) -> bool {
        match self {
            Told::Landed(version) => at == [*version],
            Told::Nothing | Told::Failed => at.is_empty(),
            Told::NotKnown => at.len() <= 1,
        }
    }
}

/// Seeds that are run twice, to see that a seed decides everything.
const REPLAYED: u64 = 4;

/// Plays the scene of the seed of `LAKEBED_SEED`, or of many; all of them together must meet what is `wanted`. A scene gives its trace, what
/// it met, and the verdict.
pub(super) fn every_seed<F>(scene: impl Fn(u64) -> F, wanted: &[&str])
where
    F: Future<Output = (Vec<String>, Counts, Result<(), String>)>,
{
    let alone = number("LAKEBED_SEED");
    let count = number("LAKEBED_SIM_SEEDS").map_or(20, |n| n.div_ceil(20).max(20));
    let mut met = Counts::new();
    for seed in alone.map_or(0..count, |seed| seed..seed + 1) {
        let (trace, counts, verdict) = on_a_clock_of_its_own(scene(seed));
        if seed < REPLAYED {
            assert_eq!(trace, on_a_clock_of_its_own(scene(seed)).0, "seed {seed} is not replayed");
        }
        counts.into_iter().for_each(|(what, n)| *met.entry(what).or_default() += n);
        assert!(verdict.is_ok(), "seed {seed}: {verdict:?}\n{}\nreplay with LAKEBED_SEED={seed}", trace.join("\n"));
    }
    println!("{count} seeds, {met:?}");
    let missing: Vec<_> = wanted.iter().filter(|what| !met.contains_key(**what)).collect();
    assert!(alone.is_some() || missing.is_empty(), "{count} seeds never met {missing:?}");
}
