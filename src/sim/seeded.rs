//! The seeded runs: how many, which seed alone, and that the planted defects are found.
//!
//! `LAKEBED_SIM_SEEDS=<n>` sets how many seeds run, `LAKEBED_SEED=<n>` runs one alone and prints its trace.

use super::Plant;
use super::actors::{Way, run};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn run_seeds(way: Way, count: u64) {
    let alone = number("LAKEBED_SEED");
    let seeds = alone.map_or(0..count, |seed| seed..seed + 1);
    let mut commits = 0;
    for seed in seeds.clone() {
        let run = run(way, seed, None);
        commits += run.commits;
        if alone.is_some() {
            run.trace.iter().for_each(|line| println!("{line}"));
        }
        if let Err(what) = run.verdict {
            panic!("{way:?} seed {seed}: {what}\n{}\nreplay with LAKEBED_SEED={seed}", run.trace.join("\n"));
        }
    }
    println!("{way:?}: {} seeds, {commits} commits", seeds.end - seeds.start);
    assert!(alone.is_some() || commits as u64 > 2 * (seeds.end - seeds.start), "the runs commit next to nothing: {commits} commits");
}

// spec: COM-4, COM-5, COM-6, COM-9
#[test]
fn every_seed_of_bare_machines_keeps_the_laws() {
    run_seeds(Way::Bare, number("LAKEBED_SIM_SEEDS").unwrap_or(300));
}

// spec: COM-4, COM-5, COM-6, COM-9
#[test]
fn every_seed_of_whole_transactions_keeps_the_laws() {
    run_seeds(Way::Whole, number("LAKEBED_SIM_SEEDS").map_or(50, |n| n / 10));
}

#[test]
fn one_seed_run_twice_gives_the_same_trace() {
    for seed in 0..10 {
        for way in [Way::Bare, Way::Whole] {
            assert_eq!(run(way, seed, None).trace, run(way, seed, None).trace, "{way:?} seed {seed}");
        }
    }
}

#[test]
fn the_seeds_find_planted_defects() {
    let plants = [
        Plant::ExistsMeansLost,
        Plant::UnknownMeansFailed,
        Plant::BlindRetryNextVersion,
        Plant::ExistsWithoutReadBack,
        Plant::UnknownRetryNextVersion,
        Plant::NewIdEachAttempt,
        Plant::SkipRule("C2"),
        Plant::SkipRule("C3"),
        Plant::SkipRule("C5"),
        Plant::SkipRule("C6"),
        Plant::TimestampNotMonotone,
        Plant::BodyNotStampedAgain,
    ];
    for plant in plants {
        let found = (0..2_000).find(|seed| run(Way::Bare, *seed, Some(plant)).verdict.is_err());
        println!("{plant:?}: seed {found:?}");
        assert!(found.is_some(), "{plant:?} was not found by 2,000 seeds");
    }
}
