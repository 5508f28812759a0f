//! Changes what a table is: columns, properties, rules, features. Kind: edge. Spec: ALT.
//!
//! Every alteration but `DropFeature` is one commit: a plan (pure, one file a family), a look at the rows where the new rule must hold
//! for them, then metadata, protocol and domains at once.

mod columns;
mod constraints;
mod drop_feature;
mod history;
mod properties;
mod rewrite;
mod rows;

use super::row_ids::give_row_ids;
use super::{Report, refused};
use crate::error::{Code, Error, Result};
use crate::features::{ChangedTable, TableChange};
use crate::log::{StringMap, Version};
use crate::schema::{DataType, FieldPath, NewColumn, Position};
use crate::snapshot::Snapshot;
use crate::table::Table;
use crate::transaction::{CommitOutcome, CommitPolicy, Committed, OperationInfo, ReadScope, Transaction};
use serde_json::{Map, Value};
use std::sync::Arc;

/// What to change about a table.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Alteration {
    /// Rows that are there have null in the new columns.
    AddColumns(Vec<NewColumn>),
    /// Needs mapped columns; files stay as they are.
    DropColumns(Vec<FieldPath>),
    /// Needs mapped columns; files stay as they are.
    RenameColumn {
        column: FieldPath,
        to: String,
    },
    /// To a type that holds every value of the old one; files stay as they are.
    ChangeType {
        column: FieldPath,
        to: DataType,
    },
    /// Moves a column among its siblings.
    MoveColumn {
        column: FieldPath,
        to: Position,
    },
    /// Refused while a row has null there.
    SetNotNull(FieldPath),
    DropNotNull(FieldPath),
    /// What new rows have in the column that bring nothing for it: a constant expression of SQL.
    SetDefault {
        column: FieldPath,
        default: String,
    },
    /// New rows that bring nothing for the column have null in it.
    DropDefault(FieldPath),
    /// The empty text drops the comment.
    CommentColumn {
        column: FieldPath,
        comment: String,
    },
    /// The empty text drops the comment.
    Comment(String),
    SetProperties(StringMap),
    /// Properties that the table lacks are left out.
    UnsetProperties(Vec<String>),
    /// Refused while a row does not fulfil it.
    AddConstraint {
        name: String,
        condition: String,
    },
    DropConstraint {
        name: String,
        if_exists: bool,
    },
    /// Supports a table feature, by its name.
    AddFeature(String),
    /// Removes all traces of a feature and then its support. Without `truncate_history` a feature that readers must know leaves
    /// protected checkpoints behind; with it, everything before is removed from the log, once that is old enough.
    DropFeature {
        feature: String,
        truncate_history: bool,
    },
    /// By which columns files are clustered from now on; none for no clustering.
    ClusterBy(Vec<FieldPath>),
    /// Moves the mark of an identity column to its highest value (the lowest when it counts down).
    SyncIdentity(FieldPath),
}

/// Changes what a table is.
pub struct Alter {
    table: Table,
    alteration: Alteration,
    if_version: Option<Version>,
}

impl Table {
    /// Starts changing what this table is.
    pub fn alter(&self, alteration: Alteration) -> Alter {
        Alter { table: self.clone(), alteration, if_version: None }
    }
}

/// One commit that is to be made.
struct Plan {
    operation: &'static str,
    parameters: Map<String, Value>,
    change: TableChange,
    /// Which rows were looked at.
    reads: Vec<ReadScope>,
}

impl Plan {
    fn new(operation: &'static str, change: TableChange) -> Plan {
        Plan { operation, parameters: Map::new(), change, reads: Vec::new() }
    }
    fn parameter(mut self, key: &str, value: impl Into<Value>) -> Plan {
        self.parameters.insert(key.to_owned(), value.into());
        self
    }
    fn info(&self) -> OperationInfo {
        OperationInfo { operation: self.operation.to_owned(), parameters: self.parameters.clone(), ..OperationInfo::default() }
    }
}

