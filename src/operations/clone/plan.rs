//! What a copy will do: which files it names, which objects are copied, which of them an earlier try has left. Kind: edge. Spec: CPY, PLN.
//!
//! Invariant: every object that the plan names was seen in the source with the size that the log says.

use super::files::{ObjectCopy, owned, referenced};
use super::{CloneTable, NAME, app, each_file};
use crate::data::write::Upload;
use crate::error::{Code, Error, Result};
use crate::log::read::parallel_reads;
use crate::log::seen::SeenFiles;
use crate::log::{Add, Remove, Version};
use crate::operations::overwrite::remove_of;
use crate::operations::plan::Plan;
use crate::operations::{already_exists, newest};
use crate::snapshot::{FileQuery, Snapshot};
use crate::storage::{Meter, failure};
use crate::table::Table;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a copy will do: files that it names under `add`, objects that are copied under `copy` and those that are there already under
/// `found`, files that go under `remove`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClonePlan {
    summary: Plan,
    pub(super) source: String,
    pub(super) source_version: Version,
    /// Since when it was looked what is at its place, by the local clock.
    pub(super) looked_ms: i64,
    pub(super) added: Vec<Add>,
    pub(super) removed: Vec<Remove>,
    /// What is not at its place yet, with its size.
    pub(super) copies: Vec<ObjectCopy>,
    pub(super) source_files: u64,
    pub(super) source_bytes: u64,
}

impl ClonePlan {
    /// Objects, bytes and requests; those that planning itself has made are among them.
    pub fn summary(&self) -> &Plan {
        &self.summary
    }
    pub(super) fn new(clone: &CloneTable, read_version: Option<Version>) -> ClonePlan {
        ClonePlan {
            summary: Plan::new(NAME, read_version),
            source: clone.source.state().metadata().id.clone(),
            source_version: clone.source.version(),
            looked_ms: clone.target.env().now().millis(),
            added: Vec::new(),
            removed: Vec::new(),
            copies: Vec::new(),
            source_files: 0,
            source_bytes: 0,
        }
    }
    pub(super) fn is_new_table(&self) -> bool {
        self.summary.read_version.is_none()
    }
    pub(super) fn into_summary(self) -> Plan {
        self.summary
    }
    fn add(&mut self, add: Add) {
        self.summary.act("add", bytes(&add));
        self.added.push(add);
    }
    fn count(&mut self, add: &Add) {
        self.source_files += 1;
        self.source_bytes += bytes(add);
    }
    /// With the requests that planning made.
    fn after(mut self, meter: &Meter) -> ClonePlan {
        let (seen, plan) = (meter.spent(), &mut self.summary);
        plan.requests.put += u64::from(!(self.added.is_empty() && self.removed.is_empty()) || plan.read_version.is_none());
        plan.requests = plan.requests.with(seen.requests);
        plan.bytes_read += seen.bytes_read;
        self
    }
}

fn bytes(add: &Add) -> u64 {
    u64::try_from(add.size).unwrap_or(0)
}

/// The plan of what is asked for, on the newest version of the target.
pub(super) async fn plan(clone: &CloneTable) -> Result<ClonePlan> {
    clone.source.state().check_readable()?;
    match (newest(&clone.target).await?, clone.deep) {
        (None, false) => shallow(clone).await,
        (None, true) => first(clone).await,
        (Some(base), true) => again(clone, &base).await,
        (Some(_), false) => Err(already_exists(&clone.target).help("a shallow copy is made where there is no table yet")),
    }
}

async fn shallow(clone: &CloneTable) -> Result<ClonePlan> {
    clone.state(None)?;
    let root = clone.source.table().root();
    let mut plan = ClonePlan::new(clone, None);
    for add in each_file(&clone.source, |add| referenced(root, add)).await? {
        plan.count(&add);
        plan.summary.item(&add.path, bytes(&add), "named where it lies");
        plan.add(add);
    }
    Ok(plan.after(&clone.meter))
}

/// The first deep copy.
async fn first(clone: &CloneTable) -> Result<ClonePlan> {
    clone.target.root().check_writable().await?;
    clone.state(None)?;
    let mut plan = ClonePlan::new(clone, None);
    let mut copies = Vec::new();
    for (add, objects) in all(clone).await? {
        plan.count(&add);
        plan.add(add);
        copies.extend(objects);
    }
    look(clone, &mut plan, copies).await?;
    Ok(plan.after(&clone.meter))
}

