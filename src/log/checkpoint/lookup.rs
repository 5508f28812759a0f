//! Whether a sidecar holds files that newer commits have spoken about. Kind: edge. Spec: CKP.
//!
//! Its Bloom filters stand before its footer, so that one small read of its end answers for most sidecars; where a filter cannot rule a
//! file out, the paths of that row group are read. Invariant: what is counted was compared byte by byte.

use super::carry::SidecarFacts;
use super::parquet_file::{ParquetFile, ReadPlan};
use super::read::{actions_in, struct_column};
use super::sidecar::sidecar_key;
use crate::env::guarded;
use crate::error::Result;
use crate::log::Sidecar;
use crate::log::batch::FileRows;
use crate::log::seen::SeenFiles;
use crate::storage::TableRoot;
use futures::TryStreamExt;
use parquet::bloom_filter::Sbbf;

const BATCH_ROWS: usize = 8192;

/// How many of a sidecar's rows are among `keys`. `LB-CKPT` when it is missing, torn, or not what its tags say.
pub(crate) async fn touched(root: &TableRoot, sidecar: &Sidecar, facts: &SidecarFacts, keys: &SeenFiles) -> Result<u64> {
    let (store, key) = sidecar_key(root, &sidecar.path)?;
    let file = ParquetFile::open_end(store, key, &sidecar.path, sidecar.size_in_bytes.unsigned_abs(), facts.index_bytes).await?;
    let rows: i64 = file.metadata().row_groups().iter().map(|g| g.num_rows()).sum();
    if u64::try_from(rows) != Ok(facts.tally.actions()) {
        return Err(file.broken("a sidecar does not hold as many rows as its checkpoint says"));
    }
    let mut touched = 0;
    for (kind, held) in [("add", facts.tally.files), ("remove", facts.tally.removed)] {
        let Some(path) = file.leaf(&[kind, "path"]).filter(|_| held > 0) else { continue };
        let mut groups = Vec::new();
        for group in 0..file.metadata().num_row_groups() {
            // Filters know paths as they are spelled.
            if !facts.plain || may_hold(&file, group, path, keys).await? {
                groups.push(group);
            }
        }
        if groups.is_empty() {
            continue;
        }
        let columns =
            file.mask(file.leaves(|parts| parts[0] == kind && parts.len() > 1 && matches!(&*parts[1], "path" | "deletionVector")));
        let mut batches = file.read(ReadPlan { columns, row_groups: Some(groups), filter: None, batch_rows: BATCH_ROWS });
        while let Some(batch) = batches.try_next().await? {
            let rows = FileRows::from_column(&actions_in(&file, struct_column(&file, &batch, kind)?)?)?;
            touched += (0..rows.len()).filter(|row| keys.contains(rows.key(*row))).count() as u64;
        }
    }
    Ok(touched)
}

/// False when the row group's filter rules every path out.
async fn may_hold(file: &ParquetFile, group: usize, leaf: usize, keys: &SeenFiles) -> Result<bool> {
    let chunk = file.metadata().row_group(group).column(leaf);
    let (offset, length) = (chunk.bloom_filter_offset(), chunk.bloom_filter_length());
    let (Some(offset), Some(length)) = (offset.and_then(|o| u64::try_from(o).ok()), length.and_then(|l| u64::try_from(l).ok())) else {
        return Ok(true);
    };
    let bytes = file.bytes(offset..offset.saturating_add(length)).await?;
    let check = || Sbbf::from_bytes(&bytes).map(|filter| filter.num_blocks() == 0 || keys.paths().any(|path| filter.check(path)));
    guarded(check).map_err(|why| file.broken(why))?.map_err(|e| file.broken(e))
}
