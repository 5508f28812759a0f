//! The commit as a state machine without I/O: the only retry loop. Kind: pure. Spec: COM.
//!
//! `drive` performs the steps. A put that is answered "exists" or "unknown" may be our own: it is settled by reading the version
//! back and comparing the transaction id. Invariant: a new version is tried only after the version before it was read, is not
//! ours, and no rule excludes it; so a transaction is in the log at most once.

use super::Work;
use super::draft::draft;
use super::footprint::Footprint;
use super::outcome::CUT;
use super::policy::CommitPolicy;
use super::rebase::Base;
use super::rules::{Mine, RULES, Rule, Verdict};
use super::union::{Overlap, Union};
use crate::env::Timestamp;
use crate::error::{Code, Error, Result};
use crate::log::{VectorDescriptor, Version};
use crate::storage::PutOutcome;
use bytes::Bytes;
use roaring::RoaringTreemap;
use std::sync::Arc;
use std::time::Duration;

/// How many rounds the writers that lost are spread over, at first.
const ROUNDS: u32 = 8;

/// What the driver is to do next.
#[derive(Debug)]
pub(crate) enum Step {
    Put {
        version: Version,
        body: Bytes,
    },
    /// Read the commits from `from` on, in order, until there is none; at most `max`.
    Fetch {
        from: Version,
        max: usize,
    },
    Sleep(Duration),
    /// Read these deletion vectors.
    LoadVectors(Vec<VectorDescriptor>),
    /// Write these deletion vectors into new files.
    StoreVectors(Vec<RoaringTreemap>),
    Done(Result<Ending>),
}

/// What came of a step.
#[derive(Debug)]
pub(crate) enum Event {
    Start,
    Put(PutOutcome),
    /// Nothing was put: the log was cut above the version, and goes on at this one.
    Cut(Version),
    Fetched(Result<Winners>),
    /// In the order of the step.
    Loaded(Result<Vec<Arc<RoaringTreemap>>>),
    /// In the order of the step.
    Stored(Result<Vec<VectorDescriptor>>),
    Woke,
}

/// Commits in version order, without gaps.
#[derive(Debug, Default)]
pub(crate) struct Winners {
    pub commits: Vec<Arc<Footprint>>,
    /// There may be more.
    pub more: bool,
}

/// How it ended when it is known how.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    Committed {
        version: Version,
        attempts: u32,
    },
    /// `wrote` names the vector files that were written on the way.
    Conflicted {
        rule: &'static str,
        winner: Version,
        evidence: String,
        wrote: Vec<String>,
    },
}

/// One commit on its way into the log.
#[derive(Clone, Debug)]
pub(crate) struct CommitMachine {
    work: Arc<Work>,
    policy: CommitPolicy,
    rules: &'static [Rule],
    base: Base,
    /// The body for the version after `base`; `None` when it must be made anew.
    body: Option<Bytes>,
    started: Timestamp,
    jitter: Jitter,
    puts: u32,
    /// Looks at the log that failed, since the last one that did not.
    failed_looks: u32,
    /// How often another commit took the version that we tried.
    losses: u32,
    /// A put at the version after `base` may have landed, or may still land.
    unsettled: bool,
    /// We paused since the last put, so the next empty look leads to a put.
    rested: bool,
    /// The files of which winners deleted rows that we do not hold yet.
    union: Union,
    /// Vectors that could not be loaded or stored, since the last time that they could.
    failed_vectors: u32,
    /// When this round began: with a look at the log, after the pause before it.
    round: Timestamp,
    cause: Option<Arc<Error>>,
}

impl CommitMachine {
    /// A commit of `work` on `base`; `seed` feeds the jitter of its pauses.
    pub(crate) fn new(work: Arc<Work>, base: Base, policy: CommitPolicy, seed: u64) -> Self {
        let jitter = Jitter { state: seed, last: policy.pause_min };
        CommitMachine {
            work,
            policy,
            rules: RULES,
            base,
            body: None,
            started: Timestamp(0),
            jitter,
            puts: 0,
            failed_looks: 0,
            losses: 0,
            unsettled: false,
            rested: false,
            union: Union::default(),
            failed_vectors: 0,
            round: Timestamp(0),
            cause: None,
        }
    }

