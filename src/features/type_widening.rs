//! Column types that became wider; old files are cast when they are read. Kind: pure. Spec: TW.
//!
//! Every change is recorded in the metadata of the nearest struct field, in order. Invariant: the type of a column that holds rows
//! never changes but here.

use super::column_mapping::same_column;
use super::drafts::TableDraft;
use super::spec::{Active, FeatureSpec, Hooks, Scope, Support};
use super::{Downgrade, TableChange, TableFeature, TableState};
use crate::env::Env;
use crate::error::{Code, Error, Result};
use crate::log::Action;
use crate::schema::evolve::Widening;
use crate::schema::{DataType, Struct, any_field, can_widen, metadata_key};
use serde_json::{Value, json};
use std::sync::Arc;

const PROPERTY: &str = "delta.enableTypeWidening";

pub(super) const SPEC: FeatureSpec = FeatureSpec {
    feature: TableFeature::TypeWidening,
    name: "typeWidening",
    aliases: &["typeWidening-preview"],
    scope: Scope::ReaderWriter,
    legacy: None,
    requires: &[],
    active: Active::WhenProperty(PROPERTY),
    support: Support::Full,
    joins_quietly: true,
    hooks: Hooks { check_read: Some(check_read), shape_table: Some(shape_table), downgrade: Some(DOWNGRADE), ..Hooks::NONE },
};

/// Files may hold old types for as long as a change is recorded.
const DOWNGRADE: Downgrade = Downgrade {
    unset: &[PROPERTY],
    column_keys: &[metadata_key::TYPE_CHANGES],
    rewrites_narrower: Some(|state| any_field(state.schema(), |field| field.metadata.contains_key(metadata_key::TYPE_CHANGES))),
    is_trace: Some(|action| matches!(action, Action::Metadata(metadata) if metadata.schema_string.contains(metadata_key::TYPE_CHANGES))),
    ..Downgrade::NONE
};

impl TableState {
    /// The table with wider columns, the changes recorded for files that have the types of now.
    pub(crate) fn widened(&self, columns: Struct, env: &Env) -> Result<Arc<TableState>> {
        let set = [(PROPERTY.to_owned(), "true".to_owned())].into();
        Ok(TableChange { schema: Some(columns), set, ..TableChange::default() }.apply(self, env)?.state)
    }
    /// Whether columns take up wider types when rows of them arrive.
    pub(crate) fn widening(&self) -> Widening {
        if self.is_active(TableFeature::TypeWidening) { Widening::On } else { Widening::Off }
    }
}

/// Every recorded change must be one that this build knows how to cast.
fn check_read(state: &TableState) -> Result<()> {
    let mut found = None;
    any_field(state.schema(), |field| {
        let Some(changes) = field.metadata.get(metadata_key::TYPE_CHANGES) else { return false };
        found = changes.as_array().map_or(Some(changes), |changes| changes.iter().find(|change| !is_widening(change))).map(|change| {
            Error::new(Code::FEATURE_READ, format!("the recorded type change {change} is not a widening that this build knows"))
                .with("column", &field.name)
                .help("rewrite the table with the engine that changed the type")
        });
        found.is_some()
    });
    found.map_or(Ok(()), Err)
}

fn is_widening(change: &Value) -> bool {
    let side = |key: &str| change.get(key).and_then(|value| DataType::from_json_value(value).ok());
    match (side("fromType"), side("toType")) {
        (Some(from), Some(to)) => from == to || can_widen(&from, &to),
        _ => false,
    }
}

/// Records what became wider; refuses every other change of a type.
fn shape_table(draft: &mut TableDraft<'_>) -> Result<()> {
    let Some(before) = draft.before.filter(|_| !draft.replaces_rows) else { return Ok(()) };
    let enabled = draft.property(PROPERTY).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
    let mut changed = draft.schema.clone();
    record_fields(before.schema(), &mut changed, enabled, "")?;
    draft.schema = changed;
    Ok(())
}

fn record_fields(before: &Struct, after: &mut Struct, enabled: bool, prefix: &str) -> Result<()> {
    for field in &mut after.fields {
        let Some(old) = same_column(before, field) else { continue };
        let mut changes = Vec::new();
        let column = format!("{prefix}{}", field.name);
        record_type(&old.data_type, &mut field.data_type, enabled, &column, &mut Vec::new(), &mut changes)?;
        if !changes.is_empty() {
            let known = field.metadata.entry(metadata_key::TYPE_CHANGES).or_insert_with(|| Value::Array(Vec::new()));
            let list = known
                .as_array_mut()
                .ok_or_else(|| Error::new(Code::LOG_STATE, "the record of type changes is not a list").with("column", &column))?;
            list.extend(changes);
        }
    }
    Ok(())
}

fn record_type<'a>(
    before: &DataType,
    after: &mut DataType,
    enabled: bool,
    column: &str,
    path: &mut Vec<&'a str>,
    changes: &mut Vec<Value>,
) -> Result<()> {
    let mut inner = |before: &DataType, after: &mut DataType, step: &'a str| {
        path.push(step);
        let recorded = record_type(before, after, enabled, column, path, changes);
        path.pop();
        recorded
    };
    match (before, after) {
        (DataType::Struct(before), DataType::Struct(after)) => record_fields(before, after, enabled, &format!("{column}.")),
        (DataType::Array { element: before, .. }, DataType::Array { element: after, .. }) => inner(before, after, "element"),
        (DataType::Map { key: bk, value: bv, .. }, DataType::Map { key: ak, value: av, .. }) => {
            inner(bk, ak, "key")?;
            inner(bv, av, "value")
        }
        (before, after) if before == after => Ok(()),
        // No file holds a value of it.
        (DataType::Void, _) => Ok(()),
        (before, after) if enabled && can_widen(before, after) => {
            let mut change = json!({"toType": after.to_json_value(), "fromType": before.to_json_value()});
            if !path.is_empty() {
                change["fieldPath"] = path.join(".").into();
            }
            changes.push(change);
            Ok(())
        }
        (before, after) => {
            let what = format!("the type of a column cannot change from {before} to {after}");
            let error = Error::new(Code::SCHEMA, what).with("column", column);
            Err(if can_widen(before, after) {
                error.help(format!("set the table property {PROPERTY} to true: then types may become wider"))
            } else {
                error.help("types may only become wider: smallint to int, float to double, decimal to more digits and the like")
            })
        }
    }
}

#[cfg(test)]
#[path = "type_widening_tests.rs"]
mod tests;
