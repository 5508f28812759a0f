//! Conditions of the table that every row must fulfil. Kind: pure. Spec: VAL.
//!
//! A condition is a property: `delta.constraints.<name>`, the name in lower case. Invariant: a row for which it is not exactly TRUE is
//! never written; NULL is not enough.

use super::drafts::{RowCheck, TableDraft, WritePlan};
use super::spec::{Active, FeatureSpec, Hooks, LegacyVersions, Scope, Support};
use super::{ColumnRule, Downgrade, TableFeature, TableState};
use crate::error::{Code, Error, Result};
use crate::expr::Expr;
use crate::schema::{DataType, Struct};

const PREFIX: &str = "delta.constraints.";

pub(super) const SPEC: FeatureSpec = FeatureSpec {
    feature: TableFeature::CheckConstraints,
    name: "checkConstraints",
    aliases: &[],
    scope: Scope::Writer,
    legacy: Some(LegacyVersions { reader: None, writer: 3 }),
    requires: &[],
    active: Active::When(|state| state.properties().any(|(key, _)| name_of(key).is_some())),
    support: Support::Full,
    joins_quietly: false,
    hooks: Hooks {
        shape_table: Some(shape_table),
        column_rules: Some(column_rules),
        write_stages: Some(write_stages),
        downgrade: Some(Downgrade { check: Some(none_left), ..Downgrade::NONE }),
        ..Hooks::NONE
    },
};

/// The name of the constraint that a property declares.
fn name_of(key: &str) -> Option<&str> {
    key.get(..PREFIX.len()).filter(|prefix| prefix.eq_ignore_ascii_case(PREFIX)).map(|_| &key[PREFIX.len()..])
}

fn column_rules(state: &TableState, rules: &mut Vec<ColumnRule>) {
    let named = state.properties().filter_map(|(key, sql)| Some((name_of(key)?, sql)));
    rules.extend(named.map(|(name, sql)| ColumnRule { name: format!("constraint {name}"), sql: sql.to_owned() }));
}

/// The feature goes when the last constraint is gone.
fn none_left(state: &TableState) -> Result<()> {
    let left: Vec<&str> = state.properties().filter_map(|(key, _)| name_of(key)).collect();
    if left.is_empty() {
        return Ok(());
    }
    Err(Error::new(Code::FEATURE_WRITE, "the table has constraints, so the feature cannot be dropped")
        .with("features", SPEC.name)
        .with("constraints", left.join(", "))
        .help("drop the constraints first"))
}

/// What a constraint asks of the rows of a table with this schema. `LB-EXPR` when its text is no condition over them.
fn constraint(name: &str, sql: &str, schema: &Struct) -> Result<RowCheck> {
    let named = |e: Error| e.with("constraint", name);
    let condition = Expr::sql(sql).map_err(named)?;
    let bound = condition.bind_rule(schema).map_err(named)?;
    if !matches!(bound.data_type(), DataType::Boolean | DataType::Void) {
        return Err(named(Error::new(Code::EXPR, format!("`{sql}` is a {} and not a condition", bound.data_type()))));
    }
    Ok(RowCheck { name: format!("CHECK constraint {name}: {sql}"), condition, given: None })
}

fn shape_table(draft: &mut TableDraft<'_>) -> Result<()> {
    let declared = draft.properties.iter().filter_map(|(key, sql)| Some((name_of(key)?, sql)));
    declared.into_iter().try_for_each(|(name, sql)| constraint(name, sql, &draft.schema).map(|_| ()))
}

fn write_stages(state: &TableState, plan: &mut WritePlan) -> Result<()> {
    for (name, sql) in state.properties().filter_map(|(key, sql)| Some((name_of(key)?, sql))) {
        let check = constraint(name, sql, state.schema()).map_err(|e| {
            Error::new(Code::FEATURE_WRITE, format!("a CHECK constraint of the table cannot be enforced: {}", e.message()))
                .with("constraint", name)
                .with("rule", sql)
                .caused_by(e)
        })?;
        plan.checks.push(check);
    }
    Ok(())
}

#[cfg(test)]
#[path = "check_constraints_tests.rs"]
mod tests;
