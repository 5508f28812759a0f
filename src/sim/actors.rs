//! Several writers on one faulty store, one schedule a seed.
//!
//! An actor reads and commits in one of two ways: `Bare` reads the commits itself and drives a machine (fast, so many seeds run), `Whole`
//! loads snapshots and commits transactions as every caller does.
//!
//! Time stands still unless everybody waits, so the random length of each request decides who goes first. Each actor has a clock of its
//! own that is wrong and jumps, forgets everything when it crashes, and reads the log through the same faults.

use super::build::{metadata, protocol};
use super::laws::{Looked, Tried, Verdict, judge, judge_looks};
use super::mutant::{Mutant, Plant};
use super::oracle::{Model, Op};
use super::staging::{Staged, stage};
use super::store::{Counts, Dice, Fate, FaultStore};
use crate::env::{Clock, Env, SeededEntropy, Timestamp};
use crate::error::{ErrorKind, Result};
use crate::features::TableState;
use crate::log::{LogFile, Metadata, PathLogStore, Version};
use crate::snapshot::{At, FileQuery, Snapshot};
use crate::storage::TableRoot;
use crate::table::Table;
use crate::transaction::{Base, CommitOutcome, CommitPolicy, End, Ending, Footprint, OperationInfo, drive};
use bytes::Bytes;
use futures::TryStreamExt;
use futures::future::{BoxFuture, join_all};
use object_store::ObjectStoreExt;
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
    pub counts: Counts,
    pub commits: usize,
    pub verdict: Result<(), String>,
}

/// Runs one seed to its end.
pub(crate) fn run(way: Way, seed: u64, plant: Option<Plant>) -> Run {
    on_a_clock_of_its_own(scene(way, seed, plant))
}

/// Runs a scene where time stands still unless everybody waits.
#[allow(clippy::disallowed_methods)] // a test owns its runtime
pub(super) fn on_a_clock_of_its_own<T>(scene: impl Future<Output = T>) -> T {
    // One thread for blocking work, so that it ends in the order in which it began.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(scene)
}

/// What the actors of a run share.
#[derive(Clone)]
pub(super) struct Stage {
    way: Way,
    seed: u64,
    plant: Option<Plant>,
    pub(super) fate: Arc<Fate>,
    pub(super) store: FaultStore,
    env: Env,
    started: tokio::time::Instant,
    tried: Arc<Mutex<Vec<Tried>>>,
    looks: Arc<Mutex<Vec<Looked>>>,
}

async fn scene(way: Way, seed: u64, plant: Option<Plant>) -> Run {
    let stage = Stage::new(way, seed, plant);
    join_all((0..ACTORS).map(|number| stage.actor(number).act())).await;
    stage.settle().await;
    let end = stage.actor(ACTORS).end().await;
    let log = stage.read_all().await;
    let verdict = match end {
        Ok(()) => stage.judge(&log).await,
        Err(what) => Err(what),
    };
    Run { trace: stage.fate.trace(), counts: stage.fate.counts(), commits: log.len(), verdict }
}

impl Stage {
    pub(super) fn new(way: Way, seed: u64, plant: Option<Plant>) -> Stage {
        let fate = Arc::new(Fate::new(seed));
        let store = FaultStore::new(Arc::clone(&fate), plant);
        let (tried, looks) = (Arc::default(), Arc::default());
        Stage { way, seed, plant, fate, store, env: Env::system().replayed(), started: tokio::time::Instant::now(), tried, looks }
    }

    /// Lets every request that is still under way arrive, and no other go wrong.
    pub(super) async fn settle(&self) {
        tokio::time::sleep(Duration::from_secs(120)).await;
        self.fate.relent();
    }

    pub(super) fn actor(&self, number: usize) -> Actor {
        let clock = Arc::new(CrookedClock { started: self.started, skew: AtomicI64::new(0) });
        let root = TableRoot::with_store("memory:///t/".parse().unwrap(), Arc::new(self.store.clone()), Path::from("t"));
        let entropy = Arc::new(SeededEntropy::new(self.seed.wrapping_mul(31) ^ number as u64));
        let env = self.env.clone().with_clock(Arc::<CrookedClock>::clone(&clock)).with_entropy(entropy);
        let table = Table::with_log(root.clone(), Arc::new(PathLogStore::new(root)), env);
        Actor { name: format!("w{number}"), stage: self.clone(), table, clock, known: Known::default() }
    }

    /// The commits that are there. A gap must be seen, so versions beyond the first one that is missing are looked at too.
    pub(super) async fn commits(&self) -> Vec<(Version, Bytes)> {
        let mut found = Vec::new();
        for version in (0..(ACTORS * OPS * 8) as u64).map(Version) {
            let path = Path::from("t/_delta_log").join(LogFile::commit_name(version));
            found.extend(self.store.peek(&path).await.map(|body| (version, body)));
        }
        found
    }

