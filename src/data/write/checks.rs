//! Conditions that every written row must fulfil. Kind: pure. Spec: FEA.
//!
//! Invariant: a row is written only when every condition is TRUE for it.

use super::stages::{Conform, file_fields, rows_named, schema_of};
use crate::error::{Code, Error, Result};
use crate::expr::BoundExpr;
use crate::features::{RowCheck, TableState};
use crate::schema::DataType;
use arrow::array::RecordBatch;
use arrow::datatypes::{Field as ArrowField, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// Of how many rows that break a rule the values are told, and how much of each.
const VALUES_SHOWN: usize = 3;
const VALUE_CHARS: usize = 100;

/// The conditions of a table, bound to its logical columns.
pub(super) struct Checks {
    conditions: Vec<(RowCheck, BoundExpr)>,
    columns: Vec<ArrowField>,
    schema: SchemaRef,
}

impl Checks {
    /// `LB-FEATURE-WRITE` names a condition that cannot be evaluated over the table's columns.
    pub(super) fn new(checks: &[RowCheck], state: &TableState) -> Result<Checks> {
        let bind = |check: &RowCheck| {
            let refused = |why: &str| {
                Error::new(Code::FEATURE_WRITE, format!("a rule of the table cannot be enforced: {why}")).with("rule", &check.name)
            };
            let bound = check.condition.bind_rule(state.schema()).map_err(|e| refused(e.message()).caused_by(e))?;
            match bound.data_type() {
                DataType::Boolean | DataType::Void => Ok((check.clone(), bound)),
                other => Err(refused(&format!("it is a {other} and not a condition"))),
            }
        };
        let columns = file_fields(state.schema(), &|_| None)?;
        Ok(Checks { conditions: checks.iter().map(bind).collect::<Result<_>>()?, schema: schema_of(columns.clone()), columns })
    }
    /// `LB-CONSTRAINT` names the first condition that rows break, and the first such rows. `made` are the columns that come from the
    /// writer; `first_row` counts the input's rows before this batch.
    pub(super) fn check(
        &self,
        conform: &Conform,
        batch: &RecordBatch,
        made: &[String],
        state: &TableState,
        partition: &[usize],
        first_row: u64,
    ) -> Result<()> {
        let asked = |check: &RowCheck| check.given.as_ref().is_none_or(|column| !made.contains(column));
        if !self.conditions.iter().any(|(check, _)| asked(check)) {
            return Ok(());
        }
        // Conditions name logical columns at every level; what goes into files may have other names.
        let columns = conform.apply(batch, state.schema(), &self.columns, partition, first_row)?;
        let rows = RecordBatch::try_new(self.schema.clone(), columns)?;
        for (RowCheck { name, .. }, condition) in self.conditions.iter().filter(|(check, _)| asked(check)) {
            let holds = condition.matches(&rows).map_err(|e| e.with("rule", name))?;
            let broken = || (0..holds.len()).filter(|row| !holds.value(*row));
            let Some(named) = rows_named(broken(), first_row) else { continue };
            let values: Vec<String> = broken().take(VALUES_SHOWN).map(|row| values(&rows, condition.columns(), row)).collect();
            return Err(Error::new(Code::CONSTRAINT, format!("rows of the input break the {name}"))
                .with("rule", name)
                .with("rows", named)
                .with("values", values.join("; "))
                .help("correct these rows; the condition must be TRUE for every row, NULL is not enough"));
        }
        Ok(())
    }
}

/// What these columns hold in one row.
fn values(rows: &RecordBatch, columns: &[String], row: usize) -> String {
    let options = FormatOptions::default().with_null("NULL");
    let shown = columns.iter().filter_map(|name| {
        let column = rows.column_by_name(name)?;
        let value = ArrayFormatter::try_new(column, &options).ok()?.value(row).try_to_string().ok()?;
        let short: String = value.chars().take(VALUE_CHARS).collect();
        Some(format!("{name} = {short}{}", if short.len() < value.len() { "…" } else { "" }))
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[path = "checks_tests.rs"]
mod tests;
