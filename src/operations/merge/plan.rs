//! A merge bound to one version of the table: conditions, clauses, the table as it will be. Kind: pure. Spec: MRG.
//!
//! Invariant: everything is bound over the joint schema, in which a column of either side has one name.

use super::image::{Binding, Image};
use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::expr::{Assignments, BoundExpr, Equality, Expr, MergeAction, MergeClause, MergeRows, Side, Sides, Sight};
use crate::features::{ChangedTable, HiddenColumn, TableChange, TableState};
use crate::log::{Metadata, Protocol};
use crate::schema::{DataType, Struct, evolve};
use crate::snapshot::Snapshot;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a caller asks for, not yet bound to a table.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub target_alias: String,
    pub source_alias: String,
    pub source: Struct,
    pub on: Expr,
    pub clauses: Vec<MergeClause>,
    pub evolves: bool,
}

/// A merge bound to one version of the table.
pub(super) struct Plan {
    pub sides: Sides,
    /// Hidden columns that rows which stay in the table carry along.
    pub moved: Vec<HiddenColumn>,
    /// The table as it will be, and what the commit must say to make it so.
    pub state: Arc<TableState>,
    pub metadata: Option<Metadata>,
    pub protocol: Option<Protocol>,
    pub on: BoundExpr,
    /// Parts of the ON condition that read the target alone.
    pub target_only: Vec<Expr>,
    /// Parts of it that say which source rows a target row may match.
    pub equalities: Vec<Equality>,
    pub matched: Vec<Clause>,
    pub not_matched: Vec<Clause>,
    pub not_matched_by_source: Vec<Clause>,
    /// The ON condition and the conditions of the clauses by source, over the target alone, as they may be pushed down.
    pub by_source: Vec<Option<Expr>>,
}

/// One clause.
pub(super) struct Clause {
    pub condition: Option<BoundExpr>,
    pub action: Action,
}

pub(super) enum Action {
    Delete,
    /// The new version of the target row, or the new row.
    Make(Image),
}

impl Clause {
    pub fn image(&self) -> Option<&Image> {
        match &self.action {
            Action::Delete => None,
            Action::Make(image) => Some(image),
        }
    }
}

impl Wish {
    /// Binds. `LB-EXPR` and `LB-SCHEMA` name what does not fit, `LB-FEATURE-WRITE` what the table needs and this build lacks.
    pub fn plan(&self, base: &Snapshot) -> Result<Plan> {
        let (state, env) = (base.state(), base.table().env());
        state.check_writable()?;
        self.check_order()?;
        let moved = state.moved_columns();
        let carried: Vec<String> = moved.iter().map(|c| c.name().to_owned()).collect();
        let sides = Sides::new(
            Side { alias: self.target_alias.clone(), schema: state.schema().clone() },
            Side { alias: self.source_alias.clone(), schema: self.source.clone() },
        )?;
        let joint = sides.joint();
        let (state, metadata, protocol) = self.evolved(state, &sides, env)?;
        let (writes, now) = (state.write_plan()?, env.now());
        let binding =
            Binding { sides: &sides, joint: &joint, state: &state, writes: &writes, evolves: self.evolves, carried: &carried, now };
        let on = sides.resolve(&self.on, Sight::Both)?;
        let (target_only, others) = sides.conjuncts(&on);
        let equalities = others.iter().filter_map(|c| sides.equality(c, &joint).transpose()).collect::<Result<Vec<_>>>()?;
        let clauses = |rows: MergeRows, sight: Sight| {
            let own = self.clauses.iter().filter(move |c| c.rows == rows);
            let bound = own.map(|clause| {
                let condition = clause.condition.as_ref().map(|c| condition(&sides.resolve(c, sight)?, &joint)).transpose()?;
                let action = match &clause.action {
                    MergeAction::Delete => Action::Delete,
                    MergeAction::Update(assignments) => Action::Make(binding.update(assignments, sight)?),
                    MergeAction::Insert(assignments) => Action::Make(binding.insert(assignments)?),
                };
                Ok(Clause { condition, action })
            });
            bound.collect::<Result<Vec<_>>>()
        };
        let by_source = self.clauses.iter().filter(|c| c.rows == MergeRows::NotMatchedBySource);
        let by_source = by_source.map(|c| c.condition.as_ref().map(|c| sides.resolve(c, Sight::Target)).transpose());
        Ok(Plan {
            by_source: by_source.collect::<Result<_>>()?,
            on: condition(&on, &joint)?,
            target_only,
            equalities,
            matched: clauses(MergeRows::Matched, Sight::Both)?,
            not_matched: clauses(MergeRows::NotMatched, Sight::Source)?,
            not_matched_by_source: clauses(MergeRows::NotMatchedBySource, Sight::Target)?,
            sides,
            moved,
            state,
            metadata,
            protocol,
        })
    }

