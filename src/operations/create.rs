//! Makes a table, or replaces what one holds. Kind: edge. Spec: OPS.

use super::manifest::renew_after;
use super::overwrite::{Removal, remove_all};
use super::{Report, already_exists, check_outside, json_text, newest, refused};
use crate::data::write::{DataWriter, WriteOptions, discard};
use crate::error::{Code, Error, Result};
use crate::features::{ChangedTable, NewTable, TableState, new_table, replaced_table};
use crate::log::{Add, StringMap};
use crate::schema::{FieldPath, Struct, evolve};
use crate::snapshot::Snapshot;
use crate::table::Table;
use crate::transaction::{CommitOutcome, OperationInfo, ReadScope};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::stream::BoxStream;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Makes a table, empty or with rows.
pub struct Create {
    table: Table,
    base: Option<Arc<Snapshot>>,
    new: NewTable,
    mode: Mode,
    rows: Option<(SchemaRef, BoxStream<'static, Result<RecordBatch>>)>,
    options: WriteOptions,
}

/// What to do about a table that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Refuse,
    LeaveAlone,
    Replace { or_create: bool },
}

impl Table {
    /// Starts making a table here.
    pub fn create(&self, schema: Struct) -> Create {
        let new = NewTable { schema, ..NewTable::default() };
        Create { table: self.clone(), base: None, new, mode: Mode::Refuse, rows: None, options: WriteOptions::default() }
    }
    /// Starts replacing what the table here holds: its rows, columns, partitioning, comment and properties. Its id and history stay.
    pub fn replace(&self, schema: Struct) -> Create {
        Create { mode: Mode::Replace { or_create: false }, ..self.create(schema) }
    }
}

impl Create {
    /// Rows are laid out by the values of these columns, in this order.
    pub fn partition_by<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.new.partition_columns = columns.into_iter().map(Into::into).collect();
        self
    }
    /// Files are clustered by these columns.
    pub fn cluster_by(mut self, columns: impl IntoIterator<Item = FieldPath>) -> Self {
        self.new.cluster_by = Some(columns.into_iter().collect());
        self
    }
    /// Sets a table property.
    pub fn property(mut self, key: &str, value: &str) -> Self {
        self.new.properties.insert(key.to_owned(), value.to_owned());
        self
    }
    /// Names the table, for people.
    pub fn name(mut self, name: &str) -> Self {
        self.new.name = Some(name.to_owned());
        self
    }
    /// Describes the table.
    pub fn comment(mut self, comment: &str) -> Self {
        self.new.description = Some(comment.to_owned());
        self
    }
    /// An existing table is left alone: the report's version is `None`.
    pub fn if_not_exists(mut self) -> Self {
        self.mode = Mode::LeaveAlone;
        self
    }
    /// An existing table is replaced.
    pub fn or_replace(mut self) -> Self {
        self.mode = Mode::Replace { or_create: true };
        self
    }
    /// The table begins with these rows; their columns are the table's, nullable.
    pub fn rows(mut self, schema: SchemaRef, batches: BoxStream<'static, Result<RecordBatch>>) -> Self {
        self.rows = Some((schema, batches));
        self
    }
    /// The rows were computed from this version of the table, which is the one that is replaced.
    pub(crate) fn reading(mut self, base: Arc<Snapshot>) -> Self {
        self.base = Some(base);
        self
    }
    /// Sizes of files.
    pub fn write_options(mut self, options: WriteOptions) -> Self {
        self.options = options;
        self
    }

    /// Commits once: version 0 of a new table, the next one of a table that is replaced. `LB-TABLE-EXISTS`, `LB-TABLE`, `LB-SCHEMA`,
    /// `LB-PROPERTY`, `LB-FEATURE-WRITE`; `LB-CONFLICT` when a table that is replaced has changed meanwhile. Then nothing was
    /// committed, and files that were written are deleted.
    pub async fn run(self) -> Result<Report> {
        let Create { table, base, mut new, mode, rows, options } = self;
        let env = table.env().clone();
        let started = env.now();
        let operation = operation(mode, rows.is_some());
        let base = match base {
            Some(base) => Some(base),
            None => newest(&table).await?,
        };
        let base = match (base, mode) {
            (Some(_), Mode::Refuse) => return Err(already_exists(&table)),
            (Some(_), Mode::LeaveAlone) => return Ok(Report::nothing(operation, &env, started)),
            (None, Mode::Replace { or_create: false }) => {
                let missing = Error::new(Code::TABLE, "there is no table to replace").with("table", table.root().url());
                return Err(missing.help("make it, or replace it with OR CREATE"));
            }
            (base, _) => base,
        };
        if base.is_none() {
            check_outside(&table).await?;
        }
        if let Some((schema, _)) = &rows {
            new.schema = evolve::nullable(&Struct::from_arrow(schema)?);
        }
        let changed = match &base {
            None => None,
            Some(base) => Some(replaced_table(base.state(), new.clone(), &env)?),
        };
        let state = match &changed {
            None => Arc::new(new_table(new, &env)?),
            Some(changed) => Arc::clone(&changed.state),
        };
        let removal = match &base {
            Some(base) => Some(remove_all(base).await?),
            None => None,
        };
        let written = match rows {
            Some((schema, batches)) => Some(write(&table, &state, options, &schema, batches).await?),
            None => None,
        };
        let metrics = written.as_ref().map(|(adds, rows)| metrics(adds, *rows, mode, removal.as_ref())).unwrap_or_default();
        let adds = written.map(|(adds, _)| adds).unwrap_or_default();
        let metadata = state.metadata();
        let clustered: Vec<String> = state.clustering_columns()?.unwrap_or_default().iter().map(|path| path.join(".")).collect();
        let parameters = parameters(&metadata.partition_columns, &clustered, metadata.description.as_deref(), &metadata.configuration);
        let info = OperationInfo { operation: operation.to_owned(), parameters, metrics: metrics.clone(), ..OperationInfo::default() };
        let mut transaction = match &base {
            None => table.begin_create(Arc::clone(&state), info),
            Some(base) => base.begin(info),
        };
        if let Some(ChangedTable { protocol, domains, .. }) = changed {
            transaction.read(ReadScope::Table).set_metadata(metadata.clone());
            if let Some(protocol) = protocol {
                transaction.set_protocol(protocol);
            }
            for domain in domains {
                transaction.set_domain(domain);
            }
        }
        for remove in removal.unwrap_or_default().removes {
            transaction.remove(remove);
        }
        for add in &adds {
            transaction.add(add.clone());
        }
        match transaction.commit().await {
            Ok(CommitOutcome::Committed(mut done)) => {
                done.warnings.extend(renew_after(&table, &state, done.version).await);
                Ok(Report::committed(operation, done, metrics, &env, started))
            }
            Ok(CommitOutcome::Conflicted(conflict)) => {
                discard(&table, &adds).await;
                match mode {
                    // Somebody else has made it meanwhile.
                    Mode::LeaveAlone => Ok(Report::nothing(operation, &env, started)),
                    Mode::Refuse => Err(already_exists(&table)),
                    Mode::Replace { .. } => Err(refused(&conflict)),
                }
            }
            Err(e) => {
                if !e.may_have_landed() {
                    discard(&table, &adds).await;
                }
                Err(e)
            }
        }
    }
}

