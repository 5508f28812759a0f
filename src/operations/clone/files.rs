//! How a copy names the files of its source. Kind: pure. Spec: CPY.
//!
//! Invariant: what a shallow copy names is absolute; what a deep copy names lies in its own folder.

use crate::data::vector;
use crate::error::Result;
use crate::log::{Add, VectorDescriptor};
use crate::storage::TableRoot;
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

/// The file under its absolute path, its vector too.
pub(super) fn referenced(source: &TableRoot, add: Add) -> Result<Add> {
    let deletion_vector = match &add.deletion_vector {
        Some(descriptor) => Some(match vector::file_name(descriptor) {
            Some(path) => by_path(descriptor, source.absolute(&path)?),
            None => descriptor.clone(),
        }),
        None => None,
    };
    Ok(Add { path: source.absolute(&add.path)?, deletion_vector, ..add })
}

/// One object to copy: paths as logs name them, and the size where the log says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ObjectCopy {
    pub from: String,
    pub to: String,
    pub size: Option<u64>,
}

/// The file as a deep copy names it, and the objects that it needs.
pub(super) fn owned(source: &TableRoot, target: &TableRoot, add: Add) -> Result<(Add, Vec<ObjectCopy>)> {
    let to = place(source, &add.path)?;
    let mut copies = vec![ObjectCopy { from: add.path.clone(), to: to.clone(), size: u64::try_from(add.size).ok() }];
    let mut deletion_vector = add.deletion_vector.clone();
    if let Some(descriptor) = &mut deletion_vector
        && let Some(from) = vector::file_name(descriptor)
    {
        let to = place(source, &from)?;
        // Relative to its table a vector is named by nothing but its id, so it lies where it lay.
        if descriptor.storage_type != "u" {
            *descriptor = by_path(descriptor, target.absolute(&to)?);
        }
        copies.push(ObjectCopy { from, to, size: None });
    }
    Ok((Add { path: to, deletion_vector, ..add }, copies))
}

fn by_path(descriptor: &VectorDescriptor, path: String) -> VectorDescriptor {
    VectorDescriptor { storage_type: "p".to_owned(), path_or_inline_dv: path, ..descriptor.clone() }
}

/// Where a deep copy puts a file: where it lay in the source's folder; from elsewhere, under a name that is made from its place.
fn place(source: &TableRoot, path: &str) -> Result<String> {
    if let Some(inside) = source.relative(path)? {
        return Ok(inside);
    }
    let absolute = source.absolute(path)?;
    let name = absolute.rsplit('/').next().unwrap_or_default();
    let digest: String = Md5::digest(absolute.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{digest}-{name}"))
}
