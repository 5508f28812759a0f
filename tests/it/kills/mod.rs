//! Commands that are killed (SIGKILL) at every step: the table opens, every retained version has the rows that it had, the doctor finds no
//! new damage, and a second run finishes the work.
//!
//! The command is a process of its own. On a scripted S3, each of its requests is counted, and the process killed at the n-th, for every n,
//! before it is carried out or, when it writes, after. On the local disk, whose steps nobody counts, processes are killed at moments of chance.
//! `LAKEBED_TEST_FULL=1` kills at every step instead of one of seven; `LAKEBED_TEST_COMMAND=<text>` kills only commands that contain the text.

mod disk;
mod jobs;
mod store;
mod tables;
mod wanted;
mod world;

use futures::FutureExt;
use jobs::{CHECKPOINT, JOBS, Job};
use std::panic::AssertUnwindSafe;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use store::{Kill, Killer};
use wanted::Wanted;
use world::World;

/// In a full run, so many processes are killed at least.
const KILLS: usize = 300;

/// Whether a process did its work: 6 says that the doctor knows of more than it can mend.
fn ended_well(code: Option<i32>) -> bool {
    matches!(code, Some(0 | 6))
}

/// Kills a command at every step, or at one of so many. Gives how often.
async fn at_every_step(killer: &Killer, world: &World, job: &Job, one_of: usize) -> usize {
    let begun = Instant::now();
    let world = world.of(&[job.table, job.target]);
    let (clean, after) = killer.run(&world, job, Kill::Never);
    assert!(ended_well(clean.code), "{}{}", clean.out, clean.err);
    let wanted = Wanted::new(job, &world, &after).await;
    let steps = clean.writes.iter().enumerate().flat_map(|(at, writes)| {
        let after = writes.then_some(Kill::After(at + 1));
        [Kill::Before(at + 1)].into_iter().chain(after)
    });
    let mut kills = 0;
    for kill in steps.step_by(one_of) {
        let (ended, left) = killer.run(&world, job, kill);
        // Requests that go out at once are not always as many.
        assert!(ended.code.is_none() || ended_well(ended.code), "{kill:?}: {}", ended.err);
        kills += usize::from(ended.code.is_none());
        if left.objects == world.objects {
            // It had changed nothing yet.
            continue;
        }
        wanted.check(&left, false).await.unwrap_or_else(|what| panic!("{kill:?}: {what}"));
        let (second, done) = killer.run(&left, job, Kill::Never);
        wanted.second(second.code, &second.err).unwrap_or_else(|what| panic!("{kill:?}: {what}"));
        wanted.check(&done, true).await.unwrap_or_else(|what| panic!("{kill:?}, then again: {what}"));
    }
    println!("{:>4} requests, {kills:>4} kills, {:>6} ms: {}", clean.writes.len(), begun.elapsed().as_millis(), job.words.join(" "));
    assert!(kills > 0, "it was never killed");
    kills
}

// spec: OPS-40
#[test]
fn commands_killed_at_every_step_leave_every_version_and_their_second_runs_finish() {
    let full = std::env::var_os("LAKEBED_TEST_FULL").is_some();
    let only = std::env::var("LAKEBED_TEST_COMMAND").ok();
    let jobs: Vec<&Job> = JOBS.iter().filter(|job| only.as_ref().is_none_or(|only| job.words.join(" ").contains(only))).collect();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime().block_on(World::new());
    let (next, kills, wrong) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                let (killer, runtime) = (Killer::new(), runtime());
                // The first process asks whether the store can be trusted; the later ones remember.
                killer.run(&world, &CHECKPOINT, Kill::Never);
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let one_of = if full { 1 } else { 7 };
                    match runtime.block_on(AssertUnwindSafe(at_every_step(&killer, &world, job, one_of)).catch_unwind()) {
                        Ok(n) => _ = kills.fetch_add(n, Ordering::Relaxed),
                        Err(_) => wrong.lock().unwrap().push(job.words.join(" ")),
                    }
                }
            });
        }
    });
    let (kills, wrong) = (kills.into_inner(), wrong.into_inner().unwrap());
    println!("{kills} kills of {} commands", jobs.len());
    assert!(wrong.is_empty(), "these break what they must keep (the reasons stand above): {wrong:#?}");
    assert!(!full || only.is_some() || kills >= KILLS, "{kills} kills");
}

#[tokio::test]
async fn what_a_command_must_not_do_is_noticed() {
    let world = World::new().await;
    let wanted = Wanted::new(&CHECKPOINT, &world, &world).await;
    let without = |part: &str| {
        let mut left = world.clone();
        left.objects.retain(|key, _| !key.contains(part));
        left
    };
    let oldest = "t/_delta_log/00000000000000000000.json";
    for (left, what) in [(without("t/part-"), "cannot be read"), (without(oldest), ""), (without(".bin"), "cannot be read")] {
        let told = wanted.check(&left, false).await;
        // The oldest commit is needed by no retained version.
        assert_eq!(told.is_ok(), what.is_empty(), "{told:?}");
        assert!(what.is_empty() || told.unwrap_err().contains(what));
    }
    assert!(wanted.check(&without("t/_delta_log"), false).await.is_err());
    // A file that no retained version needs is one of those that a second run must leave.
    let fewer = without("checkpoint");
    assert!(wanted.check(&fewer, false).await.is_ok());
    assert!(wanted.check(&fewer, true).await.is_err());
}
