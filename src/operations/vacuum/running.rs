//! Whether a vacuum is deleting just now. Kind: edge. Spec: VAC.
//!
//! Whoever names files again that it did not write asks this on its base. A vacuum that begins later is a winner, which excludes it (C10);
//! one that began earlier stands in the log without its end.

use super::clock;
use crate::error::{Code, Error, Result};
use crate::log::Version;
use crate::log::listing::list_back;
use crate::log::read::parallel_reads;
use crate::snapshot::{Snapshot, adjusted, read_commit_info};
use futures::FutureExt;
use futures::stream::{self, StreamExt};
use std::sync::Arc;

const HOUR_MS: u64 = 3_600_000;
/// How long a run deletes after its VACUUM START.
pub(super) const DELETES_MAX_MS: u64 = 2 * HOUR_MS;
/// A run without an end that began longer ago than this has died.
const DEAD_AFTER_MS: i64 = 3 * HOUR_MS as i64;
/// How many versions are listed at first.
const SPAN: u64 = 1_000;

/// `LB-CONFLICT` when a vacuum began at this version or before and has not ended. Requests: a listing of the end of the log, one get for
/// each commit of the last six hours that it shows; three for the store's time when a vacuum has no end.
pub(in crate::operations) async fn check_no_vacuum(base: &Arc<Snapshot>) -> Result<()> {
    let (table, mut ends) = (base.table(), 0u32);
    let reads = stream::iter(recent(base).await?)
        .map(|(version, time)| async move { (version, time, read_commit_info(table, version).await) }.boxed());
    let mut reads = reads.buffered(parallel_reads(table.env()));
    while let Some((version, time, info)) = reads.next().await {
        let info = match info {
            Ok(info) => info,
            // A clean-up was faster: everything older is gone too.
            Err(e) if e.code() == Code::LOG_GAP => return Ok(()),
            Err(e) => return Err(e),
        };
        match info.as_ref().and_then(|info| info.0.get("operation")?.as_str()) {
            Some("VACUUM END") => ends += 1,
            Some("VACUUM START") if ends > 0 => ends -= 1,
            Some("VACUUM START") => {
                let age = clock::store_now(base, &mut Vec::new()).await?.millis().saturating_sub(time);
                if age < DEAD_AFTER_MS {
                    return Err(Error::new(Code::CONFLICT, "a vacuum has begun and not ended: it may delete files that come back")
                        .with("version", version)
                        .with("wait_ms", DEAD_AFTER_MS.saturating_sub(age))
                        .help(
                            "nothing was committed; try again when it has ended. One that died counts until three hours after its start",
                        ));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The commits up to the base that can be a start or an end of interest, newest first, with the times of their files. The newest stands in
/// for now, which is later: so rather too many than too few.
async fn recent(base: &Snapshot) -> Result<Vec<(Version, i64)>> {
    let mut span = SPAN;
    loop {
        let listing = list_back(base.table().log(), base.version(), span).await?;
        let commits = adjusted(&listing.files);
        let since = commits.last().map_or(0, |(_, time)| time.millis().saturating_sub(2 * DEAD_AFTER_MS));
        if listing.from == Version(0) || commits.first().is_none_or(|(_, time)| time.millis() < since) {
            let recent = commits.into_iter().rev().map(|(version, time)| (version, time.millis()));
            return Ok(recent.take_while(|(_, time)| *time >= since).collect());
        }
        span = span.saturating_mul(10);
    }
}