    /// Only the last clause of a kind may do without a condition.
    fn check_order(&self) -> Result<()> {
        if self.clauses.is_empty() {
            return Err(Error::new(Code::INPUT, "a merge needs a clause").help("for example WHEN MATCHED THEN UPDATE SET *"));
        }
        for rows in [MergeRows::Matched, MergeRows::NotMatched, MergeRows::NotMatchedBySource] {
            let own: Vec<_> = self.clauses.iter().filter(|c| c.rows == rows).collect();
            if own.iter().rev().skip(1).any(|c| c.condition.is_none()) {
                return Err(Error::new(
                    Code::EXPR,
                    "only the last clause of its kind may have no condition: those after it would never apply",
                ));
            }
        }
        Ok(())
    }

    /// The table with the columns of the source that clauses give to it.
    fn evolved(&self, state: &Arc<TableState>, sides: &Sides, env: &Env) -> Result<(Arc<TableState>, Option<Metadata>, Option<Protocol>)> {
        let same = || (Arc::clone(state), None, None);
        if !self.evolves {
            return Ok(same());
        }
        let mut wanted: BTreeSet<usize> = BTreeSet::new();
        for clause in &self.clauses {
            match &clause.action {
                MergeAction::Update(Assignments::All) | MergeAction::Insert(Assignments::All) => wanted.extend(0..self.source.fields.len()),
                MergeAction::Update(Assignments::List(list)) | MergeAction::Insert(Assignments::List(list)) => {
                    wanted.extend(list.iter().filter_map(|(path, _)| self.source.index_of(sides.assigned(path).first()?)));
                }
                MergeAction::Delete => {}
            }
        }
        let fields = wanted.into_iter().map(|i| self.source.fields[i].clone()).filter(|f| f.data_type != DataType::Void);
        let schema = evolve::grown(state.schema(), &Struct { fields: fields.collect() }, state.widening());
        if schema == *state.schema() {
            return Ok(same());
        }
        let change = TableChange { schema: Some(schema), ..TableChange::default() };
        let ChangedTable { state, metadata, protocol, .. } = change.apply(state, env)?;
        Ok((state, metadata, protocol))
    }

    /// Spark's `operationParameters`.
    pub fn parameters(&self) -> Map<String, Value> {
        let list = |rows: MergeRows| {
            let own = self.clauses.iter().filter(|c| c.rows == rows).map(|clause| {
                let mut one = Map::new();
                if let Some(condition) = &clause.condition {
                    one.insert("predicate".to_owned(), condition.text().into());
                }
                let action = match clause.action {
                    MergeAction::Delete => "delete",
                    MergeAction::Update(_) => "update",
                    MergeAction::Insert(_) => "insert",
                };
                one.insert("actionType".to_owned(), action.into());
                Value::Object(one)
            });
            Value::String(Value::Array(own.collect()).to_string())
        };
        let mut out = Map::new();
        out.insert("predicate".to_owned(), Value::String(json!([self.on.text()]).to_string()));
        out.insert("matchedPredicates".to_owned(), list(MergeRows::Matched));
        out.insert("notMatchedPredicates".to_owned(), list(MergeRows::NotMatched));
        out.insert("notMatchedBySourcePredicates".to_owned(), list(MergeRows::NotMatchedBySource));
        out
    }
}

fn condition(resolved: &Expr, joint: &Struct) -> Result<BoundExpr> {
    let bound = resolved.bind(joint)?;
    match bound.data_type() {
        DataType::Boolean | DataType::Void => Ok(bound),
        other => Err(Error::new(Code::EXPR, format!("{} is a {other} where a condition is needed", resolved.text()))),
    }
}

impl Plan {
    /// Whether a joint name is one of a column that the merge adds to the table.
    pub fn is_new(&self, name: &str) -> bool {
        let known = self.sides.source_column(name).is_some() || self.sides.target.schema.index_of(name).is_some();
        !known && self.state.schema().index_of(name).is_some()
    }
    /// Whether rows of the table stay as they are, whatever matches.
    pub fn only_inserts(&self) -> bool {
        self.matched.is_empty() && self.not_matched_by_source.is_empty()
    }
    /// Whether rows of the table go, and nothing else happens.
    pub fn only_deletes(&self) -> bool {
        let all = self.matched.iter().chain(&self.not_matched).chain(&self.not_matched_by_source);
        all.into_iter().all(|clause| clause.image().is_none())
    }
    /// Whether a target row may match several source rows.
    pub fn may_match_twice(&self) -> bool {
        let single_delete = matches!(self.matched.as_slice(), [Clause { condition: None, action: Action::Delete }]);
        self.only_inserts() || single_delete
    }
    /// What of the target must be looked at, given what the source's keys say: `None` is all of it.
    pub fn filter(&self, of_keys: Option<Expr>) -> Option<Expr> {
        let mut terms = self.target_only.iter().cloned().chain(of_keys);
        let first = terms.next()?;
        let matching = terms.fold(first, Expr::and);
        self.by_source.iter().try_fold(matching, |filter, by_source| Some(filter.or(by_source.clone()?)))
    }
}
