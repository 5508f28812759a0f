//! What must be true of whatever a killed command leaves.

use super::ended_well;
use super::jobs::{Job, Rows};
use super::world::{Seen, World};

pub struct Wanted<'a> {
    job: &'a Job,
    target: Kept,
    /// The table that the target is made of, when it is another.
    source: Option<Kept>,
    leaves: Vec<usize>,
}

/// What was seen of a table before the command, and after an undisturbed run.
struct Kept {
    before: Option<Seen>,
    clean: Option<Seen>,
    /// Whether a second run leaves as many files.
    same_files: bool,
}

impl Kept {
    async fn new(name: &str, retains: u64, before: &World, after: &World) -> Kept {
        let before = Seen::of(&before.table(name).await, retains).await.unwrap();
        let clean = Seen::of(&after.table(name).await, retains).await.unwrap();
        Kept { before, clean, same_files: true }
    }

    fn check(&self, found: Option<&Seen>, done: bool) -> Result<(), String> {
        let Some(found) = found else {
            let missing = self.before.is_some() || done && self.clean.is_some();
            return if missing { Err("there is no table".to_owned()) } else { Ok(()) };
        };
        let clean = self.clean.as_ref().ok_or("there is a table")?;
        let last = self.before.as_ref().and_then(|before| Some(*before.rows.keys().next_back()?));
        for (version, rows) in &found.rows {
            let as_it_was = self.before.as_ref().is_some_and(|before| match Some(*version) <= last {
                true => before.rows.get(version) == Some(rows),
                false => before.newest() == rows,
            });
            let new = Some(*version) > last && clean.rows.range(last.map_or(0, |last| last + 1)..).any(|(_, meant)| meant == rows);
            if !as_it_was && !new {
                return Err(format!("version {version} has rows of no meaning: {rows:?}"));
            }
        }
        let known = |damage: &&String| self.before.iter().any(|before| before.damage.contains(*damage));
        if let Some(new) = found.damage.iter().find(|damage| !known(damage)) {
            return Err(format!("damage: {new}"));
        }
        // Rows that are changed a second time may come to lie in other files.
        let same_files = found.files == clean.files || !self.same_files;
        if done && (found.newest() != clean.newest() || !same_files || found.damage != clean.damage) {
            return Err(format!("the command did not finish: {found:?}, not {clean:?}"));
        }
        Ok(())
    }
}

/// What is seen of a table from the first version on that must be kept; all of those that were there must still be.
async fn look(world: &World, name: &str, retains: u64, kept: &Kept) -> Result<Option<Seen>, String> {
    let seen = Seen::of(&world.table(name).await, retains).await?;
    let before = kept.before.iter().flat_map(|before| before.rows.keys()).filter(|version| **version >= retains);
    let missing = before.copied().find(|version| seen.as_ref().is_none_or(|seen| !seen.rows.contains_key(version)));
    missing.map_or(Ok(seen), |version| Err(format!("version {version} is gone")))
}

impl<'a> Wanted<'a> {
    pub async fn new(job: &'a Job, before: &World, after: &World) -> Wanted<'a> {
        let mut target = Kept::new(job.target, job.retains(job.target), before, after).await;
        target.same_files = !matches!(job.rows, Rows::Others);
        let source = match job.table == job.target {
            true => None,
            false => Some(Kept::new(job.table, job.retains, before, after).await),
        };
        let clean = target.clean.as_ref().expect("the command leaves a table");
        let had = target.before.as_ref().map(Seen::newest);
        match job.rows {
            Rows::Same => assert_eq!(Some(clean.newest()), had, "{:?}", job.words),
            Rows::Others => assert_ne!(Some(clean.newest()), had, "{:?}", job.words),
            Rows::Of(version) => {
                assert_eq!(clean.newest(), &source.as_ref().unwrap_or(&target).before.as_ref().unwrap().rows[&version], "{:?}", job.words)
            }
        }
        assert!(clean.damage.is_empty(), "{:?}: {:?}", job.words, clean.damage);
        let wanted = Wanted { job, source, target, leaves: after.count(job.leaves) };
        wanted.check(after, true).await.unwrap_or_else(|what| panic!("{:?}, undisturbed: {what}", job.words));
        wanted
    }

    /// `done` when the command has run to its end.
    pub async fn check(&self, left: &World, done: bool) -> Result<(), String> {
        let job = self.job;
        for (name, kept) in [(job.target, Some(&self.target)), (job.table, self.source.as_ref())] {
            if let Some(kept) = kept {
                let told = |what| format!("{name}: {what}");
                let found = look(left, name, job.retains(name), kept).await.map_err(told)?;
                kept.check(found.as_ref(), done).map_err(told)?;
            }
        }
        let leaves = left.count(job.leaves);
        if done && leaves != self.leaves {
            return Err(format!("it leaves {leaves:?} objects with {:?}, not {:?}", job.leaves, self.leaves));
        }
        Ok(())
    }

    /// How the second run may end.
    pub fn second(&self, code: Option<i32>, err: &str) -> Result<(), String> {
        let refused = !self.job.refused.is_empty() && err.contains(self.job.refused);
        if ended_well(code) || refused { Ok(()) } else { Err(format!("the second run ends with {code:?}: {err}")) }
    }
}
