//! Append-only tables: rows are never removed. Kind: pure. Spec: FEA.

use super::TableState;
use crate::error::{Code, Error, Result};
use crate::log::Remove;

const NAME: &str = "appendOnly";
const ENABLED: &str = "delta.appendOnly";

fn is_active(state: &TableState) -> bool {
    let protocol = state.protocol();
    let legacy = (2..7).contains(&protocol.min_writer_version);
    let supported = legacy || protocol.writer_features.iter().flatten().any(|f| f == NAME);
    supported && state.property(ENABLED).is_some_and(|v| v.eq_ignore_ascii_case("true"))
}

/// Refuses to remove rows (`LB-CONSTRAINT`); files may still be rearranged.
pub(super) fn check_remove(state: &TableState, remove: &Remove) -> Result<()> {
    if remove.data_change && is_active(state) {
        return Err(Error::new(Code::CONSTRAINT, "the table is append-only, so no rows can be removed")
            .with("path", &remove.path)
            .help("append instead, or set the table property delta.appendOnly to false"));
    }
    Ok(())
}
