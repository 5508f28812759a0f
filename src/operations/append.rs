//! Appends or overwrites rows. Kind: edge. Spec: OPS.

mod again;
mod renumber;

use super::manifest::renew_after;
use super::optimize::join_after;
use super::overwrite::{Removal, remove_all};
use super::partitions::remove_partitions_of;
use super::replace::{replace, rule};
use super::{Report, already_exists, check_outside, json_text, newest, refused};
use crate::data::write::{DataWriter, WriteOptions, discard};
use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::expr::Expr;
use crate::features::{ChangedTable, NewTable, TableChange, TableState, check_properties, new_table};
use crate::log::{Add, DomainMetadata, Metadata, Protocol, StringMap, Version};
use crate::schema::{Struct, evolve};
use crate::snapshot::Snapshot;
use crate::table::Table;
use crate::transaction::{CommitOutcome, CommitPolicy, Conflicted, OperationInfo, ReadScope, Transaction};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::stream::BoxStream;
use serde_json::{Map, Value};
use std::sync::Arc;

pub(super) const OPERATION: &str = "WRITE";

/// What to do with what is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SaveMode {
    #[default]
    Append,
    /// Replaces all rows.
    Overwrite,
    /// Refuses a table that exists.
    Error,
    /// Leaves a table that exists alone.
    Ignore,
}

impl SaveMode {
    fn spark_name(self) -> &'static str {
        match self {
            SaveMode::Append => "Append",
            SaveMode::Overwrite => "Overwrite",
            SaveMode::Error => "ErrorIfExists",
            SaveMode::Ignore => "Ignore",
        }
    }
}

/// Writes rows into a table, making it when it is missing.
pub struct Append {
    table: Table,
    base: Option<Arc<Snapshot>>,
    schema: SchemaRef,
    batches: BoxStream<'static, Result<RecordBatch>>,
    choices: Choices,
}

/// What the caller asked for.
#[derive(Default)]
pub(super) struct Choices {
    mode: SaveMode,
    merge_schema: bool,
    overwrite_schema: bool,
    dynamic_partitions: bool,
    /// Nobody has said that all rows may go.
    only_partitions: bool,
    replace_where: Option<Expr>,
    partition_by: Option<Vec<String>>,
    properties: StringMap,
    app: Option<(String, i64)>,
    user_metadata: Option<String>,
    if_version: Option<Version>,
    reads_base: bool,
    options: WriteOptions,
}

impl Table {
    /// Starts writing a stream of batches of one schema.
    pub fn append(&self, schema: SchemaRef, batches: BoxStream<'static, Result<RecordBatch>>) -> Append {
        Append { table: self.clone(), base: None, schema, batches, choices: Choices::default() }
    }
}

impl Snapshot {
    /// Starts writing rows on this version, without looking for a newer one first. An append costs one request a file and one for
    /// the commit while nobody else commits.
    pub fn append(self: &Arc<Self>, schema: SchemaRef, batches: BoxStream<'static, Result<RecordBatch>>) -> Append {
        Append { base: Some(Arc::clone(self)), ..self.table().append(schema, batches) }
    }
}

