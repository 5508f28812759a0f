//! Values for columns that rows lack. Kind: pure. Spec: VAL.
//!
//! Invariant: a default is a constant of one write, also where it asks for the time.

use super::drafts::{Fill, FillValue, TableDraft, WritePlan};
use super::spec::{Active, FeatureSpec, Hooks, Scope, Support};
use super::{TableFeature, TableState};
use crate::error::{Code, Error, Result};
use crate::expr::Expr;
use crate::schema::{DataType, Field, Struct, any_field, metadata_key};

pub(super) const SPEC: FeatureSpec = FeatureSpec {
    feature: TableFeature::AllowColumnDefaults,
    name: "allowColumnDefaults",
    aliases: &[],
    scope: Scope::Writer,
    legacy: None,
    requires: &[],
    active: Active::When(|state| any_field(state.schema(), |field| field.metadata.contains_key(metadata_key::CURRENT_DEFAULT))),
    support: Support::Full,
    joins_quietly: false,
    hooks: Hooks { shape_table: Some(shape_table), write_stages: Some(write_stages), ..Hooks::NONE },
};

/// The default of a column as it is written in SQL.
fn text(field: &Field) -> Option<Result<&str>> {
    let value = field.metadata.get(metadata_key::CURRENT_DEFAULT)?;
    Some(value.as_str().ok_or_else(|| Error::new(Code::EXPR, "the default of the column is no text").with("column", &field.name)))
}

/// The default of a column, if it has one. `LB-EXPR` when it is no constant of the column's type.
fn column_default(field: &Field, env: &crate::env::Env) -> Result<Option<Expr>> {
    let Some(sql) = text(field).transpose()? else { return Ok(None) };
    let named = |e: Error| e.with("column", &field.name).with("default", sql);
    let default = Expr::sql(sql).map_err(named)?;
    let bound = default.bind_as(&Struct::default(), &field.data_type, Some(env.now())).map_err(named)?;
    bound.check_constant().map_err(named)?;
    if field.data_type == DataType::Variant && !bound.is_null() {
        return Err(named(Error::new(Code::EXPR, "the default of a variant must be NULL")));
    }
    Ok(Some(default))
}

fn shape_table(draft: &mut TableDraft<'_>) -> Result<()> {
    for field in &draft.schema.fields {
        column_default(field, draft.env)?;
        let inner = Struct { fields: vec![Field::new(&field.name, field.data_type.clone(), true)] };
        if any_field(&inner, |field| field.metadata.contains_key(metadata_key::CURRENT_DEFAULT)) {
            return Err(Error::new(Code::SCHEMA, "only a column of its own can have a default").with("column", &field.name));
        }
    }
    Ok(())
}

fn write_stages(state: &TableState, plan: &mut WritePlan) -> Result<()> {
    for field in &state.schema().fields {
        let Some(sql) = text(field) else { continue };
        let value = sql.and_then(Expr::sql).map_err(|e| {
            Error::new(Code::FEATURE_WRITE, format!("the default of a column cannot be evaluated: {}", e.message()))
                .with("column", &field.name)
                .caused_by(e)
        })?;
        plan.fills.push(Fill { column: field.name.clone(), value: FillValue::Constant(value) });
    }
    Ok(())
}

impl TableState {
    /// What DEFAULT stands for in a column, as text: NULL when it has none. `LB-EXPR` when the default is no text.
    pub(crate) fn default_text(&self, column: &str) -> Result<&str> {
        self.schema().field(column).and_then(text).unwrap_or(Ok("NULL"))
    }
    /// What DEFAULT stands for where a value is assigned to this path. `LB-EXPR` for a part of a column: only the whole has a default.
    pub(crate) fn default_value(&self, path: &[String]) -> Result<Expr> {
        match path {
            [column] => Expr::sql(self.default_text(column)?).map_err(|e| e.with("column", column)),
            _ => Err(Error::new(Code::EXPR, "only a whole column has a default").with("column", path.join("."))),
        }
    }
}

#[cfg(test)]
#[path = "column_defaults_tests.rs"]
mod tests;
