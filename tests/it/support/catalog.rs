//! A catalog in this process, with faults when they are asked for.

use super::random::Random;
use async_trait::async_trait;
use lakebed::{CommitCatalog, PutOutcome, Ratified, Result, StagedCommit, Version};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Ratifies commits of one table.
#[derive(Debug, Default)]
pub struct Catalog {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    latest: Option<Version>,
    staged: BTreeMap<Version, StagedCommit>,
    faults: Option<Faults>,
    keep_unpublished: bool,
    permits_cleanup: bool,
}

#[derive(Debug)]
struct Faults {
    random: Random,
    /// One request in so many goes wrong.
    one_in: u64,
}

impl Catalog {
    /// One request in `one_in` goes wrong from now on; 0 for none.
    pub fn fail(&self, seed: u64, one_in: u64) {
        self.state.lock().unwrap().faults = (one_in > 0).then(|| Faults { random: Random::new(seed), one_in });
    }
    /// Whether every answer that a commit was ratified is lost from now on, so that nobody publishes it.
    pub fn keep_unpublished(&self, keep: bool) {
        self.state.lock().unwrap().keep_unpublished = keep;
    }
    /// Whether writers may delete old files of the log.
    pub fn permit_cleanup(&self, permit: bool) {
        self.state.lock().unwrap().permits_cleanup = permit;
    }
    /// Loses a commit that is not published.
    pub fn forget(&self, version: u64) {
        self.state.lock().unwrap().staged.remove(&Version(version));
    }
    pub fn unpublished(&self) -> Vec<u64> {
        self.state.lock().unwrap().staged.keys().map(|v| v.0).collect()
    }
    pub fn latest(&self) -> Option<Version> {
        self.state.lock().unwrap().latest
    }
}

impl State {
    fn fails(&mut self) -> bool {
        self.faults.as_mut().is_some_and(|f| f.random.below(f.one_in) == 0)
    }
}

fn lost() -> lakebed::Error {
    lakebed::Error::cancelled("the catalog does not answer")
}

#[async_trait]
impl CommitCatalog for Catalog {
    fn permits_cleanup(&self) -> bool {
        self.state.lock().unwrap().permits_cleanup
    }
    async fn ratified(&self) -> Result<Ratified> {
        tokio::task::yield_now().await;
        let mut state = self.state.lock().unwrap();
        match state.fails() {
            true => Err(lost()),
            false => Ok(Ratified { latest: state.latest, commits: state.staged.values().cloned().collect() }),
        }
    }
    async fn ratify(&self, staged: &StagedCommit) -> PutOutcome {
        tokio::task::yield_now().await;
        let mut state = self.state.lock().unwrap();
        let next = state.latest.map_or(Version(0), Version::next);
        if state.fails() {
            return PutOutcome::Failed(lost());
        }
        if staged.version < next {
            return PutOutcome::Exists;
        }
        if staged.version > next {
            return PutOutcome::Failed(lost());
        }
        state.latest = Some(next);
        state.staged.insert(next, staged.clone());
        match state.keep_unpublished || state.fails() {
            true => PutOutcome::Unknown(lost()),
            false => PutOutcome::Created,
        }
    }
    async fn published(&self, version: Version) -> Result<()> {
        tokio::task::yield_now().await;
        let mut state = self.state.lock().unwrap();
        if state.keep_unpublished || state.fails() {
            return Err(lost());
        }
        state.staged.retain(|v, _| *v > version);
        Ok(())
    }
}
