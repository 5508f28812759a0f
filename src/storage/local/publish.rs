//! How a local file comes into view. Kind: edge. Spec: STO.
//!
//! A temporary file with a dot name in the same folder is written and synced; one atomic step gives it its name (a link that does not
//! replace, or a rename that does); then the folder is synced. Folders that are made are synced into their parents first.
//!
//! Invariant: before the atomic step a failure leaves nothing in view; from it on, "nothing happened" is said only of failures that surely
//! come before it, and what is or may be in view is on the disk before anybody hears that it is there.

use super::{Disk, STORE, io_error, object_meta, read_at};
use crate::error::{Code, Error};
use crate::storage::create::{NotDurable, NotPublished};
use crate::storage::options::Durability;
use object_store::path::Path;
use object_store::{PutPayload, PutResult, Result};
use rustix::fs::{AtFlags, CWD, RenameFlags, linkat, rename, renameat_with};
use rustix::io::Errno;
use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Mutex;

/// How many folders are remembered as synced before the memory starts anew.
const KNOWN_MAX: usize = 10_000;

/// Makes folders and gives files their names, durably or fast.
#[derive(Debug)]
pub(super) struct Publisher {
    root: PathBuf,
    /// How a file or folder is brought to the disk; `None` when nobody asks for that.
    sync: Option<Sync>,
    /// Folders that this process has seen to be in their synced parents.
    known: Mutex<HashSet<PathBuf>>,
}

type Sync = fn(&File) -> io::Result<()>;

/// What giving a file its name may do to one that is there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    Keep,
    Replace,
}

impl Publisher {
    pub fn new(root: PathBuf, durability: Durability) -> Self {
        Publisher { root, sync: (durability == Durability::Full).then_some(File::sync_all), known: Mutex::default() }
    }
    #[cfg(test)]
    pub fn with_sync(root: PathBuf, sync: Sync) -> Self {
        Publisher { root, sync: Some(sync), known: Mutex::default() }
    }
    /// Makes `folder` and what is missing above it; each is synced into its parent, also when another process has just made it.
    fn ensure(&self, folder: &FilePath) -> io::Result<()> {
        if self.known().contains(folder) {
            return Ok(());
        }
        let mut chain: Vec<&FilePath> = folder.ancestors().take_while(|a| a.starts_with(&self.root)).collect();
        chain.extend(self.root.ancestors().skip(1).take_while(|a| !a.exists()));
        for step in chain.into_iter().rev() {
            let made = match std::fs::create_dir(step) {
                Ok(()) => true,
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => false,
                Err(_) if step.is_dir() => false,
                Err(e) => return Err(e),
            };
            if let Some(parent) = step.parent() {
                match self.sync_folder(parent) {
                    Err(e) if made || e.kind() != io::ErrorKind::PermissionDenied => return Err(e),
                    _ => {}
                }
            }
        }
        self.remember(folder.to_owned());
        Ok(())
    }
    /// Brings the names in a folder to the disk. A file system that does not know such a request keeps names in its own way.
    fn sync_folder(&self, folder: &FilePath) -> io::Result<()> {
        let Some(sync) = self.sync else { return Ok(()) };
        match File::open(folder).and_then(|folder| sync(&folder)) {
            Err(e) if matches!(Errno::from_io_error(&e), Some(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS)) => Ok(()),
            synced => synced,
        }
    }
    /// The same for a name that is in view, or may be: when it fails, the caller must hear neither "failed" nor "it is there".
    fn sync_name(&self, folder: &FilePath) -> Result<()> {
        self.sync_folder(folder).map_err(|e| object_store::Error::Generic { store: STORE, source: Box::new(NotDurable(e)) })
    }
    /// Notes that a folder is in its synced parents.
    pub fn remember(&self, folder: PathBuf) {
        let mut known = self.known();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(folder);
    }
    fn known(&self) -> std::sync::MutexGuard<'_, HashSet<PathBuf>> {
        self.known.lock().unwrap_or_else(|e| e.into_inner())
    }
    /// A new file with a dot name beside `target`.
    pub fn stage(&self, target: &FilePath, temp: &str) -> io::Result<Staged> {
        let folder = target.parent().unwrap_or(&self.root).to_owned();
        self.ensure(&folder)?;
        let path = folder.join(temp);
        let open = || OpenOptions::new().write(true).create_new(true).open(&path);
        let file = match open() {
            // The folder was known, and somebody removed it.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.known().clear();
                self.ensure(&folder)?;
                open()?
            }
            opened => opened?,
        };
        Ok(Staged { file, path, folder })
    }
    /// Gives a staged file its name. The error says whether it may be in view already.
    pub fn publish(&self, staged: Staged, target: &FilePath, existing: Existing, key: &Path) -> Result<PutResult> {
        if let Some(sync) = self.sync {
            sync(&staged.file).map_err(|e| io_error(e, key))?;
        }
        let meta = staged.file.metadata().map_err(|e| io_error(e, key))?;
        let step = match existing {
            Existing::Replace => {
                // Hadoop keeps a checksum beside each local file, and would refuse the new bytes by the old one.
                if let (Some(folder), Some(name)) = (target.parent(), target.file_name().and_then(|n| n.to_str())) {
                    let _ = std::fs::remove_file(folder.join(format!(".{name}.crc")));
                }
                rename(&staged.path, target).map_err(|e| missed(e, Step::Rename, key))
            }
            Existing::Keep => link_new(&staged.path, target, key),
        };
        match step {
            Err(Missed::Surely(e)) => return Err(e),
            Err(Missed::Perhaps(e)) => return self.sync_name(&staged.folder).and(Err(e)),
            Ok(()) => self.sync_name(&staged.folder)?,
        }
        Ok(PutResult { e_tag: object_meta(key.clone(), &meta).e_tag, version: None })
    }
}

