//! Commands that are killed (SIGKILL) at every step: the table opens, every retained version has the rows that it had, and a second run
//! finishes the work.
//!
//! The command is a process of its own. On a scripted S3, each of its requests is counted, and the process killed at the n-th, for every n,
//! before it is carried out or, when it writes, after. On the local disk, whose steps nobody counts, processes are killed at moments of chance.

mod disk;
mod store;
mod world;

use store::{Kill, Killer};
use world::{NEWEST, OLD, Seen, World};

/// A command, and what it must leave.
pub struct Job {
    /// `{}` is the folder of the tables.
    words: &'static [&'static str],
    /// The first version that it retains.
    retains: u64,
    /// The table that it makes or changes.
    target: &'static str,
    /// The version whose rows that table has afterwards, when it is one.
    means: Option<u64>,
    /// Objects with these in their names are as many after a second run as after one that nobody disturbed.
    leaves: &'static [&'static str],
}

/// A command that changes no row.
const fn care(words: &'static [&'static str]) -> Job {
    Job { words, retains: OLD, target: "t", means: Some(NEWEST), leaves: &[] }
}

const fn change(words: &'static [&'static str]) -> Job {
    Job { means: None, ..care(words) }
}

const JOBS: &[Job] = &[DELETE, UPDATE, CHECKPOINT, COMPACT, CLEANUP];
const DELETE: Job = change(&["delete", "{}/t", "--where", "id < 15"]);
const UPDATE: Job = change(&["update", "{}/t", "--set", "n = 5", "--where", "id % 3 = 0"]);
const CHECKPOINT: Job = Job { leaves: &["0000010.checkpoint"], ..care(&["checkpoint", "{}/t"]) };
const COMPACT: Job = Job { leaves: &[".compacted.json"], ..care(&["log", "compact", "{}/t"]) };
const CLEANUP: Job = Job { leaves: &["t/_delta_log/0"], ..care(&["log", "cleanup", "{}/t"]) };

/// Kills a command at every step, or, in a run that is not a full one, at some. Gives how often.
async fn at_every_step(job: &Job) -> usize {
    let (killer, world) = (Killer::new(), World::new().await);
    let before = Seen::of(&world.table("t").await, 0).await.unwrap().unwrap();
    assert_eq!(before.rows.len() as u64, NEWEST + 1);
    // The first process asks whether the store can be trusted; the later ones remember.
    killer.run(&world, job.words, Kill::Never);
    let (clean, after) = killer.run(&world, job.words, Kill::Never);
    assert_eq!(clean.code, Some(0), "{:?}: {}{}", job.words, clean.out, clean.err);
    let wanted = Wanted::new(job, &before, &after).await;

    let every = if std::env::var_os("LAKEBED_TEST_FULL").is_some() { 1 } else { 5 };
    let steps = clean.writes.iter().enumerate().flat_map(|(at, writes)| {
        let after = writes.then_some(Kill::After(at + 1));
        [Kill::Before(at + 1)].into_iter().chain(after)
    });
    let mut kills = 0;
    for kill in steps.step_by(every) {
        let (ended, left) = killer.run(&world, job.words, kill);
        // Requests that go out at once are not always as many.
        assert!(ended.code.is_none() || ended.code == Some(0), "{:?} {kill:?}: {}", job.words, ended.err);
        kills += usize::from(ended.code.is_none());
        wanted.check(&left, false).await.unwrap_or_else(|what| panic!("{:?} {kill:?}: {what}", job.words));
        let (second, done) = killer.run(&left, job.words, Kill::Never);
        assert_eq!(second.code, Some(0), "{:?} {kill:?}, then again: {}", job.words, second.err);
        wanted.check(&done, true).await.unwrap_or_else(|what| panic!("{:?} {kill:?}, then again: {what}", job.words));
    }
    println!("{:?}: {} requests, {kills} kills", job.words, clean.writes.len());
    assert!(kills > 0, "{:?} was never killed", job.words);
    kills
}

