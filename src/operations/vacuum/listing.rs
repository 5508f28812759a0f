//! Every object of the table, listed by key ranges at once. Kind: edge. Spec: VAC.
//!
//! Invariant: the ranges cover every key once, except those of the log, of which only names before the first commit are shown.

use crate::error::{Error, Result};
use crate::storage::{TableRoot, failure};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::ObjectMeta;
use object_store::path::Path;
use std::collections::BTreeSet;

/// Objects for which a listing of its own is worth while.
const RANGE_LEAST: usize = 4_000;
/// Listings at once, on a store that answers each by pages.
const RANGES_MAX: usize = 32;

/// One object inside the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// Decoded, relative to the table.
    pub(super) path: String,
    pub(super) size: u64,
    /// By the store's clock, in milliseconds.
    pub(super) modified: i64,
}

/// Names after `after` and up to `upto`, by their bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    after: String,
    upto: Option<String>,
}

/// How many listings to run at once over about so many objects.
pub(super) fn width(objects: usize, threads: usize, remote: bool) -> usize {
    let most = if remote { RANGES_MAX } else { threads };
    (objects / RANGE_LEAST + 1).min(most.max(1))
}

/// Ranges that cover all names, cut at samples of them (which are in order), without the log's numbered files.
pub(super) fn ranges(samples: &[&str], width: usize) -> Vec<Range> {
    // What is no key as it stands cannot begin a listing.
    let outside_log = |name: &&&str| !name.starts_with("_delta_log") && Path::parse(name).is_ok_and(|key| key.as_ref() == **name);
    let every = samples.len().div_ceil(width.max(1)).max(1);
    let mut cuts: Vec<String> = samples.iter().skip(every).step_by(every).filter(outside_log).map(|name| (*name).to_owned()).collect();
    cuts.extend(["_delta_log/", "_delta_log/0", "_delta_log0"].map(str::to_owned));
    cuts.sort_unstable();
    cuts.dedup();
    let ends = cuts.iter().cloned().map(Some).chain([None]);
    let begins = [String::new()].into_iter().chain(cuts.iter().cloned());
    begins.zip(ends).map(|(after, upto)| Range { after, upto }).filter(|range| range.after != "_delta_log/0").collect()
}

/// Lists the ranges, all at once; on a store that does not list in order, everything by one listing.
pub(super) fn list(root: &TableRoot, ranges: Vec<Range>) -> BoxStream<'static, Result<Listed>> {
    let folder = root.key("");
    if !root.lists_in_order() {
        return named(root, root.store().list(Some(&folder)));
    }
    let width = ranges.len();
    let root = root.clone();
    let listings = stream::iter(ranges).map(move |range| {
        let (store, folder) = (root.store(), root.key(""));
        // A key cannot end in a slash; what the shorter one brings too much is passed over.
        let objects = match range.after.trim_end_matches('/') {
            "" => store.list(Some(&folder)),
            after => store.list_with_offset(Some(&folder), &root.key(after)),
        };
        let Range { after, upto } = range;
        let listed = named(&root, objects).try_filter(move |listed| std::future::ready(listed.path > after));
        listed.try_take_while(move |listed| std::future::ready(Ok(upto.as_ref().is_none_or(|upto| listed.path <= *upto)))).boxed()
    });
    listings.flatten_unordered(width).boxed()
}

/// Those of the folders that hold a log: other tables. One small listing each.
pub(super) async fn with_log(root: &TableRoot, folders: BTreeSet<String>) -> Result<BTreeSet<String>> {
    let looks = folders.into_iter().map(|folder| async move {
        let mut log = root.store().list(Some(&root.key(&format!("{folder}_delta_log"))));
        let found = log.next().await.transpose().map_err(|e| failure(e, "looking for tables inside", root.url().as_str()))?;
        Ok::<_, Error>(found.map(|_| folder))
    });
    stream::iter(looks).buffer_unordered(RANGES_MAX).try_filter_map(|found| std::future::ready(Ok(found))).try_collect().await
}

fn named(root: &TableRoot, objects: BoxStream<'static, object_store::Result<ObjectMeta>>) -> BoxStream<'static, Result<Listed>> {
    let root = root.clone();
    let listed = objects.map(move |object| {
        let object = object.map_err(|e| failure(e, "listing the table", root.url().as_str()))?;
        let Some(name) = root.name_of(&object.location) else { return Ok(None) };
        Ok::<_, Error>(Some(Listed { path: name.to_owned(), size: object.size, modified: object.last_modified.timestamp_millis() }))
    });
    listed.try_filter_map(|listed| std::future::ready(Ok(listed))).boxed()
}

#[cfg(test)]
#[path = "listing_tests.rs"]
mod tests;
