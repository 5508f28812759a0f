//! Whether a vacuum is deleting just now. Kind: edge. Spec: VAC.
//!
//! Whoever names files again that it did not write asks this on its base. A vacuum that begins later is a winner, which excludes it (C10);
//! one that began earlier stands in the log without its end. Several may run at once and none says whose end it is: an end counts for the
//! one that began first, so that the youngest start is the one that is left.

use super::clock;
use crate::env::Timestamp;
use crate::error::{Code, Error, Result};
use crate::log::listing::list_back;
use crate::log::read::parallel_reads;
use crate::log::{LogFile, LogFileKind, Version};
use crate::operations::since;
use crate::snapshot::{Snapshot, read_commit_info};
use crate::storage::{Meter, Requests, Spent};
use futures::FutureExt;
use futures::stream::{self, StreamExt};
use std::collections::VecDeque;
use std::sync::Arc;

const HOUR_MS: u64 = 3_600_000;
/// How long a run deletes after its VACUUM START.
pub(super) const DELETES_MAX_MS: u64 = 2 * HOUR_MS;
/// A run without an end that began longer ago than this has died.
const DEAD_AFTER_MS: i64 = 3 * HOUR_MS as i64;
/// How many versions are listed at first.
const SPAN: u64 = 1_000;

/// `LB-CONFLICT` when a vacuum that began at this version or before may have deleted since `looked` (by the local clock). Requests: a listing of
/// the end of the log, one get for each commit of the last six hours that it shows; three for the store's time when a vacuum has no end.
pub(in crate::operations) async fn check_no_vacuum(base: &Arc<Snapshot>, looked: Timestamp) -> Result<()> {
    let table = base.table();
    let reads = stream::iter(recent(base).await?)
        .map(|file| async move { (file.version, file.modified, read_commit_info(table, file.version).await) }.boxed());
    let mut reads = reads.buffered(parallel_reads(table.env()));
    let mut open: VecDeque<(Version, i64)> = VecDeque::new();
    while let Some((version, time, info)) = reads.next().await {
        let info = match info {
            // A clean-up was faster.
            Err(e) if e.code() == Code::LOG_GAP => continue,
            info => info?,
        };
        match info.as_ref().and_then(|info| info.0.get("operation")?.as_str()) {
            Some("VACUUM START") => open.push_back((version, time)),
            Some("VACUUM END") => {
                open.retain(|(_, began)| time.saturating_sub(*began) < DEAD_AFTER_MS);
                open.pop_front();
            }
            _ => {}
        }
    }
    let Some((version, began)) = open.into_iter().max_by_key(|(_, began)| *began) else { return Ok(()) };
    let spent = i64::try_from(since(table.env(), looked)).unwrap_or(i64::MAX);
    let age = clock::store_now(base, &mut Vec::new()).await?.millis().saturating_sub(began).saturating_sub(spent);
    if age >= DEAD_AFTER_MS {
        return Ok(());
    }
    Err(Error::new(Code::CONFLICT, "a vacuum has begun and not ended: it may delete files that come back")
        .with("version", version)
        .with("wait_ms", DEAD_AFTER_MS.saturating_sub(age))
        .help("nothing was committed; try again when it has ended. One that died counts until three hours after its start"))
}

/// What `check_no_vacuum` takes on this base when no vacuum is open, found out by a listing. `meter` counts the requests of the base's table.
pub(in crate::operations) async fn cost_of_check(base: &Arc<Snapshot>, meter: &Meter) -> Result<Spent> {
    let before = meter.spent();
    let commits = recent(base).await?;
    let listed = meter.spent().since(before);
    let requests = Requests { get: commits.len() as u64, ..Requests::default() };
    Ok(listed.with(Spent { requests, bytes_read: commits.iter().map(|file| file.size).sum(), ..Spent::default() }))
}

/// The commits up to the base that can be a start or an end of interest, oldest first. The time of the newest stands in for
/// now, which is later, unless its file is dated ahead: so rather too many than too few.
async fn recent(base: &Snapshot) -> Result<Vec<LogFile>> {
    let mut span = SPAN;
    loop {
        let listing = list_back(base.table().log(), base.version(), span).await?;
        let mut commits = listing.files;
        commits.retain(|file| file.kind == LogFileKind::Commit && file.version <= base.version());
        let newest = commits.last().map_or(0, |file| file.modified.min(base.table().env().now().millis()));
        let since = newest.saturating_sub(2 * DEAD_AFTER_MS);
        if listing.from == Version(0) || commits.first().is_none_or(|file| file.modified < since) {
            commits.retain(|file| file.modified >= since);
            return Ok(commits);
        }
        span = span.saturating_mul(10);
    }
}
