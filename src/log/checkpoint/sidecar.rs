//! Where the sidecars of V2 checkpoints lie. Kind: pure. Spec: CKP.
//!
//! Invariant: a sidecar lies in `_delta_log/_sidecars` of its own table, or where the table's allowed roots reach.

use crate::error::{Code, Error, Result};
use crate::storage::TableRoot;
use object_store::ObjectStore;
use object_store::path::Path;
use percent_encoding::percent_decode_str;
use std::sync::Arc;

/// The store and key of a sidecar by its path in the log: a file name, or an absolute path. (CKP-6)
pub(crate) fn sidecar_key(root: &TableRoot, path: &str) -> Result<(Arc<dyn ObjectStore>, Path)> {
    if path.contains('/') {
        let relative = path.strip_prefix("_delta_log/").or_else(|| path.strip_prefix("_sidecars/").map(|_| path));
        return match relative {
            Some(inside) => root.resolve(&format!("_delta_log/{inside}")),
            None => root.resolve(path),
        };
    }
    let name = percent_decode_str(path)
        .decode_utf8()
        .map_err(|e| Error::new(Code::PATH, "the name of a sidecar is not UTF-8").with("path", path).caused_by(e))?;
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\\', '\0']) {
        return Err(Error::new(Code::PATH, "the name of a sidecar leaves its folder").with("path", path));
    }
    Ok((root.store().clone(), root.log_key(&format!("_sidecars/{name}"))))
}

#[cfg(test)]
#[path = "sidecar_tests.rs"]
mod tests;