    async fn read_all(&self) -> Vec<Arc<Footprint>> {
        self.commits().await.into_iter().map(|(version, body)| Arc::new(Footprint::read(version, &body).unwrap())).collect()
    }

    async fn judge(&self, log: &[Arc<Footprint>]) -> Result<(), String> {
        let versions = judge(log, &self.tried.lock().unwrap())?;
        judge_looks(&versions, &self.looks.lock().unwrap())?;
        for add in log.iter().flat_map(|c| &c.adds) {
            if self.store.peek(&Path::from("t").join(add.path.as_str())).await.is_none() {
                return Err(format!("the log names {}, which is not there", add.path));
            }
        }
        Ok(())
    }
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

pub(super) struct Actor {
    pub(super) name: String,
    pub(super) stage: Stage,
    pub(super) table: Table,
    clock: Arc<CrookedClock>,
    known: Known,
}

impl Actor {
    async fn act(mut self) {
        let fate = Arc::clone(&self.stage.fate);
        for number in 0..OPS {
            self.idle().await;
            // A stale base is as good as a fresh one, and more telling.
            if self.known.next == 0 || fate.throw(|d| d.chance(70)) {
                let _ = self.catch_up().await;
            }
            if self.known.next > 0 && fate.throw(|d| d.chance(20)) {
                let _ = self.travel().await;
            }
            let op = fate.throw(|d| choose(&self.known, d));
            let crash = fate.throw(|d| d.chance(10).then(|| Duration::from_millis(d.below(150))));
            let _ = self.attempt(number, op, crash).await;
        }
    }

    /// Some time passes, perhaps more or less than it seems.
    pub(super) async fn idle(&self) {
        let fate = &self.stage.fate;
        let jump = fate.throw(|d| d.chance(20).then(|| d.below(7_200_000) as i64 - 3_600_000));
        if let Some(jump) = jump {
            fate.count("clock jump");
            self.clock.skew.fetch_add(jump, Ordering::Relaxed);
        }
        let pause = fate.throw(|d| d.below(30));
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }

    /// With no more faults, everything that landed can be read, and one more commit lands.
    async fn end(mut self) -> Result<(), String> {
        let ended = |e: crate::error::Error| format!("the table cannot be read after the faults: {e}");
        self.catch_up().await.map_err(ended)?;
        for _ in 0..2 {
            self.travel().await.map_err(ended)?;
        }
        let op = if self.known.next == 0 { Op::Create } else { Op::Append };
        match self.attempt(0, op, None).await {
            Verdict::Committed(_) => Ok(()),
            other => Err(format!("a commit after the faults ended as {other:?}")),
        }
    }

    async fn attempt(&mut self, number: usize, op: Op, crash: Option<Duration>) -> Verdict {
        // Known before the commit is sent, so that a crash does not hide it.
        let reused = self.stage.plant == Some(Plant::IdReused);
        let mut id = if reused { format!("{}.", self.name) } else { format!("{}-{number}.", self.name) };
        let seen = self.known.model.metadata.clone();
        let commit = self.commit(&mut id, number, &op);
        let verdict = match crash {
            None => commit.await,
            Some(after) => tokio::time::timeout(after, commit).await.unwrap_or_else(|_| {
                self.stage.fate.count("crash");
                Verdict::NotKnown
            }),
        };
        let kind = format!("{op:?}").split([' ', '{']).next().unwrap_or_default().to_owned();
        let ended = format!("{verdict:?}").split('(').next().unwrap_or_default().to_owned();
        self.stage.fate.count(format!("{kind} {ended}"));
        self.stage.fate.note(format!("{} {id} {op:?} -> {verdict:?}", self.name));
        let told = verdict.clone();
        // Whether files were really deleted is seen in the store.
        self.stage.tried.lock().unwrap().push(Tried { id, op, seen, verdict, discarded: false });
        if crash.is_some() {
            self.known = Known::default();
        }
        told
    }

    /// Reads what is new; keeps what it has when a request fails.
    async fn catch_up(&mut self) -> Result<()> {
        if self.stage.way == Way::Whole {
            self.known = self.load().await?;
            return Ok(());
        }
        while let Some(body) = self.table.log().read_commit(Version(self.known.next)).await? {
            let commit = Footprint::read(Version(self.known.next), &body)?;
            self.known.model.apply(&commit, None, None).unwrap_or_else(|what| self.stage.fate.note(what));
            self.known.next += 1;
            self.look(Version(self.known.next - 1), &self.known.model);
        }
        Ok(())
    }

    fn look(&self, version: Version, model: &Model) {
        let Model { files, apps, metadata, .. } = model.clone();
        self.stage.looks.lock().unwrap().push(Looked { version, files, apps, metadata });
    }

