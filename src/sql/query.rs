//! A query -> its rows. Kind: edge. Spec: SQL.

use super::failure::ours;
use super::feed::ChangeTable;
use super::guard::{guarded, ordered, with_guards};
use super::library::bound_plan;
use super::provider::DeltaTable;
use super::relations::{Parsed, Relation, When, parse_query};
use super::shape::Shown;
use super::spark::{fractions, with_spark};
use super::statement::TableName;
use super::{Rows, Session};
use crate::env::Timestamp;
use crate::error::{Code, Error, Result};
use crate::exec::Runtime;
use crate::log::Version;
use crate::schema::{DataType, Scalar};
use crate::snapshot::{At, Snapshot};
use crate::table::Table;
use arrow::array::{Array, AsArray};
use arrow::datatypes::{FieldRef, SchemaRef, TimestampMicrosecondType};
use datafusion::catalog::TableProvider;
use datafusion::common::config::{ConfigOptions, Dialect};
use datafusion::common::{Result as Planning, TableReference};
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::SessionContext;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::optimizer::AnalyzerRule;
use datafusion::optimizer::analyzer::type_coercion::TypeCoercion;
use datafusion::physical_plan::{ExecutionPlan, displayable, execute_stream};
use datafusion::prelude::SessionConfig;
use datafusion::sql::parser::Statement;
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt};
use std::collections::HashMap;
use std::sync::Arc;

/// A query that is ready to be optimized and run.
pub(super) struct Planned {
    context: SessionContext,
    plan: LogicalPlan,
    shown: Shown,
    /// What it reads of tables' newest versions.
    newest: Vec<Arc<Snapshot>>,
}

impl Planned {
    /// Reads what the statement names and binds it. `LB-SQL` and the errors of loading tables.
    pub async fn new(session: &Session, text: &str, explained: bool) -> Result<Planned> {
        let Parsed { statement, relations, hidden, spelled } = parse_query(text)?;
        let context = context(session)?;
        let mut columns: HashMap<String, FieldRef> = HashMap::new();
        let mut newest = Vec::new();
        for (key, relation) in &relations {
            let (provider, own): (Arc<dyn TableProvider>, SchemaRef) = match relation {
                Relation::Rows { table, when } => {
                    let (snapshot, at) = snapshot(session, table, when).await?;
                    newest.extend((at == At::Latest).then(|| Arc::clone(&snapshot)));
                    let table = DeltaTable::new(snapshot, key, &hidden, explained)?;
                    let own = Arc::clone(table.own());
                    (Arc::new(table), own)
                }
                Relation::Changes { table, from, to } => {
                    let table = session.table(&table_in_text(session, table))?;
                    let changes = ChangeTable::new(table, at(session, from).await?, at(session, to).await?).await?;
                    let own = Arc::clone(changes.own());
                    (Arc::new(changes), own)
                }
            };
            for field in own.fields() {
                columns.entry(field.name().to_lowercase()).or_insert_with(|| Arc::clone(field));
            }
            context.register_table(TableReference::bare(key.as_str()), provider).map_err(ours)?;
        }
        let statement = Statement::Statement(Box::new(statement));
        let state = context.state();
        let plan = state.statement_to_plan(statement).await.and_then(|plan| meant(plan, state.config_options())).map_err(ours)?;
        let shown = Shown::new(plan.schema().as_arrow(), &spelled, &columns);
        Ok(Planned { context, plan, shown, newest })
    }
    /// The version of this table that the rows are computed from, if they are: what writes them into it must stand on that version.
    pub async fn base(&self, table: &Table) -> Result<Option<Arc<Snapshot>>> {
        let own = self.newest.iter().filter(|read| read.table().root().same_place(table.root()));
        match own.map(|read| read.version()).min() {
            Some(version) => table.snapshot_at(At::Version(version)).await.map(Some),
            None => Ok(None),
        }
    }
    async fn physical(&self) -> Result<Arc<dyn ExecutionPlan>> {
        let state = self.context.state();
        let plan = state.optimize(&self.plan).and_then(guarded).map_err(ours)?;
        state.query_planner().create_physical_plan(&plan, &state).await.map_err(ours)
    }
    /// The plan as text, one operator a line.
    pub async fn explained(&self) -> Result<String> {
        let plan = self.physical().await?;
        Ok(displayable(plan.as_ref()).indent(false).to_string())
    }
    /// The rows, computed as they are taken.
    pub async fn rows(self) -> Result<Rows> {
        let plan = self.physical().await?;
        let stream = execute_stream(plan, self.context.task_ctx()).map_err(ours)?;
        let shown = self.shown;
        let schema = Arc::clone(&shown.schema);
        let batches = stream.map_err(ours).and_then(move |batch| futures::future::ready(shown.batch(&batch))).boxed();
        Ok(Rows { schema, batches })
    }
}