impl Append {
    /// What to do with what is there.
    pub fn mode(mut self, mode: SaveMode) -> Self {
        self.choices.mode = mode;
        self.choices.only_partitions = false;
        self
    }
    /// Adds columns that the table lacks.
    pub fn merge_schema(mut self) -> Self {
        self.choices.merge_schema = true;
        self
    }
    /// With `Overwrite`: the rows' schema (and `partition_by`) replaces the table's.
    pub fn overwrite_schema(mut self) -> Self {
        self.choices.overwrite_schema = true;
        self
    }
    /// Overwrites, but only the rows for which this is TRUE; new rows for which it is not are refused with `LB-CONSTRAINT`.
    pub fn replace_where(mut self, predicate: Expr) -> Self {
        if self.choices.mode == SaveMode::Append {
            self.choices.mode = SaveMode::Overwrite;
        }
        self.choices.replace_where = Some(predicate);
        self
    }
    /// Overwrites, but only the partitions that the rows fall into. A table without partition columns is overwritten whole, but only when
    /// the mode says so (`LB-INPUT` otherwise).
    pub fn dynamic_partitions(mut self) -> Self {
        if self.choices.mode == SaveMode::Append {
            self.choices.mode = SaveMode::Overwrite;
            self.choices.only_partitions = true;
        }
        self.choices.dynamic_partitions = true;
        self
    }
    /// Partition columns of a table that this makes; must equal those of one that exists.
    pub fn partition_by<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.choices.partition_by = Some(columns.into_iter().map(Into::into).collect());
        self
    }
    /// Properties of a table that this makes. A table that exists keeps its own, and the report says so.
    pub fn property(mut self, key: &str, value: &str) -> Self {
        self.choices.properties.insert(key.to_owned(), value.to_owned());
        self
    }
    /// The same application's same or older version writes nothing (report version `None`).
    pub fn app_version(mut self, app_id: &str, version: i64) -> Self {
        self.choices.app = Some((app_id.to_owned(), version));
        self
    }
    /// Free text that the history shows.
    pub fn user_metadata(mut self, text: &str) -> Self {
        self.choices.user_metadata = Some(text.to_owned());
        self
    }
    /// Refuses with `LB-CONFLICT` when the table is not at this version.
    pub fn if_version(mut self, version: Version) -> Self {
        self.choices.if_version = Some(version);
        self
    }
    /// The rows were computed from this version of the table: the commit stands on it and has read all of it.
    pub(crate) fn reading(mut self, base: Arc<Snapshot>) -> Self {
        self.base = Some(base);
        self.choices.reads_base = true;
        self
    }
    /// Sizes of files.
    pub fn write_options(mut self, options: WriteOptions) -> Self {
        self.choices.options = options;
        self
    }
    /// Writes the rows and commits them at once. `LB-SCHEMA` names every column that does not fit, `LB-CONSTRAINT` the rule that
    /// refused a row, `LB-CONFLICT` the winner; then nothing was committed, and files that were written are deleted.
    pub async fn run(self) -> Result<Report> {
        let Append { table, base, schema, batches, choices } = self;
        let env = table.env().clone();
        let started = env.now();
        let base = match base {
            Some(base) => Some(base),
            None => newest(&table).await?,
        };
        if let Some(base) = &base {
            match choices.mode {
                SaveMode::Error => return Err(already_exists(&table)),
                SaveMode::Ignore => return Ok(Report::nothing(OPERATION, &env, started)),
                SaveMode::Append | SaveMode::Overwrite => {}
            }
            if choices.is_recorded_in(base).await? {
                return Ok(Report::nothing(OPERATION, &env, started));
            }
        }
        choices.check_version(base.as_deref())?;
        if choices.only_partitions && base.as_ref().is_some_and(|base| base.state().partition_columns().is_empty()) {
            return Err(Error::new(Code::INPUT, "the table has no partitions, so replacing those of the rows would replace every row")
                .help("to replace every row, say --mode overwrite; to add rows, leave --dynamic-partitions out"));
        }
        if base.is_none() {
            check_outside(&table).await?;
        }
        let left_alone = base.as_ref().map(|base| choices.properties_left_alone(base.state(), &env)).transpose()?.flatten();
        let plan = choices.plan(&table, base.as_deref(), &schema)?;
        if let (Some(predicate), Some(base)) = (&choices.replace_where, &base) {
            let replaced = replace(base, predicate, batches, choices.options.clone()).await?;
            return choices.commit_replaced(base, &plan, replaced, (left_alone, started)).await;
        }
        let mut rule = choices.replace_where.as_ref().map(|predicate| rule(&plan.state, predicate)).transpose()?;
        let mut removal = match &base {
            Some(base) if choices.mode == SaveMode::Overwrite && !choices.dynamic_partitions => remove_all(base).await?,
            _ => Removal::default(),
        };

        let mut plan = plan;
        let writer = DataWriter::new(&table, Arc::clone(&plan.state), choices.options.clone())?;
        let writer = writer.write_all(&schema, batches, |written| rule.as_mut().map_or(Ok(()), |rule| rule.check(written))).await?;
        let rows = writer.rows();
        let numbers = writer.numbers().last();
        let mut adds = writer.finish().await?;
        let mut reads = ReadScope::Table;
        if let Some(base) = base.as_ref().filter(|_| choices.dynamic_partitions) {
            (removal, reads) = match remove_partitions_of(base, &adds).await {
                Ok(found) => found,
                Err(e) => {
                    discard(&table, &adds).await;
                    return Err(e);
                }
            };
        }
        let given = Struct::from_arrow(&schema)?;
        plan.metadata = plan.state.record_numbers(&numbers)?.or(plan.metadata);
        let metrics = metrics(&adds, rows, (choices.mode == SaveMode::Overwrite).then_some(&removal));
        let info = choices.operation(metrics.clone());
        let mut transaction = stage(&table, base.as_ref(), &plan, info.clone(), &choices, (removal, reads), &adds);
        if base.is_none() {
            transaction.seen_missing(started);
        }
        let outcome = match transaction.commit().await {
            Ok(CommitOutcome::Conflicted(conflict))
                if base.is_none() && choices.mode == SaveMode::Append || conflict.is_cut() && choices.is_blind() =>
            {
                again::on_the_newest(&table, base.as_deref(), &plan, info, &choices, &adds, conflict).await
            }
            Ok(lost @ CommitOutcome::Conflicted(_)) if choices.may_renumber(&plan, base.is_none()) => {
                renumber::commit_again(&table, &mut plan, &info, &choices, &given, &mut adds, lost).await
            }
            other => other,
        };
        match outcome {
            Ok(CommitOutcome::Committed(mut done)) => {
                done.warnings.extend(join_after(base.as_ref(), &adds).await);
                done.warnings.extend(renew_after(&table, &plan.state, done.version).await);
                let mut report = Report::committed(OPERATION, done, metrics, &env, started);
                report.warnings.extend(left_alone);
                Ok(report)
            }
            Ok(CommitOutcome::Conflicted(conflict)) => {
                discard(&table, &adds).await;
                choices.lost(&table, conflict, started).await
            }
            Err(e) => {
                if !e.may_have_landed() {
                    discard(&table, &adds).await;
                }
                Err(choices.out_of_tries(e))
            }
        }
    }
}

