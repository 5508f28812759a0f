//! How files are to lie: which are rewritten together, and in which order their rows go into new files. Kind: edge. Spec: OPT.
//!
//! Part of a plan, so it is plain data. A new layout is a variant here and a module of its own.

use super::Asked;
use super::along::laid_out;
use super::cluster::{Cluster, Kind};
use super::pack::{Pack, living_bytes};
use super::plan::Group;
use super::rewrite::{Rewritten, copied};
use crate::data::scan::Scan;
use crate::error::{Code, Error, Result};
use crate::features::TableState;
use crate::log::Add;
use crate::operations::json_text;
use crate::snapshot::Snapshot;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// A way of laying files out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Layout {
    /// Files are joined as they are; rows keep their order.
    Pack(Pack),
    /// Rows near each other in some columns come to lie near each other.
    Cluster(Cluster),
}

impl Layout {
    /// The one that is asked for, on a table of this state.
    pub(super) fn of(asked: &Asked, state: &TableState) -> Result<Layout> {
        let refused = |what: &str, help: &str| Err(Error::new(Code::INPUT, what).help(help));
        if asked.purge {
            if !asked.zorder_by.is_empty() || asked.full {
                return refused("deleted rows are either purged or rows are ordered", "do one after the other");
            }
            return Ok(Layout::Pack(Pack::Purge));
        }
        if !asked.zorder_by.is_empty() {
            return Ok(Layout::Cluster(Cluster::by(&asked.zorder_by, state)?));
        }
        match Cluster::declared(state, asked.full, asked.cube_bytes)? {
            Some(_) if asked.filter.is_some() => refused("a clustered table has no partitions to choose from", "leave the condition out"),
            Some(cluster) => Ok(Layout::Cluster(cluster)),
            None if asked.full => refused(
                "all files are clustered anew only where the table says by which columns",
                "name the columns to order by, or set them with ALTER TABLE … CLUSTER BY",
            ),
            None => Ok(Layout::Pack(Pack::Small)),
        }
    }
    /// Spark's name of the operation.
    pub(super) fn operation(&self) -> &'static str {
        match self {
            Layout::Pack(Pack::Small) | Layout::Cluster(_) => "OPTIMIZE",
            Layout::Pack(Pack::Purge | Pack::Every) => "REORG",
        }
    }
    /// What `operationParameters` says besides the predicate.
    pub(super) fn parameters(&self, auto: bool) -> Map<String, Value> {
        let parameters = match self {
            Layout::Pack(Pack::Small) => vec![("zOrderBy", json!("[]")), ("clusterBy", json!("[]")), ("auto", json!(auto))],
            Layout::Pack(Pack::Purge | Pack::Every) => vec![("applyPurge", json!(true))],
            Layout::Cluster(cluster) => {
                let (names, none) = (json_text(&cluster.names()), json!("[]"));
                match cluster.kind {
                    Kind::ZOrder => vec![("zOrderBy", names), ("clusterBy", none), ("auto", json!(auto))],
                    Kind::Declared { full, .. } => {
                        vec![("zOrderBy", none), ("clusterBy", names), ("auto", json!(auto)), ("isFull", json!(full))]
                    }
                }
            }
        };
        parameters.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }
    /// Of the files of one partition, oldest first: those that are rewritten together, with the reason. Others stay as they are.
    /// For what this has made it must give nothing again.
    pub(super) fn divide(&self, files: Vec<Add>, target: u64) -> Vec<(Vec<Add>, &'static str)> {
        match self {
            Layout::Pack(pack) => pack.divide(files, target),
            Layout::Cluster(cluster) => cluster.divide(files),
        }
    }
    /// Each time that a file of a group is opened: so many columns are read, of so many.
    pub(super) fn reads(&self) -> Vec<(usize, usize)> {
        match self {
            Layout::Pack(_) => vec![(1, 1)],
            Layout::Cluster(cluster) => vec![(cluster.columns.len().min(cluster.of), cluster.of.max(1)), (1, 1)],
        }
    }
    /// How many files a group becomes.
    pub(super) fn files_made(&self, group: &Group, target: u64) -> u64 {
        match self {
            Layout::Pack(_) => u64::from(group.files.iter().any(|file| living_bytes(file) > 0)),
            Layout::Cluster(_) => group.files_made(target),
        }
    }
    /// Whether one group uses all the memory there is, and all threads.
    pub(super) fn is_alone(&self) -> bool {
        matches!(self, Layout::Cluster(_))
    }
    /// Writes the rows of a group into new files, which are no part of the table yet; nothing is left after a failure. `scan` reads
    /// whole rows with all that must travel with them.
    pub(super) async fn rewrite(&self, base: &Arc<Snapshot>, scan: &Scan, group: Group, target: u64) -> Result<Rewritten> {
        match self {
            Layout::Pack(pack) => copied(base, scan, group, target, *pack == Pack::Small).await,
            Layout::Cluster(cluster) => laid_out(base, scan, group, cluster, target).await,
        }
    }
}
