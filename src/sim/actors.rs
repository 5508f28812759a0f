//! Several writers on one faulty store, one schedule a seed.
//!
//! An actor reads and commits in one of two ways: `Bare` reads the commits itself and drives a machine (fast, so many seeds run), `Whole`
//! loads snapshots and commits transactions as every caller does.
//!
//! Time stands still unless everybody waits, so the random length of each request decides who goes first. Each actor has a clock of its
//! own that is wrong and jumps, forgets everything when it crashes, and reads the log through the same faults.

use super::Plant;
use super::build::{metadata, protocol};
use super::laws::{Tried, Verdict, judge};
use super::oracle::{Model, Op};
use super::staging::stage;
use super::store::{Dice, Fate, FaultStore};
use crate::env::{Clock, Env, SeededEntropy, Timestamp};
use crate::error::{ErrorKind, Result};
use crate::features::TableState;
use crate::log::{LogFile, LogStore, PathLogStore, Version};
use crate::snapshot::{FileQuery, Snapshot};
use crate::storage::TableRoot;
use crate::table::Table;
use crate::transaction::{Base, CommitMachine, CommitOutcome, CommitPolicy, Ending, Footprint, OperationInfo, drive};
use futures::TryStreamExt;
use futures::future::{BoxFuture, join_all};
use object_store::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const ACTORS: usize = 3;
const OPS: usize = 4;

/// How actors read and commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Bare,
    Whole,
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Run {
    pub trace: Vec<String>,
    pub commits: usize,
    pub verdict: Result<(), String>,
}

/// Runs one seed to its end.
#[allow(clippy::disallowed_methods)] // a test owns its runtime
pub(crate) fn run(way: Way, seed: u64, plant: Option<Plant>) -> Run {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(scene(way, seed, plant))
}

async fn scene(way: Way, seed: u64, plant: Option<Plant>) -> Run {
    let fate = Arc::new(Fate::new(seed));
    let store = FaultStore::new(Arc::clone(&fate));
    let tried = Arc::new(Mutex::new(Vec::new()));
    let started = tokio::time::Instant::now();
    let env = Env::system();
    let actors = (0..ACTORS).map(|number| {
        let clock = Arc::new(CrookedClock { started, skew: AtomicI64::new(0) });
        let root = TableRoot::with_store("memory:///t/".parse().unwrap(), Arc::new(store.clone()), Path::from("t"));
        let entropy = Arc::new(SeededEntropy::new(seed.wrapping_mul(31) ^ number as u64));
        let env = env.clone().with_clock(Arc::<CrookedClock>::clone(&clock)).with_entropy(entropy);
        let table = Table::with_log(root.clone(), Arc::new(PathLogStore::new(root)), env);
        let (fate, tried) = (Arc::clone(&fate), Arc::clone(&tried));
        Actor { name: format!("w{number}"), way, fate, tried, table, clock, known: Known::default(), plant }
    });
    join_all(actors.map(Actor::act)).await;
    // Every request that is still under way arrives before the log is judged.
    tokio::time::sleep(Duration::from_secs(120)).await;
    let log = read_all(&store).await;
    let verdict = judge(&log, &tried.lock().unwrap());
    Run { trace: fate.trace(), commits: log.len(), verdict }
}

async fn read_all(store: &FaultStore) -> Vec<Arc<Footprint>> {
    let mut log = Vec::new();
    // A gap must be seen, so versions beyond the first one that is missing are looked at too.
    for version in (0..(ACTORS * OPS * 8) as u64).map(Version) {
        let path = Path::from("t/_delta_log").join(LogFile::commit_name(version));
        if let Some(body) = store.peek(&path).await {
            log.push(Arc::new(Footprint::read(version, &body).unwrap()));
        }
    }
    log
}

/// A clock that is wrong by `skew`, which jumps.
#[derive(Debug)]
struct CrookedClock {
    started: tokio::time::Instant,
    skew: AtomicI64,
}

impl Clock for CrookedClock {
    fn now(&self) -> Timestamp {
        let elapsed = self.started.elapsed().as_millis() as i64;
        Timestamp(1_700_000_000_000 + elapsed + self.skew.load(Ordering::Relaxed))
    }
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// What an actor remembers of the table.
#[derive(Default)]
struct Known {
    next: u64,
    model: Model,
    snapshot: Option<Arc<Snapshot>>,
}

struct Actor {
    name: String,
    way: Way,
    fate: Arc<Fate>,
    tried: Arc<Mutex<Vec<Tried>>>,
    table: Table,
    clock: Arc<CrookedClock>,
    known: Known,
    plant: Option<Plant>,
}

impl Actor {
    async fn act(mut self) {
        for number in 0..OPS {
            let jump = self.fate.throw(|d| if d.chance(20) { d.below(7_200_000) as i64 - 3_600_000 } else { 0 });
            self.clock.skew.fetch_add(jump, Ordering::Relaxed);
            let pause = self.fate.throw(|d| d.below(30));
            tokio::time::sleep(Duration::from_millis(pause)).await;
            // A stale base is as good as a fresh one, and more telling.
            if self.known.next == 0 || self.fate.throw(|d| d.chance(70)) {
                let _ = self.catch_up().await;
            }
            let op = self.fate.throw(|d| choose(&self.known, d));
            let crash = self.fate.throw(|d| d.chance(10).then(|| Duration::from_millis(d.below(150))));
            // Known before the commit is sent, so that a crash does not hide it.
            let mut id = format!("{}-{number}.", self.name);
            let seen = self.known.model.metadata.clone();
            let commit = self.commit(&mut id, &op);
            let verdict = match crash {
                None => commit.await,
                Some(after) => tokio::time::timeout(after, commit).await.unwrap_or(Verdict::NotKnown),
            };
            self.fate.note(format!("{} {id} {op:?} -> {verdict:?}", self.name));
            self.tried.lock().unwrap().push(Tried { id, op, seen, verdict });
            if crash.is_some() {
                self.known = Known::default();
            }
        }
    }

