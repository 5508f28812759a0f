//! Checkpoint files -> actions and columns. Kind: edge. Spec: CKP.

use crate::env::Env;
use crate::error::Result;
use crate::log::Action;
use crate::log::segment::CheckpointFiles;
use crate::storage::TableRoot;

/// Everything of a checkpoint but file actions: protocol, metadata, txns, live domains, and for V2 the checkpoint metadata and
/// sidecars. Reads only those columns; row groups whose statistics show none of them are skipped. `LB-CKPT` when it is broken.
pub(crate) async fn read_small(root: &TableRoot, env: &Env, checkpoint: &CheckpointFiles) -> Result<Vec<Action>> {
    let _ = (root, env, checkpoint);
    todo!("checkpoint room")
}
