//! Commit body <-> actions. Kind: pure. Spec: LOG.

use super::Action;
use crate::error::Result;
use bytes::Bytes;

/// Decodes a commit body: one action a line, unknown actions skipped, blank lines and CRLF accepted.
/// `LB-LOG-EMPTY` for no bytes, `LB-LOG-JSON` with file, line and column for what is not JSON or lacks a required field.
pub(crate) fn decode_commit(file: &str, body: &[u8]) -> Result<Vec<Action>> {
    let _ = (file, body);
    todo!("log room")
}

/// Encodes a commit body; absent optionals stay absent.
pub(crate) fn encode_commit(actions: &[Action]) -> Bytes {
    let _ = actions;
    todo!("log room")
}
