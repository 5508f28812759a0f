//! Columns whose value follows from the row's other columns. Kind: pure. Spec: VAL, SKIP.
//!
//! Invariant: every written row has in such a column what the expression gives for it.

use super::drafts::{Fill, FillValue, RowCheck, TableDraft, WritePlan};
use super::spec::{Active, FeatureSpec, Hooks, LegacyVersions, Scope, Support};
use super::{ColumnRule, TableFeature, TableState};
use crate::error::{Code, Error, Result};
use crate::expr::{BoundExpr, Expr, column, implied};
use crate::schema::{DataType, Field, Struct, any_field, metadata_key};

pub(super) const SPEC: FeatureSpec = FeatureSpec {
    feature: TableFeature::GeneratedColumns,
    name: "generatedColumns",
    aliases: &[],
    scope: Scope::Writer,
    legacy: Some(LegacyVersions { reader: None, writer: 4 }),
    requires: &[],
    active: Active::When(|state| any_field(state.schema(), |field| field.metadata.contains_key(metadata_key::GENERATION_EXPRESSION))),
    support: Support::Full,
    joins_quietly: false,
    hooks: Hooks {
        shape_table: Some(shape_table),
        column_rules: Some(column_rules),
        write_stages: Some(write_stages),
        implied_filter: Some(implied_filter),
        ..Hooks::NONE
    },
};

/// The expression of a column as it is written in SQL; `None` for a column that has none.
fn text(field: &Field) -> Option<&str> {
    field.metadata.get(metadata_key::GENERATION_EXPRESSION).map(|value| value.as_str().unwrap_or_default())
}

fn column_rules(state: &TableState, rules: &mut Vec<ColumnRule>) {
    any_field(state.schema(), |field| {
        rules.extend(text(field).map(|sql| ColumnRule { name: format!("generated column {}", field.name), sql: sql.to_owned() }));
        false
    });
}

/// What a column must hold. `LB-EXPR` when its text is no expression over the other columns, or one of another type.
fn expression(field: &Field, schema: &Struct) -> Result<Option<(Expr, BoundExpr)>> {
    let Some(sql) = text(field) else { return Ok(None) };
    let named = |e: Error| e.with("column", &field.name).with("expression", sql);
    let expr = Expr::sql(sql).map_err(named)?;
    let bound = expr.bind_rule(schema).map_err(named)?;
    let refused = |what: String| Err(named(Error::new(Code::EXPR, what)));
    if let Some(name) = bound.columns().iter().find(|name| schema.field(name).is_some_and(|other| text(other).is_some())) {
        return refused(format!("a generated column cannot be made from the generated column `{name}`"));
    }
    if field.data_type == DataType::Variant {
        return refused("a variant cannot be generated".to_owned());
    }
    Ok(Some((expr, bound)))
}

fn shape_table(draft: &mut TableDraft<'_>) -> Result<()> {
    for field in &draft.schema.fields {
        if let Some((_, bound)) = expression(field, &draft.schema)?
            && *bound.data_type() != field.data_type
        {
            return Err(Error::new(
                Code::SCHEMA,
                format!("the column is a {}, but its expression gives a {}", field.data_type, bound.data_type()),
            )
            .with("column", &field.name)
            .help("cast the expression to the column's type"));
        }
        let inner = Struct { fields: vec![Field::new(&field.name, field.data_type.clone(), true)] };
        if any_field(&inner, |field| text(field).is_some()) {
            return Err(Error::new(Code::SCHEMA, "only a column of its own can be generated").with("column", &field.name));
        }
    }
    Ok(())
}

fn write_stages(state: &TableState, plan: &mut WritePlan) -> Result<()> {
    for field in &state.schema().fields {
        let found = expression(field, state.schema()).map_err(|e| {
            Error::new(Code::FEATURE_WRITE, format!("a generated column of the table cannot be computed: {}", e.message()))
                .with("column", &field.name)
                .with("rule", text(field).unwrap_or_default())
                .caused_by(e)
        })?;
        let Some((expr, _)) = found else { continue };
        plan.checks.push(RowCheck {
            name: format!("generated column {}: {}", field.name, text(field).unwrap_or_default()),
            condition: column(&field.name).null_safe_eq(expr.clone()),
            given: Some(field.name.clone()),
        });
        plan.fills.push(Fill { column: field.name.clone(), value: FillValue::Computed(expr) });
    }
    Ok(())
}

/// What `filter` says about partition columns that follow from the columns which it reads.
fn implied_filter(state: &TableState, filter: &BoundExpr) -> Option<Expr> {
    let schema = state.schema();
    let made = state.partition_columns().iter().filter_map(|name| {
        let field = schema.field(name)?;
        // What is not understood prunes nothing.
        let (_, bound) = expression(field, schema).ok().flatten()?;
        Some((field.name.clone(), field.data_type.clone(), bound))
    });
    implied(filter, schema, made.collect())
}

#[cfg(test)]
#[path = "generated_columns_tests.rs"]
mod tests;
