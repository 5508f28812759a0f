//! The seeded runs: how many, which seed alone, and that the planted defects are found.
//!
//! `LAKEBED_SIM_SEEDS=<n>` sets how many seeds run, `LAKEBED_SEED=<n>` runs one alone and prints its trace.

use super::actors::{Way, run};
use super::mutant::Plant;
use super::store::Counts;

pub(super) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// What every lane must have met, however few seeds it runs.
const MET: &[&str] = &[
    "put Refused",
    "put RequestLost",
    "put AnswerLost",
    "put SentTwice",
    "put Busy",
    "put InFlight",
    "put Throttled",
    "put Unavailable",
    "put ArrivesLate",
    "get no answer",
    "get short read",
    "crash",
    "clock jump",
    "Create Committed",
    "Create Conflicted",
    "Append Committed",
    "AppendFor Committed",
    "AppendFor Conflicted",
    "Overwrite Committed",
    "Overwrite Conflicted",
    "Compact Committed",
    "Compact Conflicted",
    "CountFiles Committed",
    "CountFiles Conflicted",
    "Copy Committed",
    "Truncate Committed",
    "SetProperty Committed",
    "SetProperty Conflicted",
];

/// What only whole transactions meet.
const MET_BY_WHOLE: &[&str] = &["list stale", "checkpoint written", "time travel"];

fn run_seeds(way: Way, count: u64) {
    let alone = number("LAKEBED_SEED");
    let seeds = alone.map_or(0..count, |seed| seed..seed + 1);
    let mut commits = 0;
    let mut met = Counts::new();
    for seed in seeds.clone() {
        let run = run(way, seed, None);
        commits += run.commits;
        run.counts.into_iter().for_each(|(what, n)| *met.entry(what).or_default() += n);
        if alone.is_some() {
            run.trace.iter().for_each(|line| println!("{line}"));
        }
        if let Err(what) = run.verdict {
            panic!("{way:?} seed {seed}: {what}\n{}\nreplay with LAKEBED_SEED={seed}", run.trace.join("\n"));
        }
    }
    println!("{way:?}: {} seeds, {commits} commits, {met:?}", seeds.end - seeds.start);
    if alone.is_none() {
        let wanted = MET.iter().chain(if way == Way::Whole { MET_BY_WHOLE } else { &[] });
        let missing: Vec<_> = wanted.filter(|what| !met.contains_key(**what)).collect();
        assert!(missing.is_empty(), "{way:?}: {count} seeds never met {missing:?}");
    }
}

// spec: COM-4, COM-5, COM-6, COM-9
#[test]
fn every_seed_of_bare_machines_keeps_the_laws() {
    run_seeds(Way::Bare, number("LAKEBED_SIM_SEEDS").unwrap_or(300));
}

// spec: COM-4, COM-5, COM-6, COM-9
#[test]
fn every_seed_of_whole_transactions_keeps_the_laws() {
    run_seeds(Way::Whole, number("LAKEBED_SIM_SEEDS").map_or(60, |n| n.div_ceil(10).max(60)));
}

#[test]
fn one_seed_run_twice_gives_the_same_trace() {
    for seed in 0..20 {
        for way in [Way::Bare, Way::Whole] {
            assert_eq!(run(way, seed, None).trace, run(way, seed, None).trace, "{way:?} seed {seed}");
        }
    }
}

#[test]
fn the_seeds_find_planted_defects() {
    let plants = [
        Plant::ExistsMeansLost,
        Plant::ExistsMeansOurs,
        Plant::BlindRetryNextVersion,
        Plant::ExistsWithoutReadBack,
        Plant::UnknownMeansFailed,
        Plant::UnknownRetryNextVersion,
        Plant::AcknowledgedBeforeTheAnswer,
        Plant::StaleLookTrusted,
        Plant::NewIdEachAttempt,
        Plant::IdReused,
        Plant::JudgeOnlyLastWinner,
        Plant::SkipRule("C2"),
        Plant::SkipRule("C3"),
        Plant::SkipRule("C4"),
        Plant::SkipRule("C5"),
        Plant::SkipRule("C6"),
        Plant::SkipRule("C8"),
        Plant::TimestampNotMonotone,
        Plant::BodyNotStampedAgain,
        Plant::OverwritingPut,
        Plant::ListThenPut,
        Plant::FilesDeletedAfterUnknown,
    ];
    for plant in plants {
        let found = (0..2_000).find_map(|seed| run(Way::Bare, seed, Some(plant)).verdict.err().map(|what| (seed, what)));
        let Some((seed, what)) = found else { panic!("{plant:?} was not found by 2,000 seeds") };
        let sound = run(Way::Bare, seed, None).verdict;
        assert!(sound.is_ok(), "seed {seed} breaks a law without {plant:?}: {sound:?}");
        println!("{plant:?}: found after {} seeds: {what}", seed + 1);
    }
}