    /// Looks at some version of the past.
    async fn travel(&self) -> Result<()> {
        if self.stage.way == Way::Whole && self.known.next > 0 {
            let version = Version(self.stage.fate.throw(|d| d.below(self.known.next)));
            let snapshot = self.table.snapshot_at(At::Version(version)).await?;
            self.look(version, &model_of(&snapshot).await?);
            self.stage.fate.count("time travel");
        }
        Ok(())
    }

    async fn load(&self) -> Result<Known> {
        let snapshot = match &self.known.snapshot {
            Some(old) if self.stage.fate.throw(|d| d.chance(50)) => old.refresh().await?,
            _ => self.table.snapshot().await?,
        };
        let model = model_of(&snapshot).await?;
        self.look(snapshot.version(), &model);
        Ok(Known { next: snapshot.version().0 + 1, model, snapshot: Some(snapshot) })
    }

    /// Writes the data files and commits them; deletes them again when nothing has landed.
    async fn commit(&self, id: &mut String, number: usize, op: &Op) -> Verdict {
        let file = format!("{}-{number}", self.name);
        let model = &self.known.model;
        let seen = model.metadata.clone().unwrap_or_else(metadata);
        let staged = stage(&file, op, &model.files, &seen);
        let paths: Vec<Path> = staged.adds().map(|a| Path::from("t").join(a.path.as_str())).collect();
        for path in &paths {
            if let Err(e) = self.stage.store.put(path, "rows".into()).await {
                self.stage.fate.note(format!("{path} was not written: {e}"));
                return Verdict::NothingLanded;
            }
        }
        let verdict = self.send(id, staged, seen).await;
        if verdict.discards(self.stage.plant) {
            for path in &paths {
                let _ = self.stage.store.delete(path).await;
            }
        }
        verdict
    }

    async fn send(&self, id: &mut String, staged: Staged, seen: Metadata) -> Verdict {
        let state = Arc::new(TableState::new(protocol(), seen, Vec::new()).unwrap());
        // Who gives up soon often does not know.
        let attempts_max = self.stage.fate.throw(|d| [1, 2, 12][d.below(3) as usize]);
        let policy = CommitPolicy { attempts_max, time_max: Duration::from_secs(60), ..CommitPolicy::default() };
        let env = self.table.env();
        let ended = match self.stage.way {
            Way::Bare => {
                let version = self.known.next.checked_sub(1).map(Version);
                let base = Base { version, state, timestamp: self.known.model.timestamp.map(Timestamp) };
                let mut machine = Mutant::new(id, staged.work(id, version), base, policy, env.random_u64(), self.stage.plant);
                let end = End { seen: Some(env.now()), holds: Duration::MAX };
                drive(|event, now| machine.on(event, now), &self.table, end).await
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
                    CommitOutcome::Conflicted(c) => {
                        Ending::Conflicted { rule: c.rule, winner: c.winner, evidence: c.evidence, wrote: Vec::new() }
                    }
                })
            }
        };
        match ended {
            Ok(Ending::Committed { version, .. }) => Verdict::Committed(version),
            Ok(Ending::Conflicted { winner, .. }) => Verdict::Conflicted(winner),
            Err(e) if e.kind() == ErrorKind::CommitUnknown => Verdict::NotKnown,
            Err(e) => {
                self.stage.fate.note(e.to_string());
                Verdict::NothingLanded
            }
        }
    }
}

/// The table of a snapshot.
async fn model_of(snapshot: &Arc<Snapshot>) -> Result<Model> {
    let batches: Vec<_> = snapshot.files(FileQuery::default()).try_collect().await?;
    let files = batches.iter().flat_map(|b| (0..b.len()).map(|row| b.path(row).to_owned())).collect();
    let apps = snapshot.app_versions().await?.into_iter().map(|t| (t.app_id, t.version)).collect();
    Ok(Model { files, apps, metadata: Some(snapshot.state().metadata().clone()), ..Model::default() })
}

/// What to do next on a table as it is known.
fn choose(known: &Known, dice: &mut Dice) -> Op {
    if known.next == 0 {
        return Op::Create;
    }
    let files = &known.model.files;
    let some_file = files.iter().nth(dice.below(files.len() as u64) as usize).cloned();
    match (dice.below(12), some_file) {
        (0..=3, _) | (_, None) => Op::Append,
        (4 | 5, _) => {
            let app = "etl".to_owned();
            let version = known.model.apps.get(&app).map_or(1, |v| v + 1);
            Op::AppendFor { app, version }
        }
        (6, _) => Op::Overwrite,
        (7, Some(path)) => Op::Compact { path },
        (8, _) => Op::CountFiles { files: files.len() },
        (9, Some(path)) => Op::Copy { path },
        (10, _) => Op::Truncate,
        (_, _) => Op::SetProperty { key: format!("p{}", dice.below(3)) },
    }
}
