use super::*;
use crate::features::TableState;
use crate::sim::build::{add, metadata, protocol, root};
use crate::transaction::OperationInfo;

const NOW: Timestamp = Timestamp(100);

fn machine(policy: CommitPolicy) -> CommitMachine {
    let mut work = Work::new("mine".into(), Some(Version(4)), OperationInfo::default(), &root());
    work.intent.adds.push(add("new", true));
    let state = Arc::new(TableState::new(protocol(), metadata(), Vec::new()).unwrap());
    CommitMachine::new(Arc::new(work), Base { version: Some(Version(4)), state, timestamp: Some(Timestamp(500)) }, policy, 1)
}

fn started(policy: CommitPolicy) -> CommitMachine {
    let mut machine = machine(policy);
    let Step::Put { version: Version(5), .. } = machine.on(Event::Start, NOW) else { panic!("no put at 5") };
    machine
}

fn store_error() -> Error {
    Error::new(Code::STORE, "out of order")
}

fn looked(commits: &[(u64, &str)]) -> Event {
    let footprint = |(version, id): &(u64, &str)| {
        Arc::new(Footprint { version: Version(*version), txn_id: Some((*id).to_owned()), ..Footprint::default() })
    };
    Event::Fetched(Ok(Winners { commits: commits.iter().map(footprint).collect(), more: false }))
}

fn put(step: Step) -> (Version, Bytes) {
    let Step::Put { version, body } = step else { panic!("not a put: {step:?}") };
    (version, body)
}

fn error(step: Step) -> Error {
    let Step::Done(Err(e)) = step else { panic!("no error: {step:?}") };
    e
}

fn committed_at(step: Step) -> Version {
    let Step::Done(Ok(Ending::Committed { version, .. })) = step else { panic!("not committed: {step:?}") };
    version
}

// spec: COM-4
#[test]
fn created_commits_with_one_put() {
    assert_eq!(committed_at(started(CommitPolicy::default()).on(Event::Put(PutOutcome::Created), NOW)), Version(5));
}

// spec: COM-5
#[test]
fn exists_with_our_own_id_is_success() {
    let mut machine = started(CommitPolicy::default());
    assert!(matches!(machine.on(Event::Put(PutOutcome::Exists), NOW), Step::Fetch { from: Version(5), .. }));
    assert_eq!(committed_at(machine.on(looked(&[(5, "mine"), (6, "theirs")]), NOW)), Version(5));
}

// spec: COM-6
#[test]
fn unknown_and_absent_sends_the_same_bytes_to_the_same_version() {
    let mut machine = machine(CommitPolicy::default());
    let first = put(machine.on(Event::Start, NOW));
    machine.on(Event::Put(PutOutcome::Unknown(store_error())), NOW);
    assert!(matches!(machine.on(looked(&[]), NOW), Step::Sleep(_)));
    assert!(matches!(machine.on(Event::Woke, NOW), Step::Fetch { from: Version(5), .. }));
    assert_eq!(put(machine.on(looked(&[]), Timestamp(900))), first);
}

// spec: COM-14
#[test]
fn commit_that_may_not_last_is_not_read_back_and_names_the_transaction() {
    let in_view = Error::new(Code::COMMIT_UNKNOWN, "in view, but not on the disk");
    let e = error(started(CommitPolicy::default()).on(Event::Put(PutOutcome::Unknown(in_view)), NOW));
    assert_eq!(e.code(), Code::COMMIT_UNKNOWN);
    assert!(e.context().contains(&("txnId", "mine".to_owned())) && e.context().contains(&("version", "5".to_owned())));
}

// spec: COM-6
#[test]
fn winners_are_judged_and_passed_and_the_body_is_stamped_again() {
    let mut machine = machine(CommitPolicy::default());
    let (_, first) = put(machine.on(Event::Start, NOW));
    machine.on(Event::Put(PutOutcome::Exists), NOW);
    let (version, body) = put(machine.on(looked(&[(5, "a"), (6, "b")]), Timestamp(900)));
    assert_eq!(version, Version(7));
    assert_ne!(body, first);
    let landed = Footprint::read(version, &body).unwrap();
    assert_eq!((landed.txn_id.as_deref(), landed.in_commit_timestamp), (Some("mine"), Some(Timestamp(900))));
}

