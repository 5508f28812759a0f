//! When a checkpoint turns out to be broken while its files are handed out, something older hands out the rest. Kind: edge. Spec: LOG.
//!
//! Invariant: no file is handed out twice and none is lost. Nothing is remembered but one number for each file of the checkpoint;
//! what was handed out is read again only when something breaks.

use super::Snapshot;
use super::files::{FileBatch, FileQuery, Reading, parts, replay_tail};
use crate::error::{Code, Error, Result};
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// How many batches each file of a checkpoint has handed out.
#[derive(Clone, Default)]
pub(super) struct HandedOut(Arc<Mutex<BTreeMap<usize, usize>>>);

impl HandedOut {
    /// Counts what passes.
    pub fn count(&self, part: usize, files: BoxStream<'static, Result<FileBatch>>) -> BoxStream<'static, Result<FileBatch>> {
        let counts = Arc::clone(&self.0);
        let count = move |_: &FileBatch| *counts.lock().unwrap_or_else(|e| e.into_inner()).entry(part).or_default() += 1;
        files.inspect_ok(count).boxed()
    }
}

/// The stream of a snapshot's files, continued from something older when the checkpoint breaks. `LB-CKPT` when nothing else is there.
pub(super) fn continued(
    snapshot: Arc<Snapshot>,
    query: FileQuery,
    read: Arc<Reading>,
    handed_out: HandedOut,
    files: BoxStream<'static, Result<FileBatch>>,
) -> BoxStream<'static, Result<FileBatch>> {
    let rest = Some((snapshot, query, read, handed_out));
    let steps = stream::try_unfold((files, rest), |(mut files, mut rest)| async move {
        loop {
            match (files.try_next().await, rest.is_some()) {
                (Ok(batch), _) => return Ok(batch.map(|batch| (batch, (files, rest)))),
                (Err(e), true) if e.code() == Code::CKPT => {
                    let Some((snapshot, query, read, handed_out)) = rest.take() else { return Err(e) };
                    files = remaining(snapshot, query, read, handed_out, e).await?;
                }
                (Err(e), _) => return Err(e),
            }
        }
    });
    steps.boxed()
}

/// The files that were not handed out, without the checkpoint.
fn remaining(
    snapshot: Arc<Snapshot>,
    query: FileQuery,
    read: Arc<Reading>,
    handed_out: HandedOut,
    cause: Error,
) -> BoxFuture<'static, Result<BoxStream<'static, Result<FileBatch>>>> {
    Box::pin(async move {
        let stand_in = async {
            let told = cause.to_string();
            let other = snapshot.without_checkpoint(cause).await?;
            tracing::warn!(version = %snapshot.version(), error = %told, "a checkpoint broke while it was read; something older stands in");
            Ok::<_, Error>(other)
        };
        let other = Arc::clone(snapshot.stand_in.get_or_try_init(|| stand_in).await?);
        let (mut seen, _) = replay_tail(snapshot.tail(), snapshot.table().root());
        let counts = std::mem::take(&mut *handed_out.0.lock().unwrap_or_else(|e| e.into_inner()));
        let last = counts.keys().last().map_or(0, |part| part + 1);
        let mut parts = parts(&snapshot, false).take(last).enumerate();
        while let Some((i, part)) = parts.next().await {
            let Some(count) = counts.get(&i) else { continue };
            let mut batches = part?.files(Arc::clone(&read)).take(*count);
            while let Some(batch) = batches.try_next().await? {
                (0..batch.len()).for_each(|row| _ = seen.insert(batch.rows().key(row)));
            }
        }
        let unseen = move |batch: FileBatch| batch.without(&seen);
        Ok(other.files(query).map(move |batch| batch.and_then(&unseen)).boxed())
    })
}
