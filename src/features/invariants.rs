//! Conditions that columns carry in their metadata (the oldest form of constraints). Kind: pure. Spec: FEA.

use super::drafts::{RowCheck, WritePlan};
use super::spec::{Active, FeatureSpec, Hooks, LegacyVersions, Scope, Support};
use super::{TableFeature, TableState};
use crate::error::{Code, Error, Result};
use crate::expr::Expr;
use crate::schema::{any_field, metadata_key};
use serde_json::Value;

pub(super) const SPEC: FeatureSpec = FeatureSpec {
    feature: TableFeature::Invariants,
    name: "invariants",
    aliases: &[],
    scope: Scope::Writer,
    legacy: Some(LegacyVersions { reader: None, writer: 2 }),
    requires: &[],
    active: Active::When(|state| any_field(state.schema(), |field| field.metadata.contains_key(metadata_key::INVARIANTS))),
    support: Support::Full,
    joins_quietly: false,
    hooks: Hooks { write_stages: Some(write_stages), ..Hooks::NONE },
};

fn write_stages(state: &TableState, plan: &mut WritePlan) -> Result<()> {
    let mut failed = None;
    any_field(state.schema(), |field| {
        let Some(text) = field.metadata.get(metadata_key::INVARIANTS) else { return false };
        match row_check(&field.name, text) {
            Ok(check) => plan.checks.push(check),
            Err(e) => failed = Some(e),
        }
        failed.is_some()
    });
    failed.map_or(Ok(()), Err)
}

/// `{"expression":{"expression":"x > 3"}}`, as JSON text.
fn row_check(column: &str, invariant: &Value) -> Result<RowCheck> {
    let refused = |what: &str| {
        Error::new(Code::FEATURE_WRITE, format!("the invariant of the column cannot be enforced: {what}"))
            .with("column", column)
            .with("invariant", invariant)
    };
    let parsed: Value =
        invariant.as_str().and_then(|text| serde_json::from_str(text).ok()).ok_or_else(|| refused("it is not JSON text"))?;
    let sql = parsed.pointer("/expression/expression").and_then(Value::as_str).ok_or_else(|| refused("it has no expression"))?;
    let condition = Expr::sql(sql).map_err(|e| refused("its expression does not parse").caused_by(e))?;
    Ok(RowCheck { name: format!("invariant of column {column}: {sql}"), condition, given: None })
}

#[cfg(test)]
#[path = "invariants_tests.rs"]
mod tests;
