//! Deleted rows -> vector files and descriptors. Kind: edge. Spec: DV, ROW.
//!
//! Vectors are packed into few files. Invariant: a descriptor is given only for bytes that decode to exactly the rows asked for; a
//! file is never written twice.

use super::{bitmap, z85};
use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::log::VectorDescriptor;
use crate::storage::{TableRoot, failure};
use object_store::{ObjectStore, ObjectStoreExt};
use roaring::RoaringTreemap;
use std::sync::Arc;

/// A file is stored when it has reached this size.
const FILE_BYTES: usize = 2 << 20;
const FILE_VERSION: u8 = 1;

/// Stores vectors, several to a file. Memory: one file of 2 MiB, or of one vector when that is larger.
pub(crate) struct VectorWriter {
    root: TableRoot,
    env: Env,
    filling: Option<Filling>,
    stored: Vec<String>,
}

/// The file that is being filled.
struct Filling {
    id: uuid::Uuid,
    bytes: Vec<u8>,
}

impl VectorWriter {
    /// Writes under a table's root. Asks the store for nothing.
    pub(crate) fn new(root: &TableRoot, env: &Env) -> VectorWriter {
        VectorWriter { root: root.clone(), env: env.clone(), filling: None, stored: Vec::new() }
    }
    /// Takes the deleted rows of a file. The descriptor is good once `finish` has succeeded. One request for every 2 MiB.
    pub(crate) async fn write(&mut self, rows: &RoaringTreemap) -> Result<VectorDescriptor> {
        let env = &self.env;
        let filling = self.filling.get_or_insert_with(|| Filling { id: env.new_uuid(), bytes: vec![FILE_VERSION] });
        let descriptor = filling.push(rows)?;
        if filling.bytes.len() >= FILE_BYTES {
            self.store().await?;
        }
        Ok(descriptor)
    }
    /// Stores what is left; the paths of all files, as the log would name them. After an error `abort` is what remains.
    pub(crate) async fn finish(&mut self) -> Result<Vec<String>> {
        self.store().await?;
        Ok(std::mem::take(&mut self.stored))
    }
    /// Gives up: deletes what was stored.
    pub(crate) async fn abort(self) {
        discard_vectors(&self.root, &self.stored).await;
    }
    async fn store(&mut self) -> Result<()> {
        let Some(Filling { id, bytes }) = self.filling.take() else { return Ok(()) };
        self.root.check_writable().await?;
        let name = format!("deletion_vector_{}.bin", id.hyphenated());
        let key = self.root.key(&name);
        self.root.store().put(&key, bytes.into()).await.map_err(|e| failure(e, "writing a deletion vector", key.as_ref()))?;
        self.stored.push(name);
        Ok(())
    }
}

/// Deletes vector files that no commit names. What cannot be deleted is left to vacuum.
pub(crate) async fn discard_vectors(root: &TableRoot, paths: &[String]) {
    let store: &Arc<dyn ObjectStore> = root.store();
    for path in paths {
        if let Err(error) = store.delete(&root.key(path)).await {
            tracing::warn!(%path, %error, "a deletion vector that no commit names could not be deleted");
        }
    }
}

impl Filling {
    /// Adds a vector: its length, its bytes, their checksum.
    fn push(&mut self, rows: &RoaringTreemap) -> Result<VectorDescriptor> {
        let bytes = bitmap::encode(rows);
        if bitmap::decode(&bytes).as_ref() != Ok(rows) {
            return Err(Error::new(Code::INTERNAL, "a deletion vector does not decode to the rows that it was made of"));
        }
        let too_large = || Error::new(Code::LIMIT, format!("a deletion vector of {} bytes is too large", bytes.len()));
        let size = i32::try_from(bytes.len()).map_err(|_| too_large())?;
        let offset = i32::try_from(self.bytes.len()).map_err(|_| too_large())?;
        let cardinality = i64::try_from(rows.len()).map_err(|_| too_large())?;
        self.bytes.extend_from_slice(&size.to_be_bytes());
        self.bytes.extend_from_slice(&bytes);
        self.bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
        Ok(VectorDescriptor {
            storage_type: "u".to_owned(),
            path_or_inline_dv: z85::encode(self.id.as_bytes()),
            offset: Some(offset),
            size_in_bytes: size,
            cardinality,
        })
    }
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
