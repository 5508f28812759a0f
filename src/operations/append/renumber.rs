//! Giving rows other numbers when another writer was given the same ones first. Kind: edge. Spec: VAL, OPS.
//!
//! Invariant: rows are written again from our own files, with everything but the numbers (and what is computed from them) as it was.

use super::{Choices, Plan, Removal, SaveMode, stage};
use crate::data::scan::FileTask;
use crate::data::write::{DataWriter, WriteOptions, discard};
use crate::error::Result;
use crate::features::FillValue;
use crate::log::{Add, Metadata};
use crate::schema::{DataType, Struct};
use crate::snapshot::Snapshot;
use crate::table::Table;
use crate::transaction::{CommitOutcome, OperationInfo, ReadScope};
use futures::{StreamExt, stream};
use std::sync::Arc;

/// Commits again after a conflict, on the newest version and with its next numbers, as long as nothing but numbers was changed there
/// and the bound allows. `adds` are the files that the last try wrote.
pub(super) async fn commit_again(
    table: &Table,
    plan: &mut Plan,
    info: &OperationInfo,
    choices: &Choices,
    given: &Struct,
    adds: &mut Vec<Add>,
    mut lost: CommitOutcome,
) -> Result<CommitOutcome> {
    for _ in 0..choices.options.renumber_max {
        let CommitOutcome::Conflicted(_) = lost else { break };
        let newest = table.snapshot().await?;
        if !plan.state.differs_in_numbers_only(newest.state()) || choices.is_recorded_in(&newest).await? {
            break;
        }
        let (again, metadata) = renumbered(table, &newest, given, adds, &choices.options).await?;
        discard(table, adds).await;
        *adds = again;
        *plan = Plan { state: Arc::clone(newest.state()), metadata, protocol: None, domains: Vec::new() };
        lost = stage(table, Some(&newest), plan, info.clone(), choices, (Removal::default(), ReadScope::Table), adds).commit().await?;
    }
    Ok(lost)
}

impl Choices {
    /// Whether a commit of this plan gives numbers and nothing else that another version could contradict.
    pub(super) fn may_renumber(&self, plan: &Plan, made: bool) -> bool {
        let only_numbers = plan.metadata.as_ref().is_some_and(|metadata| {
            let same = Metadata { schema_string: metadata.schema_string.clone(), ..plan.state.metadata().clone() };
            same == *metadata
        });
        let free = !self.reads_base && self.if_version.is_none();
        !made && free && only_numbers && plan.protocol.is_none() && self.mode == SaveMode::Append && !self.merge_schema
    }
}

/// The rows of our files, written again on `base`; `given` are the columns that the caller brought.
async fn renumbered(
    table: &Table,
    base: &Arc<Snapshot>,
    given: &Struct,
    adds: &[Add],
    options: &WriteOptions,
) -> Result<(Vec<Add>, Option<Metadata>)> {
    let state = base.state();
    let made_anew: Vec<String> = state
        .write_plan()?
        .fills
        .into_iter()
        .filter(|fill| !matches!(fill.value, FillValue::Constant(_)) && given.field(&fill.column).is_none())
        .map(|fill| fill.column)
        .collect();
    let kept = state.schema().fields.iter().filter(|field| field.data_type != DataType::Void && !made_anew.contains(&field.name));
    let columns: Vec<String> = kept.map(|field| field.name.clone()).collect();
    let scan = base.scan().columns(columns).build()?;
    let tasks = adds.iter().map(FileTask::of_add).collect::<Result<Vec<_>>>()?;
    let schema = scan.schema();
    let rows = stream::iter(tasks).flat_map(move |task| scan.read(task)).boxed();
    let writer = DataWriter::new(table, Arc::clone(state), options.clone())?.write_all(&schema, rows, |_| Ok(())).await?;
    let numbers = writer.numbers().last();
    let adds = writer.finish().await?;
    Ok((adds, state.record_numbers(&numbers)?))
}