    /// Takes what came of the last step and says the next one.
    pub(crate) fn on(&mut self, event: Event, now: Timestamp) -> Step {
        match event {
            Event::Start => {
                (self.started, self.round) = (now, now);
                self.put(now)
            }
            Event::Put(PutOutcome::Created) => self.committed(self.base.target()),
            Event::Put(PutOutcome::Exists) => self.in_doubt(),
            Event::Put(PutOutcome::Unknown(e)) => self.unknown(e),
            Event::Put(PutOutcome::Failed(e)) => self.failed(e, now),
            // What we put there before, if anything, went with the commits that were cut off.
            Event::Cut(_) if self.unsettled => self.give_up(),
            Event::Cut(newer) => self.conflicted(CUT, newer, "the log has been cut above the version that was read".to_owned()),
            Event::Fetched(Ok(winners)) => self.fetched(winners, now),
            Event::Fetched(Err(e)) => {
                self.failed_looks += 1;
                self.cause = Some(Arc::new(e));
                let over = self.failed_looks >= self.policy.looks_max || self.left(now).is_zero();
                if over { self.give_up() } else { self.pause(now) }
            }
            Event::Loaded(Ok(vectors)) => self.unite(vectors),
            Event::Stored(Ok(vectors)) => {
                self.failed_vectors = 0;
                let work = Arc::make_mut(&mut self.work);
                work.wrote(&vectors);
                self.union.stored(&mut work.intent, vectors);
                self.put(now)
            }
            Event::Loaded(Err(e)) | Event::Stored(Err(e)) => {
                self.failed_vectors += 1;
                self.cause = Some(Arc::new(e));
                let over = self.failed_vectors >= self.policy.looks_max || self.left(now).is_zero();
                if over { self.give_up() } else { self.pause(now) }
            }
            Event::Woke => {
                self.round = now;
                self.fetch()
            }
        }
    }

    fn put(&mut self, now: Timestamp) -> Step {
        if self.is_over(now) {
            return self.give_up();
        }
        if self.union.is_behind() {
            return Step::LoadVectors(self.union.wanted(&self.work.intent));
        }
        let body = match self.body.take().map_or_else(|| draft(&self.work, &self.base, &self.work.txn_id, now), Ok) {
            Ok(body) => body,
            Err(e) => return Step::Done(Err(e)),
        };
        self.body = Some(body.clone());
        self.puts += 1;
        self.rested = false;
        Step::Put { version: self.base.target(), body }
    }

    /// All winners that are in sight are passed; rows that they deleted too are united with ours.
    fn unite(&mut self, vectors: Vec<Arc<RoaringTreemap>>) -> Step {
        match self.union.unite(&self.work.intent, vectors) {
            Ok(united) => Step::StoreVectors(united),
            Err(Overlap { winner, evidence }) => self.conflicted("C9", winner, evidence),
        }
    }

    fn unknown(&mut self, error: Error) -> Step {
        if error.code() == Code::COMMIT_UNKNOWN {
            return self.may_not_last(error);
        }
        self.cause = Some(Arc::new(error));
        self.in_doubt()
    }

    /// The commit can be seen, but not be relied on: what a look shows would prove nothing.
    fn may_not_last(&self, error: Error) -> Step {
        let error = error.with("txnId", &self.work.txn_id).with("version", self.base.target()).with("attempts", self.puts);
        Step::Done(Err(error))
    }

    /// What is at the version that we tried may be ours, or may still come.
    fn in_doubt(&mut self) -> Step {
        self.unsettled = true;
        self.fetch()
    }

    fn failed(&mut self, error: Error, now: Timestamp) -> Step {
        if !self.unsettled {
            return Step::Done(Err(error));
        }
        self.cause = Some(Arc::new(error));
        self.rest(now)
    }

    fn fetch(&self) -> Step {
        Step::Fetch { from: self.base.target(), max: self.policy.winners_max }
    }

    fn fetched(&mut self, winners: Winners, now: Timestamp) -> Step {
        self.failed_looks = 0;
        if winners.commits.is_empty() {
            return if self.rested { self.put(now) } else { self.rest(now) };
        }
        let ours = |w: &&Arc<Footprint>| w.txn_id.as_deref() == Some(self.work.txn_id.as_str());
        if let Some(own) = winners.commits.iter().find(ours) {
            return self.committed(own.version);
        }
        // Another commit holds the version that we tried, so whatever became of our puts, none of them landed there.
        self.unsettled = false;
        for winner in &winners.commits {
            debug_assert_eq!(winner.version, self.base.target(), "the driver hands winners over without gaps");
            match self.judge(winner) {
                (rule, Verdict::Conflict(evidence)) => return self.conflicted(rule, winner.version, evidence),
                (_, Verdict::Clear) => {}
                (rule, Verdict::Unite) => {
                    let work = Arc::make_mut(&mut self.work);
                    if let Err(overlap) = self.union.note(&mut work.intent, &work.paths, winner) {
                        return self.conflicted(rule, overlap.winner, overlap.evidence);
                    }
                }
            }
            match self.base.advance(winner) {
                Ok(base) => self.base = base,
                Err(e) => return Step::Done(Err(e.with("version", winner.version))),
            }
        }
        self.body = None;
        if winners.more {
            return self.fetch();
        }
        self.losses += 1;
        // Who loses to many at once has to spread over more time than a round takes.
        self.jitter.at_least(self.since(self.round, now).saturating_mul(ROUNDS), self.policy.pause_max);
        // The first loss is made good at once; who loses again gives way.
        if self.losses > 1 && !self.rested { self.rest(now) } else { self.put(now) }
    }

