//! Local listings, in the order of keys. Kind: edge. Spec: STO.
//!
//! Folders are read only when the walk reaches them, so whoever stops early pays for nothing behind. Invariant: a file is listed under its
//! own folder only, never under a link to that folder, so that no key is a second name of another.

use super::{Disk, LocalStore, io_error, object_meta};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::path::Path;
use object_store::{ListResult, ObjectMeta, Result};
use std::io;

/// How many entries one blocking call brings.
const BATCH: usize = 512;

/// Something still to be visited. Ordered from the last to the first, so that the next one is popped.
enum Entry {
    Folder(String),
    File(String),
}

/// All files below `prefix` whose key is above `offset`.
pub(super) fn list(store: LocalStore, prefix: Path, offset: Option<Path>) -> BoxStream<'static, Result<ObjectMeta>> {
    let offset = offset.map(String::from);
    stream::try_unfold(vec![Entry::Folder(prefix.into())], move |mut todo| {
        let (store, offset) = (store.clone(), offset.clone());
        async move {
            if todo.is_empty() {
                return Ok::<_, object_store::Error>(None);
            }
            let (found, todo) = store
                .run(move |disk| {
                    let mut found = Vec::new();
                    while found.len() < BATCH
                        && let Some(next) = todo.pop()
                    {
                        match next {
                            Entry::Folder(key) => todo.extend(disk.children(&key, offset.as_deref())?.into_iter().rev()),
                            Entry::File(key) => found.extend(disk.meta(&key)?),
                        }
                    }
                    Ok((found, todo))
                })
                .await?;
            Ok(Some((stream::iter(found.into_iter().map(Ok)), todo)))
        }
    })
    .map(|batch| match batch {
        Ok(found) => found.boxed(),
        Err(e) => stream::once(async move { Err(e) }).boxed(),
    })
    .flatten()
    .boxed()
}

impl Disk {
    /// What a folder holds, in key order, without what lies wholly at or before `offset`. A folder that is not there holds nothing;
    /// links to folders, links that lead elsewhere and names that are no keys are passed over.
    fn children(&self, folder: &str, offset: Option<&str>) -> Result<Vec<Entry>> {
        let key = parse(folder)?;
        let path = self.file_of(&key);
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(Vec::new()),
            Err(e) => return Err(io_error(e, &key)),
        };
        let mut sorted = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|e| io_error(e, &key))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let mut child = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            if Path::parse(&child).is_err() {
                continue;
            }
            let kind = entry.file_type().map_err(|e| io_error(e, &key))?;
            if kind.is_symlink() && !parse(&child).and_then(|key| self.existing(&key)).is_ok_and(|real| real.is_file()) {
                continue;
            }
            let is_folder = kind.is_dir();
            if is_folder {
                child.push('/');
            }
            if offset.is_none_or(|o| child.as_str() > o || (is_folder && o.starts_with(&child))) {
                sorted.push(child);
            }
        }
        sorted.sort_unstable();
        Ok(sorted
            .into_iter()
            .map(|mut child| match child.ends_with('/') {
                true => {
                    child.pop();
                    Entry::Folder(child)
                }
                false => Entry::File(child),
            })
            .collect())
    }
    /// `None` when the file went away since its folder was read.
    fn meta(&self, key: &str) -> Result<Option<ObjectMeta>> {
        let key = parse(key)?;
        match std::fs::metadata(self.file_of(&key)) {
            Ok(meta) => Ok(Some(object_meta(key, &meta))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(io_error(e, &key)),
        }
    }
    pub(super) fn list_folder(&self, prefix: &Path) -> Result<ListResult> {
        let (mut objects, mut common_prefixes) = (Vec::new(), Vec::new());
        for entry in self.children(prefix.as_ref(), None)? {
            match entry {
                Entry::Folder(key) => common_prefixes.push(parse(&key)?),
                Entry::File(key) => objects.extend(self.meta(&key)?),
            }
        }
        Ok(ListResult { common_prefixes, objects })
    }
}

fn parse(key: &str) -> Result<Path> {
    Path::parse(key).map_err(|source| object_store::Error::InvalidPath { source })
}