/// What must be true of whatever a killed command leaves.
pub struct Wanted<'a> {
    job: &'a Job,
    before: &'a Seen,
    /// What is seen of the command's table after an undisturbed run, and the objects that it leaves.
    clean: Seen,
    leaves: Vec<usize>,
}

impl<'a> Wanted<'a> {
    pub async fn new(job: &'a Job, before: &'a Seen, after: &World) -> Wanted<'a> {
        let clean = Seen::of(&after.table(job.target).await, u64::MAX).await.unwrap().expect("the command leaves a table");
        if let Some(version) = job.means {
            assert_eq!(clean.newest(), &before.rows[&version], "{:?}", job.words);
        }
        let wanted = Wanted { job, before, clean, leaves: after.count(job.leaves) };
        wanted.check(after, true).await.unwrap_or_else(|what| panic!("{:?}, undisturbed: {what}", job.words));
        wanted
    }

    /// `done` when the command has run to its end.
    pub async fn check(&self, left: &World, done: bool) -> Result<(), String> {
        let table = Seen::of(&left.table("t").await, self.job.retains).await?.ok_or("the table is gone")?;
        self.check_versions(&table)?;
        let target = match self.job.target {
            "t" => Some(table),
            other => Seen::of(&left.table(other).await, u64::MAX).await?,
        };
        self.check_target(target.as_ref(), done)?;
        let leaves = left.count(self.job.leaves);
        if done && leaves != self.leaves {
            return Err(format!("it leaves {leaves:?} objects with {:?}, not {:?}", self.job.leaves, self.leaves));
        }
        Ok(())
    }

    /// Every retained version has its rows; a newer one those of before or after the command.
    fn check_versions(&self, table: &Seen) -> Result<(), String> {
        for (version, rows) in self.before.rows.range(self.job.retains..) {
            if table.rows.get(version) != Some(rows) {
                return Err(format!("version {version} has the rows {:?}, not {rows:?}", table.rows.get(version)));
            }
        }
        for (version, rows) in table.rows.range(NEWEST + 1..) {
            let ends = self.job.target == "t" && rows == self.clean.newest();
            if !ends && rows != self.before.newest() {
                return Err(format!("version {version} has rows of no meaning: {rows:?}"));
            }
        }
        Ok(())
    }

    fn check_target(&self, target: Option<&Seen>, done: bool) -> Result<(), String> {
        let Some(target) = target else {
            return if done { Err("the table was not made".to_owned()) } else { Ok(()) };
        };
        let whole = target.newest() == self.clean.newest();
        match (whole, done || self.job.target != "t") {
            (false, true) => Err(format!("the table has the rows {:?}, not {:?}", target.newest(), self.clean.newest())),
            _ if done && target.files != self.clean.files => Err(format!("the table has {} files, not {}", target.files, self.clean.files)),
            _ => Ok(()),
        }
    }
}

/// One test a command, so that they run beside each other.
macro_rules! killed {
    ($($name:ident: $job:expr;)*) => {$(
        // spec: OPS-40
        #[tokio::test]
        async fn $name() {
            at_every_step(&$job).await;
        }
    )*};
}

killed! {
    a_delete_killed_at_every_step_leaves_every_version_and_its_second_run_finishes: DELETE;
    an_update_killed_at_every_step_leaves_every_version_and_its_second_run_finishes: UPDATE;
    a_checkpoint_killed_at_every_step_leaves_every_version_and_its_second_run_finishes: CHECKPOINT;
    a_log_compaction_killed_at_every_step_leaves_every_version_and_its_second_run_finishes: COMPACT;
    a_log_cleanup_killed_at_every_step_leaves_every_version_and_its_second_run_finishes: CLEANUP;
}

#[tokio::test]
async fn what_a_command_must_not_do_is_noticed() {
    let world = World::new().await;
    let before = Seen::of(&world.table("t").await, 0).await.unwrap().unwrap();
    let wanted = Wanted::new(&CHECKPOINT, &before, &world).await;
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
    let emptied = without("t/_delta_log");
    assert!(wanted.check(&emptied, false).await.is_err());
}