    /// Reads what is new; keeps what it has when a request fails.
    async fn catch_up(&mut self) -> Result<()> {
        if self.way == Way::Whole {
            self.known = self.load().await?;
            return Ok(());
        }
        while let Some(body) = self.table.log().read_commit(Version(self.known.next)).await? {
            let commit = Footprint::read(Version(self.known.next), &body)?;
            self.known.model.apply(&commit, None, None).unwrap_or_else(|what| self.fate.note(what));
            self.known.next += 1;
        }
        Ok(())
    }

    async fn load(&self) -> Result<Known> {
        let snapshot = match &self.known.snapshot {
            Some(old) if self.fate.throw(|d| d.chance(50)) => old.refresh().await?,
            _ => self.table.snapshot().await?,
        };
        let batches: Vec<_> = snapshot.files(FileQuery::default()).try_collect().await?;
        let files = batches.iter().flat_map(|b| (0..b.len()).map(|row| b.path(row).to_owned())).collect();
        let apps = snapshot.app_versions().await?.into_iter().map(|t| (t.app_id, t.version)).collect();
        let model = Model { files, apps, metadata: Some(snapshot.state().metadata().clone()), ..Model::default() };
        Ok(Known { next: snapshot.version().0 + 1, model, snapshot: Some(snapshot) })
    }

    async fn commit(&self, id: &mut String, op: &Op) -> Verdict {
        let model = &self.known.model;
        let seen = model.metadata.clone().unwrap_or_else(metadata);
        let staged = stage(id, op, &model.files, &seen);
        let state = Arc::new(TableState::new(protocol(), seen, Vec::new()).unwrap());
        let policy = CommitPolicy { attempts_max: 12, time_max: Duration::from_secs(60), plant: self.plant, ..CommitPolicy::default() };
        let env = self.table.env();
        let ended = match self.way {
            Way::Bare => {
                let version = self.known.next.checked_sub(1).map(Version);
                let base = Base { version, state, timestamp: model.timestamp.map(Timestamp) };
                let machine = CommitMachine::new(Arc::new(staged.work(id, version)), base, policy, env.random_u64());
                drive(machine, self.table.log().as_ref(), env).await
            }
            Way::Whole => {
                let mut transaction = match &self.known.snapshot {
                    Some(base) => base.begin(OperationInfo::default()),
                    None => self.table.begin_create(state, OperationInfo::default()),
                };
                *id = transaction.id().to_owned();
                transaction.policy(policy);
                staged.fill(&mut transaction);
                transaction.commit().await.map(|outcome| match outcome {
                    CommitOutcome::Committed(c) => Ending::Committed { version: c.version, attempts: c.attempts },
                    CommitOutcome::Conflicted(c) => Ending::Conflicted { rule: c.rule, winner: c.winner, evidence: c.evidence },
                })
            }
        };
        match ended {
            Ok(Ending::Committed { version, .. }) => Verdict::Committed(version),
            Ok(Ending::Conflicted { winner, .. }) => Verdict::Conflicted(winner),
            Err(e) if e.kind() == ErrorKind::CommitUnknown => Verdict::NotKnown,
            Err(e) => {
                self.fate.note(e.to_string());
                Verdict::NothingLanded
            }
        }
    }
}

/// What to do next on a table as it is known.
fn choose(known: &Known, dice: &mut Dice) -> Op {
    if known.next == 0 {
        return Op::Create;
    }
    let files = &known.model.files;
    let some_file = files.iter().nth(dice.below(files.len() as u64) as usize).cloned();
    match (dice.below(10), some_file) {
        (0..=3, _) | (_, None) => Op::Append,
        (4 | 5, _) => {
            let app = "etl".to_owned();
            let version = known.model.apps.get(&app).map_or(1, |v| v + 1);
            Op::AppendFor { app, version }
        }
        (6, _) => Op::Overwrite,
        (7, Some(path)) => Op::Compact { path },
        (8, _) => Op::CountFiles { files: files.len() },
        (_, _) => Op::SetProperty { key: format!("p{}", dice.below(3)) },
    }
}
