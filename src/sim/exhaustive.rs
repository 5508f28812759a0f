//! Every schedule of three writers with at most two faults.

use super::build::{add, metadata, protocol};
use super::mutant::{Mutant, Plant};
use super::oracle::Op;
use super::schedule::{Walked, walk};
use super::staging::stage;
use super::world::{World, Writer};
use crate::env::Timestamp;
use crate::features::TableState;
use crate::log::{Action, Version, encode_commit};
use crate::transaction::{Base, CommitPolicy, Footprint};
use std::sync::Arc;

const PUTS_MAX: u32 = 8;

/// The files of the table before anybody writes.
const FILES: [&str; 2] = ["a", "b"];

/// The table at version 0.
fn first_commit() -> Arc<Footprint> {
    let time = serde_json::json!({"inCommitTimestamp": 1_000, "txnId": "before"});
    let mut actions = vec![
        Action::CommitInfo(serde_json::from_value(time).expect("an object")),
        Action::Protocol(protocol()),
        Action::Metadata(metadata()),
    ];
    actions.extend(FILES.iter().map(|f| Action::Add(add(f, true))));
    Arc::new(Footprint::read(Version(0), &encode_commit(&actions).expect("encoded")).expect("readable"))
}

/// A world in which writers `w0`, `w1`, … mean `ops`, all on version 0 (or on no table at all).
fn world(ops: &[Op], attempts: u32, faults: u32, plant: Option<Plant>) -> World {
    let policy = CommitPolicy { attempts_max: attempts, ..CommitPolicy::default() };
    let create = ops.contains(&Op::Create);
    let state = Arc::new(TableState::new(protocol(), metadata(), Vec::new()).expect("a state"));
    let base = Base { version: (!create).then_some(Version(0)), state, timestamp: (!create).then_some(Timestamp(1_000)) };
    let writers = ops.iter().enumerate().map(|(i, op)| {
        let id = format!("w{i}");
        let work = stage(&id, op, &FILES.map(str::to_owned).into(), &metadata()).work(&id, base.version);
        let machine = Mutant::new(&id, work, base.clone(), policy.clone(), i as u64, plant);
        Writer::new(id, op.clone(), (!create).then(metadata), machine)
    });
    let log = if create { Vec::new() } else { vec![first_commit()] };
    World::new(log, writers.collect(), faults, plant)
}

fn app(version: i64) -> Op {
    Op::AppendFor { app: "etl".into(), version }
}
fn compact() -> Op {
    Op::Compact { path: "a".into() }
}
fn copy() -> Op {
    Op::Copy { path: "a".into() }
}
fn count() -> Op {
    Op::CountFiles { files: FILES.len() }
}
fn set(key: &str) -> Op {
    Op::SetProperty { key: key.into() }
}

fn explore(ops: &[Op], attempts: u32, faults: u32, plant: Option<Plant>) -> Result<Walked, String> {
    walk(&world(ops, attempts, faults, plant), attempts)
}

// spec: COM-4, COM-5, COM-6, COM-7
#[test]
fn three_appends_land_once_each_in_every_schedule_with_two_faults() {
    let walked = explore(&[Op::Append, Op::Append, Op::Append], PUTS_MAX, 2, None).unwrap();
    println!("{walked:?}");
    assert!(walked.schedules > 50_000, "{walked:?}");
}

#[test]
fn mixed_writers_keep_the_laws_in_every_schedule_with_two_faults() {
    let scenarios = [
        [Op::Append, Op::Overwrite, Op::Overwrite],
        [app(1), app(1), Op::Append],
        [set("x"), set("y"), Op::Append],
        [compact(), Op::Overwrite, count()],
        [compact(), compact(), Op::Append],
        [copy(), Op::Truncate, compact()],
        [Op::Create, Op::Create, Op::Create],
    ];
    for ops in scenarios {
        let walked = explore(&ops, PUTS_MAX, 2, None).unwrap_or_else(|what| panic!("{ops:?}: {what}"));
        assert!(walked.states > 20, "{ops:?}: {walked:?}");
    }
}

#[test]
fn giving_up_early_tells_the_truth_in_every_schedule() {
    for attempts in [1, 2] {
        explore(&[Op::Append, Op::Append], attempts, 2, None).unwrap();
    }
}

/// Each planted defect, and the smallest scenario that must show it.
fn planted() -> Vec<(Plant, Vec<Op>, u32)> {
    let two = vec![Op::Append, Op::Append];
    vec![
        (Plant::ExistsMeansLost, two.clone(), PUTS_MAX),
        (Plant::UnknownMeansFailed, two.clone(), PUTS_MAX),
        (Plant::BlindRetryNextVersion, two.clone(), PUTS_MAX),
        (Plant::ExistsWithoutReadBack, two.clone(), PUTS_MAX),
        (Plant::UnknownRetryNextVersion, two.clone(), PUTS_MAX),
        (Plant::ExistsMeansOurs, two.clone(), PUTS_MAX),
        (Plant::AcknowledgedBeforeTheAnswer, two.clone(), PUTS_MAX),
        (Plant::StaleLookTrusted, two.clone(), PUTS_MAX),
        (Plant::OverwritingPut, two.clone(), PUTS_MAX),
        (Plant::FilesDeletedAfterUnknown, two.clone(), 1),
        (Plant::NewIdEachAttempt, two.clone(), PUTS_MAX),
        (Plant::JudgeOnlyLastWinner, vec![compact(), compact(), Op::Append], PUTS_MAX),
        (Plant::SkipRule("C2"), vec![set("x"), Op::Append], PUTS_MAX),
        (Plant::SkipRule("C3"), vec![count(), Op::Append], PUTS_MAX),
        (Plant::SkipRule("C4"), vec![copy(), Op::Truncate], PUTS_MAX),
        (Plant::SkipRule("C5"), vec![compact(), compact()], PUTS_MAX),
        (Plant::SkipRule("C6"), vec![app(1), app(1)], PUTS_MAX),
        (Plant::SkipRule("C8"), vec![count(), Op::Truncate], PUTS_MAX),
        (Plant::TimestampNotMonotone, two.clone(), PUTS_MAX),
        (Plant::BodyNotStampedAgain, two.clone(), PUTS_MAX),
        (Plant::NoBound, two.clone(), 2),
        (Plant::GiveUpAsKnown, two, 1),
    ]
}

#[test]
fn every_planted_defect_is_found() {
    for (plant, ops, attempts) in planted() {
        let sound = explore(&ops, attempts, 2, None);
        assert!(sound.is_ok(), "{ops:?} breaks a law without a defect: {sound:?}");
        let found = explore(&ops, attempts, 2, Some(plant));
        assert!(found.is_err(), "{plant:?} was not found in {ops:?}");
    }
}
