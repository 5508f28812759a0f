//! A few commit machines over one abstract log: every single step that the world can take next.
//!
//! Steps are atomic where the store is: one put, one look. A pause is no step of its own, since nobody can see it.

use super::faults::Fault;
use super::laws::{Tried, Verdict};
use super::mutant::{Mutant, Plant};
use super::oracle::Op;
use super::tiny::{rows_of_vector, vector};
use crate::env::Timestamp;
use crate::error::{Code, Error, ErrorKind};
use crate::log::{Metadata, Version};
use crate::storage::PutOutcome;
use crate::transaction::{Ending, Event, Footprint, Step, Winners};
use bytes::Bytes;
use std::sync::Arc;

/// Every writer reads the same time, so only the log can order commits.
const NOW: Timestamp = Timestamp(1_000);

#[derive(Clone, Debug)]
pub(crate) struct Writer {
    pub id: String,
    pub op: Op,
    pub seen: Option<Metadata>,
    machine: Mutant,
    next: Next,
    /// It gave up by itself, and does what a writer does then.
    ended: bool,
}

#[derive(Clone, Debug)]
enum Next {
    Put { version: Version, body: Bytes },
    Fetch { from: Version, max: usize },
    Done(Verdict),
}

/// The log, the writers, and the requests that are still under way after their writer was told "unknown".
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub log: Vec<Arc<Footprint>>,
    writers: Vec<Writer>,
    late: Vec<(Version, Bytes)>,
    pub faults_left: u32,
    plant: Option<Plant>,
}

/// What may happen next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Choice {
    Writer(usize, Option<Fault>),
    /// A request of long ago arrives.
    Late(usize),
}

impl Writer {
    pub(crate) fn new(id: String, op: Op, seen: Option<Metadata>, mut machine: Mutant) -> Self {
        let next = resting(&mut machine, Event::Start);
        Writer { id, op, seen, machine, next, ended: false }
    }
}

/// The next step that others can see.
fn resting(machine: &mut Mutant, event: Event) -> Next {
    match machine.on(event, NOW) {
        Step::Put { version, body } => Next::Put { version, body },
        Step::Fetch { from, max } => Next::Fetch { from, max },
        Step::Sleep(_) => resting(machine, Event::Woke),
        // A vector's name tells its rows, so that it needs no store.
        Step::LoadVectors(wanted) => {
            resting(machine, Event::Loaded(Ok(wanted.iter().map(|d| Arc::new(rows_of_vector(Some(d)))).collect())))
        }
        Step::StoreVectors(rows) => resting(machine, Event::Stored(Ok(rows.iter().map(vector).collect()))),
        Step::Done(Ok(Ending::Committed { version, .. })) => Next::Done(Verdict::Committed(version)),
        Step::Done(Ok(Ending::Conflicted { winner, .. })) => Next::Done(Verdict::Conflicted(winner)),
        Step::Done(Err(e)) if e.kind() == ErrorKind::CommitUnknown => Next::Done(Verdict::NotKnown),
        Step::Done(Err(_)) => Next::Done(Verdict::NothingLanded),
    }
}

fn lost() -> Error {
    Error::new(Code::STORE, "simulated")
}

impl World {
    pub(crate) fn new(log: Vec<Arc<Footprint>>, writers: Vec<Writer>, faults_left: u32, plant: Option<Plant>) -> Self {
        World { log, writers, late: Vec::new(), faults_left, plant }
    }

    /// Everything that may happen next; empty at the end.
    pub(crate) fn choices(&self) -> Vec<Choice> {
        let mut found: Vec<Choice> = (0..self.late.len()).map(Choice::Late).collect();
        for (i, writer) in self.writers.iter().enumerate() {
            let faults: &[Fault] = match &writer.next {
                Next::Done(_) => continue,
                // With the version taken, only answers that say nothing differ from the true one.
                Next::Put { version, .. } if self.holds(*version) => Fault::OF_LOST_PUTS,
                Next::Put { .. } => Fault::OF_PUTS,
                Next::Fetch { .. } => Fault::OF_LOOKS,
            };
            found.push(Choice::Writer(i, None));
            if self.faults_left > 0 {
                found.extend(faults.iter().map(|f| Choice::Writer(i, Some(*f))));
            }
        }
        found
    }

    /// Lets it happen.
    pub(crate) fn take(&mut self, choice: Choice) {
        match choice {
            Choice::Late(i) => {
                let (version, body) = self.late.remove(i);
                self.create(version, &body);
            }
            Choice::Writer(i, fault) => {
                self.faults_left -= u32::from(fault.is_some());
                self.step(i, fault);
            }
        }
    }

