//! A few writers that many tasks share. Kind: edge. Spec: ROW.
//!
//! Invariant: a writer that a task took comes back when the task ends, however it ends, so that nothing it wrote is forgotten.

use crate::data::write::{DataWriter, WriteOptions, discard};
use crate::error::{Code, Error, Result};
use crate::features::{Numbers, TableState};
use crate::log::Add;
use crate::table::Table;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use tokio::sync::{Semaphore, SemaphorePermit};

/// What the writers write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Files {
    Data,
    Changes,
}

/// Writers of one table, made when they are first needed.
pub(super) struct Writers {
    table: Table,
    state: Arc<TableState>,
    options: WriteOptions,
    files: Files,
    places: Semaphore,
    idle: Mutex<Vec<DataWriter>>,
    /// Of the first writer; the others draw from the same.
    numbers: OnceLock<Numbers>,
}

/// A writer that nobody else has.
pub(super) struct Taken<'a> {
    writer: Option<DataWriter>,
    home: &'a Writers,
    _place: SemaphorePermit<'a>,
}

impl Writers {
    /// At most `writers_max` of them at once.
    pub(super) fn new(table: &Table, state: &Arc<TableState>, options: WriteOptions, files: Files, writers_max: usize) -> Writers {
        let (table, state, places) = (table.clone(), Arc::clone(state), Semaphore::new(writers_max.max(1)));
        Writers { table, state, options, files, places, idle: Mutex::default(), numbers: OnceLock::new() }
    }
    /// Takes one, waiting while all are in use.
    pub(super) async fn take(&self) -> Result<Taken<'_>> {
        let place = self.places.acquire().await.map_err(|_| Error::new(Code::INTERNAL, "the writers were closed"))?;
        let idle = self.idle().pop();
        let writer = match (idle, self.files) {
            (Some(writer), _) => writer,
            (None, Files::Data) => {
                let writer = DataWriter::new(&self.table, Arc::clone(&self.state), self.options.clone())?;
                let numbers = self.numbers.get_or_init(|| writer.numbers());
                writer.sharing(numbers)
            }
            (None, Files::Changes) => DataWriter::of_changes(&self.table, Arc::clone(&self.state), self.options.clone())?,
        };
        Ok(Taken { writer: Some(writer), home: self, _place: place })
    }
    /// The last number of each column that the table numbers.
    pub(super) fn numbers(&self) -> Vec<(String, i64)> {
        self.numbers.get().map(Numbers::last).unwrap_or_default()
    }
    /// Ends all files; none is left after a failure.
    pub(super) async fn finish(&self) -> Result<Vec<Add>> {
        let writers = std::mem::take(&mut *self.idle());
        let mut adds = Vec::new();
        let mut failure = None;
        for finished in futures::future::join_all(writers.into_iter().map(DataWriter::finish)).await {
            match finished {
                Ok(more) => adds.extend(more),
                Err(e) => failure = failure.or(Some(e)),
            }
        }
        match failure {
            Some(e) => {
                discard(&self.table, &adds).await;
                Err(e)
            }
            None => Ok(adds),
        }
    }
    /// Gives up: deletes what was written.
    pub(super) async fn abort(&self) {
        let writers = std::mem::take(&mut *self.idle());
        futures::future::join_all(writers.into_iter().map(DataWriter::abort)).await;
    }
    fn idle(&self) -> MutexGuard<'_, Vec<DataWriter>> {
        self.idle.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl Taken<'_> {
    /// The writer.
    pub(super) fn writer(&mut self) -> Result<&mut DataWriter> {
        self.writer.as_mut().ok_or_else(|| Error::new(Code::INTERNAL, "a writer was given back twice"))
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.home.idle().extend(self.writer.take());
    }
}
