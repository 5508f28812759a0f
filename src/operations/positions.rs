//! Which rows of which files a predicate matches. Kind: edge. Spec: ROW.
//!
//! The same scan that answers a query finds them, so what a query shows is what goes. Invariant: a row for which the predicate is FALSE
//! or NULL is never found.

use super::row_changes::RowChanges;
use crate::data::scan::{FileTask, Rows, Scan};
use crate::error::{Code, Error, Result};
use crate::expr::{BoundExpr, Expr};
use crate::features::HiddenColumn;
use crate::log::Add;
use crate::schema::DataType;
use crate::snapshot::Snapshot;
use crate::transaction::ReadScope;
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use roaring::RoaringTreemap;
use std::sync::Arc;

/// A predicate over the rows of one version.
pub(super) struct Matcher {
    base: Arc<Snapshot>,
    scan: Scan,
    predicate: Option<BoundExpr>,
}

/// The living rows of a file that match.
enum Found {
    /// Every one.
    All,
    /// Those at these positions; perhaps none.
    Some(Arc<RoaringTreemap>),
}

impl Matcher {
    /// For all rows when there is no predicate. `LB-EXPR` when it is no condition over the table's columns, `LB-FEATURE-READ`.
    pub(super) fn new(base: &Arc<Snapshot>, predicate: Option<&Expr>) -> Result<Matcher> {
        let state = base.state();
        let bound = predicate.map(|p| p.bind(state.schema())).transpose()?;
        if let Some(other) = bound.as_ref().filter(|p| !matches!(p.data_type(), DataType::Boolean | DataType::Void)) {
            let what = format!("{} is a {} where a condition is needed", other.to_sql(), other.data_type());
            return Err(Error::new(Code::EXPR, what));
        }
        let mut scan = base.scan().columns(Vec::<String>::new()).hidden([HiddenColumn::RowIndex]).counted();
        if let Some(predicate) = predicate {
            scan = scan.filter(predicate.clone());
        }
        Ok(Matcher { base: Arc::clone(base), scan: scan.build()?, predicate: bound })
    }
    /// Whether a file that `files` gives matches as a whole: no row of it is ever read to decide. Only partition values can say so: a
    /// statistic that another writer got wrong may hide a row, but must not delete one.
    pub(super) fn decides_files(&self) -> bool {
        self.predicate.as_ref().is_none_or(|p| p.reads_only(self.base.state().partition_columns()))
    }
    /// Says that what matches of a file goes; which rows those are, `None` when there are none.
    pub(super) async fn take_away(&self, changes: &RowChanges, task: &FileTask, file: Add) -> Result<Option<Rows>> {
        Ok(match self.find(task).await? {
            Found::Some(none) if none.is_empty() => None,
            Found::All => {
                changes.remove_file(file)?;
                Some(Rows::All)
            }
            Found::Some(going) => {
                changes.remove_rows(task, file, Arc::clone(&going)).await?;
                Some(Rows::Only(going))
            }
        })
    }
    /// Files that may hold matching rows. Memory as of `Snapshot::files`.
    pub(super) fn files(&self) -> BoxStream<'static, Result<(FileTask, Add)>> {
        self.scan.files()
    }
    /// The matching rows of one of these files: reads the predicate's columns, unless partition values decide.
    async fn find(&self, task: &FileTask) -> Result<Found> {
        if self.decides_files() {
            return Ok(Found::All);
        }
        let mut found = RoaringTreemap::new();
        let mut batches = self.scan.read(task.clone());
        while let Some(batch) = batches.try_next().await? {
            let positions = batch.column(0).as_primitive_opt::<Int64Type>();
            let positions = positions.ok_or_else(|| Error::new(Code::INTERNAL, "positions of rows were not read as numbers"))?;
            found.extend(positions.values().iter().filter_map(|at| u64::try_from(*at).ok()));
        }
        Ok(Found::Some(Arc::new(found)))
    }
    /// What was read, for others to be judged against.
    pub(super) fn reads(&self) -> ReadScope {
        self.predicate.clone().map_or(ReadScope::Table, ReadScope::Target)
    }
    /// The predicate as text.
    pub(super) fn text(&self) -> Option<String> {
        self.predicate.as_ref().map(BoundExpr::to_sql)
    }
}
