//! What follows a commit: a checkpoint when one is due. Kind: edge. Spec: CKP.

use super::Committed;
use crate::error::Result;
use crate::snapshot::Snapshot;
use crate::table::Table;
use std::sync::Arc;

/// Does what is due after `committed`, whose transaction stood on `base`. A failure here never undoes the commit.
pub(crate) async fn run(table: &Table, base: Option<&Arc<Snapshot>>, committed: &Committed) -> Result<()> {
    let _ = (table, base, committed);
    Ok(())
}