/// A file that is being written under a dot name; dropping it removes that name.
#[derive(Debug)]
pub(super) struct Staged {
    pub file: File,
    path: PathBuf,
    folder: PathBuf,
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After a rename there is nothing under this name; a leftover is never read and has a dot name.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The one step that brings a file into view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Link,
    Rename,
}

/// The step was not seen to succeed.
#[derive(Debug)]
pub(super) enum Missed {
    Surely(object_store::Error),
    /// A file is there, or may be; it may be ours.
    Perhaps(object_store::Error),
}

/// What a failed step means. A network file system may carry it out and fail after that, or repeat it and fail then: so only the failures
/// that come before it are sure. A repeated rename no longer finds what it renamed.
pub(super) fn missed(e: Errno, step: Step, key: &Path) -> Missed {
    match e {
        Errno::ACCESS | Errno::PERM | Errno::ROFS | Errno::NOSPC | Errno::DQUOT | Errno::XDEV => Missed::Surely(io_error(e.into(), key)),
        Errno::NAMETOOLONG | Errno::NOTDIR | Errno::ISDIR | Errno::LOOP | Errno::MLINK => Missed::Surely(io_error(e.into(), key)),
        Errno::NOENT if step == Step::Link => Missed::Surely(io_error(e.into(), key)),
        Errno::EXIST => Missed::Perhaps(io_error(e.into(), key)),
        e => Missed::Perhaps(object_store::Error::Generic { store: STORE, source: Box::new(io::Error::from(e)) }),
    }
}

/// Links without replacing; where a file system has no links, renames without replacing; else refuses.
fn link_new(temp: &FilePath, target: &FilePath, key: &Path) -> Result<(), Missed> {
    match linkat(CWD, temp, CWD, target, AtFlags::empty()) {
        Ok(()) => return Ok(()),
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK) => {}
        Err(e) => return Err(missed(e, Step::Link, key)),
    }
    match renameat_with(CWD, temp, CWD, target, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            let refused = Error::new(Code::STORE_NOCAS, "this file system can neither link a file nor rename it without replacing another")
                .with("path", target.display())
                .help("two writers could overwrite each other's commits here; keep the table on a local disk or in an object store");
            Err(Missed::Surely(object_store::Error::Generic { store: STORE, source: Box::new(refused) }))
        }
        Err(e) => Err(missed(e, Step::Rename, key)),
    }
}

