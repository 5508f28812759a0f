//! Reading the files of a table as a plan's leaf: groups of files run side by side. Kind: edge. Spec: SQL.

use super::failure::planner;
use super::shape::reshaped;
use crate::data::scan::{FileTask, Scan};
use crate::log::Version;
use arrow::datatypes::SchemaRef;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result as Planning, Statistics, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::{StreamExt, TryStreamExt, stream};
use std::fmt;
use std::sync::Arc;

/// What plans say about a scan.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub table: String,
    pub version: Version,
    pub files_total: Option<u64>,
    pub filter: Option<String>,
    pub limit: Option<usize>,
    /// Whether rows of the files may be left out.
    pub filtered: bool,
}

/// The files of one version that may hold what a query wants.
#[derive(Debug)]
pub(super) struct DeltaScan {
    scan: Scan,
    groups: Vec<Vec<FileTask>>,
    /// Which column of the scan stands where.
    order: Vec<usize>,
    facts: Facts,
    properties: Arc<PlanProperties>,
}

impl DeltaScan {
    pub fn new(scan: Scan, tasks: Vec<FileTask>, order: Vec<usize>, schema: SchemaRef, facts: Facts) -> DeltaScan {
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        DeltaScan { scan, groups: vec![tasks], order, facts, properties }
    }
    /// In at most `parts` groups of about the same size.
    pub fn split(mut self, parts: usize) -> DeltaScan {
        let mut tasks: Vec<FileTask> = self.groups.drain(..).flatten().collect();
        tasks.sort_by_key(|task| std::cmp::Reverse(task.size));
        let parts = parts.min(tasks.len()).max(1);
        let mut groups = vec![(0u64, Vec::new()); parts];
        for task in tasks {
            if let Some((size, group)) = groups.iter_mut().min_by_key(|(size, group)| (*size, group.len())) {
                *size = size.saturating_add(task.size);
                group.push(task);
            }
        }
        self.groups = groups.into_iter().map(|(_, group)| group).collect();
        let properties = PlanProperties::clone(&self.properties).with_partitioning(Partitioning::UnknownPartitioning(parts));
        self.properties = Arc::new(properties);
        self
    }
    fn files(&self) -> usize {
        self.groups.iter().map(Vec::len).sum()
    }
    fn statistics(&self, tasks: &[&FileTask]) -> Statistics {
        let alive = |task: &&FileTask| {
            let deleted = task.vector.as_ref().map_or(Some(0), |v| u64::try_from(v.cardinality).ok());
            task.num_records.zip(deleted).and_then(|(rows, deleted)| rows.checked_sub(deleted))
        };
        let rows = tasks.iter().map(alive).try_fold(0u64, |sum, rows| sum.checked_add(rows?)).and_then(|n| usize::try_from(n).ok());
        let bytes = tasks.iter().map(|t| t.size).fold(0u64, u64::saturating_add);
        let mut statistics = Statistics::new_unknown(self.properties.eq_properties.schema());
        statistics.num_rows = match (rows, self.facts.filtered || self.facts.limit.is_some()) {
            (Some(rows), false) => Precision::Exact(rows),
            (Some(rows), true) => Precision::Inexact(rows.min(self.facts.limit.unwrap_or(usize::MAX))),
            (None, _) => Precision::Absent,
        };
        statistics.total_byte_size = Precision::Inexact(usize::try_from(bytes).unwrap_or(usize::MAX));
        statistics
    }
}

impl DisplayAs for DeltaScan {
    fn fmt_as(&self, kind: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.facts.files_total.map_or_else(|| "?".to_owned(), |n| n.to_string());
        let names: Vec<&str> = self.properties.eq_properties.schema().fields().iter().map(|f| f.name().as_str()).collect();
        if matches!(kind, DisplayFormatType::TreeRender) {
            return write!(f, "table={}\nfiles={} of {total}", self.facts.table, self.files());
        }
        write!(
            f,
            "DeltaScan: {}, version: {}, files: {} of {total}, columns: [{}]",
            self.facts.table,
            self.facts.version,
            self.files(),
            names.join(", ")
        )?;
        if let Some(filter) = &self.facts.filter {
            write!(f, ", filter: {filter}")?;
        }
        if let Some(limit) = self.facts.limit {
            write!(f, ", limit: {limit}")?;
        }
        Ok(())
    }
}

impl ExecutionPlan for DeltaScan {
    fn name(&self) -> &str {
        "DeltaScan"
    }
    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }
    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }
    fn apply_expressions(&self, _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Planning<TreeNodeRecursion>) -> Planning<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }
    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Planning<Arc<dyn ExecutionPlan>> {
        if children.is_empty() { Ok(self) } else { internal_err!("a scan has no inputs") }
    }
    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Planning<SendableRecordBatchStream> {
        let Some(tasks) = self.groups.get(partition).cloned() else { return internal_err!("a scan has no partition {partition}") };
        let (scan, order) = (self.scan.clone(), self.order.clone());
        let schema = Arc::clone(self.properties.eq_properties.schema());
        let shape = Arc::clone(&schema);
        let rows = stream::iter(tasks).map(move |task| scan.read(task)).flatten();
        let rows = rows.map(move |batch| reshaped(batch?.project(&order)?, &shape)).map_err(planner);
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
    fn partition_statistics(&self, partition: Option<usize>) -> Planning<Arc<Statistics>> {
        let tasks: Vec<&FileTask> = match partition {
            Some(partition) => self.groups.get(partition).into_iter().flatten().collect(),
            None => self.groups.iter().flatten().collect(),
        };
        Ok(Arc::new(self.statistics(&tasks)))
    }
}
