//! Deep copies: objects are copied, then one commit names them. Kind: edge. Spec: CPY.
//!
//! Invariant: a commit names only objects that were seen at their place with the size that they must have.

use super::files::{ObjectCopy, owned};
use super::{CloneTable, NAME, each_file, put_source};
use crate::data::write::Upload;
use crate::env::Timestamp;
use crate::error::{Code, Error, Result};
use crate::log::Add;
use crate::log::seen::SeenFiles;
use crate::operations::overwrite::remove_of;
use crate::operations::row_changes::RowEffects;
use crate::operations::run::{Operation, Settings, Staged, run};
use crate::operations::{Report, already_exists};
use crate::snapshot::{FileQuery, Snapshot};
use crate::storage::failure;
use crate::table::Table;
use crate::transaction::ReadScope;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Files that are copied at once, at most.
const FILES_AT_ONCE: usize = 8;

/// Under which name the copy records the version of its source.
fn app(source: &Snapshot) -> String {
    format!("lakebed.clone/{}", source.state().metadata().id)
}

/// The first copy.
pub(super) async fn first(clone: CloneTable, started: Timestamp) -> Result<Report> {
    clone.target.root().check_writable().await?;
    let state = clone.state(None)?;
    let (adds, copies): (Vec<Add>, Vec<Vec<ObjectCopy>>) = all(&clone).await?.into_iter().unzip();
    copy_all(&clone, copies).await?;
    let bytes = adds.iter().filter_map(|add| u64::try_from(add.size).ok()).sum();
    let metrics = clone.metrics(adds.len() as u64, bytes);
    let app = app(&clone.source);
    clone.create(state, adds, metrics, Some(&app), started).await
}

