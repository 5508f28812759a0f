//! A version of a table as the planner sees it. Kind: edge. Spec: SQL.
//!
//! Invariant: conditions are handed down as inexact, so the planner applies every one of them again above the scan.

use super::failure::planner;
use super::pushdown::sure;
use super::scan::{DeltaScan, Facts};
use super::shape::lower_case;
use crate::data::scan::{FileTask, ScanBuilder};
use crate::error::{Code, Error, Result};
use crate::expr::Expr;
use crate::features::HiddenColumn;
use crate::snapshot::{CountEffort, FileQuery, Snapshot};
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result as Planning;
use datafusion::logical_expr::{Expr as Planned, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use futures::TryStreamExt;
use std::sync::Arc;

/// One version of a table, with the hidden columns that the statement reads.
#[derive(Debug)]
pub(super) struct DeltaTable {
    snapshot: Arc<Snapshot>,
    /// What plans call it.
    name: String,
    /// The table's own fields, then hidden ones.
    own: SchemaRef,
    schema: SchemaRef,
    /// Whether somebody wants to see the plan.
    explained: bool,
}

impl DeltaTable {
    /// `LB-FEATURE-READ`, and `LB-SCHEMA` for a hidden column that the table does not have.
    pub fn new(snapshot: Arc<Snapshot>, name: &str, hidden: &[String], explained: bool) -> Result<DeltaTable> {
        let own = with_hidden(snapshot.scan(), hidden)?.build()?.schema();
        let schema = Arc::new(Schema::new(lower_case(own.fields())));
        Ok(DeltaTable { snapshot, name: name.to_owned(), own, schema, explained })
    }
    /// The columns in their own spelling.
    pub fn own(&self) -> &SchemaRef {
        &self.own
    }

    async fn plan(&self, projection: Option<&Vec<usize>>, filter: Option<Expr>, limit: Option<usize>) -> Result<DeltaScan> {
        let all: Vec<usize> = (0..self.own.fields().len()).collect();
        let wanted = projection.unwrap_or(&all);
        let names: Vec<&str> = wanted.iter().map(|i| self.own.field(*i).name().as_str()).collect();
        let (hidden, columns): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| is_hidden(name));
        let hidden: Vec<String> = hidden.into_iter().map(str::to_owned).collect();
        let mut scan = with_hidden(self.snapshot.scan().columns(columns.clone()), &hidden)?;
        let shown_filter = filter.as_ref().map(|f| f.clone().bind(self.snapshot.state().schema())).transpose()?.map(|f| f.to_sql());
        if let Some(filter) = filter {
            scan = scan.filter(filter);
        }
        if let Some(limit) = limit {
            scan = scan.limit(limit as u64);
        }
        let scan = scan.build()?;
        let tasks: Vec<FileTask> = scan.tasks_of(FileQuery::default().records()).try_collect().await?;
        // The planner's order of columns may mix hidden ones with others.
        let read: Vec<&str> = columns.iter().copied().chain(hidden.iter().map(String::as_str)).collect();
        let order = names.iter().map(|name| read.iter().position(|r| r == name).unwrap_or(0)).collect();
        let files_total = if self.explained { Some(files_total(&self.snapshot).await?) } else { None };
        let schema = Arc::new(self.schema.project(wanted)?);
        let facts = Facts {
            table: self.name.clone(),
            version: self.snapshot.version(),
            files_total,
            filter: shown_filter,
            limit,
            filtered: scan.is_filtered(),
        };
        Ok(DeltaScan::new(scan, tasks, order, schema, facts))
    }
}

fn is_hidden(name: &str) -> bool {
    name.starts_with(super::tokens::HIDDEN) && name.contains('.')
}

fn with_hidden(scan: ScanBuilder, names: &[String]) -> Result<ScanBuilder> {
    use HiddenColumn::{FilePath, RowCommitVersion, RowId, RowIndex};
    let hidden = |name: &String| {
        let found = [FilePath, RowIndex, RowId, RowCommitVersion].into_iter().find(|column| column.name() == name);
        found.ok_or_else(|| {
            Error::new(Code::SQL, format!("there is no hidden column `{name}`"))
                .with("column", name)
                .help("there are _metadata.file_path, _metadata.row_index, _metadata.row_id and _metadata.row_commit_version")
        })
    };
    Ok(scan.hidden(names.iter().map(hidden).collect::<Result<Vec<_>>>()?))
}

/// How many files a version has, from its checksum when that is valid.
async fn files_total(snapshot: &Arc<Snapshot>) -> Result<u64> {
    if let Some(counts) = snapshot.counts(CountEffort::Cheap).await? {
        return Ok(counts.files);
    }
    Ok(snapshot.counts(CountEffort::Exact).await?.map_or(0, |c| c.files))
}

#[async_trait]
impl TableProvider for DeltaTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
    fn table_type(&self) -> TableType {
        TableType::Base
    }
    fn supports_filters_pushdown(&self, filters: &[&Planned]) -> Planning<Vec<TableProviderFilterPushDown>> {
        let inexact = |filter: &&Planned| match sure(filter, self.snapshot.state().schema()) {
            Some(_) => TableProviderFilterPushDown::Inexact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(inexact).collect())
    }
    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Planned],
        limit: Option<usize>,
    ) -> Planning<Arc<dyn ExecutionPlan>> {
        // What binds alone is asked for together.
        let filter = filters.iter().filter_map(|filter| sure(filter, self.snapshot.state().schema())).reduce(Expr::and);
        let scan = self.plan(projection, filter, limit).await.map_err(planner)?;
        Ok(Arc::new(scan.split(state.config().target_partitions())))
    }
}
