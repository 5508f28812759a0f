//! Reads, whole and by range, checked for length. Kind: edge. Spec: STO.

use crate::error::Result;
use bytes::Bytes;
use object_store::ObjectStore;
use object_store::path::Path;
use std::ops::Range;

/// The whole object; `None` when there is none.
pub(crate) async fn get(store: &dyn ObjectStore, key: &Path) -> Result<Option<Bytes>> {
    let _ = (store, key);
    todo!("storage room")
}

/// A range of the object; a short answer is an error.
pub(crate) async fn get_range(store: &dyn ObjectStore, key: &Path, range: Range<u64>) -> Result<Bytes> {
    let _ = (store, key, range);
    todo!("storage room")
}