/// Spark's name of the operation.
fn operation(mode: Mode, with_rows: bool) -> &'static str {
    match (mode, with_rows) {
        (Mode::Refuse | Mode::LeaveAlone, false) => "CREATE TABLE",
        (Mode::Refuse | Mode::LeaveAlone, true) => "CREATE TABLE AS SELECT",
        (Mode::Replace { or_create: true }, false) => "CREATE OR REPLACE TABLE",
        (Mode::Replace { or_create: true }, true) => "CREATE OR REPLACE TABLE AS SELECT",
        (Mode::Replace { or_create: false }, false) => "REPLACE TABLE",
        (Mode::Replace { or_create: false }, true) => "REPLACE TABLE AS SELECT",
    }
}

/// Writes rows into files that no version names yet.
async fn write(
    table: &Table,
    state: &Arc<TableState>,
    options: WriteOptions,
    schema: &SchemaRef,
    batches: BoxStream<'static, Result<RecordBatch>>,
) -> Result<(Vec<Add>, u64)> {
    let writer = DataWriter::new(table, Arc::clone(state), options)?.write_all(schema, batches, |_| Ok(())).await?;
    let rows = writer.rows();
    Ok((writer.finish().await?, rows))
}

fn metrics(adds: &[Add], rows: u64, mode: Mode, removal: Option<&Removal>) -> Map<String, Value> {
    let bytes: i64 = adds.iter().map(|a| a.size).sum();
    let mut out = Map::new();
    out.insert("numFiles".to_owned(), adds.len().into());
    out.insert("numOutputRows".to_owned(), rows.into());
    out.insert("numOutputBytes".to_owned(), bytes.into());
    if matches!(mode, Mode::Replace { .. }) {
        out.insert("numRemovedFiles".to_owned(), removal.map_or(0, |r| r.removes.len()).into());
        out.insert("numRemovedBytes".to_owned(), removal.map_or(0, |r| r.bytes).into());
    }
    out
}

fn parameters(partition: &[String], cluster: &[String], description: Option<&str>, properties: &StringMap) -> Map<String, Value> {
    let properties: Map<String, Value> = properties.iter().map(|(k, v)| (k.clone(), Value::from(v.as_str()))).collect();
    Map::from_iter([
        ("partitionBy".to_owned(), json_text(partition)),
        ("clusterBy".to_owned(), json_text(cluster)),
        ("description".to_owned(), description.map_or(Value::Null, Value::from)),
        ("isManaged".to_owned(), Value::from("false")),
        ("properties".to_owned(), Value::String(Value::Object(properties).to_string())),
    ])
}