/// The table as it will be, and what the commit must say to make it so.
pub(super) struct Plan {
    state: Arc<TableState>,
    metadata: Option<Metadata>,
    protocol: Option<Protocol>,
    domains: Vec<DomainMetadata>,
}

impl Plan {
    /// The commit says nothing about the table but its rows.
    fn unchanged(state: Arc<TableState>) -> Plan {
        Plan { state, metadata: None, protocol: None, domains: Vec::new() }
    }
}

impl Choices {
    /// Whether the application has recorded this version, or a newer one, already.
    async fn is_recorded_in(&self, base: &Snapshot) -> Result<bool> {
        let Some((app, version)) = &self.app else { return Ok(false) };
        Ok(base.app_version(app).await?.is_some_and(|recorded| recorded >= *version))
    }
    /// Whether the rows depend on nothing that the table holds.
    fn is_blind(&self) -> bool {
        self.mode == SaveMode::Append && !self.reads_base && self.if_version.is_none()
    }
    fn check_version(&self, base: Option<&Snapshot>) -> Result<()> {
        match (self.if_version, base) {
            (Some(wanted), Some(base)) if base.version() != wanted => Err(Error::moved_on(wanted).with("found", base.version())),
            (Some(wanted), None) => Err(Error::moved_on(wanted).with("found", "no table")),
            _ => Ok(()),
        }
    }
    fn plan(&self, table: &Table, base: Option<&Snapshot>, rows: &SchemaRef) -> Result<Plan> {
        self.check_partial()?;
        if self.overwrite_schema && self.mode != SaveMode::Overwrite {
            return Err(Error::new(Code::INPUT, "a schema is replaced only together with all rows").help("use the mode overwrite"));
        }
        let rows = Struct::from_arrow(rows)?;
        let Some(base) = base else {
            let state = new_table(
                NewTable {
                    schema: evolve::nullable(&rows),
                    partition_columns: self.partition_by.clone().unwrap_or_default(),
                    properties: self.properties.clone(),
                    ..NewTable::default()
                },
                table.env(),
            )?;
            return Ok(Plan::unchanged(Arc::new(state)));
        };
        let state = base.state();
        state.check_writable()?;
        let (schema, partition) = if self.overwrite_schema {
            (replaced(state.schema(), &rows), self.partition_by.as_deref().unwrap_or(state.partition_columns()))
        } else {
            self.check_partitioning(state)?;
            let made = state.write_plan()?.made();
            let schema = if self.merge_schema {
                evolve::merge_without(state.schema(), &rows, &made, state.widening())?
            } else {
                evolve::check_fits_without(state.schema(), &rows, &made)?;
                state.schema().clone()
            };
            (schema, state.partition_columns())
        };
        if self.replace_where.is_some() && schema != *state.schema() {
            return Err(Error::new(Code::INPUT, "rows of a condition are replaced by rows of the table's columns only")
                .help("add the columns to the table first"));
        }
        if schema == *state.schema() && partition == state.partition_columns() {
            return Ok(Plan::unchanged(Arc::clone(state)));
        }
        let change = TableChange {
            schema: Some(schema),
            partition_columns: Some(partition.to_vec()),
            replaces_rows: self.overwrite_schema,
            ..TableChange::default()
        };
        let ChangedTable { state, protocol, metadata, domains } = change.apply(state, table.env())?;
        Ok(Plan { state, metadata, protocol, domains })
    }
    /// What to say about properties that were given for a table that exists. `LB-PROPERTY` and `LB-FEATURE-WRITE` for those that no
    /// table could have.
    fn properties_left_alone(&self, state: &TableState, env: &Env) -> Result<Option<String>> {
        if self.properties.is_empty() {
            return Ok(None);
        }
        check_properties(&self.properties, state.schema(), env)?;
        let differ: Vec<&str> =
            self.properties.iter().filter(|(key, value)| state.property(key) != Some(value)).map(|(key, _)| key.as_str()).collect();
        Ok((!differ.is_empty()).then(|| format!("the table exists, so its properties were left as they are: {}", differ.join(", "))))
    }
    /// Refuses what does not go with replacing a part of the rows.
    fn check_partial(&self) -> Result<()> {
        let refused = |what: &str| Err(Error::new(Code::INPUT, what));
        match (&self.replace_where, self.dynamic_partitions) {
            (None, false) => Ok(()),
            (Some(_), true) => refused("either the rows of a condition are replaced or those of the partitions that come, not both"),
            _ if self.mode != SaveMode::Overwrite => refused("a part of the rows is replaced only with the mode overwrite"),
            _ if self.overwrite_schema => refused("the schema is replaced only together with all rows, not with a part of them"),
            _ => Ok(()),
        }
    }
    /// What it means that the commit may not be tried again.
    pub(super) fn out_of_tries(&self, e: Error) -> Error {
        match self.if_version {
            Some(version) if e.code() == Code::LIMIT => Error::moved_on(version).caused_by(e),
            _ => e,
        }
    }
    fn check_partitioning(&self, state: &TableState) -> Result<()> {
        let Some(asked) = &self.partition_by else { return Ok(()) };
        let has = state.partition_columns();
        if asked.len() == has.len() && asked.iter().zip(has).all(|(a, b)| a.to_lowercase() == b.to_lowercase()) {
            return Ok(());
        }
        Err(Error::new(Code::SCHEMA, "the table is partitioned by other columns")
            .with("table", has.join(", "))
            .with("asked", asked.join(", "))
            .help("leave the partition columns out, or overwrite the table with its schema"))
    }
    pub(super) fn operation(&self, metrics: Map<String, Value>) -> OperationInfo {
        let mut parameters = Map::new();
        parameters.insert("mode".to_owned(), self.mode.spark_name().into());
        parameters.insert("partitionBy".to_owned(), json_text(self.partition_by.as_deref().unwrap_or_default()));
        if self.merge_schema {
            parameters.insert("canMergeSchema".to_owned(), true.into());
        }
        if self.dynamic_partitions {
            parameters.insert("isDynamicPartitionOverwrite".to_owned(), true.into());
        }
        if self.overwrite_schema {
            parameters.insert("canOverwriteSchema".to_owned(), true.into());
        }
        OperationInfo { operation: OPERATION.to_owned(), parameters, metrics, user_metadata: self.user_metadata.clone() }
    }
    /// What a lost commit means for the caller.
    pub(super) async fn lost(&self, table: &Table, conflict: Conflicted, started: crate::env::Timestamp) -> Result<Report> {
        let base = newest(table).await?;
        let made_meanwhile = conflict.transaction.base().is_none();
        match (&base, self.mode) {
            (Some(_), SaveMode::Error) if made_meanwhile => return Err(already_exists(table)),
            (Some(_), SaveMode::Ignore) if made_meanwhile => return Ok(Report::nothing(OPERATION, table.env(), started)),
            // Two runs of one application version: the other one has done the work.
            (Some(base), _) if self.is_recorded_in(base).await? => return Ok(Report::nothing(OPERATION, table.env(), started)),
            _ => {}
        }
        Err(refused(&conflict))
    }
}

