//! The defects that the simulation must find, each a small deviation from outside: of the machine's events and steps, of its rules, of
//! the store's answers, of what a writer does afterwards. The production code knows nothing of them.

use crate::env::Timestamp;
use crate::error::{Code, Error, ErrorKind};
use crate::log::Version;
use crate::storage::PutOutcome;
use crate::transaction::{Base, CommitMachine, CommitPolicy, Ending, Event, Footprint, RULES, Rule, Step, Winners, Work};
use bytes::Bytes;
use std::sync::Arc;

/// One planted defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    /// "Exists" is read as "another writer won" although the commit that is there is ours.
    ExistsMeansLost,
    /// "Exists" is read as "ours is there" without a look at the transaction id.
    ExistsMeansOurs,
    /// After "exists" the next version is tried without a look at who won.
    BlindRetryNextVersion,
    /// After "exists" a conflict is reported without reading the version back.
    ExistsWithoutReadBack,
    /// "Unknown" is reported as a failure.
    UnknownMeansFailed,
    /// After "unknown" the next version is tried.
    UnknownRetryNextVersion,
    /// The commit is acknowledged once it is sent, before the store has answered.
    AcknowledgedBeforeTheAnswer,
    /// After "unknown" a look that shows nothing is trusted, and "nothing landed" reported.
    StaleLookTrusted,
    /// Giving up with an unsettled put is reported as "nothing landed".
    GiveUpAsKnown,
    /// Every attempt carries another transaction id.
    NewIdEachAttempt,
    /// Two commits of one writer carry the same transaction id.
    IdReused,
    /// Of several winners only the last one is judged.
    JudgeOnlyLastWinner,
    /// One conflict rule is not asked.
    SkipRule(&'static str),
    /// The in-commit timestamp is the clock's, whatever the commit before says.
    TimestampNotMonotone,
    /// The body of the first attempt is sent again at later versions.
    BodyNotStampedAgain,
    /// Retries are not bounded.
    NoBound,
    /// The commit is written by an overwriting put.
    OverwritingPut,
    /// A list decides whether the version is free, then an overwriting put writes it.
    ListThenPut,
    /// Data files are deleted after an unknown outcome too.
    FilesDeletedAfterUnknown,
}

/// A commit machine, as it is or with a defect.
#[derive(Clone, Debug)]
pub(crate) struct Mutant {
    machine: CommitMachine,
    plant: Option<Plant>,
    txn_id: String,
    tried: Version,
    puts: u32,
    first: Option<Bytes>,
    in_doubt: bool,
}

impl Mutant {
    pub(crate) fn new(txn_id: &str, work: Work, base: Base, mut policy: CommitPolicy, seed: u64, plant: Option<Plant>) -> Self {
        if plant == Some(Plant::NoBound) {
            policy.attempts_max *= 10;
        }
        let tried = base.target();
        let machine = CommitMachine::new(Arc::new(work), base, policy, seed);
        let machine = match plant {
            Some(Plant::SkipRule(id)) => machine.with_rules(rules_without(id)),
            _ => machine,
        };
        Mutant { machine, plant, txn_id: txn_id.to_owned(), tried, puts: 0, first: None, in_doubt: false }
    }

    pub(crate) fn on(&mut self, event: Event, now: Timestamp) -> Step {
        match &event {
            Event::Put(PutOutcome::Exists | PutOutcome::Unknown(_)) => self.in_doubt = true,
            Event::Fetched(Ok(winners)) if !winners.commits.is_empty() => self.in_doubt = false,
            _ => {}
        }
        let step = match self.plant {
            None => self.machine.on(event, now),
            Some(plant) => self.deviate(plant, event, now),
        };
        match step {
            Step::Put { version, body } => {
                self.tried = version;
                self.puts += 1;
                let first = self.first.get_or_insert_with(|| body.clone()).clone();
                let body = match self.plant {
                    Some(Plant::BodyNotStampedAgain) => first,
                    Some(Plant::NewIdEachAttempt) => self.renamed(&body),
                    _ => body,
                };
                Step::Put { version, body }
            }
            Step::Done(Err(e)) if self.plant == Some(Plant::GiveUpAsKnown) && e.kind() == ErrorKind::CommitUnknown => nothing_landed(),
            step => step,
        }
    }

