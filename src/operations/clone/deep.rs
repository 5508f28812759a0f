//! Carries out a copy: objects are copied, then one commit names them. Kind: edge. Spec: CPY.
//!
//! Invariant: a commit names only objects that were seen at their place with the size that they must have.

use super::files::ObjectCopy;
use super::plan::{self, ClonePlan, by_store, size, wrong};
use super::{CloneTable, NAME, app};
use crate::data::write::Upload;
use crate::env::Timestamp;
use crate::error::{Code, Error, Result};
use crate::operations::Report;
use crate::operations::row_changes::RowEffects;
use crate::operations::run::{Operation, Settings, Staged, run};
use crate::snapshot::Snapshot;
use crate::storage::failure;
use crate::table::Table;
use crate::transaction::ReadScope;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use std::sync::{Arc, Mutex, PoisonError};

/// Files that are copied at once, at most.
const FILES_AT_ONCE: usize = 8;

/// A copy that is there already becomes what the source is. Gives the plan that was carried out: another one when the copy has moved on.
pub(super) async fn again(clone: &CloneTable, plan: ClonePlan) -> Result<(Report, ClonePlan)> {
    let again = Again { clone, plan: Mutex::new(plan) };
    let report = run(&clone.target, &again, &Settings::default()).await?;
    Ok((report, again.plan.into_inner().unwrap_or_else(PoisonError::into_inner)))
}

struct Again<'a> {
    clone: &'a CloneTable,
    plan: Mutex<ClonePlan>,
}

impl Operation for Again<'_> {
    const NAME: &'static str = NAME;

    async fn stage(&self, base: &Arc<Snapshot>) -> Result<Staged> {
        let clone = self.clone;
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if plan.summary().read_version != Some(base.version()) {
            plan = plan::again(clone, base).await?;
            *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = plan.clone();
        }
        base.table().root().check_writable().await?;
        let changed = base.state().restored_to(&*clone.state(Some(base.state()))?)?;
        copy_all(clone, &plan.copies).await?;
        let (metrics, version) = (clone.metrics(&plan), i64::try_from(plan.source_version.0).unwrap_or(i64::MAX));
        let effects = RowEffects {
            removes: plan.removed,
            listed: plan.added,
            looked: Timestamp(plan.looked_ms),
            domains: changed.domains,
            apps: vec![(app(&clone.source), version)],
            ..RowEffects::default()
        };
        let parameters = clone.parameters();
        Ok(Staged { effects, metadata: changed.metadata, protocol: changed.protocol, reads: ReadScope::Table, parameters, metrics })
    }
}

/// Copies what is not there yet.
pub(super) async fn copy_all(clone: &CloneTable, copies: &[ObjectCopy]) -> Result<()> {
    let (source, target) = (clone.source_table(), clone.target.clone());
    let at_once = target.env().threads().clamp(1, FILES_AT_ONCE);
    let each = stream::iter(copies.to_vec()).map(move |copy| {
        let (source, target) = (source.clone(), target.clone());
        async move { copy_one(&source, &target, copy).await }
    });
    each.buffer_unordered(at_once).try_for_each(|()| std::future::ready(Ok(()))).await
}

async fn copy_one(source: &Table, target: &Table, copy: ObjectCopy) -> Result<()> {
    let (from_store, from) = source.root().resolve(&copy.from)?;
    let (to_store, to) = target.root().resolve(&copy.to)?;
    // A store copies by itself, unless it finds the object too large for that.
    let copied = by_store(source, target, &copy)? && to_store.copy(&from, &to).await.is_ok();
    if !copied {
        send(&*from_store, &copy, &from, Upload::new(Arc::clone(&to_store), to.clone(), target.env().clone())).await?;
    }
    let wanted = copy.size.unwrap_or(0);
    match size(&*to_store, &to).await? {
        Some(found) if found == wanted => Ok(()),
        found => Err(Error::new(Code::FILE, format!("a copied file has {found:?} bytes instead of {wanted}"))
            .with("path", &copy.to)
            .help("nothing was committed; make the copy again")),
    }
}

/// Passes the bytes on as they come.
async fn send(store: &dyn ObjectStore, copy: &ObjectCopy, key: &Path, mut upload: Upload) -> Result<()> {
    let reading = |e| match e {
        object_store::Error::NotFound { .. } => wrong(copy, "is missing"),
        e => failure(e, "reading a file", key.as_ref()),
    };
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
