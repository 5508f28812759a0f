//! Deleting local files, many in one blocking call. Kind: edge. Spec: STO.
//!
//! Invariant: only what lies under its own name inside the root goes; nothing is deleted through a link to a folder.

use super::{Disk, LocalStore, io_error};
use crate::error::{Code, Error};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::Result;
use object_store::path::Path;
use std::ffi::OsStr;
use std::path::PathBuf;

/// How many files one blocking call deletes.
const BATCH: usize = 256;

/// Deletes as the keys come, on as many threads as there are; the answers come in the order of the keys.
pub(super) fn delete_all(store: LocalStore, keys: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
    let at_once = store.env.threads().max(1);
    let batches = keys.ready_chunks(BATCH).map(move |batch| {
        let store = store.clone();
        async move {
            let done = store.run(move |disk| Ok(disk.delete_batch(batch))).await;
            done.unwrap_or_else(|e| vec![Err(e)])
        }
    });
    batches.buffered(at_once).flat_map(stream::iter).boxed()
}

impl Disk {
    fn delete_batch(&self, keys: Vec<Result<Path>>) -> Vec<Result<Path>> {
        let root = std::fs::canonicalize(&self.root);
        // Keys of one folder mostly come one after another.
        let mut known: Option<PathBuf> = None;
        let mut delete = |key: Path| -> Result<Path> {
            let file = self.file_of(&key);
            let folder = file.parent().unwrap_or(&self.root).to_owned();
            if known.as_ref() != Some(&folder) {
                let root = root.as_ref().map_err(|e| io_error(std::io::Error::from(e.kind()), &key))?;
                let found = std::fs::canonicalize(&folder).map_err(|e| io_error(e, &key))?;
                let own = folder.strip_prefix(&self.root).map(|below| root.join(below));
                if own.as_ref() != Ok(&found) {
                    self.inside(found, &key)?;
                    return Err(linked(&key));
                }
                known = Some(folder.clone());
            }
            std::fs::remove_file(&file).map_err(|e| io_error(e, &key))?;
            // Hadoop keeps a checksum beside each local file.
            if let Some(name) = file.file_name().and_then(OsStr::to_str) {
                let _ = std::fs::remove_file(folder.join(format!(".{name}.crc")));
            }
            Ok(key)
        };
        keys.into_iter().map(|key| key.and_then(&mut delete)).collect()
    }
}

fn linked(key: &Path) -> object_store::Error {
    let refused = Error::new(Code::PATH, "the folder of this file is reached through a symbolic link, so the file has another name")
        .with("path", key)
        .help("delete it under its own name");
    object_store::Error::Generic { store: super::STORE, source: Box::new(refused) }
}