/// A copy that is there already becomes what the source is.
pub(super) async fn again(clone: CloneTable, base: Arc<Snapshot>, started: Timestamp) -> Result<Report> {
    let app = app(&clone.source);
    let Some(copied) = base.app_version(&app).await? else {
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
    let (target, again) = (clone.target.clone(), Again { clone, app });
    let report = run(&target, &again, &Settings::default()).await?;
    Ok(Report { duration_ms: crate::operations::since(target.env(), started), ..report })
}

/// Every file of the source as the copy names it.
async fn all(clone: &CloneTable) -> Result<Vec<(Add, Vec<ObjectCopy>)>> {
    let (source, target) = (clone.source.table().root(), clone.target.root());
    each_file(&clone.source, |add| owned(source, target, add)).await
}

struct Again {
    clone: CloneTable,
    app: String,
}

impl Operation for Again {
    const NAME: &'static str = NAME;

    async fn stage(&self, base: &Arc<Snapshot>) -> Result<Staged> {
        let clone = &self.clone;
        base.table().root().check_writable().await?;
        let state = clone.state(Some(base.state()))?;
        let changed = base.state().restored_to(&state)?;
        let files = all(clone).await?;
        let mut wanted = SeenFiles::new(base.table().root().url());
        files.iter().for_each(|(add, _)| _ = wanted.insert(add.into()));
        let mut held = SeenFiles::new(base.table().root().url());
        let mut removes = Vec::new();
        let now = base.table().env().now().millis();
        let mut batches = base.files(FileQuery::default().full());
        while let Some(batch) = batches.try_next().await? {
            for row in 0..batch.len() {
                let add = batch.add(row);
                held.insert((&add).into());
                if !wanted.contains((&add).into()) {
                    removes.push(remove_of(add, batch.num_records(row), now));
                }
            }
        }
        let total: Vec<Add> = files.iter().map(|(add, _)| add.clone()).collect();
        let (listed, copies): (Vec<Add>, Vec<Vec<ObjectCopy>>) = files.into_iter().filter(|(add, _)| !held.contains(add.into())).unzip();
        copy_all(clone, copies).await?;
        let bytes = listed.iter().filter_map(|add| u64::try_from(add.size).ok()).sum();
        let mut metrics = clone.metrics(listed.len() as u64, bytes);
        put_source(&mut metrics, &total);
        metrics.insert("numRemovedFiles".to_owned(), removes.len().into());
        metrics.insert("removedFilesSize".to_owned(), removes.iter().filter_map(|r| r.size).sum::<i64>().into());
        let version = i64::try_from(clone.source.version().0).unwrap_or(i64::MAX);
        let effects =
            RowEffects { removes, listed, domains: changed.domains, apps: vec![(self.app.clone(), version)], ..RowEffects::default() };
        let parameters = clone.parameters();
        Ok(Staged { effects, metadata: changed.metadata, protocol: changed.protocol, reads: ReadScope::Table, parameters, metrics })
    }
}

/// Copies what is not there yet; several files share a vector file, which is copied once.
async fn copy_all(clone: &CloneTable, copies: Vec<Vec<ObjectCopy>>) -> Result<()> {
    let once: BTreeMap<String, ObjectCopy> = copies.into_iter().flatten().map(|copy| (copy.to.clone(), copy)).collect();
    let (source, target) = (clone.source.table().clone(), clone.target.clone());
    let at_once = target.env().threads().clamp(1, FILES_AT_ONCE);
    let each = stream::iter(once.into_values()).map(move |copy| {
        let (source, target) = (source.clone(), target.clone());
        async move { copy_one(&source, &target, copy).await }
    });
    each.buffer_unordered(at_once).try_for_each(|()| std::future::ready(Ok(()))).await
}

async fn copy_one(source: &Table, target: &Table, copy: ObjectCopy) -> Result<()> {
    let (from_store, from) = source.root().resolve(&copy.from)?;
    let (to_store, to) = target.root().resolve(&copy.to)?;
    let found = size(&*from_store, &from).await?.ok_or_else(|| wrong(&copy, "is missing"))?;
    if let Some(wanted) = copy.size.filter(|wanted| *wanted != found) {
        return Err(wrong(&copy, &format!("has {found} bytes instead of {wanted}")));
    }
    if size(&*to_store, &to).await? == Some(found) {
        return Ok(());
    }
    // One store copies by itself, unless it finds the object too large for that.
    let in_one = source.root().shares_store(target.root()) && source.root().relative(&copy.from)?.is_some();
    let by_store = in_one && to_store.copy(&from, &to).await.is_ok();
    if !by_store {
        send(&*from_store, &from, Upload::new(Arc::clone(&to_store), to.clone(), target.env().clone())).await?;
    }
    match size(&*to_store, &to).await? {
        Some(copied) if copied == found => Ok(()),
        copied => Err(Error::new(Code::STORE, format!("a copied file has {copied:?} bytes instead of {found}")).with("path", &copy.to)),
    }
}

fn wrong(copy: &ObjectCopy, what: &str) -> Error {
    Error::new(Code::FILE, format!("a file of the source {what}"))
        .with("path", &copy.from)
        .help("nothing was committed; look at the source")
}

async fn size(store: &dyn ObjectStore, key: &Path) -> Result<Option<u64>> {
    match store.head(key).await {
        Ok(found) => Ok(Some(found.size)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(e) => Err(failure(e, "looking for a file", key.as_ref())),
    }
}

/// Passes the bytes on as they come.
async fn send(store: &dyn ObjectStore, key: &Path, mut upload: Upload) -> Result<()> {
    let reading = |e| failure(e, "reading a file", key.as_ref());
    let sent = async {
        let mut bytes = store.get(key).await.map_err(reading)?.into_stream();
        while let Some(chunk) = bytes.try_next().await.map_err(reading)? {
            upload.push(chunk).await?;
        }
        Ok::<(), Error>(())
    }
    .await;
    match sent {
        Ok(()) => upload.finish().await.map(|_| ()),
        Err(e) => {
            upload.abort().await;
            Err(e)
        }
    }
}
