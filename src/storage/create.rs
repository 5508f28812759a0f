//! Create-only writes and what their answers mean. Kind: edge. Spec: STO.

use crate::error::Error;
use bytes::Bytes;
use object_store::ObjectStore;
use object_store::path::Path;

/// The four things a conditional write can mean. `Unknown` is not a failure: it may have happened.
#[derive(Debug)]
pub enum PutOutcome {
    Created,
    Exists,
    Unknown(Error),
    Failed(Error),
}

/// Writes `body` at `key` only if nothing is there.
pub(crate) async fn create(store: &dyn ObjectStore, key: &Path, body: Bytes) -> PutOutcome {
    let _ = (store, key, body);
    todo!("storage room")
}