/// A plan fresh from the planner with our meaning. Types are decided first: a CASE or a UNION has that of its first branch until then.
fn meant(plan: LogicalPlan, options: &ConfigOptions) -> Planning<LogicalPlan> {
    TypeCoercion::new().analyze(fractions(plan)?, options).and_then(bound_plan).and_then(ordered)
}

/// The version of a table that a query reads, and how it was asked for.
async fn snapshot(session: &Session, table: &TableName, when: &When) -> Result<(Arc<Snapshot>, At)> {
    let at = at(session, when).await?;
    let (table, at) = match table {
        TableName::Location(location) if at == At::Latest => {
            let (location, suffix) = suffix(location);
            (session.table(&TableName::Location(location.to_owned()))?, suffix.unwrap_or(At::Latest))
        }
        other => match session.named(other)? {
            (table, own) if at == At::Latest => (table, own),
            (table, _) => (table, at),
        },
    };
    Ok((table.snapshot_at(at).await?, at))
}

pub(super) async fn at(session: &Session, when: &When) -> Result<At> {
    Ok(match when {
        When::Latest => At::Latest,
        When::Version(version) => At::Version(Version(*version)),
        When::Time(text) => At::Timestamp(time(session, text).await?),
    })
}

/// The table that a text names: a name that the session knows, `` delta.`path` ``, or a path.
fn table_in_text(session: &Session, text: &str) -> TableName {
    let location = text.get(..6).filter(|start| start.eq_ignore_ascii_case("delta.")).map(|_| text[6..].trim_matches('`'));
    match location {
        Some(location) => TableName::Location(location.to_owned()),
        None if session.knows(text) => TableName::Name(text.to_lowercase()),
        None => TableName::Location(text.to_owned()),
    }
}

/// A location and the version that `@vN` at its end picks.
fn suffix(location: &str) -> (&str, Option<At>) {
    let found = location.rsplit_once('@').and_then(|(bare, suffix)| {
        let version = suffix.strip_prefix('v')?.parse().ok()?;
        Some((bare, At::Version(Version(version))))
    });
    found.map_or((location, None), |(bare, at)| (bare, Some(at)))
}

/// The time that an expression gives.
pub(super) fn time<'a>(session: &'a Session, text: &'a str) -> BoxFuture<'a, Result<Timestamp>> {
    Box::pin(async move {
        let literal = text.strip_prefix('\'').and_then(|t| t.strip_suffix('\''));
        if let Some(Ok(Scalar::Timestamp(micros))) = literal.map(|t| Scalar::from_partition_text(Some(t), &DataType::Timestamp)) {
            return Ok(Timestamp(micros.div_euclid(1_000)));
        }
        let rows = Planned::new(session, &format!("SELECT CAST(({text}) AS TIMESTAMP)"), false).await?.rows().await?;
        let batches: Vec<_> = rows.batches.try_collect().await?;
        let found = batches.iter().find(|b| b.num_rows() == 1).and_then(|b| {
            let column = b.column(0).as_primitive_opt::<TimestampMicrosecondType>()?;
            column.is_valid(0).then(|| Timestamp(column.value(0).div_euclid(1_000)))
        });
        found.ok_or_else(|| Error::new(Code::SQL, format!("{text} is not a time")))
    })
}

fn context(session: &Session) -> Result<SessionContext> {
    let env = &session.env;
    let mut config = SessionConfig::new().with_target_partitions(env.threads()).with_information_schema(false);
    let options = config.options_mut();
    options.sql_parser.dialect = Dialect::Spark;
    options.sql_parser.parse_float_as_decimal = true;
    options.sql_parser.map_string_types_to_utf8view = false;
    options.sql_parser.default_null_ordering = "nulls_min".to_owned();
    options.execution.enable_ansi_mode = true;
    options.execution.time_zone = Some("UTC".to_owned());
    let mut properties = ExecutionProps::new();
    properties.query_execution_start_time = chrono::DateTime::from_timestamp_millis(env.now().millis());
    let builder = SessionStateBuilder::new()
        .with_config(config)
        .with_execution_props(properties)
        .with_runtime_env(Runtime::new(env)?.environment())
        .with_default_features();
    Ok(SessionContext::new_with_state(with_guards(with_spark(builder)).build()))
}
