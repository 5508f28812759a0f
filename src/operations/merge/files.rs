//! The files of the target: those that stream by, and those of which rows go. Kind: edge. Spec: MRG.
//!
//! Invariant: of a file whose rows wait on disk only its task is held, without its statistics; the log is asked again for those of which
//! rows go.

use crate::data::scan::{FileTask, Scan};
use crate::error::{Code, Error, Result};
use crate::log::Add;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use roaring::RoaringTreemap;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard};

/// A file of the target of which rows go.
pub(super) struct Touched {
    pub task: FileTask,
    pub add: Option<Add>,
    pub going: RoaringTreemap,
}

/// Files by the number that they got when they began to stream by.
#[derive(Default)]
pub(super) struct Files {
    known: Known,
    touched: BTreeMap<u32, Touched>,
}

/// What is known of files until a row of them goes.
#[derive(Clone, Default)]
pub(super) struct Known(Arc<Mutex<BTreeMap<u32, (FileTask, Option<Add>)>>>);

impl Known {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, (FileTask, Option<Add>)>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
    pub fn began(&self, file: u32, task: FileTask, add: Add) {
        self.lock().insert(file, (task, Some(add)));
    }
}

impl Files {
    pub fn known(&self) -> Known {
        self.known.clone()
    }
    /// No more rows of a file can go.
    pub fn forget(&mut self, file: u32) {
        self.known.lock().remove(&file);
    }
    /// The rows of a file wait on disk.
    pub fn set_aside(&mut self, file: u32) {
        if let Some((_, add)) = self.known.lock().get_mut(&file) {
            *add = None;
        }
    }
    pub fn touched(&mut self, file: u32) -> Result<&mut Touched> {
        match self.touched.entry(file) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(place) => {
                let known = self.known.lock().remove(&file);
                let (task, add) = known.ok_or_else(|| Error::new(Code::INTERNAL, "a file of the target is not known"))?;
                Ok(place.insert(Touched { task, add, going: RoaringTreemap::new() }))
            }
        }
    }
    /// The files of which rows go, as the log knows them. Reads the list of files once more when some were set aside.
    pub async fn gone(self, scan: Option<&Scan>) -> Result<Vec<(FileTask, Add, RoaringTreemap)>> {
        let again = scan.filter(|_| self.touched.values().any(|touched| touched.add.is_none()));
        found_again(self.touched.into_values(), again.map(Scan::files)).await
    }
}

/// Finds the actions of files that were set aside by path and vector.
async fn found_again(
    touched: impl Iterator<Item = Touched>,
    listed: Option<BoxStream<'static, Result<(FileTask, Add)>>>,
) -> Result<Vec<(FileTask, Add, RoaringTreemap)>> {
    let (mut found, mut wanted) = (Vec::new(), BTreeMap::new());
    for Touched { task, add, going } in touched {
        match add {
            Some(add) => found.push((task, add, going)),
            None => _ = wanted.insert(task.path.clone(), (task, going)),
        }
    }
    if let Some(mut listed) = listed {
        while !wanted.is_empty() {
            let Some((task, add)) = listed.try_next().await? else { break };
            if wanted.get(&task.path).is_some_and(|(own, _)| own.vector == task.vector)
                && let Some((task, going)) = wanted.remove(&task.path)
            {
                found.push((task, add, going));
            }
        }
    }
    match wanted.pop_first() {
        Some((path, _)) => Err(Error::new(Code::INTERNAL, "a file of the target was not found again").with("path", path)),
        None => Ok(found),
    }
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