/// The rows' schema, with the metadata of columns that the table has under the same name and type.
fn replaced(table: &Struct, rows: &Struct) -> Struct {
    let mut out = evolve::nullable(rows);
    for field in &mut out.fields {
        if let Some(old) = table.field(&field.name).filter(|old| old.data_type == field.data_type) {
            field.metadata = old.metadata.clone();
        }
    }
    out
}

pub(super) fn stage(
    table: &Table,
    base: Option<&Arc<Snapshot>>,
    plan: &Plan,
    info: OperationInfo,
    choices: &Choices,
    (removal, reads): (Removal, ReadScope),
    adds: &[Add],
) -> Transaction {
    let mut transaction = match base {
        Some(base) => base.begin(info),
        None => table.begin_create(Arc::clone(&plan.state), info),
    };
    if base.is_some() && choices.mode == SaveMode::Overwrite {
        transaction.read(reads);
    }
    if choices.reads_base {
        transaction.read(ReadScope::Table);
    }
    if let Some(protocol) = &plan.protocol {
        transaction.set_protocol(protocol.clone());
    }
    if let Some(metadata) = &plan.metadata {
        transaction.set_metadata(metadata.clone());
    }
    for domain in &plan.domains {
        transaction.set_domain(domain.clone());
    }
    if let Some((app, version)) = &choices.app {
        transaction.read(ReadScope::App(app.clone())).set_app_version(app, *version);
    }
    if choices.if_version.is_some() {
        // The only version that may follow is the next one: no second attempt.
        transaction.policy(CommitPolicy { attempts_max: 1, ..CommitPolicy::default() });
    }
    for remove in removal.removes {
        transaction.remove(remove);
    }
    for add in adds {
        transaction.add(add.clone());
    }
    transaction
}

fn metrics(adds: &[Add], rows: u64, removal: Option<&Removal>) -> Map<String, Value> {
    let bytes: i64 = adds.iter().map(|a| a.size).sum();
    let mut out = Map::new();
    out.insert("numFiles".to_owned(), adds.len().into());
    out.insert("numOutputRows".to_owned(), rows.into());
    out.insert("numOutputBytes".to_owned(), bytes.into());
    if let Some(removal) = removal {
        out.insert("numRemovedFiles".to_owned(), removal.removes.len().into());
        out.insert("numRemovedBytes".to_owned(), removal.bytes.into());
    }
    out
}
