//! Performs the steps of a commit on a log. Kind: edge. Spec: COM.

use super::footprint::Footprint;
use super::machine::{Ending, Event, Step, Winners};
use crate::data::vector::{self, VectorWriter};
use crate::env::Timestamp;
use crate::error::Result;
use crate::log::{LogFile, LogStore, VectorDescriptor, Version};
use crate::table::Table;
use futures::stream::{self, StreamExt, TryStreamExt};
use roaring::RoaringTreemap;
use std::sync::Arc;
use std::time::Duration;

/// How many commits are asked for at once when there is more than one winner.
const LOOK_AHEAD: usize = 8;

/// A version that was the newest one within this time is followed by a free name or by the commits after it: no log is cut so close to
/// its end, unless it is kept for less than twice the time.
pub(super) const NEWEST_FOR: Duration = Duration::from_secs(3600);

/// What is known of the end of the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    /// When the version before the one that is tried was the newest; `None` when nobody knows.
    pub seen: Option<Timestamp>,
    /// How long that is believed.
    pub holds: Duration,
}

/// Runs a commit to its end; `machine` says the steps. One put when nobody else commits, and a listing before it when what is known of
/// the end of the log is old.
pub(crate) async fn drive(mut machine: impl FnMut(Event, Timestamp) -> Step + Send, table: &Table, mut end: End) -> Result<Ending> {
    let (log, env) = (table.log().as_ref(), table.env());
    let mut event = Event::Start;
    loop {
        event = match machine(event, env.now()) {
            Step::Put { version, body } => match cut_above(log, version, end, env.now()).await {
                Ok(None) => Event::Put(log.put_commit(version, body).await),
                Ok(Some(newer)) => Event::Cut(newer),
                Err(e) => Event::Fetched(Err(e)),
            },
            Step::Fetch { from, max } => {
                let now = env.now();
                let found = fetch(log, from, max).await;
                if found.as_ref().is_ok_and(|winners| !winners.commits.is_empty() && !winners.more) {
                    end.seen = Some(now);
                }
                Event::Fetched(found)
            }
            Step::Sleep(pause) => {
                env.clock().sleep(pause).await;
                Event::Woke
            }
            Step::LoadVectors(wanted) => Event::Loaded(load(table, wanted).await),
            Step::StoreVectors(rows) => Event::Stored(store(table, &rows).await),
            Step::Done(end) => return end,
        };
    }
}

/// The first version that the log has in place of `version`, when its commit was deleted; then its free name means nothing. Asks nobody
/// while it is known well enough where the log ends.
async fn cut_above(log: &dyn LogStore, version: Version, end: End, now: Timestamp) -> Result<Option<Version>> {
    let age = end.seen.and_then(|seen| u64::try_from(now.millis().saturating_sub(seen.millis())).ok());
    if age.is_some_and(|age| Duration::from_millis(age) < end.holds) {
        return Ok(None);
    }
    let Some(file) = log.list(version).try_next().await? else { return Ok(None) };
    // A listing that runs while others commit may lack a commit and show the next one.
    let is_there = file.name == LogFile::commit_name(version) || log.read_commit(version).await?.is_some();
    Ok((!is_there).then_some(file.version))
}

/// The rows of these vectors, a few requests at a time.
async fn load(table: &Table, wanted: Vec<VectorDescriptor>) -> Result<Vec<Arc<RoaringTreemap>>> {
    let loads = stream::iter(wanted).map(|descriptor| {
        let root = table.root().clone();
        async move { vector::load(&root, &descriptor).await.map(Arc::new) }
    });
    loads.buffered(LOOK_AHEAD).try_collect().await
}

/// Writes vectors into as few new files as their size allows.
async fn store(table: &Table, vectors: &[RoaringTreemap]) -> Result<Vec<VectorDescriptor>> {
    let mut writer = VectorWriter::new(table.root(), table.env());
    let mut stored = Vec::with_capacity(vectors.len());
    for rows in vectors {
        match writer.write(rows).await {
            Ok(descriptor) => stored.push(descriptor),
            Err(e) => {
                writer.abort().await;
                return Err(e);
            }
        }
    }
    writer.finish().await?;
    Ok(stored)
}

/// The commits from `from` on until there is none; the first alone, since there is seldom a second.
async fn fetch(log: &dyn LogStore, from: Version, max: usize) -> Result<Winners> {
    let mut winners = Winners::default();
    let Some(body) = log.read_commit(from).await? else { return Ok(winners) };
    winners.commits.push(Arc::new(Footprint::read(from, &body)?));
    let following = (from.0.saturating_add(1)..u64::MAX).map(Version);
    let mut bodies = stream::iter(following).map(|v| async move { (v, log.read_commit(v).await) }).buffered(LOOK_AHEAD);
    while winners.commits.len() < max {
        let Some((version, body)) = bodies.next().await else { return Ok(winners) };
        match body.and_then(|body| body.map(|b| Footprint::read(version, &b)).transpose()) {
            Ok(Some(winner)) => winners.commits.push(Arc::new(winner)),
            Ok(None) => return Ok(winners),
            // What was read so far is worth judging; the next look begins behind it.
            Err(_) => break,
        }
    }
    winners.more = true;
    Ok(winners)
}
