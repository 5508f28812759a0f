//! URL -> object store; paths of the log -> object keys. Kind: edge. Spec: STO.

use crate::env::Env;
use crate::error::Result;
use object_store::ObjectStore;
use object_store::path::Path;
use std::collections::BTreeMap;
use std::sync::Arc;
use url::Url;

/// Options of a store as the user gave them: any spelling and case; unknown keys warn.
#[derive(Clone, Default)]
pub struct StorageOptions {
    pub(crate) values: BTreeMap<String, String>,
    pub(crate) allowed_roots: Vec<String>,
    /// Whether local commits and data are synced to the disk before they are acknowledged.
    pub(crate) durable: bool,
}

/// Where a table lies: its URL, the store and the prefix of its keys. Cheap to clone.
#[derive(Clone)]
pub struct TableRoot {
    url: Url,
    store: Arc<dyn ObjectStore>,
    prefix: Path,
}

impl std::fmt::Debug for TableRoot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableRoot").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

impl TableRoot {
    /// Opens the store of a path or URL. No request is made.
    pub fn open(location: &str, options: &StorageOptions, env: &Env) -> Result<TableRoot> {
        let _ = (location, options, env);
        todo!("storage room")
    }
    /// A table under `prefix` of a given store, for tests and embedders.
    pub fn with_store(url: Url, store: Arc<dyn ObjectStore>, prefix: Path) -> TableRoot {
        TableRoot { url, store, prefix }
    }
    /// The URL, always ending in `/`.
    pub fn url(&self) -> &Url {
        &self.url
    }
    /// The store that holds the table.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }
    /// The key of a name inside the table, which is taken literally (already decoded).
    pub fn key(&self, name: &str) -> Path {
        let _ = name;
        todo!("storage room: {}", self.prefix)
    }
    /// The key of a name inside `_delta_log`.
    pub fn log_key(&self, name: &str) -> Path {
        let _ = name;
        todo!("storage room")
    }
    /// Where a path of the log (percent-encoded, relative or absolute) lies: decoded exactly once, refused with `LB-PATH` or
    /// `LB-PATH-FOREIGN` before any request when it leaves the table and no allowed root covers it.
    pub fn resolve(&self, raw: &str) -> Result<(Arc<dyn ObjectStore>, Path)> {
        let _ = raw;
        todo!("storage room")
    }
}
