//! How files are to lie: which are rewritten together, and in which order their rows go into new files. Kind: edge. Spec: OPT.
//!
//! Part of a plan, so it is plain data. A new layout is a variant here and a module of its own.

use super::Asked;
use super::pack::Pack;
use super::plan::Group;
use super::rewrite::{Rewritten, copied};
use crate::data::scan::Scan;
use crate::error::Result;
use crate::features::TableState;
use crate::log::Add;
use crate::snapshot::Snapshot;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// A way of laying files out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Layout {
    /// Files are joined as they are; rows keep their order.
    Pack(Pack),
}

impl Layout {
    /// The one that is asked for, on a table of this state.
    pub(super) fn of(asked: &Asked, _state: &TableState) -> Result<Layout> {
        Ok(Layout::Pack(if asked.purge { Pack::Purge } else { Pack::Small }))
    }
    /// Spark's name of the operation.
    pub(super) fn operation(&self) -> &'static str {
        match self {
            Layout::Pack(Pack::Small) => "OPTIMIZE",
            Layout::Pack(Pack::Purge | Pack::Every) => "REORG",
        }
    }
    /// What `operationParameters` says besides the predicate.
    pub(super) fn parameters(&self, auto: bool) -> Map<String, Value> {
        let parameters = match self {
            Layout::Pack(Pack::Small) => vec![("zOrderBy", json!("[]")), ("clusterBy", json!("[]")), ("auto", json!(auto))],
            Layout::Pack(Pack::Purge | Pack::Every) => vec![("applyPurge", json!(true))],
        };
        parameters.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }
    /// Of the files of one partition, oldest first: those that are rewritten together, with the reason. Others stay as they are.
    /// For what this has made it must give nothing again.
    pub(super) fn divide(&self, files: Vec<Add>, target: u64) -> Vec<(Vec<Add>, &'static str)> {
        match self {
            Layout::Pack(pack) => pack.divide(files, target),
        }
    }
    /// Writes the rows of a group into new files, which are no part of the table yet; nothing is left after a failure. `scan` reads
    /// whole rows with all that must travel with them.
    pub(super) async fn rewrite(&self, base: &Arc<Snapshot>, scan: &Scan, group: Group, target: u64) -> Result<Rewritten> {
        match self {
            Layout::Pack(pack) => copied(base, scan, group, target, *pack == Pack::Small).await,
        }
    }
}