impl Alter {
    /// Refuses with `LB-CONFLICT` when the table is not at this version.
    pub fn if_version(mut self, version: Version) -> Self {
        self.if_version = Some(version);
        self
    }
    /// Commits the change; the report's version is `None` when the table is so already. `LB-SCHEMA` names the column, `LB-PROPERTY` the
    /// property, `LB-CONSTRAINT` the rule that rows break, `LB-FEATURE-WRITE` the feature, `LB-CONFLICT` the winner. Costs one commit
    /// and, for rules about rows, one scan of the columns that they name.
    pub async fn run(self) -> Result<Report> {
        let env = self.table.env().clone();
        let started = env.now();
        let base = self.table.snapshot().await?;
        if let Some(wanted) = self.if_version.filter(|wanted| base.version() != *wanted) {
            return Err(Error::new(Code::CONFLICT, "the table is not at the version that this change was made for")
                .with("wanted", wanted)
                .with("found", base.version())
                .help("look at the newest version and decide again"));
        }
        base.state().check_writable()?;
        if let Alteration::DropFeature { feature, truncate_history } = &self.alteration {
            return drop_feature::run(base, feature, *truncate_history, started).await;
        }
        let base = match &self.alteration {
            Alteration::SetProperties(properties) if self.if_version.is_none() => numbered(base, properties).await?,
            _ => base,
        };
        let plan = plan(&base, self.alteration).await?;
        let operation = plan.operation;
        let policy = match self.if_version {
            Some(_) => CommitPolicy { attempts_max: 1, ..CommitPolicy::default() },
            None => CommitPolicy::default(),
        };
        match commit(&base, plan, policy).await? {
            Some(done) => Ok(Report::committed(operation, done, Map::new(), &env, started)),
            None => Ok(Report::nothing(operation, &env, started)),
        }
    }
}

/// The version on which these properties can be set: where they need all rows to have ids, commits before give them to the files that
/// have none.
async fn numbered(base: Arc<Snapshot>, properties: &StringMap) -> Result<Arc<Snapshot>> {
    let Some(feature) = base.state().feature_before(properties) else { return Ok(base) };
    let plan = properties::add_feature(base.state(), feature, base.table().env())?;
    commit(&base, plan, CommitPolicy::default()).await?;
    give_row_ids(base.refresh().await?).await
}

async fn plan(base: &Arc<Snapshot>, alteration: Alteration) -> Result<Plan> {
    let state = base.state();
    match alteration {
        Alteration::AddColumns(columns) => {
            let plan = columns::add(state, &columns)?;
            if columns::has_not_null(&columns) { rows::none_at_all(base, plan).await } else { Ok(plan) }
        }
        Alteration::DropColumns(paths) => columns::drop(state, &paths),
        Alteration::RenameColumn { column, to } => columns::rename(state, &column, &to),
        Alteration::ChangeType { column, to } => columns::change_type(state, &column, &to),
        Alteration::MoveColumn { column, to } => columns::move_to(state, &column, &to),
        Alteration::SetNotNull(column) => rows::not_null(base, &column, columns::set_nullable(state, &column, false)?).await,
        Alteration::DropNotNull(column) => columns::set_nullable(state, &column, true),
        Alteration::SetDefault { column, default } => columns::set_default(state, &column, Some(default)),
        Alteration::DropDefault(column) => columns::set_default(state, &column, None),
        Alteration::CommentColumn { column, comment } => columns::comment(state, &column, &comment),
        Alteration::Comment(text) => Ok(properties::comment(text)),
        Alteration::SetProperties(properties) => properties::set(properties),
        Alteration::UnsetProperties(keys) => properties::unset(keys),
        Alteration::AddConstraint { name, condition } => {
            let plan = constraints::add(state, &name, &condition)?;
            rows::all_fulfil(base, &condition, plan).await
        }
        Alteration::DropConstraint { name, if_exists } => constraints::drop(state, &name, if_exists),
        Alteration::AddFeature(name) => properties::add_feature(state, &name, base.table().env()),
        Alteration::ClusterBy(columns) => columns::cluster_by(state, columns),
        Alteration::SyncIdentity(column) => rows::sync_identity(base, &column).await,
        Alteration::DropFeature { .. } => Err(Error::new(Code::INTERNAL, "a feature is dropped in several commits")),
    }
}

/// Commits a plan; `None` when it changes nothing.
async fn commit(base: &Arc<Snapshot>, plan: Plan, policy: CommitPolicy) -> Result<Option<Committed>> {
    let info = plan.info();
    let changed = plan.change.apply(base.state(), base.table().env())?;
    if changed.is_same() {
        return Ok(None);
    }
    let mut transaction = base.begin(info);
    transaction.policy(policy);
    for scope in plan.reads {
        transaction.read(scope);
    }
    stage(&mut transaction, changed);
    finish(transaction).await.map(Some)
}

fn stage(transaction: &mut Transaction, changed: ChangedTable) {
    if let Some(metadata) = changed.metadata {
        transaction.set_metadata(metadata);
    }
    if let Some(protocol) = changed.protocol {
        transaction.set_protocol(protocol);
    }
    for domain in changed.domains {
        transaction.set_domain(domain);
    }
}

async fn finish(transaction: Transaction) -> Result<Committed> {
    match transaction.commit().await? {
        CommitOutcome::Committed(done) => Ok(done),
        CommitOutcome::Conflicted(conflict) => Err(refused(&conflict)),
    }
}
