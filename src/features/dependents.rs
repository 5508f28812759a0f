//! Which rules of a table name a column, so that it must not be renamed, dropped or given another type. Kind: pure. Spec: ALT.

use super::{ALL, TableState};
use crate::error::{Code, Error, Result};
use crate::expr::Expr;
use crate::schema::paths::quoted_path;

/// SQL text in the metadata of a table that names columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ColumnRule {
    /// What the user sees: `constraint positive`.
    pub(crate) name: String,
    pub(crate) sql: String,
}

impl TableState {
    /// Refuses a change of the column at `path` that a rule names, or a part or the whole of it. A rule that does not parse may name
    /// any column. `LB-SCHEMA` names the column and the rule.
    pub(crate) fn check_independent(&self, path: &[String]) -> Result<()> {
        let mut rules = Vec::new();
        ALL.iter().filter_map(|spec| spec.hooks.column_rules).for_each(|column_rules| column_rules(self, &mut rules));
        let Some(rule) = rules.iter().find(|rule| names(&rule.sql, path)) else { return Ok(()) };
        Err(Error::new(Code::SCHEMA, "a rule of the table names the column, so it cannot be changed")
            .with("column", quoted_path(path))
            .with("rule", &rule.name)
            .with("expression", &rule.sql)
            .help("drop the rule first"))
    }
}

/// Whether an expression names the column at `path`, something inside it, or what it is inside of.
fn names(sql: &str, path: &[String]) -> bool {
    let Ok(expression) = Expr::sql(sql) else { return true };
    let same = |(a, b): (&String, &String)| a.to_lowercase() == b.to_lowercase();
    expression.column_paths().iter().any(|named| named.iter().zip(path).all(same))
}