    fn step(&mut self, i: usize, fault: Option<Fault>) {
        let next = self.writers[i].next.clone();
        let event = match (next, fault) {
            (Next::Put { version, body }, fault) => match self.put(version, body, fault) {
                Some(outcome) => Event::Put(outcome),
                None => return self.writers[i].next = Next::Done(Verdict::NotKnown),
            },
            (Next::Fetch { .. }, Some(Fault::Crash)) => return self.writers[i].next = Next::Done(Verdict::NotKnown),
            (Next::Fetch { .. }, Some(_)) => Event::Fetched(Err(lost())),
            (Next::Fetch { from, max }, None) => {
                let commits: Vec<_> = self.log.iter().filter(|c| c.version >= from).take(max).cloned().collect();
                Event::Fetched(Ok(Winners { more: commits.len() == max, commits }))
            }
            (Next::Done(_), _) => return,
        };
        let writer = &mut self.writers[i];
        writer.next = resting(&mut writer.machine, event);
        writer.ended = matches!(writer.next, Next::Done(_));
    }

    /// The answer of a put; `None` when the writer dies with it.
    fn put(&mut self, version: Version, body: Bytes, fault: Option<Fault>) -> Option<PutOutcome> {
        match fault {
            None if self.create(version, &body) => Some(PutOutcome::Created),
            None | Some(Fault::Busy | Fault::InFlight) => Some(PutOutcome::Exists),
            Some(Fault::Refused) => Some(PutOutcome::Failed(lost())),
            Some(Fault::RequestLost | Fault::Throttled | Fault::Unavailable) => Some(PutOutcome::Unknown(lost())),
            Some(Fault::AnswerLost) => {
                self.create(version, &body);
                Some(PutOutcome::Unknown(lost()))
            }
            Some(Fault::SentTwice) => {
                self.create(version, &body);
                Some(PutOutcome::Exists)
            }
            Some(Fault::ArrivesLate) => {
                self.late.push((version, body));
                Some(PutOutcome::Unknown(lost()))
            }
            Some(Fault::Crash) => None,
            Some(Fault::CrashAfter) => {
                self.create(version, &body);
                None
            }
        }
    }

    fn holds(&self, version: Version) -> bool {
        self.log.iter().any(|c| c.version == version)
    }

    fn create(&mut self, version: Version, body: &Bytes) -> bool {
        if self.plant == Some(Plant::OverwritingPut) {
            self.log.retain(|c| c.version != version);
        }
        let free = !self.holds(version);
        if free {
            let commit = Footprint::read(version, body).expect("a commit that we wrote is readable");
            self.log.push(Arc::new(commit));
            self.log.sort_by_key(|c| c.version);
        }
        free
    }

    /// What the writers were told.
    pub(crate) fn tried(&self) -> Vec<Tried> {
        let verdict = |w: &Writer| if let Next::Done(v) = &w.next { v.clone() } else { Verdict::NotKnown };
        let told = |w: &Writer| {
            let verdict = verdict(w);
            let discarded = w.ended && verdict.discards(self.plant);
            Tried { id: w.id.clone(), op: w.op.clone(), seen: w.seen.clone(), verdict, discarded }
        };
        self.writers.iter().map(told).collect()
    }

    /// The most puts that any writer has sent.
    pub(crate) fn puts_max(&self) -> u32 {
        self.writers.iter().map(|w| w.machine.puts()).max().unwrap_or(0)
    }

    /// Two worlds with the same key behave the same from here on.
    pub(crate) fn key(&self) -> Vec<u8> {
        let mut key = vec![self.faults_left as u8, self.log.len() as u8];
        for commit in &self.log {
            key.push(commit.version.0 as u8);
            key.extend_from_slice(commit.txn_id.as_deref().unwrap_or("").as_bytes());
            key.push(0);
        }
        let mut late: Vec<_> = self.late.iter().map(|(version, body)| (version.0 as u8, crc32fast::hash(body))).collect();
        late.sort_unstable();
        for (version, body) in late {
            key.push(version);
            key.extend_from_slice(&body.to_le_bytes());
        }
        for writer in &self.writers {
            key.extend(writer.machine.fingerprint());
            key.push(u8::from(writer.ended));
            match &writer.next {
                Next::Put { version, body } => {
                    key.extend([1, version.0 as u8]);
                    key.extend_from_slice(&crc32fast::hash(body).to_le_bytes());
                }
                Next::Fetch { from, .. } => key.extend([2, from.0 as u8]),
                Next::Done(Verdict::Committed(v)) => key.extend([3, v.0 as u8]),
                Next::Done(Verdict::Conflicted(v)) => key.extend([4, v.0 as u8]),
                Next::Done(Verdict::NothingLanded) => key.push(5),
                Next::Done(Verdict::NotKnown) => key.push(6),
            }
        }
        key
    }
}