    fn deviate(&mut self, plant: Plant, event: Event, now: Timestamp) -> Step {
        use PutOutcome::{Exists, Failed, Unknown};
        let acknowledged = Step::Done(Ok(Ending::Committed { version: self.tried, attempts: self.puts }));
        match (plant, event) {
            (Plant::AcknowledgedBeforeTheAnswer, Event::Put(_)) | (Plant::ExistsMeansOurs, Event::Put(Exists)) => acknowledged,
            (Plant::ExistsWithoutReadBack, Event::Put(Exists)) => {
                Step::Done(Ok(Ending::Conflicted { rule: "C5", winner: self.tried, evidence: "exists".to_owned(), wrote: Vec::new() }))
            }
            (Plant::UnknownMeansFailed, Event::Put(Unknown(e))) => self.machine.on(Event::Put(Failed(e)), now),
            (Plant::BlindRetryNextVersion, event @ Event::Put(Exists))
            | (Plant::UnknownRetryNextVersion, event @ Event::Put(Unknown(_))) => {
                let _ = self.machine.on(event, now);
                let stranger = Arc::new(Footprint { version: self.tried, ..Footprint::default() });
                self.machine.on(Event::Fetched(Ok(Winners { commits: vec![stranger], more: false })), now)
            }
            (Plant::StaleLookTrusted, Event::Fetched(Ok(winners))) if winners.commits.is_empty() && self.in_doubt => nothing_landed(),
            (_, Event::Fetched(Ok(winners))) => self.machine.on(Event::Fetched(Ok(misread(plant, winners))), now),
            (_, event) => self.machine.on(event, now),
        }
    }

    fn renamed(&self, body: &Bytes) -> Bytes {
        let text = String::from_utf8(body.to_vec()).unwrap();
        text.replace(&format!("\"{}\"", self.txn_id), &format!("\"{}-{}\"", self.txn_id, self.puts)).into()
    }

    /// Everything that decides what it will do next.
    pub(crate) fn fingerprint(&self) -> Vec<u8> {
        let (base, counts, flags) = self.machine.fingerprint();
        let mut key = vec![base.map_or(0, |v| v.0 as u8 + 1), u8::from(self.in_doubt)];
        key.extend(counts.iter().map(|c| *c as u8));
        key.extend(flags.iter().map(|f| u8::from(*f)));
        key
    }

    /// How often the commit was sent.
    pub(crate) fn puts(&self) -> u32 {
        self.puts
    }
}

/// What a defective reader makes of the winners.
fn misread(plant: Plant, mut winners: Winners) -> Winners {
    let last = winners.commits.len().saturating_sub(1);
    for (i, winner) in winners.commits.iter_mut().enumerate() {
        let seen = Arc::make_mut(winner);
        match plant {
            Plant::ExistsMeansLost => seen.txn_id = None,
            Plant::TimestampNotMonotone => seen.in_commit_timestamp = None,
            Plant::JudgeOnlyLastWinner if i < last => {
                *seen = Footprint {
                    version: seen.version,
                    txn_id: seen.txn_id.take(),
                    in_commit_timestamp: seen.in_commit_timestamp,
                    ..Footprint::default()
                }
            }
            _ => {}
        }
    }
    winners
}

fn nothing_landed() -> Step {
    Step::Done(Err(Error::new(Code::LIMIT, "planted")))
}

fn rules_without(id: &str) -> &'static [Rule] {
    let kept: Vec<Rule> = RULES.iter().copied().filter(|rule| rule.id != id).collect();
    assert!(kept.len() < RULES.len(), "no rule {id}");
    // A few rules a test process.
    kept.leak()
}
