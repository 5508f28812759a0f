//! Deleting local files, many in one blocking call. Kind: edge. Spec: STO.
//!
//! Invariant: only what lies under its own name inside the root goes; nothing is deleted through a link to a folder.

use super::{Disk, LocalStore, io_error};
use crate::error::{Code, Error};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::Result;
use object_store::path::Path;
use rustix::fs::{AtFlags, unlinkat};
use std::fs::File;
use std::path::{Path as FilePath, PathBuf};

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
        // Keys of one folder mostly come one after another; names in an open folder are found without walking to it.
        let mut known: Option<(PathBuf, File)> = None;
        let mut delete = |key: Path| -> Result<Path> {
            let file = self.file_of(&key);
            let folder = file.parent().unwrap_or(&self.root).to_owned();
            let own = match &known {
                Some((path, own)) if *path == folder => own,
                _ => &known.insert((folder.clone(), self.own_folder(root.as_deref(), &folder, &key)?)).1,
            };
            let name = file.file_name().unwrap_or_default();
            unlinkat(own, name, AtFlags::empty()).map_err(|e| io_error(e.into(), &key))?;
            // Hadoop keeps a checksum beside each local file.
            if let Some(name) = name.to_str() {
                let _ = unlinkat(own, format!(".{name}.crc"), AtFlags::empty());
            }
            Ok(key)
        };
        keys.into_iter().map(|key| key.and_then(&mut delete)).collect()
    }
    /// Opens the folder of `key`, which must be reached under its own name.
    fn own_folder(&self, root: Result<&FilePath, &std::io::Error>, folder: &FilePath, key: &Path) -> Result<File> {
        let root = root.map_err(|e| io_error(std::io::Error::from(e.kind()), key))?;
        let found = std::fs::canonicalize(folder).map_err(|e| io_error(e, key))?;
        if folder.strip_prefix(&self.root).map(|below| root.join(below)).as_ref() != Ok(&found) {
            self.inside(found, key)?;
            return Err(linked(key));
        }
        File::open(found).map_err(|e| io_error(e, key))
    }
}

fn linked(key: &Path) -> object_store::Error {
    let refused = Error::new(Code::PATH, "the folder of this file is reached through a symbolic link, so the file has another name")
        .with("path", key)
        .help("delete it under its own name");
    object_store::Error::Generic { store: super::STORE, source: Box::new(refused) }
}