/// A deep copy that is there already becomes what the source is.
pub(super) async fn again(clone: &CloneTable, base: &Arc<Snapshot>) -> Result<ClonePlan> {
    base.table().root().check_writable().await?;
    let Some(copied) = base.app_version(&app(&clone.source)).await? else {
        return Err(
            already_exists(&clone.target).help("a deep copy is made where there is no table, or where one of the same source was made")
        );
    };
    if copied > i64::try_from(clone.source.version().0).unwrap_or(i64::MAX) {
        return Err(Error::new(Code::VERSION, "the copy is of a younger version of its source already")
            .with("copied", copied)
            .with("version", clone.source.version())
            .help("restore the copy to take it back"));
    }
    clone.state(Some(base.state()))?;
    let mut plan = ClonePlan::new(clone, Some(base.version()));
    let files = all(clone).await?;
    let mut wanted = SeenFiles::new(base.table().root().url());
    files.iter().for_each(|(add, _)| _ = wanted.insert(add.into()));
    let mut held = SeenFiles::new(base.table().root().url());
    let now = base.table().env().now().millis();
    let mut batches = base.files(FileQuery::default().full());
    while let Some(batch) = batches.try_next().await? {
        for row in 0..batch.len() {
            let add = batch.add(row);
            held.insert((&add).into());
            if !wanted.contains((&add).into()) {
                plan.summary.file("remove", &add.path, add.size);
                plan.removed.push(remove_of(add, batch.num_records(row), now));
            }
        }
    }
    let mut copies = Vec::new();
    for (add, objects) in files {
        plan.count(&add);
        if !held.contains((&add).into()) {
            plan.add(add);
            copies.extend(objects);
        }
    }
    look(clone, &mut plan, copies).await?;
    Ok(plan.after(&clone.meter))
}

/// Every file of the source as a deep copy names it.
async fn all(clone: &CloneTable) -> Result<Vec<(Add, Vec<ObjectCopy>)>> {
    let (source, target) = (clone.source.table().root(), clone.target.root());
    each_file(&clone.source, |add| owned(source, target, add)).await
}

/// Looks at each object, in the source and at its place; several files share a vector file, which is one object.
async fn look(clone: &CloneTable, plan: &mut ClonePlan, copies: Vec<ObjectCopy>) -> Result<()> {
    let once: BTreeMap<String, ObjectCopy> = copies.into_iter().map(|copy| (copy.to.clone(), copy)).collect();
    let (source, target) = (clone.source_table(), clone.target.clone());
    let at_once = parallel_reads(target.env());
    let looks = stream::iter(once.into_values()).map(move |copy| {
        let (source, target) = (source.clone(), target.clone());
        async move { look_at(&source, &target, copy).await }
    });
    let mut looks = looks.buffered(at_once);
    while let Some((copy, size, there)) = looks.try_next().await? {
        if there {
            plan.summary.file("found", &copy.to, i64::try_from(size).unwrap_or(i64::MAX));
            continue;
        }
        plan.summary.file("copy", &copy.to, i64::try_from(size).unwrap_or(i64::MAX));
        plan.summary.requests.head += 1;
        if by_store(clone.source.table(), &clone.target, &copy)? {
            plan.summary.requests.copy += 1;
        } else {
            plan.summary.requests = plan.summary.requests.with(Upload::requests(size));
            plan.summary.requests.get += 1;
            (plan.summary.bytes_read, plan.summary.bytes_written) = (plan.summary.bytes_read + size, plan.summary.bytes_written + size);
        }
        plan.copies.push(ObjectCopy { size: Some(size), ..copy });
    }
    Ok(())
}

/// The object's size in the source, and whether it is at its place.
async fn look_at(source: &Table, target: &Table, copy: ObjectCopy) -> Result<(ObjectCopy, u64, bool)> {
    let (from_store, from) = source.root().resolve(&copy.from)?;
    let found = size(&*from_store, &from).await?.ok_or_else(|| wrong(&copy, "is missing"))?;
    if let Some(wanted) = copy.size.filter(|wanted| *wanted != found) {
        return Err(wrong(&copy, &format!("has {found} bytes instead of {wanted}")));
    }
    let (to_store, to) = target.root().resolve(&copy.to)?;
    let there = size(&*to_store, &to).await? == Some(found);
    Ok((copy, found, there))
}

/// Whether one store has both and copies by itself.
pub(super) fn by_store(source: &Table, target: &Table, copy: &ObjectCopy) -> Result<bool> {
    Ok(source.root().shares_store(target.root()) && source.root().relative(&copy.from)?.is_some())
}

pub(super) fn wrong(copy: &ObjectCopy, what: &str) -> Error {
    Error::new(Code::FILE, format!("a file of the source {what}"))
        .with("path", &copy.from)
        .help("nothing was committed; look at the source")
}

pub(super) async fn size(store: &dyn ObjectStore, key: &Path) -> Result<Option<u64>> {
    match store.head(key).await {
        Ok(found) => Ok(Some(found.size)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(e) => Err(failure(e, "looking for a file", key.as_ref())),
    }
}
