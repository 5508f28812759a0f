//! The table handle: where it lies, its log, its environment. Kind: shape.

use crate::env::Env;
use crate::error::Result;
use crate::log::{LogStore, OnlyAfter, PathLogStore, Version};
use crate::storage::{Meter, StorageOptions, TableRoot};
use std::sync::Arc;

/// A table. Cheap to clone; making one asks the store for nothing.
#[derive(Clone, Debug)]
pub struct Table {
    root: TableRoot,
    log: Arc<dyn LogStore>,
    env: Env,
}

/// How a table is opened.
pub struct TableBuilder {
    location: String,
    options: StorageOptions,
    env: Option<Env>,
}

impl Table {
    /// Names a table by a path or URL.
    pub fn at(location: &str) -> TableBuilder {
        TableBuilder { location: location.to_owned(), options: StorageOptions::default(), env: None }
    }
    /// A table whose store and log the caller provides.
    pub fn with_log(root: TableRoot, log: Arc<dyn LogStore>, env: Env) -> Table {
        Table { root, log, env }
    }
    pub fn root(&self) -> &TableRoot {
        &self.root
    }
    pub fn log(&self) -> &Arc<dyn LogStore> {
        &self.log
    }
    pub fn env(&self) -> &Env {
        &self.env
    }
    /// A handle for one operation, through which nothing is committed unless the table is at this version: `LB-CONFLICT` otherwise. Once its
    /// first commit has landed, those that follow (as those of a vacuum) are free.
    pub fn if_version(&self, version: Version) -> Table {
        Table { log: Arc::new(OnlyAfter::new(Arc::clone(&self.log), version)), ..self.clone() }
    }
    /// A handle whose every request is counted. The requests of a log store that knows no other handle are not.
    pub fn metered(&self) -> (Table, Meter) {
        let meter = Meter::default();
        (self.metered_by(&meter), meter)
    }
    /// The same, counted by a meter that counts others too.
    pub(crate) fn metered_by(&self, meter: &Meter) -> Table {
        let root = self.root.metered(meter);
        let log = self.log.over(&root).unwrap_or_else(|| Arc::clone(&self.log));
        Table { root, log, env: self.env.clone() }
    }
}

impl TableBuilder {
    /// Sets the storage options.
    pub fn storage_options(mut self, options: StorageOptions) -> Self {
        self.options = options;
        self
    }
    /// Sets clock, randomness, memory and threads.
    pub fn env(mut self, env: Env) -> Self {
        self.env = Some(env);
        self
    }
    /// The handle. `LB-STORE-CONFIG` when the location or an option is wrong. No request is made.
    pub fn open(self) -> Result<Table> {
        let env = self.env.unwrap_or_else(Env::system);
        let root = TableRoot::open(&self.location, &self.options, &env)?;
        let log = Arc::new(PathLogStore::new(root.clone()));
        Ok(Table { root, log, env })
    }
}