// spec: COM-8
#[test]
fn sure_failure_ends_at_once_with_the_stores_error() {
    let step = started(CommitPolicy::default()).on(Event::Put(PutOutcome::Failed(store_error())), NOW);
    assert_eq!(error(step).code(), Code::STORE);
}

// spec: COM-9
#[test]
fn attempts_spent_with_nothing_landed_is_a_limit() {
    let mut machine = started(CommitPolicy { attempts_max: 1, ..CommitPolicy::default() });
    machine.on(Event::Put(PutOutcome::Exists), NOW);
    let e = error(machine.on(looked(&[(5, "theirs")]), NOW));
    assert_eq!(e.code(), Code::LIMIT);
    assert!(e.context().contains(&("txnId", "mine".to_owned())));
}

// spec: COM-9
#[test]
fn time_spent_with_an_unsettled_put_is_unknown_and_names_the_transaction() {
    let mut machine = started(CommitPolicy { time_max: Duration::from_millis(50), ..CommitPolicy::default() });
    machine.on(Event::Put(PutOutcome::Unknown(store_error())), NOW);
    let e = error(machine.on(looked(&[]), Timestamp(150)));
    assert_eq!(e.code(), Code::COMMIT_UNKNOWN);
    assert!(e.context().contains(&("txnId", "mine".to_owned())));
    assert!(std::error::Error::source(&e).is_some());
}

// spec: COM-9
#[test]
fn looks_that_fail_are_bounded() {
    let mut machine = started(CommitPolicy { looks_max: 3, ..CommitPolicy::default() });
    machine.on(Event::Put(PutOutcome::Exists), NOW);
    for _ in 0..2 {
        assert!(matches!(machine.on(Event::Fetched(Err(store_error())), NOW), Step::Sleep(_)));
        machine.on(Event::Woke, NOW);
    }
    assert_eq!(error(machine.on(Event::Fetched(Err(store_error())), NOW)).code(), Code::COMMIT_UNKNOWN);
}

#[test]
fn clock_that_goes_backwards_does_not_end_a_commit() {
    let mut machine = started(CommitPolicy::default());
    machine.on(Event::Put(PutOutcome::Exists), Timestamp(-5_000_000));
    assert_eq!(put(machine.on(looked(&[(5, "theirs")]), Timestamp(i64::MIN))).0, Version(6));
}

#[test]
fn long_ranges_of_winners_are_read_in_pieces_before_the_next_put() {
    let mut machine = started(CommitPolicy::default());
    machine.on(Event::Put(PutOutcome::Exists), NOW);
    let Event::Fetched(Ok(mut winners)) = looked(&[(5, "a"), (6, "b")]) else { unreachable!() };
    winners.more = true;
    assert!(matches!(machine.on(Event::Fetched(Ok(winners)), NOW), Step::Fetch { from: Version(7), .. }));
    assert_eq!(put(machine.on(looked(&[(7, "c")]), NOW)).0, Version(8));
}

// spec: COM-17
#[test]
fn cut_log_is_a_conflict_unless_a_put_of_ours_may_have_gone_with_it() {
    let Step::Done(Ok(Ending::Conflicted { rule, winner, .. })) = started(CommitPolicy::default()).on(Event::Cut(Version(9)), NOW) else {
        panic!("no conflict");
    };
    assert_eq!((rule, winner), ("CUT", Version(9)));
    let mut machine = started(CommitPolicy::default());
    machine.on(Event::Put(PutOutcome::Unknown(store_error())), NOW);
    assert_eq!(error(machine.on(Event::Cut(Version(9)), NOW)).code(), Code::COMMIT_UNKNOWN);
}

// spec: COM-10
#[test]
fn pauses_stay_between_their_bounds_and_differ_between_writers() {
    let (min, max) = (Duration::from_millis(5), Duration::from_millis(400));
    let pauses = |seed| {
        let mut jitter = Jitter { state: seed, last: min };
        (0..50).map(|_| jitter.next(min, max)).collect::<Vec<_>>()
    };
    assert!(pauses(1).iter().all(|p| (min..=max).contains(p)));
    assert!(pauses(1).iter().any(|p| *p > Duration::from_millis(100)));
    assert_ne!(pauses(1), pauses(2));
}