    /// The first rule that excludes us, or else the one that wants vectors united.
    fn judge(&self, winner: &Footprint) -> (&'static str, Verdict) {
        let mine = Mine::new(&self.work, &self.base);
        let mut found = ("", Verdict::Clear);
        for rule in self.rules.iter().filter(|rule| rule.levels.contains(&mine.level)) {
            match (rule.test)(&mine, winner) {
                Verdict::Clear => {}
                Verdict::Unite => found = (rule.id, Verdict::Unite),
                conflict @ Verdict::Conflict(_) => return (rule.id, conflict),
            }
        }
        found
    }

    fn rest(&mut self, now: Timestamp) -> Step {
        if self.is_over(now) {
            return self.give_up();
        }
        self.pause(now)
    }

    fn pause(&mut self, now: Timestamp) -> Step {
        self.rested = true;
        Step::Sleep(self.jitter.next(self.policy.pause_min, self.policy.pause_max).min(self.left(now)))
    }

    /// What remains of the time; a clock that went backwards gives back no more than the whole of it.
    fn left(&self, now: Timestamp) -> Duration {
        self.policy.time_max.saturating_sub(self.since(self.started, now))
    }

    fn since(&self, then: Timestamp, now: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(now.millis().saturating_sub(then.millis())).unwrap_or(0))
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.puts >= self.policy.attempts_max || (self.puts > 0 && self.left(now).is_zero())
    }

    fn give_up(&mut self) -> Step {
        let version = self.base.target();
        let error = if self.unsettled {
            Error::new(Code::COMMIT_UNKNOWN, "the store did not say whether the commit landed, and it was not there when we looked last")
                .help("look for the transaction id in the table's history before you write again; data files are left for vacuum")
        } else {
            Error::new(Code::LIMIT, "the commit did not land within its attempts and time; nothing of it is in the log")
                .help("raise the attempts and the time of the commit policy, or write while fewer others do")
        };
        let error = error.with("txnId", &self.work.txn_id).with("version", version).with("attempts", self.puts);
        Step::Done(Err(match self.cause.take() {
            Some(cause) => error.caused_by(cause),
            None => error,
        }))
    }

    fn committed(&self, version: Version) -> Step {
        Step::Done(Ok(Ending::Committed { version, attempts: self.puts }))
    }

    fn conflicted(&self, rule: &'static str, winner: Version, evidence: String) -> Step {
        Step::Done(Ok(Ending::Conflicted { rule, winner, evidence, wrote: self.work.wrote.clone() }))
    }

    /// The same under other rules, for planted defects.
    #[cfg(test)]
    pub(crate) fn with_rules(self, rules: &'static [Rule]) -> Self {
        CommitMachine { rules, ..self }
    }

    /// Everything that decides what it will do next, for the exhaustive search.
    #[cfg(test)]
    pub(crate) fn fingerprint(&self) -> (Option<Version>, [u32; 4], [bool; 4]) {
        let flags = [self.unsettled, self.rested, self.body.is_some(), self.union.is_behind()];
        (self.base.version, [self.puts, self.failed_looks, self.losses.min(2), self.failed_vectors], flags)
    }
}

/// Decorrelated jitter: each pause lies between the shortest and three times the last one.
#[derive(Clone, Debug)]
struct Jitter {
    state: u64,
    last: Duration,
}

impl Jitter {
    /// The next pause may be three times this long.
    fn at_least(&mut self, last: Duration, max: Duration) {
        self.last = self.last.max(last.min(max));
    }
    fn next(&mut self, min: Duration, max: Duration) -> Duration {
        // One step of SplitMix64.
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        let span = (self.last * 3).saturating_sub(min).as_micros().min(u128::from(u64::MAX - 1)) as u64 + 1;
        self.last = (min + Duration::from_micros(z % span)).min(max);
        self.last
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