impl Disk {
    pub(super) fn put_new(&self, key: &Path, temp: &str, payload: &PutPayload) -> Result<PutResult> {
        self.put(key, temp, payload, Existing::Keep)
    }
    pub(super) fn put_over(&self, key: &Path, temp: &str, payload: &PutPayload) -> Result<PutResult> {
        self.put(key, temp, payload, Existing::Replace)
    }
    fn put(&self, key: &Path, temp: &str, payload: &PutPayload, existing: Existing) -> Result<PutResult> {
        let target = self.target(key)?;
        // Who comes too late need not write and sync a file to hear so; the link below decides for the others.
        if existing == Existing::Keep && target.symlink_metadata().is_ok() {
            if !target.is_file() {
                return Err(in_the_way(&target, key));
            }
            self.publisher.sync_name(target.parent().unwrap_or(&self.root))?;
            return Err(io_error(io::Error::from(io::ErrorKind::AlreadyExists), key));
        }
        let mut staged = self.stage(&target, temp, key)?;
        for part in payload {
            staged.file.write_all(part).map_err(|e| io_error(e, key))?;
        }
        self.publisher.publish(staged, &target, existing, key)
    }
    /// The file that a key names, for writing.
    pub(super) fn target(&self, key: &Path) -> Result<PathBuf> {
        match key.is_root() {
            true => Err(io_error(io::Error::from(io::ErrorKind::InvalidInput), key)),
            false => Ok(self.file_of(key)),
        }
    }
    /// Stages a file beside `target`, once the nearest folder that exists is found to lie inside the root.
    pub(super) fn stage(&self, target: &FilePath, temp: &str, key: &Path) -> Result<Staged> {
        if let Some(known) = target.ancestors().skip(1).find(|a| a.starts_with(&self.root) && a.exists()) {
            self.inside(std::fs::canonicalize(known).map_err(|e| io_error(e, key))?, key)?;
        }
        self.publisher.stage(target, temp).map_err(|e| write_error(e, key))
    }
    pub(super) fn copy(&self, from: &Path, to: &Path, temp: &str, keep: bool) -> Result<()> {
        let source = File::open(self.existing(from)?).map_err(|e| io_error(e, from))?;
        let size = source.metadata().map_err(|e| io_error(e, from))?.len();
        let target = self.target(to)?;
        let mut staged = self.stage(&target, temp, to)?;
        let mut at = 0;
        while at < size {
            let part = at..size.min(at + super::CHUNK);
            staged.file.write_all(&read_at(&source, &part, from)?).map_err(|e| io_error(e, to))?;
            at = part.end;
        }
        let existing = if keep { Existing::Keep } else { Existing::Replace };
        self.publisher.publish(staged, &target, existing, to).map(|_| ())
    }
}

/// What is no file and never becomes one: nobody has won this name, and waiting does not help.
fn in_the_way(target: &FilePath, key: &Path) -> object_store::Error {
    let what = if target.is_dir() { "a folder" } else { "something that is no file" };
    let refused = Error::new(Code::STORE, format!("{what} has the name of a file that is to be written"))
        .with("path", key)
        .help("look what it is and move it away");
    object_store::Error::Generic { store: STORE, source: Box::new(refused) }
}

/// A folder that cannot be made is a failed write, never a missing object.
fn write_error(e: io::Error, key: &Path) -> object_store::Error {
    match e.kind() {
        io::ErrorKind::PermissionDenied => io_error(e, key),
        _ => object_store::Error::Generic { store: STORE, source: Box::new(NotPublished(e)) },
    }
}
