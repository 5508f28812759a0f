//! What changed in a table, as a relation: `table_changes('name or path', from[, to])`. Kind: edge. Spec: SQL.

use super::failure::planner;
use super::pushdown::sure;
use super::shape::{lower_case, reshaped};
use crate::error::Result;
use crate::expr::Expr;
use crate::log::Version;
use crate::operations::Changes;
use crate::schema::Struct;
use crate::snapshot::At;
use crate::table::Table;
use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result as Planning, internal_datafusion_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr as Planned, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use std::fmt;
use std::sync::{Arc, Mutex};

/// The changes of a range of versions.
#[derive(Debug)]
pub(super) struct ChangeTable {
    table: Table,
    /// `None` when nothing was committed between the times asked for.
    versions: Option<(Version, Version)>,
    own: SchemaRef,
    schema: SchemaRef,
    /// The columns as conditions are bound to them.
    columns: Struct,
}

impl ChangeTable {
    /// Looks at the range. `LB-VERSION`, `LB-CDF-GONE`, `LB-CDF-OFF`, `LB-SCHEMA`, `LB-FEATURE-READ`.
    pub async fn new(table: Table, from: At, to: At) -> Result<ChangeTable> {
        let feed = table.changes(from).to(to).build().await?;
        let own = feed.schema();
        let schema = Arc::new(Schema::new(lower_case(own.fields())));
        let columns = Struct::from_arrow(&own)?;
        Ok(ChangeTable { versions: feed.versions(), table, own, schema, columns })
    }
    /// The columns in their own spelling.
    pub fn own(&self) -> &SchemaRef {
        &self.own
    }
    fn changes(&self, (first, last): (Version, Version)) -> Changes {
        self.table.changes(At::Version(first)).to(At::Version(last))
    }
    fn bindable(&self, filter: &Planned) -> Option<Expr> {
        sure(filter, &self.columns)
    }
}

#[async_trait]
impl TableProvider for ChangeTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
    fn table_type(&self) -> TableType {
        TableType::Base
    }
    fn supports_filters_pushdown(&self, filters: &[&Planned]) -> Planning<Vec<TableProviderFilterPushDown>> {
        let inexact = |filter: &&Planned| match self.bindable(filter) {
            Some(_) => TableProviderFilterPushDown::Inexact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(inexact).collect())
    }
    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Planned],
        limit: Option<usize>,
    ) -> Planning<Arc<dyn ExecutionPlan>> {
        let all: Vec<usize> = (0..self.own.fields().len()).collect();
        let wanted = projection.unwrap_or(&all);
        let schema: SchemaRef = Arc::new(self.schema.project(wanted)?);
        let rows = match self.versions {
            None => stream::empty().boxed(),
            Some(versions) => {
                let mut changes = self.changes(versions).columns(wanted.iter().map(|i| self.own.field(*i).name()));
                if let Some(filter) = filters.iter().filter_map(|f| self.bindable(f)).reduce(Expr::and) {
                    changes = changes.filter(filter);
                }
                changes.build().await.map_err(planner)?.stream()
            }
        };
        let part = Arc::new(Once { schema: Arc::clone(&schema), rows: Mutex::new(Some(rows)) });
        Ok(Arc::new(StreamingTableExec::try_new(schema, vec![part], None, [], false, limit)?))
    }
}

/// Rows that can be read once, as a plan is run once.
struct Once {
    schema: SchemaRef,
    rows: Mutex<Option<BoxStream<'static, Result<RecordBatch>>>>,
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl PartitionStream for Once {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }
    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let taken = self.rows.lock().unwrap_or_else(|e| e.into_inner()).take();
        let schema = Arc::clone(&self.schema);
        let rows = match taken {
            Some(rows) => rows.map(move |batch| reshaped(batch?, &schema)).map_err(planner).boxed(),
            None => stream::iter([Err(internal_datafusion_err!("changes are read twice"))]).boxed(),
        };
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows))
    }
}
