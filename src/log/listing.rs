//! The listing of a log, begun where it has to and no earlier. Kind: edge. Spec: LOG.
//!
//! Requests: one list (a page holds 1,000 names), and beside it one get of the hint when the newest version is wanted.

use super::hint::{LAST_CHECKPOINT, LastCheckpoint};
use super::{LogFile, LogStore, Version};
use crate::error::Result;
use crate::storage::{self, TableRoot};
use futures::future::{Either, select};
use futures::{FutureExt, StreamExt, TryStreamExt, future, pin_mut};
use std::sync::Arc;

/// Up to this version one page of a listing from the start most likely shows the whole log, so a hint saves nothing.
const SHORT_LOG: Version = Version(400);

/// Log files in version order.
#[derive(Debug)]
pub(crate) struct Listing {
    pub files: Vec<LogFile>,
    /// Where it began; it is whole when that is 0.
    pub from: Version,
    /// Whether it shows versions above the one asked for.
    pub open_ended: bool,
    /// Why the hint could not be trusted. One that is merely old is followed as far as it leads.
    pub warnings: Vec<String>,
}

impl Listing {
    fn new(files: Vec<LogFile>, from: Version) -> Self {
        Listing { files, from, open_ended: true, warnings: Vec::new() }
    }
    /// Whether a file that it lacks does not exist.
    pub fn is_whole(&self) -> bool {
        self.from == Version(0) && self.open_ended
    }
}

/// Everything from `from` on.
pub(crate) async fn list(log: &Arc<dyn LogStore>, from: Version) -> Result<Listing> {
    Ok(Listing::new(log.list(from).try_collect().await?, from))
}

/// Enough to find the newest version: the hint is read beside the listing and shortens it when the log is long.
pub(crate) async fn list_latest(root: &TableRoot, log: &Arc<dyn LogStore>) -> Result<Listing> {
    let mut warnings = Vec::new();
    let hint = read_hint(root).boxed();
    if root.url().scheme() == "file" {
        // A local hint costs less than the names that it saves.
        let hint = hint.await.unwrap_or_else(|why| skipped(why, &mut warnings));
        let from = hint.as_ref().map(LastCheckpoint::start).filter(|v| *v > SHORT_LOG).unwrap_or_default();
        return Ok(followed(log, hint, list(log, from).await?, warnings, true).await);
    }
    let whole = list(log, Version(0)).boxed();
    match select(hint, whole).await {
        Either::Left((hint, whole)) => {
            let hint = hint.unwrap_or_else(|why| skipped(why, &mut warnings));
            match hint.as_ref().map(LastCheckpoint::start).filter(|v| *v > SHORT_LOG) {
                Some(start) => {
                    drop(whole);
                    Ok(followed(log, hint, list(log, start).await?, warnings, true).await)
                }
                None => Ok(followed(log, hint, whole.await?, warnings, false).await),
            }
        }
        Either::Right((listing, hint)) => {
            let listing = listing?;
            // It came too late to save anything; that it cannot be trusted is still worth saying. It may be newer than the listing.
            let hint = hint.await.unwrap_or_else(|why| skipped(why, &mut warnings));
            let known = hint.filter(|hint| listing.files.last().is_some_and(|last| hint.start() < last.version));
            Ok(followed(log, known, listing, warnings, false).await)
        }
    }
}

/// The listing, with a word about a hint that leads behind its end, or to a checkpoint that is not there and that no newer one replaces.
/// Where both were read at once (`hint_first` is not), the checkpoint may have come in between: then it is looked for once more.
async fn followed(
    log: &Arc<dyn LogStore>,
    hint: Option<LastCheckpoint>,
    listing: Listing,
    mut warnings: Vec<String>,
    hint_first: bool,
) -> Listing {
    let last = listing.files.iter().map(|file| file.version).max();
    if let Some(named) = hint.map(|hint| hint.start()) {
        let is_in = |listing: &Listing| listing.files.iter().any(|file| file.version >= named && file.kind.is_checkpoint());
        if last.is_none_or(|last| last < named) {
            skipped(format!("it names version {named}, which the log does not have"), &mut warnings);
        } else if !is_in(&listing) && (hint_first || list(log, named).await.is_ok_and(|newer| !is_in(&newer))) {
            skipped(format!("it names the checkpoint of version {named}, which is not there"), &mut warnings);
        }
    }
    Listing { warnings, ..listing }
}

/// Enough to find `version`: what lies up to it, from `span` versions before it.
pub(crate) async fn list_back(log: &Arc<dyn LogStore>, version: Version, span: u64) -> Result<Listing> {
    let from = Version(if version <= SHORT_LOG { 0 } else { version.0.saturating_sub(span) });
    let files = log.list(from).try_take_while(|f| future::ok(f.version <= version));
    pin_mut!(files);
    let mut listing = Listing::new(Vec::new(), from);
    while let Some(file) = files.next().await {
        listing.files.push(file?);
    }
    listing.open_ended = false;
    Ok(listing)
}

/// The hint; the reason when there is one that cannot be trusted.
async fn read_hint(root: &TableRoot) -> Result<Option<LastCheckpoint>, String> {
    match storage::get(root.store().as_ref(), &root.log_key(LAST_CHECKPOINT)).await {
        Ok(Some(body)) => LastCheckpoint::parse(&body).map(Some),
        Ok(None) => Ok(None),
        Err(e) => Err(e.to_string()),
    }
}

fn skipped(why: String, warnings: &mut Vec<String>) -> Option<LastCheckpoint> {
    warnings.push(format!("{LAST_CHECKPOINT} was ignored: {why}"));
    None
}
